//! The commands as an administrator types them: exit codes, what is printed, what is logged.

#[path = "common/process.rs"]
mod process;
#[path = "common/rig.rs"]
mod rig;
#[cfg(unix)]
#[path = "common/terminal.rs"]
mod terminal;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use bcproxy::guide::RejectionCode;
use bcproxy::simulator::{Fault, Latch, Times};
use hyper::{Method, StatusCode};
use process::{Ended, Process, message};
use rig::{ClientResponse, Plan};
use serde_json::Value;
use tempfile::TempDir;

/// A file without mistakes; its secret is where it says, its services are not.
const FINE: &str = "\
listen: 127.0.0.1:0
admin: off
connectors:
  cronus:
    tenant_id: contoso.onmicrosoft.com
    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    client_secret: { file: secret.txt }
    company: CRONUS International Ltd.
    authority: https://localhost:9
    base_url: https://localhost:9
";

const FIVE_MISTAKES: &str = "\
listen: 127.0.0.1:99999
connectors:
  cronus:
    tenant_id: contoso.onmicrosoft.com
    client_id: not-a-guid
    client_secret: { file: secret.txt }
    timeouts: { head: 10 }
    compani: CRONUS
routes:
  - { path: api, to: api/v2.0 }
";

/// A folder with a proxy.yaml and a secret.txt, which nobody else reaches.
fn folder(text: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(folder.path().join("proxy.yaml"), text).unwrap();
    std::fs::write(folder.path().join("secret.txt"), "secret~value").unwrap();
    folder
}

async fn command(folder: &Path, arguments: &[&str]) -> Ended {
    Process::start(arguments, folder).end().await
}

#[test]
fn a_reader_that_leaves_early_ends_a_command_quietly() {
    let folder = folder(FINE);
    for arguments in [
        &["errors"] as &[&str],
        &["errors", "--markdown"],
        &["schema"],
        &["guide"],
        &["guide", "8"],
        &["man"],
        &["completions", "bash"],
        &["check"],
        &["explain", "GET", "/api/customers"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        // As with `| head`, once it has its lines.
        drop(reader);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bcproxy"));
        let ended = command.args(arguments).current_dir(folder.path()).stdout(writer).output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && errors.is_empty(), "{arguments:?}: {}, {errors}", ended.status);
    }
}

#[tokio::test]
async fn check_finds_every_mistake_and_its_place() {
    let folder = folder(FIVE_MISTAKES);
    let ended = command(folder.path(), &["check"]).await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""));
    let locations: Vec<&str> = ended.errors.lines().filter_map(|line| line.trim().strip_prefix("--> ")).collect();
    assert_eq!(locations, ["1:9", "5:16", "7:23", "8:5", "10:13"].map(|location| format!("proxy.yaml:{location}")));
    assert_eq!(ended.errors.matches("error: ").count(), 5);
    assert_eq!(ended.errors.matches("= help: ").count(), 5);
    assert!(ended.errors.contains("did you mean `company`?"), "{}", ended.errors);

    let ended = command(folder.path(), &["check", "--output", "json"]).await;
    assert_eq!((ended.code, ended.errors.as_str()), (Some(2), ""));
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!(said["fine"], false);
    let findings = said["findings"].as_array().unwrap();
    let locations: Vec<_> =
        findings.iter().map(|finding| (finding["line"].as_u64(), finding["column"].as_u64())).collect();
    assert_eq!(
        locations,
        [(1, 9), (5, 16), (7, 23), (8, 5), (10, 13)].map(|(line, column)| (Some(line), Some(column)))
    );
    assert!(findings.iter().all(|finding| finding["severity"] == "error" && finding["help"].is_string()));
}

