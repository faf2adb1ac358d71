//! `proxy.yaml` as an administrator writes it: what it may contain, and the diagnostics of mistakes.

use std::path::Path;
use std::time::Duration;

use bcproxy::business_central::Surface;
use bcproxy::config::{
    Admin, AdminScope, Browsers, Config, Diagnostics, HostName, Limits, Listener, Loaded, LogFile, LogFormat, Rate,
    RequestLog, Rotation, Share, SharedLimits, reference, schema,
};
use bcproxy::entra::Credential;
use bcproxy::outbound::{OutboundProxy, ProxyLogin, ProxyServer};
use bcproxy::secret::{SecretCommand, SecretSource};

mod mistakes;

const SAMPLE: &str = include_str!("../../proxy.yaml");

/// A connector with everything it needs.
const CONNECTOR: &str = "\
connectors:
  cronus:
    tenant_id: contoso.onmicrosoft.com
    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    client_secret: { env: BC_CLIENT_SECRET }
";

fn read(text: &str) -> Result<Loaded, Diagnostics> {
    Config::from_yaml(text, Path::new("conf/proxy.yaml"))
}

fn config(text: &str) -> Config {
    read(text).unwrap_or_else(|mistakes| panic!("{mistakes}")).config
}

fn mistakes(text: &str) -> String {
    match read(text) {
        Ok(_) => panic!("no mistake found in:\n{text}"),
        Err(mistakes) => mistakes.to_string(),
    }
}

/// The connector of [`CONNECTOR`] with more keys in it.
fn with_keys(lines: &str) -> String {
    let lines = lines.lines().map(|line| format!("    {line}\n")).collect::<String>();
    format!("{CONNECTOR}{lines}")
}

/// Two connectors with everything they need.
fn two_connectors() -> String {
    let (_, second) = CONNECTOR.split_once('\n').unwrap();
    format!("{CONNECTOR}{}", second.replace("cronus", "fabrikam"))
}

#[test]
fn the_smallest_file_does_the_whole_job() {
    let config = config(CONNECTOR);
    assert_eq!(config.listen, [Listener::plain("127.0.0.1:8080".parse().unwrap())]);
    let listen = vec![Listener::plain("127.0.0.1:8081".parse().unwrap())];
    assert_eq!(config.admin, Some(Admin { listen, token: None, allow_from: None, hosts: Vec::new() }));
    let requests = RequestLog { successes: Some(Share::ALL), slow: Some(Duration::from_secs(30)) };
    assert_eq!(
        (config.log.format, config.log.level, config.log.requests, &config.log.file),
        (LogFormat::Auto, tracing::Level::INFO, requests, &None)
    );
    let default = LogFile::of_service(Path::new("conf/proxy.yaml"));
    let file = config.log.file_or(Some(&default)).unwrap();
    assert_eq!(file.path, Path::new("conf").join("logs").join("bcproxy.log"));
    assert_eq!((file.rotation.size, file.rotation.keep), (100 << 20, 10));
    assert_eq!(config.shutdown_grace, Duration::from_secs(600));
    let connector = &config.connectors[0];
    assert_eq!((connector.name.as_str(), connector.environment.as_str()), ("cronus", "Production"));
    assert_eq!((&connector.company, &connector.ca_file), (&None, &None));
    assert_eq!(connector.timeouts, bcproxy::config::Timeouts::default());
    assert_eq!(connector.base_url.as_str(), bcproxy::business_central::PUBLIC_BASE_URL);
    assert_eq!(connector.application.authority.as_str(), bcproxy::entra::PUBLIC_AUTHORITY);
    assert_eq!(connector.application.scope, bcproxy::entra::PUBLIC_SCOPE);
    let routes: Vec<_> = config.routes.iter().map(|route| (route.path.as_str(), route.surface.to_string())).collect();
    let expected = [("/api", "api/v2.0"), ("/odata", "odata"), ("/soap", "soap"), ("/nav", "nav"), ("", "nav")];
    assert_eq!(routes, expected.map(|(path, to)| (path, to.to_owned())));
    assert!(config.routes.iter().all(|route| route.allow_from == bcproxy::config::AllowFrom::loopback()));
}

