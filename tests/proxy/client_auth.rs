//! Clients that have to prove who they are: user names and passwords, API keys, and what is said to the others.

use bcproxy::config::Config;
use bcproxy::users::StoredHash;
use hyper::{Method, StatusCode};

use crate::rig::{ClientResponse, Plan, Rig, SOAP_ECHO, until};
use crate::users::{KEY, PASSWORD, basic, secret, write, write_users};
use crate::wire::Wire;

/// A proxy with the default routes, and a listener with this `client_auth`.
async fn with(client_auth: &str) -> Rig {
    start(&format!("listen: {{ address: 127.0.0.1:0, client_auth: {client_auth} }}")).await
}

async fn start(top: &str) -> Rig {
    let prepared = Plan::default().top("users: users.txt").top(top).prepare().await;
    write_users(prepared.folder.path());
    prepared.start().await
}

async fn get_as(rig: &Rig, authorization: &str) -> ClientResponse {
    rig.send(Method::GET, "/api/customers", &[("authorization", authorization)], "").await
}

/// The challenges of a response.
fn challenges(response: &ClientResponse) -> Vec<&str> {
    response.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_right_password_lets_in_and_nothing_of_it_is_forwarded() {
    let rig = with("basic").await;
    for _ in 0..2 {
        for name in ["anna", "ANNA", "CONTOSO\\anna", "anna@contoso.com", "nora"] {
            assert_eq!(get_as(&rig, &basic(name, PASSWORD)).await.status, 200, "{name}");
        }
    }
    let latin_1 = "Basic YW5uYTp3ZWItc2VydmljZS1rZXk6NDcxMS38";
    assert_eq!(get_as(&rig, latin_1).await.status, 200);
    let body = SOAP_ECHO;
    let authorization = basic("bert", PASSWORD);
    let headers = [("authorization", authorization.as_str()), ("content-type", "text/xml; charset=utf-8")];
    assert_eq!(rig.send(Method::POST, "/soap/Codeunit/Tools", &headers, body).await.status, 200);
    let received = rig.received();
    assert_eq!(received.len(), 12);
    assert_eq!(received[11].body, body);
    for received in received {
        assert!(received.headers["authorization"].to_str().unwrap().starts_with("Bearer "));
    }
}

#[tokio::test]
async fn wrong_and_missing_passwords_are_challenged_and_sent_nowhere() {
    let rig = with("basic").await;
    let missing = rig.get("/api/customers").await;
    assert_eq!((missing.status, challenges(&missing)), (StatusCode::UNAUTHORIZED, vec!["Basic realm=\"bcproxy\""]));
    assert_eq!(missing.error().0, "Proxy_Unauthenticated");
    let mut messages = Vec::new();
    let wrong = [("anna", "wrong"), ("nora", "wrong"), ("scanner", KEY), ("nobody", PASSWORD), ("anna", "")];
    for (last, (name, password)) in (10..).zip(wrong) {
        // The second time, it is remembered. Each comes from an address of its own, which is not slowed.
        let mut wire = Wire::over(rig.connect_from(last).await);
        for _ in 0..2 {
            let authorization = basic(name, password);
            wire.send(format!("GET /api/customers HTTP/1.1\r\nHost: erp\r\nAuthorization: {authorization}\r\n\r\n"))
                .await;
            let (head, body) = wire.response().await;
            assert_eq!((head.status(), head.all("www-authenticate").len()), (StatusCode::UNAUTHORIZED, 1), "{name}");
            messages.push(String::from_utf8(body).unwrap().replace(name, "NAME"));
        }
    }
    messages.dedup();
    let [message] = &messages[..] else { panic!("{messages:?}") };
    assert!(message.contains("User name or password of `NAME` is wrong."), "{message}");
    for malformed in ["Basic", "Basic *", "Basic YW5uYQ==", "Bearer abc", "Digest username=\"anna\""] {
        let response = get_as(&rig, malformed).await;
        assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{malformed}");
    }
    assert_eq!(get_as(&rig, "NTLM TlRMTVNTUAABAAAA").await.status, StatusCode::UNAUTHORIZED);
    assert!(rig.received().is_empty());
    let failures: u64 = rig.proxy.view().failures.counts().map(|(_, count)| count).sum();
    assert!(failures >= 9, "{failures}");
}

#[tokio::test]
async fn soap_clients_get_the_401_as_well() {
    let rig = with("basic").await;
    let response = rig.call_soap("/soap/Codeunit/Tools").await;
    assert_eq!((response.status, challenges(&response).len()), (StatusCode::UNAUTHORIZED, 1));
    assert!(response.text().contains("Route `/soap` is open only to clients that prove who they are"));
}

#[tokio::test]
async fn an_api_key_is_read_from_its_header_and_never_forwarded() {
    let rig = start(
        "routes:
  - { path: /api, to: api/v2.0, client_auth: api_key }
  - { path: /odata, to: odata, client_auth: { schemes: [ api_key, basic ], api_key_header: X-Scanner } }
  - { path: /open, to: api/v2.0 }",
    )
    .await;
    let get = async |path: &str, header: &str, key: &str| rig.send(Method::GET, path, &[(header, key)], "").await;
    assert_eq!(get("/api/customers", "x-api-key", KEY).await.status, 200);
    assert_eq!(get("/odata/Customer", "x-scanner", KEY).await.status, 200);
    assert_eq!(get("/open/customers", "x-scanner", KEY).await.status, 200);
    for received in rig.received() {
        assert!(!received.headers.contains_key("x-api-key") && !received.headers.contains_key("x-scanner"));
    }
    let sent = rig.received().len();
    // Without a scheme to offer, it is no 401.
    let missing = rig.get("/api/customers").await.rejection();
    assert_eq!((missing.status, missing.code.as_str()), (403, "Proxy_Unauthenticated"));
    assert_eq!(get("/api/customers", "x-scanner", KEY).await.status, 403);
    let wrong = get("/api/customers", "x-api-key", &KEY[1..]).await.rejection();
    assert_eq!((wrong.status, wrong.message.as_str()), (403, "The API key is wrong."));
    assert_eq!(challenges(&get("/odata/Customer", "x-api-key", KEY).await), ["Basic realm=\"bcproxy\""]);
    assert_eq!(rig.received().len(), sent);
}

#[tokio::test]
async fn a_route_says_more_than_its_listener_and_a_rejected_request_is_not_challenged() {
    let rig = start(
        "listen: { address: 127.0.0.1:0, client_auth: [ ntlm, basic ] }
access: { hosts: [ erp ] }
routes:
  - { path: /api, to: api/v2.0 }
  - { path: /open, to: api/v2.0, client_auth: none }
  - { path: /few, to: api/v2.0, client_auth: { schemes: [ basic ], names: [ Bert ] } }
  - { path: /far, to: api/v2.0, allow_from: [ 10.0.0.0/8 ] }",
    )
    .await;
    let of_listener = rig.get("/api/customers").await;
    assert_eq!(challenges(&of_listener), ["NTLM", "Basic realm=\"bcproxy\""]);
    assert_eq!(rig.get("/open/customers").await.status, 200);
    let of_route = rig.get("/few/customers").await;
    assert_eq!(challenges(&of_route), ["Basic realm=\"bcproxy\""]);
    let few =
        async |name| rig.send(Method::GET, "/few/customers", &[("authorization", &basic(name, PASSWORD))], "").await;
    assert_eq!(few("bert").await.status, 200);
    let other = few("anna").await.rejection();
    assert_eq!((other.status, other.code.as_str()), (403, "Proxy_NotAllowed"));
    for (path, host, status) in [
        ("/far/customers", "erp", 403),
        ("/none", "erp", 404),
        ("/api/customers", "other.example", 421),
        ("/api/../customers", "erp", 400),
    ] {
        let response = rig.send(Method::GET, path, &[("host", host)], "").await;
        assert_eq!((response.status.as_u16(), challenges(&response)), (status, vec![]), "{path}");
    }
}

#[tokio::test]
async fn a_body_arrives_once_and_whole_behind_a_challenge() {
    let rig = with("basic").await;
    let body = "x".repeat(300_000);
    let mut client = Wire::connect(rig.address()).await;
    for (authorization, status) in
        [(String::new(), 401), (format!("Authorization: {}\r\n", basic("anna", PASSWORD)), 201)]
    {
        let json = format!("{{\"displayName\":\"{body}\"}}");
        let head = format!(
            "POST /api/customers HTTP/1.1\r\nHost: erp\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n{authorization}\
             Content-Length: {}\r\n\r\n",
            json.len()
        );
        client.send(head).await;
        assert_eq!(client.bytes(25).await, b"HTTP/1.1 100 Continue\r\n\r\n");
        client.send(json).await;
        assert_ne!(client.response().await.0.status().as_u16(), status + 99, "{status}");
    }
    let received = rig.received();
    assert_eq!((received.len(), received[0].body.len()), (1, body.len() + 18));
}

#[tokio::test]
async fn a_changed_file_counts_at_once_and_a_broken_one_not_at_all() {
    let mut rig = with("basic").await;
    let file = rig.folder.path().join("proxy.yaml");
    assert_eq!(get_as(&rig, &basic("anna", PASSWORD)).await.status, 200);
    let files = Config::load(&file).unwrap().config.files(&file);
    assert!(files.contains(&rig.folder.path().join("users.txt")));

    write(rig.folder.path(), &[("anna", &StoredHash::of_ntlm_password(&secret("new")))]);
    let config = Config::load(&file).unwrap().config;
    rig.proxy.reload(&config).await.unwrap();
    assert_eq!(get_as(&rig, &basic("anna", PASSWORD)).await.status, 401);
    assert_eq!(get_as(&rig, &basic("anna", "new")).await.status, 200);
    assert_eq!(get_as(&rig, &basic("bert", PASSWORD)).await.status, 401);

    std::fs::write(rig.folder.path().join("users.txt"), "anna:plain\n").unwrap();
    let mistake = Config::load(&file).unwrap_err().to_string();
    assert!(mistake.contains("has a mistake in line 1: its hash can't be used"), "{mistake}");
    assert!(!mistake.contains("plain\n"), "{mistake}");
    let error = rig.proxy.reload(&config).await.unwrap_err().to_string();
    assert!(error.contains("users.txt has a mistake in line 1"), "{error}");
    assert_eq!(get_as(&rig, &basic("anna", "new")).await.status, 200);
}

#[tokio::test]
async fn a_reload_counts_for_open_connections() {
    let mut rig = with("none").await;
    let file = rig.folder.path().join("proxy.yaml");
    let mut wire = Wire::connect(rig.address()).await;
    for (before, after, status) in
        [("", "", 200), ("none", "basic", 401), ("basic", "[ mtls ]", 401), ("basic", "none", 200)]
    {
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace(&format!("client_auth: {before}"), &format!("client_auth: {after}")))
            .unwrap();
        match Config::load(&file) {
            Ok(loaded) => rig.proxy.reload(&loaded.config).await.unwrap(),
            // A listener without TLS can't ask for certificates: the file stays as it was.
            Err(_) => std::fs::write(&file, text).unwrap(),
        }
        wire.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
        assert_eq!(wire.response().await.0.status().as_u16(), status, "{after}");
    }
}

