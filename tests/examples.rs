//! The files in `examples/`, each run in front of the simulator.

#[path = "common/process.rs"]
mod process;
#[path = "common/rig.rs"]
mod rig;

use std::path::{Path, PathBuf};

use bcproxy::business_central::{CompanyRef, Surface};
use bcproxy::config::{Config, Connector, Route};
use bcproxy::simulator::{CompanySettings, Settings, Simulator};
use hyper::{Method, StatusCode};
use process::Process;
use rig::{SOAP_ECHO, within};
use tempfile::TempDir;
use uuid::Uuid;

const NAMES: [&str; 5] =
    ["one-connector", "several-tenants", "on-premises-addresses", "https-scanner-gateway", "application-pool"];

/// An example and the simulators that stand in for its tenants, one for each connector.
struct Example {
    config: Config,
    simulators: Vec<Simulator>,
    folder: TempDir,
    file: PathBuf,
}

#[test]
fn the_examples_are_the_files_in_the_folder_and_its_readme_lists_them() {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> = files.filter_map(|file| Some(file.strip_suffix(".yaml")?.to_owned())).collect();
    found.sort();
    let mut expected = NAMES.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for name in NAMES {
        assert!(readme.contains(&format!("| [{name}.yaml]({name}.yaml) |")), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connector_serves_each_of_its_routes() {
    serve("one-connector").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_tenants_are_served_by_their_own_connector() {
    serve("several-tenants").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_premises_addresses_lead_to_the_renamed_companies() {
    serve("on-premises-addresses").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_gateway_is_served_over_https_and_http() {
    serve("https-scanner-gateway").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_applications_serves_each_of_its_routes() {
    serve("application-pool").await;
}

/// Checks and runs an example, and sends the requests of each route through each listener.
async fn serve(name: &str) {
    let example = Example::prepare(name).await;
    let arguments = ["check", "--config", example.file.to_str().unwrap()];
    let ended = Process::start(&arguments, example.folder.path()).end().await;
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""), "{name}: {}", ended.output);

    let mut process = Process::run(&example.file);
    let tls = bcproxy::tls::client_config(Some(&example.folder.path().join("bcproxy-ca.crt"))).unwrap();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
    for listener in &example.config.listen {
        let scheme = if listener.tls.is_some() { "https" } else { "http" };
        let port = process.address().await.port();
        for route in &example.config.routes {
            let simulator = example.simulator_of(route);
            for (method, path, company) in requests(route) {
                let request = client.request(method.clone(), format!("{scheme}://localhost:{port}{path}"));
                let request = match method {
                    Method::POST => request.header("content-type", "text/xml; charset=utf-8").body(SOAP_ECHO),
                    _ => request,
                };
                let before = simulator.received().len();
                let response = within(request.send()).await.unwrap();
                let (status, cache) = (response.status(), response.headers().get("cache-status").cloned());
                let body = within(response.text()).await.unwrap();
                assert_eq!(status, StatusCode::OK, "{name}: {scheme} {method} {path}: {body}");
                if cache.is_some_and(|cache| cache.as_bytes().starts_with(b"bcproxy; hit;")) {
                    continue;
                }
                let received = simulator.received();
                assert!(received.len() > before, "{name}: {path} did not reach the tenant of its connector");
                let target = &received.last().unwrap().target;
                assert!(names(target, simulator, &company), "{name}: {path} led to {target}, not to {company}");
            }
        }
    }
}

/// Whether an address at Business Central names this company, by name or by id.
fn names(target: &str, simulator: &Simulator, company: &str) -> bool {
    let id = simulator.settings().companies.iter().find(|known| known.name == company).unwrap().id.to_string();
    let target = percent_encoding::percent_decode_str(target).decode_utf8().unwrap();
    target.contains(company) || target.contains(&id)
}

/// What a client of this route sends: method, path and the company that it must lead to.
fn requests(route: &Route) -> Vec<(Method, String, String)> {
    let path = route.path.as_str();
    let own = route.company.as_ref().unwrap().to_string();
    match &route.surface {
        Surface::Api(_) => vec![(Method::GET, format!("{path}/customers"), own)],
        Surface::OData => vec![(Method::GET, format!("{path}/Customer"), own)],
        Surface::Soap => vec![(Method::POST, format!("{path}/Codeunit/Tools"), own)],
        Surface::Nav => {
            let renamed = route.connector.companies.iter().map(|(old, new)| (old.clone(), new.to_string()));
            let companies = renamed.chain([(own.clone(), own)]);
            companies
                .flat_map(|(old, new)| {
                    let odata = format!("{path}/BC140/ODataV4/Company('{old}')/Customer");
                    let soap = format!("{path}/BC140/WS/{old}/Codeunit/Tools");
                    [(Method::GET, odata, new.clone()), (Method::POST, soap, new)]
                })
                .collect()
        }
        Surface::Environment => panic!("no example has such a route"),
    }
}

impl Example {
    /// The example as it is, except for what cannot be the same in a test: addresses, secrets, and who may call.
    async fn prepare(name: &str) -> Self {
        let source = folder().join(name).with_extension("yaml");
        let text = std::fs::read_to_string(&source).unwrap();
        let loaded = Config::from_yaml(&text, &source).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        let original = loaded.config;

        let folder = TempDir::new().unwrap();
        // The files that stand for variables are nobody else's business.
        #[cfg(unix)]
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        // What the HTTPS example tells an administrator to do, and one more name for the client of this test.
        let arguments = ["certificate", "scanner-gw", "localhost"];
        assert_eq!(Process::start(&arguments, folder.path()).end().await.code, Some(0));
        let mut text = without_comments(&text);
        for listener in &original.listen {
            text = text.replace(&listener.address.to_string(), "127.0.0.1:0");
        }
        if !text.contains("listen:") {
            text += "listen: 127.0.0.1:0\n";
        }
        text += "admin: off\nlog: { format: json }\n";
        text = replace_between(&text, "allow_from: [ ", " ]", |_| "127.0.0.0/8".to_owned());
        text = replace_between(&text, "{ env: ", " }", |variable| {
            std::fs::write(folder.path().join(variable), SECRET).unwrap();
            variable.to_owned()
        });
        text = text.replace("{ env: ", "{ file: ");

        let mut simulators = Vec::new();
        for connector in &original.connectors {
            let simulator = simulate(connector, &original).await;
            let (ca_file, head) = (format!("ca-{}.pem", connector.name), format!("\n  {}:\n", connector.name));
            std::fs::write(folder.path().join(&ca_file), simulator.ca_pem()).unwrap();
            assert!(text.contains(&head), "{text}");
            let (authority, base_url) = (simulator.authority(), simulator.base_url());
            let keys = format!("    authority: {authority}\n    base_url: {base_url}\n    ca_file: {ca_file}\n");
            text = text.replace(&head, &format!("{head}{keys}"));
            simulators.push(simulator);
        }
        let file = folder.path().join("proxy.yaml");
        std::fs::write(&file, text).unwrap();
        let config = Config::load(&file).unwrap_or_else(|mistakes| panic!("{mistakes}")).config;
        assert_eq!(config.routes.len(), original.routes.len());
        Self { config, simulators, folder, file }
    }

    fn simulator_of(&self, route: &Route) -> &Simulator {
        let connectors = &self.config.connectors;
        let index = connectors.iter().position(|connector| connector.name == route.connector.name).unwrap();
        &self.simulators[index]
    }
}

/// A simulator of a connector's tenant, with its applications, environment and companies.
async fn simulate(connector: &Connector, config: &Config) -> Simulator {
    let routes = config.routes.iter().filter(|route| route.connector.name == connector.name);
    let companies = connector.company.iter().chain(connector.companies.values());
    let mut names: Vec<&CompanyRef> = companies.chain(routes.filter_map(|route| route.company.as_ref())).collect();
    names.sort_by_key(ToString::to_string);
    names.dedup();
    let company = |name: &CompanyRef| CompanySettings {
        id: Uuid::new_v4(),
        name: name.to_string(),
        display_name: name.to_string(),
    };
    let ids: Vec<Uuid> = connector.applications().map(|it| it.client_id.to_string().parse().unwrap()).collect();
    let settings = Settings {
        tenant_domain: connector.application.tenant_id.to_string(),
        client_id: ids[0],
        client_secret: SECRET.to_owned(),
        environment: connector.environment.to_string(),
        companies: names.into_iter().map(company).collect(),
        default_company: None,
        ..Settings::default()
    };
    let simulator = Simulator::start(settings).await.unwrap();
    ids.iter().skip(1).for_each(|id| simulator.entra().add_secret(*id, SECRET));
    simulator
}

/// The lines that are not comments.
fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).map(|line| format!("{line}\n")).collect()
}

/// Replaces what stands between each `start` and the `end` that follows it.
fn replace_between(text: &str, start: &str, end: &str, mut replacement: impl FnMut(&str) -> String) -> String {
    let mut pieces = text.split(start);
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (between, rest) = piece.split_once(end).unwrap();
        result += &format!("{start}{}{end}{rest}", replacement(between));
    }
    result
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

const SECRET: &str = "example~secret-value";
