//! nginx with a static header, tuned by somebody who knows that bodies are large and handshakes dear.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Peer, api_prefix, soap_prefix};
use crate::Result;
use crate::upstream::{COMPANY_ID, LINKS, Upstream};

/// `rewrites`: with `sub_filter`.
pub(super) fn command(
    peer: &Peer,
    address: SocketAddr,
    upstream: &Upstream,
    folder: &Path,
    rewrites: bool,
) -> Result<Command> {
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration(peer, address, upstream, folder, rewrites))?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(file).arg("-e").arg(folder.join("error.log"));
    Ok(command)
}

/// One process without a master: the same event loop, and nothing is left behind when it is ended.
fn configuration(peer: &Peer, address: SocketAddr, upstream: &Upstream, folder: &Path, rewrites: bool) -> String {
    let Peer { logs, secured, .. } = *peer;
    let folder = folder.display();
    let authorization = upstream.authorization();
    let port = upstream.address.port();
    let access_log = if logs { format!("{folder}/access.log") } else { "off".to_owned() };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("    {kind}_temp_path {folder}/{kind};\n"))
        .concat();
    let (api, soap) = (api_prefix(), soap_prefix());
    // OData's content type has parameters, which only `*` matches.
    let filter = format!(
        "sub_filter_types *;
            sub_filter_once off;
            sub_filter '{LINKS}/companies({COMPANY_ID})' 'http://{address}/api';
            sub_filter '{LINKS}' 'http://{address}/api';"
    );
    let filter = if rewrites { filter.as_str() } else { "" };
    let (ssl, certificate) = match secured {
        true => (" ssl", format!("ssl_certificate {folder}/ca.pem; ssl_certificate_key {folder}/key.pem;")),
        false => ("", String::new()),
    };
    format!(
        "daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 12000; }}
http {{
{temporary}    access_log {access_log};
    keepalive_timeout 300s;
    keepalive_requests 100000000;
    client_body_buffer_size 128k;
    upstream business_central {{
        server 127.0.0.1:{port};
        keepalive 64;
        keepalive_requests 100000000;
    }}
    gunzip on;
    server {{
        listen {address}{ssl} backlog=4096;
        {certificate}
        proxy_http_version 1.1;
        proxy_set_header Connection \"\";
        proxy_set_header Host localhost:{port};
        proxy_set_header Authorization \"{authorization}\";
        proxy_buffers 32 64k;
        proxy_buffer_size 64k;
        proxy_max_temp_file_size 0;
        proxy_ssl_protocols TLSv1.2 TLSv1.3;
        proxy_ssl_server_name on;
        proxy_ssl_name localhost;
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate {folder}/ca.pem;
        location /api/ {{
            {filter}
            proxy_pass https://business_central{api};
        }}
        location /soap/ {{
            proxy_pass https://business_central{soap};
        }}
    }}
}}
"
    )
}
