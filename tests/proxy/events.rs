//! Which lines of the log are events: each change of a state once, with the id that the documentation names.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bcproxy::guide::{Event, Severity};
use bcproxy::simulator::{Script, Times};
use hyper::StatusCode;
use time::OffsetDateTime;
use tokio::io::AsyncWriteExt;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::rig::{HeldClock, Plan, Rig, read_to_end, shared, until, within};

/// The events of all tasks on this thread, in the order of their lines.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<Line>>>);

#[derive(Debug, Clone, Default)]
struct Line {
    id: Option<u64>,
    connector: Option<String>,
    message: String,
}

impl Events {
    /// Collects events until the guard is dropped.
    fn watch() -> (Self, DefaultGuard) {
        let events = Self::default();
        (events.clone(), tracing::subscriber::set_default(tracing_subscriber::registry().with(events)))
    }

    fn of(&self, event: Event) -> Vec<Line> {
        let is_wanted = |line: &&Line| line.id == Some(event.id().into());
        self.0.lock().unwrap().iter().filter(is_wanted).cloned().collect()
    }

    fn count(&self, event: Event) -> usize {
        self.of(event).len()
    }

    /// Waits until there is one.
    async fn wait_for(&self, event: Event) -> Line {
        until(|| self.count(event) > 0).await;
        self.of(event).remove(0)
    }
}

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        if let Some(id) = line.id {
            let level = match Event::from_id(id).expect("the id is not in the table").severity() {
                Severity::Information => Level::INFO,
                Severity::Warning => Level::WARN,
                Severity::Error => Level::ERROR,
            };
            assert_eq!(*event.metadata().level(), level, "{line:?}");
            self.0.lock().unwrap().push(line);
        }
    }
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "event_id" {
            self.id = Some(value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "connector" {
            self.connector = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

/// Advances the clock second by second until there is an event, for at most an hour.
async fn advance_until(clock: &HeldClock, events: &Events, event: Event) {
    for _ in 0..3600 {
        if events.count(event) > 0 {
            return;
        }
        clock.advance(Duration::from_secs(1)).await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    panic!("no event {}", event.id());
}

#[tokio::test]
async fn a_connector_whose_secret_expires_while_in_service_is_reported_once_and_when_it_is_ready_again() {
    let (events, _guard) = Events::watch();
    let clock = HeldClock::new();
    let plan = Plan::default().settings(|settings| settings.token_lifetime = Duration::from_secs(1000));
    let rig = plan.start().await;
    rig.proxy.warm_up(&[]);
    assert_eq!(events.wait_for(Event::ConnectorReady).await.connector.as_deref(), Some("cronus"));
    let client_id = rig.simulator.settings().client_id;
    rig.simulator.entra().replace_secrets(client_id, "another");
    let state = || rig.proxy.connectors()[0].pool.members().next().unwrap().tokens.state();
    // The refresh fails while the token is usable. The clock stands still meanwhile, so that nothing times out.
    clock.advance(Duration::from_secs(750)).await;
    until(|| state().failure.is_some()).await;
    rig.proxy.log_readiness();
    assert_eq!(events.count(Event::ConnectorNotReady), 0);
    clock.advance(Duration::from_secs(300)).await;
    for _ in 0..3 {
        rig.proxy.log_readiness();
    }
    let [not_ready] = &events.of(Event::ConnectorNotReady)[..] else { panic!("{:?}", events.0) };
    assert_eq!(not_ready.connector.as_deref(), Some("cronus"));
    assert!(not_ready.message.contains("AADSTS7000215"), "{not_ready:?}");
    assert_eq!(events.count(Event::ConnectorReady), 1);

    std::fs::write(rig.folder.path().join("secret.txt"), "another").unwrap();
    let mut patience = 1000;
    while state().token.is_none() && patience > 0 {
        patience -= 1;
        clock.advance(Duration::from_secs(1)).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..3 {
        rig.proxy.log_readiness();
    }
    assert_eq!((events.count(Event::ConnectorReady), events.count(Event::ConnectorNotReady)), (2, 1));
}

#[tokio::test]
async fn a_consent_that_is_withdrawn_while_in_service_is_reported_once_until_it_is_granted_again() {
    let (events, _guard) = Events::watch();
    let rig = Plan::default().start().await;
    assert_eq!(rig.get("/api/items").await.status, 200);
    rig.script(Times::Always, Script::unauthorized());
    for _ in 0..3 {
        assert_eq!(rig.get("/api/items").await.status, 502);
    }
    let [rejected] = &events.of(Event::ApplicationRejected)[..] else { panic!("{:?}", events.0) };
    assert!(rejected.message.contains("rejects the token of connector `cronus`"), "{rejected:?}");
    assert_eq!(events.count(Event::ApplicationAccepted), 0);
    rig.simulator.business_central().clear_scripts();
    for _ in 0..3 {
        assert_eq!(rig.get("/api/items").await.status, 200);
    }
    assert_eq!((events.count(Event::ApplicationRejected), events.count(Event::ApplicationAccepted)), (1, 1));
}

#[tokio::test]
async fn an_outage_is_reported_once_and_its_end() {
    let (events, _guard) = Events::watch();
    let rig = Plan::default().start().await;
    assert_eq!(rig.get("/api/items").await.status, 200);
    rig.simulator.business_central().reject_connections(Times::Always);
    rig.simulator.close_connections().await;
    // Each of them is tried several times.
    for _ in 0..4 {
        assert_eq!(rig.get("/api/items").await.status, 502);
    }
    let [unreachable] = &events.of(Event::Unreachable)[..] else { panic!("{:?}", events.0) };
    assert!(unreachable.message.contains("Business Central at localhost"), "{unreachable:?}");
    assert_eq!(events.count(Event::Reachable), 0);
    rig.simulator.business_central().reject_connections(Times::Next(0));
    within(async { while rig.get("/api/items").await.status != 200 {} }).await;
    assert_eq!((events.count(Event::Unreachable), events.count(Event::Reachable)), (1, 1));
}

#[tokio::test]
async fn a_rate_that_is_used_up_is_reported_when_it_lasts_and_when_it_has_ended() {
    let (events, _guard) = Events::watch();
    let clock = HeldClock::new();
    let limits = "limits: { requests: 4 per 40s, wait: 10m }";
    let rig = shared(Plan::default().connector("company: -").connector(limits)).await;
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let rig = rig.clone();
            tokio::spawn(async move { rig.get("/api/companies").await.status })
        })
        .collect();
    let limiter = rig.proxy.connectors()[0].pool.members().next().unwrap().limiter.clone().unwrap();
    until(|| limiter.state().waiting > 0).await;
    advance_until(&clock, &events, Event::RateLimitUsedUp).await;
    advance_until(&clock, &events, Event::RateLimitFree).await;
    for client in clients {
        assert_eq!(client.await.unwrap(), StatusCode::OK);
    }
    assert_eq!((events.count(Event::RateLimitUsedUp), events.count(Event::RateLimitFree)), (1, 1));
}

#[tokio::test]
async fn requests_beyond_the_queue_are_reported_once_an_hour() {
    let (events, _guard) = Events::watch();
    let clock = HeldClock::new();
    let limits = "limits: { requests: 1 per 24h, wait: 1s }";
    let rig = Plan::default().connector("company: -").connector(limits).start().await;
    assert_eq!(rig.get("/api/companies").await.status, 200);
    let reject_three = async || {
        for _ in 0..3 {
            assert_eq!(rig.get("/api/companies").await.status, 429);
        }
    };
    reject_three().await;
    let [rejected] = &events.of(Event::RequestsRejected)[..] else { panic!("{:?}", events.0) };
    assert_eq!(rejected.connector.as_deref(), Some("cronus"));
    clock.advance(Duration::from_secs(3600)).await;
    reject_three().await;
    assert_eq!(events.count(Event::RequestsRejected), 2);
}

#[tokio::test]
async fn a_pause_that_business_central_demands_is_an_event() {
    let (events, _guard) = Events::watch();
    let clock = HeldClock::new();
    let rig = shared(Plan::default()).await;
    rig.script(Times::Next(1), Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(40)));
    let client = tokio::spawn({
        let rig = rig.clone();
        async move { rig.get("/api/items").await.status }
    });
    let paused = events.wait_for(Event::LimiterPaused).await;
    assert!(paused.message.contains("paused for 40 s"), "{paused:?}");
    clock.advance(Duration::from_secs(41)).await;
    assert_eq!(client.await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn what_expires_soon_is_an_event_and_so_is_a_wrong_clock() {
    let (events, _guard) = Events::watch();
    let last_day = OffsetDateTime::now_utc().date() + time::Duration::days(10);
    let secret = format!("client_secret: {{ file: secret.txt, expires: {last_day} }}");
    let plan = Plan::default().connector(&secret).secured();
    let rig = plan.start_after(|simulator| simulator.entra().set_clock(-600)).await;
    let expires = events.wait_for(Event::CredentialExpires).await;
    assert!(expires.message.contains(&last_day.to_string()), "{expires:?}");
    assert!(events.wait_for(Event::ClockWrong).await.message.contains("10 min ahead"));
    rig.proxy.warn_of_certificates();
    let [certificate] = &events.of(Event::CertificateExpires)[..] else { panic!("{:?}", events.0) };
    assert!(certificate.message.contains("expires on"), "{certificate:?}");
    assert_eq!((events.count(Event::CredentialExpires), events.count(Event::ClockWrong)), (1, 1));
}

/// Connects once more than a limit allows, and waits until the proxy has rejected that connection.
async fn one_connection_too_many(rig: &Rig, clients: &[u8]) {
    let (last, others) = clients.split_last().unwrap();
    let mut open = Vec::new();
    for client in others {
        let mut connection = rig.connect_from(*client).await;
        // The limit counts it once it is accepted.
        connection.write_all(b"GET /nowhere HTTP/1.1\r\nHost: erp\r\n\r\n").await.unwrap();
        connection.readable().await.unwrap();
        open.push(connection);
    }
    let mut rejected = rig.connect_from(*last).await;
    assert!(read_to_end(&mut rejected).await.0.starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn the_limit_for_all_connections_is_an_event_and_that_of_one_client_is_not() {
    let (events, _guard) = Events::watch();
    let rig = Plan::default().top("max_connections: { total: 3, per_client: 2 }").start().await;
    one_connection_too_many(&rig, &[1, 1, 1]).await;
    assert_eq!(events.count(Event::ConnectionsRejected), 0);
    let rig = Plan::default().top("max_connections: { total: 3, per_client: 2 }").start().await;
    one_connection_too_many(&rig, &[1, 1, 2, 3]).await;
    assert_eq!(events.count(Event::ConnectionsRejected), 1);
}

/// The life of a process, as its log tells it.
#[cfg(unix)]
#[tokio::test]
async fn start_reload_and_stop_are_events_in_the_log_of_a_process() {
    use crate::process::{Process, message};

    let prepared = Plan::default().prepare().await;
    let text = std::fs::read_to_string(&prepared.file).unwrap();
    let mut process = Process::run(&prepared.file);
    let mut next = async |event: Event| process.log_line(|line| line["event_id"] == event.id()).await;
    let started = next(Event::Started).await;
    assert!(message(&started).starts_with("started: serving "), "{started}");
    assert_eq!(started["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(next(Event::ConnectorReady).await["connector"], "cronus");
    std::fs::write(&prepared.file, format!("{text}lisen: 1\n")).unwrap();
    let rejected = next(Event::ReloadRejected).await;
    assert!(message(&rejected).contains("lisen") && rejected["level"] == "ERROR", "{rejected}");
    std::fs::write(&prepared.file, &text).unwrap();
    next(Event::Reloaded).await;
    process.signal("TERM").await;
    for event in [Event::Stopping, Event::Stopped] {
        process.log_line(|line| line["event_id"] == event.id()).await;
    }
    assert_eq!(process.end().await.code, Some(0));
}
