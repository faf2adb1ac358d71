//! How a running process hears that its configuration has changed, and what it says of one that can't be used.
#![cfg(unix)]

use std::net::SocketAddr;
use std::path::Path;

use hyper::{Method, StatusCode};

use crate::process::{Process, message};
use crate::rig::{ClientResponse, Plan, Prepared, send};

/// A running service, and where its admin listener is.
struct Scene {
    prepared: Prepared,
    text: String,
    process: Process,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Scene {
    async fn new() -> Self {
        let top = "admin: { listen: 127.0.0.1:0 }\nroutes: [ { path: /one, to: api/v2.0 } ]";
        let prepared = Plan::default().top(top).prepare().await;
        let text = std::fs::read_to_string(&prepared.file).unwrap();
        let mut process = Process::run(&prepared.file);
        let address = process.address().await;
        let line = process.log_line(|line| message(line).starts_with("status page on")).await;
        let admin = message(&line).trim_start_matches("status page on http://").trim_end_matches('/').parse().unwrap();
        process.log_line(|line| message(line) == "connector is ready").await;
        Self { prepared, text, process, address, admin }
    }

    async fn status(&self, path: &str) -> StatusCode {
        send(self.address, Method::GET, path, &[], "").await.status
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> ClientResponse {
        send(self.admin, method, path, headers, "").await
    }

    /// The next line of the log about a reload.
    async fn reloaded(&mut self) -> String {
        let is_about_it = |line: &serde_json::Value| {
            message(line).contains("the configuration was") || message(line).contains("the new configuration is")
        };
        message(&self.process.log_line(is_about_it).await).to_owned()
    }

    fn moved(&self) -> String {
        self.text.replace("/one", "/two")
    }
}

#[tokio::test]
async fn a_signal_reloads() {
    let mut scene = Scene::new().await;
    // In place, so that the watch may be first: either way, what the file says is served.
    std::fs::write(&scene.prepared.file, scene.moved()).unwrap();
    scene.process.signal("HUP").await;
    assert!(scene.reloaded().await.ends_with("the configuration was reloaded"));
    assert_eq!(
        (scene.status("/one/customers").await, scene.status("/two/customers").await),
        (404.try_into().unwrap(), StatusCode::OK)
    );
}

#[tokio::test]
async fn a_file_put_in_the_place_of_the_old_one_is_noticed() {
    let mut scene = Scene::new().await;
    let new = scene.prepared.folder.path().join("proxy.yaml.new");
    std::fs::write(&new, scene.moved()).unwrap();
    std::fs::rename(&new, &scene.prepared.file).unwrap();
    assert!(scene.reloaded().await.starts_with("a file has changed"));
    assert_eq!(scene.status("/two/customers").await, 200);
    // And once more: what is watched now is the new file.
    std::fs::write(&scene.prepared.file, &scene.text).unwrap();
    assert!(scene.reloaded().await.starts_with("a file has changed"));
    assert_eq!(scene.status("/one/customers").await, 200);
}

#[tokio::test]
async fn links_that_kubernetes_turns_to_another_folder_are_noticed() {
    use std::os::unix::fs::symlink;
    let prepared = Plan::default().top("routes: [ { path: /one, to: api/v2.0 } ]").prepare().await;
    let text = std::fs::read_to_string(&prepared.file).unwrap();
    let folder = prepared.folder.path();
    let version = |name: &str, text: &str| {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("proxy.yaml"), text).unwrap();
    };
    let configure = |name: &str| {
        symlink(Path::new(name), folder.join("..data_tmp")).unwrap();
        std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    };
    version("..first", &text);
    configure("..first");
    std::fs::remove_file(&prepared.file).unwrap();
    symlink("..data/proxy.yaml", &prepared.file).unwrap();
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    for (name, path) in [("..second", "/two"), ("..third", "/three")] {
        version(name, &text.replace("/one", path));
        configure(name);
        process.log_line(|line| message(line).starts_with("a file has changed: the configuration was reloaded")).await;
        let response = send(address, Method::GET, &format!("{path}/customers"), &[], "").await;
        assert_eq!(response.status, 200);
    }
}

#[tokio::test]
async fn a_file_that_can_not_be_used_changes_nothing_and_the_reason_is_shown_until_it_is_fixed() {
    let mut scene = Scene::new().await;
    std::fs::write(&scene.prepared.file, scene.moved().replace("tenant_id", "tenantid")).unwrap();
    let said = scene.reloaded().await;
    for part in ["the previous one stays in service", "proxy.yaml:", "did you mean `tenant_id`?"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert_eq!(scene.status("/one/customers").await, 200);
    let health = scene.ask(Method::GET, "/readyz", &[]).await;
    assert_eq!(health.status, 200, "it serves");
    assert!(health.text().contains("cronus: ready") && health.text().contains("did you mean `tenant_id`?"));
    let page = scene.ask(Method::GET, "/", &[]).await.text();
    assert!(page.contains("The changed configuration file can't be used") && page.contains("tenant_id"), "{page}");
    assert!(scene.ask(Method::GET, "/metrics", &[]).await.text().contains("bcproxy_config_last_reload_successful 0.0"));
    let asked = scene.ask(Method::POST, "/reload", &[]).await;
    assert_eq!(asked.status, 422);
    assert!(asked.text().contains("did you mean `tenant_id`?"));

    std::fs::write(&scene.prepared.file, scene.moved()).unwrap();
    let asked = scene.ask(Method::POST, "/reload", &[]).await;
    assert_eq!((asked.status, asked.text().as_str()), (StatusCode::OK, "the configuration was reloaded\n"));
    assert_eq!(scene.status("/two/customers").await, 200);
    assert!(!scene.ask(Method::GET, "/readyz", &[]).await.text().contains("tenant_id"));
}

#[tokio::test]
async fn commands_reload_and_stop_without_a_signal() {
    let scene = Scene::new().await;
    let folder = scene.prepared.folder.path();
    let at = scene.admin.to_string();
    let order = async |order: &str| Process::start(&[order, "--at", &at], folder).end().await;

    std::fs::write(&scene.prepared.file, scene.text.replace("tenant_id", "tenantid")).unwrap();
    let ended = order("reload").await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""));
    assert!(ended.errors.contains("did you mean `tenant_id`?"), "{ended:?}");

