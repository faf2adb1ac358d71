//! One document of each kind with every type of link, and data that looks like links.

use std::cell::RefCell;

use super::*;

const JSON: &str = r#"{
  "@odata.context": "https://api.businesscentral.dynamics.com/v2.0/T/Production/api/v2.0/$metadata#companies(1)/customers",
  "value": [
    {
      "@odata.etag": "W/\"JzQ0O0FwaTtodHRwczovL2FwaS5idXNpbmVzc2NlbnRyYWw=\"",
      "@odata.id":"https://api.businesscentral.dynamics.com/v2.0/T/Production/api/v2.0/companies(1)/customers(2)",
      "@odata.editLink":"https:\/\/api.businesscentral.dynamics.com\/v2.0\/T\/Production\/api\/v2.0\/customers(2)",
      "@odata.readLink" : "HTTPS://API.BusinessCentral.dynamics.com/v2.0/T/Production/x",
      "@odata.type": "https://api.businesscentral.dynamics.com/v2.0/T/Production/no/link",
      "number": "10000",
      "website": "https://api.businesscentral.dynamics.com/v2.0/T/Production/api/v2.0/customers",
      "displayName": "\"@odata.nextLink\":\"https://api.businesscentral.dynamics.com/v2.0/T/Production/x\"",
      "note": "\\\"@odata.id\":\"https://api.businesscentral.dynamics.com/v2.0/T/Production/x",
      "quoted": "@odata.id", "blob": ["@odata.id","https://api.businesscentral.dynamics.com/v2.0/T/Production/x"],
      "odata.id": "https://api.businesscentral.dynamics.com/v2.0/T/Production/x",
      "@odata.idea": "https://api.businesscentral.dynamics.com/v2.0/T/Production/x",
      "backslash\\": "@odata.id",
      "picture@odata.mediaReadLink":"https://api.businesscentral.dynamics.com/v2.0/T/Production/p(1)/content",
      "picture@odata.mediaEditLink":"https://api.businesscentral.dynamics.com/v2.0/T/Production/p(1)?a=b\u0026c",
      "picture": {"lines@odata.navigationLink":"https://api.businesscentral.dynamics.com:443/v2.0/T/Production/p",
                  "lines@odata.associationLink":"https://gateway.example:8443/v2.0/T/Production/p"},
      "a@odata.id":"see https://api.businesscentral.dynamics.com/v2.0/T/Production/x",
      "b@odata.id":"http://api.businesscentral.dynamics.com/v2.0/T/Production/x",
      "c@odata.id":"https://api.businesscentral.dynamics.com.evil.example/v2.0/T/Production/x",
      "d@odata.id":"https://api.businesscentral.dynamics.com@evil.example/v2.0/T/Production/x",
      "e@odata.id":"https://api.businesscentral.dynamics.com:4433/v2.0/T/Production/x",
      "f@odata.id":"https://api.businesscentral.dynamics.com/v2.0/T/Sandbox/x",
      "g@odata.id":null, "h@odata.id":{"website":"https://api.businesscentral.dynamics.com/v2.0/T/Production/x"}
    }
  ],
  "@odata.deltaLink"
    :
    "https://api.businesscentral.dynamics.com/v2.0/T/Production/delta",
  "@odata.nextLink":"https://api.businesscentral.dynamics.com/v2.0/T/Production/ODataV4/Company('M\u00fcller %26 Co')/C?company=x&aid=FIN&$skiptoken=https://api.businesscentral.dynamics.com/v2.0/T/Production"
}"#;

