//! Diagnostics of mistakes: where, what, and how to fix it.

use bcproxy::config::Severity;

use crate::{CONNECTOR, config, mistakes, read, two_connectors, with_keys};

#[test]
fn every_mistake_says_where_what_and_how_to_fix_it() {
    let top: &[(&str, &str, &str, &str)] = &[
        ("lisen: 127.0.0.1:1\n", "6:1", "unknown key `lisen`", "did you mean `listen`?"),
        ("limits: off\n", "6:1", "unknown key `limits`", "this file may have: listen, public_url, admin"),
        ("log: {}\nlog: {}\n", "7:1", "already set in line 6", "keep one"),
        ("listen: localhost:8080\n", "6:9", "not an IP address", "127.0.0.1:8080"),
        ("listen: 8080\n", "6:9", "not an IP address", "127.0.0.1:8080"),
        ("listen: []\n", "6:9", "list is empty", "remove the key"),
        ("listen:\n", "6:1", "this key has no value", "put a `#` before the key"),
        ("listen: #127.0.0.1:8080\n", "6:1", "this key has no value", "in quotes"),
        ("listen: [127.0.0.1:1, 127.0.0.1:1]\n", "6:23", "already listed in line 6", "keep one"),
        ("listen: [127.0.0.1:1, { address: 127.0.0.1:1 }]\n", "6:34", "already listed in line 6", "keep one"),
        (
            "listen: [127.0.0.1:1, 0.0.0.0:1]\naccess: { allow_from: [::1] }\n",
            "6:23",
            "conflicts with the one in line 6",
            "every address of this machine",
        ),
        ("listen: [{ tls: { certificate: a, private_key: b } }]\n", "6:10", "this listener has no `address`", "add"),
        (
            "listen: { address: 127.0.0.1:1, tls: { certificate: a } }\n",
            "6:33",
            "no `private_key`",
            "without a password",
        ),
        ("listen: { address: 127.0.0.1:1, tls: on }\n", "6:38", "expected a mapping", "indentation"),
        ("listen: { adress: 127.0.0.1:1, address: 127.0.0.1:1 }\n", "6:11", "unknown key", "did you mean `address`?"),
        ("listen: { address: 127.0.0.1:8081 }\n", "6:20", "same address", "another port"),
        ("listen: { address: 0.0.0.0:8080 }\n", "6:20", "other computers", "access: { allow_from:"),
        ("listen: 0.0.0.0:8080\n", "6:9", "other computers", "access: { allow_from:"),
        ("listen: 0.0.0.0:8080\nroutes: [{ path: /, to: nav }]\n", "6:9", "other computers", "listen on 127.0.0.1"),
        ("admin: no\n", "6:8", "expected `off`", "write `off`"),
        ("admin: 127.0.0.1:8082\n", "6:8", "expected `off` or a mapping", "{ listen: 127.0.0.1:8081, token: …"),
        ("admin: { listen: 0.0.0.0:8081 }\n", "6:18", "`admin` has no `allow_from`", "container"),
        (
            "admin: { listen: { address: 0.0.0.0:1, tls: { certificate: a, private_key: b } }, allow_from: [::1] }\n",
            "6:29",
            "`admin` has no `token`",
            "token: { env: BCPROXY_ADMIN_TOKEN }",
        ),
        (
            "admin: { token: hunter2 }\n",
            "6:17",
            "a secret is never written in this file",
            "{ env: BCPROXY_ADMIN_TOKEN }",
        ),
        ("admin: { token: { env: A, file: b } }\n", "6:10", "exactly one of", "{ env: BCPROXY_ADMIN_TOKEN }"),
        (
            "admin: { listen: { address: '[::1]:1', tls: { certificate: a, private_key: b, client_ca: c } } }\n",
            "6:79",
            "unknown key `client_ca`",
            "certificate, private_key",
        ),
        ("admin: { listen: [127.0.0.1:1, 127.0.0.1:1] }\n", "6:32", "already listed in line 6", "keep one"),
        (
            "admin: { listen: [127.0.0.1:1, 0.0.0.0:1], allow_from: [::1] }\n",
            "6:32",
            "conflicts with the one",
            "keep only",
        ),
        ("admin: { listen: '[::]:8080', allow_from: [::1] }\n", "6:18", "same address", "another port"),
        ("admin: { hosts: [status:8081] }\n", "6:18", "not a host name", "no port"),
        ("admin: { listen: 127.0.0.1:8080 }\n", "6:18", "same address", "another port"),
        ("listen: 127.0.0.1:8081\n", "6:9", "same address", "another port"),
        ("log: [a]\n", "6:6", "expected a mapping (`key: value` lines), found a list", "indentation"),
        ("log: { format: jsn }\n", "6:16", "expected one of auto, text, json", "did you mean `json`?"),
        ("log: { format: “json” }\n", "6:16", "curly quotation marks", "type straight quotation marks"),
        ("“log”: { format: json }\n", "6:1", "curly quotation marks", "type straight quotation marks"),
        ("public_url: “http: x”\n", "6:18", "curly quotation marks", "type straight quotation marks"),
        ("log: { level: INFO }\n", "6:15", "expected one of error, warn", "did you mean `info`?"),
        ("log: { requests: yes }\n", "6:18", "expected one of true, false", "as shown"),
        ("log: { requests: { successes: 1%, a: b } }\n", "6:35", "unknown key `a`", "successes"),
        ("log: { requests: { successes: 5 } }\n", "6:31", "this is not a percentage", "from 0% to 100%"),
        ("log: { requests: {} }\n", "6:8", "this requests section has no `successes`", "add `successes`"),
        ("log: { slow: 5 }\n", "6:14", "this is not a duration", "add the unit"),
        ("log: { file: a.log, rotate: { keep: 0 } }\n", "6:37", "this is not a number", "whole number from 1"),
        ("telemetry: {}\n", "6:1", "this telemetry section has no `otlp`", "OpenTelemetry"),
        ("telemetry: { otlp: {} }\n", "6:14", "this otlp section has no `endpoint`", "https://collector.example:4318"),
        ("telemetry: { otlp: { endpoint: collector } }\n", "6:32", "not an http or https address", "https://"),
        ("telemetry: { otlp: { endpoint: https://c/v1/logs } }\n", "6:32", "not an http", "remove /v1/traces"),
        ("telemetry: { otlp: { endpoint: https://c, traces: 0.01 } }\n", "6:51", "not a percentage", "such as 1%"),
        (
            "telemetry: { otlp: { endpoint: https://c, headers: { Authorization: Bearer x } } }\n",
            "6:69",
            "never written in this file",
            "OTLP_AUTHORIZATION",
        ),
        (
            "telemetry: { otlp: { endpoint: https://c, headers: { Host: { env: PATH } } } }\n",
            "6:54",
            "not the name of a header that can be set",
            "such as Authorization",
        ),
        (
            "telemetry: { otlp: { endpoint: http://c, headers: { Authorization: { env: PATH } } } }\n",
            "6:42",
            "would be sent unencrypted",
            "use an https:// address",
        ),
        ("shared_limits: {}\n", "6:1", "this shared_limits section has no `url`", "rediss://redis.example:6379"),
        ("shared_limits: { url: redis.example }\n", "6:23", "not a redis or rediss address", "rediss://redis.example"),
        ("shared_limits: { url: rediss://c:0 }\n", "6:23", "not a redis or rediss address", "port must be a number"),
        ("shared_limits: { url: redis://c/a }\n", "6:23", "not a redis or rediss address", "number of a database"),
        (
            "shared_limits: { url: rediss://c, password: hunter2 }\n",
            "6:45",
            "never written in this file",
            "password: { env: REDIS_PASSWORD }",
        ),
        ("shared_limits: { url: rediss://c, user: a }\n", "6:35", "user of the shared store has no", "REDIS_PASSWORD"),
        (
            "shared_limits: { url: redis://c, password: { env: PATH } }\n",
            "6:34",
            "would be sent unencrypted",
            "use a rediss:// address",
        ),
        (
            "shared_limits: { url: redis://c, ca_file: ca.pem }\n",
            "6:34",
            "does not use TLS",
            "use a rediss:// address as `url`, or remove `ca_file`",
        ),
        ("shared_limits: { url: redis://c, prefix: a b }\n", "6:42", "not a prefix of keys", "bcproxy:contoso"),
        ("shared_limits: { url: redis://c, prefix: '{a}' }\n", "6:42", "not a prefix of keys", "letters, digits"),
        ("shared_limits: { url: redis://c, timeout: 3s }\n", "6:43", "requests would wait this long", "at most 2s"),
        ("shutdown: { grace: 10 }\n", "6:20", "not a duration", "write 10s"),
        ("shutdown: { grace: 25h }\n", "6:20", "not a duration", "at most 24h"),
        ("access: { allow_from: [10.0.0.0/99] }\n", "6:24", "not a network", "10.0.0.0/8"),
        ("access: { allow_from: 10.0.0.0/8 }\n", "6:23", "expected a list, found a text", "indentation"),
        ("access: { hosts: [oldserver:7047] }\n", "6:19", "not a host name", "no port"),
        ("access: { hosts: [http://oldserver] }\n", "6:19", "not a host name", "write the name only"),
        ("access: { hosts: [10.0.0.1] }\n", "6:19", "not a host name", "accepts every IP address without listing it"),
        ("access: { browsers: off }\n", "6:21", "expected one of deny, allow", "as shown"),
        ("listen: { address: 127.0.0.1:1, client_auth: basic }\n", "6:33", "needs users", "add `users: users.txt`"),
        (
            "listen: { address: 127.0.0.1:1, client_auth: [none, mtls] }\n",
            "6:47",
            "`none` stands beside",
            "remove `none`",
        ),
        ("listen: { address: 127.0.0.1:1, client_auth: mtls }\n", "6:33", "no listener asks for them", "client_ca"),
        (
            "listen: { address: 127.0.0.1:1, client_auth: nltm }\n",
            "6:46",
            "expected one of none",
            "did you mean `ntlm`?",
        ),
        ("listen: { address: 127.0.0.1:1, client_auth: { names: [a] } }\n", "6:33", "no `schemes`", "add `schemes`"),
        (
            "users: u\nlisten: { address: 127.0.0.1:1, forwarded_for: [10.0.0.1], client_auth: [basic, ntlm] }\n",
            "7:33",
            "`ntlm` in line 7 would take one client for another",
            "proxy_protocol",
        ),
        ("clients: { a: {} }\n", "6:12", "has none of `user`, `certificate`, `address`", "add one of them"),
        ("users: u\nclients: { a: { user: u, user_agent: x } }\n", "7:26", "by its User-Agent alone", "add `address`"),
        (
            "users: u\nclients: { a: { user: u, client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3399 } }\n",
            "7:37",
            "no connector has this application",
            "`applications`",
        ),
        ("routes: []\n", "6:9", "list is empty", "remove the key"),
        ("routes: [{ to: nav }]\n", "6:10", "this route has no `path`", "add `path`. The local path prefix"),
        ("routes: [{ path: api, to: nav }]\n", "6:18", "not a route's path", "begin the path with a slash"),
        ("routes: [{ path: /a/.., to: nav }]\n", "6:18", "not a route's path", "a `..` is not possible"),
        ("routes: [{ path: /, to: OData }]\n", "6:25", "not a surface", "odata, soap, nav, environment"),
        (
            "routes: [{ path: /a, to: nav }, { path: /a/, to: nav }]\n",
            "6:41",
            "a route in line 6 already has this path",
            "another path",
        ),
        ("routes: [{ path: /, to: nav, methods: [get] }]\n", "6:40", "expected one of GET", "did you mean `GET`?"),
        ("routes: [{ path: /, to: nav, methods: [TRACE] }]\n", "6:40", "expected one of GET", "as shown"),
        (
            "routes: [{ path: /, to: nav, connector: cronos }]\n",
            "6:41",
            "no connector has this name",
            "did you mean `cronus`?",
        ),
        (
            "routes: [{ path: /, to: nav, connector: x }]\n",
            "6:41",
            "no connector has this name",
            "below `connectors`: `cronus`",
        ),
        (
            "routes: [{ path: /, to: odata, automation: true }]\n",
            "6:32",
            "only a route to `nav`",
            "remove `automation`",
        ),
        ("routes: [{ path: /, to: environment, company: C }]\n", "6:38", "not confined", "another `to`"),
        (
            "routes: [{ path: /, to: nav, timeouts: { connect: 1s } }]\n",
            "6:42",
            "unknown key `connect`",
            "may have: head",
        ),
        ("public_url: http://erp-gw:99999\n", "6:13", "not an http or https address", "from 1 to 65535"),
        ("public_url: erp-gw\n", "6:13", "not an http or https address", "http://erp-gw:8080"),
        ("public_url: http://erp-gw/bc\n", "6:13", "not an http or https address", "path of a route"),
        (
            "routes: [{ path: /unrouted, to: nav }]\n",
            "6:18",
            "not a route's path",
            "reserved for links that no route covers",
        ),
        ("routes: [{ path: /, to: nav, if_match: W/1 }]\n", "6:40", "expected one of *", "as shown"),
        ("<<: { a: b }\n", "6:1", "unknown key `<<`", "this file may have"),
        ("log: &x {}\n", "6:6", "anchors (`&name`)", "write the value itself"),
        ("log: *x\n", "6:6", "aliases (`*name`)", "in quotes"),
        ("? [a]\n: b\n", "6:3", "unknown key", "this file may have"),
    ];
    let connector: &[(&str, &str, &str, &str)] = &[
        ("tenat_id: x", "6:5", "unknown key `tenat_id`", "did you mean `tenant_id`?"),
        ("environment: my env", "6:18", "not the name of an environment", "admin center"),
        ("company: ''", "6:14", "not the name or id of a company", "1 to 30 characters"),
        ("base_url: http://x", "6:15", "not an https address", "https://"),
        ("base_url: https://host:x", "6:15", "not an https address", "from 1 to 65535"),
        ("authority: https://login.example:99999", "6:16", "not an https address", "from 1 to 65535"),
        ("scope: https://x", "6:12", "not a scope", "/.default"),
        ("ca_file: ''", "6:14", "not a path", "between the quotation marks"),
        ("timeouts: { head: 0s }", "6:23", "not a duration", "longer than zero"),
        ("limits: no", "6:13", "expected `off` or a mapping", "`off`"),
        ("limits: { concurrency: 0 }", "6:28", "not a number", "from 1 to 1000000"),
        ("limits: { requests: 6000 }", "6:25", "not a number of requests in a time", "6000 per 5m"),
        ("limits: { rate: 6000 per 5m }", "6:15", "unknown key `rate`", "concurrency, requests, queue, wait"),
        ("timeouts: 10s", "6:15", "expected a mapping", "indentation"),
        (
            "outbound_proxy: proxy.corp:3128",
            "6:21",
            "not an address of the form http://host:port",
            "http://proxy.contoso.local:3128",
        ),
        (
            "outbound_proxy: http://svc:hunter2@proxy.corp",
            "6:21",
            "not an address",
            "user: NAME, password: { env: PROXY_PASSWORD }",
        ),
        (
            "outbound_proxy: socks5://proxy.corp",
            "6:21",
            "not an address",
            "bcproxy speaks plain HTTP to an outbound proxy",
        ),
        ("outbound_proxy: { except: [ x ] }", "6:5", "this outbound proxy has no `url`", "http://host:port"),
        ("outbound_proxy: { url: http://p, user: svc }", "6:38", "a user name without a password", "PROXY_PASSWORD"),
        (
            "outbound_proxy: { url: http://p, password: { env: P_W } }",
            "6:38",
            "a password without a user name",
            "`user`",
        ),
        (
            "outbound_proxy: { url: http://p, user: svc, password: hunter2 }",
            "6:59",
            "a secret is never written in this file",
            "password: { env: PROXY_PASSWORD }",
        ),
        (
            "outbound_proxy: { url: http://p, except: [http://x] }",
            "6:47",
            "not a host, a domain or a network",
            "contoso.local",
        ),
        (
            "outbound_proxy: { url: http://p, except: ['x:99999'] }",
            "6:47",
            "not a host, a domain or a network",
            "contoso.local",
        ),
    ];
    let top = top.iter().map(|(added, location, what, fix)| (format!("{CONNECTOR}{added}"), location, what, fix));
    let connector = connector.iter().map(|(added, location, what, fix)| (with_keys(added), location, what, fix));
    for (text, location, what, fix) in top.chain(connector) {
        let mistakes = mistakes(&text);
        assert!(mistakes.contains(&format!("--> conf/proxy.yaml:{location}\n")), "{location} in\n{mistakes}");
        assert!(mistakes.contains(what), "{what:?} in\n{mistakes}");
        assert!(mistakes.contains(fix), "{fix:?} in\n{mistakes}");
        assert_eq!(mistakes.matches("error:").count(), 1, "{mistakes}");
        assert!(!mistakes.contains("hunter2"), "{mistakes}");
    }
}