#[tokio::test]
async fn check_never_prints_a_secret_that_stands_in_the_file() {
    let folder = folder(&FINE.replace("{ file: secret.txt }", "hunter2~Q8"));
    for arguments in [&["check"] as &[&str], &["check", "--output", "json"], &["run"], &["health"]] {
        let ended = command(folder.path(), arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        let said = ended.output + &ended.errors;
        assert!(!said.contains("hunter2") && said.contains("a secret is never written in this file"), "{said}");
    }
}

#[tokio::test]
async fn check_says_what_a_fine_file_does() {
    let folder = folder(FINE);
    let ended = command(folder.path(), &["check"]).await;
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
    assert!(ended.output.contains("/api → api/v2.0, connector cronus, environment Production, company CRONUS"));
    let ended = command(folder.path(), &["check", "--output", "json"]).await;
    assert_eq!(ended.code, Some(0));
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!(said, serde_json::json!({"fine": true, "findings": []}));
}

/// A terminal has not the variables of the service.
#[tokio::test]
async fn check_warns_of_a_variable_that_only_the_service_may_have() {
    let text = FINE.replace("{ file: secret.txt }", "{ env: BC_CLIENT_SECRET }");
    let folder =
        folder(&format!("{text}    outbound_proxy: {{ url: 'http://p:1', user: u, password: {{ env: P }} }}\n"));
    let ended = command(folder.path(), &["check"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.output.contains("proxy.yaml has no mistakes."), "{ended:?}");
    assert_eq!(ended.errors.matches("warning: the environment variable named here is not set").count(), 2, "{ended:?}");
    let how = if cfg!(windows) { "setx" } else { "EnvironmentFile=" };
    assert!(ended.errors.contains("--> proxy.yaml:7:27") && ended.errors.contains(how), "{ended:?}");

    let ended = command(folder.path(), &["check", "--output", "json"]).await;
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((ended.code, &said["fine"]), (Some(0), &true.into()), "{said}");
    assert_eq!((&said["findings"][0]["severity"], &said["findings"][0]["line"]), (&"warning".into(), &7.into()));

    // The service itself needs it; an empty one is a mistake for both.
    assert_eq!(command(folder.path(), &["run"]).await.code, Some(2));
    let empty = Process::start_with(&["check"], folder.path(), &[("P", "")]).end().await;
    assert!(empty.code == Some(2) && empty.errors.contains("variable named here is empty"), "{empty:?}");
}

#[tokio::test]
async fn without_a_file_bcproxy_names_the_commands_to_begin_with() {
    let folder = TempDir::new().unwrap();
    for arguments in [&[] as &[&str], &["run"], &["check"], &["doctor"], &["status"]] {
        let ended = command(folder.path(), arguments).await;
        let said = format!("{}{}", ended.output, ended.errors);
        assert_eq!(ended.code, Some(if arguments == ["doctor"] { 1 } else { 2 }), "{arguments:?}: {said}");
        for next in ["proxy.yaml", "`bcproxy setup`", "`bcproxy demo`", "--config"] {
            assert!(said.contains(next), "{arguments:?}: {next} is not in {said}");
        }
    }
}

#[tokio::test]
async fn check_does_not_say_that_an_ended_credential_works() {
    let folder = folder(&FINE.replace("{ file: secret.txt }", "{ file: secret.txt, expires: 2020-01-31 }"));
    let ended = command(folder.path(), &["check"]).await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.errors.contains("expired on 2020-01-31") && ended.errors.contains("replace it now"), "{ended:?}");
    assert!(!ended.errors.contains("until then"), "{ended:?}");
}

#[tokio::test]
async fn what_can_not_be_served_ends_with_2_and_says_why() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (text, reasons) in [
        (FIVE_MISTAKES.to_owned(), vec!["proxy.yaml:5:16"]),
        (FINE.replace("127.0.0.1:0", &address), vec!["listen:", &address, "another program"]),
        (FINE.replace("admin: off", &format!("admin: {{ listen: '{address}' }}")), vec!["admin:", &address]),
        (format!("{FINE}    ca_file: nonsuch.pem\n"), vec!["proxy.yaml:11:14", "can't be read"]),
        (format!("{FINE}    ca_file: secret.txt\n"), vec!["proxy.yaml:11:14", "PEM"]),
        (FINE.replace("{ file: secret.txt }", "{ env: BC_CLIENT_SECRET }"), vec!["proxy.yaml:7:27", "not set"]),
        (FINE.replace("secret.txt", "nonsuch.txt"), vec!["proxy.yaml:7:28", "can't be read"]),
    ] {
        let folder = folder(&text);
        // Without a command it runs too.
        for arguments in [&["run"] as &[&str], &[]] {
            let ended = command(folder.path(), arguments).await;
            assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""), "{ended:?}");
            for reason in &reasons {
                assert!(ended.errors.contains(reason), "{reason} is not in {}", ended.errors);
            }
        }
    }
    let folder = folder(FINE);
    for arguments in
        [&["run", "--config", "nonsuch.yaml"] as &[&str], &["health", "--config", "nonsuch.yaml"], &["frob"]]
    {
        assert_eq!(command(folder.path(), arguments).await.code, Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn it_starts_while_entra_is_down_and_says_so_to_its_clients() {
    let prepared = Plan::default().prepare().await;
    prepared.simulator.entra().fail(Fault::Unreachable, Times::Always);
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    let response = get(address, "/api/customers").await;
    assert_eq!((response.status, response.error().0.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "Proxy_NoToken"));
    assert!(response.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn health_tells_containers_what_the_service_says() {
    let plan = Plan::default().another_connector("annex", &["client_id: 00000000-0000-0000-0000-0000000714e2"]);
    let routes = "routes: [ { path: /api, to: api/v2.0, connector: cronus } ]";
    let prepared = plan.top(routes).top("admin: { listen: 127.0.0.1:0 }").prepare().await;
    let mut process = Process::run(&prepared.file);
    let health = admin_address(&mut process).await;
    // The command reads the same file; where the port was left to the system it has to be told.
    let asking = prepared.folder.path().join("asking.yaml");
    let text = std::fs::read_to_string(&prepared.file).unwrap();
    std::fs::write(&asking, text.replace("admin: { listen: 127.0.0.1:0 }", &admin_at(health))).unwrap();
    let ask = async |connector: &[&str]| {
        command(prepared.folder.path(), &[&["health", "--config", "asking.yaml"], connector].concat()).await
    };

    for connector in [&[] as &[&str], &["cronus"]] {
        let ended = ask(connector).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.output.contains("cronus: ready"), "{ended:?}");
    }
    let ended = ask(&["nonsuch"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("The connectors are: cronus, annex"), "{ended:?}");
    // A route may have no working connector while others serve: a container is not restarted for that.
    let lines = ask(&[]).await.output;
    assert!(lines.starts_with("ready, but something needs attention\nannex: not ready."), "{lines}");
    // So it is while the file has mistakes: the previous configuration is in service.
    let good = std::fs::read_to_string(&asking).unwrap();
    std::fs::write(&asking, format!("{good}\nlisen: 127.0.0.1:1\n")).unwrap();
    let ended = ask(&[]).await;
    assert!(ended.code == Some(0) && ended.output.contains("cronus: ready"), "{ended:?}");
    std::fs::write(&asking, good).unwrap();
    let ended = ask(&["--all"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.errors.contains("annex: not ready"), "{ended:?}");

    drop(process);
    std::fs::write(&asking, text.replace("admin: { listen: 127.0.0.1:0 }", &admin_at(unused().await))).unwrap();
    let ended = ask(&[]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("Check that it is running"), "{ended:?}");
    std::fs::write(&asking, text.replace("admin: { listen: 127.0.0.1:0 }", "admin: off")).unwrap();
    assert_eq!(ask(&[]).await.code, Some(2));
}

#[tokio::test]
async fn health_says_why_it_is_not_ready() {
    let prepared = Plan::default().top("admin: { listen: 127.0.0.1:0 }").prepare().await;
    let settings = prepared.simulator.settings();
    prepared.simulator.entra().expire_secret(settings.client_id, &settings.client_secret);
    let mut process = Process::run(&prepared.file);
    let health = admin_address(&mut process).await;
    let text = std::fs::read_to_string(&prepared.file).unwrap();
    std::fs::write(&prepared.file, text.replace("admin: { listen: 127.0.0.1:0 }", &admin_at(health))).unwrap();
    let ended = command(prepared.folder.path(), &["health"]).await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(1), ""));
    assert!(ended.errors.contains("cronus: not ready") && ended.errors.contains("7000222"), "{ended:?}");
}

/// Operators copy these lines: what they name is what the unit, the image and the compose file name.
#[test]
fn the_documented_commands_run_where_the_service_does() {
    let read = |file: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (operations, unit) = (read("docs/operations.md"), read("packaging/systemd/bcproxy.service"));
    let (_, command) = operations.split_once("systemd-run ").unwrap();
    let words: Vec<&str> = command.split("```").next().unwrap().split_whitespace().collect();
    let properties = words.windows(2).filter(|pair| pair[0] == "-p").map(|pair| pair[1]);
    // The unit's user has the name of the unit.
    let known = |property: &&str| *property == "User=bcproxy" || unit.lines().any(|line| line == *property);
    assert_eq!(properties.clone().filter(known).count(), 4, "{:?}", properties.collect::<Vec<_>>());
    for (file, parts) in [
        (
            "docker-compose.yml",
            ["source: ./config, target: /etc/bcproxy", "--owner 10001 config", "--config\", \"/etc/bcproxy"],
        ),
        ("Dockerfile", ["WORKDIR /etc/bcproxy", "--uid 10001", "--config\", \"/etc/bcproxy/proxy.yaml"]),
        ("docs/operations.md", ["proxy setup", "--owner 10001 config", "/etc/bcproxy"]),
        (".gitignore", ["/config", "", ""]),
    ] {
        let text = read(file);
        assert!(parts.iter().all(|part| text.contains(part)), "{file}");
    }
}

#[tokio::test]
async fn status_shows_the_running_bcproxy() {
    let prepared = Plan::default().top("admin: { listen: 127.0.0.1:0 }").prepare().await;
    let mut process = Process::run(&prepared.file);
    let proxy = process.address().await;
    let admin = admin_address(&mut process).await.to_string();
    // The address needs no file.
    let folder = TempDir::new().unwrap();
    let ask = async |more: &[&str]| command(folder.path(), &[&["status", "--at", &admin], more].concat()).await;
    process.log_line(|line| message(line).contains("ready")).await;
    assert_eq!(get(proxy, "/api/customers").await.status, StatusCode::OK);
    assert_eq!(get(proxy, "/api/nonsuch").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(proxy, "/api/../x").await.status, StatusCode::BAD_REQUEST);
    process.log_line(|line| is_access(line) && line["status"] == 400).await;

    let ended = ask(&[]).await;
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""), "{ended:?}");
    let rows: Vec<Vec<&str>> = ended.output.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(rows[0].starts_with(&["bcproxy", concat!(env!("CARGO_PKG_VERSION"), ":"), "ready,"]), "{}", ended.output);
    assert!(
        rows.contains(&"cronus ready Production CRONUS International Ltd.".split(' ').collect()),
        "{}",
        ended.output
    );
    assert!(rows.contains(&"/api api/v2.0 cronus 2 1 0".split(' ').collect()), "{}", ended.output);
    assert!(ended.output.contains(&format!("http://{proxy}")), "{}", ended.output);
    assert!(rows.iter().any(|row| row.ends_with(&["400", "127.0.0.1", "GET", "/api/../x"])), "{}", ended.output);

    let ended = ask(&["--output", "json"]).await;
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((ended.code, &said["connectors"][0]["name"]), (Some(0), &"cronus".into()));
    assert!(said["client_memory"].is_object(), "{said}");

    drop(process);
    let ended = ask(&[]).await;
    assert!(ended.code == Some(1) && ended.errors.contains("Check that it is running"), "{ended:?}");
}

#[tokio::test]
async fn status_fails_and_says_why_when_no_connector_is_ready() {
    let prepared = Plan::default().top("admin: { listen: 127.0.0.1:0 }").prepare().await;
    let settings = prepared.simulator.settings();
    prepared.simulator.entra().expire_secret(settings.client_id, &settings.client_secret);
    let mut process = Process::run(&prepared.file);
    let admin = admin_address(&mut process).await.to_string();
    process.log_line(|line| message(line).contains("7000222")).await;
    let ended = command(prepared.folder.path(), &["status", "--at", &admin]).await;
    assert_eq!((ended.code, ended.errors.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.output.contains("cronus     not ready") && ended.output.contains("7000222"), "{}", ended.output);
}

#[tokio::test]
async fn completions_and_man_pages_know_every_command() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = command(folder.path(), &["completions", shell]).await;
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
        assert!(ended.output.contains("certificate") && ended.output.contains("renew"), "{shell}: {}", ended.output);
    }
    let ended = command(folder.path(), &["man"]).await;
    assert!(ended.code == Some(0) && ended.output.contains(".TH bcproxy 1"), "{}", ended.output);
    assert!(
        ended.output.contains(".SH EXAMPLES\n.nf\n") && ended.output.contains("bcproxy\\-doctor(1)"),
        "{}",
        ended.output
    );

    assert_eq!(command(folder.path(), &["man", "--dir", "share/man1"]).await.code, Some(0));
    let pages = folder.path().join("share/man1");
    assert!(std::fs::read_to_string(pages.join("bcproxy.1")).unwrap() == ended.output);
    for (page, part) in [("bcproxy-user-add.1", "api\\-key"), ("bcproxy-explain.1", "\n  bcproxy explain GET")] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(part), "{page}: {text}");
    }
    assert!(!pages.join("bcproxy-help.1").exists());
}

