use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;

use tokio::time::Instant;

use super::*;
use crate::config::{Limits, Rate};
use crate::entra::ClientId;
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
    ClientKey::new(Ipv4Addr::LOCALHOST.into(), NonZeroUsize::MIN, number)
}

/// A limiter that one application uses.
fn limiter(limits: Limits) -> Limiter {
    Limiter::new(limits, scope(), application(1))
}

pub(super) fn scope() -> Scope {
    Scope { environment: "Production".parse().unwrap(), is_soap: false }
}

pub(super) fn application(number: u8) -> ClientId {
    format!("00000000-0000-0000-0000-0000000000{number:02}").parse().unwrap()
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
    let limiter = limiter(limits(5, 1000, 300, 1000));
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
    let limiter = limiter(limits(100, 10, 5, 1000));
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
    let limiter = limiter(limits(1, 10_000, 300, 1000));
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
    let limiter = limiter(limits(1, 1000, 300, 3));
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
    let limiter = limiter(limits(1, 1000, 300, 10_000));
    let held = acquire(&limiter, 1).await.unwrap();
    for _ in 0..100_000 {
        let mut gone = Box::pin(acquire(&limiter, 2));
        assert!(gone.as_mut().now_or_never().is_none());
    }
    assert_eq!(limiter.load(), 1);
    assert!(limiter.shared().lock().lanes[0].queue.len() < 200, "requests that left are removed");
    let mut waiting = Box::pin(acquire(&limiter, 3));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(held);
    waiting.now_or_never().unwrap().unwrap();
    assert_eq!(limiter.load(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_permit_granted_to_a_client_that_leaves_goes_to_the_next() {
    let limiter = limiter(limits(1, 1000, 300, 10));
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
    let limiter = limiter(limits(1, 1000, 300, 10));
    let _held = acquire(&limiter, 1).await.unwrap();
    let began = Instant::now();
    let rejected = acquire(&limiter, 1).await;
    assert!(matches!(rejected, Err(AcquireError::TimedOut { .. })), "{rejected:?}");
    assert_eq!(began.elapsed().as_secs(), 60);
    assert_eq!(limiter.load(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_all_requests_and_retries_go_first() {
    let limiter = limiter(limits(5, 1000, 300, 10));
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
    let limiter = limiter(limits(1, 1000, 300, 20));
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
        limiter.shared().lock().estimate(0, client(2), Instant::now())
    };
    let (_, _, estimate) = tokio::join!(work, others, asks);
    assert!((20..60).contains(&estimate.as_secs()), "{estimate:?}");
}

#[tokio::test(start_paused = true)]
async fn an_evicted_request_is_queued_by_another_limiter_even_if_that_is_full() {
    let (closed, other) = (limiter(limits(1, 1000, 300, 5)), limiter(limits(1, 1000, 300, 1)));
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
    let limiter = limiter(limits(2, 1000, 300, 1000));
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
    let limiter = limiter(limits(1, 2, 300, 10));
    let _first = acquire(&limiter, 1).await.unwrap();
    let waiting: Vec<_> = (0..5)
        .map(|number| {
            tokio::spawn({
                let limiter = limiter.clone();
                let deadline = Instant::now() + Duration::from_secs(3600);
                async move { limiter.acquire(client(number), deadline, Priority::New).await.map(|permit| permit.ahead) }
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

#[tokio::test(start_paused = true)]
async fn a_permit_that_lies_beyond_the_deadline_is_rejected_at_once() {
    let minute = Duration::from_secs(60);
    let rejected_at_once = async |limiter: &Limiter, number| {
        let error = acquire(limiter, number).now_or_never().expect("it is queued").unwrap_err();
        let AcquireError::TimedOut { retry_after } = error else { panic!("{error:?}") };
        retry_after
    };

    let paused = limiter(limits(5, 1000, 300, 10));
    paused.pause(2 * minute);
    assert_eq!(rejected_at_once(&paused, 1).await, 2 * minute + Duration::from_millis(100));

    // Five at once, and another every minute and a half: the second to wait comes too late.
    let slow = limiter(limits(5, 10, 450, 10));
    for _ in 0..6 {
        drop(acquire(&slow, 1).await.unwrap());
    }
    tokio::time::advance(minute).await;
    let in_time = tokio::spawn({
        let slow = slow.clone();
        async move { acquire(&slow, 1).await.map(drop) }
    });
    settle().await;
    let retry_after = rejected_at_once(&slow, 2).await;
    assert!((115..125).contains(&retry_after.as_secs()), "{retry_after:?}");
    in_time.await.unwrap().unwrap();

    // A burst leaves ten permits a second: of 2,000 requests of one client, a minute serves 600.
    let busy = limiter(limits(5, 6000, 300, 10_000));
    for _ in 0..3000 {
        drop(acquire(&busy, 1).await.unwrap());
    }
    let outcomes = join_all((0..2000).map(|_| async {
        let began = Instant::now();
        (acquire(&busy, 1).await.map(drop), began.elapsed())
    }));
    let other = async {
        settle().await;
        acquire(&busy, 2).await.map(drop)
    };
    let (outcomes, other) = tokio::join!(outcomes, other);
    assert_eq!(other, Ok(()), "another client's request is not behind them");
    let (served, rejected): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(outcome, _)| outcome.is_ok());
    assert!((590..=620).contains(&served.len()), "{} served", served.len());
    let late = rejected.iter().filter(|(_, took)| !took.is_zero()).count();
    assert!(late <= 20, "{late} of {} were rejected late", rejected.len());
}

#[tokio::test(start_paused = true)]
async fn a_pause_rejects_the_queued_requests_that_can_not_outlast_it() {
    let limiter = limiter(limits(1, 1000, 300, 10));
    let held = acquire(&limiter, 1).await.unwrap();
    let began = Instant::now();
    let seconds = Duration::from_secs;
    let mut patient = Box::pin(limiter.acquire(client(1), began + seconds(90), Priority::New));
    let mut others = [Priority::New, Priority::Retry]
        .map(|priority| Box::pin(limiter.acquire(client(1), began + seconds(60), priority)));
    assert!(patient.as_mut().now_or_never().is_none());
    assert!(others.iter_mut().all(|other| other.as_mut().now_or_never().is_none()));
    limiter.pause(seconds(70));
    limiter.reject_late();
    for other in others {
        let rejected = other.now_or_never().unwrap();
        assert_eq!(rejected.unwrap_err(), AcquireError::TimedOut { retry_after: seconds(70) });
    }
    drop(held);
    patient.await.unwrap();
    assert_eq!((began.elapsed(), limiter.load()), (seconds(70), 0));
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_never_granted_before_the_time_by_which_requests_are_rejected() {
    let mut random = fastrand::Rng::with_seed(18);
    for round in 0..200 {
        let rate = Rate { count: random.usize(1..200), per: Duration::from_secs(random.u64(1..60)) };
        let mut now = Instant::now();
        let mut window = window::Window::new(now);
        let mut held = 0;
        let mut promised: Vec<(usize, Instant)> = Vec::new();
        let mut granted = 0;
        while granted < 1000 {
            if random.usize(0..20) == 0 {
                now += rate.per.mul_f64(random.f64() / 3.0);
            }
            if random.usize(0..10) == 0 {
                let ahead = random.usize(0..400);
                promised.push((granted + ahead, window.not_before(ahead, now, rate)));
            }
            match window.next(now, rate) {
                Some(next) if held > 0 => {
                    // What is in flight may end at any time until then.
                    now += (next - now).mul_f64(random.f64());
                    window.release(now, rate);
                    held -= 1;
                }
                Some(next) => now = next,
                None => {
                    for (_, earliest) in promised.iter().filter(|(number, _)| *number == granted) {
                        assert!(now >= *earliest, "round {round}: {:?} too early", *earliest - now);
                    }
                    window.grant(now, rate);
                    granted += 1;
                    match random.bool() {
                        true => window.release(now, rate),
                        false => held += 1,
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn applications_that_share_a_limiter_have_a_rate_of_their_own() {
    let own = limiter(limits(3, 4, 300, 100));
    let other = own.for_application(application(2));
    let permits = [acquire(&own, 1).await, acquire(&own, 1).await, acquire(&other, 1).await];
    let mut fourth = Box::pin(acquire(&other, 1));
    assert!(fourth.as_mut().now_or_never().is_none(), "they share the concurrency");
    drop(permits);
    drop(fourth.now_or_never().unwrap().unwrap());
    assert_eq!((own.state().recent, other.state().recent, own.load() + other.load()), (2, 2, 0));

    // One queue: the order is fair to both, and one whose rate is used up does not delay the other.
    drop(acquire(&own, 1).now_or_never().unwrap().unwrap());
    let mut used_up = Box::pin(own.acquire(client(1), Instant::now() + Duration::from_secs(300), Priority::New));
    assert!(used_up.as_mut().now_or_never().is_none());
    drop(acquire(&other, 1).now_or_never().unwrap().unwrap());
    assert_eq!(own.for_application(application(2)).state().recent, 3);
}

#[tokio::test(start_paused = true)]
async fn a_client_with_weight_n_is_served_n_times_as_often() {
    let limiter = limiter(limits(1, 10_000, 300, 1000));
    let held = acquire(&limiter, 1).await.unwrap();
    let order = Mutex::new(Vec::new());
    let requests = [1_u8, 4, 1].into_iter().zip([1_u8, 2, 3]).map(|(weight, number)| {
        let (limiter, order) = (&limiter, &order);
        let weight = NonZeroUsize::new(weight.into()).unwrap();
        let client = ClientKey::new(Ipv4Addr::LOCALHOST.into(), weight, number);
        join_all((0..40).map(move |_| async move {
            let permit = limiter.acquire(client, in_a_minute(), Priority::New).await.unwrap();
            order.lock().unwrap().push(number);
            drop(permit);
        }))
    });
    let release = async {
        settle().await;
        drop(held);
    };
    tokio::join!(join_all(requests), release);
    let order = order.into_inner().unwrap();
    let served = |number| order[..60].iter().filter(|served| **served == number).count();
    assert_eq!((served(1), served(2), served(3)), (10, 40, 10));
    assert_eq!(order.len(), 120, "what nobody else waits for is not kept back");
}
