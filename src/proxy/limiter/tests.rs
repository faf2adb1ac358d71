use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;

use tokio::time::Instant;

use super::*;
use crate::config::{Limits, Rate};
use crate::proxy::downstream::client::Contended;

fn limits(concurrency: usize, count: usize, per: u64, queue: usize) -> Limits {
    Limits {
        concurrency,
        requests: Rate { count, per: Duration::from_secs(per) },
        queue,
        wait: Duration::from_secs(90),
    }
}

fn client(number: u8) -> ClientKey {
    ClientKey::new(Ipv4Addr::LOCALHOST.into(), number)
}

fn in_a_minute() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

async fn acquire(limiter: &Limiter, number: u8) -> Result<Permit, AcquireError> {
    limiter.acquire(client(number), in_a_minute(), Priority::New).await
}

/// Lets tasks and woken futures run while the clock stands still.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_are_in_flight_than_allowed() {
    let limiter = Limiter::new(limits(5, 1000, 300, 1000));
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let requests = (0..200).map(|number| {
        let (limiter, now, most) = (&limiter, &now, &most);
        async move {
            let permit = acquire(limiter, number % 7).await.unwrap();
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
            now.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        }
    });
    join_all(requests).await;
    assert_eq!(most.into_inner(), 5);
    assert_eq!(limiter.load(), 0);
}

#[tokio::test(start_paused = true)]
async fn within_any_window_no_more_begin_than_allowed() {
    let limiter = Limiter::new(limits(100, 10, 5, 1000));
    let began: Vec<Instant> = join_all((0..35).map(|_| async {
        let _permit = acquire(&limiter, 1).await.unwrap();
        Instant::now()
    }))
    .await;
    let mut began = began;
    began.sort();
    for pair in began.windows(11) {
        assert!(pair[10] - pair[0] > Duration::from_secs(5), "{:?}", pair[10] - pair[0]);
    }
    assert!(began[34] - began[0] < Duration::from_secs(20), "no request waits longer than the window");
}