/// A command that waits says for what, on a terminal and nowhere else.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_command_says_on_a_terminal_what_it_waits_for() {
    let prepared = Plan::default().prepare().await;
    for (arguments, waits, done) in [
        (&["token"] as &[&str], r"fetching a token for connector cronus \([1-9][0-9]* s\)", "audience"),
        (&["companies"], r"listing the companies of connector cronus \([1-9][0-9]* s\)", "My Company"),
        (&["doctor"], r"checking 6\. Tenant \([1-9][0-9]* s\)", "16. Routes"),
    ] {
        let latch = Latch::closed();
        prepared.simulator.entra().fail(Fault::Held(latch.clone()), Times::Always);
        let folder = prepared.folder.path().to_owned();
        let arguments = arguments.to_vec();
        let shown = tokio::task::spawn_blocking(move || {
            let mut terminal = terminal::start(&arguments, &folder);
            let (_, waiting) = terminal.exp_regex(waits).unwrap();
            latch.open();
            (waiting, terminal.exp_eof().unwrap())
        });
        let (waiting, rest) = shown.await.unwrap();
        // The line is erased before anything else is written.
        assert!(rest.starts_with("\r\u{1b}[2K"), "{waiting}: {rest:?}");
        assert!(rest.contains(done), "{rest:?}");
        prepared.simulator.entra().recover();
    }
    let ended = command(prepared.folder.path(), &["token"]).await;
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn the_demo_has_a_configuration_of_its_own() {
    let folder = folder(FINE);
    for arguments in [["demo", "--config", "proxy.yaml"], ["--config", "proxy.yaml", "demo"]] {
        let ended = command(folder.path(), &arguments).await;
        assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""));
        assert!(ended.errors.contains("takes no --config"), "{}", ended.errors);
    }
}

