//! From an empty folder to a client at another address, answered over HTTPS, in a network of its own.

use std::env;
use std::path::Path;

use bcproxy::simulator::Settings;
use tokio::process::Command;

use crate::dialog::{DOWN, talk};
use crate::process::{Ended, Process};
use crate::setup::nothing;

/// Set inside the network namespace.
const INSIDE: &str = "BCPROXY_TEST_IN_NETWORK_NAMESPACE";
const NAME: &str = "other_machine::setup_leads_to_a_client_at_another_address_over_https";

/// Two machines of a network, and one that is elsewhere.
const NETWORK: &str = "ip link set lo up
ip address add 10.20.30.40/24 dev lo
ip address add 10.20.30.41/24 dev lo
ip address add 10.99.0.1/32 dev lo
exec \"$@\"";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root for a network namespace, and ip and curl"]
async fn setup_leads_to_a_client_at_another_address_over_https() {
    if env::var_os(INSIDE).is_none() {
        return run_inside().await;
    }
    let (simulator, folder) = nothing(Settings::default()).await;
    let shown = talk(&simulator, folder.path(), &[], |dialog, simulator| {
        dialog.connect(simulator.settings());
        dialog.see("this machine and 10.20.30.0/24 (lo: 10.20.30.40)");
        dialog.say("this machine and other networks", DOWN);
        dialog.say("Other names (empty: none):", "erp-gw");
        dialog.say("HTTPS", DOWN);
        dialog.see("7047 and 7048, as on an on-premises server");
        dialog.say("others", DOWN);
    })
    .await;
    println!("{shown}");
    assert!(shown.contains("curl --cacert bcproxy-ca.crt https://erp-gw:7047/api/companies"), "{shown}");
    let checked = Process::start(&["check"], folder.path()).end().await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    println!("$ cat proxy.yaml\n{}", std::fs::read_to_string(folder.path().join("proxy.yaml")).unwrap());

    let mut proxy = Process::run(&folder.path().join("proxy.yaml"));
    assert_eq!(proxy.address().await.to_string(), "0.0.0.0:7047");
    let customers = "https://10.20.30.40:7048/api/customers?$top=1&$select=number,displayName";
    let odata = "https://erp-gw:7048/BC/ODataV4/Company('CRONUS%20International%20Ltd.')/Customer?$top=1";
    for (url, from, expected) in [
        (customers, "10.20.30.41", "200"),
        (odata, "10.20.30.41", "200"),
        ("https://erp-gw:7047/BC/WS/Services", "10.20.30.41", "200"),
        ("https://erp-gw:7047/api/companies", "10.20.30.41", "200"),
        (customers, "127.0.0.1", "200"),
        (customers, "10.99.0.1", "403"),
    ] {
        let Ended { code, output, errors } = curl(folder.path(), url, from).await;
        let (body, status) = output.trim_end().rsplit_once('\n').unwrap_or_default();
        println!("{}\nHTTP status {status}\n", body.chars().take(300).collect::<String>());
        assert_eq!((code, status), (Some(0), expected), "{output}{errors}");
    }
}

/// Calls with curl, as a client that trusts the authority that setup made.
async fn curl(folder: &Path, url: &str, from: &str) -> Ended {
    let name = "erp-gw:7047:10.20.30.40";
    let other_name = "erp-gw:7048:10.20.30.40";
    let arguments =
        ["--cacert", "bcproxy-ca.crt", "--interface", from, "--resolve", name, "--resolve", other_name, url];
    println!("$ curl {}", arguments.join(" "));
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--globoff", "--noproxy", "*", "--write-out", "\n%{http_code}\n"]);
    command.args(arguments).current_dir(folder);
    Process::spawn(command).end().await
}

/// Runs this test once more, in a new network namespace.
async fn run_inside() {
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-ec", NETWORK, "sh"]).arg(env::current_exe().unwrap());
    command.args(["--ignored", "--exact", NAME, "--nocapture"]).env(INSIDE, "1");
    let Ended { code, output, errors } = Process::spawn(command).end().await;
    println!("{output}");
    assert_eq!(code, Some(0), "{errors}");
    assert!(output.contains("1 passed"), "{output}");
}