    std::fs::write(&scene.prepared.file, scene.moved()).unwrap();
    let ended = order("reload").await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(0), "the configuration was reloaded\n"));
    assert_eq!(scene.status("/two/customers").await, 200);

    let ended = order("stop").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = scene.process.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.errors.contains("stopping: no new connections"));
    let ended = Process::start(&["stop", "--at", &at], folder).end().await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("Check that it is running"), "{ended:?}");
}

#[tokio::test]
async fn the_admin_listener_moves_and_takes_no_orders_from_web_pages() {
    let mut scene = Scene::new().await;
    for (header, status) in [
        (("origin", "http://evil.example"), 403),
        (("origin", "null"), 403),
        (("sec-fetch-site", "cross-site"), 403),
        (("sec-fetch-site", "same-site"), 403),
        (("host", "evil.example"), 421),
        (("host", "localhost.evil.example:8081"), 421),
    ] {
        for (method, path) in [(Method::POST, "/stop"), (Method::POST, "/reload"), (Method::GET, "/readyz")] {
            assert_eq!(scene.ask(method, path, &[header]).await.status, status, "{header:?}");
        }
    }
    assert_eq!(scene.ask(Method::GET, "/stop", &[]).await.status, 405);
    assert_eq!(scene.ask(Method::GET, "/livez", &[]).await.status, 200);

    let moved = scene.text.replace("admin: { listen: 127.0.0.1:0 }", "admin: { listen: '127.0.0.2:0' }");
    std::fs::write(&scene.prepared.file, moved).unwrap();
    assert_eq!(scene.ask(Method::POST, "/reload", &[]).await.status, 200, "the answer comes, though its listener goes");
    let line = scene.process.log_line(|line| message(line).starts_with("status page on http://127.0.0.2:")).await;
    let admin = message(&line).trim_start_matches("status page on http://").trim_end_matches('/').parse().unwrap();
    scene.admin = admin;
    assert_eq!(scene.ask(Method::GET, "/livez", &[]).await.status, 200);
}

#[tokio::test]
async fn another_log_level_takes_effect() {
    let mut scene = Scene::new().await;
    let is_request = |line: &serde_json::Value| line["target"] == "bcproxy::access";
    assert_eq!(scene.status("/one/before").await, 404);
    assert_eq!(scene.process.log_line(is_request).await["path"], "/one/before");
    for (log, path) in [("log: { requests: false }", "/one/unseen"), ("log: { level: debug }", "/one/after")] {
        std::fs::write(&scene.prepared.file, format!("{}{log}\n", scene.text)).unwrap();
        assert_eq!(scene.ask(Method::POST, "/reload", &[]).await.status, 200);
        assert_eq!(scene.status(path).await, 404);
    }
    assert_eq!(scene.process.log_line(is_request).await["path"], "/one/after");
}

#[tokio::test]
async fn another_log_file_is_said_to_need_a_restart() {
    let scene = Scene::new().await;
    std::fs::write(&scene.prepared.file, format!("{}log: {{ file: other.log }}\n", scene.text)).unwrap();
    let asked = scene.ask(Method::POST, "/reload", &[]).await;
    assert!(asked.text().contains("`log.file` and `log.rotate` change at the next restart"), "{}", asked.text());
    assert!(!scene.prepared.folder.path().join("other.log").exists());
}

#[tokio::test]
async fn another_shared_store_is_said_to_need_a_restart() {
    let scene = Scene::new().await;
    let store = "shared_limits: { url: 'redis://127.0.0.1:1' }\n";
    std::fs::write(&scene.prepared.file, format!("{}{store}", scene.text)).unwrap();
    // What is in effect stays the same, so each reload says so.
    for _ in 0..2 {
        let asked = scene.ask(Method::POST, "/reload", &[]).await;
        assert!(asked.text().contains("; `shared_limits` changes at the next restart"), "{}", asked.text());
    }
    let status: serde_json::Value = scene.ask(Method::GET, "/status.json", &[]).await.json();
    assert!(status["shared_store"].is_null(), "{status}");
    std::fs::write(&scene.prepared.file, &scene.text).unwrap();
    let asked = scene.ask(Method::POST, "/reload", &[]).await;
    assert!(!asked.text().contains("restart"), "{}", asked.text());
}