#[tokio::test(start_paused = true)]
async fn a_client_with_one_request_is_served_after_one_of_a_client_with_many() {
    let limiter = Limiter::new(limits(1, 10_000, 300, 1000));
    let first = acquire(&limiter, 1).await.unwrap();
    let order = Mutex::new(Vec::new());
    let wait = |number: u8| {
        let (limiter, order) = (&limiter, &order);
        async move {
            let permit = acquire(limiter, number).await.unwrap();
            order.lock().unwrap().push(number);
            drop(permit);
        }
    };
    let many = join_all((0..150).map(|_| wait(1)));
    let late = async {
        settle().await;
        let one = wait(2);
        let other = wait(3);
        let release = async {
            settle().await;
            drop(first);
        };
        tokio::join!(one, other, release);
    };
    tokio::join!(many, late);
    let order = order.into_inner().unwrap();
    assert!(order[..4].contains(&2) && order[..4].contains(&3), "{:?}", &order[..6]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_evicts_from_the_client_with_the_most_requests() {
    let limiter = Limiter::new(limits(1, 1000, 300, 3));
    let held = acquire(&limiter, 1).await.unwrap();
    let mut flood: Vec<_> = (0..3).map(|_| Box::pin(acquire(&limiter, 1))).collect();
    for waiting in &mut flood {
        assert!(waiting.as_mut().now_or_never().is_none());
    }
    assert!(
        matches!(acquire(&limiter, 1).await, Err(AcquireError::Full { .. })),
        "the flooding client finds the queue full"
    );
    let mut till = Box::pin(acquire(&limiter, 2));
    assert!(till.as_mut().now_or_never().is_none(), "one request of the flood is evicted");
    let displaced = flood.pop().unwrap().await;
    assert!(matches!(displaced, Err(AcquireError::Full { .. })), "{displaced:?}");
    drop(held);
    flood.push(till);
    let through = join_all(flood.into_iter().map(|waiting| async { waiting.await.map(drop) })).await;
    assert_eq!(through, [Ok(()), Ok(()), Ok(())]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_left_is_not_waited_for() {
    let limiter = Limiter::new(limits(1, 1000, 300, 10_000));
    let held = acquire(&limiter, 1).await.unwrap();
    for _ in 0..100_000 {
        let mut gone = Box::pin(acquire(&limiter, 2));
        assert!(gone.as_mut().now_or_never().is_none());
    }
    assert_eq!(limiter.load(), 1);
    assert!(limiter.shared().lock().queue.len() < 200, "requests that left are removed");
    let mut waiting = Box::pin(acquire(&limiter, 3));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(held);
    waiting.now_or_never().unwrap().unwrap();
    assert_eq!(limiter.load(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_permit_granted_to_a_client_that_leaves_goes_to_the_next() {
    let limiter = Limiter::new(limits(1, 1000, 300, 10));
    let held = acquire(&limiter, 1).await.unwrap();
    let mut leaves = Box::pin(acquire(&limiter, 2));
    let mut stays = Box::pin(acquire(&limiter, 3));
    assert!(leaves.as_mut().now_or_never().is_none() && stays.as_mut().now_or_never().is_none());
    drop(held);
    // Its permit is there already when it goes.
    drop(leaves);
    stays.now_or_never().unwrap().unwrap();
    assert_eq!(limiter.load(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_deadline_passes_leaves_the_queue() {
    let limiter = Limiter::new(limits(1, 1000, 300, 10));
    let _held = acquire(&limiter, 1).await.unwrap();
    let began = Instant::now();
    let rejected = acquire(&limiter, 1).await;
    assert!(matches!(rejected, Err(AcquireError::TimedOut { .. })), "{rejected:?}");
    assert_eq!(began.elapsed().as_secs(), 60);
    assert_eq!(limiter.load(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_all_requests_and_retries_go_first() {
    let limiter = Limiter::new(limits(5, 1000, 300, 10));
    limiter.pause(Duration::from_secs(7));
    limiter.pause(Duration::from_secs(3));
    let began = Instant::now();
    let order = Mutex::new(Vec::new());
    let wait = |number: u8, priority: Priority| {
        let (limiter, order) = (&limiter, &order);
        async move {
            let permit = limiter.acquire(client(number), in_a_minute(), priority).await.unwrap();
            order.lock().unwrap().push(number);
            assert_eq!(permit.waited.as_secs(), 7);
        }
    };
    tokio::join!(wait(1, Priority::New), wait(2, Priority::New), wait(3, Priority::Retry));
    assert_eq!(began.elapsed().as_secs(), 7);
    assert_eq!(order.into_inner().unwrap().len(), 3);
    let permits = join_all((0..5).map(|_| acquire(&limiter, 1))).await;
    limiter.pause(Duration::from_secs(1));
    let mut newcomer = Box::pin(acquire(&limiter, 1));
    let mut again = Box::pin(limiter.acquire(client(1), in_a_minute(), Priority::Retry));
    assert!(newcomer.as_mut().now_or_never().is_none() && again.as_mut().now_or_never().is_none());
    let mut permits = permits.into_iter();
    drop(permits.next());
    tokio::time::advance(Duration::from_secs(2)).await;
    settle().await;
    again.now_or_never().unwrap().unwrap();
    newcomer.now_or_never().unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_an_honest_estimate() {
    let limiter = Limiter::new(limits(1, 1000, 300, 20));
    let work = async {
        for _ in 0..10 {
            let _permit = acquire(&limiter, 1).await.unwrap();
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    };
    let others = join_all((0..12).map(|_| async {
        let permit = limiter.acquire(client(2), in_a_minute(), Priority::New).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(permit);
    }));
    let asks = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        limiter.shared().lock().estimate(Instant::now())
    };
    let (_, _, estimate) = tokio::join!(work, others, asks);
    assert!((20..60).contains(&estimate.as_secs()), "{estimate:?}");
}

#[tokio::test(start_paused = true)]
async fn an_evicted_request_is_queued_by_another_limiter_even_if_that_is_full() {
    let (closed, other) = (Limiter::new(limits(1, 1000, 300, 5)), Limiter::new(limits(1, 1000, 300, 1)));
    let held = [acquire(&closed, 1).await.unwrap(), acquire(&other, 1).await.unwrap()];
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(acquire(&closed, 1))).collect();
    assert!(waiting.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
    closed.pause(Duration::from_secs(600));
    assert!(closed.is_paused() && !other.is_paused());
    closed.evict();
    assert_eq!(closed.load(), 1);
    let moved = join_all(waiting).await.into_iter().map(|rejected| {
        assert!(matches!(rejected, Err(AcquireError::Evicted)), "{rejected:?}");
        other.acquire(client(1), in_a_minute(), Priority::Requeued)
    });
    let mut moved: Vec<_> = moved.map(Box::pin).collect();
    assert!(moved.iter_mut().all(|moved| moved.as_mut().now_or_never().is_none()));
    drop(held);
    let through = join_all(moved.into_iter().map(|moved| async { moved.await.map(drop) })).await;
    assert_eq!(through, [Ok(()), Ok(()), Ok(())]);
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_contended_when_others_wait_and_none_is_granted() {
    let second = Duration::from_secs(1);
    let limiter = Limiter::new(limits(2, 1000, 300, 1000));
    let (held, other) = (acquire(&limiter, 1).await.unwrap(), acquire(&limiter, 1).await.unwrap());
    tokio::time::advance(60 * second).await;
    assert!(!held.is_contended(), "nobody waits");

    let waiting = [(); 2].map(|()| {
        tokio::spawn({
            let limiter = limiter.clone();
            async move { acquire(&limiter, 2).await }
        })
    });
    settle().await;
    tokio::time::advance(9 * second).await;
    assert!(!held.is_contended());
    drop(other);
    settle().await;
    tokio::time::advance(9 * second).await;
    assert!(!held.is_contended(), "one was granted");
    tokio::time::advance(2 * second).await;
    assert!(held.is_contended());
    limiter.pause(30 * second);
    assert!(!held.is_contended(), "the queue waits for the pause, not for a permit");
    tokio::time::advance(31 * second).await;
    assert!(held.is_contended());

    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    settle().await;
    assert!(!held.is_contended(), "they left");
    tokio::time::advance(60 * second).await;
    let _waiting = tokio::spawn({
        let limiter = limiter.clone();
        async move { acquire(&limiter, 3).await }
    });
    settle().await;
    assert!(!held.is_contended(), "this one has just been queued");
}

#[tokio::test(start_paused = true)]
async fn removing_the_limits_releases_the_queue() {
    let limiter = Limiter::new(limits(1, 2, 300, 10));
    let _first = acquire(&limiter, 1).await.unwrap();
    let waiting: Vec<_> = (0..5)
        .map(|number| {
            tokio::spawn({
                let limiter = limiter.clone();
                async move { acquire(&limiter, number).await.map(|permit| permit.ahead) }
            })
        })
        .collect();
    settle().await;
    assert_eq!(limiter.load(), 6);
    limiter.remove_limits();
    let through: Vec<_> = join_all(waiting).await.into_iter().map(Result::unwrap).collect();
    assert!(through.iter().all(Result::is_ok), "{through:?}");
    assert_eq!(limiter.load(), 1);
}
