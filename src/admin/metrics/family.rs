//! Families of metrics: a name with the values of its series.

use std::borrow::Cow;
use std::fmt;

use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric, NumberDataPoint, metric, number_data_point};
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::proxy::Times;
use crate::telemetry::otlp::metrics::{self as otlp, Period};

/// Names and values, in output order.
pub type Labels<'l> = Vec<(&'static str, &'l str)>;

/// A gauge that is 1 or 0.
pub fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

/// A value, whose type tells the type of its metric.
pub trait Value {
    const TYPE: MetricType;
    /// What OTLP makes of it.
    type Point;
    fn write(&self, encoder: MetricEncoder) -> fmt::Result;
    fn point(&self, labels: &Labels, period: Period) -> Self::Point;
    /// All values of a family.
    fn data(points: Vec<Self::Point>) -> metric::Data;
}

/// A gauge.
impl Value for f64 {
    const TYPE: MetricType = MetricType::Gauge;
    type Point = NumberDataPoint;

    fn write(&self, mut encoder: MetricEncoder) -> fmt::Result {
        encoder.encode_gauge(self)
    }

    fn point(&self, labels: &Labels, period: Period) -> NumberDataPoint {
        period.number(labels, number_data_point::Value::AsDouble(*self))
    }

    fn data(points: Vec<NumberDataPoint>) -> metric::Data {
        otlp::gauge(points)
    }
}

/// A counter. The encoder appends `_total` to the name.
impl Value for u64 {
    const TYPE: MetricType = MetricType::Counter;
    type Point = NumberDataPoint;

    fn write(&self, mut encoder: MetricEncoder) -> fmt::Result {
        encoder.encode_counter::<NoLabelSet, _, f64>(self, None)
    }

    fn point(&self, labels: &Labels, period: Period) -> NumberDataPoint {
        period.number(labels, number_data_point::Value::AsInt((*self).try_into().unwrap_or(i64::MAX)))
    }

    fn data(points: Vec<NumberDataPoint>) -> metric::Data {
        otlp::counter(points)
    }
}

/// A histogram.
impl Value for Cow<'_, Times> {
    const TYPE: MetricType = MetricType::Histogram;
    type Point = HistogramDataPoint;

    fn write(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let buckets: Vec<(f64, u64)> = self.buckets().collect();
        encoder.encode_histogram::<NoLabelSet>(self.sum().as_secs_f64(), self.count(), &buckets, None)
    }

    fn point(&self, labels: &Labels, period: Period) -> HistogramDataPoint {
        let buckets: Vec<(f64, u64)> = self.buckets().collect();
        period.histogram(labels, self.sum().as_secs_f64(), &buckets)
    }

    fn data(points: Vec<HistogramDataPoint>) -> metric::Data {
        otlp::histogram(points)
    }
}

/// Writes metric families.
pub enum Writer<'w> {
    /// As Prometheus reads them.
    Text(DescriptorEncoder<'w>),
    /// As a collector reads them; they count for this period.
    Otlp(&'w mut Vec<Metric>, Period),
}

impl Writer<'_> {
    /// Writes a family, in the order of `values`.
    pub fn family<'l, V: Value>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'l>, V)>,
    ) -> fmt::Result {
        match self {
            Self::Text(encoder) => {
                let mut encoder = encoder.encode_descriptor(name, help, None, V::TYPE)?;
                values.into_iter().try_for_each(|(labels, value)| value.write(encoder.encode_family(&labels)?))
            }
            Self::Otlp(metrics, period) => {
                let points: Vec<_> = values.into_iter().map(|(labels, value)| value.point(&labels, *period)).collect();
                if !points.is_empty() {
                    metrics.push(Metric {
                        name: format!("{PREFIX}_{name}"),
                        description: help.to_owned(),
                        unit: unit(name).to_owned(),
                        data: Some(V::data(points)),
                        ..Metric::default()
                    });
                }
                Ok(())
            }
        }
    }
}

/// The unit that the name of a metric ends with (UCUM). A converter to Prometheus adds it to a name without it only.
fn unit(name: &str) -> &'static str {
    match name {
        _ if name.ends_with("_seconds") => "s",
        _ if name.ends_with("_bytes") => "By",
        _ => "",
    }
}

/// What the names of all metrics begin with.
pub const PREFIX: &str = "bcproxy";
