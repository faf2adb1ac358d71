//! TCP connections to a name: several addresses are tried side by side, and the one that answered last comes first.
//!
//! Source: RFC 8305, "Happy Eyeballs", sections 4 and 5.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Opens TCP connections to the addresses of a name. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct Dialer(Arc<Mutex<HashMap<String, Host>>>);

/// What is known of a host.
#[derive(Debug, Clone, Copy, Default)]
struct Host {
    port: u16,
    /// The address that answered last.
    answered: Option<IpAddr>,
}

/// A failed name look-up.
#[derive(Debug, thiserror::Error)]
#[error("the name look-up failed")]
pub struct NameLookUpError(#[from] io::Error);

impl Dialer {
    /// Looks up the name and connects to one of its addresses.
    pub async fn connect(&self, name: &str, port: u16) -> Result<TcpStream, super::ConnectError> {
        let addresses = look_up(name, port).await?;
        Ok(self.connect_to_one(name, addresses).await?)
    }

    /// Tells the resolver on which port the host is asked.
    pub(super) fn expect(&self, name: &str, port: u16) {
        self.lock().entry(name.to_owned()).or_default().port = port;
    }

    /// Tries the addresses: the next one after each failure, and beside those that have not answered for a moment.
    async fn connect_to_one(&self, name: &str, mut addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
        let answered = self.lock().get(name).and_then(|host| host.answered);
        order(&mut addresses, answered);
        let mut addresses = addresses.into_iter();
        let mut attempts = FuturesUnordered::new();
        let mut error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        loop {
            let next = addresses.next();
            let is_last = next.is_none();
            attempts.extend(next.map(TcpStream::connect));
            let result = match is_last {
                true => attempts.next().await,
                false => match tokio::time::timeout(STAGGER, attempts.next()).await {
                    Ok(result) => result,
                    Err(_) => continue,
                },
            };
            match result {
                Some(Ok(stream)) => {
                    let ip = stream.peer_addr()?.ip();
                    self.lock().entry(name.to_owned()).or_default().answered = Some(ip);
                    return Ok(stream);
                }
                Some(Err(failed)) => error = failed,
                None if is_last => return Err(error),
                None => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For a client that tries one address after the other: the first one is one that has just answered.
impl Resolve for Dialer {
    fn resolve(&self, name: Name) -> Resolving {
        let known = self.clone();
        Box::pin(async move {
            let name = name.as_str();
            let port = known.lock().get(name).copied().unwrap_or_default().port;
            let mut addresses = look_up(name, port).await?;
            // If none answers, the client finds out why.
            if addresses.len() > 1
                && let Ok(stream) = known.connect_to_one(name, addresses.clone()).await
            {
                order(&mut addresses, Some(stream.peer_addr()?.ip()));
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Sets what every connection needs: no delay for small requests, and a way to notice a firewall that has silently
/// dropped an idle connection.
pub fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(TCP_KEEP_ALIVE))
}

async fn look_up(name: &str, port: u16) -> Result<Vec<SocketAddr>, NameLookUpError> {
    Ok(tokio::net::lookup_host((name, port)).await?.collect())
}

/// The address that answered comes first; after it the families take turns, in the order of the look-up.
fn order(addresses: &mut [SocketAddr], answered: Option<IpAddr>) {
    let is_first_family = |address: &SocketAddr| address.is_ipv6();
    let first = addresses.first().is_some_and(is_first_family);
    let (mut of_first, mut of_other) = (0, 0);
    addresses.sort_by_cached_key(|address| {
        let is_first = is_first_family(address) == first;
        let position = if is_first { &mut of_first } else { &mut of_other };
        *position += 1;
        (Some(address.ip()) != answered, *position, !is_first)
    });
}

/// How long an address is waited for before the next one is tried beside it (RFC 8305, section 8).
const STAGGER: Duration = Duration::from_millis(250);

/// Reveals a firewall that has silently dropped an idle connection, before a request is sent on it.
pub(super) const TCP_KEEP_ALIVE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use socket2::{Domain, Socket, Type};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// An address that answers no SYN: the queue of its listener is full.
    fn silent() -> (SocketAddr, Vec<Socket>) {
        let new = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = new();
        listener.bind(&address("127.0.0.9:0").into()).unwrap();
        listener.listen(0).unwrap();
        let silent = listener.local_addr().unwrap();
        let mut held = vec![listener];
        for _ in 0..4 {
            let client = new();
            client.set_nonblocking(true).unwrap();
            let _ = client.connect(&silent);
            held.push(client);
        }
        (silent.as_socket().unwrap(), held)
    }

    #[test]
    fn the_address_that_answered_comes_first_then_the_families_take_turns() {
        let all = ["[fd00::1]:1", "[fd00::2]:1", "[fd00::3]:1", "10.0.0.1:1", "10.0.0.2:1"].map(address);
        let [six1, six2, six3, four1, four2] = all;
        let ordered = |answered: Option<IpAddr>| {
            let mut addresses = all.to_vec();
            order(&mut addresses, answered);
            addresses
        };
        assert_eq!(ordered(None), [six1, four1, six2, four2, six3]);
        assert_eq!(ordered(Some(four2.ip())), [four2, six1, four1, six2, six3]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_stays_silent_holds_nobody_up() {
        let (silent, _held) = silent();
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (good, closed) = (good.local_addr().unwrap(), (good, address("127.0.0.8:1")));
        let dialer = Dialer::default();
        for addresses in [vec![silent, good], vec![closed.1, silent, good]] {
            let started = Instant::now();
            let stream = dialer.connect_to_one("once", addresses.clone()).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), good);
            assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
        }
        let started = Instant::now();
        dialer.connect_to_one("once", vec![silent, good]).await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO, "the address that answered is remembered");
    }

    #[tokio::test]
    async fn if_no_address_answers_the_last_error_is_told() {
        let dialer = Dialer::default();
        let error = dialer.connect_to_one("closed", vec![address("127.0.0.8:1"), address("127.0.0.9:1")]).await;
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(dialer.connect_to_one("empty", Vec::new()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
