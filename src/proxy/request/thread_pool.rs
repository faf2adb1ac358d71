//! Threads apart from those that serve requests, for work that takes long: clients get them in turn.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinError, spawn_blocking};

use crate::proxy::limiter::{ClientKey, FairQueue, Queued};

/// Threads for work that takes long, shared fairly between clients. Clones share them.
#[derive(Debug, Clone)]
pub struct ThreadPool(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Threads that do nothing.
    idle: usize,
    queue: FairQueue<Waiter>,
}

/// A queued job.
#[derive(Debug)]
struct Waiter {
    client: IpAddr,
    granted: oneshot::Sender<ThreadPermit>,
}

impl Queued for Waiter {
    fn is_waiting(&self) -> bool {
        !self.granted.is_closed()
    }
}

impl ThreadPool {
    /// A pool with as many threads as half of the processors, at least one: the rest is for those who serve requests.
    pub fn for_this_machine() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2)))
    }

    /// A pool with so many threads, which are started when they are needed.
    pub fn new(threads: usize) -> Self {
        Self(Arc::new(Mutex::new(State { idle: threads, queue: FairQueue::default() })))
    }

    /// Jobs that wait for a thread.
    pub fn waiting(&self) -> usize {
        self.lock().queue.waiting()
    }

    /// Waits for a thread, for the client at this address. Dropped meanwhile, it leaves the queue.
    pub async fn thread(&self, client: IpAddr) -> ThreadPermit {
        let mut queued = {
            let mut state = self.lock();
            // Nothing waits while a thread is idle.
            if let Some(idle) = state.idle.checked_sub(1) {
                state.idle = idle;
                return ThreadPermit { pool: self.clone(), client };
            }
            let (sender, receiver) = oneshot::channel();
            let key = ClientKey::new(client, NonZeroUsize::MIN, ());
            state.queue.push(key, Waiter { client, granted: sender });
            QueuedJob { pool: self, key, granted: receiver, is_served: false }
        };
        match (&mut queued.granted).await {
            Ok(permit) => {
                queued.is_served = true;
                permit
            }
            // The queue drops nobody who waits.
            Err(_) => std::future::pending().await,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to use a thread of the pool. Dropping it gives the thread to the next job.
#[derive(Debug)]
pub struct ThreadPermit {
    pool: ThreadPool,
    /// The address of the client that it was granted to.
    client: IpAddr,
}

impl ThreadPermit {
    /// Runs a future on the thread. One that has to wait for something holds no thread meanwhile. It queues again.
    ///
    /// Fails if the future panics.
    pub async fn run<F>(self, job: F) -> Result<F::Output, JoinError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (pool, client) = (self.pool.clone(), self.client);
        let (mut permit, mut job, woken) = (self, Box::pin(job), Arc::new(Woken::default()));
        loop {
            let waker = Waker::from(woken.clone());
            let poll = move || {
                let polled = job.as_mut().poll(&mut Context::from_waker(&waker));
                drop(permit);
                match polled {
                    Poll::Ready(output) => Ok(output),
                    Poll::Pending => Err(job),
                }
            };
            match spawn_blocking(poll).await? {
                Ok(output) => return Ok(output),
                Err(unfinished) => job = unfinished,
            }
            woken.0.notified().await;
            permit = pool.thread(client).await;
        }
    }
}

impl Drop for ThreadPermit {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        let unwanted = match state.queue.pop() {
            Some(Waiter { client, granted }) => granted.send(Self { pool: self.pool.clone(), client }).err(),
            None => {
                state.idle += 1;
                None
            }
        };
        // To drop a permit takes the lock.
        drop(state);
        drop(unwanted);
    }
}

/// A job's side of its place in the queue; dropping it leaves the queue.
struct QueuedJob<'p> {
    pool: &'p ThreadPool,
    key: ClientKey,
    granted: oneshot::Receiver<ThreadPermit>,
    is_served: bool,
}

impl Drop for QueuedJob<'_> {
    fn drop(&mut self) {
        if self.is_served {
            return;
        }
        let mut state = self.pool.lock();
        self.granted.close();
        match self.granted.try_recv() {
            // To drop a permit takes the lock.
            Ok(permit) => {
                drop(state);
                drop(permit);
            }
            Err(_) => state.queue.leave(Some(self.key)),
        }
    }
}

/// Remembers that a job can go on.
#[derive(Debug, Default)]
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    fn client(number: u8) -> IpAddr {
        Ipv4Addr::new(127, 0, 0, number).into()
    }

    /// Polls until a condition holds.
    async fn until(mut condition: impl FnMut() -> bool) {
        let holds = async {
            while !condition() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), holds).await.unwrap();
    }

    /// A pool of one thread, which is busy until the sender is dropped.
    async fn busy() -> (ThreadPool, mpsc::Sender<()>) {
        let (pool, (end, ended)) = (ThreadPool::new(1), mpsc::channel::<()>());
        let busy = pool.clone();
        tokio::spawn(async move { busy.thread(client(1)).await.run(async move { ended.recv().is_ok() }).await });
        until(|| pool.lock().idle == 0).await;
        (pool, end)
    }

    #[tokio::test]
    async fn one_clients_many_jobs_delay_anothers_single_one_by_one_job_a_thread() {
        let (pool, end) = busy().await;
        let (done, order) = mpsc::channel();
        let mut jobs = Vec::new();
        for number in std::iter::repeat_n(1, 16).chain([2]) {
            let (pool, done) = (pool.clone(), done.clone());
            let waiting = pool.waiting();
            let job = async move { done.send(number) };
            jobs.push(tokio::spawn({
                let pool = pool.clone();
                async move { pool.thread(client(number)).await.run(job).await }
            }));
            until(|| pool.waiting() > waiting).await;
        }
        drop((end, done));
        for job in jobs {
            job.await.unwrap().unwrap().unwrap();
        }
        let order: Vec<u8> = order.iter().collect();
        assert_eq!((order.len(), &order[..3]), (17, &[1, 2, 1][..]));
    }

    #[tokio::test]
    async fn a_job_that_is_dropped_in_the_queue_never_runs() {
        let (pool, end) = busy().await;
        let (done, ran) = mpsc::channel();
        let job = |number: u8| {
            let (pool, done) = (pool.clone(), done.clone());
            tokio::spawn(async move { pool.thread(client(number)).await.run(async move { done.send(number) }).await })
        };
        let gone = job(1);
        until(|| pool.waiting() == 1).await;
        let stays = job(2);
        until(|| pool.waiting() == 2).await;
        gone.abort();
        until(|| pool.waiting() == 1).await;
        drop(end);
        stays.await.unwrap().unwrap().unwrap();
        assert_eq!(ran.try_iter().collect::<Vec<_>>(), [2]);
        until(|| pool.lock().idle == 1).await;
    }

    #[tokio::test]
    async fn a_job_that_waits_or_panics_holds_no_thread() {
        let pool = ThreadPool::new(1);
        let (asked, answered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let waits = tokio::spawn({
            let (pool, asked, answered) = (pool.clone(), asked.clone(), answered.clone());
            let job = async move {
                asked.notify_one();
                answered.notified().await;
                "answered"
            };
            async move { pool.thread(client(1)).await.run(job).await }
        });
        asked.notified().await;
        assert!(pool.thread(client(2)).await.run(async { panic!("in a test") }).await.is_err());
        assert_eq!(pool.thread(client(2)).await.run(async { "other" }).await.unwrap(), "other");
        answered.notify_one();
        assert_eq!(waits.await.unwrap().unwrap(), "answered");
        until(|| pool.lock().idle == 1).await;
    }
}
