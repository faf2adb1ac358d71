//! A service that can't be reached: at which stage connecting failed, and how to fix it.

use std::error::Error;
use std::io;

use super::dialer::NameLookUpError;
use super::tunnel::TunnelError;
use crate::error_chain::{causes, root_cause};
use crate::guide;

/// Why a service can't be reached, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} at {host} can't be reached: {fix} ({cause}); see {}", .failure.guide_step())]
pub struct Unreachable {
    /// Business Central or Entra.
    service: &'static str,
    host: String,
    /// The stage at which connecting failed.
    pub failure: ConnectFailure,
    cause: String,
    /// What to do about it: an imperative clause without a full stop.
    pub(crate) fix: String,
}

/// The stage at which opening a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFailure {
    /// The DNS look-up failed.
    Name,
    /// No process listens on the port of the host.
    NotListening,
    /// The host did not respond in time.
    Timeout,
    /// The outbound proxy did not open a tunnel.
    Proxy,
    /// The TLS handshake failed.
    Tls,
    /// Any other network error.
    Other,
}

impl Unreachable {
    /// An Entra host that can't be reached.
    pub fn entra(host: &str, error: &(dyn Error + 'static)) -> Self {
        Self::new("Entra", host, "authority", error)
    }

    /// A Business Central host that can't be reached.
    pub fn business_central(host: &str, error: &(dyn Error + 'static)) -> Self {
        Self::new("Business Central", host, "base_url", error)
    }

    /// The host that can't be reached.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What happened, without the fix.
    pub fn problem(&self) -> String {
        format!("{} at {} can't be reached ({})", self.service, self.host, self.cause)
    }

    /// Explains a connect error. `key` is the key of `proxy.yaml` that holds the service's URL.
    pub fn new(service: &'static str, host: &str, key: &'static str, error: &(dyn Error + 'static)) -> Self {
        let tunnel_error = causes(error).find_map(|cause| cause.downcast_ref::<TunnelError>());
        let (failure, cause, fix) = match tunnel_error {
            Some(error) => (ConnectFailure::Proxy, error.to_string(), error.fix()),
            None => {
                let failure = ConnectFailure::from_error(error);
                (failure, root_cause(error), failure.fix(key))
            }
        };
        Self { service, host: host.to_owned(), failure, cause, fix }
    }
}

impl ConnectFailure {
    fn from_error(error: &(dyn Error + 'static)) -> Self {
        let mut failure = Self::Other;
        for cause in causes(error) {
            if cause.is::<rustls::Error>() {
                return Self::Tls;
            }
            if cause.is::<NameLookUpError>() {
                return Self::Name;
            }
            failure = match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
                Some(io::ErrorKind::ConnectionRefused) => Self::NotListening,
                Some(io::ErrorKind::TimedOut) => Self::Timeout,
                _ => failure,
            };
        }
        failure
    }

    /// The step of the set-up guide that covers this failure.
    pub fn guide_step(self) -> guide::Step {
        match self {
            Self::Name => guide::Step::Name,
            Self::NotListening | Self::Timeout | Self::Proxy | Self::Other => guide::Step::Connection,
            Self::Tls => guide::Step::Tls,
        }
    }

    fn fix(self, key: &str) -> String {
        match self {
            Self::Name => format!("its name can't be looked up; check this machine's DNS and `{key}`"),
            Self::NotListening => format!("nothing listens there; check `{key}`"),
            Self::Timeout => {
                "it does not respond; check that the firewall lets this machine connect to port 443".to_owned()
            }
            Self::Tls => {
                "its certificate is not trusted; if a firewall inspects TLS, name its CA with `ca_file`".to_owned()
            }
            Self::Proxy | Self::Other => "check the network between this machine and the host".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_name_look_up_is_recognized() {
        let error = io::Error::other(NameLookUpError::from(io::Error::other("no such name")));
        let unreachable = Unreachable::business_central("name.invalid", &error);
        assert_eq!(unreachable.failure, ConnectFailure::Name);
        assert!(
            unreachable.to_string().ends_with(
                "check this machine's DNS and `base_url` (no such name); see step 2 of the set-up guide (Name look-up): `bcproxy guide 2`"
            ),
            "{unreachable}"
        );
    }

    #[test]
    fn errors_wrapped_in_an_io_error_are_found() {
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::ConnectionRefused, "no"));
        assert_eq!(ConnectFailure::from_error(&wrapped), ConnectFailure::NotListening);
        assert_eq!(ConnectFailure::from_error(&io::Error::other(rustls::Error::DecryptError)), ConnectFailure::Tls);
        assert_eq!(
            ConnectFailure::from_error(&io::Error::new(io::ErrorKind::TimedOut, "no connection within 10 s")),
            ConnectFailure::Timeout
        );
        let text = Unreachable::entra("login.example", &io::Error::other("odd")).to_string();
        assert_eq!(
            text,
            "Entra at login.example can't be reached: check the network between this machine and the host (odd); \
             see step 3 of the set-up guide (Connection): `bcproxy guide 3`"
        );
    }
}
