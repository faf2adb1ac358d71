//! The automation API of Business Central, which manages the whole environment.

use crate::rig::Plan;

#[tokio::test]
async fn the_automation_api_needs_its_key_on_a_nav_route_kept_to_a_company() {
    let routes = "routes:
  - { path: /kept, to: nav, connector: cronus }
  - { path: /key, to: nav, connector: cronus, automation: true }
  - { path: /open, to: nav, connector: open }";
    let rig = Plan::default().another_connector("open", &["company: -"]).top(routes).start().await;
    let own = rig.simulator.settings().companies[0].id;
    let automation = "BC/api/microsoft/automation/v2.0";
    for path in [
        format!("{automation}/companies({own})/users"),
        format!("{automation}/users?company={own}"),
        format!("BC/api/Microsoft/AUTOMATION/beta/companies({own})/extensionUpload(1)/extensionContent"),
        format!("{automation}/$metadata"),
    ] {
        let rejection = rig.get(&format!("/kept/{path}")).await.rejection();
        assert_eq!((rejection.status, rejection.code.as_str()), (403, "Proxy_NotAllowed"), "{path}");
        assert!(rejection.message.contains("`automation: true`"), "{}", rejection.message);
    }
    let upload = rig.post_json(&format!("/kept/{automation}/$batch"), r#"{"requests":[]}"#).await.rejection();
    assert_eq!(upload.status, 403);
    let webhook = format!(r#"{{"resource":"/api/microsoft/automation/v2.0/companies({own})/users"}}"#);
    assert_eq!(rig.post_json("/kept/BC/api/v2.0/subscriptions", &webhook).await.rejection().status, 403);
    assert!(rig.received().is_empty());
    for route in ["key", "open"] {
        rig.get(&format!("/{route}/{automation}/companies({own})/users")).await;
        let sent = rig.received().pop().unwrap().target;
        assert!(sent.ends_with(&format!("/api/microsoft/automation/v2.0/companies({own})/users")), "{sent}");
    }
}