#[tokio::test]
async fn the_demo_works_as_it_says_whatever_ports_are_taken() {
    for take_ports in [false, true] {
        let taken: Vec<_> = [8080, 8081]
            .into_iter()
            .filter_map(|port| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().filter(|_| take_ports))
            .collect();
        let folder = TempDir::new().unwrap();
        let mut process = Process::start(&["demo"], folder.path());
        let mut curl_lines = Vec::new();
        for _ in 0..3 {
            curl_lines.push(process.output_line(|line| line.trim_start().starts_with("curl ")).await);
        }
        for line in &curl_lines {
            let response = as_curl_would(line).await;
            assert_eq!(response.status, StatusCode::OK, "{line}: {}", response.text());
            assert!(response.text().contains("10000"), "{line}: {}", response.text());
            // Its data holds no address of the simulator, which would look like a link that was forgotten.
            let all = as_curl_would(&line.replace("$top=3", "$top=50")).await;
            assert!(!all.text().contains("https://localhost"), "{line}: {}", all.text());
        }
        process.signal("INT").await;
        let ended = process.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        for port in taken.iter().map(|listener| listener.local_addr().unwrap().port()) {
            assert!(ended.output.contains(&format!("Port {port} is in use")), "{}", ended.output);
            assert!(!ended.output.contains(&format!("127.0.0.1:{port}")), "{}", ended.output);
        }
    }
}

