//! The path to the shared store: TLS, and a user who may do no more than docs/replicas.md says.

use tempfile::TempDir;
use tokio::process::Command;

use crate::haproxy::Mode;
use crate::redis_server::Reply;
use crate::replicas::{Layout, Load};
use crate::rig::Plan;

const DOCUMENT: &str = include_str!("../../docs/replicas.md");

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn replicas_use_a_store_over_tls() {
    let replicas = Layout::new(Plan::default(), 2, Mode::Http).secured().start().await;
    let load = Load::start(replicas.balancer.address, 4, "/api/customers?$top=1");
    load.proceed(50).await;
    assert_eq!(load.end().await.keys().collect::<Vec<_>>(), ["200"]);
    let keys = replicas.store.keys().await;
    assert!(keys.iter().all(|key| key.starts_with("bcproxy:{")), "{keys:?}");
    assert!(keys.len() > 1, "{keys:?}");
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn the_documented_user_may_do_all_that_replicas_need() {
    let replicas = Layout::new(Plan::default(), 2, Mode::Http).start().await;
    let line = DOCUMENT.lines().find_map(|line| line.strip_prefix("user bcproxy on >a-long-password "));
    let rules: Vec<&str> = line.unwrap().split(' ').collect();
    let reset = ["ACL", "SETUSER", "default", "resetkeys", "resetchannels", "-@all"];
    replicas.store.command(&[&reset[..], &rules].concat()).await;
    replicas.store.command(&["ACL", "LOG", "RESET"]).await;
    // They connect and subscribe again.
    replicas.store.disconnect_clients().await;
    let load = Load::start(replicas.balancer.address, 20, "/api/customers?$top=1");
    load.proceed(200).await;
    assert_eq!(load.end().await.keys().collect::<Vec<_>>(), ["200"]);
    let denied = replicas.store.command(&["ACL", "LOG"]).await;
    assert_eq!(denied, Reply::List(Vec::new()), "{denied:?}");
}

#[tokio::test]
#[ignore = "needs haproxy"]
async fn documented_load_balancers_are_accepted() {
    let blocks: Vec<&str> = DOCUMENT.split("```\n").filter(|block| block.starts_with("frontend clients")).collect();
    assert_eq!(blocks.len(), 2);
    let folder = TempDir::new().unwrap();
    for block in blocks {
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, block).unwrap();
        let checked = Command::new("haproxy").arg("-c").arg("-f").arg(&file).output().await.unwrap();
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success() && !said.contains("WARNING"), "{said}");
    }
}
