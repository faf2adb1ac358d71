//! All checks of the shared store, in order.

use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::finding::{StoreCheck, StoreFinding, StoreProblem};
use super::permissions::{self, probe};
use super::server::{self, Server};
use super::sign_in;
use crate::config::SharedLimits;
use crate::shared_store::connect;
use crate::tls;

/// Checks the shared store, as far as possible, over a connection of its own. `report` gets each finding at once.
///
/// The checks leave nothing behind. They change keys of their own only.
pub async fn examine_store(settings: &SharedLimits, report: impl FnMut(&StoreFinding)) -> Vec<StoreFinding> {
    let mut findings = Findings { all: Vec::new(), report, began: Instant::now() };
    let received = Arc::new(Notify::new());
    if let Some(connection) = connected(settings, &received, &mut findings).await {
        let in_time = timeout(LIMIT, examine(settings, connection, &received, &mut findings)).await;
        if in_time.is_err() {
            let what = format!("the shared store does not respond within {} s", LIMIT.as_secs());
            let fix = "look for slow commands on the server (`SLOWLOG GET`), and for what else it is busy with";
            findings.add(StoreCheck::ResponseTime, Err(StoreProblem::new(what, fix)));
        }
    }
    findings.all
}

/// The findings so far.
struct Findings<R> {
    all: Vec<StoreFinding>,
    report: R,
    /// When the check at hand began.
    began: Instant,
}

impl<R: FnMut(&StoreFinding)> Findings<R> {
    fn add(&mut self, check: StoreCheck, result: Result<String, StoreProblem>) {
        let finding = StoreFinding { check, result, took: self.began.elapsed() };
        (self.report)(&finding);
        self.all.push(finding);
        self.began = Instant::now();
    }
}

/// Connects and signs in. `received` is notified of the message that the probe sends.
async fn connected(
    settings: &SharedLimits,
    received: &Arc<Notify>,
    findings: &mut Findings<impl FnMut(&StoreFinding)>,
) -> Option<MultiplexedConnection> {
    let tls = match tls::client_config(settings.ca_file.as_deref()) {
        Ok(tls) => Arc::new(tls),
        Err(error) => {
            let problem = StoreProblem::new(error.to_string(), "name a readable PEM file with `ca_file`, or remove it");
            findings.add(StoreCheck::Tls, Err(problem));
            return None;
        }
    };
    let received = received.clone();
    let on_message = move |message: &str| {
        if message == MESSAGE {
            received.notify_one();
        }
    };
    let (failed, problem) = match timeout(CONNECT_LIMIT, connect(settings, &tls, None, on_message)).await {
        Ok(Ok(connection)) => {
            passed_until(StoreCheck::Version, settings, findings);
            return Some(connection);
        }
        Ok(Err(error)) => sign_in::why(&error, settings),
        Err(_) => sign_in::why_not_in_time(settings, CONNECT_LIMIT).await,
    };
    passed_until(failed, settings, findings);
    findings.add(failed, Err(problem));
    None
}

/// Adds the checks of connection and sign-in that passed, those before `end`.
fn passed_until(end: StoreCheck, settings: &SharedLimits, findings: &mut Findings<impl FnMut(&StoreFinding)>) {
    let passed = [
        (StoreCheck::Connection, format!("{} accepts connections", sign_in::address(settings))),
        (StoreCheck::Tls, tls_in_use(settings)),
        (StoreCheck::SignIn, login_in_use(settings)),
    ];
    for (check, found) in passed.into_iter().filter(|(check, _)| *check < end) {
        findings.add(check, Ok(found));
    }
}

fn tls_in_use(settings: &SharedLimits) -> String {
    if settings.url.is_tls() {
        format!("the certificate of {} is trusted", settings.url.host())
    } else if settings.url.is_local() {
        "not needed on this machine".to_owned()
    } else {
        "not in use: whoever reaches the network between can read and change what replicas share".to_owned()
    }
}

