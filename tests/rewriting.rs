//! Rewriting an answer's body: what is replaced in each kind of document, what never is, and that cuts change nothing.

use std::ops::Range;

use bcproxy::proxy::rewrite::{Address, Document, Known, Output, Rewriter, Turn};
use bytes::Bytes;

#[path = "rewriting/laws.rs"]
mod laws;
#[path = "rewriting/oracle.rs"]
mod oracle;
#[path = "rewriting/samples.rs"]
mod samples;

const HOST: &str = "api.businesscentral.dynamics.com";
const AUTHORITIES: [&str; 2] = [HOST, "gateway.example:8443"];
const KINDS: [Document; 4] = [Document::Json, Document::JsonBatch, Document::Wsdl, Document::Atom];

/// The map of the tests: everything below the environment goes to a local prefix.
fn local(address: Address<'_>) -> Option<String> {
    let rest = address.path.strip_prefix("/v2.0/T/Production")?;
    Some(format!("http://erp:8080/bc{rest}"))
}

/// Rewrites a body that comes in pieces ending at these positions.
fn rewritten_in_pieces(document: Document, body: &[u8], cuts: &[usize], turn: impl Turn) -> Vec<u8> {
    let mut rewriter = Rewriter::new(document, &AUTHORITIES, turn);
    let mut output = Output::default();
    let mut from = 0;
    for &cut in cuts.iter().chain([&body.len()]) {
        rewriter.push(&Bytes::copy_from_slice(&body[from..cut]), &mut output);
        from = cut;
    }
    rewriter.finish(&mut output);
    taken(&mut output).concat()
}

fn taken(output: &mut Output) -> Vec<Bytes> {
    output.flush();
    std::iter::from_fn(|| output.pop()).collect()
}

fn rewritten(document: Document, body: &str) -> String {
    String::from_utf8(rewritten_in_pieces(document, body.as_bytes(), &[], local)).unwrap()
}

/// The result, whole; and the same cut at every byte, and in pieces of one to three bytes.
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
        let in_crumbs = rewritten_in_pieces(document, body.as_bytes(), &cuts, local);
        assert_eq!(String::from_utf8(in_crumbs).unwrap(), expected, "pieces of {size}");
    }
}

#[track_caller]
fn check_untouched(document: Document, body: &str) {
    check(document, body, body);
}
