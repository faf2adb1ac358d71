//! The steps for clients: who may call, by which names, over HTTP or HTTPS, and on which addresses.

use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;

use anstream::println;
use ipnet::IpNet;
use time::OffsetDateTime;

use super::networks::{self, Endpoint, LocalNetwork, Network, address_for};
use super::prompt::Values;
use super::session::Session;
use crate::cli::certificate::{Files, Issued, names_of_this_machine};
use crate::cli::common::Failure;
use crate::config::{HostName, addresses_conflict};
use crate::small_file;
use crate::tls::{CertificatePart, ServerCertificate, host_names_of};

/// How clients reach bcproxy.
pub struct Serving {
    /// Never empty.
    pub listen: Vec<SocketAddr>,
    /// The networks of clients on other machines. Empty: this machine only.
    pub allow_from: Vec<IpNet>,
    /// Names by which clients call this machine, besides its own.
    pub hosts: Vec<HostName>,
    /// Names and addresses of this machine that clients can use, the most likely first. Never empty.
    pub names: Vec<String>,
    /// The certificate. `None`: HTTP.
    pub certificate: Option<Certificate>,
}

/// The certificate for HTTPS, in the folder of the configuration file.
pub enum Certificate {
    /// To be written in the end.
    New(Box<Issued>),
    /// It is in its files already, for these names.
    Existing(Files, Vec<String>),
}

