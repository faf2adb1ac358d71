//! The clients of the matrix: one line each, in the order of the table in `docs/clients.md`.
//!
//! To add one, put a program into `programs/` and a line here. A program runs in a folder of its own with
//! `ca.pem` and what it has to send. It writes what it gets into the files `read`, `create` and `call`.
//!
//! Its user is `CONTOSO\till`, with the password `secret`. If `API_KEY` is in its environment, it has no user and sends
//! that in `X-API-Key`. If there is a `client.pem`, that is its certificate, and its key is in `client-key.pem`.
//!
//! | kind | arguments before its own | what it sends |
//! |---|---|---|
//! | `http` | the addresses of a customer, of all customers (OData) and of a codeunit (SOAP) | nothing, `customer.json`, `echo.xml` |
//! | `soap` | the addresses of two WSDLs, a page's and a codeunit's | Read of 10000, Create of NEW-1 with `name`, Echo with `text` |

/// A client and how it is set up.
#[derive(Debug)]
pub struct Setup {
    /// In Markdown.
    pub name: &'static str,
    pub kind: Kind,
    /// The file in `programs/` and the arguments of its own.
    pub command: &'static str,
    /// The pinned package it is made of: in `requirements.txt` or `package.json`.
    pub package: Option<&'static str>,
    /// Whether it shows all of an answer.
    pub shows_all: bool,
    /// Why it is known not to work.
    pub limit: Option<&'static str>,
    /// What it can do to sign in where it has to.
    pub auth: &'static [AuthScheme],
}

/// What a client can do to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// User name and password.
    Basic,
    /// The same, but not with a body: a challenge is the end of one that is streamed.
    BasicReads,
    /// A handshake that proves the password by NTLMv2.
    Ntlm,
    /// A handshake with nothing but the older proofs, which are rejected.
    NtlmV1,
    /// A header.
    ApiKey,
    /// A certificate.
    Mtls,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Plain HTTP, with bodies made by hand: OData, and SOAP too.
    Http,
    /// SOAP, described by WSDL.
    Soap,
}

use AuthScheme::{ApiKey, Basic, BasicReads, Mtls, Ntlm, NtlmV1};

