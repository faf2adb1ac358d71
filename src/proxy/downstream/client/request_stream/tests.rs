//! hyper reads through the stream whatever hyper alone would read, and a repaired first line besides, wherever the
//! bytes are cut.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Frame, Incoming};
use hyper::http::uri::Scheme;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::proxy::budgets::fair_budget::FairBudget;
use crate::proxy::downstream::bind::Terms;

/// Target and body of a request, as the service got them.
type Seen = (String, Vec<u8>);

fn connection(memory: &FairBudget) -> Arc<ClientConnection> {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    Arc::new(ClientConnection::new(peer, None, Scheme::HTTP, std::sync::Weak::new(), memory, Terms::default()))
}

/// What a service behind the stream gets when a client sends these pieces, and all that the client reads.
async fn seen(pieces: &[&[u8]]) -> (Vec<Seen>, String) {
    let connection = connection(&FairBudget::new(256 << 20));
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let seen = Mutex::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| {
        let number = connection.request_begins(&request.body().size_hint());
        let (connection, seen) = (&connection, &seen);
        async move {
            let target = request.uri().to_string();
            let body = request.into_body().collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
            connection.body_ended(number);
            seen.lock().unwrap().push((target, body));
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let stream = TokioIo::new(RequestStream::new(server, connection.clone()));
    let serving = async {
        let _ = http1::Builder::new().half_close(true).serve_connection(stream, service).await;
    };
    let sending = async {
        for piece in pieces {
            // A server that has refused what came reads no more.
            if client.write_all(piece).await.is_err() {
                break;
            }
            // The server reads each piece by itself.
            tokio::task::yield_now().await;
        }
        let _ = client.shutdown().await;
        let mut responses = String::new();
        client.read_to_string(&mut responses).await.unwrap();
        responses
    };
    let ((), responses) = tokio::join!(serving, sending);
    (seen.into_inner().unwrap(), responses)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

const RAW: &str = "/WS/CRONUS International Ltd./Page";
const REPAIRED: &str = "/WS/CRONUS%20International%20Ltd./Page";

#[tokio::test]
async fn a_conversation_is_understood_wherever_it_is_cut() {
    let conversation = format!(
        "GET {RAW}/1 HTTP/1.1\r\n\r\n\r\nPOST {RAW}/2 HTTP/1.1\r\nContent-Length: 16\r\n\r\nGET /x y HTTP/1.\r\nPOST {RAW}/3 \
         HTTP/1.1\nTransfer-Encoding: chunked\n\n3\r\n\n0\n\r\n5;a=0\r\n\r\n0\r\n\r\n0\r\n\r\nGET {RAW}/4 HTTP/1.1\r\n\r\nPOST {RAW}/5 \
         HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0a\r\n0\r\n\r\n0\r\n\r\n\r\n00\r\nA: b\r\n\r\nGET {RAW}/6 HTTP/1.1\r\n\r\n"
    );
    let expected: Vec<Seen> = [
        ("1", ""),
        ("2", "GET /x y HTTP/1."),
        ("3", "\n0\n\r\n0\r\n"),
        ("4", ""),
        ("5", "0\r\n\r\n0\r\n\r\n"),
        ("6", ""),
    ]
    .map(|(number, body)| (format!("{REPAIRED}/{number}"), body.as_bytes().to_vec()))
    .to_vec();
    let bytes = conversation.as_bytes();
    for cut in 0..bytes.len() {
        let (one, other) = bytes.split_at(cut);
        let (seen, responses) = seen(&[one, other]).await;
        assert_eq!(seen, expected, "cut at {cut}");
        assert_eq!(responses.matches("HTTP/1.1 200 OK").count(), expected.len());
    }
    let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(seen(&bytewise).await.0, expected);
}

#[tokio::test]
async fn a_rejection_says_why() {
    for (head, status, reason) in [
        ("GET /a\r\n\r\n".to_owned(), 400, "first line"),
        ("GET /a HTTP/1.1\r\nHost : b\r\n\r\n".to_owned(), 400, "name of a header"),
        ("\u{16}\u{3}\u{1}".to_owned(), 400, "HTTPS"),
        (format!("GET /{} HTTP/1.1\r\n", "a".repeat(MAX_HEAD_BYTES)), 400, "128 KiB"),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101)), 431, "100 headers"),
        ("GET / HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 400, "both"),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n".to_owned(), 400, "the last coding"),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".to_owned(), 501, "not implement"),
        ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 400, "HTTP/1.0 with"),
    ] {
        // What was answered before stays as it was.
        let (seen, responses) = seen(&[b"GET /before HTTP/1.1\r\n\r\n", head.as_bytes()]).await;
        assert_eq!(seen.len(), 1);
        let (_, rejection) = responses.split_once("\r\n\r\n").unwrap();
        assert!(rejection.starts_with(&format!("HTTP/1.1 {status} ")) && rejection.contains(reason), "{rejection}");
        assert_eq!(rejection.matches("HTTP/1.1 ").count(), 1, "{rejection}");
    }
}

