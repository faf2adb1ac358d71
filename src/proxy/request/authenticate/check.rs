//! The check of a client's credentials, as far as it takes no time.

use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderValue};

use super::credentials::{self, Credentials};
use super::failures::Scheme;
use super::handshake;
use super::identity::Identity;
use crate::config::AuthRules;
use crate::ntlm::{Message, ProofVersion};
use crate::proxy::downstream::client::ClientConnection;
use crate::proxy::exchange::Exchange;
use crate::proxy::rejection::{Kind, Rejection};
use crate::tls::ClientCertificateError;
use crate::users::{Directory, PasswordCheck, Recalled, User};

/// What the credentials of a request are worth.
pub enum CheckOutcome {
    /// They prove who the client is.
    Proven(Identity),
    /// A password has to be checked for this user name.
    Check(PasswordCheck, String),
    /// They begin a handshake; this is its challenge.
    Challenge(HeaderValue),
    /// They are wrong.
    Wrong(Failure),
    /// There are none that are asked for; why, if the client sent some.
    Missing(Option<String>),
    /// The request is rejected, whoever sent it.
    Rejected(Rejection),
}

/// Wrong credentials.
pub struct Failure {
    pub scheme: Scheme,
    /// The user name that was sent, if any.
    pub user: Option<String>,
    pub message: String,
}

impl Failure {
    /// A wrong password, or the name of no user: a client can't tell which.
    pub fn password(scheme: Scheme, user: String) -> Self {
        let shown: String = user.chars().take(MAX_SHOWN_NAME).collect();
        Self { scheme, user: Some(user), message: format!("User name or password of `{shown}` is wrong.") }
    }
}

/// Checks credentials by the rules that apply to the request.
pub fn check(rules: &AuthRules, exchange: &Exchange, headers: &HeaderMap) -> CheckOutcome {
    let rejected_certificate = match check_certificate(rules, exchange) {
        Ok(Some(names)) => return CheckOutcome::Proven(Identity::Certificate(names)),
        Ok(None) => None,
        Err(reason) => Some(reason),
    };
    match (check_user(rules, exchange, headers), rejected_certificate) {
        (CheckOutcome::Missing(None), Some(message)) => {
            CheckOutcome::Wrong(Failure { scheme: Scheme::Certificate, user: None, message })
        }
        (outcome, _) => outcome,
    }
}

/// The names in the client's certificate, an allowed one first; `None` if it has none or needs none. Fails with the
/// reason why it is not accepted.
fn check_certificate(rules: &AuthRules, exchange: &Exchange) -> Result<Option<Arc<[String]>>, String> {
    if !rules.mtls {
        return Ok(None);
    }
    match exchange.client.certificate.names(exchange.listener.client_verifier.as_ref()) {
        Ok(names) => match allowed_first(rules, names) {
            Some(names) => Ok(Some(names)),
            None => Err("The client's certificate has none of the allowed names.".to_owned()),
        },
        Err(ClientCertificateError::Missing) => Ok(None),
        Err(reason) => Err(format!("The client's certificate is not accepted: {reason}.")),
    }
}

fn check_user(rules: &AuthRules, exchange: &Exchange, headers: &HeaderMap) -> CheckOutcome {
    let (sent, client) = (exchange.credentials, &exchange.client);
    let Some(users) = exchange.snapshot.users.as_ref().filter(|_| rules.needs_users()) else {
        return CheckOutcome::Missing(None);
    };
    if let Some(key) = rules.api_key.as_ref().and_then(|header| headers.get(header)) {
        return match users.holder(key.as_bytes()) {
            Some(user) => CheckOutcome::Proven(Identity::User(user.clone())),
            None => CheckOutcome::Wrong(Failure {
                scheme: Scheme::ApiKey,
                user: None,
                message: "The API key is wrong.".to_owned(),
            }),
        };
    }
    match sent {
        Credentials::Basic if rules.basic => basic(headers, users),
        Credentials::Windows(_, Message::Negotiate(_)) if rules.ntlm => challenge(sent, client),
        Credentials::Windows(_, Message::Authenticate(_)) if rules.ntlm => proof(headers, client, users),
        Credentials::Broken(_) => match handshake::check(sent) {
            Err(rejection) => CheckOutcome::Rejected(rejection),
            Ok(()) => CheckOutcome::Missing(None),
        },
        Credentials::None if rules.ntlm => match client.ntlm.user(users) {
            Some(user) => CheckOutcome::Proven(Identity::User(user)),
            None => CheckOutcome::Missing(None),
        },
        Credentials::Windows(_, Message::NotNtlm) => CheckOutcome::Missing(Some(KERBEROS.to_owned())),
        _ => CheckOutcome::Missing(None),
    }
}