#[tokio::test]
async fn schema_and_errors_are_those_in_the_documentation() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for (arguments, file) in [
        (&["schema"] as &[&str], "docs/proxy.schema.json"),
        (&["schema", "--markdown"], "docs/configuration.md"),
        (&["errors", "--markdown"], "docs/errors.md"),
    ] {
        let ended = command(&root, arguments).await;
        assert_eq!(ended.code, Some(0));
        let expected = std::fs::read_to_string(root.join(file)).unwrap();
        assert_eq!(ended.output.trim_end(), expected.trim_end(), "{file}");
    }
}

#[tokio::test]
async fn an_errors_code_leads_to_its_step_and_fix() {
    let folder = TempDir::new().unwrap();
    for code in ["AADSTS7000215", "7000215", "aadsts7000215"] {
        let ended = command(folder.path(), &["errors", code]).await;
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""), "{ended:?}");
        assert!(ended.output.contains("not its Secret ID") && ended.output.contains("step 8 of the set-up guide"));
    }
    let ended = command(folder.path(), &["errors", "NoEnvironment", "--output", "json"]).await;
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((&said[0]["step"], &said[0]["number"]), (&"environment".into(), &12.into()), "{said}");
    let ended = command(folder.path(), &["errors", "418"]).await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(1), ""));
    assert!(ended.errors.contains("418 I'm a teapot is not bcproxy's"), "{}", ended.errors);
    let ended = command(folder.path(), &["errors", "AADSTS1"]).await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(1), ""));
    assert!(ended.errors.contains("https://login.microsoftonline.com/error?code=1"), "{}", ended.errors);
}

