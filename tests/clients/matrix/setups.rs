//! The clients of the matrix: one line each, in the order of the table in `docs/clients.md`.
//!
//! To add one, put a program into `programs/` and a line here. A program runs in a folder of its own with
//! `ca.pem` and what it has to send. It writes what it gets into the files `read`, `create` and `call`:
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
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Plain HTTP, with bodies made by hand: OData, and SOAP too.
    Http,
    /// SOAP, described by WSDL.
    Soap,
}

pub const SETUPS: &[Setup] = &[
    http("curl `--basic`", "curl.sh --basic"),
    http("curl `--ntlm`", "curl.sh --ntlm"),
    http("curl `--anyauth`", "curl.sh --anyauth"),
    http("curl `--negotiate`, without a ticket", "curl.sh --negotiate"),
    http("curl `--digest`", "curl.sh --digest").fails("sends an empty request and waits for a challenge"),
    http("wget `--user`", "wget.sh"),
    http("wget `--auth-no-challenge`", "wget.sh --auth-no-challenge"),
    http("ab", "ab.sh").shows_beginnings(),
    http("PHP curl, `CURLAUTH_NTLM`", "php_curl.php CURLAUTH_NTLM"),
    http("PHP curl, `CURLAUTH_ANY`", "php_curl.php CURLAUTH_ANY"),
    http("PHP `file_get_contents`", "php_streams.php"),
    soap("PHP `SoapClient`, `login`", "php_soap_client.php"),
    soap("PHP `SoapClient`, NTLM stream wrapper", "php_ntlm_stream.php"),
    http("Python requests_ntlm", "python_requests_ntlm.py").of("requests_ntlm"),
    http("Python urllib", "python_urllib.py"),
    soap("Python zeep, requests_ntlm", "python_zeep_ntlm.py").of("zeep"),
    soap("Python suds, `suds.transport.http`", "python_suds.py at-once").of("suds"),
    soap("Python suds, `suds.transport.https`", "python_suds.py when-asked").of("suds"),
    soap("Perl SOAP::Lite", "perl_soap_lite.pl 0"),
    soap("Perl SOAP::Lite, `keep_alive`", "perl_soap_lite.pl 1"),
    http("Ruby net/http", "ruby_net_http.rb"),
    http("Node.js httpntlm", "node_httpntlm.js").of("httpntlm"),
    http("Node.js axios-ntlm", "node_axios_ntlm.js").of("axios-ntlm"),
    soap("Node.js soap, `BasicAuthSecurity`", "node_soap.js basic").of("soap"),
    soap("Node.js soap, `NTLMSecurity`", "node_soap.js ntlm").of("soap"),
    http("Java `HttpURLConnection`", "UrlConnection.java buffered"),
    http("Java `HttpURLConnection`, `setChunkedStreamingMode`", "UrlConnection.java chunked"),
    http("Java `java.net.http`", "NetHttp.java"),
    soap("Axis 1", "Axis1.java default"),
    soap("Axis 1, `CommonsHTTPSender`", "Axis1.java commons"),
    http("Mono `HttpWebRequest`", "HttpWebRequestClient.cs"),
    soap("Mono, a Web Reference (ASMX)", "AsmxProxy.cs"),
    soap("Mono WCF, `BasicHttpBinding`, Ntlm", "WcfClient.cs Ntlm"),
    soap("Mono WCF, `BasicHttpBinding`, Windows", "WcfClient.cs Windows"),
    soap("Mono WCF, `BasicHttpBinding`, Basic", "WcfClient.cs Basic"),
];

const fn http(name: &'static str, command: &'static str) -> Setup {
    Setup { name, kind: Kind::Http, command, package: None, shows_all: true, limit: None }
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

    const fn fails(self, limit: &'static str) -> Self {
        Self { limit: Some(limit), ..self }
    }
}