const JSON_LOCAL: &str = r#"{
  "@odata.context": "http://erp:8080/bc/api/v2.0/$metadata#companies(1)/customers",
  "value": [
    {
      "@odata.etag": "W/\"JzQ0O0FwaTtodHRwczovL2FwaS5idXNpbmVzc2NlbnRyYWw=\"",
      "@odata.id":"http://erp:8080/bc/api/v2.0/companies(1)/customers(2)",
      "@odata.editLink":"http:\/\/erp:8080\/bc\/api\/v2.0\/customers(2)",
      "@odata.readLink" : "http://erp:8080/bc/x",
      "@odata.type": "https://api.businesscentral.dynamics.com/v2.0/T/Production/no/link",
      "number": "10000",
      "website": "https://api.businesscentral.dynamics.com/v2.0/T/Production/api/v2.0/customers",
      "displayName": "\"@odata.nextLink\":\"https://api.businesscentral.dynamics.com/v2.0/T/Production/x\"",
      "note": "\\\"@odata.id\":\"https://api.businesscentral.dynamics.com/v2.0/T/Production/x",
      "quoted": "@odata.id", "blob": ["@odata.id","https://api.businesscentral.dynamics.com/v2.0/T/Production/x"],
      "odata.id": "https://api.businesscentral.dynamics.com/v2.0/T/Production/x",
      "@odata.idea": "https://api.businesscentral.dynamics.com/v2.0/T/Production/x",
      "backslash\\": "@odata.id",
      "picture@odata.mediaReadLink":"http://erp:8080/bc/p(1)/content",
      "picture@odata.mediaEditLink":"http://erp:8080/bc/p(1)?a=b\u0026c",
      "picture": {"lines@odata.navigationLink":"http://erp:8080/bc/p",
                  "lines@odata.associationLink":"http://erp:8080/bc/p"},
      "a@odata.id":"see https://api.businesscentral.dynamics.com/v2.0/T/Production/x",
      "b@odata.id":"http://api.businesscentral.dynamics.com/v2.0/T/Production/x",
      "c@odata.id":"https://api.businesscentral.dynamics.com.evil.example/v2.0/T/Production/x",
      "d@odata.id":"https://api.businesscentral.dynamics.com@evil.example/v2.0/T/Production/x",
      "e@odata.id":"https://api.businesscentral.dynamics.com:4433/v2.0/T/Production/x",
      "f@odata.id":"https://api.businesscentral.dynamics.com/v2.0/T/Sandbox/x",
      "g@odata.id":null, "h@odata.id":{"website":"https://api.businesscentral.dynamics.com/v2.0/T/Production/x"}
    }
  ],
  "@odata.deltaLink"
    :
    "http://erp:8080/bc/delta",
  "@odata.nextLink":"http://erp:8080/bc/ODataV4/Company('M\u00fcller %26 Co')/C?company=x&aid=FIN&$skiptoken=https://api.businesscentral.dynamics.com/v2.0/T/Production"
}"#;

#[test]
fn json_links_are_in_annotations_only() {
    check(Document::Json, JSON, JSON_LOCAL);
}

#[test]
fn the_batch_scanner_finds_the_same_links() {
    check(Document::JsonBatch, JSON, JSON_LOCAL);
}

#[test]
fn batch_links_are_also_in_the_headers_of_parts() {
    let body = r#"{"responses":[
 {"id":"1","status":201,"headers":{"location":"https://api.businesscentral.dynamics.com/v2.0/T/Production/a","Content-Location":"https:\/\/api.businesscentral.dynamics.com\/v2.0\/T\/Production\/b",
  "ODATA-ENTITYID":"https://api.businesscentral.dynamics.com/v2.0/T/Production/c","x-location":"https://api.businesscentral.dynamics.com/v2.0/T/Production/d",
  "more":{"location":"https://api.businesscentral.dynamics.com/v2.0/T/Production/e"},"list":["location","https://api.businesscentral.dynamics.com/v2.0/T/Production/f"]},
  "body":{"@odata.context":"https://api.businesscentral.dynamics.com/v2.0/T/Production/$metadata#x","location":"https://api.businesscentral.dynamics.com/v2.0/T/Production/g",
   "headers":{"location":"https://api.businesscentral.dynamics.com/v2.0/T/Production/h"},
   "responses":[{"headers":{"location":"https://api.businesscentral.dynamics.com/v2.0/T/Production/i"}}],
   "text":"{\"responses\":[{\"headers\":{\"location\":\"https://api.businesscentral.dynamics.com/v2.0/T/Production/j\"}}]}"},
  "location":"https://api.businesscentral.dynamics.com/v2.0/T/Production/k"},
 [{"headers":{"location":"https://api.businesscentral.dynamics.com/v2.0/T/Production/l"}}],
 {"headers":[{"location":"https://api.businesscentral.dynamics.com/v2.0/T/Production/m"}]},
 {"body":"x","headers" : { "LOCATION" : "https://api.businesscentral.dynamics.com/v2.0/T/Production/n" } }],
 "headers":{"location":"https://api.businesscentral.dynamics.com/v2.0/T/Production/o"},
 "other":[{"headers":{"location":"https://api.businesscentral.dynamics.com/v2.0/T/Production/p"}}]}"#;
    let mut expected = body.to_owned();
    for (found, replaced) in [
        ("https://api.businesscentral.dynamics.com/v2.0/T/Production/a", "http://erp:8080/bc/a"),
        (r"https:\/\/api.businesscentral.dynamics.com\/v2.0\/T\/Production\/b", r"http:\/\/erp:8080\/bc\/b"),
        ("https://api.businesscentral.dynamics.com/v2.0/T/Production/c", "http://erp:8080/bc/c"),
        ("https://api.businesscentral.dynamics.com/v2.0/T/Production/$metadata", "http://erp:8080/bc/$metadata"),
        ("https://api.businesscentral.dynamics.com/v2.0/T/Production/n", "http://erp:8080/bc/n"),
    ] {
        assert_eq!(expected.matches(found).count(), 1);
        expected = expected.replace(found, replaced);
    }
    check(Document::JsonBatch, body, &expected);
}

