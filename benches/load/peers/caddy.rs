//! Caddy with a static header. It changes no bodies, and does not decompress them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{api_prefix, soap_prefix};
use crate::Result;
use crate::upstream::Upstream;

pub(super) fn command(address: SocketAddr, upstream: &Upstream, folder: &Path) -> Result<Command> {
    let file = folder.join("Caddyfile");
    fs::write(&file, configuration(address, upstream, folder))?;
    let mut command = Command::new("caddy");
    // One thread at a time runs Go code, as the others have one.
    command.env("GOMAXPROCS", "1").env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
    Ok(command)
}

fn configuration(address: SocketAddr, upstream: &Upstream, folder: &Path) -> String {
    let (host, port) = (address.ip(), address.port());
    let (authorization, upstream_port) = (upstream.authorization(), upstream.address.port());
    let (api, soap) = (api_prefix(), soap_prefix());
    let folder = folder.display();
    // The rest of the path begins with a slash.
    let [api, soap] = [&api, &soap].map(|prefix| prefix.trim_end_matches('/'));
    format!(
        "{{
    admin off
    persist_config off
    auto_https off
    log {{
        level ERROR
    }}
}}
(business_central) {{
    reverse_proxy https://127.0.0.1:{upstream_port} {{
        header_up Host localhost:{upstream_port}
        header_up Authorization \"{authorization}\"
        transport http {{
            versions 1.1
            tls_server_name localhost
            tls_trust_pool file {folder}/ca.pem
            keepalive_idle_conns_per_host 64
            compression off
        }}
    }}
}}
http://:{port} {{
    bind {host}
    handle_path /api/* {{
        rewrite * {api}{{uri}}
        import business_central
    }}
    handle_path /soap/* {{
        rewrite * {soap}{{uri}}
        import business_central
    }}
}}
"
    )
}