#[test]
fn headers_that_a_route_cannot_change_are_named_without_their_value() {
    for (name, fix) in [
        ("Content-Length", "frames and compresses bodies itself"),
        ("accept-encoding", "frames and compresses bodies itself"),
        ("Connection", "one connection only"),
        ("Host", "`base_url`"),
        ("AUTHORIZATION", "signs in with the connector's application"),
        ("Proxy-Authorization", "signs in with the connector's application"),
        ("WWW-Authenticate", "signs in with the connector's application"),
        ("Cookie", "cookies are not forwarded"),
        ("Set-Cookie", "cookies are not forwarded"),
        ("Company", "set `company`"),
        ("X-HTTP-Method", "`methods`"),
        ("a b", "letters, digits"),
    ] {
        for direction in ["request", "response"] {
            for changes in [format!("set: {{ {name}: Basic hunter2 }}"), format!("remove: [{name}]")] {
                let route = format!("{{ path: /, to: nav, headers: {{ {direction}: {{ {changes} }} }} }}");
                let text = mistakes(&format!("{CONNECTOR}routes: [{route}]\n"));
                assert!(text.contains("not the name of a header that can be changed"), "{text}");
                assert!(text.contains(fix) && !text.contains("hunter2"), "{text}");
            }
        }
    }
    let set = |set: &str| {
        format!("{CONNECTOR}routes: [{{ path: /, to: nav, headers: {{ request: {{ set: {{ {set} }} }} }} }}]\n")
    };
    let value = mistakes(&set("X-Key: hünter2"));
    assert!(value.contains("not a header's value") && !value.contains("hünter2"), "{value}");
    assert!(mistakes(&set("X-A: 1, x-a: 2")).contains("already set with different letter case"));
}

