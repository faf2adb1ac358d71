//! Limiters of several replicas over a real store.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::time::Instant;

use super::super::overload_tests::client;
use super::super::tests::{application, scope};
use super::super::{AcquireError, Limiter, Permit, Priority};
use crate::config::{Limits, Rate};
use crate::shared_store::SharedStore;
use crate::shared_store::test_server::TestServer;

const MINUTE: Duration = Duration::from_secs(60);

fn limits(concurrency: usize, count: usize) -> Limits {
    let requests = Rate { count, per: Duration::from_secs(300) };
    Limits { concurrency, requests, queue: 1000, wait: MINUTE }
}

/// The limiter of another replica.
async fn replica(server: &TestServer, limits: Limits) -> Limiter {
    let store = server.replica().await;
    sharing(&store, limits)
}

fn sharing(store: &SharedStore, limits: Limits) -> Limiter {
    let limiter = Limiter::new(limits, scope(), application(1));
    limiter.share(store, store.key(&["limiter"]));
    limiter
}

async fn acquire(limiter: &Limiter) -> Result<Permit, AcquireError> {
    limiter.acquire(client(1), Instant::now() + MINUTE, Priority::New).await
}

/// Waits until the limiter is in this state.
async fn until(limiter: &Limiter, is_so: impl Fn(&super::super::LimiterState) -> bool) {
    let deadline = Instant::now() + MINUTE;
    while !is_so(&limiter.state()) {
        assert!(Instant::now() < deadline, "{:?}", limiter.state());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Permits that the store knows.
fn registered(server: &TestServer) -> usize {
    let mut connection = server.connect();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*:held").query(&mut connection).unwrap();
    keys.iter().map(|key| redis::cmd("ZCARD").arg(key).query::<usize>(&mut connection).unwrap()).sum()
}

fn is_joined(limiter: &Limiter) -> bool {
    limiter.state().shared.is_some_and(|shared| shared.is_joined)
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn replicas_together_hold_no_more_permits_than_one_and_each_gets_its_part() {
    let server = TestServer::start();
    let (one, other) = (replica(&server, limits(3, 6000)).await, replica(&server, limits(3, 6000)).await);
    let (now, most, served) = (AtomicUsize::new(0), AtomicUsize::new(0), [0; 2].map(AtomicUsize::new));
    let requests = (0..400).map(|number| {
        let (limiter, served) = if number % 2 == 0 { (&one, &served[0]) } else { (&other, &served[1]) };
        let (now, most, all) = (&now, &most, served);
        async move {
            let permit = acquire(limiter).await.unwrap();
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            all.fetch_add(1, Ordering::Relaxed);
            now.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        }
    });
    join_all(requests).await;
    assert_eq!(served.map(AtomicUsize::into_inner), [200, 200]);
    assert!(most.into_inner() <= 3);
    assert!(is_joined(&one) && is_joined(&other));
    until(&one, |state| state.in_flight == 0).await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn without_the_store_a_replica_has_its_share_and_registers_what_it_holds_when_the_store_is_back() {
    let mut server = TestServer::start();
    let stores = [server.replica().await, server.replica().await];
    let [one, other] = stores.each_ref().map(|store| sharing(store, limits(4, 6000)));
    until(&one, |_| stores.iter().all(|store| store.replicas() == 2)).await;
    let held = [acquire(&one).await.unwrap(), acquire(&other).await.unwrap()];
    server.stop();
    until(&one, |state| !state.shared.unwrap().is_joined).await;
    until(&other, |state| !state.shared.unwrap().is_joined).await;
    // Two replicas were seen: each has two permits.
    assert_eq!((one.state().limits.concurrency, other.state().limits.concurrency), (2, 2));
    let more = [acquire(&one).await.unwrap(), acquire(&other).await.unwrap()];
    assert!(acquire(&one).now_or_never().is_none(), "the share is used up");

    server.restart();
    until(&one, |state| state.shared.unwrap().is_joined).await;
    until(&one, |_| registered(&server) == 4).await;
    let mut third = Box::pin(acquire(&one));
    assert!(third.as_mut().now_or_never().is_none());
    until(&one, |state| state.shared.unwrap().in_flight == 4).await;
    assert!(third.as_mut().now_or_never().is_none(), "all are registered");
    drop(more);
    third.await.unwrap();
    drop(held);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn without_the_store_a_replica_has_its_share_of_the_rate_and_what_it_used_before_counts() {
    let mut server = TestServer::start();
    let stores = [server.replica().await, server.replica().await];
    let [one, other] = stores.each_ref().map(|store| sharing(store, limits(5, 20)));
    until(&one, |_| stores.iter().all(|store| store.replicas() == 2)).await;
    for _ in 0..4 {
        drop(acquire(&one).await.unwrap());
    }
    drop(acquire(&other).await.unwrap());
    until(&other, |state| state.shared.unwrap().recent == 5).await;
    server.stop();
    // Both are idle.
    until(&one, |state| state.limits.requests.count == 10).await;
    until(&other, |state| state.limits.requests.count == 10).await;
    // The fifth is the last that is not paced, and the sixth is due.
    drop([acquire(&one).await.unwrap(), acquire(&one).await.unwrap()]);
    let mut seventh = Box::pin(acquire(&one));
    assert!(seventh.as_mut().now_or_never().is_none());
    assert!(one.state().next_permit > Some(MINUTE / 3));
    drop(acquire(&other).await.unwrap());

    server.restart();
    until(&one, |state| state.shared.unwrap().is_joined).await;
    // Of twenty, half is used at once.
    let _seventh = seventh.await.unwrap();
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_flushed_store_is_complete_again_with_the_next_call() {
    let server = TestServer::start();
    let (one, other) = (replica(&server, limits(5, 10)).await, replica(&server, limits(5, 10)).await);
    for _ in 0..4 {
        drop(acquire(&one).await.unwrap());
    }
    let held = acquire(&other).await.unwrap();
    redis::cmd("FLUSHALL").query::<()>(&mut server.connect()).unwrap();
    drop(held);
    until(&other, |state| state.shared.unwrap().recent == 1).await;
    // The fifth is the last that is not paced, and the sixth is due. For the seventh, half of the window has to last.
    let _sixth = acquire(&one).await.unwrap();
    let mut seventh = Box::pin(acquire(&one));
    assert!(seventh.as_mut().now_or_never().is_none());
    until(&one, |state| state.shared.unwrap().recent == 6 && state.next_permit > Some(MINUTE / 3)).await;
    assert!(seventh.as_mut().now_or_never().is_none());
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_replica_registers_once_in_a_flushed_store() {
    let server = TestServer::start();
    let store = server.replica().await;
    let one = sharing(&store, limits(5, 100));
    for _ in 0..4 {
        drop(acquire(&one).await.unwrap());
    }
    redis::cmd("FLUSHALL").query::<()>(&mut server.connect()).unwrap();
    // This tells everything; then the heartbeat says that data were lost.
    drop(acquire(&one).await.unwrap());
    until(&one, |_| store.losses() == 1).await;
    let calls = store.status().calls;
    until(&one, |_| store.status().calls > calls + 2).await;
    let _sixth = acquire(&one).await.unwrap();
    until(&one, |state| state.shared.unwrap().recent == 6).await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn an_idle_replica_registers_what_counts_in_a_flushed_store() {
    let server = TestServer::start();
    let (one, other) = (replica(&server, limits(5, 10)).await, replica(&server, limits(5, 10)).await);
    for _ in 0..4 {
        drop(acquire(&one).await.unwrap());
    }
    let mut connection = server.connect();
    redis::cmd("FLUSHALL").query::<()>(&mut connection).unwrap();
    // It has nothing to ask or to renew. Its heartbeat tells that the data are lost.
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while redis::cmd("KEYS").arg("*:slices:*").query::<Vec<String>>(&mut connection).unwrap().is_empty() {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let _fifth = acquire(&other).await.unwrap();
    until(&other, |state| state.shared.unwrap().recent == 5).await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_pause_that_one_replica_is_asked_for_holds_all() {
    let server = TestServer::start();
    let (one, other) = (replica(&server, limits(5, 6000)).await, replica(&server, limits(5, 6000)).await);
    let held = acquire(&one).await.unwrap();
    one.throttle(Duration::from_secs(3600), false);
    drop(held);
    until(&one, |state| state.shared.unwrap().in_flight == 0).await;
    let evicted = acquire(&other).await;
    assert!(matches!(evicted, Err(AcquireError::Evicted)), "{evicted:?}");
    assert!(other.is_paused());
    let rejected = acquire(&other).await;
    assert!(matches!(rejected, Err(AcquireError::TimedOut { .. })), "{rejected:?}");
}
