//! Whatever `proxy.yaml` holds, it is read or every mistake is told, without a secret that stands in the file.
#![no_main]

mod words;

use std::path::Path;

use bcproxy::config::Config;
use libfuzzer_sys::fuzz_target;
use words::spelled_out;

const SECRET: &str = "hunter2-S3cr3t~Value";

const WORDS: [&str; 48] = [
    SECRET,
    "connectors:\n  bc:\n    tenant_id: contoso.com\n    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301\n",
    "    client_secret: { env: X }\n    environment: Production\n    company: CRONUS\n",
    "    client_secret: ",
    "    client_certificate: { certificate: a.pem, private_key: ",
    "routes:\n  - { path: /api, to: api/v2.0, connector: bc }\n",
    "  - { path: /soap, to: soap, methods: [GET] }\n",
    "listen: ",
    "listen: [127.0.0.1:8080, { address: 0.0.0.0:80, tls: ",
    "access: { allow_from: [",
    "limits: { requests_per_minute: ",
    "timeouts: { token: ",
    "max_memory: ",
    "spool: { folder: ",
    "outbound_proxy: ",
    "outbound_proxy: { url: http://p, user: svc, password: ",
    "http://svc:hunter2-S3cr3t~Value@proxy:3128",
    "log: { format: json, level: ",
    "headers: { request: { set: { Authorization: ",
    "{ env: ",
    "{ file: ",
    "{ command: [",
    "admin: ",
    "256MiB",
    "30s",
    "127.0.0.1:8080",
    "10.0.0.0/8",
    "company: ",
    "environment: ",
    ": ",
    "\n",
    "\n  ",
    "\n    ",
    "\n  - ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "'",
    "\"",
    "#",
    " # ",
    "|\n",
    "&a ",
    "*a",
    "!!binary ",
];

fuzz_target!(|input: &[u8]| {
    let Ok(text) = String::from_utf8(spelled_out(input, &WORDS)) else { return };
    let told = match Config::from_yaml(&text, Path::new("proxy.yaml")) {
        Ok(loaded) => loaded.warnings.to_string(),
        Err(mistakes) => mistakes.to_string(),
    };
    assert!(!told.contains(SECRET), "{text}\n{told}");
});