#[test]
fn a_file_without_a_connector_says_so() {
    for (text, what) in [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("listen: 127.0.0.1:1\n", "this file has no `connectors`"),
        ("connectors: {}\n", "at least one entry is needed"),
        ("connectors:\n", "this key has no value"),
        ("connectors: { a: }\n", "this key has no value; expected a mapping"),
        ("connectors: { a: {} }\n", "this connector has no `tenant_id`"),
        ("- a\n", "expected a mapping (`key: value` lines), found a list"),
        ("a\n", "expected a mapping (`key: value` lines), found a text"),
    ] {
        assert!(mistakes(text).contains(what), "{what:?} in\n{}", mistakes(text));
    }
}

#[test]
fn several_connectors_need_routes_that_name_them() {
    let text = two_connectors();
    assert!(mistakes(&text).contains("routes: [ { path: /cronus, connector: cronus, to: nav }"), "{}", mistakes(&text));
    let unnamed = format!("{text}routes: [{{ path: /, to: nav }}]\n");
    assert!(mistakes(&unnamed).contains("add `connector:` with one of `cronus`, `fabrikam`"), "{}", mistakes(&unnamed));
    let unused = format!("{text}routes: [{{ path: /, to: nav, connector: cronus }}]\n");
    assert_eq!(config(&unused).routes.len(), 1);
}

