//! What an administrator finds out from the admin listener besides the status: the configuration in service, and which
//! set-up step is wrong.

use hyper::Method;

use crate::rig::{ClientResponse, Plan, Rig, send};
use crate::status::AdminRig;

async fn doctor(admin: &AdminRig, form: &str) -> ClientResponse {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    send(admin.address, Method::POST, "/doctor", &headers, form.to_owned()).await
}

#[tokio::test]
async fn the_configuration_in_service_is_shown_without_comments_and_secrets() {
    let rig = Plan::default().top("# hunter2: ask Anna\nlog: { requests: true } # hunter2").start().await;
    let admin = AdminRig::of(&rig).await;
    let shown = admin.ask("/configuration").await;
    assert_eq!(
        (shown.status.as_u16(), shown.headers["content-type"].to_str().unwrap()),
        (200, "text/plain; charset=utf-8")
    );
    let text = shown.text();
    assert!(text.contains("log: { requests: true }\n") && text.contains("  cronus:\n"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("Anna") && !text.contains("secret.txt"), "{text}");
    assert_eq!(send(admin.address, Method::POST, "/configuration", &[], "").await.status, 405);
}

#[tokio::test]
async fn the_service_checks_the_set_up_of_one_connector_or_of_all() {
    let routes = "routes: [ { path: /a, to: api/v2.0, connector: cronus }, { path: /b, to: odata, connector: other } ]";
    let rig = Plan::default().another_connector("other", &["company: Nowhere"]).top(routes).start().await;
    let admin = AdminRig::of(&rig).await;
    let one = doctor(&admin, "connector=cronus").await;
    let text = one.text();
    assert!(one.status == 200 && text.starts_with("cronus\n") && text.contains("  ✓  8. Credential"), "{text}");
    assert!(text.contains("The set-up works.") && !text.contains('✗') && !text.contains("other\n"), "{text}");

    let all = doctor(&admin, "").await.text();
    let (first, second) = (all.find("cronus\n").unwrap(), all.find("other\n").unwrap());
    assert!(first != second && all.contains("✗ 15. Company") && all.contains("→ "), "{all}");
    let unknown = doctor(&admin, "connector=none").await;
    assert_eq!((unknown.status.as_u16(), unknown.text().trim_end()), (404, "No connector has this name."));
    assert_eq!(admin.ask("/doctor").await.status, 405);
}

#[tokio::test]
async fn a_web_page_can_start_no_checks() {
    let rig = Rig::new().await;
    let admin = AdminRig::of(&rig).await;
    let asked = rig.received().len();
    for origin in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")] {
        let headers = [("content-type", "application/x-www-form-urlencoded"), origin];
        let response = send(admin.address, Method::POST, "/doctor", &headers, "connector=cronus").await;
        assert_eq!(response.status, 403, "{origin:?}");
    }
    assert_eq!(rig.received().len(), asked);
}
