//! A closed loop: so many connections, each with one request at a time, until so many requests are answered.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use crate::Result;
use crate::pages::{batch, order, text};
use crate::peers::{Running, path_of};
use crate::upstream::{ResponseKind, Upstream};

/// Open connections to one proxy.
pub struct Load(Vec<SendRequest<Full<Bytes>>>);

/// What is asked for, and how long the answer must be.
pub struct Question {
    method: Method,
    path: String,
    /// Besides those that every request has.
    headers: &'static [(&'static str, &'static str)],
    body: Bytes,
    /// `None` for one that proxies answer at different lengths; how it is framed still shows whether it is whole.
    length: Option<u64>,
}

/// What became of the requests.
#[derive(Default)]
pub struct Outcome {
    /// Sorted.
    latencies: Vec<Duration>,
    pub failed: usize,
    /// What the first of those failed with.
    pub error: Option<String>,
}

impl Question {
    pub fn new(response: ResponseKind, upstream: &Upstream) -> Self {
        let (method, headers, body): (_, &[_], _) = match response {
            ResponseKind::Soap => (Method::POST, &SOAP_HEADERS, SOAP_READ.into()),
            ResponseKind::Post => (Method::POST, &JSON_HEADERS, order(POST_BYTES).into()),
            ResponseKind::PostText => (Method::POST, &JSON_HEADERS, text(POST_BYTES).into()),
            _ => (Method::GET, &[], Bytes::new()),
        };
        Self { method, path: path_of(response), headers, body, length: response.length(upstream) }
    }

    /// A batch of so many reads.
    pub fn batch(parts: usize) -> Self {
        Self {
            method: Method::POST,
            path: path_of(ResponseKind::Batch),
            headers: &JSON_HEADERS,
            body: batch(parts).into(),
            length: None,
        }
    }

    fn request(&self) -> Result<Request<Full<Bytes>>> {
        let request = Request::builder()
            .method(self.method.clone())
            .uri(self.path.as_str())
            .header("host", "localhost:8080")
            .header("user-agent", "legacy/1.0")
            .header("accept", "*/*");
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Ok(request.body(Full::new(self.body.clone()))?)
    }

    /// Asks once and reads the whole answer.
    async fn ask(&self, sender: &mut SendRequest<Full<Bytes>>) -> Result<()> {
        sender.ready().await?;
        let mut response = sender.send_request(self.request()?).await?;
        let status = response.status();
        if status != StatusCode::OK {
            let reason = response.into_body().collect().await?.to_bytes();
            return Err(format!("{status}: {}", String::from_utf8_lossy(&reason)).into());
        }
        let mut length = 0;
        while let Some(frame) = response.body_mut().frame().await {
            length += frame?.data_ref().map_or(0, |data| data.len() as u64);
        }
        if let Some(expected) = self.length.filter(|expected| *expected != length) {
            return Err(format!("{length} of {expected} bytes").into());
        }
        Ok(())
    }
}

impl Load {
    pub async fn connect(proxy: &Running, connections: usize) -> Result<Self> {
        let mut senders = Vec::with_capacity(connections);
        for _ in 0..connections {
            let socket = TcpSocket::new_v4()?;
            // An address of its own: who else comes here is another client.
            socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into())?;
            let socket = socket.connect(proxy.address).await?;
            socket.set_nodelay(true)?;
            senders.push(match &proxy.tls {
                None => speak(socket).await?,
                Some(tls) => {
                    speak(TlsConnector::from(tls.clone()).connect("localhost".try_into()?, socket).await?).await?
                }
            });
        }
        Ok(Self(senders))
    }

    /// Sends `count` requests, evenly over all connections, each as soon as the one before is answered.
    pub async fn run(&mut self, question: &Arc<Question>, count: usize) -> Result<Outcome> {
        self.run_at_rate(question, count, None).await
    }

    /// The same, but no more than so many requests per second.
    pub async fn run_at_rate(&mut self, question: &Arc<Question>, count: usize, rate: Option<u32>) -> Result<Outcome> {
        let each = count.div_ceil(self.0.len());
        let between_all = rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate);
        let between = between_all * u32::try_from(self.0.len())?;
        let mut first = tokio::time::Instant::now();
        let tasks: Vec<_> = std::mem::take(&mut self.0)
            .into_iter()
            .map(|mut sender| {
                let question = question.clone();
                first += between_all;
                let mut next = first;
                tokio::spawn(async move {
                    let mut outcome = Outcome::default();
                    for _ in 0..each {
                        if rate.is_some() {
                            tokio::time::sleep_until(next).await;
                            next += between;
                        }
                        let asked = Instant::now();
                        match question.ask(&mut sender).await {
                            Ok(()) => outcome.latencies.push(asked.elapsed()),
                            Err(error) => outcome.fail(&*error),
                        }
                    }
                    (sender, outcome)
                })
            })
            .collect();
        let mut sum = Outcome::default();
        let limit = tokio::time::Instant::now() + LONGEST_RUN;
        for task in tasks {
            let (sender, outcome) = tokio::time::timeout_at(limit, task).await??;
            self.0.push(sender);
            sum.add(outcome);
        }
        Ok(sum.sorted())
    }
}

/// A connection for requests, from this address of the machine.
pub async fn connect_from(client: Ipv4Addr, proxy: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((client, 0).into())?;
    speak(socket.connect(proxy).await?).await
}

/// Speaks HTTP on a stream.
pub async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // A connection that breaks shows as a failed request.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

impl Outcome {
    /// What became of these and of those.
    pub fn with(mut self, other: Self) -> Self {
        self.add(other);
        self.sorted()
    }

    fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.failed += other.failed;
        self.error = self.error.take().or(other.error);
    }

    /// The same, unless a request failed.
    pub fn complete(self) -> Result<Self> {
        match self.error {
            None => Ok(self),
            Some(error) => Err(format!("{} requests failed, one with: {error}", self.failed).into()),
        }
    }

    fn fail(&mut self, error: &dyn std::error::Error) {
        self.failed += 1;
        self.error.get_or_insert_with(|| error.to_string());
    }

    fn sorted(mut self) -> Self {
        self.latencies.sort_unstable();
        self
    }

    pub fn answered(&self) -> usize {
        self.latencies.len()
    }

    /// In milliseconds; 0 when nothing was answered.
    pub fn percentile(&self, percent: usize) -> f64 {
        let index = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

/// A run that takes longer is broken.
const LONGEST_RUN: Duration = Duration::from_secs(300);

const POST_BYTES: usize = 64 * 1024;

const JSON_HEADERS: [(&str, &str); 1] = [("content-type", "application/json")];

const SOAP_HEADERS: [(&str, &str); 2] = [
    ("content-type", "text/xml; charset=utf-8"),
    ("soapaction", "\"urn:microsoft-dynamics-schemas/page/customer:Read\""),
];

const SOAP_READ: &str = r#"<?xml version="1.0" encoding="utf-8"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Read xmlns="urn:microsoft-dynamics-schemas/page/customer"><No>10000</No></Read></Body></Envelope>"#;
