//! A service no connection can be made to: at which step the way to it ends, and what to do about that.

use std::error::Error;
use std::io;

use super::tunnel::TunnelError;
use crate::error_chain::{causes, root_cause};
use crate::guide;

/// Why no connection can be made, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} at {host} can't be reached: {advice} ({cause}); see {}", .step.in_guide())]
pub struct Unreachable {
    /// Business Central or Entra.
    service: &'static str,
    host: String,
    pub step: Step,
    cause: String,
    advice: String,
}

/// The step at which making a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Name,
    Refused,
    Timeout,
    /// The outbound proxy has not connected us.
    Proxy,
    Tls,
    Other,
}

impl Unreachable {
    pub fn entra(host: &str, error: &(dyn Error + 'static)) -> Self {
        Self::new("Entra", host, "authority", error)
    }

    pub fn business_central(host: &str, error: &(dyn Error + 'static)) -> Self {
        Self::new("Business Central", host, "base_url", error)
    }

    /// What is the matter, without what to do about it.
    pub fn problem(&self) -> String {
        format!("{} at {} can't be reached ({})", self.service, self.host, self.cause)
    }

    pub fn fix(&self) -> String {
        self.advice.clone()
    }

    /// `key`: that of proxy.yaml which says where the service is.
    pub fn new(service: &'static str, host: &str, key: &'static str, error: &(dyn Error + 'static)) -> Self {
        let host = host.to_owned();
        match tunnel_error(error) {
            Some(error) => Self { service, host, step: Step::Proxy, cause: error.to_string(), advice: error.advice() },
            None => {
                let step = Step::of(error);
                Self { service, host, step, cause: root_cause(error), advice: step.advice(key) }
            }
        }
    }
}

/// What the outbound proxy did, where it is to blame.
fn tunnel_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e TunnelError> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

impl Step {
    fn of(error: &(dyn Error + 'static)) -> Self {
        let mut step = Self::Other;
        for cause in causes(error) {
            if cause.is::<rustls::Error>() {
                return Self::Tls;
            }
            if cause.to_string() == HYPER_UTIL_DNS_ERROR {
                return Self::Name;
            }
            step = match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
                Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
                Some(io::ErrorKind::TimedOut) => Self::Timeout,
                _ => step,
            };
        }
        step
    }

    /// The step of the set-up guide to look at.
    pub fn in_guide(self) -> guide::Step {
        match self {
            Self::Name => guide::Step::Name,
            Self::Refused | Self::Timeout | Self::Proxy | Self::Other => guide::Step::Connection,
            Self::Tls => guide::Step::Tls,
        }
    }

    fn advice(self, key: &str) -> String {
        match self {
            Self::Name => format!("its name can't be looked up; check this machine's DNS and `{key}`"),
            Self::Refused => format!("nothing listens there; check `{key}`"),
            Self::Timeout => {
                "it does not answer; check that a firewall lets this machine connect to port 443".to_owned()
            }
            Self::Tls => "its certificate is not trusted; if a TLS-inspecting firewall stands between, name its CA with `ca_file`"
                .to_owned(),
            Self::Proxy | Self::Other => "check the network between this machine and it".to_owned(),
        }
    }
}

/// hyper-util has no type for a failed name look-up, only this text.
const HYPER_UTIL_DNS_ERROR: &str = "dns error";

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    use hyper_util::client::legacy::connect::HttpConnector;
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_failed_name_look_up_is_known_by_hyper_utils_words_for_it() {
        let nowhere =
            tower::service_fn(async |_| Err::<std::vec::IntoIter<SocketAddr>, _>(io::Error::other("no such name")));
        let connector = HttpConnector::new_with_resolver(nowhere);
        let error = connector.oneshot(hyper::Uri::from_static("http://name.invalid")).await.unwrap_err();
        let unreachable = Unreachable::business_central("name.invalid", &error);
        assert_eq!(unreachable.step, Step::Name);
        assert!(
            unreachable.to_string().ends_with(
                "check this machine's DNS and `base_url` (no such name); see step 2 of the set-up guide (Name look-up)"
            ),
            "{unreachable}"
        );
    }

    #[test]
    fn what_an_io_error_wraps_is_seen() {
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::ConnectionRefused, "no"));
        assert_eq!(Step::of(&wrapped), Step::Refused);
        assert_eq!(Step::of(&io::Error::other(rustls::Error::DecryptError)), Step::Tls);
        assert_eq!(Step::of(&io::Error::new(io::ErrorKind::TimedOut, "no connection within 10 s")), Step::Timeout);
        let text = Unreachable::entra("login.example", &io::Error::other("odd")).to_string();
        assert_eq!(
            text,
            "Entra at login.example can't be reached: check the network between this machine and it (odd); \
             see step 3 of the set-up guide (Connection)"
        );
    }
}
