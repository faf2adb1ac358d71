//! The list of companies on a route that has one: that one, whatever is asked.

use hyper::Method;

use crate::rig::{Plan, Rig};

const CRONUS: &str = "CRONUS International Ltd.";

async fn names(rig: &Rig, path: &str) -> Vec<String> {
    let answer = rig.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let list = answer.json()["value"].as_array().unwrap().clone();
    let name = |company: &serde_json::Value| company["name"].as_str().or(company["Name"].as_str()).unwrap().to_owned();
    list.iter().map(name).collect()
}

#[tokio::test]
async fn a_confined_route_lists_its_own_company_only() {
    let rig = Rig::new().await;
    let base = rig.simulator.settings().tenant_id;
    for path in [
        "/api/companies".to_owned(),
        "/api/companies?$top=5&$orderby=name".to_owned(),
        "/api/companies?$filter=name%20ne%20'x'".to_owned(),
        "/odata/Company".to_owned(),
        "/nav/BC140/ODataV4/Company".to_owned(),
        "/nav/BC140/api/v2.0/companies".to_owned(),
        format!("/nav/v2.0/{base}/Production/api/v2.0/companies"),
    ] {
        assert_eq!(names(&rig, &path).await, [CRONUS], "{path}");
    }
    assert!(names(&rig, "/api/companies?$filter=name%20eq%20'My%20Company'").await.is_empty());
    assert_eq!(rig.get("/api/companies/$count").await.text().trim_start_matches('\u{feff}'), "1");
}

#[tokio::test]
async fn a_filter_that_would_close_ours_is_refused() {
    let rig = Rig::new().await;
    for filter in ["true)%20or%20(true", "name%20eq%20'x", "(name%20ne%20'x'", "name%20ne%20'x')or(name%20ne%20'x'"] {
        let refusal = rig.get(&format!("/api/companies?$filter={filter}")).await.refusal();
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "Proxy_BadRequest"), "{filter}");
        assert!(refusal.message.contains("parentheses or quotes"), "{}", refusal.message);
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_route_without_a_company_lists_them_all() {
    let rig = Plan::default().connector("company: -").start().await;
    for path in ["/api/companies", "/odata/Company"] {
        assert_eq!(names(&rig, path).await.len(), 3, "{path}");
        assert!(!rig.received().pop().unwrap().target.contains('?'), "{path}");
    }
    assert_eq!(rig.send(Method::HEAD, "/api/companies", &[], "").await.status, 200);
}