impl Session<'_> {
    /// Asks how clients reach bcproxy. A new certificate is for `folder`.
    pub fn serving(&self, folder: &Path) -> Result<Serving, Failure> {
        let networks = networks::of_this_machine();
        let allow_from = self.allow_from(&networks)?;
        let hosts = self.hosts(!allow_from.is_empty())?;
        let own = networks.iter().flat_map(|local| &local.addresses).copied();
        let mut names = names(&hosts, &allow_from, own);
        let certificate = self.certificate(folder, &names)?;
        if let Some(Certificate::Existing(_, its_names)) = &certificate {
            names.clone_from(its_names);
        }
        let listen = self.listen(&allow_from, certificate.is_some())?;
        if let Some(problem) = STATUS_PAGE.parse().ok().and_then(unusable) {
            println!(
                "  ! The status page: {problem} This line in the file does so: `admin: {{ listen: 127.0.0.1:8082 }}`."
            );
        }
        Ok(Serving { listen, allow_from, hosts, names, certificate })
    }

    fn allow_from(&self, networks: &[LocalNetwork]) -> Result<Vec<IpNet>, Failure> {
        let given: Vec<IpNet> = self.arguments.allow_from.iter().map(|network| network.0).collect();
        let is_local = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
        let listen = &self.arguments.listen;
        if !given.is_empty() || !self.prompt.is_interactive || (!listen.is_empty() && listen.iter().all(is_local)) {
            return Ok(given);
        }
        self.prompt.explain(
            &"bcproxy accepts requests from these machines only, and needs no password from them.\n\
              Choose the network of the machines that your programs run on.",
        );
        let mut items = vec!["programs on this machine only".to_owned()];
        items.extend(networks.iter().map(|LocalNetwork { network, interface, addresses }| {
            let address = addresses.first().map_or_else(String::new, ToString::to_string);
            format!("this machine and {network} ({interface}: {address})")
        }));
        items.push("this machine and other networks".to_owned());
        match self.prompt.choose("Who may call", "--allow-from", &items)? {
            0 => Ok(Vec::new()),
            chosen => match networks.get(chosen - 1) {
                Some(local) => Ok(vec![local.network]),
                None => {
                    let networks: Values<Network> =
                        self.prompt.value(None, "Networks, such as 192.168.1.0/24", "--allow-from", None)?;
                    Ok(networks.0.into_iter().map(|network| network.0).collect())
                }
            },
        }
    }

    fn hosts(&self, is_shared: bool) -> Result<Vec<HostName>, Failure> {
        if !self.arguments.host.is_empty() || !is_shared {
            return Ok(self.arguments.host.clone());
        }
        let own = HostName::of_this_machine().map_or_else(String::new, |name| format!(" and its name ({name})"));
        self.prompt.explain(&format!(
            "Clients can call this machine by its IP addresses{own}.\n\
             Name others that lead here, such as the old server's name: oldserver, erp-gw.contoso.local"
        ));
        let hosts = self.prompt.optional::<Values<HostName>>("Other names (empty: none)")?;
        Ok(hosts.map(|hosts| hosts.0).unwrap_or_default())
    }

    fn certificate(&self, folder: &Path, names: &[String]) -> Result<Option<Certificate>, Failure> {
        let mut is_given = self.arguments.https;
        if !is_given && !self.prompt.is_interactive {
            return Ok(None);
        }
        loop {
            if !is_given {
                self.prompt.explain(
                    &"HTTP suits programs that call http:// addresses. Others on the network can read it.\n\
                      HTTPS needs a certificate, which setup creates. The clients' machines must trust it.",
                );
                let items = ["HTTP", "HTTPS"].map(ToOwned::to_owned);
                if self.prompt.choose("Protocol", "--https", &items)? == 0 {
                    return Ok(None);
                }
            }
            match certificate_in(folder, names) {
                Ok(certificate) => return Ok(Some(certificate)),
                Err(failure) => self.prompt.show_failure(failure)?,
            }
            is_given = false;
        }
    }

    fn listen(&self, allow_from: &[IpNet], is_https: bool) -> Result<Vec<SocketAddr>, Failure> {
        let (ip, usual) = (address_for(allow_from), if is_https { 8443 } else { 8080 });
        let given = &self.arguments.listen;
        if !given.is_empty() || !self.prompt.is_interactive {
            let listen = if given.is_empty() { vec![SocketAddr::new(ip, usual)] } else { given.clone() };
            return match problem(&listen) {
                Some(conflict @ Problem::Conflict(_)) => Err(Failure::Configuration(conflict.to_string())),
                Some(problem) => {
                    println!("  ! {problem}");
                    Ok(listen)
                }
                None => Ok(listen),
            };
        }
        loop {
            let listen: Vec<SocketAddr> = self.ports(usual)?.into_iter().map(|endpoint| endpoint.on(ip)).collect();
            let Some(problem) = problem(&listen) else { return Ok(listen) };
            println!("  ✗ {problem}");
            let can_keep = !matches!(problem, Problem::Conflict(_));
            if can_keep && self.prompt.confirm("Use it all the same?", false, false)? {
                return Ok(listen);
            }
        }
    }

    fn ports(&self, usual: u16) -> Result<Vec<Endpoint>, Failure> {
        self.prompt.explain(
            &"An on-premises server uses port 7047 for SOAP and port 7048 for OData. With the same ports,\n\
              its clients need only another host name. Any port serves SOAP, OData and the API.",
        );
        let items = [
            usual.to_string(),
            format!("{SOAP_PORT} and {ODATA_PORT}, as on an on-premises server"),
            "others".to_owned(),
        ];
        match self.prompt.choose("Ports", "--listen", &items)? {
            0 => Ok(vec![Endpoint::port(usual)]),
            1 => Ok([SOAP_PORT, ODATA_PORT].map(Endpoint::port).to_vec()),
            _ => {
                let question = "Ports, or addresses with ports, such as 192.168.1.20:8080";
                let default = format!("{usual} {SOAP_PORT} {ODATA_PORT}");
                Ok(self.prompt.value::<Values<Endpoint>>(None, question, "--listen", Some(&default))?.0)
            }
        }
    }
}

/// Why bcproxy can't listen on an address, or not yet.
enum Problem {
    /// The addresses exclude each other, or that of the status page.
    Conflict(SocketAddr),
    InUse(SocketAddr),
    NotOwn(SocketAddr),
    Unusable(SocketAddr, ErrorKind),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(address) => write!(
                f,
                "{address} is written twice, or it is the address of bcproxy's status page ({STATUS_PAGE}). Use another port."
            ),
            Self::InUse(address) => write!(
                f,
                "{address} is in use. If that is bcproxy with this configuration, keep the address. If not, use another port."
            ),
            Self::NotOwn(address) => {
                write!(f, "{address} is not an address of this machine. Use one of its own, or 0.0.0.0 for all.")
            }
            Self::Unusable(address, kind) => write!(
                f,
                "This account can't listen on {address} ({kind}). Use a port above 1023, or run bcproxy as an account that can."
            ),
        }
    }
}

/// Compares the addresses with each other, and tries each one.
fn problem(listen: &[SocketAddr]) -> Option<Problem> {
    let mut before: Vec<SocketAddr> = STATUS_PAGE.parse().into_iter().collect();
    for &address in listen {
        if before.iter().any(|&other| addresses_conflict(other, address)) {
            return Some(Problem::Conflict(address));
        }
        before.push(address);
    }
    listen.iter().copied().find_map(unusable)
}