/// One request as a client may frame it, and as the service gets it.
fn request() -> impl Strategy<Value = (Vec<u8>, Seen)> {
    let piece = prop_oneof![Just("0\r\n\r\n"), Just("\n0"), Just("\r\n"), Just("GET /a b HTTP/1.1\r\n\r\n"), Just("x")];
    let body = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    (body, 0..3, any::<bool>()).prop_map(|(body, framing, extended)| {
        let head = format!("POST {RAW} HTTP/1.1\r\n");
        let bytes = match framing {
            0 => format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()),
            1 if body.is_empty() => format!("{head}\r\n"),
            _ => {
                let extension = if extended { ";0=\"0\"" } else { "" };
                let (one, other) = body.split_at(body.len() / 2);
                let chunks = [one, other].into_iter().filter(|chunk| !chunk.is_empty());
                let chunks: String =
                    chunks.map(|chunk| format!("{:x}{extension}\r\n{chunk}\r\n", chunk.len())).collect();
                format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}0{extension}\r\n\r\n")
            }
        };
        (bytes.into_bytes(), (REPAIRED.to_owned(), body.into_bytes()))
    })
}

proptest! {
    #[test]
    fn no_byte_of_one_request_counts_as_anothers(
        requests in prop::collection::vec(request(), 1..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let (bytes, expected): (Vec<Vec<u8>>, Vec<Seen>) = requests.into_iter().unzip();
        let bytes = bytes.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        prop_assert_eq!(block_on(seen(&pieces)).0, expected);
    }

    #[test]
    fn nothing_makes_it_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..5)) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        block_on(seen(&pieces));
    }
}

/// An answer of so many pieces, each held as `ResponseBody` holds it.
struct Pieces {
    left: usize,
    given: Arc<AtomicUsize>,
    connection: Arc<ClientConnection>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.connection.write_backlog.poll_capacity(context));
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.given.fetch_add(1, Ordering::Relaxed);
        self.connection.write_backlog.hold(PIECE.len());
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&PIECE)))))
    }
}

static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];

#[tokio::test(start_paused = true)]
async fn without_room_an_answer_goes_on_as_its_client_takes_it() {
    for (is_full, most_given) in [(false, 2..8), (true, 1..2)] {
        let budget = FairBudget::new(256 << 20);
        let others = connection(&budget);
        if is_full {
            others.write_backlog.hold(1 << 30);
        }
        let connection = connection(&budget);
        let given = Arc::new(AtomicUsize::new(0));
        let (mut client, server) = tokio::io::duplex(1024);
        let service = service_fn(|request: Request<Incoming>| {
            connection.request_begins(&request.body().size_hint());
            let pieces = Pieces { left: 8, given: given.clone(), connection: connection.clone() };
            std::future::ready(Ok::<_, Infallible>(Response::new(pieces)))
        });
        let stream = TokioIo::new(RequestStream::new(server, connection.clone()));
        let serving = async {
            let _ = http1::Builder::new().serve_connection(stream, service).await;
        };
        let reading = async {
            client.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut first = [0; 1];
            client.read_exact(&mut first).await.unwrap();
            // As often as it likes, it goes on.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(most_given.contains(&given.load(Ordering::Relaxed)), "{given:?}");
            let mut response = Vec::new();
            client.read_to_end(&mut response).await.unwrap();
            assert_eq!(response.iter().filter(|&&byte| byte == b'x').count(), 8 * PIECE.len());
        };
        let both = async { tokio::join!(serving, reading) };
        // On a clock that runs ahead as soon as nothing moves any more.
        tokio::time::timeout(std::time::Duration::from_secs(60), both).await.unwrap();
    }
}
