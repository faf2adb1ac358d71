//! Programs as they are out there, on client libraries from the registries, against the proxy in front of the
//! simulator.
//!
//! Each program is a script that shows what it saw, and the test judges that. What they need:
//!
//! | program | Debian | elsewhere |
//! |---|---|---|
//! | `curl` | `curl` | |
//! | `php` | `php-cli`, `php-curl`, `php-soap` | |
//! | `python3`, the first one on `PATH` | `python3-venv` | PyPI: `requirements.txt` |
//! | `node`, with `NODE_PATH` | `nodejs`, `npm` | npm: `matrix/programs/package.json` |
//! | `chromium` | `chromium` | for the status page also npm: `matrix/programs/package.json` |
//! | the others of the matrix | see `.ci/run` | |
//!
//! Tests with a client are ignored unless asked for, since a new machine has none: `cargo test -- --ignored`. `.ci/run`
//! installs them.

#[path = "../common/client_authority.rs"]
mod client_authority;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/rig.rs"]
mod rig;
#[path = "../common/users.rs"]
mod users;

mod browser;
mod matrix;
mod odata;
mod soap;
mod status_page;

use std::path::Path;

use bcproxy::simulator::Received;
use rig::{Rig, within};
use serde_json::Value;
use tokio::process::Command;

/// A name with everything that has a meaning in JSON, XML or an address, and letters beyond ASCII.
const NAME: &str = "<Größe> & \"Söhne\" Åse's 100% + \\/ €";

/// Runs a program; the JSON it printed.
async fn report(caller: &str, arguments: &[&str]) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let mut command = Command::new(caller);
    command.args(arguments).current_dir(folder).env("NO_PROXY", "*").kill_on_drop(true);
    let output = within(command.output()).await.unwrap_or_else(|error| panic!("{caller}: {error}"));
    let [printed, complaint] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{caller} {arguments:?}: {}\n{complaint}", output.status);
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// Every address the program used is the proxy's, and all that reached Business Central came through it.
fn assert_only_the_proxy_was_called(rig: &Rig, addresses: &Value) {
    let addresses: Vec<&str> = addresses.as_array().unwrap().iter().map(|address| address.as_str().unwrap()).collect();
    assert!(!addresses.is_empty());
    let origin = format!("http://{}/", rig.address());
    for address in addresses {
        assert!(address.starts_with(&origin), "{address}");
    }
    for received in rig.received() {
        assert!(received.headers.contains_key("via") && received.token_accepted(), "{received:?}");
    }
}

/// How many requests that reached Business Central fulfill a condition.
fn count(rig: &Rig, condition: impl Fn(&Received) -> bool) -> usize {
    rig.received().iter().filter(|received| condition(received)).count()
}

/// Customers as Business Central has them, past the proxy: their fields in this order.
async fn customers(rig: &Rig, fields: &[&str]) -> Vec<Value> {
    rig.send(hyper::Method::GET, "/api/customers", &[("prefer", "odata.maxpagesize=20000")], "").await;
    let page: Value = serde_json::from_slice(&rig.past_the_proxy().await).unwrap();
    assert!(page["@odata.nextLink"].is_null());
    let row = |customer: &Value| fields.iter().map(|field| customer[field].clone()).collect();
    page["value"].as_array().unwrap().iter().map(row).collect()
}
