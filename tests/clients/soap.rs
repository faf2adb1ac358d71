//! SOAP clients: WSDL through the proxy, then calls to where the WSDL says.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::rig::{Plan, Rig};
use crate::{NAME, assert_only_the_proxy_was_called, count, customers, report};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python zeep"]
async fn zeep_reads_writes_and_calls_what_the_wsdl_describes() {
    program_works("python3", "python_zeep.py").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs php-soap"]
async fn phps_soap_client_reads_writes_and_calls_what_the_wsdl_describes() {
    program_works("php", "php_soap.php").await;
}

async fn program_works(interpreter: &str, script: &str) {
    for company in ["CRONUS International Ltd.", "Müller & Söhne's Großhandel"] {
        let in_path = utf8_percent_encode(company, NON_ALPHANUMERIC);
        for root in ["/soap".to_owned(), "/nav/BC/WS".to_owned(), format!("/nav/BC/WS/{in_path}")] {
            let rig = Plan::default().connector(&format!("company: \"{company}\"")).start().await;
            let base = format!("http://{}{root}", rig.address());
            let [page, codeunit] = ["Page/Customer", "Codeunit/Tools"].map(|service| format!("{base}/{service}?wsdl"));
            let report = report(interpreter, &[script, &page, &codeunit, NAME]).await;
            assert_it_saw_and_did_everything(&rig, company, &report).await;
        }
    }
}

async fn assert_it_saw_and_did_everything(rig: &Rig, company: &str, report: &Value) {
    assert_only_the_proxy_was_called(rig, &report["addresses"]);
    let business_central = rig.simulator.business_central();
    assert_eq!(business_central.writes(), 4, "created, updated, deleted, and an order posted");
    assert_eq!(business_central.customers(company), Some(rig.simulator.settings().customers));
    assert_eq!((business_central.codeunit_calls("Echo"), business_central.codeunit_calls("PostOrder")), (1, 1));
    for (operation, times) in
        [("Read", 3), ("ReadMultiple", 4), ("Create", 1), ("Update", 1), ("Delete", 1), ("Echo", 1), ("PostOrder", 1)]
    {
        let action = format!(":{operation}\"");
        let is_it = |value: &hyper::header::HeaderValue| value.to_str().unwrap().ends_with(&action);
        assert_eq!(count(rig, |received| received.headers.get("soapaction").is_some_and(is_it)), times, "{operation}");
    }
    // Schemas the codeunit's WSDL imports, and those these include.
    for schema in ["xsd0", "xsd1"] {
        assert!(count(rig, |received| received.target.ends_with(&format!("?xsd={schema}"))) > 0, "{schema}");
    }

    let known = customers(rig, &["number", "displayName", "website", "note"]).await;
    let without_empty = |row: &Value| row.as_array().unwrap().iter().map(or_null).collect::<Value>();
    let known: Vec<Value> = known.iter().take(25).map(without_empty).collect();
    assert_eq!(report["customers"], json!(known));
    assert_eq!(report["read"], known[2]);
    let cloud = &known[1][2];
    assert!(cloud.as_str().unwrap().starts_with(rig.simulator.base_url()));
    assert_eq!(report["created"], json!(["NEW-1", NAME, cloud, null]));
    assert_eq!(report["updated"], json!(["NEW-1", format!("{NAME}!"), cloud, null]));
    assert_eq!((&report["deleted"], &report["gone"]), (&json!(true), &json!(true)));
    assert_eq!(report["echo"], NAME);
    assert_eq!(report["posted"], "PS-INV103001");
}

/// SOAP leaves empty fields out.
fn or_null(value: &Value) -> Value {
    if value == "" { Value::Null } else { value.clone() }
}
