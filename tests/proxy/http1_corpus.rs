//! The corpus of raw HTTP/1 (`tests/corpus/http1`): each case is sent as it is, and what reaches the server behind
//! bcproxy is held against the case.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::plain_http::PlainRequest;
use crate::raw_upstream::RawUpstream;
use crate::rig::{Plan, Rig, within};

/// What a client sends on one connection, and what should become of it.
struct Case {
    name: String,
    bytes: Vec<u8>,
    /// In the order of its requests.
    expected: Vec<Outcome>,
    /// How many of the responses come before the client closes its sending half.
    before_end: Option<usize>,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Rejected(u16),
    /// Method, target and body, as they reach the server.
    Forwarded(String, String, Vec<u8>),
}

/// The cases of all files. `tests/corpus/http1/README.md` describes their format.
fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/http1");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "txt")).collect();
    files.sort();
    let mut cases: Vec<Case> = Vec::new();
    for file in files {
        let stem = file.file_stem().unwrap().to_str().unwrap();
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                cases.push(Case {
                    name: format!("{stem}: {name}"),
                    bytes: Vec::new(),
                    expected: Vec::new(),
                    before_end: None,
                });
                continue;
            }
            let Some(case) = cases.last_mut() else { continue };
            match line.strip_prefix("= ") {
                Some("end") => case.before_end = Some(case.expected.len()),
                Some(outcome) => case.expected.push(Outcome::read(outcome)),
                None if line.starts_with('#') => {}
                None => case.bytes.extend(unescaped(line)),
            }
        }
    }
    cases
}

impl Outcome {
    fn read(text: &str) -> Self {
        if let Ok(status) = text.parse() {
            return Self::Rejected(status);
        }
        let mut words = text.splitn(3, ' ');
        let mut word = || unescaped(words.next().unwrap_or_default());
        let (method, target) = (word(), word());
        Self::Forwarded(String::from_utf8(method).unwrap(), String::from_utf8(target).unwrap(), word())
    }

    fn status(&self) -> u16 {
        match self {
            Self::Rejected(status) => *status,
            Self::Forwarded(..) => 200,
        }
    }
}

/// `\r`, `\n`, `\t`, `\\`, `\xHH`, and `\{TEXT*COUNT}` for a repeated text; every other character as it is.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (kind, after) = escaped.split_at(1);
        rest = after;
        match kind {
            "r" => bytes.push(b'\r'),
            "n" => bytes.push(b'\n'),
            "t" => bytes.push(b'\t'),
            "\\" => bytes.push(b'\\'),
            "x" => {
                let (digits, after) = after.split_at(2);
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = after;
            }
            "{" => {
                let (repeated, after) = after.split_once('}').unwrap();
                let (repeated, count) = repeated.rsplit_once('*').unwrap();
                bytes.extend(unescaped(repeated).repeat(count.parse().unwrap()));
                rest = after;
            }
            other => panic!("no escape: \\{other} in {text}"),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Sends these bytes, in pieces of this size. Closes the sending half when so many responses have come. The statuses of
/// all responses, until the other side closes.
async fn statuses(rig: &Rig, bytes: &[u8], piece: usize, before_end: usize) -> Vec<u16> {
    let (mut reader, mut writer) = TcpStream::connect(rig.address()).await.unwrap().into_split();
    let mut read = Vec::new();
    let sending = async {
        for piece in bytes.chunks(piece) {
            // A server that rejects a request need not read the rest of it.
            if writer.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let reading =
        async { while statuses_in(&read).len() < before_end && matches!(reader.read_buf(&mut read).await, Ok(1..)) {} };
    let conversation = async { tokio::join!(sending, reading) };
    // A response that does not come is told by what is compared.
    let _ = tokio::time::timeout(PATIENCE, conversation).await;
    let _ = writer.shutdown().await;
    let _ = within(reader.read_to_end(&mut read)).await;
    statuses_in(&read)
}

/// The statuses of final responses. Bodies mention the version, too, but no status behind it.
fn statuses_in(read: &[u8]) -> Vec<u16> {
    let starts = memchr::memmem::find_iter(read, b"HTTP/1.");
    let status = |at: usize| std::str::from_utf8(read.get(at + 9..at + 12)?).ok()?.parse::<u16>().ok();
    starts.filter_map(status).filter(|status| *status >= 200).collect()
}

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_case_of_the_corpus_is_rejected_or_forwarded_as_what_it_is() {
    let upstream = RawUpstream::start().await;
    let prepared = Plan::default()
        .connector("company: -")
        .connector("limits: off")
        .connector(&format!("base_url: https://localhost:{}", upstream.port))
        .connector("ca_file: both.pem")
        .top("routes: [ { path: /, to: environment } ]")
        .prepare()
        .await;
    let both = format!("{}\n{}", prepared.simulator.ca_pem(), upstream.ca_pem);
    std::fs::write(prepared.folder.path().join("both.pem"), both).unwrap();
    let rig = prepared.start().await;
    let base = format!("/v2.0/{}/Production", rig.simulator.settings().tenant_id);
    let forwarded = |request: PlainRequest| {
        let target = request.target.strip_prefix(&base).unwrap_or(&request.target).to_owned();
        Outcome::Forwarded(request.method, target, request.body)
    };

    let cases = cases();
    let (mut rejected, mut as_one, mut ambiguous, mut different) = (0, 0, Vec::new(), Vec::new());
    let mut names = HashSet::new();
    for case in &cases {
        assert!(names.insert(&case.name), "two cases have the name {}", case.name);
        // In one piece, and byte by byte if it is short.
        for piece in [usize::MAX, case.bytes.len() / 2000 + 1] {
            let statuses = statuses(&rig, &case.bytes, piece, case.before_end.unwrap_or(case.expected.len())).await;
            let arrived: Vec<_> = upstream.take().into_iter().map(|request| request.map(forwarded)).collect();
            let (expected, wanted): (Vec<_>, Vec<_>) = case.expected.iter().map(|it| (it.clone(), it.status())).unzip();
            let expected: Vec<_> =
                expected.into_iter().filter(|outcome| matches!(outcome, Outcome::Forwarded(..))).map(Ok).collect();
            if arrived != expected {
                ambiguous.push(format!("{}: the server got {arrived:?}, not {expected:?}", case.name));
            } else if statuses != wanted {
                different.push(format!("{}: answered with {statuses:?}, not {wanted:?}", case.name));
            } else if piece == usize::MAX {
                match expected.len() {
                    0 => rejected += 1,
                    1 => as_one += 1,
                    _ => {}
                }
            }
        }
    }
    let several = cases.iter().filter(|case| case.expected.iter().filter(|it| it.status() == 200).count() > 1).count();
    println!(
        "tried {}, rejected {rejected}, forwarded as one {as_one}, forwarded as several {several}, ambiguous {}",
        cases.len(),
        ambiguous.len()
    );
    assert!(cases.len() >= 300, "only {} cases", cases.len());
    let wrong = [ambiguous, different].concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
