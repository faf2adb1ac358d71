//! Families of metrics: a name with the values of its series.

use std::borrow::Cow;
use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::proxy::Times;

/// Names and values, in output order.
pub type Labels<'l> = Vec<(&'static str, &'l str)>;

/// A gauge that is 1 or 0.
pub fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

/// A value, whose type tells the type of its metric.
pub trait Value {
    const TYPE: MetricType;
    fn write(&self, encoder: MetricEncoder) -> fmt::Result;
}

/// A gauge.
impl Value for f64 {
    const TYPE: MetricType = MetricType::Gauge;
    fn write(&self, mut encoder: MetricEncoder) -> fmt::Result {
        encoder.encode_gauge(self)
    }
}

/// A counter. The encoder appends `_total` to the name.
impl Value for u64 {
    const TYPE: MetricType = MetricType::Counter;
    fn write(&self, mut encoder: MetricEncoder) -> fmt::Result {
        encoder.encode_counter::<NoLabelSet, _, f64>(self, None)
    }
}

/// A histogram.
impl Value for Cow<'_, Times> {
    const TYPE: MetricType = MetricType::Histogram;
    fn write(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let buckets: Vec<(f64, u64)> = self.buckets().collect();
        encoder.encode_histogram::<NoLabelSet>(self.sum().as_secs_f64(), self.count(), &buckets, None)
    }
}

/// Writes metric families.
pub struct Writer<'w>(pub DescriptorEncoder<'w>);

impl Writer<'_> {
    /// Writes a family, in the order of `values`.
    pub fn family<'l, V: Value>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'l>, V)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, V::TYPE)?;
        values.into_iter().try_for_each(|(labels, value)| value.write(encoder.encode_family(&labels)?))
    }
}
