//! Malformed, truncated and very large bodies, and properties that hold for every body.

use proptest::prelude::*;

use super::*;

const ADDRESS: &str = "https://api.businesscentral.dynamics.com/v2.0/T/Production/x";

#[test]
fn truncated_and_malformed_links_are_unchanged() {
    for end in [
        "",
        r"\",
        r"\u",
        r"\u00f",
        r"\ud83d",
        r"\ud83d\",
        r"\ud83d\u",
        r#"\ud83d""#,
        r#"\ud83d\u0041""#,
        r#"\ude00""#,
        r#"\q""#,
        r#"\n""#,
        "\n\"",
        r#"\u00zz""#,
    ] {
        for beginning in [ADDRESS, "https:", "https://api.businesscentral.dynamics.com"] {
            check_unchanged(Document::Json, &format!(r#"{{"@odata.id":"{beginning}{end}"#));
            check_unchanged(Document::JsonBatch, &format!(r#"{{"@odata.id":"{beginning}{end}"#));
        }
    }
    for end in ["", "&", "&#", "&#xfc", "&amp", "&nope;'", "&#0;'", "&#x110000;'", "<'", "&#00000000000252;'", "\n<'"] {
        check_unchanged(Document::Wsdl, &format!("<address location='{ADDRESS}{end}"));
        check_unchanged(Document::Atom, &format!("<feed><link href='{ADDRESS}{end}"));
    }
}

#[test]
fn a_body_of_another_kind_is_unchanged() {
    let json = format!(r#""@odata.id":"{ADDRESS}""#);
    check_unchanged(Document::Json, &format!("<html>{json}"));
    check_unchanged(Document::Json, &json);
    check_unchanged(Document::JsonBatch, &format!("<html>{{{json}}}"));
    check_unchanged(Document::JsonBatch, &format!("{{]{{{json}}}"));
    check_unchanged(Document::JsonBatch, &format!("}}{{{json}}}"));
    let xml = format!("<address location='{ADDRESS}'/>");
    for beginning in
        ["< a>", "<a b>", "<a b=c>", "<a =''>", "<!DOCTYPE a [", "<!-x>", "<a b='<'>", "</a<", "<1>", "<a\"'/>"]
    {
        check_unchanged(Document::Wsdl, &format!("{beginning}{xml}"));
    }
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let json = |address| format!("\u{feff} \r\n{{\"@odata.id\":\"{address}\"}}");
    check(Document::Json, &json(ADDRESS), &json("http://erp:8080/bc/x"));
    check(Document::JsonBatch, &json(ADDRESS), &json("http://erp:8080/bc/x"));
}

#[test]
fn an_escaped_quotation_mark_never_ends_a_value() {
    for document in [Document::Json, Document::JsonBatch] {
        let body = |address: &str| {
            format!(r#"{{"@odata.id":"https:\"","a":"b","@odata.id":"{address}?a=\"b\\","@odata.id":"{address}"}}"#)
        };
        check(document, &body(ADDRESS), &body("http://erp:8080/bc/x"));
    }
    for document in [Document::Json, Document::JsonBatch] {
        let body = format!(r#"{{"@odata.id":"{ADDRESS}{}\"","@odata.id":"{ADDRESS}"}}"#, "a".repeat(70_000));
        let whole = rewritten_in_pieces(document, body.as_bytes(), &[], local);
        let escape = body.find('\\').unwrap() + 1;
        assert_eq!(rewritten_in_pieces(document, body.as_bytes(), &[30, 60_000, escape], local), whole);
    }
}

#[test]
fn invalid_utf_8_is_unchanged() {
    let body =
        [br#"{"name":"M"#.as_slice(), b"\xfc\xff", br#"ller","@odata.id":"#, b"\"", ADDRESS.as_bytes(), b"\xfc\",\""]
            .concat();
    for document in KINDS {
        assert_eq!(rewritten_in_pieces(document, &body, &[40], local), body);
    }
}

#[test]
fn links_up_to_64_kib_are_rewritten() {
    for (padding, is_replaced) in [(65_536 - ADDRESS.len(), true), (65_537 - ADDRESS.len(), false), (300_000, false)] {
        let body =
            |address: &str| format!(r#"{{"@odata.id":"{address}{}","@odata.id":"{ADDRESS}"}}"#, "a".repeat(padding));
        let body_after = body(ADDRESS);
        let (_, end) = body_after.split_at(body_after.rfind(ADDRESS).unwrap());
        let expected_end = end.replace(ADDRESS, "http://erp:8080/bc/x");
        for cuts in [vec![], vec![20], vec![60, 70, 5_000, 65_000], (0..body_after.len()).step_by(777).collect()] {
            let out = rewritten_in_pieces(Document::Json, body_after.as_bytes(), &cuts, local);
            let out = String::from_utf8(out).unwrap();
            assert!(out.ends_with(&expected_end));
            assert_eq!(!out.contains(ADDRESS), is_replaced, "{padding} {cuts:?}");
        }
    }
}

#[test]
fn only_an_incomplete_link_is_buffered() {
    for (document, beginning) in [
        (Document::Json, r#"{"a":"b@odata.i","@odata.id"   :  ""#),
        (Document::JsonBatch, r#"{"responses":[{"headers":{"location":""#),
        (Document::Wsdl, "<d><import location='  "),
        (Document::Atom, "<feed><id> "),
    ] {
        let mut rewriter = Rewriter::new(document, origins(), local);
        let mut output = Output::default();
        for byte in beginning.bytes() {
            rewriter.push(&Bytes::from(vec![byte]), &mut output);
            assert_eq!(drain(&mut output).concat(), [byte], "{beginning}");
        }
        rewriter.push(&Bytes::from("https://api.b"), &mut output);
        assert!(output.is_empty(), "{output:?}");
        rewriter.push(&Bytes::from("x"), &mut output);
        assert_eq!(drain(&mut output).concat(), b"https://api.bx");
    }
}

#[test]
fn long_unchanged_ranges_are_not_copied() {
    let body = Bytes::from(format!(r#"{{"a":"{0}","@odata.id":"{ADDRESS}","b":"{0}"}}"#, "x".repeat(10_000)));
    let (begin, end) = (body.as_ptr().addr(), body.as_ptr().addr() + body.len());
    let mut output = Output::default();
    Rewriter::new(Document::Json, origins(), local).push(&body, &mut output);
    let out = drain(&mut output);
    let shared: usize =
        out.iter().filter(|piece| (begin..end).contains(&piece.as_ptr().addr())).map(|piece| piece.len()).sum();
    assert!(out.len() == 3 && shared > 20_000, "{out:?}");
}

#[test]
fn small_pieces_are_joined_up_to_a_limit() {
    let record = format!(r#"{{"@odata.id":"{ADDRESS}(1)","name":"{}"}},"#, "x".repeat(300));
    let mut rewriter = Rewriter::new(Document::Json, origins(), local);
    let (mut output, mut sizes) = (Output::default(), Vec::new());
    rewriter.push(&Bytes::from("["), &mut output);
    for _ in 0..1000 {
        rewriter.push(&Bytes::from(record.clone()), &mut output);
        sizes.extend(std::iter::from_fn(|| output.pop()).map(|piece| piece.len()));
    }
    assert!(sizes.len() > 2 && sizes.iter().all(|size| (60_000..=65_536).contains(size)), "{sizes:?}");
}

/// Like [`local`], but remembers the first link as a known prefix. It applies if only letters and digits follow.
#[derive(Default)]
struct WithKnownPrefix {
    first: Option<(String, String)>,
}

impl LinkMap for WithKnownPrefix {
    fn map(&mut self, link: Link<'_>) -> Option<String> {
        let local = local(link)?;
        self.first.get_or_insert_with(|| (link.location.to_owned(), local.clone()));
        Some(local)
    }

    fn known_prefix(&self, value: &[u8]) -> Option<KnownPrefix<'_>> {
        let (prefix, replacement) = self.first.as_ref()?;
        let rest = value.strip_prefix(prefix.as_bytes())?;
        let rest_length = rest.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
        Some(KnownPrefix { length: prefix.len(), replacement, rest_length })
    }
}

#[test]
fn a_known_prefix_gives_the_same_output() {
    for rest in ["", "1", "12345", "(1)", "1?a=b", "1#a", "\\/1", "1\\u00fc", "&#x41;1", "/y", " ", "\n", "é"] {
        let json = format!(r#"{{"@odata.id":"{ADDRESS}","@odata.id":"{ADDRESS}{rest}","@odata.id":"{ADDRESS}"}}"#);
        let xml = format!("<a><address location='{ADDRESS}'/><address location=\"{ADDRESS}{rest}\"/></a>");
        for (document, body) in [(Document::Json, &json), (Document::JsonBatch, &json), (Document::Wsdl, &xml)] {
            let expected = rewritten_in_pieces(document, body.as_bytes(), &[], local);
            for cut in 0..body.len() {
                let out = rewritten_in_pieces(document, body.as_bytes(), &[cut], WithKnownPrefix::default());
                assert_eq!(out, expected, "{body} cut at {cut}");
            }
        }
    }
}

/// Tokens of all document formats, in random order.
fn token_soup() -> impl Strategy<Value = Vec<u8>> {
    let tokens = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\\\"",
        "\\\\",
        " ",
        "\n",
        "\"responses\":[{",
        "\"headers\":{",
        "\"location\":\"",
        "@odata.",
        "@odata.id",
        "\"@odata.id\":\"",
        "\"a@odata.nextLink\" : \"",
        "@",
        "@odata.@odata.id\"",
        "https://",
        "https:\\/\\/",
        "api.businesscentral.dynamics.com",
        "gateway.example:8443",
        ":443",
        "/v2.0/T/Production/x",
        "?",
        "#",
        "\\u00fc",
        "\\ud83d",
        "ü",
        ADDRESS,
        "<",
        ">",
        "/>",
        "<address location='",
        "<import location=\"",
        "'",
        "=",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "?>",
        "<feed",
        "<id>",
        "</id>",
        "<entry>",
        "</entry>",
        "<link href='",
        "&amp;",
        "&",
        ";",
        "&#x41;",
        "<d:id>",
    ]);
    let token = prop_oneof![
        8 => tokens.prop_map(|token| token.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    (
        prop::sample::select(vec!["", "{", "<a>", "<feed>", "{\"responses\":[{\"headers\":{"]),
        prop::collection::vec(token, 0..40),
    )
        .prop_map(|(beginning, tokens)| [beginning.as_bytes().to_vec(), tokens.concat()].concat())
}

fn cuts_of(body: &[u8], seeds: &[prop::sample::Index]) -> Vec<usize> {
    let mut cuts: Vec<_> = seeds.iter().map(|seed| seed.index(body.len() + 1)).collect();
    cuts.sort_unstable();
    cuts
}

/// Swaps two authorities. Applying it twice gives the original link.
fn swap(link: Link<'_>) -> Option<String> {
    let there = format!("https://{HOST}/");
    let back = "https://gateway.example:8443/local/";
    match (link.location.strip_prefix(&there), link.location.strip_prefix(back)) {
        (Some(rest), _) => Some(format!("{back}{rest}")),
        (_, Some(rest)) => Some(format!("{there}{rest}")),
        _ => None,
    }
}

/// The part of a link after its authority.
fn rest_of_link() -> impl Strategy<Value = String> {
    "[a-z/ü'()%0-9]{0,20}(\\?[a-z=&$?/ü]{0,20})?(#[a-z/#?]{0,9})?"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn cuts_change_nothing(body in token_soup(), seeds in prop::collection::vec(any::<prop::sample::Index>(), 0..9)) {
        for document in KINDS {
            let whole = rewritten_in_pieces(document, &body, &[], local);
            let in_pieces = rewritten_in_pieces(document, &body, &cuts_of(&body, &seeds), local);
            prop_assert_eq!(&whole, &in_pieces);
            let all: Vec<_> = (0..body.len()).collect();
            prop_assert_eq!(&whole, &rewritten_in_pieces(document, &body, &all, local));
        }
    }

    #[test]
    fn without_mapped_links_nothing_changes(
        body in prop_oneof![token_soup(), prop::collection::vec(any::<u8>(), 0..300)],
        seeds in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
    ) {
        for document in KINDS {
            prop_assert_eq!(&body, &rewritten_in_pieces(document, &body, &cuts_of(&body, &seeds), |_: Link<'_>| None));
        }
    }

    #[test]
    fn swapping_twice_restores_the_body(
        rests in prop::collection::vec((rest_of_link(), "[ -~ü]{0,40}", 0..4_u8), 0..9),
        seeds in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
    ) {
        let address = |rest: &str| format!("https://{HOST}/{rest}");
        let json_string = |text: &str| serde_json::to_string(text).unwrap();
        let json: Vec<_> = rests.iter().map(|(rest, data, style)| {
            let link = match style {
                0 => json_string(&address(rest)),
                1 => json_string(&address(rest)).replace('/', r"\/"),
                2 => json_string(&address(rest)).replace('ü', r"\u00fc").replace('&', r"\u0026"),
                _ => json_string(&address(rest)).replace('/', r"\u002F").replace('ü', r"\u00FC"),
            };
            format!(r#"{{"x@odata.id":{link},"data":{},"more":{}}}"#, json_string(data), json_string(&format!("\"@odata.id\":{link}")))
        }).collect();
        let json = format!("{{\"value\":[{}]}}", json.join(","));
        let xml_text = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;");
        let xml: Vec<_> = rests.iter().map(|(rest, data, _)| {
            let (link, data) = (xml_text(&address(rest)), xml_text(data));
            format!("<entry><id>{link}</id><link href='{link}'/><content><d:id>{link} {data}</d:id></content></entry><!--<id>{link}</id>-->")
        }).collect();
        let xml = format!("<feed>{}</feed>", xml.concat());
        for (document, body) in [(Document::Json, &json), (Document::JsonBatch, &json), (Document::Atom, &xml)] {
            let there = rewritten_in_pieces(document, body.as_bytes(), &cuts_of(body.as_bytes(), &seeds), swap);
            prop_assert!(rests.is_empty() || there != body.as_bytes());
            let back = rewritten_in_pieces(document, &there, &cuts_of(&there, &seeds), swap);
            prop_assert_eq!(body, &String::from_utf8(back).unwrap());
        }
    }
}