#[test]
fn wsdl_links_are_services_and_imports() {
    check(
        Document::Wsdl,
        r#"<?xml version="1.0" encoding="utf-8"?><?note <address location="https://api.businesscentral.dynamics.com/v2.0/T/Production/1"/> ?>
<definitions xmlns="https://api.businesscentral.dynamics.com/v2.0/T/Production/ns" targetNamespace="https://api.businesscentral.dynamics.com/v2.0/T/Production/ns"
  xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" location='https://api.businesscentral.dynamics.com/v2.0/T/Production/2'>
  <!-- <soap:address location="https://api.businesscentral.dynamics.com/v2.0/T/Production/3"/> -- > --->
  <documentation>location="https://api.businesscentral.dynamics.com/v2.0/T/Production/4" &lt;soap:address location="https://api.businesscentral.dynamics.com/v2.0/T/Production/5"/&gt;
    <![CDATA[ <soap:address location="https://api.businesscentral.dynamics.com/v2.0/T/Production/6"/> ]] > ]]></documentation>
  <import namespace="https://api.businesscentral.dynamics.com/v2.0/T/Production/7" location='https://api.businesscentral.dynamics.com/v2.0/T/Production/WS/C/a?x=1&amp;y="2"'/>
  <xsd:import xsi:schemaLocation="https://api.businesscentral.dynamics.com/v2.0/T/Production/8" schemaLocation = "https://api.businesscentral.dynamics.com/v2.0/T/Production/WS/O'Neil%20&amp;%20Co/b"></xsd:import>
  <xsd:include schemaLocation="
    https://api.businesscentral.dynamics.com/v2.0/T/Production/c " />
  <port name="a > b" x='<soap:address location="https://api.businesscentral.dynamics.com/v2.0/T/Production/9"/>'/></definitions>"#,
        r#"<?xml version="1.0" encoding="utf-8"?><?note <address location="https://api.businesscentral.dynamics.com/v2.0/T/Production/1"/> ?>
<definitions xmlns="https://api.businesscentral.dynamics.com/v2.0/T/Production/ns" targetNamespace="https://api.businesscentral.dynamics.com/v2.0/T/Production/ns"
  xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" location='https://api.businesscentral.dynamics.com/v2.0/T/Production/2'>
  <!-- <soap:address location="https://api.businesscentral.dynamics.com/v2.0/T/Production/3"/> -- > --->
  <documentation>location="https://api.businesscentral.dynamics.com/v2.0/T/Production/4" &lt;soap:address location="https://api.businesscentral.dynamics.com/v2.0/T/Production/5"/&gt;
    <![CDATA[ <soap:address location="https://api.businesscentral.dynamics.com/v2.0/T/Production/6"/> ]] > ]]></documentation>
  <import namespace="https://api.businesscentral.dynamics.com/v2.0/T/Production/7" location='http://erp:8080/bc/WS/C/a?x=1&amp;y="2"'/>
  <xsd:import xsi:schemaLocation="https://api.businesscentral.dynamics.com/v2.0/T/Production/8" schemaLocation = "http://erp:8080/bc/WS/O'Neil%20&amp;%20Co/b"></xsd:import>
  <xsd:include schemaLocation="
    http://erp:8080/bc/c " />
  <port name="a > b" x='<soap:address location="https://api.businesscentral.dynamics.com/v2.0/T/Production/9"/>'/></definitions>"#,
    );
}

#[test]
fn services_are_found_by_their_local_name() {
    for name in ["address", "soap:address", "soap12:address", "x:address"] {
        let document = |at: &str| format!("<d><port><{name} a='b' location=\"{at}\" xmlns=\"urn:x\"/></port></d>");
        check(
            Document::Wsdl,
            &document("https://api.businesscentral.dynamics.com/v2.0/T/Production/WS/C/Page/Customer"),
            &document("http://erp:8080/bc/WS/C/Page/Customer"),
        );
    }
}