#[test]
fn all_mistakes_are_found_at_once() {
    let text = "\
lisen: 127.0.0.1:80
connectors:
  one:
    tenant_id: contoso
    client_secret: { env: BC_SECRET }
    environment: Production
    environment: Sandbox
  two:
    tenant_id: contoso.com
    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    client_secret: hello
    timeouts: { head: 10 }
routes:
  - { path: /a, to: nav, connector: tow }
  - { path: /a/, to: soup, connector: one }
log: { level: warning }
";
    let Err(found) = read(text) else { panic!("no mistake") };
    let locations: Vec<_> = found
        .iter()
        .map(|(item, location)| (item.severity, location.map(|location| (location.line, location.column))))
        .collect();
    let expected = [(1, 1), (3, 3), (4, 16), (7, 5), (11, 20), (12, 23), (14, 37), (15, 13), (15, 22), (16, 15)];
    assert_eq!(locations, expected.map(|location| (Severity::Error, Some(location))), "{found}");
    assert!(found.iter().all(|(item, _)| !item.help.is_empty()));
}

#[test]
fn what_is_probably_a_mistake_is_a_warning() {
    let cut = read(&with_keys("company: CRONUS #1")).unwrap();
    assert_eq!(cut.config.routes[0].company.as_ref().unwrap().to_string(), "CRONUS");
    let text = cut.warnings.to_string();
    assert!(text.contains("warning: the name ends before this `#`") && text.contains(":6:21"), "{text}");
    for fine in ["company: CRONUS # ours", "company: CRONUS  #1", "company: 'CRONUS' #1", "company: CRONUS#1"] {
        assert!(read(&with_keys(fine)).unwrap().warnings.is_empty(), "{fine}");
    }
    let unused = format!("{}routes: [{{ path: /, to: environment }}]\n", with_keys("company: CRONUS"));
    assert!(read(&unused).unwrap().warnings.to_string().contains("this company is not used"));
    let monitored = "listen: 0.0.0.0:9090, allow_from: [10.0.0.0/8]";
    for (admin, said) in [
        ("allow_from: [10.0.0.0/8]", "the admin listener uses loopback addresses only"),
        (monitored, "`bcproxy status`, `reload` and `stop` can't use the admin listener"),
        (&monitored.replace("0.0.0.0:9090", "[0.0.0.0:9090, 127.0.0.1:8081]"), ""),
    ] {
        let text = read(&format!("{CONNECTOR}admin: {{ {admin} }}\n")).unwrap().warnings.to_string();
        assert!(text.contains(said) && text.is_empty() == said.is_empty(), "{admin}: {text}");
    }
}

