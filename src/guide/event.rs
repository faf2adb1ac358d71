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
    110 LogLinesLost Warning Hourly
        "lines could not be written to the log" "check the disk and the rights of the log's folder"
    200 Reloaded Information Each
        "a changed configuration is in service" "nothing"
    201 ReloadRejected Error Each
        "a changed configuration is invalid; the previous one stays" "fix the file; `bcproxy check` lists the mistakes"
    300 ConnectorReady Information Each
        "a connector can serve requests" "nothing"
    301 ConnectorNotReady Warning Each
        "a connector can't serve requests" "run `bcproxy doctor`"
    310 CredentialExpires Warning Hourly
        "the credential of an application expires soon, or has expired" "create a new one in Entra"
    311 CertificateExpires Warning Each
        "the certificate of a listener expires soon, or has expired" "replace it"
    320 ApplicationRejected Warning Each
        "Business Central rejects an application" "run `bcproxy doctor`"
    400 RateLimitUsedUp Warning Each
        "requests wait because of the rate limit" "add an application, or spread the load"
    401 RateLimitFree Information Each
        "requests no longer wait because of the rate limit" "nothing"
    410 LimiterPaused Warning Hourly
        "Business Central requested a pause" "if it happens often, lower `limits`"
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
