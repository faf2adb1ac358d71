//! Envoy that fetches its token itself (`credential_injector`, OAuth2 client credentials).

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{api_prefix, soap_prefix};
use crate::Result;
use crate::upstream::{TENANT, Upstream};

pub(super) fn command(address: SocketAddr, upstream: &Upstream, folder: &Path) -> Result<Command> {
    let file = folder.join("envoy.yaml");
    fs::write(&file, configuration(address, upstream, folder))?;
    let mut command = Command::new("envoy");
    command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c"]).arg(file);
    Ok(command)
}

/// Every connection to the upstream is verified, that for tokens too.
fn configuration(address: SocketAddr, upstream: &Upstream, folder: &Path) -> String {
    let (host, port) = (address.ip(), address.port());
    let upstream_port = upstream.address.port();
    let (api, soap) = (api_prefix(), soap_prefix());
    let folder = folder.display();
    let clusters: String = ["business_central", "entra"]
        .map(|name| {
            format!(
                "  - name: {name}
    type: STATIC
    load_assignment:
      cluster_name: {name}
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {upstream_port} }} }} }}
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: localhost
        common_tls_context:
          validation_context:
            trusted_ca: {{ filename: {folder}/ca.pem }}
            match_typed_subject_alt_names:
            - {{ san_type: DNS, matcher: {{ exact: localhost }} }}
"
            )
        })
        .concat();
    format!(
        "static_resources:
  secrets:
  - name: client_secret
    generic_secret: {{ secret: {{ inline_string: simulated }} }}
  listeners:
  - address: {{ socket_address: {{ address: {host}, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: clients
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes:
              - match: {{ prefix: /api/ }}
                route:
                  cluster: business_central
                  prefix_rewrite: {api}
                  host_rewrite_literal: localhost:{upstream_port}
              - match: {{ prefix: /soap/ }}
                route:
                  cluster: business_central
                  prefix_rewrite: {soap}
                  host_rewrite_literal: localhost:{upstream_port}
          http_filters:
          - name: envoy.filters.http.credential_injector
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector
              overwrite: true
              credential:
                name: envoy.http.injected_credentials.oauth2
                typed_config:
                  \"@type\": type.googleapis.com/envoy.extensions.http.injected_credentials.oauth2.v3.OAuth2
                  token_endpoint:
                    uri: https://localhost:{upstream_port}/{TENANT}/oauth2/v2.0/token
                    cluster: entra
                    timeout: 10s
                  scopes: ['https://api.businesscentral.dynamics.com/.default']
                  client_credentials:
                    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
                    client_secret: {{ name: client_secret }}
          - name: envoy.filters.http.router
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
{clusters}"
    )
}