#[test]
fn access_for_everybody_over_plain_http_is_a_warning() {
    let tls = "tls: { certificate: a, private_key: b }";
    for (listen, networks, warnings) in [
        ("0.0.0.0:80", "[0.0.0.0/0, ::/0]", 2),
        ("[127.0.0.1:81, 10.0.0.1:80]", "[10.0.0.0/8, 0.0.0.0/0]", 1),
        ("0.0.0.0:80", "[10.0.0.0/8]", 0),
        ("127.0.0.1:80", "[0.0.0.0/0]", 0),
        (&format!("{{ address: 0.0.0.0:80, {tls} }}"), "[0.0.0.0/0]", 0),
    ] {
        for access in [
            format!("access: {{ allow_from: {networks} }}\n"),
            format!("routes: [{{ path: /, to: nav, allow_from: {networks} }}]\n"),
        ] {
            let said = read(&format!("{}listen: {listen}\n{access}", with_keys(""))).unwrap().warnings;
            let about = said.iter().filter(|(item, _)| item.message.contains("over plain HTTP")).count();
            assert_eq!((about, said.iter().count()), (warnings, warnings), "{listen} {access}: {said}");
        }
    }
}

#[test]
fn client_auth_opens_a_listener_to_everybody_but_not_its_passwords() {
    const HIDDEN: &str = "others on the network can read them";
    for (auth, warning) in
        [("none", "may read and change data"), ("ntlm", ""), ("[ntlm, basic]", HIDDEN), ("api_key", HIDDEN)]
    {
        for text in [
            format!("listen: {{ address: 0.0.0.0:80, client_auth: {auth} }}\naccess: {{ allow_from: [0.0.0.0/0] }}\n"),
            format!(
                "listen: 0.0.0.0:80\nroutes: [{{ path: /, to: nav, allow_from: [0.0.0.0/0], client_auth: {auth} }}]\n"
            ),
        ] {
            let said = read(&format!("{}users: users.txt\n{text}", with_keys(""))).unwrap().warnings;
            assert_eq!(said.iter().count(), usize::from(!warning.is_empty()), "{text}: {said}");
            assert!(said.to_string().contains(warning), "{text}: {said}");
        }
    }
    let said = read(&format!("{}clients: {{ till: {{ user: anna }} }}\n", with_keys(""))).unwrap().warnings;
    assert!(said.to_string().contains("nobody can sign in as this user"), "{said}");
}