#[test]
fn discovery_links_may_contain_unescaped_spaces() {
    check(
        Document::Wsdl,
        r#"<discovery xmlns="http://schemas.xmlsoap.org/disco/"><contractRef xmlns="http://schemas.xmlsoap.org/disco/scl/" ref="https://api.businesscentral.dynamics.com/v2.0/T/Production/WS/CRONUS International Ltd/Page/Customer" docRef='https://api.businesscentral.dynamics.com/v2.0/T/Production/WS/M&#252;ller &lt;Ä&gt;/Page/X' />
<discoveryRef ref="https://api.businesscentral.dynamics.com/v2.0/T/Production/a"/><s:schemaRef ref="https://api.businesscentral.dynamics.com/v2.0/T/Production/b"/><other ref="https://api.businesscentral.dynamics.com/v2.0/T/Production/c"/></discovery>"#,
        r#"<discovery xmlns="http://schemas.xmlsoap.org/disco/"><contractRef xmlns="http://schemas.xmlsoap.org/disco/scl/" ref="http://erp:8080/bc/WS/CRONUS International Ltd/Page/Customer" docRef='http://erp:8080/bc/WS/M&#xFC;ller &lt;&#xC4;&gt;/Page/X' />
<discoveryRef ref="http://erp:8080/bc/a"/><s:schemaRef ref="http://erp:8080/bc/b"/><other ref="https://api.businesscentral.dynamics.com/v2.0/T/Production/c"/></discovery>"#,
    );
}

#[test]
fn a_real_wsdl_has_one_link() {
    // As real documents are written: on one line, with the namespace after the address.
    let real = |at: &str| {
        format!(
            r#"<service name="RF_Functions"><port name="RF_Functions_Port" binding="tns:RF_Functions_Binding"><address location="{at}" xmlns="http://schemas.xmlsoap.org/wsdl/soap/"/></port></service></definitions>"#
        )
    };
    check(
        Document::Wsdl,
        &real("https://api.businesscentral.dynamics.com:443/v2.0/T/Production/WS/Test%20-%20V3/Codeunit/RF_Functions"),
        &real("http://erp:8080/bc/WS/Test%20-%20V3/Codeunit/RF_Functions"),
    );
}

#[test]
fn atom_links_are_bases_links_media_and_ids() {
    let body = r#"<?xml version="1.0"?><feed xml:base="https://api.businesscentral.dynamics.com/v2.0/T/Production/0/" xmlns="http://www.w3.org/2005/Atom" xmlns:d="x" xmlns:m="y">
<title type="text">https://api.businesscentral.dynamics.com/v2.0/T/Production/n1</title><id>
 https://api.businesscentral.dynamics.com/v2.0/T/Production/1
</id><link rel="self" title="Customer" href="https://api.businesscentral.dynamics.com/v2.0/T/Production/2?a&amp;b" />
<entry><id>https://api.businesscentral.dynamics.com/v2.0/T/Production/3</id><author><id>https://api.businesscentral.dynamics.com/v2.0/T/Production/n2</id><name/></author>
<link rel="x" href='https://api.businesscentral.dynamics.com/v2.0/T/Production/4'><m:inline><entry><id>https://api.businesscentral.dynamics.com/v2.0/T/Production/5</id></entry></m:inline></link>
<content type="image/png" src="https://api.businesscentral.dynamics.com/v2.0/T/Production/6"/>
<content type="application/xml"><m:properties xml:base="https://api.businesscentral.dynamics.com/v2.0/T/Production/n3"><d:id>https://api.businesscentral.dynamics.com/v2.0/T/Production/n4</d:id>
<d:feed><d:id>https://api.businesscentral.dynamics.com/v2.0/T/Production/n5</d:id></d:feed><entry><id>https://api.businesscentral.dynamics.com/v2.0/T/Production/n6</id><link href="https://api.businesscentral.dynamics.com/v2.0/T/Production/n7"/></entry>
<d:Home_Page>&lt;link href="https://api.businesscentral.dynamics.com/v2.0/T/Production/n8"/&gt;</d:Home_Page></m:properties></content>
<d:id>https://api.businesscentral.dynamics.com/v2.0/T/Production/n9</d:id><id><![CDATA[https://api.businesscentral.dynamics.com/v2.0/T/Production/n10]]></id></entry>
<link rel="next" href="https://api.businesscentral.dynamics.com/v2.0/T/Production/7?$skiptoken=1"/></feed><entry><id>https://api.businesscentral.dynamics.com/v2.0/T/Production/n11</id></entry>"#;
    let mut expected = body.to_owned();
    for number in 0..=7 {
        expected = expected.replace(
            &format!("https://api.businesscentral.dynamics.com/v2.0/T/Production/{number}"),
            &format!("http://erp:8080/bc/{number}"),
        );
    }
    check(Document::Atom, body, &expected);
}