#[tokio::test]
async fn explain_says_how_a_path_begins() {
    let folder = folder(FINE);
    let ended = command(folder.path(), &["explain", "GET", "api/customers"]).await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""));
    assert!(ended.errors.contains("The path must begin with a slash: /api/customers."), "{}", ended.errors);
    for path in ["/customers", "http://127.0.0.1/customers"] {
        let ended = command(folder.path(), &["explain", "GET", path]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended.output.contains("404 Proxy_NoRoute") && ended.output.contains("Try /api/customers."),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn guide_prints_a_step_by_number_or_name() {
    let folder = TempDir::new().unwrap();
    let by_number = command(folder.path(), &["guide", "11"]).await;
    assert_eq!((by_number.code, by_number.errors.as_str()), (Some(0), ""));
    for part in ["11. API permission and consent\n", "Click Grant admin consent for", "Next: bcproxy guide 12"] {
        assert!(by_number.output.contains(part), "{part} is not in {}", by_number.output);
    }
    assert_eq!(command(folder.path(), &["guide", "Consent"]).await.output, by_number.output);
    let list = command(folder.path(), &["guide"]).await;
    assert_eq!(list.code, Some(0));
    assert!(list.output.contains("  11  consent          API permission and consent\n"), "{}", list.output);
    let ended = command(folder.path(), &["guide", "17"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("Name one from 1 to 16"), "{}", ended.errors);
}

#[tokio::test]
async fn errors_explains_statuses_and_all_codes_of_bcproxy_itself() {
    let folder = TempDir::new().unwrap();
    for (status, parts) in [
        ("401", &["401 Unauthorized", "Only bcproxy sends it", "Proxy_Unauthenticated", "(from bcproxy)"] as &[&str]),
        ("403", &["Proxy_NotAllowed", "403 (from Business Central)", "permission sets do not cover"]),
        ("429", &["429 Too Many Requests", "Proxy_Busy", "429 (from Business Central)"]),
        ("421", &["Proxy_UnknownHost"]),
        ("409", &["409 Conflict", "changed the record"]),
        ("proxy_busy", &["429 Proxy_Busy (from bcproxy)", "Nothing was carried out."]),
    ] {
        let ended = command(folder.path(), &["errors", status]).await;
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""), "{ended:?}");
        for part in parts {
            assert!(ended.output.contains(part), "{part} is not in {}", ended.output);
        }
    }
    let page = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md")).unwrap();
    for code in RejectionCode::ALL {
        assert!(page.contains(&format!("{} {}", code.status().as_u16(), code.as_str())), "{code:?}");
    }
    let ended = command(folder.path(), &["errors", "403", "--output", "json"]).await;
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((&said[0]["status"], &said[0]["reason"]), (&403.into(), &"Forbidden".into()), "{said}");
    assert!(said.as_array().unwrap()[1..].iter().all(|entry| entry["sender"].is_string()), "{said}");
}

#[tokio::test]
async fn every_request_is_one_line_of_json_without_what_was_asked_for() {
    let prepared = Plan::default().prepare().await;
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    let response = get(address, "/api/customers?$filter=displayName%20eq%20'Geheimrat'&tenantless=Geheimnis").await;
    let line = process.log_line(is_access).await;
    assert_eq!(line["id"], response.headers["x-request-id"].to_str().unwrap());
    assert_eq!((&line["client"], &line["route"]), (&"127.0.0.1".into(), &"/api".into()));
    assert_eq!((&line["method"], &line["path"]), (&"GET".into(), &"/api/customers".into()));
    assert_eq!((line["status"].as_u64(), line["bytes"].as_u64()), (Some(200), Some(response.body.len() as u64)));
    assert!(line["upstream_ms"].as_f64().unwrap() <= line["total_ms"].as_f64().unwrap());
    assert!(line["token_age_s"].is_u64());
    assert_eq!((&line["outcome"], &line["reason"]), (&"complete".into(), &Value::Null));
    assert_eq!(line["client_id"], prepared.simulator.settings().client_id.to_string());

    let response = rig::send(address, Method::POST, "/api/a/../b?x=Geheimnis", &[], "Geheimsache").await;
    let line = process.log_line(is_access).await;
    assert_eq!(line["status"], 400);
    assert_eq!(line["reason"], response.error().1);
    for missing in ["upstream_ms", "token_age_s", "client_id"] {
        assert_eq!(line[missing], Value::Null, "{line}");
    }

    process.signal("TERM").await;
    let ended = process.end().await;
    let lines: Vec<Value> = ended.errors.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().filter(|line| is_access(line)).count(), 2);
    let simulator = prepared.simulator.settings();
    for retained in ["Geheim", "Bearer", "eyJ", simulator.client_secret.as_str()] {
        assert!(!ended.errors.contains(retained), "{retained} is in {}", ended.errors);
    }
}