#[test]
fn a_cache_that_stores_nothing_is_a_warning() {
    for (route, warning) in [
        ("{ path: /a, to: api/v2.0, cache: 5s }", None),
        ("{ path: /a, to: soap, cache: 5s }", Some("only service descriptions (WSDL)")),
        ("{ path: /a, to: odata, methods: [POST, PATCH], cache: 5s }", Some("only responses to GET are cached")),
        ("{ path: /a, to: odata, methods: [POST, GET], cache: 5s }", None),
    ] {
        let loaded = read(&format!("{}routes: [ {route} ]\n", with_keys(""))).unwrap();
        let said = loaded.warnings.to_string();
        assert_eq!(said.is_empty(), warning.is_none(), "{route}: {said}");
        assert!(warning.is_none_or(|warning| said.contains(warning)), "{route}: {said}");
        assert_eq!(loaded.config.routes[0].cache, Some(std::time::Duration::from_secs(5)), "{route}");
    }
    assert!(read(&format!("{}routes: [ {{ path: /a, to: odata, cache: 25h }} ]\n", with_keys(""))).is_err());
}

#[test]
fn many_warnings_hide_neither_connectors_nor_errors() {
    let (_, connector) = CONNECTOR.split_once('\n').unwrap();
    let connectors: String =
        (0..150).map(|n| format!("{}    company: C #1\n", connector.replace("cronus", &format!("c{n}")))).collect();
    let text = format!("connectors:\n{connectors}routes: [{{ path: /, to: nav, connector: c149 }}]\n");
    let loaded = read(&text).unwrap();
    assert_eq!((loaded.config.connectors.len(), loaded.warnings.iter().count()), (150, 100));
    assert!(mistakes(&text.replace("to: nav", "to: nowhere")).contains("error: this is not a surface"));
}

/// On Windows, the same file is valid.
#[cfg(not(windows))]
#[test]
fn a_secret_in_the_store_of_windows_is_for_windows_only() {
    let found = mistakes(&format!("{CONNECTOR}admin: {{ token: {{ windows: admin-token }} }}\n"));
    for part in ["--> conf/proxy.yaml:6:28", "only on Windows", "token: { env: BCPROXY_ADMIN_TOKEN }, or { file: … }"]
    {
        assert!(found.contains(part), "{part:?} in\n{found}");
    }
    assert!(!found.contains("admin-token"), "the name may be a pasted secret:\n{found}");
}
