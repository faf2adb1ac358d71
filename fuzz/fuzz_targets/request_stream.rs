//! Whatever a client sends, and wherever it is cut: a request that is served is the same for an independent reader. It
//! stands at the same place and has the same body.
#![no_main]

#[path = "../../tests/common/plain_http.rs"]
mod plain_http;
mod words;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, Weak};

use bcproxy::proxy::{ClientConnection, FairBudget, RequestStream, Terms};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::http::uri::Scheme;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use plain_http::{Reading, read};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use words::spelled_out;

/// Method and body of a request; no body if it could not be read to its end.
type Served = (String, Option<Vec<u8>>);

const WORDS: [&str; 40] = [
    "GET / HTTP/1.1\r\n",
    "POST / HTTP/1.1\r\n",
    "POST /a b HTTP/1.1\r\n",
    "POST / HTTP/1.0\r\n",
    "HTTP/1.1",
    "Host: a\r\n",
    "Content-Length: ",
    "Content-Length: 5\r\n",
    "content-length: 0\r\n",
    "Transfer-Encoding: ",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "chunked",
    "identity",
    "gzip",
    "Expect: 100-continue\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "A: b\r\n",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "\n\n",
    "0\r\n\r\n",
    "0\r\n",
    "00\r\n",
    "0;a\r\n",
    "5\r\nhello\r\n",
    "5\r\n0\r\n\r\n\r\n",
    "a\r\n",
    "hello",
    ";",
    ";a=\"b\"",
    ":",
    ": ",
    ",",
    " ",
    "\t",
    "\0",
];

fuzz_target!(|input: ([usize; 3], Vec<u8>)| {
    let (cuts, input) = input;
    let bytes = spelled_out(&input, &WORDS);
    let whole = served(&[&bytes]);

    let mut cuts = cuts.map(|cut| cut % (bytes.len() + 1));
    cuts.sort_unstable();
    let [first, second, third] = cuts;
    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..third], &bytes[third..]];
    assert_eq!(served(&pieces), whole, "cut at {cuts:?}: {:?}", String::from_utf8_lossy(&bytes));

    let mut rest = bytes.as_slice();
    for (method, body) in whole {
        let Some(body) = body else { break };
        let Reading::Request(request, length) = read(rest) else {
            panic!("{method} was served: {:?}", String::from_utf8_lossy(rest));
        };
        assert_eq!((request.method, request.body), (method, body), "{:?}", String::from_utf8_lossy(rest));
        rest = &rest[length..];
    }
});

/// What a service behind the stream gets when a client sends these pieces.
fn served(pieces: &[&[u8]]) -> Vec<Served> {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let connection =
        ClientConnection::new(peer, None, Scheme::HTTP, Weak::new(), &FairBudget::new(256 << 20), Terms::default());
    let connection = Arc::new(connection);
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let served = Mutex::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| {
        let number = connection.request_begins(&request.body().size_hint());
        let (connection, served) = (&connection, &served);
        async move {
            let method = request.method().to_string();
            let body = request.into_body().collect().await.ok().map(|body| body.to_bytes().to_vec());
            if body.is_some() {
                connection.body_ended(number);
            }
            served.lock().unwrap().push((method, body));
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let stream = TokioIo::new(RequestStream::new(server, connection.clone()));
    let serving = async {
        let _ = http1::Builder::new().half_close(true).serve_connection(stream, service).await;
    };
    let sending = async {
        for piece in pieces {
            // A server that rejected what came reads no more.
            if client.write_all(piece).await.is_err() {
                break;
            }
            // The server reads each piece by itself.
            tokio::task::yield_now().await;
        }
        let _ = client.shutdown().await;
        let _ = client.read_to_end(&mut Vec::new()).await;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::join!(serving, sending) });
    served.into_inner().unwrap()
}