#[tokio::test]
async fn request_lines_can_be_turned_off() {
    let prepared = Plan::default().top("log: { requests: false, format: text }").prepare().await;
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    assert_eq!(get(address, "/api/customers").await.status, StatusCode::OK);
    process.signal("TERM").await;
    let ended = process.end().await;
    assert_eq!(ended.code, Some(0));
    assert!(!ended.errors.contains("/api/customers") && !ended.errors.contains('{'), "{}", ended.errors);
}

fn is_access(line: &Value) -> bool {
    line["target"] == "bcproxy::access"
}

async fn get(address: SocketAddr, path: &str) -> ClientResponse {
    rig::send(address, Method::GET, path, &[], "").await
}

async fn admin_address(process: &mut Process) -> SocketAddr {
    let line = process.log_line(|line| message(line).starts_with("status page on ")).await;
    let address = message(&line).strip_prefix("status page on http://").and_then(|rest| rest.strip_suffix('/'));
    address.unwrap().parse().unwrap()
}

fn admin_at(address: SocketAddr) -> String {
    format!("admin: {{ listen: '{address}' }}")
}

/// An address nobody listens on.
async fn unused() -> SocketAddr {
    tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
}

/// Does what curl does with such a line: `curl -s 'URL' [-H 'NAME: VALUE']… [-d 'BODY']`.
async fn as_curl_would(line: &str) -> ClientResponse {
    let words: Vec<&str> = line.split('\'').map(str::trim).collect();
    let options: Vec<(&str, &str)> = words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let url = options[0].1.strip_prefix("http://").unwrap();
    let (host, path) = url.split_at(url.find('/').unwrap());
    let of = |option: &'static str| options.iter().filter(move |(known, _)| *known == option).map(|(_, value)| *value);
    let headers: Vec<(String, &str)> = of("-H")
        .map(|header| header.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let body = of("-d").next();
    let method = if body.is_some() { Method::POST } else { Method::GET };
    rig::send(host.parse().unwrap(), method, path, &headers, body.unwrap_or_default().to_owned()).await
}
