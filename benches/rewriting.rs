//! Measures the rewriter without HTTP, in bytes per second.
//!
//! "search" runs memmem over the same pieces, as an upper bound.

use std::hint::black_box;
use std::sync::Arc;

use bcproxy::proxy::rewrite::{Document, Link, Output, Rewriter};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use memchr::memmem::Finder;

const ROOT: &str = "https://api.businesscentral.dynamics.com/v2.0/contoso.onmicrosoft.com/Production";
const MIB: usize = 1024 * 1024;

/// A page of 1,000 customers, 1 MiB in total. If `linked`, each has two links.
fn page(linked: bool) -> String {
    let mut page = format!(r#"{{"@odata.context":"{ROOT}/api/v2.0/$metadata#companies(1)/customers","value":["#);
    for number in 0..1000 {
        let links = format!(
            r#""@odata.editLink":"{ROOT}/api/v2.0/companies(3f2504e0-4f89-41d3-9a0c-0305e82c3301)/customers({number})","picture@odata.mediaReadLink":"{ROOT}/api/v2.0/companies(3f2504e0-4f89-41d3-9a0c-0305e82c3301)/customers({number})/picture/pictureContent","#
        );
        let fields = format!(
            r#""id":"{number:08}-508c-ed11-aada-000d3a298ab3","number":"{number}","displayName":"Adatum Corporation {number}","type":"Company","addressLine1":"192 Market Square","city":"Atlanta","country":"US","phoneNumber":"","email":"robert.townes@contoso.com","website":"https://www.adatum.example/","balance":0.0,"currencyCode":"USD","lastModifiedDateTime":"2023-01-04T16:55:47.367Z","note":""#
        );
        let start = page.len();
        page += r#"{"@odata.etag":"W/\"JzQ0O0FwaTtodHRwczovL2FwaS5idXNpbmVzc2NlbnRyYWw=\"","#;
        page += if linked { &links } else { "" };
        page += &fields;
        page += &"lorem ipsum ".repeat((MIB / 1000 - (page.len() - start)) / 12);
        page += "\"},";
    }
    page.pop();
    page + "]}"
}

fn wsdl() -> String {
    let field = r#"<xsd:element minOccurs="0" maxOccurs="1" name="Address" type="xsd:string" />"#;
    let address = format!(r#"<soap:address location="{ROOT}/WS/CRONUS/Page/Customer"/>"#);
    format!("<definitions>{}{address}</definitions>", field.repeat(MIB / field.len()))
}

/// What links begin with.
fn origins() -> Arc<[String]> {
    ["https://api.businesscentral.dynamics.com", "https://gateway.example:8443"].map(str::to_owned).into()
}

fn local(link: Link<'_>) -> Option<String> {
    let rest = link.path.strip_prefix("/v2.0/contoso.onmicrosoft.com/Production")?;
    Some(["http://erp-gw:8080/api", rest].concat())
}

fn pieces(body: &str, size: usize) -> Vec<Bytes> {
    body.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect()
}

fn rewriting(criterion: &mut Criterion) {
    let (linked, plain) = (page(true), page(false));
    let batch = format!(r#"{{"responses":[{{"id":"1","status":200,"headers":{{}},"body":{linked}}}]}}"#);
    let binary = "x0123456789abcde".repeat(MIB / 16);
    for (name, document, body, size) in [
        ("json/2,000 links/whole", Document::Json, &linked, 2 * MIB),
        ("json/2,000 links/16 KiB pieces", Document::Json, &linked, 16 * 1024),
        ("json/2,000 links/4 KiB pieces", Document::Json, &linked, 4 * 1024),
        ("json/etags only/16 KiB pieces", Document::Json, &plain, 16 * 1024),
        ("json/no annotation/16 KiB pieces", Document::Json, &format!("{{\"{binary}"), 16 * 1024),
        ("batch/2,000 links/16 KiB pieces", Document::JsonBatch, &batch, 16 * 1024),
        ("wsdl/one link/16 KiB pieces", Document::Wsdl, &wsdl(), 16 * 1024),
    ] {
        let pieces = pieces(body, size);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("rewrite", |bencher| {
            bencher.iter(|| {
                let mut rewriter = Rewriter::new(document, origins(), local);
                let mut output = Output::default();
                for piece in &pieces {
                    rewriter.push(piece, &mut output);
                    while let Some(done) = output.pop() {
                        black_box(done);
                    }
                }
                rewriter.finish(&mut output);
                black_box(output)
            });
        });
        let finder = Finder::new("\"@odata.none");
        group.bench_function("search", |bencher| {
            bencher.iter(|| pieces.iter().filter(|piece| finder.find(piece).is_some()).count());
        });
    }
}

criterion_group!(benches, rewriting);
criterion_main!(benches);