fn login_in_use(settings: &SharedLimits) -> String {
    match (&settings.user, &settings.password) {
        (Some(user), Some(_)) => format!("signed in as {user}"),
        (_, Some(_)) => "signed in as the default user".to_owned(),
        (_, None) => "no password needed: whoever can connect can change what replicas share".to_owned(),
    }
}

async fn examine(
    settings: &SharedLimits,
    mut connection: MultiplexedConnection,
    received: &Notify,
    findings: &mut Findings<impl FnMut(&StoreFinding)>,
) {
    let server = Server::ask(&mut connection).await;
    let server = server.map_err(|error| {
        StoreProblem::new(format!("the shared store does not tell its version ({error})"), server::UPGRADE)
    });
    let is_usable = server.as_ref().is_ok_and(|server| server.check().is_ok());
    findings.add(StoreCheck::Version, server.and_then(|server| server.check()));
    if !is_usable {
        return;
    }
    let policy = server::memory_policy(&mut connection).await;
    findings.add(StoreCheck::MemoryPolicy, policy);

    let id = Uuid::new_v4().simple();
    let (key, channel) = (format!("{}:{{doctor-{id}}}", settings.prefix), format!("{}:wake:{id}", settings.prefix));
    let subscribed = connection.subscribe(&channel).await;
    let probed = probe(&mut connection, &key, &channel, MESSAGE).await;
    let scripts = permissions::check(&probed, settings);
    let can_run = scripts.is_ok();
    findings.add(StoreCheck::Scripts, scripts);
    let Ok(rejected) = probed else { return };
    let messages = match messages(settings, subscribed) {
        Ok(()) => permissions::check_publishing(&rejected, settings),
        Err(problem) => Err(problem),
    };
    let messages = match messages {
        // The whole examination has a time limit.
        Ok(()) => {
            received.notified().await;
            Ok(format!("they arrive on the channels `{}:*`", settings.prefix))
        }
        Err(problem) => Err(problem),
    };
    findings.add(StoreCheck::Messages, messages);
    if can_run {
        let time = response_time(settings, &mut connection, &key, &channel).await;
        findings.add(StoreCheck::ResponseTime, time);
    }
}

/// Whether the subscription was accepted.
fn messages(settings: &SharedLimits, subscribed: Result<(), RedisError>) -> Result<(), StoreProblem> {
    let Err(error) = subscribed else { return Ok(()) };
    if error.code() == Some("NOPERM") {
        let what = format!("the user may not subscribe to the channels `{}:*`", settings.prefix);
        let rules = format!("+subscribe +unsubscribe &{}:*", settings.prefix);
        return Err(StoreProblem::new(what, permissions::allow(settings, &rules)));
    }
    let fix = "check the log of the Redis or Valkey server";
    Err(StoreProblem::new(format!("the subscription to messages fails ({error})"), fix))
}

/// Whether calls take less than `timeout`. The median counts: a single slow call is no pattern.
async fn response_time(
    settings: &SharedLimits,
    connection: &mut MultiplexedConnection,
    key: &str,
    channel: &str,
) -> Result<String, StoreProblem> {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        if let Err(error) = probe(connection, key, channel, "").await {
            let fix = "check the log of the Redis or Valkey server";
            return Err(StoreProblem::new(format!("a repeated call fails ({error})"), fix));
        }
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let median = times.get(CALLS / 2).copied().unwrap_or_default();
    let (took, limit) = (median.as_secs_f64() * 1000.0, settings.timeout.as_secs_f64() * 1000.0);
    if median >= settings.timeout {
        return Err(StoreProblem::new(
            format!("a call takes {took:.1} ms, longer than `timeout`, which is {limit} ms"),
            "run the shared store nearer to bcproxy, or raise `timeout` in `shared_limits`",
        ));
    }
    Ok(format!("a call takes {took:.1} ms; `timeout` is {limit} ms"))
}

/// What the probe sends.
const MESSAGE: &str = "doctor";

/// How long connection and sign-in may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long all further checks may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The calls whose time is taken.
const CALLS: usize = 5;