#[test]
fn the_sample_is_a_configuration_and_so_is_every_key_it_shows() {
    let loaded = read(SAMPLE).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    assert_eq!(loaded.config.connectors[0].company.as_ref().unwrap().to_string(), "CRONUS International Ltd.");
    // A commented line that reads `key:` or `- {` is an example; without its `#`, together with its neighbors, it must
    // be right.
    let (_, body) = SAMPLE.split_once("connectors:").unwrap();
    let examples: Vec<_> = body.split("\n\n").flat_map(examples).collect();
    assert!(examples.len() >= 12, "{examples:?}");
    for example in examples {
        let replaces = |line: &&str| example.trim_start().starts_with("applications") && line.contains("client_");
        let connector: String =
            CONNECTOR.lines().filter(|line| !replaces(line)).map(|line| format!("{line}\n")).collect();
        config(&format!("{connector}{example}"));
    }
}

/// The commented examples of one block of the sample.
fn examples(block: &str) -> Vec<String> {
    let mut examples: Vec<String> = Vec::new();
    for line in block.lines() {
        let content = line.trim_start();
        let Some(code) = content.strip_prefix("# ").filter(|_| !content.starts_with("#  ")) else {
            // The lines of an example that are indented below its key.
            if let (Some(deeper), Some(example)) = (content.strip_prefix("#   "), examples.last_mut()) {
                let indent = line.len() - content.len();
                *example += &format!("{}  {deeper}\n", " ".repeat(indent));
            }
            continue;
        };
        let is_key = code.split(':').next().is_some_and(|key| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        if is_key && code.contains(':') && !code.starts_with("client_secret") {
            examples.push(format!("{}{code}\n", " ".repeat(line.len() - content.len())));
        }
    }
    examples
}

#[test]
fn everything_can_be_written() {
    let text = "\
listen: [0.0.0.0:80, '[::1]:8080']
public_url: https://gw.example:8443/
admin: off
connectors:
  a b:
    tenant_id: 72f988bf-86f1-41af-91ab-2d7cd011db47
    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    client_secret: [{ env: A_B }, { file: s.txt }, { command: [get, --it] }]
    environment: Sandbox
    company: 824820A2-508C-ED11-AADA-000D3A298AB3
    authority: https://login.example/x/
    base_url: https://bc.example:8443
    scope: https://bc.example/.default
    ca_file: /etc/ca.pem
    limits: { concurrency: 40, requests: 50000 per 1m30s, queue: '5', wait: 10s }
    timeouts: { connect: 1s, head: 2m, body_idle: 1h30m, pool_idle: 500ms, token: 24h }
    outbound_proxy: { url: http://proxy.corp:3128, user: 'CORP\\svc', password: { file: p.txt }, except: [ .corp, 10.0.0.0/8, 'gw:8443', '*.corp', '[::1]' ] }
  other:
    tenant_id: contoso.com
    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    client_secret:
      file: /run/secret
    limits: off
routes:
  - path: /x/
    to: api/contoso/warehouse/v1.0
    connector: a b
    environment: Test
    company: 'CRONUS #1'
    methods: [GET, MERGE]
    allow_from: [10.0.0.0/8]
    if_match: '*'
    read_only: true
    weight: 10
    headers:
      request: { set: { X-Key: 2024, Accept-Language: de-DE }, remove: [User-Agent] }
      response: { remove: [Server, X-B] }
    timeouts: { head: 7s }
  - { path: /, to: environment, connector: a b }
access: { allow_from: [192.168.0.0/16, ::1], hosts: [OldServer, erp-gw.contoso.local.], browsers: allow }
log: { format: json, level: trace, requests: false, slow: off, file: log/bcproxy.log, rotate: { keep: 3 } }
shutdown: { grace: 1m }
";
    let config = config(text);
    assert_eq!((config.listen.len(), &config.admin, config.connectors.len()), (2, &None, 2));
    let Credential::ClientSecret(sources) = &config.connectors[0].application.credential else { panic!() };
    let sources: Vec<_> = sources.iter().map(|retained| retained.source.clone()).collect();
    assert_eq!(
        sources,
        [
            SecretSource::Env("A_B".into()),
            SecretSource::File(Path::new("conf").join("s.txt")),
            SecretSource::Command(SecretCommand {
                argv: vec!["get".into(), "--it".into()],
                hidden_variables: vec!["A_B".into()]
            }),
        ]
    );
    let hosts: Vec<&str> = config.access.hosts.iter().map(HostName::as_str).collect();
    assert_eq!((hosts, config.access.browsers), (vec!["oldserver", "erp-gw.contoso.local"], Browsers::Allow));
    let login =
        ProxyLogin { user: "CORP\\svc".to_owned(), password: SecretSource::File(Path::new("conf").join("p.txt")) };
    let server = ProxyServer {
        address: "http://proxy.corp:3128".parse().unwrap(),
        login: Some(login),
        except: [".corp", "10.0.0.0/8", "gw:8443", "*.corp", "[::1]"].map(ToOwned::to_owned).to_vec(),
    };
    assert_eq!(config.connectors[0].outbound_proxy, OutboundProxy::Server(server));
    assert_eq!(config.connectors[1].outbound_proxy, OutboundProxy::FromEnvironment);
    assert_eq!(config.connectors[0].ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
    let requests = Rate { count: 50_000, per: Duration::from_secs(90) };
    let limits = Limits { concurrency: 40, requests, queue: 5, wait: Duration::from_secs(10) };
    assert_eq!((config.connectors[0].limits, config.connectors[1].limits), (Some(limits), None));
    let [api, all] = config.routes.as_slice() else { panic!("{:?}", config.routes) };
    assert_eq!((api.path.as_str(), api.environment.as_str()), ("/x", "Test"));
    assert_eq!(api.company.as_ref().unwrap().to_string(), "CRONUS #1");
    assert_eq!(api.methods.as_ref().unwrap().iter().map(|m| m.as_str()).collect::<Vec<_>>(), ["GET", "MERGE"]);
    assert_eq!((api.timeouts.head, api.timeouts.body_idle), (Duration::from_secs(7), Duration::from_secs(5400)));
    assert!(
        api.allow_from.contains("10.1.1.1".parse().unwrap()) && !api.allow_from.contains("127.0.0.1".parse().unwrap())
    );
    assert_eq!(config.public_url.as_ref().unwrap().to_string(), "https://gw.example:8443");
    assert!(api.if_match_any && !all.if_match_any && !api.automation);
    assert!(api.read_only && !all.read_only);
    assert_eq!((api.weight.0.get(), all.weight.0.get()), (10, 1));
    let set: Vec<_> = api.headers.request.set.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(set, [("x-key", &b"2024"[..]), ("accept-language", b"de-DE")]);
    assert_eq!(
        (&api.headers.request.remove[..], &api.headers.response.remove[..]),
        (&[hyper::header::USER_AGENT][..], &[hyper::header::SERVER, "x-b".parse().unwrap()][..])
    );
    let rotation = Rotation { size: 100 << 20, keep: 3 };
    let file = LogFile { path: Path::new("conf").join("log/bcproxy.log"), rotation };
    assert_eq!(config.log.file_or(Some(Path::new("default.log"))), Some(file));
    assert_eq!(config.log.requests, RequestLog { successes: None, slow: None });
    assert_eq!(all.headers, bcproxy::config::HeaderRules::default());
    assert_eq!((&all.surface, &all.company), (&Surface::Environment, &None));
    assert!(all.allow_from.contains("192.168.1.1".parse().unwrap()));
}

#[test]
fn a_connector_has_one_application_or_several() {
    let (one, other) = ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "3f2504e0-4f89-41d3-9a0c-0305e82c3302");
    let item = |id: &str| format!("      - {{ client_id: {id}, client_secret: {{ file: {id}.txt }} }}\n");
    let text = |items: &str| format!("connectors:\n  c:\n    tenant_id: contoso.com\n    applications:\n{items}");
    let pool = config(&text(&[item(one), item(other)].concat()));
    let connector = &pool.connectors[0];
    let [second] = connector.other_applications.as_slice() else { panic!("{:?}", connector.other_applications) };
    assert_eq!(connector.application.client_id.to_string(), one);
    assert_eq!((second.client_id.to_string().as_str(), &second.tenant_id), (other, &connector.application.tenant_id));
    let Credential::ClientSecret(sources) = &second.credential else { panic!() };
    assert_eq!(sources.first.source, SecretSource::File(Path::new("conf").join(format!("{other}.txt"))));

    let besides = format!("{CONNECTOR}    applications:\n{}", item(other));
    for (text, location, what, fix) in [
        (besides, "4:5", "`client_id` and `applications` are both set", "or remove `applications`"),
        (text(&[item(one), item(one)].concat()), "6:22", "already listed in line 5", "register another application"),
        (text("      []\n"), "5:7", "list is empty", "add an item"),
        (text("      - { client_secret: { env: A } }\n"), "5:9", "this application has no `client_id`", "a GUID"),
        ("connectors: { c: { tenant_id: a.b } }\n".to_owned(), "1:15", "this connector has no `client_id`", "a GUID"),
    ] {
        let mistakes = mistakes(&text);
        assert!(mistakes.contains(&format!("--> conf/proxy.yaml:{location}\n")), "{location} in\n{mistakes}");
        assert!(mistakes.contains(what) && mistakes.contains(fix), "{what:?}, {fix:?} in\n{mistakes}");
    }
}

#[test]
fn scalars_keep_their_text() {
    for (written, company) in [
        ("NO", "NO"),
        ("2024", "2024"),
        ("0x1F", "0x1F"),
        ("007", "007"),
        ("Off", "Off"),
        ("\"a\\u00fc\"", "aü"),
        ("'it''s'", "it's"),
        ("1e3", "1e3"),
    ] {
        let config = config(&with_keys(&format!("company: {written}\nenvironment: Yes")));
        assert_eq!(config.routes[0].company.as_ref().unwrap().to_string(), company);
        assert_eq!(config.routes[0].environment.as_str(), "Yes");
    }
}

/// Each: what is added to [`CONNECTOR`], where the mistake is, a part of what is wrong, a part of what to do.
#[test]
fn any_way_to_save_the_file_is_fine() {
    config(&format!("\u{feff}{}", SAMPLE.replace('\n', "\r\n")));
    let text = mistakes(&format!("\u{feff}lisen: x\r\n{}", CONNECTOR.replace('\n', "\r\n")));
    assert!(text.contains("proxy.yaml:1:1\n") && text.contains("1 | lisen: ****\n"), "{text}");
    assert!(mistakes("connectors:\n\tcronus:\n").contains("indent with spaces"));
}

#[test]
fn a_file_that_would_take_too_long_is_rejected() {
    assert!(mistakes(&"#".repeat(1024 * 1024 + 1)).contains("larger than 1 MiB"));
    let many_keys = (0..90_000).map(|number| format!("k{number}: v\n")).collect::<String>();
    let one_line = format!("{{{}}}", many_keys.replace('\n', ", "));
    let bombs = [
        many_keys,
        one_line,
        "[".repeat(500_000),
        "- ".repeat(500_000),
        "a: &a [*a, *a, *a]\n".repeat(50_000),
        format!("? {}\n: b\n", "x".repeat(1_000_000)),
        format!("{}routes:\n{}", two_connectors(), "  - { path: /x, to: nav, connector: y }\n".repeat(20_000)),
    ];
    for bomb in bombs {
        let mistakes = mistakes(&bomb);
        assert!(mistakes.len() < 100_000, "{} bytes of messages", mistakes.len());
    }
}

#[test]
fn files_and_variables_are_checked_when_a_file_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy.yaml");
    let missing = Config::load(&path).unwrap_err().to_string();
    assert!(missing.contains("it does not exist") && missing.contains("--config"), "{missing}");
    for no_text in [&b"# \xdcberseehandel"[..], b"#\0\n\0"] {
        std::fs::write(&path, no_text).unwrap();
        assert!(Config::load(&path).unwrap_err().to_string().contains("UTF-8"));
    }
    let as_powershell_writes: Vec<u8> = format!("\u{feff}{SAMPLE}")
        .replace("BC_CLIENT_SECRET", "PATH")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    std::fs::write(&path, as_powershell_writes).unwrap();
    assert!(Config::load(&path).is_ok());

    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let load = |secret: &str, more: &str| {
        let text = with_keys(more).replace("{ env: BC_CLIENT_SECRET }", secret);
        write("proxy.yaml", &text);
        Config::load(&path).map_err(|mistakes| mistakes.to_string())
    };
    write("good.txt", "the secret\n");
    write("empty.txt", " \n");
    let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    write("ca.pem", &authority.cert.pem());
    assert!(load("{ file: good.txt }", "ca_file: ca.pem").is_ok());
    assert!(load("{ env: PATH }", "").is_ok());
    for (secret, more, what) in [
        ("{ file: empty.txt }", "", ":5:28\n|named here is empty"),
        ("{ file: none.txt }", "", ":5:28\n|it does not exist"),
        ("{ env: BCPROXY_TEST_UNSET }", "", ":5:27\n|is not set"),
        ("{ file: good.txt }", "ca_file: good.txt", ":6:14\n|holds no certificate in PEM form"),
        (
            "{ file: good.txt }",
            "outbound_proxy: { url: http://p, user: u, password: { file: none.txt } }",
            ":6:65\n|it does not exist",
        ),
        ("{ file: good.txt }", "ca_file: none.pem", ":6:14\n|it does not exist"),
    ] {
        let mistakes = load(secret, more).unwrap_err();
        assert!(what.split('|').all(|part| mistakes.contains(part)), "{what:?} in\n{mistakes}");
    }
}

#[test]
fn the_admin_listener_has_several_addresses_a_token_and_networks() {
    let text = "\
admin:
  listen: [127.0.0.1:8081, 10.0.0.1:9090, { address: '[::]:8443', tls: { certificate: s.pem, private_key: k.pem } }]
  token: { command: [get, --it] }
  allow_from: [10.0.0.0/8]
  hosts: [Status, status.contoso.local]
";
    let admin = config(&format!("{CONNECTOR}{text}")).admin.unwrap();
    let scopes: Vec<AdminScope> = admin.listen.iter().map(AdminScope::of).collect();
    assert_eq!(scopes, [AdminScope::ThisMachine, AdminScope::Monitors, AdminScope::TokenHolders]);
    let tls = admin.listen[2].tls.clone().unwrap();
    assert_eq!((tls.certificate, tls.client_ca), (Path::new("conf").join("s.pem"), None));
    let hidden_variables = vec!["BC_CLIENT_SECRET".to_owned()];
    let command = SecretCommand { argv: vec!["get".into(), "--it".into()], hidden_variables };
    assert_eq!(admin.token, Some(SecretSource::Command(command)));
    assert!(admin.allow_from.unwrap().contains("10.1.1.1".parse().unwrap()));
    assert_eq!(admin.hosts.iter().map(HostName::as_str).collect::<Vec<_>>(), ["status", "status.contoso.local"]);

    let files = config(&format!("{CONNECTOR}{}", text.replace("command: [get, --it]", "file: t.txt")));
    let files = files.files(Path::new("proxy.yaml"));
    for watched in ["t.txt", "s.pem", "k.pem"] {
        assert!(files.contains(&Path::new("conf").join(watched)), "{watched} in {files:?}");
    }
}

#[test]
fn replicas_share_limits_over_a_shared_store() {
    assert_eq!(config(CONNECTOR).shared_limits, None);
    let shared = |keys: &str| config(&format!("{CONNECTOR}shared_limits: {{ {keys} }}\n")).shared_limits.unwrap();
    let smallest = shared("url: redis://10.0.0.7");
    let expected = SharedLimits {
        url: "redis://10.0.0.7:6379/0".parse().unwrap(),
        user: None,
        password: None,
        ca_file: None,
        prefix: "bcproxy".to_owned(),
        timeout: Duration::from_millis(50),
    };
    assert_eq!(smallest, expected);
    let login = "user: bcproxy, password: { command: [get, --it] }, ca_file: ca.pem";
    let full = shared(&format!("url: rediss://Store.example:6380/2, {login}, prefix: 'a:B.c_1-', timeout: 2s"));
    assert_eq!(full.url.to_string(), "rediss://store.example:6380/2");
    assert_eq!((full.user.as_deref(), full.prefix.as_str(), full.timeout.as_secs()), (Some("bcproxy"), "a:B.c_1-", 2));
    assert_eq!(full.ca_file, Some(Path::new("conf").join("ca.pem")));
    let command =
        SecretCommand { argv: vec!["get".into(), "--it".into()], hidden_variables: vec!["BC_CLIENT_SECRET".into()] };
    assert_eq!(full.password, Some(SecretSource::Command(command)));
    // On this machine, nobody else reads a password without TLS.
    for local in ["redis://127.0.0.1", "redis://localhost:1", "redis://[::1]"] {
        assert!(shared(&format!("url: '{local}', password: {{ file: p.txt }}")).password.is_some(), "{local}");
    }
}

#[test]
fn the_published_reference_is_current() {
    let stale = "is not current: run `bcproxy schema --markdown > docs/configuration.md` and `bcproxy schema > docs/proxy.schema.json`";
    let json = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    assert!(file("docs/configuration.md") == reference(), "docs/configuration.md {stale}");
    assert!(file("docs/proxy.schema.json") == json, "docs/proxy.schema.json {stale}");
}

#[test]
fn a_connector_signs_in_in_exactly_one_way() {
    let alternatives = "client_certificate: { certificate: a.pem }\nmanaged_identity: {}\n";
    let said = mistakes(&with_keys(alternatives));
    assert_eq!(said.matches("only one of `client_secret`, `client_certificate`,").count(), 2, "{said}");
    assert!(said.contains("line 5 already has one"), "{said}");
    let without = CONNECTOR.replace("    client_secret: { env: BC_CLIENT_SECRET }\n", "");
    let said = mistakes(&without);
    assert!(
        said.contains("this connector has none of `client_secret`, `client_certificate`, `federated_token`"),
        "{said}"
    );
    for alternative in [
        "client_certificate: { certificate: a.pem, private_key: a.key }",
        "federated_token: { file: token }",
        "managed_identity: {}",
        "managed_identity: { client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301 }",
        "client_secret: { env: A_B, expires: 2027-05-01 }",
    ] {
        config(&format!("{without}    {alternative}\n"));
    }
}

#[test]
fn a_national_cloud_decides_where_tokens_are_issued() {
    for (cloud, authority) in [
        ("public", "https://login.microsoftonline.com"),
        ("us-government", "https://login.microsoftonline.us"),
        ("china", "https://login.partner.microsoftonline.cn"),
    ] {
        let loaded = read(&with_keys(&format!("cloud: {cloud}"))).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(loaded.config.connectors[0].application.authority.as_str(), authority);
        let said = loaded.warnings.to_string();
        assert_eq!(
            said.contains("requests still go to Business Central in the public cloud"),
            cloud != "public",
            "{said}"
        );
    }
    let own = config(&with_keys("cloud: china\nauthority: https://login.example\nbase_url: https://bc.example"));
    assert_eq!(own.connectors[0].application.authority.as_str(), "https://login.example");
}
