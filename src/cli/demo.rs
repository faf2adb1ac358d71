//! `bcproxy demo`: runs bcproxy in front of a simulator on this machine, and prints commands to try.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anstream::println;
use tempfile::TempDir;

use super::common::{Failure, private_file, rendered, runtime, signals, start_log};
use crate::admin::{Admin, AdminError};
use crate::config::Config;
use crate::daemon::{Service, StartError, service_manager};
use crate::proxy::{self, InheritedSockets, ListenerError};
use crate::simulator::{Breakage, Settings, Simulator};

/// Runs the demo until Ctrl-C; `broken` is the set-up step that fails.
pub fn demo(broken: Option<Breakage>) -> Result<(), Failure> {
    let runtime = runtime()?;
    let result = runtime.block_on(serve(broken));
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(broken: Option<Breakage>) -> Result<(), Failure> {
    let signals = signals(Arc::default())?;
    let failed = |what: &str, error: &dyn std::fmt::Display| Failure::Failed(format!("{what} failed: {error}"));
    let simulator = Simulator::start(Settings { broken, addresses_in_data: false, ..Settings::default() })
        .await
        .map_err(|error| failed("Starting the demo's simulator", &error))?;
    let folder = TempDir::with_prefix("bcproxy-demo-").map_err(|error| failed("Creating the demo's folder", &error))?;
    let file = write_files(&simulator, folder.path()).map_err(|error| failed("Writing the demo's files", &error))?;
    let mut loaded = Config::load(&file).map_err(|mistakes| Failure::Failed(rendered(&mistakes)))?;
    let log = start_log(&loaded.config.log, None)?;
    let manager = service_manager::from_environment();
    let service = loop {
        let inherited = InheritedSockets::default();
        match Service::start(&file, &loaded, inherited, log.filter.clone(), manager.clone()).await {
            Ok(service) => break service,
            Err(error) => {
                use_free_port(&error, &mut loaded.config).ok_or_else(|| failed("Starting the demo's proxy", &error))?
            }
        }
    };
    let admin = service.admin.iter().flat_map(Admin::addresses).next();
    if let (Some(address), Some(admin)) = (service.proxy.addresses().first(), admin) {
        println!("{}", invitation(address.socket, admin.socket, &file, broken));
    }
    service.run(signals).await;
    simulator.stop().await;
    Ok(())
}

/// Replaces a port that is in use by any free one. Returns `None` if the error is another.
fn use_free_port(error: &StartError, config: &mut Config) -> Option<()> {
    match error {
        StartError::Proxy(proxy::StartError::Listener(ListenerError::Bind(taken))) if taken.is_taken() => {
            println!("Port {} is in use by another program, so the proxy uses another port.", taken.address.port());
            config.listen.iter_mut().for_each(|listener| listener.address.set_port(0));
        }
        StartError::Admin(AdminError::Listener(ListenerError::Bind(taken))) if taken.is_taken() => {
            println!(
                "Port {} is in use by another program, so the status page uses another port.",
                taken.address.port()
            );
            let listeners = config.admin.iter_mut().flat_map(|admin| &mut admin.listen);
            listeners.for_each(|listener| listener.address.set_port(0));
        }
        _ => return None,
    }
    Some(())
}

/// Writes the configuration, the secret it names and the simulator's CA certificate; returns the configuration's path.
fn write_files(simulator: &Simulator, folder: &Path) -> io::Result<PathBuf> {
    let settings = simulator.settings();
    std::fs::write(folder.join("ca.pem"), simulator.ca_pem())?;
    private_file::write(folder, settings.client_secret.as_bytes())?.persist(folder.join("client-secret.txt"))?;
    let company = settings.companies.first().map_or("", |company| company.name.as_str());
    let text = format!(
        "connectors:
  demo:
    tenant_id: {tenant}
    client_id: {client}
    client_secret: {{ file: client-secret.txt }}
    environment: {environment}
    company: {company}
    authority: {authority}     # the simulated Entra; delete this line to use the real one
    base_url: {base_url}      # the simulated Business Central; delete this line to use the real one
    ca_file: ca.pem
shutdown: {{ grace: 5s }}
log: {{ format: text }}
{routes}",
        tenant = settings.tenant_id,
        client = settings.client_id,
        environment = settings.environment,
        authority = simulator.authority(),
        base_url = simulator.base_url(),
        // The default routes work, so this one adds a route that does not.
        routes = if settings.broken == Some(Breakage::Route) { ROUTES } else { "" },
    );
    let file = folder.join("proxy.yaml");
    std::fs::write(&file, text)?;
    Ok(file)
}

const ROUTES: &str = "\
routes:
  - { path: /api, to: api/v2.0 }
  - { path: /odata, to: odata }
  - { path: /soap, to: soap }
  - { path: /warehouse, to: api/cronus/warehouse/v1.0 }
";

fn invitation(proxy: SocketAddr, admin: SocketAddr, file: &Path, broken: Option<Breakage>) -> String {
    let broken = broken.map_or_else(String::new, |broken| {
        format!(
            "\nOne set-up step is broken ({}). In another terminal, find and explain the error:\n\n  bcproxy doctor --config {}\n",
            broken.name(),
            file.display()
        )
    });
    let (tool, commands) =
        if cfg!(windows) { ("PowerShell", in_powershell(proxy)) } else { ("curl", with_curl(proxy)) };
    format!(
        r#"
bcproxy demo: bcproxy in front of a simulated Microsoft Entra and Business Central, all on this machine.

  proxy           http://{proxy}
  status          http://{admin}/
  configuration   {file}
{broken}
Try these commands in another terminal. {tool} sends no token; bcproxy adds the token, environment and company:

{commands}

Each request is logged below. Press Ctrl-C to end the demo.
"#,
        file = file.display()
    )
}

fn with_curl(proxy: SocketAddr) -> String {
    format!(
        "  curl -s 'http://{proxy}{CUSTOMERS}'
  curl -s 'http://{proxy}{NAMES}'
  curl -s 'http://{proxy}{PAGE}' -H 'Content-Type: text/xml; charset=utf-8' -H 'SOAPAction: \"{READ}\"' -d '{ENVELOPE}'"
    )
}

/// Windows shells interpret the quotation marks of the curl commands differently.
fn in_powershell(proxy: SocketAddr) -> String {
    format!(
        "  (Invoke-WebRequest -UseBasicParsing 'http://{proxy}{CUSTOMERS}').Content
  (Invoke-WebRequest -UseBasicParsing 'http://{proxy}{NAMES}').Content
  (Invoke-WebRequest -UseBasicParsing 'http://{proxy}{PAGE}' -Method Post -ContentType 'text/xml; charset=utf-8' \
         -Headers @{{ SOAPAction = '\"{READ}\"' }} -Body '{ENVELOPE}').Content"
    )
}

const CUSTOMERS: &str = "/api/customers?$top=3";
const NAMES: &str = "/odata/Customer?$top=3&$select=No,Name";
const PAGE: &str = "/soap/Page/Customer";
const READ: &str = "urn:microsoft-dynamics-schemas/page/customer:Read";
const ENVELOPE: &str = r#"<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Read xmlns="urn:microsoft-dynamics-schemas/page/customer"><No>10000</No></Read></Body></Envelope>"#;