pub const SETUPS: &[Setup] = &[
    http("curl `--basic`", "curl.sh --basic").signs_in(&[Basic, ApiKey, Mtls]),
    http("curl `--ntlm`", "curl.sh --ntlm").signs_in(&[Ntlm, ApiKey, Mtls]),
    http("curl `--anyauth`", "curl.sh --anyauth").signs_in(&[Basic, Ntlm, ApiKey, Mtls]),
    http("curl `--negotiate`, without a ticket", "curl.sh --negotiate").signs_in(&[ApiKey, Mtls]),
    http("curl `--digest`", "curl.sh --digest")
        .fails("sends an empty request and waits for a challenge")
        .signs_in(&[ApiKey, Mtls]),
    http("wget `--user`", "wget.sh").signs_in(&[Basic, NtlmV1, ApiKey]),
    http("wget `--auth-no-challenge`", "wget.sh --auth-no-challenge").signs_in(&[Basic, NtlmV1, ApiKey]),
    http("ab", "ab.sh").shows_beginnings().signs_in(&[Basic, ApiKey]),
    http("PHP curl, `CURLAUTH_NTLM`", "php_curl.php CURLAUTH_NTLM").signs_in(&[Ntlm, ApiKey]),
    http("PHP curl, `CURLAUTH_ANY`", "php_curl.php CURLAUTH_ANY").signs_in(&[Basic, Ntlm, ApiKey]),
    http("PHP `file_get_contents`", "php_streams.php").signs_in(&[Basic, ApiKey]),
    soap("PHP `SoapClient`, `login`", "php_soap_client.php").signs_in(&[Basic, ApiKey]),
    soap("PHP `SoapClient`, NTLM stream wrapper", "php_ntlm_stream.php").signs_in(&[Ntlm]),
    http("Python requests_ntlm", "python_requests_ntlm.py").of("requests_ntlm").signs_in(&[Ntlm, ApiKey]),
    http("Python urllib", "python_urllib.py").signs_in(&[Basic, ApiKey]),
    soap("Python zeep", "python_zeep.py basic").of("zeep").signs_in(&[Basic, ApiKey]),
    soap("Python zeep, requests_ntlm", "python_zeep.py ntlm").of("zeep").signs_in(&[Ntlm, ApiKey]),
    soap("Python suds, `suds.transport.http`", "python_suds.py at-once").of("suds").signs_in(&[Basic]),
    soap("Python suds, `suds.transport.https`", "python_suds.py when-asked").of("suds").signs_in(&[Basic]),
    soap("Perl SOAP::Lite", "perl_soap_lite.pl 0").signs_in(&[Basic, ApiKey]),
    soap("Perl SOAP::Lite, `keep_alive`", "perl_soap_lite.pl 1").signs_in(&[Basic, NtlmV1, ApiKey]),
    http("Ruby net/http", "ruby_net_http.rb").signs_in(&[Basic, ApiKey]),
    http("Node.js httpntlm", "node_httpntlm.js").of("httpntlm").signs_in(&[Ntlm]),
    http("Node.js axios-ntlm", "node_axios_ntlm.js").of("axios-ntlm").signs_in(&[Ntlm, ApiKey]),
    soap("Node.js soap, `BasicAuthSecurity`", "node_soap.js basic").of("soap").signs_in(&[Basic, ApiKey]),
    soap("Node.js soap, `NTLMSecurity`", "node_soap.js ntlm").of("soap").signs_in(&[Ntlm, ApiKey]),
    http("Java `HttpURLConnection`", "UrlConnection.java buffered").signs_in(&[Basic, Ntlm, ApiKey, Mtls]),
    http("Java `HttpURLConnection`, `setChunkedStreamingMode`", "UrlConnection.java chunked")
        .signs_in(&[BasicReads, Ntlm, ApiKey, Mtls]),
    http("Java `java.net.http`", "NetHttp.java").signs_in(&[Basic, ApiKey, Mtls]),
    soap("Axis 1", "Axis1.java default").signs_in(&[Basic]),
    soap("Axis 1, `CommonsHTTPSender`", "Axis1.java commons").signs_in(&[Basic, NtlmV1]),
    http("Mono `HttpWebRequest`", "HttpWebRequestClient.cs").signs_in(&[Basic, NtlmV1, ApiKey]),
    soap("Mono, a Web Reference (ASMX)", "AsmxProxy.cs").signs_in(&[Basic, NtlmV1, ApiKey]),
    soap("Mono WCF, `BasicHttpBinding`, Ntlm", "WcfClient.cs Ntlm").signs_in(&[Basic, NtlmV1]),
    soap("Mono WCF, `BasicHttpBinding`, Windows", "WcfClient.cs Windows").signs_in(&[Basic, NtlmV1]),
    soap("Mono WCF, `BasicHttpBinding`, Basic", "WcfClient.cs Basic").signs_in(&[Basic]),
];

const fn http(name: &'static str, command: &'static str) -> Setup {
    Setup { name, kind: Kind::Http, command, package: None, shows_all: true, limit: None, auth: &[] }
}

const fn soap(name: &'static str, command: &'static str) -> Setup {
    Setup { kind: Kind::Soap, ..http(name, command) }
}

impl Setup {
    const fn of(self, package: &'static str) -> Self {
        Self { package: Some(package), ..self }
    }

    const fn shows_beginnings(self) -> Self {
        Self { shows_all: false, ..self }
    }

    const fn signs_in(self, auth: &'static [AuthScheme]) -> Self {
        Self { auth, ..self }
    }

    const fn fails(self, limit: &'static str) -> Self {
        Self { limit: Some(limit), ..self }
    }
}
