//! What an administrator of Windows finds in the Event Log: the ids, what each means, and what to do.
//!
//! One table makes the type and its texts. The log has the same ids, in the field `event_id`.
//! An id is never given to another event, and never removed: monitoring systems are configured with it.
//! Ids are in 1..=1000, those of the message table that the events are shown with.

/// How severe an event is. Its line in the log has the same level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something worth knowing.
    Information,
    /// Needs attention: requests may be delayed or rejected, now or soon.
    Warning,
    /// Something failed.
    Error,
}

/// How often an event is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Each time: there is one for each change of a state.
    Each,
    /// Once an hour for the same subject, such as a connector.
    Hourly,
}

/// Makes [`Event`] from rows of id, name, severity, repeat, meaning and what to do.
macro_rules! events {
    ($($id:literal $name:ident $severity:ident $repeat:ident $meaning:literal $to_do:literal)*) => {
        /// An event, with an id that stays the same in all versions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the table explains each event")]
        pub enum Event {
            $($name,)*
        }

        impl Event {
            /// All events, by id.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The id, in 1..=1000. Lines of the log have it in the field `event_id`.
            pub const fn id(self) -> u16 {
                match self {
                    $(Self::$name => $id,)*
                }
            }

            /// How severe it is.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)*
                }
            }

            /// How often it is reported.
            pub const fn repeat(self) -> Repeat {
                match self {
                    $(Self::$name => Repeat::$repeat,)*
                }
            }

            /// What it means, as a clause.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }

            /// What to do, as a clause: `nothing`, or an imperative.
            pub const fn to_do(self) -> &'static str {
                match self {
                    $(Self::$name => $to_do,)*
                }
            }
        }
    };
}

// 1xx: the process. 2xx: the configuration. 3xx: connectors, credentials, certificates. 4xx: limits.
events! {
    100 Started Information Each
        "bcproxy accepts connections" "nothing"
    101 StartFailed Error Each
        "bcproxy did not start" "fix what the event names, then start the service"
    102 Stopping Information Each
        "bcproxy accepts no more connections and finishes open requests" "nothing"
    103 Stopped Information Each
        "bcproxy has stopped" "nothing"
    104 RequestsAborted Warning Each
        "open requests were aborted at the stop" "raise `shutdown.grace` if it was too short"
    110 LogLinesLost Warning Hourly
        "the log can't be written, and its lines are lost" "check the disk and the rights of the log's folder"
    111 LogWritable Warning Each
        "the log can be written again; the event has the number of lost lines" "nothing"
    200 Reloaded Information Each
        "a changed configuration is in service" "nothing"
    201 ReloadRejected Error Each
        "a changed configuration is invalid; the previous one stays" "fix the file; `bcproxy check` lists the mistakes"
    202 ConfigurationWarnings Warning Each
        "the configuration is in service, but deserves a look" "do what each warning says"
    300 ConnectorReady Information Each
        "a connector can serve requests" "nothing"
    301 ConnectorNotReady Warning Each
        "a connector can't serve requests" "run `bcproxy doctor`"
    310 CredentialExpires Warning Each
        "the credential of an application expires soon" "create a new one in Entra"
    311 CertificateExpires Warning Each
        "the certificate of a listener expires soon, or has expired" "renew it"
    312 ClockWrong Warning Each
        "this machine's clock differs from Entra's" "correct the clock: check the Windows Time service"
    320 ApplicationRejected Warning Each
        "Business Central rejects the token of an application" "run `bcproxy doctor`"
    321 ApplicationAccepted Information Each
        "Business Central accepts the application again" "nothing"
    330 Unreachable Warning Each
        "Business Central can't be reached" "check the network, firewall and web proxy"
    331 Reachable Information Each
        "Business Central can be reached again" "nothing"
    400 RateLimitUsedUp Warning Each
        "requests wait because of the rate limit" "add an application, or spread the load"
    401 RateLimitFree Information Each
        "requests no longer wait because of the rate limit" "nothing"
    402 RequestsRejected Warning Each
        "requests are rejected: the queue is full, or the wait too long" "add an application, or spread the load"
    410 LimiterPaused Warning Hourly
        "Business Central rejected a request and demanded a pause" "if it happens often, lower `limits`"
    411 SharedStoreAway Warning Each
        "the shared store is slow or away; each replica uses its share of the limits" "check Redis or Valkey"
    412 SharedStoreBack Information Each
        "the shared store is back; replicas share the limits again" "nothing"
    420 ConnectionsRejected Warning Hourly
        "connections beyond `max_connections` are rejected" "find the clients that hold them, or raise it"
}

impl Event {
    /// The event with this id.
    pub fn from_id(id: u64) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| u64::from(event.id()) == id)
    }
}

impl Severity {
    /// The name in the documentation and in the Event Viewer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Information => "Information",
            Self::Warning => "Warning",
            Self::Error => "Error",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_in_the_message_table_and_in_order_and_each_is_found() {
        let ids: Vec<u16> = Event::ALL.iter().map(|event| event.id()).collect();
        assert!(ids.iter().all(|id| (1..=1000).contains(id)) && ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        assert_eq!(Event::ALL.iter().copied().collect::<HashSet<_>>().len(), ids.len());
        assert!(Event::ALL.iter().all(|event| Event::from_id(event.id().into()) == Some(*event)));
        assert_eq!(Event::from_id(999), None);
    }

    #[test]
    fn the_documentation_has_each_event() {
        let page = include_str!("../../docs/telemetry.md");
        let rows: Vec<String> = Event::ALL
            .iter()
            .map(|event| {
                let (severity, meaning, to_do) = (event.severity().as_str(), event.meaning(), event.to_do());
                format!("| {} | {severity} | {meaning} | {to_do} |", event.id())
            })
            .collect();
        let is_row =
            |line: &&str| line.starts_with("| ") && line[2..].starts_with(|first: char| first.is_ascii_digit());
        assert_eq!(page.lines().filter(is_row).collect::<Vec<_>>(), rows, "the table of docs/telemetry.md");
        let hourly: Vec<String> = Event::ALL
            .iter()
            .filter(|event| event.repeat() == Repeat::Hourly)
            .map(|event| event.id().to_string())
            .collect();
        let (last, others) = hourly.split_last().unwrap();
        let sentence = format!("Events {} and {last} come at most once an hour", others.join(", "));
        assert!(page.contains(&sentence), "{sentence}");
    }
}
