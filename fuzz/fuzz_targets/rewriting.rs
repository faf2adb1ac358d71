//! The output does not depend on where a body is cut. Without a mapped link, the body is unchanged.
#![no_main]

use bcproxy::proxy::rewrite::{Document, Link, Output, Rewriter};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, usize, &[u8])| {
    let (document, cut, body) = input;
    let document = match document % 4 {
        0 => Document::Json,
        1 => Document::JsonBatch,
        2 => Document::Wsdl,
        _ => Document::Atom,
    };
    let cut = cut % (body.len() + 1);
    assert_eq!(rewritten(document, body, cut, |_| None), body);
    let local = |link: Link<'_>| Some(format!("http://erp{}", link.path));
    assert_eq!(rewritten(document, body, cut, local), rewritten(document, body, 0, local));
});

fn rewritten(document: Document, body: &[u8], cut: usize, map: impl FnMut(Link<'_>) -> Option<String>) -> Vec<u8> {
    let mut rewriter = Rewriter::new(document, ["https://bc".to_owned()].into(), map);
    let mut output = Output::default();
    let (before, after) = body.split_at(cut);
    rewriter.push(&Bytes::copy_from_slice(before), &mut output);
    rewriter.push(&Bytes::copy_from_slice(after), &mut output);
    rewriter.finish(&mut output);
    std::iter::from_fn(|| output.pop()).collect::<Vec<_>>().concat()
}
