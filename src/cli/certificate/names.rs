//! The names the certificate is for.

use std::net::IpAddr;

use super::files::Files;
use crate::cli::common::Failure;
use crate::config::HostName;
use crate::small_file;
use crate::tls::host_names_of;

/// Returns the given names, or those of the existing certificate, or this machine's.
pub fn certificate_names(given: &[String], files: &Files) -> Result<Vec<String>, Failure> {
    if !given.is_empty() {
        return given.iter().map(|name| host_name(name)).collect();
    }
    if files.server.exists() {
        let existing = small_file::read(&files.server).ok().and_then(|pem| host_names_of(&pem));
        return existing.filter(|names| !names.is_empty()).ok_or_else(|| {
            let message = format!(
                "{} is not a readable certificate, so its host names are unknown. Add them to the command: \
                 bcproxy certificate --renew erp-gw",
                files.server.display()
            );
            Failure::Failed(message)
        });
    }
    let this_machine = HostName::of_this_machine().map(|name| name.to_string());
    let local = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut names: Vec<String> = this_machine.into_iter().chain(local).collect();
    names.dedup();
    Ok(names)
}

/// Parses a host name or an IP address into the form that a certificate contains.
fn host_name(text: &str) -> Result<String, Failure> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let (wildcard, name) = text.strip_prefix("*.").map_or(("", text), |name| ("*.", name));
    if let Ok(name) = name.parse::<HostName>() {
        return Ok(format!("{wildcard}{name}"));
    }
    Err(Failure::Configuration(format!(
        "{text:?} is neither a host name nor an IP address. Use the part of the clients' URL between https:// and the port, \
         such as erp-gw, erp-gw.contoso.local or 192.168.1.20."
    )))
}
