//! The routing of a request within a service, except `$batch`: its documents, entity sets and actions.

use bytes::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::entity_set::EntitySet;
use super::service::ODataService;
use super::{metadata, unbound_action, webhooks};
use crate::simulator::business_central::address::{self, PathSegment};
use crate::simulator::business_central::data::database::{Database, Owner};
use crate::simulator::business_central::data::records::Record;
use crate::simulator::business_central::data::schema::{EntityView, KeyKind};
use crate::simulator::business_central::data::tables::SUBSCRIPTION;
use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::business_central::request::ServiceRequest;
use crate::simulator::business_central::response::json_response;
use crate::simulator::business_central::tools::{CodeunitMethod, TOOLS};

impl ODataService<'_> {
    /// Answers a request to `segments` below the root of the service.
    pub fn respond(
        &self,
        database: &mut Database,
        segments: &[&str],
        request: &ServiceRequest,
    ) -> Result<Response<Bytes>, BusinessCentralError> {
        let [first, rest @ ..] = segments else {
            request.expect_read()?;
            return Ok(self.document());
        };
        if segments == ["$metadata"] {
            request.expect_read()?;
            return Ok(metadata::respond(self.surface));
        }
        let companies = self.root_set(self.surface.companies);
        let PathSegment { name, key } = PathSegment::parse(first);
        if name == companies.view.set {
            return match key {
                None => companies.respond(database, None, rest, request),
                Some(key) => {
                    let company = self.company(database, key)?;
                    let record = self.company_record(database, company)?;
                    match rest {
                        [] => companies.respond_record(database, &record, request),
                        [next, rest @ ..] => {
                            self.environment.expect_permission()?;
                            companies.respond_below(database, &record, next, rest, request)
                        }
                    }
                }
            };
        }
        if let Some(view) = self.surface.root_set(name) {
            let set = self.root_set(view);
            return if std::ptr::eq(view.table, &SUBSCRIPTION) {
                webhooks::respond(&set, database, key, rest, request)
            } else {
                set.respond(database, key, rest, request)
            };
        }
        let company = self.company_named(database, request)?;
        self.environment.expect_permission()?;
        if let Some(method) = self.unbound_action(first).filter(|_| rest.is_empty()) {
            return unbound_action::respond(method, self, database, Owner::Company(company), request);
        }
        let record = self.company_record(database, company)?;
        companies.respond_below(database, &record, first, rest, request)
    }

    fn document(&self) -> Response<Bytes> {
        let roots = std::iter::once(self.surface.companies).chain(self.surface.root_sets.iter().copied());
        let sets = roots.chain(self.surface.sets()).map(|view| view.set);
        let sets: Vec<Value> = sets.map(|set| json!({"name": set, "kind": "EntitySet", "url": set})).collect();
        let mut body = self.context("");
        body.insert("value".to_owned(), Value::Array(sets));
        json_response(StatusCode::OK, self.level, &Value::Object(body))
    }

    /// An entity set that belongs to no company.
    fn root_set(&self, view: &'static EntityView) -> EntitySet<'_> {
        EntitySet { service: self, view, owner: Owner::Environment, within: None, path: view.set.to_owned() }
    }

    /// The company in a path: by ID on an API and by name in the web services, unless the key says otherwise.
    fn company(&self, database: &Database, key: &str) -> Result<usize, BusinessCentralError> {
        let guid = |text: &str| uuid::Uuid::try_parse(text).ok().map(|id| id.to_string());
        let name_or_id = match self.surface.companies.key {
            KeyKind::Id => match key.strip_prefix("name=") {
                Some(name) => address::unquote(name),
                None => guid(key.trim_start_matches("id=")),
            },
            KeyKind::Number => match key.strip_prefix("Id=") {
                Some(id) => guid(id),
                None => address::unquote(key.trim_start_matches("Name=")),
            },
        };
        database.find_company(&name_or_id.ok_or_else(|| BusinessCentralError::Key(key.to_owned()))?)
    }

    /// The company named in the query or in a header, or the default company.
    fn company_named(&self, database: &Database, request: &ServiceRequest) -> Result<usize, BusinessCentralError> {
        if let Some(company) = request.option("company") {
            // Page services accept a quoted name, codeunit actions an unquoted one.
            return database.find_company(&address::unquote(&company).unwrap_or(company));
        }
        match request.headers.get("company") {
            Some(name) => database.find_company(&String::from_utf8_lossy(name.as_bytes())),
            None => self.environment.default_company(database),
        }
    }

    fn unbound_action(&self, name: &str) -> Option<&'static CodeunitMethod> {
        let method = name.strip_prefix(TOOLS)?.strip_prefix('_')?;
        CodeunitMethod::named(method).filter(|_| self.surface.has_unbound_actions)
    }

    fn company_record(&self, database: &Database, company: usize) -> Result<Record, BusinessCentralError> {
        let table = self.surface.companies.table;
        let id = database.company(company)?.id;
        database.records(Owner::Environment, table)?.get(id).cloned().ok_or(BusinessCentralError::NoCompany)
    }
}