/// The names of a certificate, an allowed one first. `None` if none is allowed.
fn allowed_first(rules: &AuthRules, names: Arc<[String]>) -> Option<Arc<[String]>> {
    match names.iter().position(|name| rules.allows(name))? {
        0 => Some(names),
        allowed => {
            let mut names = names.to_vec();
            names.swap(0, allowed);
            Some(names.into())
        }
    }
}

fn basic(headers: &HeaderMap, users: &Arc<Directory>) -> CheckOutcome {
    let Some((name, password)) = credentials::basic(headers) else {
        let message = "The Authorization header holds no user name and password.".to_owned();
        return CheckOutcome::Wrong(Failure { scheme: Scheme::Basic, user: None, message });
    };
    if password.expose().len() > MAX_PASSWORD_BYTES {
        return CheckOutcome::Wrong(Failure::password(Scheme::Basic, name));
    }
    match users.recall(&name, &password) {
        Recalled::Right(user) => CheckOutcome::Proven(Identity::User(user)),
        Recalled::Wrong => CheckOutcome::Wrong(Failure::password(Scheme::Basic, name)),
        Recalled::Unknown(check) => CheckOutcome::Check(check, name),
    }
}

fn challenge(sent: Credentials, client: &ClientConnection) -> CheckOutcome {
    let challenge = handshake::begin(client).and_then(|()| handshake::nonce()).map(|nonce| {
        client.ntlm.begin(nonce);
        sent.challenge(nonce)
    });
    match challenge {
        Ok(Some(challenge)) => CheckOutcome::Challenge(challenge),
        Ok(None) => CheckOutcome::Missing(None),
        Err(rejection) => CheckOutcome::Rejected(rejection),
    }
}

fn proof(headers: &HeaderMap, client: &ClientConnection, users: &Arc<Directory>) -> CheckOutcome {
    let nonce = client.ntlm.take_nonce();
    let Some(message) = credentials::proof(headers) else { return CheckOutcome::Missing(None) };
    match message.version() {
        ProofVersion::V2 => {}
        ProofVersion::V1 => return CheckOutcome::Rejected(Rejection::new(Kind::NotAllowed, NTLM_V1)),
        ProofVersion::None => return CheckOutcome::Missing(Some("The client sent no user name.".to_owned())),
    }
    let Some(nonce) = nonce else { return CheckOutcome::Missing(Some(NO_CHALLENGE.to_owned())) };
    match users.prover(&message, nonce) {
        Some(user) => {
            client.ntlm.prove(user.clone());
            CheckOutcome::Proven(Identity::User(user.clone()))
        }
        None => CheckOutcome::Wrong(Failure::password(Scheme::Ntlm, message.user)),
    }
}

/// Who signed in, if the rules allow that name.
pub fn allowed(rules: &AuthRules, user: Arc<User>) -> Result<Identity, Rejection> {
    if rules.allows(&user.name) {
        return Ok(Identity::User(user));
    }
    let message =
        format!("`{}` is not allowed here. Add the name to `names` of `client_auth` in proxy.yaml.", user.name);
    Err(Rejection::new(Kind::NotAllowed, message))
}

/// Passwords are not hashed beyond this length.
const MAX_PASSWORD_BYTES: usize = 1024;

const MAX_SHOWN_NAME: usize = 64;

const NTLM_V1: &str = "The client proves its password with NTLMv1 or LM, whose proofs can be broken in hours. bcproxy accepts NTLMv2 only. Set \
     LmCompatibilityLevel to 3 or more on its machine, or have it use Basic authentication or an API key.";

const NO_CHALLENGE: &str = "The client continued a handshake that did not begin on this connection. Every client needs a connection of its \
     own, with keep-alive.";

const KERBEROS: &str = "The client sent a Kerberos ticket, which bcproxy can't check.";
