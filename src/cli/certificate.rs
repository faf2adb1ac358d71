//! `bcproxy certificate`: a certificate for an HTTPS listener, and an authority of one's own that vouches for it.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::NamedTempFile;
use time::{Duration, OffsetDateTime};

use super::{Failure, Output, private_file};
use crate::config::HostName;
use crate::small_file;
use crate::tls::{AuthorityError, CertificateAuthority, IssuedCertificate, host_names_of};

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Host names and IP addresses that programs call bcproxy by [default: this machine's name, localhost, 127.0.0.1, ::1].
    names: Vec<String>,
    /// Where the files go [default: the folder of the configuration file].
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Replace the certificate that is there by a new one; without names, for those of the old one. The authority stays.
    #[arg(long)]
    renew: bool,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub fn certificate(wish: &Arguments, config: &Path) -> Result<(), Failure> {
    let files = Files::of(wish.folder.as_deref().or(config.parent()).unwrap_or(Path::new("")));
    let taken = [&files.server, &files.server_key].into_iter().find(|file| file.exists());
    if let Some(taken) = taken.filter(|_| !wish.renew) {
        return Err(Failure::Failed(format!(
            "{} is there already and stays as it is. Use --renew to replace the server's certificate and key, or --folder for other ones.",
            taken.display()
        )));
    }
    let names = names(&wish.names, &files)?;
    let (authority, is_new) = authority(&files, &names)?;
    let now = OffsetDateTime::now_utc();
    let lifetime = SERVER_LIFETIME.min(authority.expires() - now + Duration::DAY);
    let server = authority.issue(names.clone(), lifetime).map_err(|error| failed("the certificate", &error))?;

    let made = Made { files, names, is_new, authority_expires: authority.expires(), server_expires: server.expires };
    made.write(&authority, &server)?;
    match wish.output {
        Output::Json => println!("{:#}", made.as_json()),
        Output::Text => println!("{}", made.as_text(config)),
    }
    Ok(())
}

/// Where everything goes.
struct Files {
    authority: PathBuf,
    authority_key: PathBuf,
    server: PathBuf,
    server_key: PathBuf,
}

struct Made {
    files: Files,
    names: Vec<String>,
    /// Whether the authority was made now.
    is_new: bool,
    authority_expires: OffsetDateTime,
    server_expires: OffsetDateTime,
}

impl Files {
    fn of(folder: &Path) -> Self {
        // Windows and Debian take an authority's certificate by this ending only.
        Self {
            authority: folder.join("bcproxy-ca.crt"),
            authority_key: folder.join("bcproxy-ca-key.pem"),
            server: folder.join("server.pem"),
            server_key: folder.join("server-key.pem"),
        }
    }
}

/// The names as given, those of the certificate that is replaced, or this machine's.
fn names(given: &[String], files: &Files) -> Result<Vec<String>, Failure> {
    if !given.is_empty() {
        return given.iter().map(|name| host_name(name)).collect();
    }
    if files.server.exists() {
        let known = small_file::read(&files.server).ok().and_then(|pem| host_names_of(&pem));
        return known.filter(|names| !names.is_empty()).ok_or_else(|| {
            let message = format!(
                "{} can't be read as a certificate, so the names it was for are not known; write them behind the command: bcproxy \
                 certificate --renew erp-gw",
                files.server.display()
            );
            Failure::Failed(message)
        });
    }
    let own = HostName::of_this_machine().map(|name| name.to_string());
    let always = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut names: Vec<String> = own.into_iter().chain(always).collect();
    names.dedup();
    Ok(names)
}

/// A host name or an IP address as it stands in a certificate.
fn host_name(text: &str) -> Result<String, Failure> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let (any, name) = text.strip_prefix("*.").map_or(("", text), |name| ("*.", name));
    if let Ok(name) = name.parse::<HostName>() {
        return Ok(format!("{any}{name}"));
    }
    Err(Failure::Configuration(format!(
        "{text:?} is neither a host name nor an IP address; write what stands in the programs' address between https:// and the port, such \
         as erp-gw, erp-gw.contoso.local or 192.168.1.20"
    )))
}

/// The authority of the folder; a new one, where there is none.
fn authority(files: &Files, names: &[String]) -> Result<(CertificateAuthority, bool), Failure> {
    match (files.authority.exists(), files.authority_key.exists()) {
        (false, false) => {
            let first = names.first().map_or("", String::as_str);
            // Each has a name of its own: one that looks like another but signs with another key is refused in odd words.
            let name = format!("bcproxy CA for {first}, made {}", OffsetDateTime::now_utc().date());
            let authority = CertificateAuthority::new(&name, AUTHORITY_LIFETIME)
                .map_err(|error| failed("the authority", &error))?;
            return Ok((authority, true));
        }
        (true, true) => {}
        (has_certificate, _) => {
            let (there, missing) = match has_certificate {
                true => (&files.authority, &files.authority_key),
                false => (&files.authority_key, &files.authority),
            };
            return Err(Failure::Failed(format!(
                "{} is there, but not {}: bring it back from where it is kept, so that machines that trust the authority need not be told \
                 of another; or use --folder to make a new authority elsewhere.",
                there.display(),
                missing.display()
            )));
        }
    }
    let read = |path: &Path| {
        small_file::read(path).map_err(|error| {
            Failure::Failed(format!("{} can't be read: {}", path.display(), small_file::reason(&error)))
        })
    };
    let authority =
        CertificateAuthority::from_pem(&read(&files.authority)?, &read(&files.authority_key)?).map_err(|error| {
            let file = match error {
                AuthorityError::Certificate => &files.authority,
                AuthorityError::Key => &files.authority_key,
            };
            Failure::Failed(format!(
                "{}: {error}. Bring the right file back, or use --folder to make a new authority elsewhere.",
                file.display()
            ))
        })?;
    if authority.expires() <= OffsetDateTime::now_utc() {
        return Err(Failure::Failed(format!(
            "The authority in {} has expired on {}. Use --folder to make a new one elsewhere, and let the machines trust that.",
            files.authority.display(),
            authority.expires().date()
        )));
    }
    Ok((authority, false))
}