#[test]
fn an_atom_service_document_links_its_collections() {
    check(
        Document::Atom,
        r#"<app:service xml:base="https://gateway.example:8443/v2.0/T/Production/a" xmlns:app="x"><app:workspace><app:collection href="https://api.businesscentral.dynamics.com/v2.0/T/Production/b"><a:title>c</a:title></app:collection></app:workspace></app:service>"#,
        r#"<app:service xml:base="http://erp:8080/bc/a" xmlns:app="x"><app:workspace><app:collection href="http://erp:8080/bc/b"><a:title>c</a:title></app:collection></app:workspace></app:service>"#,
    );
    // A property requested on its own is data.
    check_unchanged(
        Document::Atom,
        r#"<d:id xmlns:d="x">https://api.businesscentral.dynamics.com/v2.0/T/Production/b</d:id>"#,
    );
}

#[test]
fn the_map_gets_unescaped_links() {
    let seen = RefCell::new(Vec::new());
    let note = |link: Link<'_>| {
        seen.borrow_mut().push(format!("{} | {} | {:?}", link.location, link.path, link.query));
        None
    };
    let json = br##"{"@odata.id":"https:\u002f\/gateway.example:8443","@odata.id":"https://api.businesscentral.dynamics.com:443/M\u00fcller\ud83d\ude00?a=\u0026\"#b?c","@odata.id":"https://api.businesscentral.dynamics.com#x?y"}"##;
    rewritten_in_pieces(Document::Json, json, &[], &note);
    let xml = br#"<import location="https://api.businesscentral.dynamics.com/&#252;&#xfc;&apos;?a&amp;b "/>"#;
    rewritten_in_pieces(Document::Wsdl, xml, &[], &note);
    assert_eq!(
        *seen.borrow(),
        [
            "https://gateway.example:8443 |  | None",
            "https://api.businesscentral.dynamics.com:443/Müller😀 | /Müller😀 | Some(\"a=&\\\"\")",
            "https://api.businesscentral.dynamics.com |  | None",
            "https://api.businesscentral.dynamics.com/üü' | /üü' | Some(\"a&b\")",
        ]
    );
}

#[test]
fn the_replacement_is_escaped_like_the_original() {
    let replace = |document, body: &str, with: &str| {
        let out = rewritten_in_pieces(document, body.as_bytes(), &[], |_: Link<'_>| Some(with.to_owned()));
        String::from_utf8(out).unwrap()
    };
    for (found, written) in [
        (r"https://gateway.example:8443/a", r#"/a&'ü\"\\😀"#),
        (r"https:\/\/gateway.example:8443/a", r#"\/a&'ü\"\\😀"#),
        (r"https:\u002F\u002Fgateway.example:8443\u0026", r#"\u002Fa\u0026'ü\"\\😀"#),
        (r"https://gateway.example:8443/\u00fc\u0027", r#"/a&\u0027\u00fc\"\\\ud83d\ude00"#),
        (r"https://gateway.example:8443/\u00FC", r#"/a&'\u00FC\"\\\uD83D\uDE00"#),
    ] {
        let body = |value: &str| format!(r#"{{"@odata.id":"{value}"}}"#);
        let authority_ends = found.replace(r"8443\u0026", r"8443/\u0026");
        assert_eq!(replace(Document::Json, &body(&authority_ends), "/a&'ü\"\\😀"), body(written));
    }
    for (found, written) in [
        (r#""https://gateway.example:8443/""#, r#""/a&amp;'ü&quot;&lt;&gt;""#),
        (r#"'https://gateway.example:8443/'"#, r#"'/a&amp;&apos;ü"&lt;&gt;'"#),
        (r#""https://gateway.example:8443/&#252;&apos;""#, r#""/a&amp;&apos;&#xFC;&quot;&lt;&gt;""#),
    ] {
        let body = |value: &str| format!("<include schemaLocation={value}/>");
        assert_eq!(replace(Document::Wsdl, &body(found), "/a&'ü\"<>"), body(written));
    }
}
