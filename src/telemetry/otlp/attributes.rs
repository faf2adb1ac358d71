//! Attributes of records, and the resource that they are about.

use std::sync::LazyLock;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use uuid::Uuid;

use crate::config::Otlp;
use crate::telemetry::format::cut;

/// Attributes of a record. Long texts are cut as in the log.
#[derive(Debug, Default)]
pub struct Attributes(pub Vec<KeyValue>);

impl Attributes {
    /// Adds a text, if there is one.
    pub fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.0.push(attribute(key, Value::StringValue(cut(value).into_owned())));
        }
    }

    /// Adds a number, if there is one.
    pub fn number(&mut self, key: &str, value: Option<impl TryInto<i64>>) {
        if let Some(Ok(value)) = value.map(TryInto::try_into) {
            self.0.push(attribute(key, Value::IntValue(value)));
        }
    }
}

/// An attribute.
pub fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

/// A value of any type.
pub fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// What all records are about: this process. The attributes of the configuration take precedence.
pub(super) fn resource(settings: &Otlp) -> Resource {
    let host = gethostname::gethostname();
    let own = [
        ("service.name", settings.service_name.as_str()),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", INSTANCE.as_str()),
        ("host.name", &host.to_string_lossy()),
    ];
    let given = &settings.resource_attributes;
    let own = own.into_iter().filter(|(key, _)| given.iter().all(|(given, _)| given != key));
    let all = own.chain(given.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let attributes = all.map(|(key, value)| attribute(key, Value::StringValue(value.to_owned()))).collect();
    Resource { attributes, ..Resource::default() }
}

/// What writes the records.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "bcproxy".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

/// Tells this process from others of the same name.
static INSTANCE: LazyLock<String> = LazyLock::new(|| Uuid::new_v4().to_string());
