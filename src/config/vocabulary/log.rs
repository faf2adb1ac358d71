//! The keys of the log.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::model::{ByteSize, Count, LogFormat, Share};
use crate::config::shape::{Form, OrOff, Shape, mapping};
use crate::config::yaml::{Node, Report, Value};

mapping! {
    /// What bcproxy logs, where, and in which format.
    LogKeys: "log section" {
        /// The format of a log line. `auto` writes text to a terminal and JSON elsewhere. A change needs a restart.
        format: LogFormat = Default("auto"),
        /// The least severe messages to log.
        level: tracing::Level = Default("info"),
        /// Which requests have a line in the log. `true`: each one. `false`: slow ones only.
        /// `{ successes: 1% }`: one in a hundred of the successful ones, and all others.
        requests: RequestLinesKeys = Default("true"),
        /// The time from which a request is slow. Its line has the level `warn` and the time of each stage. It is
        /// written whatever `requests` says. With `off`, no request is slow.
        slow: OrOff<Duration> = Default("30s"),
        /// A file for the log, instead of standard error. bcproxy creates it, and its folder if only that is missing.
        /// Relative to the folder of `proxy.yaml`. A Windows service without this key logs to `logs\bcproxy.log` there.
        /// A change needs a restart.
        file: PathBuf = Optional,
        /// When the file of the log is renamed, and how many renamed ones are kept. Also applies to the file of a
        /// Windows service without `file`. A change needs a restart.
        rotate: RotateKeys = Default("{}"),
    }
}

mapping! {
    /// Which requests have a line in the log.
    SampleKeys: "requests section" {
        /// The share of the successful requests that have a line. Each line has the field `sampled`: how many requests
        /// it stands for. Requests that failed, were retried, rejected or slow, or whose client left, have all a line.
        successes: Share = Required,
    }
}

mapping! {
    /// The rotation of the file of the log. The name of a renamed file ends with its time, as in
    /// `bcproxy.log.20270501T120000.000000Z`.
    RotateKeys: "rotate section" {
        /// The size of the file from which it is renamed.
        size: ByteSize = Default("100MiB"),
        /// How many renamed files are kept. bcproxy removes older ones.
        keep: Count = Default("10"),
    }
}

/// `true`, `false`, or a mapping.
#[derive(Debug)]
pub enum RequestLinesKeys {
    /// All requests or none.
    Each(bool),
    /// A share of them.
    Sampled(SampleKeys),
}

impl Shape for RequestLinesKeys {
    fn form() -> Form {
        Form::Short { text: Box::new(bool::form()), full: Box::new(SampleKeys::form()) }
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        match node.value {
            Value::Mapping(_) => Shape::read(node, report).map(Self::Sampled),
            _ => Shape::read(node, report).map(Self::Each),
        }
    }
}
