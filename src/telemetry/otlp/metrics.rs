//! Values of metrics, as data points.

use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, metric,
    number_data_point,
};

use super::attributes::attribute;

/// The names and values of the attributes of a data point.
pub type Labels<'l> = [(&'static str, &'l str)];

/// The time of a measurement, and the one since when it counts.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    start_time: u64,
    time: u64,
}

impl Period {
    /// Ends now.
    pub fn since_start(uptime: Duration) -> Self {
        let now = SystemTime::now();
        Self { start_time: unix_nanoseconds(now - uptime), time: unix_nanoseconds(now) }
    }

    /// A data point of a number.
    pub fn number(self, labels: &Labels, value: number_data_point::Value) -> NumberDataPoint {
        NumberDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: self.start_time,
            time_unix_nano: self.time,
            value: Some(value),
            ..NumberDataPoint::default()
        }
    }

    /// A data point of a histogram. `buckets`: each bound with the count up to it and above the one before; the last
    /// bound is infinite.
    pub fn histogram(self, labels: &Labels, sum: f64, buckets: &[(f64, u64)]) -> HistogramDataPoint {
        let counts: Vec<u64> = buckets.iter().map(|(_, count)| *count).collect();
        HistogramDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: self.start_time,
            time_unix_nano: self.time,
            count: counts.iter().sum(),
            sum: Some(sum),
            bucket_counts: counts,
            explicit_bounds: buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite()).collect(),
            ..HistogramDataPoint::default()
        }
    }
}

/// A gauge.
pub fn gauge(data_points: Vec<NumberDataPoint>) -> metric::Data {
    metric::Data::Gauge(Gauge { data_points })
}

/// A count that only grows, since the start of the process.
pub fn counter(data_points: Vec<NumberDataPoint>) -> metric::Data {
    metric::Data::Sum(Sum {
        data_points,
        aggregation_temporality: AggregationTemporality::Cumulative.into(),
        is_monotonic: true,
    })
}

/// A histogram since the start of the process.
pub fn histogram(data_points: Vec<HistogramDataPoint>) -> metric::Data {
    metric::Data::Histogram(Histogram {
        data_points,
        aggregation_temporality: AggregationTemporality::Cumulative.into(),
    })
}

/// How many data points a metric has.
pub(super) fn data_points(metric: &Metric) -> usize {
    match &metric.data {
        Some(metric::Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(metric::Data::Sum(sum)) => sum.data_points.len(),
        Some(metric::Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(metric::Data::ExponentialHistogram(_) | metric::Data::Summary(_)) | None => 0,
    }
}

/// A time as OTLP has it.
pub fn unix_nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    labels.iter().map(|(key, value)| attribute(key, Value::StringValue((*value).to_owned()))).collect()
}
