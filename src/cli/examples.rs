//! The examples in the help of the commands.

use clap::builder::StyledStr;
use clap::builder::styling::Style;

/// Command lines, and what each does.
pub struct Examples(&'static [(&'static str, &'static str)]);

impl From<Examples> for StyledStr {
    fn from(Examples(examples): Examples) -> Self {
        let width = examples.iter().map(|(command, _)| command.len()).filter(|width| *width <= MAX_WIDTH).max();
        let width = width.unwrap_or_default();
        let mut text = format!("{HEADING}Examples:{HEADING:#}");
        for (command, what) in examples {
            // The description of a long command line gets a line of its own.
            let separator = if command.len() > MAX_WIDTH { format!("\n  {:width$}", "") } else { String::new() };
            text += &format!("\n  {command:width$}{separator}  {what}");
        }
        text.into()
    }
}

pub const BCPROXY: Examples = Examples(&[
    #[cfg(feature = "demo")]
    ("bcproxy demo", "try bcproxy without a Business Central of your own"),
    ("bcproxy setup", "set up a connection and write proxy.yaml"),
    ("bcproxy doctor", "check every set-up step"),
    ("bcproxy", RUN),
    (OTHER_FILE, "run it with another file"),
]);

#[cfg(feature = "demo")]
pub const DEMO: Examples = Examples(&[
    ("bcproxy demo", "run the demo, and print requests to try"),
    ("bcproxy demo --break secret", "run it with a wrong client secret"),
]);

pub const DOCTOR: Examples = Examples(&[
    ("bcproxy doctor", "check all connectors, and the shared store of replicas"),
    ("bcproxy doctor cronus", "check one connector"),
    ("bcproxy doctor --output json", "print the result for a program"),
]);

pub const CHECK: Examples = Examples(&[
    ("bcproxy check", "check proxy.yaml"),
    ("bcproxy check --config new.yaml", "check another file before it replaces proxy.yaml"),
]);

pub const EXPLAIN: Examples = Examples(&[
    ("bcproxy explain GET '/api/customers?$top=1'", "show where this request would go"),
    ("bcproxy explain GET /api/customers --from 192.168.1.20", "show it for a client on another machine"),
    (
        "bcproxy explain POST /soap/Page/Customer -H 'Content-Type: text/xml' --body envelope.xml",
        "show it for a request with a body",
    ),
]);

pub const CERTIFICATE: Examples = Examples(&[
    ("bcproxy certificate", "create a certificate for this machine's name"),
    ("bcproxy certificate erp-gw erp-gw.contoso.local 192.168.1.10", "create one for the names that clients use"),
    ("bcproxy certificate --renew", "renew it; clients keep trusting the same authority"),
]);

pub const HEALTH: Examples = Examples(&[
    ("bcproxy health", "ask whether bcproxy is ready"),
    ("bcproxy health cronus", "ask about one connector"),
]);

pub const STATUS: Examples = Examples(&[
    ("bcproxy status", "show connectors, routes and the latest problems"),
    ("bcproxy status --at 127.0.0.1:8081", "ask this admin listener, without a configuration file"),
    ("bcproxy status --output json", "print all details for a program"),
]);

pub const SETUP: Examples = Examples(&[
    ("bcproxy setup", "ask for every value, and write proxy.yaml"),
    (SET_UP_OTHER_FILE, "write another file"),
    ("bcproxy setup --azure-cli", "print commands that do the Entra part"),
]);

pub const COMPANIES: Examples = Examples(&[
    ("bcproxy companies", "list the companies of all connectors"),
    ("bcproxy companies cronus --output json", "list those of one connector for a program"),
]);

pub const TOKEN: Examples = Examples(&[
    ("bcproxy token", "show what is in the token of every application"),
    ("bcproxy token cronus --reveal", "print the token itself, for a test with curl"),
]);

pub const USER: Examples = Examples(&[
    ("bcproxy user add 'CONTOSO\\erp' --file users.txt", "add a user with a password"),
    ("bcproxy user add scanner --api-key", "create an API key and print it"),
    ("bcproxy user add nora --ntlm", "add a user who can sign in with NTLM"),
    ("bcproxy user list", "list the users"),
]);

pub const GUIDE: Examples = Examples(&[
    ("bcproxy guide", "list the steps of the set-up guide"),
    ("bcproxy guide 11", "print a step by its number"),
    ("bcproxy guide consent", "print it by its name"),
]);

pub const ERRORS: Examples = Examples(&[
    ("bcproxy errors", "list all known codes"),
    ("bcproxy errors AADSTS7000215", "explain an error of Entra"),
    ("bcproxy errors NoEnvironment", "explain an error of Business Central"),
    ("bcproxy errors Proxy_Busy", "explain an error of bcproxy"),
    ("bcproxy errors 403", "explain an HTTP status"),
]);

pub const RELOAD: Examples = Examples(&[
    ("bcproxy reload", "load the changed proxy.yaml"),
    ("bcproxy reload --at 127.0.0.1:8081", "ask this admin listener, whatever the file says"),
]);

pub const STOP: Examples = Examples(&[("bcproxy stop", "finish the requests in progress, then stop")]);

pub const SERVICE: Examples = Examples(&[
    ("bcproxy service install --start", "install the service with its own account, and start it"),
    ("bcproxy service install --account 'CONTOSO\\bcproxy$'", "let it run under a group managed service account"),
    ("bcproxy service status", "show whether it runs"),
    ("bcproxy service secret set client-secret", "store a secret, for `client_secret: { windows: client-secret }`"),
    ("bcproxy service secret list", "list the stored secrets, without their values"),
]);

pub const SCHEMA: Examples = Examples(&[("bcproxy schema > proxy.schema.json", "write the schema for an editor")]);

pub const COMPLETIONS: Examples = Examples(&[
    ("bcproxy completions bash > /etc/bash_completion.d/bcproxy", "for every user of this machine"),
    ("bcproxy completions zsh > /usr/local/share/zsh/site-functions/_bcproxy", "the same for zsh"),
    ("bcproxy completions fish > ~/.config/fish/completions/bcproxy.fish", "for you alone"),
    ("bcproxy completions powershell >> $PROFILE", "the same for PowerShell"),
]);

pub const MAN: Examples = Examples(&[
    ("bcproxy man | man -l -", "read the page of bcproxy"),
    ("bcproxy man --dir /usr/local/share/man/man1", "install the pages of all commands"),
]);

const RUN: &str =
    if cfg!(windows) { "run the proxy in this window" } else { "run the proxy with proxy.yaml of this folder" };
const OTHER_FILE: &str =
    if cfg!(windows) { r"bcproxy --config C:\bcproxy\proxy.yaml" } else { "bcproxy --config /etc/bcproxy/proxy.yaml" };
const SET_UP_OTHER_FILE: &str = if cfg!(windows) {
    r"bcproxy setup --config C:\bcproxy\proxy.yaml"
} else {
    "bcproxy setup --config /etc/bcproxy/proxy.yaml"
};

/// The style of clap's own headings.
const HEADING: Style = Style::new().bold().underline();

/// The longest command line that has its description beside it, in characters.
const MAX_WIDTH: usize = 64;