impl Made {
    /// Keys first: a certificate without its key is of no use.
    fn write(&self, authority: &CertificateAuthority, server: &IssuedCertificate) -> Result<(), Failure> {
        let files = &self.files;
        if self.is_new {
            write(&files.authority_key, &authority.private_key(), Kind::Key, false)?;
            write(&files.authority, authority.certificate(), Kind::Certificate, false)?;
        }
        write(&files.server_key, &server.private_key, Kind::Key, true)?;
        write(&files.server, &server.certificate, Kind::Certificate, true)
    }

    fn as_json(&self) -> serde_json::Value {
        json!({
            "authority": {
                "certificate": self.files.authority,
                "private_key": self.files.authority_key,
                "new": self.is_new,
                "expires": self.authority_expires.date().to_string(),
            },
            "server": {
                "certificate": self.files.server,
                "private_key": self.files.server_key,
                "names": self.names,
                "expires": self.server_expires.date().to_string(),
            },
        })
    }

    fn as_text(&self, config: &Path) -> String {
        let Files { authority, authority_key, server, server_key } = &self.files;
        let mut text = String::new();
        // A String takes everything that is written to it.
        let _ = if self.is_new {
            write!(
                text,
                "Made a certificate authority, valid until {}:
  {}    for the machines that programs run on: they must trust it, see below
  {}    its private key. Whoever has it can pretend to be any server towards those machines:
      keep it in a safe place, off this machine, until the certificate is renewed

Made",
                self.authority_expires.date(),
                authority.display(),
                authority_key.display()
            )
        } else {
            write!(text, "With the authority in {}, made", authority.display())
        };
        let _ = write!(
            text,
            " a certificate for {}, valid until {}:
  {}
  {}    its private key ({readers})

1. In {config}:

listen:
  - 127.0.0.1:8080
  - {{ address: 127.0.0.1:8443, tls: {{ certificate: {certificate}, private_key: {key} }} }}

   and start bcproxy again. (0.0.0.0 instead of 127.0.0.1 is for programs on other machines; see `access` there.)

2. Let the machines the programs run on trust {ca}:

   Windows, one machine    certutil -addstore -f Root bcproxy-ca.crt      in a terminal \"as administrator\"; or
                           certlm.msc → Trusted Root Certification Authorities → All Tasks → Import
   Windows, a domain       Group Policy Management → edit a policy → Computer Configuration → Policies → Windows Settings →
                           Security Settings → Public Key Policies → Trusted Root Certification Authorities → Import
   Debian, Ubuntu          cp bcproxy-ca.crt /usr/local/share/ca-certificates/ && update-ca-certificates
   Red Hat, SUSE           cp bcproxy-ca.crt /etc/pki/ca-trust/source/anchors/ && update-ca-trust      (SUSE: /etc/pki/trust/anchors/,
                           update-ca-certificates)
   Java                    keytool -importcert -cacerts -alias bcproxy -file bcproxy-ca.crt      (before Java 9: -keystore
                           JRE/lib/security/cacerts instead of -cacerts)

3. Try it: curl --cacert {ca} https://{host}:8443/api/customers

Before {expires}, renew it with `bcproxy certificate --renew`; the authority stays the same, so that no machine needs to be told.",
            self.names.join(", "),
            self.server_expires.date(),
            server.display(),
            server_key.display(),
            readers = private_file::who_may_read(server_key),
            config = config.display(),
            certificate = in_yaml(server, config),
            key = in_yaml(server_key, config),
            ca = authority.display(),
            host = in_address(self.names.first().map_or("localhost", String::as_str)),
            expires = self.server_expires.date(),
        );
        text
    }
}

fn in_address(name: &str) -> String {
    match name.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => name.replace('*', "www"),
    }
}

/// A path as it is written in the configuration file, whose folder it is relative to.
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

/// Who may read a file.
#[derive(Clone, Copy)]
enum Kind {
    /// Everybody.
    Certificate,
    /// Its owner only.
    Key,
}

/// Writes a whole file or none.
fn write(path: &Path, text: &str, kind: Kind, replace: bool) -> Result<(), Failure> {
    let folder = small_file::folder(path);
    let written = || -> io::Result<()> {
        let file = match kind {
            Kind::Key => private_file::write(folder, text.as_bytes())?,
            Kind::Certificate => public_file(folder, text.as_bytes())?,
        };
        file.as_file().sync_all()?;
        if replace {
            file.persist(path)?
        } else {
            file.persist_noclobber(path)?
        };
        Ok(())
    };
    written().map_err(|error| Failure::Failed(format!("{} can't be written: {error}", path.display())))
}

/// A file that everybody may read; on Windows, whoever may read its folder.
fn public_file(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(file)
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("{what} can't be made: {error}"))
}

/// Ten years: every machine has to be told of a new one.
const AUTHORITY_LIFETIME: Duration = Duration::days(3650);

/// The longest that macOS and iOS take from an authority they were told to trust.
const SERVER_LIFETIME: Duration = Duration::days(825);