#[tokio::test]
async fn names_that_no_user_has_are_warnings() {
    let prepared = Plan::default()
        .top("users: users.txt\nlisten: { address: 127.0.0.1:0, client_auth: { schemes: ntlm, names: [ Nora, dora ] } }\nclients: { till: { user: carl } }")
        .prepare()
        .await;
    write_users(prepared.folder.path());
    let warnings = || Config::load(&prepared.file).unwrap().warnings.to_string();
    assert_eq!(warnings().matches("the file of users has no user of this name").count(), 2, "{}", warnings());
    write(prepared.folder.path(), &[("anna", &StoredHash::of_api_key(b"key"))]);
    assert!(warnings().contains("nobody can sign in with NTLM"), "{}", warnings());
}

#[tokio::test]
async fn many_wrong_passwords_do_not_keep_others_out() {
    let rig = std::sync::Arc::new(with("basic").await);
    let guessing: Vec<_> = (0..200)
        .map(|number| {
            let rig = rig.clone();
            tokio::spawn(async move {
                let mut wire = Wire::over(rig.connect_from(2).await);
                let authorization = basic("anna", &number.to_string());
                wire.send(format!(
                    "GET /api/customers HTTP/1.1\r\nHost: erp\r\nAuthorization: {authorization}\r\n\r\n"
                ))
                .await;
                wire.head().await.status().as_u16()
            })
        })
        .collect();
    until(|| rig.proxy.view().failures.counts().any(|(_, count)| count > 0)).await;
    // Another address, with a password that was not checked before.
    assert_eq!(get_as(&rig, &basic("anna", PASSWORD)).await.status, 200);
    for guess in guessing {
        guess.abort();
        if let Ok(status) = guess.await {
            assert!([401, 429].contains(&status), "{status}");
        }
    }
}
