//! Tests of the simulator over real sockets and TLS, as a proxy uses it.

mod batch;
mod description;
mod encoding;
mod entra;
mod links;
mod media;
mod odata;
mod soap;
mod webhooks;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use bcproxy::simulator::{Received, Settings, Simulator};
use hyper::{Method, StatusCode};
use reqwest::{Client, RequestBuilder, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const SCOPE: &str = "https://api.businesscentral.dynamics.com/.default";

/// A simulator and a client that trusts it.
struct World {
    simulator: Simulator,
    client: Client,
}

impl World {
    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let simulator = Simulator::start(settings).await.unwrap();
        let client = client_for(&simulator);
        Self { simulator, client }
    }

    fn token_request(&self, form: &[(&str, &str)]) -> RequestBuilder {
        let settings = self.simulator.settings();
        let url = format!("{}/{}/oauth2/v2.0/token", self.simulator.authority(), settings.tenant_id);
        self.client.post(url).form(form)
    }

    async fn token(&self) -> String {
        let settings = self.simulator.settings();
        let client_id = settings.client_id.to_string();
        let response = self.token_request(&form(&client_id, &settings.client_secret)).send().await.unwrap();
        let response: Value = response.json().await.unwrap();
        response["access_token"].as_str().unwrap().to_owned()
    }

    /// The URL of the environment.
    fn root(&self) -> String {
        let settings = self.simulator.settings();
        format!("{}/v2.0/{}/{}", self.simulator.base_url(), settings.tenant_id, settings.environment)
    }

    /// The URL of an entity set of the first company.
    fn set(&self, name: &str) -> String {
        format!("{}/api/v2.0/companies({})/{name}", self.root(), self.simulator.settings().companies[0].id)
    }

    /// The URL of the customers of the first company.
    fn customers(&self) -> String {
        self.set("customers")
    }

    async fn get(&self, url: &str) -> Response {
        self.client.get(url).bearer_auth(self.token().await).send().await.unwrap()
    }

    /// A request with a token and a JSON body.
    async fn send(&self, method: Method, url: &str, headers: &[(&str, &str)], body: &Value) -> Response {
        let request = self.client.request(method, url).bearer_auth(self.token().await).json(body);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
    }

    async fn get_json(&self, url: &str) -> Value {
        let response = self.get(url).await;
        assert_eq!(response.status(), StatusCode::OK, "{url}");
        response.json().await.unwrap()
    }

    async fn soap(&self, service: &str, body: &str) -> Response {
        let url = format!("{}/WS/CRONUS%20International%20Ltd./{service}", self.root());
        let body = format!(
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>{body}</s:Body></s:Envelope>"
        );
        let request = self.client.post(url).bearer_auth(self.token().await);
        request.header("content-type", "text/xml; charset=utf-8").body(body).send().await.unwrap()
    }

    async fn soap_result(&self, service: &str, body: &str) -> String {
        let response = self.soap(service, body).await;
        assert_eq!(response.status(), StatusCode::OK, "{body}");
        response.text().await.unwrap()
    }

    async fn wait_for(&self, predicate: impl FnMut(&[Received]) -> bool) {
        let waiting = self.simulator.wait_for(predicate);
        tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("the event did not occur in time");
    }
}

/// A TLS configuration that trusts the simulator's certificate authority.
fn tls_for(simulator: &Simulator) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(simulator.ca_pem().as_bytes()).unwrap()).unwrap();
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn client_for(simulator: &Simulator) -> Client {
    let redirects = reqwest::redirect::Policy::none();
    Client::builder()
        .tls_backend_preconfigured(tls_for(simulator))
        .no_proxy()
        .gzip(false)
        .redirect(redirects)
        .build()
        .unwrap()
}

/// A plain TLS connection to Business Central.
async fn raw_connection(simulator: &Simulator) -> TlsStream<TcpStream> {
    let address = simulator.base_url().trim_start_matches("https://").replace("localhost", "127.0.0.1");
    let socket = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(tls_for(simulator)));
    connector.connect("localhost".try_into().unwrap(), socket).await.unwrap()
}

fn form<'a>(client_id: &'a str, secret: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", secret), ("scope", SCOPE)]
}
