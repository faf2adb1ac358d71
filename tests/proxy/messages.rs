//! What old programs write into their messages beside the body: it arrives as they wrote it, or, where it concerns one
//! connection, not at all.

use hyper::StatusCode;

use crate::rig::{Rig, SOAP_ECHO};
use crate::wire::Wire;

const XML: &str = "text/xml; charset=utf-8";

#[tokio::test]
async fn a_soap_action_arrives_byte_for_byte_in_every_spelling() {
    let rig = Rig::new().await;
    for (line, value) in [
        (
            &b"SOAPAction: \"urn:microsoft-dynamics-schemas/codeunit/Tools:Echo\""[..],
            &b"\"urn:microsoft-dynamics-schemas/codeunit/Tools:Echo\""[..],
        ),
        (
            b"soapaction:urn:microsoft-dynamics-schemas/codeunit/Tools:Echo",
            b"urn:microsoft-dynamics-schemas/codeunit/Tools:Echo",
        ),
        (b"SOAPACTION:   #Echo  ", b"#Echo"),
        (b"SoapAction: \"\"", b"\"\""),
        (b"SOAPAction:", b""),
        (b"SOAPAction: 'two words'", b"'two words'"),
        (b"SOAPAction: \"Gr\xF6\xDFe\"", b"\"Gr\xF6\xDFe\""),
    ] {
        let mut client = Wire::connect(rig.address()).await;
        let head = format!(
            "POST /soap/Codeunit/Tools HTTP/1.1\r\nHost: erp\r\nContent-Type: {XML}\r\nContent-Length: {}\r\n",
            SOAP_ECHO.len()
        );
        client.send([head.as_bytes(), line, b"\r\n\r\n", SOAP_ECHO.as_bytes()].concat()).await;
        let (head, _) = client.response().await;
        let spelling = String::from_utf8_lossy(line);
        assert_eq!((head.status(), head.header("content-type")), (StatusCode::OK, Some(XML)), "{spelling}");
        let received = rig.received().pop().unwrap();
        let values: Vec<&[u8]> = received.headers.get_all("soapaction").iter().map(|value| value.as_bytes()).collect();
        assert_eq!(values, [value], "{spelling}");
        assert_eq!(received.body, SOAP_ECHO.as_bytes());
    }
}

#[tokio::test]
async fn what_concerns_one_connection_is_dropped_though_connection_does_not_name_it() {
    let rig = Rig::new().await;
    let dropped = [
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABk"),
        ("Keep-Alive", "300"),
        ("Proxy-Connection", "keep-alive"),
        ("Method", "POST"),
    ];
    let lines: String = dropped.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut client = Wire::connect(rig.address()).await;
    client.send(format!("GET /api/customers?$top=1 HTTP/1.1\r\nHost: erp\r\nX-Custom: 1\r\n{lines}\r\n")).await;
    assert_eq!(client.response().await.0.status(), StatusCode::OK);
    let received = rig.received().pop().unwrap();
    assert_eq!((received.method.as_str(), received.headers["x-custom"].as_bytes()), ("GET", &b"1"[..]));
    for (name, _) in dropped {
        assert!(!received.headers.contains_key(name), "{name}: {:?}", received.headers);
    }
}

#[tokio::test]
async fn a_program_that_knows_no_compression_gets_none_however_it_says_so() {
    let rig = Rig::new().await;
    for line in [
        "Accept-Encoding: none\r\n",
        "Accept-Encoding: identity\r\n",
        "Accept-Encoding:\r\n",
        "Accept-Encoding: gzip;q=0\r\n",
        "",
    ] {
        let mut client = Wire::connect(rig.address()).await;
        client.send(format!("GET /soap/Page/Customer?wsdl HTTP/1.1\r\nHost: erp\r\n{line}\r\n")).await;
        let (head, body) = client.response().await;
        assert_eq!((head.status(), head.header("content-encoding")), (StatusCode::OK, None), "{line}");
        assert_eq!(head.header("content-type"), Some(XML), "{line}");
        assert!(String::from_utf8_lossy(&body).contains("location=\"http://erp/soap/"), "{line}");
    }
}
