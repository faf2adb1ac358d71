//! Rewriting response bodies: the links in each kind of document, data that stays unchanged, and bodies cut anywhere.

use std::ops::Range;
use std::sync::Arc;

use bcproxy::proxy::rewrite::{Document, KnownPrefix, Link, LinkMap, Output, Rewriter};
use bytes::Bytes;

#[path = "rewriting/laws.rs"]
mod laws;
#[path = "rewriting/oracle.rs"]
mod oracle;
#[path = "rewriting/samples.rs"]
mod samples;

const HOST: &str = "api.businesscentral.dynamics.com";
const KINDS: [Document; 4] = [Document::Json, Document::JsonBatch, Document::Wsdl, Document::Atom];

/// What links begin with.
fn origins() -> Arc<[String]> {
    [HOST, "gateway.example:8443"].map(|authority| format!("https://{authority}")).into()
}

/// The map for the tests: links below the environment get a local prefix.
fn local(link: Link<'_>) -> Option<String> {
    let rest = link.path.strip_prefix("/v2.0/T/Production")?;
    Some(format!("http://erp:8080/bc{rest}"))
}

/// Rewrites a body that arrives in pieces, cut at these positions.
fn rewritten_in_pieces(document: Document, body: &[u8], cuts: &[usize], map: impl LinkMap) -> Vec<u8> {
    let mut rewriter = Rewriter::new(document, origins(), map);
    let mut output = Output::default();
    let mut start = 0;
    for &cut in cuts.iter().chain([&body.len()]) {
        rewriter.push(&Bytes::copy_from_slice(&body[start..cut]), &mut output);
        start = cut;
    }
    rewriter.finish(&mut output);
    drain(&mut output).concat()
}

fn drain(output: &mut Output) -> Vec<Bytes> {
    output.flush();
    std::iter::from_fn(|| output.pop()).collect()
}

fn rewritten(document: Document, body: &str) -> String {
    String::from_utf8(rewritten_in_pieces(document, body.as_bytes(), &[], local)).unwrap()
}

/// Checks the output for the whole body, for two pieces cut at every byte, and for pieces of one to three bytes.
#[track_caller]
fn check(document: Document, body: &str, expected: &str) {
    assert_eq!(rewritten(document, body), expected);
    let range: Range<usize> = 0..body.len();
    for cut in range.clone() {
        let cut_once = rewritten_in_pieces(document, body.as_bytes(), &[cut], local);
        assert_eq!(String::from_utf8(cut_once).unwrap(), expected, "cut at {cut}");
    }
    for size in 1..=3 {
        let cuts: Vec<_> = range.clone().step_by(size).collect();
        let in_small_pieces = rewritten_in_pieces(document, body.as_bytes(), &cuts, local);
        assert_eq!(String::from_utf8(in_small_pieces).unwrap(), expected, "pieces of {size}");
    }
}

#[track_caller]
fn check_unchanged(document: Document, body: &str) {
    check(document, body, body);
}
