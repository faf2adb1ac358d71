//! The outbound proxy of the environment, from the variables that curl and others read too. They often hold a password.
//!
//! Source: curl, "Environment variables".

use std::ffi::OsString;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::proxy::{Proxy, ProxySource};
use super::proxy_settings::{ProxyAddress, ProxyAddressError, ProxyLogin};
use crate::secret::{Secret, SecretSource};

/// Why the proxy of the environment can't be used. The message names the variable, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the environment variable {variable} holds no usable outbound proxy: {problem}. \
     Or set `outbound_proxy` in proxy.yaml, which overrides the variable (`off`: no proxy)"
)]
pub struct EnvironmentError {
    /// The variable's name.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub problem: ProxyAddressError,
}

/// The proxy for https, and the list of hosts that bypass it. An empty variable counts as unset.
pub(super) fn proxy(read: impl Fn(&str) -> Option<OsString>) -> Result<Option<(Proxy, String)>, EnvironmentError> {
    let first = |names: &'static [&'static str]| {
        let value = |name: &'static str| Some((name, Zeroizing::new(read(name)?.into_string().unwrap_or_default())));
        names.iter().filter_map(|name| value(name)).find(|(_, value)| !value.trim().is_empty())
    };
    let Some((variable, value)) = first(&PROXY) else { return Ok(None) };
    let proxy = parse(variable, value.trim()).map_err(|problem| EnvironmentError { variable, problem })?;
    let except = first(&NO_PROXY).map_or_else(String::new, |(_, value)| value.to_string());
    Ok(Some((proxy, except)))
}

fn parse(variable: &'static str, text: &str) -> Result<Proxy, ProxyAddressError> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    // The last `@`: a password may hold one that is not encoded.
    let (login, host) = rest.rsplit_once('@').map_or((None, rest), |(login, host)| (Some(login), host));
    let address: ProxyAddress = format!("{scheme}://{host}").parse()?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let login = login.map(|login| {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        ProxyLogin { user: decoded(user), password: SecretSource::Given(Secret::new(decoded(password))) }
    });
    Ok(Proxy { address, source: ProxySource::Variable(variable), login })
}

const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<(Proxy, String)>, EnvironmentError> {
        proxy(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
    }

    #[tokio::test]
    async fn the_first_variable_with_a_value_counts() {
        let shown = |variables: &[(&str, &str)]| {
            of(variables).unwrap().map(|(proxy, _)| (proxy.address.to_string(), proxy.source.to_string()))
        };
        assert_eq!(shown(&[]), None);
        assert_eq!(shown(&[("HTTPS_PROXY", " "), ("http_proxy", "http://other:1")]), None);
        let (address, source) = shown(&[("ALL_PROXY", "http://all:1"), ("https_proxy", "proxy.corp:3128")]).unwrap();
        assert_eq!((address.as_str(), source.as_str()), ("proxy.corp:3128", "the environment variable https_proxy"));
        let (proxy, except) =
            of(&[("HTTPS_PROXY", "http://a%40b:p%3A@1@proxy.corp:3128/"), ("no_proxy", "x, .y")]).unwrap().unwrap();
        assert_eq!((proxy.address.to_string().as_str(), except.as_str()), ("proxy.corp:3128", "x, .y"));
        let expected = "Basic YUBiOnA6QDE="; // a@b:p:@1
        assert_eq!(proxy.authorization().await.unwrap().unwrap(), expected);
    }

    #[test]
    fn an_unusable_value_is_an_error_that_does_not_repeat_it() {
        for value in
            ["socks5://a:hunter2@proxy:1080", "https://proxy", "http://a:hunter2@proxy:x", "http://proxy/pac?hunter2"]
        {
            let error = of(&[("ALL_PROXY", value)]).unwrap_err();
            assert_eq!(error.variable, "ALL_PROXY", "{value}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