fn unusable(address: SocketAddr) -> Option<Problem> {
    match TcpListener::bind(address).err()?.kind() {
        ErrorKind::AddrInUse => Some(Problem::InUse(address)),
        ErrorKind::AddrNotAvailable => Some(Problem::NotOwn(address)),
        kind => Some(Problem::Unusable(address, kind)),
    }
}

/// The names and addresses that clients can use, each once. Addresses count only for clients on other machines.
fn names(hosts: &[HostName], allow_from: &[IpNet], own: impl Iterator<Item = IpAddr>) -> Vec<String> {
    let mut own: Vec<IpAddr> = own.filter(|_| !allow_from.is_empty()).collect();
    own.sort_by_key(|address| !allow_from.iter().any(|network| network.contains(address)));
    let given = hosts.iter().map(ToString::to_string).chain(own.iter().map(ToString::to_string));
    let mut names: Vec<String> = Vec::new();
    for name in given.chain(names_of_this_machine()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Returns the folder's certificate, or issues one for these names.
fn certificate_in(folder: &Path, names: &[String]) -> Result<Certificate, Failure> {
    let files = Files::in_folder(folder);
    if files.existing().is_none() {
        let issued = Issued::new(files, names.to_vec())?;
        println!("  ✓ The certificate will be for {}.", names.join(", "));
        return Ok(Certificate::New(Box::new(issued)));
    }
    let advice = "Move both files away, and setup creates new ones.";
    let server = ServerCertificate::read(&files.server, &files.server_key).map_err(|error| {
        let file = match error.part() {
            CertificatePart::Certificate => &files.server,
            CertificatePart::PrivateKey => &files.server_key,
        };
        Failure::Failed(format!("The existing file {} {error}. {advice}", file.display()))
    })?;
    if server.expires <= OffsetDateTime::now_utc() {
        let (file, day) = (files.server.display(), server.expires.date());
        return Err(Failure::Failed(format!(
            "The existing certificate {file} has expired on {day}. Run `bcproxy certificate --renew` first."
        )));
    }
    let covered = small_file::read(&files.server).ok().and_then(|pem| host_names_of(&pem)).unwrap_or_default();
    println!(
        "  ✓ Uses the existing certificate {}. Clients must use one of its names: {}.",
        files.server.display(),
        covered.join(", ")
    );
    Ok(Certificate::Existing(files, covered))
}

/// The default of `admin`.
const STATUS_PAGE: &str = "127.0.0.1:8081";

/// The ports of an on-premises server. Source: Business Central, "Configuring Business Central Server".
const SOAP_PORT: u16 = 7047;
const ODATA_PORT: u16 = 7048;

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(listen: &[&str]) -> &'static str {
        match problem(&listen.iter().map(|address| address.parse().unwrap()).collect::<Vec<_>>()) {
            None => "none",
            Some(Problem::Conflict(_)) => "conflict",
            Some(Problem::InUse(_)) => "in use",
            Some(Problem::NotOwn(_)) => "not own",
            Some(Problem::Unusable(..)) => "unusable",
        }
    }

    #[test]
    fn addresses_that_cannot_serve_are_noticed() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let used = other.local_addr().unwrap().to_string();
        assert_eq!(kind(&["127.0.0.1:0", "127.0.0.1:0"]), "none");
        assert_eq!(kind(&["0.0.0.0:8081"]), "conflict");
        assert_eq!(kind(&["127.0.0.1:7048", "0.0.0.0:7048"]), "conflict");
        assert_eq!(kind(&[&used]), "in use");
        assert_eq!(kind(&["192.0.2.1:0"]), "not own");
    }

    #[test]
    fn names_that_clients_most_likely_use_come_first_and_each_name_once() {
        let hosts = ["erp-gw", "localhost"].map(|host| host.parse().unwrap());
        let own = || ["172.17.0.1", "192.168.1.20"].map(|address| address.parse().unwrap()).into_iter();
        let shared = names(&hosts, &["192.168.1.0/24".parse().unwrap()], own());
        assert_eq!(shared[..4], ["erp-gw", "localhost", "192.168.1.20", "172.17.0.1"]);
        assert!(shared.contains(&"::1".to_owned()));
        assert_eq!(shared.iter().filter(|name| *name == "localhost").count(), 1);
        assert!(!names(&[], &[], own()).contains(&"172.17.0.1".to_owned()));
    }
}
