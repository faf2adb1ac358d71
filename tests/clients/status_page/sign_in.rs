//! Signing in to an admin listener that other computers can reach, orders by click, and pages of others.
//!
//! Everything here is on loopback. What counts is the address that the listener uses: `0.0.0.0` is off loopback.

use hyper::{Method, StatusCode};

use super::browser::{Browser, status_page};
use crate::process::Process;
use crate::rig::{Plan, certify, send};

const ADMIN: &str = "\
admin:
  listen:
    - { address: 0.0.0.0:0, tls: { certificate: server.pem, private_key: server-key.pem } }
    - 127.0.0.1:0
  token: { file: token.txt }
  allow_from: [127.0.0.1]";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium"]
async fn a_person_signs_in_with_a_browser_gives_orders_by_click_and_signs_out() {
    let prepared = Plan::default().top(ADMIN).prepare().await;
    certify(prepared.folder.path());
    // As in `sign_in.js`.
    std::fs::write(prepared.folder.path().join("token.txt"), "the-token-of-the-tests").unwrap();
    let mut process = Process::run(&prepared.file);
    let proxy = process.address().await;
    let (secured, local) = (status_page(&mut process).await, status_page(&mut process).await);
    let secured = secured.replace("0.0.0.0", "127.0.0.1");
    assert!(secured.starts_with("https://127.0.0.1:") && local.starts_with("http://127.0.0.1:"), "{secured} {local}");
    let mut browser = Browser::run("sign_in.js", &[&secured, &local]);
    while let Some(order) = browser.order().await {
        assert_eq!(order, "make a problem");
        let status = send(proxy, Method::GET, "/api/nowhere(new)", &[], "").await.status;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}
