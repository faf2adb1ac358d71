//! `bcproxy demo`: a simulator and a proxy on this machine, and what to try.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::run::signals;
use super::{Failure, drawn, runtime, start_log};
use crate::config::Config;
use crate::daemon::{Service, StartError};
use crate::proxy::{self, InheritedSockets, ListenerError};
use crate::simulator::{Breakage, Settings, Simulator};

/// `broken`: what of the set-up is wrong.
pub fn demo(broken: Option<Breakage>) -> Result<(), Failure> {
    let runtime = runtime()?;
    let result = runtime.block_on(show(broken));
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn show(broken: Option<Breakage>) -> Result<(), Failure> {
    let signals = signals()?;
    let failed = |what: &str, error: &dyn std::fmt::Display| Failure::Failed(format!("the demo's {what}: {error}"));
    let simulator = Simulator::start(Settings { broken, ..Settings::default() })
        .await
        .map_err(|error| failed("simulator can't start", &error))?;
    let folder = TempDir::with_prefix("bcproxy-demo-").map_err(|error| failed("folder can't be made", &error))?;
    let file = write_files(&simulator, folder.path()).map_err(|error| failed("files can't be written", &error))?;
    let mut config = Config::load(&file).map_err(|mistakes| Failure::Failed(drawn(&mistakes)))?.config;
    let log = start_log(&config.log)?;
    let service = loop {
        match Service::start(&file, &config, InheritedSockets::default(), log.filter()).await {
            Ok(service) => break service,
            Err(error) => avoid(&error, &mut config).ok_or_else(|| failed("proxy can't start", &error))?,
        }
    };
    if let (Some(address), Some(admin)) = (service.proxy().addresses().first(), service.admin()) {
        println!("{}", invitation(address.socket, admin.address(), &file, broken));
    }
    service.run(signals).await;
    simulator.stop().await;
    Ok(())
}

/// Has the system choose another port in place of one that is taken; `None` when that is not what is wrong.
fn avoid(error: &StartError, config: &mut Config) -> Option<()> {
    match error {
        StartError::Proxy(proxy::StartError::Listener(ListenerError::Bind(taken))) if taken.is_taken() => {
            println!("Port {} is taken by another program; the proxy uses another one.", taken.address.port());
            config.listen.iter_mut().for_each(|listener| listener.address.set_port(0));
        }
        StartError::Admin(taken) if taken.is_taken() => {
            println!("Port {} is taken by another program; the status page uses another one.", taken.address.port());
            config.admin.iter_mut().for_each(|address| address.set_port(0));
        }
        _ => return None,
    }
    Some(())
}

/// Writes what an administrator would: a configuration, the secret it names, and here also the simulator's CA.
fn write_files(simulator: &Simulator, folder: &Path) -> io::Result<std::path::PathBuf> {
    let settings = simulator.settings();
    std::fs::write(folder.join("ca.pem"), simulator.ca_pem())?;
    std::fs::write(folder.join("client-secret.txt"), &settings.client_secret)?;
    let company = settings.companies.first().map_or("", |company| company.name.as_str());
    let text = format!(
        "connectors:
  demo:
    tenant_id: {tenant}
    client_id: {client}
    client_secret: {{ file: client-secret.txt }}
    environment: {environment}
    company: {company}
    authority: {authority}     # the simulated Entra; leave it out for the real one
    base_url: {base_url}      # the simulated Business Central; leave it out for the real one
    ca_file: ca.pem
shutdown: {{ grace: 5s }}
log: {{ format: text }}
{routes}",
        tenant = settings.tenant_id,
        client = settings.client_id,
        environment = settings.environment,
        authority = simulator.authority(),
        base_url = simulator.base_url(),
        // What is broken then is behind a route that the default ones don't have.
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
            "\nOne thing of the set-up is wrong ({}). In another terminal, let bcproxy find it:\n\n  bcproxy doctor --config {}\n",
            broken.name(),
            file.display()
        )
    });
    let (program, [customers, names, soap]) =
        if cfg!(windows) { ("PowerShell", in_powershell(proxy)) } else { ("curl", with_curl(proxy)) };
    format!(
        r#"
bcproxy demo: a simulated Microsoft Entra and Business Central, and bcproxy in front of them. All of it on this machine.

  proxy           http://{proxy}
  status          http://{admin}/
  configuration   {file}
{broken}
Try this in another terminal. {program} knows nothing of OAuth; bcproxy adds the token, the environment and the company:

  {customers}
  {names}
  {soap}

Every request shows below. Ctrl-C ends the demo.
"#,
        file = file.display()
    )
}

fn with_curl(proxy: SocketAddr) -> [String; 3] {
    [
        format!("curl -s 'http://{proxy}{CUSTOMERS}'"),
        format!("curl -s 'http://{proxy}{NAMES}'"),
        format!(
            "curl -s 'http://{proxy}{PAGE}' -H 'Content-Type: text/xml; charset=utf-8' -H 'SOAPAction: \"{READ}\"' -d '{ENVELOPE}'"
        ),
    ]
}

/// Windows' shells take curl's quotation marks for something else.
fn in_powershell(proxy: SocketAddr) -> [String; 3] {
    let content = |call: String| format!("(Invoke-WebRequest -UseBasicParsing {call}).Content");
    [
        content(format!("'http://{proxy}{CUSTOMERS}'")),
        content(format!("'http://{proxy}{NAMES}'")),
        content(format!(
            "'http://{proxy}{PAGE}' -Method Post -ContentType 'text/xml; charset=utf-8' -Headers @{{ SOAPAction = '\"{READ}\"' }} \
             -Body '{ENVELOPE}'"
        )),
    ]
}

const CUSTOMERS: &str = "/api/customers?$top=3";
const NAMES: &str = "/odata/Customer?$top=3&$select=No,Name";
const PAGE: &str = "/soap/Page/Customer";
const READ: &str = "urn:microsoft-dynamics-schemas/page/customer:Read";
const ENVELOPE: &str = r#"<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Read xmlns="urn:microsoft-dynamics-schemas/page/customer"><No>10000</No></Read></Body></Envelope>"#;
