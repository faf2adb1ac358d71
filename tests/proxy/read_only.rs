//! Routes that only read: nothing that may change data reaches Business Central.

use hyper::Method;
use serde_json::json;

use crate::rig::{ClientResponse, Plan, Rig};

async fn read_only() -> Rig {
    let routes = "routes:
  - { path: /api, to: api/v2.0, read_only: true }
  - { path: /odata, to: odata, read_only: true }
  - { path: /soap, to: soap, read_only: true }
  - { path: /nav, to: nav, read_only: true }
  - { path: /all, to: environment, read_only: true }";
    Plan::default().top(routes).start().await
}

async fn call(rig: &Rig, path: &str, namespace: &str, operation: &str) -> ClientResponse {
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <{operation} xmlns=\"urn:microsoft-dynamics-schemas/{namespace}\"/></s:Body></s:Envelope>"
    );
    let headers = [("content-type", "text/xml; charset=utf-8"), ("soapaction", "\"\"")];
    rig.send(Method::POST, path, &headers, envelope).await
}

async fn batch(rig: &Rig, parts: serde_json::Value) -> ClientResponse {
    rig.post_json("/api/$batch", &json!({ "requests": parts }).to_string()).await
}

fn assert_rejected(response: ClientResponse, what: &str) {
    let rejection = response.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (403, "Proxy_NotAllowed"), "{what}");
    assert!(rejection.message.contains("`read_only` in proxy.yaml"), "{what}: {}", rejection.message);
}

#[tokio::test]
async fn what_reads_passes() {
    let rig = read_only().await;
    for path in ["/api/customers", "/odata/$metadata", "/nav/BC/api/v2.0/customers", "/soap/Page/Customer"] {
        assert_eq!(rig.get(path).await.status, 200, "{path}");
    }
    assert_eq!(rig.send(Method::HEAD, "/api/customers", &[], "").await.status, 200);
    for operation in ["Read", "ReadByRecId", "ReadMultiple", "IsUpdated", "GetRecIdFromKey"] {
        let sent = rig.received().len();
        call(&rig, "/soap/Page/Customer", "page/customer", operation).await;
        assert_eq!(rig.received().len(), sent + 1, "{operation}");
    }
    assert_eq!(call(&rig, "/soap/SystemService", "nav/system/", "Companies").await.status, 200);
    let parts = json!([
        { "id": "1", "method": "GET", "url": "customers" }, { "id": "2", "method": "get", "url": "items" }
    ]);
    assert_eq!(batch(&rig, parts).await.status, 200);
}

#[tokio::test]
async fn what_may_change_data_is_rejected_and_nothing_of_it_sent() {
    let rig = read_only().await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for path in ["/api/customers", "/odata/Tools_Echo", "/nav/BC/ODataV4/Customer", "/all/api/v2.0/customers"] {
            assert_rejected(rig.send(method.clone(), path, &[], "{}").await, &format!("{method} {path}"));
        }
    }
    for hidden in ["x-http-method", "x-http-method-override", "x-method-override"] {
        for path in ["/api/customers", "/api/$batch"] {
            assert_rejected(rig.send(Method::POST, path, &[(hidden, "DELETE")], "{}").await, hidden);
        }
        let hiding = json!([{ "id": "1", "method": "GET", "url": "customers", "headers": { hidden: "PATCH" } }]);
        assert_rejected(batch(&rig, hiding).await, hidden);
    }
    for parts in [
        json!([{ "id": "1", "method": "GET", "url": "customers" }, { "id": "2", "method": "POST", "url": "items", "body": {} }]),
        json!([{ "id": "1", "method": "GET", "url": "customers" }, { "id": "2", "method": "DELETE", "url": "$1" }]),
    ] {
        assert_rejected(batch(&rig, parts.clone()).await, &parts.to_string());
    }
    for operation in ["Create", "Update", "Delete", "read", "UpdateMultiple"] {
        assert_rejected(call(&rig, "/soap/Page/Customer", "page/customer", operation).await, operation);
    }
    assert_rejected(call(&rig, "/soap/Page/Customer", "codeunit/Tools", "Read").await, "another namespace");
    assert_rejected(call(&rig, "/soap/Codeunit/Tools", "codeunit/Tools", "Read").await, "a codeunit");
    assert_rejected(call(&rig, "/nav/BC/WS/CRONUS/Page/Customer", "page/customer", "Create").await, "nav");
    assert_rejected(rig.send(Method::POST, "/soap/Page/Customer", &[], vec![b' '; 100 << 10]).await, "a large call");
    assert!(rig.received().is_empty());
}
