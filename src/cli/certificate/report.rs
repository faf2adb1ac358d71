//! The output of `bcproxy certificate`: what it created, and how to use it.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use super::files::Files;
use super::issue::Written;
use crate::cli::common::private_file;
use serde_json::json;

impl Written {
    /// For programs.
    pub fn as_json(&self) -> serde_json::Value {
        json!({
            "authority": {
                "certificate": self.files.authority,
                "private_key": self.files.authority_key,
                "new": self.authority_is_new,
                "expires": self.authority_expires.to_string(),
            },
            "server": {
                "certificate": self.files.server,
                "private_key": self.files.server_key,
                "names": self.names,
                "expires": self.server_expires.to_string(),
            },
        })
    }

    /// For people: the files, and what to do with them. `config` is the path of the configuration file.
    pub fn as_text(&self, config: &Path) -> String {
        format!(
            "{created}

1. Put this into {config}. A running bcproxy reloads the file automatically:

listen:
  - 127.0.0.1:8080
  - {{ address: 127.0.0.1:8443, tls: {{ certificate: {certificate}, private_key: {key} }} }}

   For clients on other machines, write 0.0.0.0 instead of 127.0.0.1 and see `access`.

2. {trust}

3. Try it: curl --cacert {ca} https://{host}:8443/api/customers

{renewal}",
            created = self.created(),
            config = config.display(),
            certificate = in_yaml(&self.files.server, config),
            key = in_yaml(&self.files.server_key, config),
            trust = trust(&self.files.authority),
            ca = self.files.authority.display(),
            host = self.names.first().map_or("localhost".to_owned(), |name| in_url(name)),
            renewal = self.renewal(),
        )
    }

    /// The files that were created, and who can read them.
    pub fn created(&self) -> String {
        let Files { authority, authority_key, server, server_key } = &self.files;
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = if self.authority_is_new {
            write!(
                text,
                "Created a certificate authority, valid until {}:
  {}    install it on the clients' machines, see below
  {}    its private key. Anybody who has it can impersonate these names to the clients' machines:
      move it to a safe place off this machine, and bring it back only to renew the certificate
  The authority is for these names and the names below them only: {}.
  For another name, create another authority with `bcproxy certificate --folder`.

Created",
                self.authority_expires,
                authority.display(),
                authority_key.display(),
                self.names.join(", ")
            )
        } else {
            write!(text, "With the authority in {}, created", authority.display())
        };
        let _ = write!(
            text,
            " a certificate for {}, valid until {}:
  {}
  {}    its private key ({readers})",
            self.names.join(", "),
            self.server_expires,
            server.display(),
            server_key.display(),
            readers = private_file::readers(server_key),
        );
        text
    }

    /// When and how to renew the certificate.
    pub fn renewal(&self) -> String {
        format!(
            "Before {}, run `bcproxy certificate --renew`. The authority stays the same, so the clients need no change.",
            self.server_expires
        )
    }
}

/// How the machines of clients come to trust an authority: one line, then a table.
pub fn trust(authority: &Path) -> String {
    format!(
        "Make the clients' machines trust {}:

   Windows, one machine    certutil -addstore -f Root bcproxy-ca.crt      in a terminal \"as administrator\"; or
                           certlm.msc → Trusted Root Certification Authorities → All Tasks → Import
   Windows, a domain       Group Policy Management → edit a policy → Computer Configuration → Policies → Windows Settings →
                           Security Settings → Public Key Policies → Trusted Root Certification Authorities → Import
   Debian, Ubuntu          cp bcproxy-ca.crt /usr/local/share/ca-certificates/ && update-ca-certificates
   Red Hat, SUSE           cp bcproxy-ca.crt /etc/pki/ca-trust/source/anchors/ && update-ca-trust      (SUSE: /etc/pki/trust/anchors/,
                           update-ca-certificates)
   Java                    keytool -importcert -cacerts -alias bcproxy -file bcproxy-ca.crt      (before Java 9: -keystore
                           JRE/lib/security/cacerts instead of -cacerts)",
        authority.display()
    )
}

/// Formats a name as the host of a URL. A wildcard becomes `www`.
pub fn in_url(name: &str) -> String {
    match name.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => name.replace('*', "www"),
    }
}

/// Formats a path for the configuration file, relative to that file's folder where possible.
fn in_yaml(path: &Path, config: &Path) -> String {
    let folder = config.parent().unwrap_or(Path::new(""));
    let path = match path.strip_prefix(folder) {
        Ok(rest) => rest.to_owned(),
        Err(_) => std::path::absolute(path).unwrap_or(path.to_owned()),
    };
    let text = path.display().to_string();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./\\:".contains(&byte));
    if is_plain { text } else { format!("'{}'", text.replace('\'', "''")) }
}
