//! Who the client would be: what it must send, and which entry of `clients` fits. No password is checked.

use std::sync::Arc;

use hyper::StatusCode;

use super::report::{Challenged, Outcome};
use super::walk::{Found, Walk};
use crate::config::{AuthRules, Client, ClientAuth, ClientMark, Config};
use crate::ntlm::Message;
use crate::proxy::request::authenticate::credentials::{self, Credentials};
use crate::proxy::request::authenticate::handshake;
use crate::proxy::request::authenticate::identity::entry_of;
use crate::proxy::request::authenticate::step::missing;

/// What the step that authenticates would find out.
#[derive(Debug, Default)]
pub struct AssumedClient {
    /// The entry of `clients`.
    pub client: Option<Arc<Client>>,
    /// What was assumed, and what follows.
    pub notes: Vec<String>,
}

impl Walk<'_> {
    /// The step that authenticates: the client's credentials are assumed to be right.
    pub(super) fn authenticate(&self, config: &Config, found: &Found<'_>) -> Result<AssumedClient, Outcome> {
        if found.asked.is_err() {
            return Ok(AssumedClient::default());
        }
        let of_listener = config.listen.first().and_then(|listener| listener.client_auth.as_ref());
        let rules = match found.settings.client_auth.as_ref().or(of_listener) {
            Some(ClientAuth::Required(rules)) => Some(rules),
            Some(ClientAuth::None) | None => None,
        };
        let sent = self.exchange.credentials;
        handshake::check(sent).map_err(|rejection| self.rejected(&rejection, found))?;
        if rules.is_none_or(|rules| rules.ntlm)
            && let Some(challenge) = sent.challenge(Default::default())
        {
            let scheme = challenge.to_str().unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
            return Err(Outcome::Challenged(Challenged { status: StatusCode::UNAUTHORIZED.as_u16(), scheme }));
        }
        let mut notes = Vec::new();
        let mut user = None;
        if let Some(rules) = rules {
            let Some((how, name)) = self.identity(rules) else {
                return Err(self.rejected(&missing(rules, None, false, found.settings), found));
            };
            notes.push(format!("The client must prove who it is. This assumes that {how}."));
            user = name;
        }
        let user_agent = self.exchange.user_agent.as_ref().map_or(&[][..], |value| value.as_bytes());
        let is_user = |mark: &ClientMark| match (mark, &user) {
            (ClientMark::User(name), Some(user)) => user.to_lowercase() == *name,
            _ => false,
        };
        let client = entry_of(&config.clients, self.exchange.ip, user_agent, is_user);
        if let Some(client) = &client {
            let what = match client.application {
                Some(application) if found.settings.connector.has_application(application) => {
                    format!("its requests are sent by the application {application}")
                }
                _ => "its requests are sent by any application that no client has for itself".to_owned(),
            };
            notes.push(format!("The client is `{}` of `clients`: {what}.", client.name));
        }
        Ok(AssumedClient { client, notes })
    }

    /// What is assumed, and the user that it proves; `None` if the request has nothing that is asked for.
    fn identity(&self, rules: &AuthRules) -> Option<(&'static str, Option<String>)> {
        let headers = &self.head.headers;
        if rules.api_key.as_ref().is_some_and(|header| headers.contains_key(header)) {
            return Some(("its API key is right", None));
        }
        match self.exchange.credentials {
            Credentials::Basic if rules.basic => {
                let (user, _) = credentials::basic(headers)?;
                Some(("its password is right", Some(user)))
            }
            Credentials::Windows(_, Message::Authenticate(_)) if rules.ntlm => {
                Some(("its handshake is right", Some(credentials::proof(headers)?.user)))
            }
            _ if rules.mtls => Some(("it has a certificate that is accepted", None)),
            _ => None,
        }
    }
}
