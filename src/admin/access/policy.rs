//! What a request needs before it is answered: a network, a host name, the token.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper::header::ORIGIN;
use hyper::http::request::Parts;
use ring::error::Unspecified;

use super::presented::{bearer_token, cookies};
use super::rejection::Rejection;
use super::sessions::SessionId;
use super::token_auth::{CurrentToken, TokenAuth};
use crate::admin::page;
use crate::config::{self, AdminScope, AllowFrom};
use crate::proxy::{CredentialScheme, Guard, OwnScheme, View, only_reads};

/// Who may use the admin listener. A reload replaces its rules and its token.
#[derive(Debug)]
pub struct Access {
    rules: ArcSwap<Rules>,
    auth: TokenAuth,
}

/// The rules of a configuration.
#[derive(Debug)]
pub struct Rules {
    allow_from: Option<AllowFrom>,
    http: Guard,
    https: Guard,
}

/// Who sent a request, and where it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The client's address.
    pub client: IpAddr,
    /// What is served at the address that it uses.
    pub scope: AdminScope,
    /// What is spoken there.
    pub scheme: OwnScheme,
    /// The port of that address.
    pub port: u16,
}

/// How the sender of a request has proven to be an administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Not at all: what it asks for is open to everybody at this address.
    Anybody,
    /// With the token.
    TokenHolder,
    /// With the cookie of a session.
    SignedIn,
}

impl Rules {
    /// The rules of a configuration.
    pub fn new(config: &config::Admin) -> Self {
        let guard = |scheme| Guard::of_admin(config, scheme);
        Self { allow_from: config.allow_from.clone(), http: guard(OwnScheme::Http), https: guard(OwnScheme::Https) }
    }

    /// Whether a client may connect to an address with this scope.
    fn allow(&self, client: IpAddr, scope: AdminScope) -> bool {
        let is_listed = |networks: &AllowFrom| networks.contains(client);
        scope == AdminScope::ThisMachine || self.allow_from.as_ref().is_some_and(is_listed)
    }
}

impl Access {
    /// Access by these rules, without a token yet. Fails if the system has no randomness.
    pub fn new(rules: Rules) -> Result<Self, Unspecified> {
        Ok(Self { rules: ArcSwap::from_pointee(rules), auth: TokenAuth::new()? })
    }

    /// Puts the rules and the token of another configuration into service.
    pub fn replace(&self, rules: Rules, token: Option<CurrentToken>) {
        self.rules.store(Arc::new(rules));
        self.auth.replace(token);
    }

    /// Whether a client may connect to an address with this scope.
    pub fn allow(&self, client: IpAddr, scope: AdminScope) -> bool {
        self.rules.load().allow(client, scope)
    }

    /// Rejects what no token would make right: clients of other networks, what web pages send, and what is not served
    /// at this address.
    pub fn check(&self, head: &Parts, peer: Peer) -> Result<(), Rejection> {
        let rules = self.rules.load();
        if !rules.allow(peer.client, peer.scope) {
            return Err(Rejection::Network(peer.client));
        }
        let guard = match peer.scheme {
            OwnScheme::Http => &rules.http,
            OwnScheme::Https => &rules.https,
        };
        // Without this check, a web page in a browser that reaches the listener could stop bcproxy or read its status.
        guard.check(head).map_err(Rejection::Guard)?;
        let is_for_monitors = only_reads(&head.method) && is_path_of_monitors(head.uri.path());
        if peer.scope == AdminScope::Monitors && !is_for_monitors { Err(Rejection::ForMonitors) } else { Ok(()) }
    }

    /// Whether people can sign in at an address with this scope.
    pub fn has_sign_in(&self, scope: AdminScope) -> bool {
        scope != AdminScope::Monitors && self.auth.is_configured()
    }

    /// Finds out who sends a request that [`Self::check`] has let through, and rejects it if it needs the token.
    pub async fn authorize(&self, head: &Parts, peer: Peer, view: &View) -> Result<Caller, Rejection> {
        if peer.scope == AdminScope::Monitors {
            return Ok(Caller::Anybody);
        }
        let is_open = self.is_open(head, peer.scope);
        if let Some(token) = bearer_token(&head.headers).filter(|_| !is_open) {
            return self.check_token(token, peer, view).await.map(|()| Caller::TokenHolder);
        }
        for id in cookies(&head.headers, &cookie_name(peer)) {
            if self.auth.is_session(id).await {
                let is_told = only_reads(&head.method) || head.headers.contains_key(ORIGIN);
                return if is_told { Ok(Caller::SignedIn) } else { Err(Rejection::NoOrigin) };
            }
        }
        if is_open { Ok(Caller::Anybody) } else { Err(Rejection::NoToken) }
    }

    /// Whether everybody at this address may send this request.
    fn is_open(&self, head: &Parts, scope: AdminScope) -> bool {
        match scope {
            AdminScope::ThisMachine => only_reads(&head.method) || !self.auth.is_configured(),
            // The sign-in page loads some files.
            AdminScope::TokenHolders => {
                let path = head.uri.path();
                only_reads(&head.method) && (matches!(path, "/livez" | "/sign-in") || page::asset(path).is_some())
            }
            AdminScope::Monitors => true,
        }
    }

    /// Checks a token that a client presents. Wrong ones are counted, and rejected ever more slowly.
    pub async fn check_token(&self, token: &str, peer: Peer, view: &View) -> Result<(), Rejection> {
        // Before the comparison: otherwise its result would be told at once, however many are sent at the same time.
        let Some(_checking) = view.failures.begin_check(peer.client) else { return Err(Rejection::Busy) };
        if self.auth.is_token(token).await {
            return Ok(());
        }
        let delay = view.failures.count(CredentialScheme::AdminToken, peer.client, None);
        if view.records.problems.line_limit.admits_rejection(peer.client) {
            tracing::warn!(client = %peer.client, "rejected a request to the admin listener: the token is wrong");
        }
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        Err(Rejection::WrongToken)
    }

    /// Begins a session for somebody who has presented the token.
    pub fn begin_session(&self) -> Result<SessionId, Unspecified> {
        self.auth.begin_session()
    }

    /// Ends the session of a request.
    pub fn end_session(&self, head: &Parts, peer: Peer) {
        cookies(&head.headers, &cookie_name(peer)).for_each(|id| self.auth.end_session(id));
    }
}

/// The name of the cookie. Cookies belong to a host, whatever the port: two bcproxy on one machine must not share one.
/// With the prefix, browsers accept it only over HTTPS, and from no other host (RFC 6265bis, section 4.1.3).
pub fn cookie_name(peer: Peer) -> String {
    let prefix = match peer.scheme {
        OwnScheme::Http => "",
        OwnScheme::Https => "__Host-",
    };
    format!("{prefix}bcproxy-{}", peer.port)
}

/// What is served over plain HTTP off loopback.
fn is_path_of_monitors(path: &str) -> bool {
    matches!(path, "/metrics" | "/livez" | "/readyz") || path.starts_with("/readyz/")
}
