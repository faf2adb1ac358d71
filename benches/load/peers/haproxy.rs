//! HAProxy with a static header. It changes no bodies, and does not decompress them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Peer, api_prefix, soap_prefix};
use crate::Result;
use crate::upstream::Upstream;

pub(super) fn command(peer: &Peer, address: SocketAddr, upstream: &Upstream, folder: &Path) -> Result<Command> {
    let file = folder.join("haproxy.cfg");
    fs::write(&file, configuration(peer, address, upstream, folder))?;
    let mut command = Command::new("haproxy");
    // One process, in the foreground.
    command.arg("-db").arg("-f").arg(file);
    Ok(command)
}

/// Its log goes to its standard error, which is a file. What a body fills of a buffer leaves the token its 1,400 bytes.
fn configuration(peer: &Peer, address: SocketAddr, upstream: &Upstream, folder: &Path) -> String {
    let log = if peer.logs { "log stderr format raw local0\n    option httplog" } else { "no log" };
    let (authorization, port) = (upstream.authorization(), upstream.address.port());
    // `%` begins a variable.
    let [api, soap] = [api_prefix(), soap_prefix()].map(|prefix| prefix.replace('%', "%%"));
    let folder = folder.display();
    format!(
        "global
    nbthread 1
    tune.bufsize 65536
    tune.maxrewrite 8192
defaults
    mode http
    {log}
    timeout connect 10s
    timeout client 300s
    timeout server 300s
    http-reuse always
frontend clients
    bind {address} backlog 4096
    http-request set-header Host localhost:{port}
    http-request set-header Authorization \"{authorization}\"
    http-request replace-path ^/api/(.*) {api}\\1
    http-request replace-path ^/soap/(.*) {soap}\\1
    default_backend business_central
backend business_central
    server one 127.0.0.1:{port} ssl verify required ca-file {folder}/ca.pem verifyhost localhost sni str(localhost)
"
    )
}
