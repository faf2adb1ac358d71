//! The step that authenticates the client.

use std::sync::Arc;
use std::time::Duration;

use super::check::{CheckOutcome, Failure, allowed, check};
use super::credentials::Credentials;
use super::failures::{Failures, Scheme};
use super::handshake::{LocalResponse, handshake};
use super::identity::{Identity, KnownAs};
use crate::config::{self, AuthRules, ClientAuth};
use crate::proxy::body::client_body::ClientBody;
use crate::proxy::exchange::Exchange;
use crate::proxy::methods::methods;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::read_only::ReadOnly;
use crate::proxy::request::thread_pool::ThreadPool;
use crate::proxy::step::Routed;
use crate::users::{PasswordCheck, User};

/// What the step needs besides the request. Clones share it.
#[derive(Debug, Clone)]
pub struct Authentication {
    /// Hashes passwords.
    pub pool: ThreadPool,
    /// Who guessed wrong of late.
    pub failures: Failures,
}

/// What is decided about a request at once.
enum Decision {
    /// It proceeds; who its client is, where somebody asked.
    Proceeds(Option<Identity>),
    Answered(LocalResponse),
    Undecided(Undecided, AuthRules),
}

/// What takes time.
enum Undecided {
    Check(PasswordCheck, String),
    /// Nothing more to check, but its response waits.
    Wrong(Failure),
}

/// The step: proceeds with requests whose client is who `client_auth` asks for.
pub async fn authenticate(
    routed: &mut Routed<ClientBody>,
    authentication: &Authentication,
) -> Result<(), LocalResponse> {
    match decide(routed) {
        Decision::Proceeds(identity) => Ok(identify(routed, identity)?),
        Decision::Answered(response) => Err(response),
        // Boxed because it is rare: otherwise every request's future would be larger by it.
        Decision::Undecided(undecided, rules) => Box::pin(settle(routed, undecided, &rules, authentication)).await,
    }
}

fn decide(Routed { exchange, route, head, .. }: &Routed<ClientBody>) -> Decision {
    let rules = match route.settings.client_auth.as_ref().or(exchange.listener.client_auth.as_ref()) {
        Some(ClientAuth::Required(rules)) => rules,
        Some(ClientAuth::None) | None => {
            return match handshake(exchange.credentials, &exchange.client) {
                Ok(()) => Decision::Proceeds(None),
                Err(response) => Decision::Answered(response),
            };
        }
    };
    match check(rules, exchange, &head.headers) {
        CheckOutcome::Proven(identity) => {
            exchange.client.handshake_over();
            match identity {
                Identity::User(user) => match allowed(rules, user) {
                    Ok(identity) => Decision::Proceeds(Some(identity)),
                    Err(rejection) => Decision::Answered(rejection.into()),
                },
                Identity::Certificate(_) => Decision::Proceeds(Some(identity)),
            }
        }
        CheckOutcome::Challenge(challenge) => Decision::Answered(LocalResponse::Challenge(challenge)),
        CheckOutcome::Rejected(rejection) => Decision::Answered(rejection.into()),
        CheckOutcome::Missing(reason) => {
            let is_first = reason.is_none() && exchange.credentials == Credentials::None;
            Decision::Answered(missing(rules, reason.as_deref(), is_first, &route.settings).into())
        }
        CheckOutcome::Wrong(failure) => Decision::Undecided(Undecided::Wrong(failure), rules.clone()),
        CheckOutcome::Check(password, name) => Decision::Undecided(Undecided::Check(password, name), rules.clone()),
    }
}

/// Checks the password, if that is left to do, and delays the response to a wrong one.
async fn settle(
    routed: &mut Routed<ClientBody>,
    undecided: Undecided,
    rules: &AuthRules,
    authentication: &Authentication,
) -> Result<(), LocalResponse> {
    let exchange = routed.exchange.clone();
    let failure = match undecided {
        Undecided::Wrong(failure) => failure,
        Undecided::Check(password, name) => match authentication.check(password, &exchange).await? {
            Some(user) => {
                let identity = allowed(rules, user)?;
                return Ok(identify(routed, Some(identity))?);
            }
            None => Failure::password(Scheme::Basic, name),
        },
    };
    let Failure { scheme, user, message } = failure;
    let delay = authentication.failures.count(scheme, exchange.ip, user.as_deref());
    tokio::select! {
        biased;
        () = tokio::time::sleep(delay) => Err(Rejection::new(kind(rules, false), message).into()),
        () = exchange.abandoned() => Err(Rejection::client_left().into()),
    }
}

impl Authentication {
    /// The user whose password it is.
    async fn check(&self, password: PasswordCheck, exchange: &Exchange) -> Result<Option<Arc<User>>, Rejection> {
        let client = exchange.ip;
        let Some(_running) = self.failures.begin_check(client) else {
            return Err(Rejection::new(Kind::Busy, TOO_MANY_CHECKS).retry_after(CHECK_PAUSE));
        };
        let checked = async {
            let thread = self.pool.thread(client).await;
            thread.run(async move { password.run() }).await.map_err(|_| Rejection::new(Kind::Internal, CHECK_FAILED))
        };
        tokio::select! {
            biased;
            checked = checked => checked,
            () = exchange.abandoned() => Err(Rejection::client_left()),
        }
    }
}

/// Notes who the client is, and applies what `clients` says about it.
fn identify(routed: &mut Routed<ClientBody>, identity: Option<Identity>) -> Result<(), Rejection> {
    let Routed { exchange, resource, head, known_as, .. } = routed;
    // Wherever the client sends its key: Business Central has no use for it.
    for header in &exchange.snapshot.api_key_headers {
        head.headers.remove(header);
    }
    let known = KnownAs::of(exchange, identity).map(Arc::new);
    known_as.clone_from(&known);
    if let Some(known) = known {
        exchange.notes.set_known_as(known);
    }
    match known_as.as_ref().and_then(|known| known.client.as_deref()) {
        Some(client) if client.read_only => {
            ReadOnly::Client(client).check_request(resource, methods(&head.method, &head.headers))
        }
        _ => Ok(()),
    }
}

/// The rejection of a client without the credentials that are asked for. `reason`: what is wrong with what it sent;
/// `is_first`: whether it sent nothing.
pub fn missing(rules: &AuthRules, reason: Option<&str>, is_first: bool, route: &config::Route) -> Rejection {
    let reason = reason.map(|reason| format!(" {reason}")).unwrap_or_default();
    let message = format!(
        "Route `{}` is open only to clients that prove who they are (`client_auth`: {rules}).{reason} Configure the client's credentials.",
        route.path
    );
    Rejection::new(kind(rules, is_first && (rules.ntlm || rules.basic)), message)
}

/// The kind of the rejection that offers these schemes.
fn kind(rules: &AuthRules, is_first: bool) -> Kind {
    Kind::Unauthenticated { ntlm: rules.ntlm, basic: rules.basic, is_first }
}

const TOO_MANY_CHECKS: &str =
    "bcproxy is checking other passwords from this address. Nothing was carried out. Send the request again later.";
const CHECK_PAUSE: Duration = Duration::from_secs(1);
const CHECK_FAILED: &str = "The check of the password failed. bcproxy's log has the reason.";
