//! What tells a browser's request from a program's.
//!
//! A page decides about most headers of a request that it causes: `Accept`, `Accept-Language`, whether there is a
//! `Referer`. It can neither add nor remove the ones that are judged here.

use hyper::HeaderMap;
use hyper::header::{
    ACCEPT_LANGUAGE, HOST, HeaderName, HeaderValue, ORIGIN, REFERER, UPGRADE_INSECURE_REQUESTS, USER_AGENT,
};

/// How pages of ours are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnScheme {
    /// Over HTTP.
    Http,
    /// Over HTTPS.
    Https,
}

impl OwnScheme {
    /// What an origin of this scheme begins with.
    fn prefix(self) -> &'static [u8] {
        match self {
            Self::Http => b"http://",
            Self::Https => b"https://",
        }
    }
}

/// The header that shows a request to be a web page's, as browsers say it themselves (Fetch, section 3.2; Fetch
/// Metadata, section 2.3). They also say when its user typed the address, or when it belongs to a page of ours.
pub fn sent_by_page(headers: &HeaderMap) -> Option<&'static str> {
    if headers.contains_key(ORIGIN) {
        return Some("Origin");
    }
    sent_by_other_site(headers)
}

/// The same where pages of ours send requests: those of the same scheme, host and port are no other page's.
pub fn sent_by_other_page(headers: &HeaderMap, scheme: OwnScheme) -> Option<&'static str> {
    let host = headers.get(HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_own = |origin: &HeaderValue| {
        origin.as_bytes().strip_prefix(scheme.prefix()).is_some_and(|own| own.eq_ignore_ascii_case(host))
    };
    if !headers.get_all(ORIGIN).iter().all(is_own) {
        return Some("Origin");
    }
    sent_by_other_site(headers)
}

fn sent_by_other_site(headers: &HeaderMap) -> Option<&'static str> {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    let is_known = sites.all(|site| matches!(site.as_bytes(), b"none" | b"same-origin"));
    (!is_known).then_some("Sec-Fetch-Site")
}

/// The header that shows a request to be a browser's that says nothing of where it comes from. To a host name over
/// plain HTTP, browsers send no `Sec-Fetch-Site` and, with most GETs, no `Origin`.
///
/// All browsers send `Accept-Language`. So do programs on WinINet, Qt and Apple's libraries: alone it decides nothing,
/// and neither does `User-Agent`.
pub fn sent_by_browser(headers: &HeaderMap) -> Option<&'static str> {
    let navigates = headers.contains_key(UPGRADE_INSECURE_REQUESTS);
    if !navigates && !headers.contains_key(ACCEPT_LANGUAGE) || headers.contains_key(SEC_FETCH_SITE) {
        return None;
    }
    if navigates {
        return Some("Upgrade-Insecure-Requests");
    }
    if comes_from_elsewhere(headers) {
        return Some("Referer");
    }
    names_engine(headers).then_some("User-Agent, together with Accept-Language")
}

/// Whether the page that caused the request is on another host.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let own = headers.get(HOST).and_then(|host| host.to_str().ok());
    headers.get_all(REFERER).iter().any(|referer| {
        let page = referer.to_str().ok().and_then(|referer| referer.split_once("://"));
        page.and_then(|(_, rest)| rest.split('/').next()) != own
    })
}

/// Whether `User-Agent` names the engine of a browser in use today. Those of WinINet name MSIE or Trident.
fn names_engine(headers: &HeaderMap) -> bool {
    let names = |agent: &[u8], engine: &str| memchr::memmem::find(agent, engine.as_bytes()).is_some();
    headers.get(USER_AGENT).is_some_and(|agent| ENGINES.iter().any(|engine| names(agent.as_bytes(), engine)))
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Of Chromium and Safari, and of Firefox.
const ENGINES: [&str; 2] = ["AppleWebKit/", "Gecko/"];

#[cfg(test)]
mod tests {
    use super::*;

    const LANGUAGE: (&str, &str) = ("accept-language", "en-US,en;q=0.9");
    const CHROMIUM: (&str, &str) = (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
    );
    const FIREFOX: (&str, &str) =
        ("user-agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0");
    const NAVIGATION: (&str, &str) = ("upgrade-insecure-requests", "1");
    const ELSEWHERE: (&str, &str) = ("referer", "http://evil.example/");

    fn check(headers: &[(&str, &str)]) -> Option<&'static str> {
        let mut map = HeaderMap::new();
        map.insert(HOST, "erp-gw:8080".parse().unwrap());
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        sent_by_page(&map).or_else(|| sent_by_browser(&map))
    }

    #[test]
    fn a_browser_is_known_by_headers_that_no_page_controls() {
        for (headers, shown) in [
            (&[NAVIGATION][..], "Upgrade-Insecure-Requests"),
            (&[LANGUAGE, ELSEWHERE], "Referer"),
            (&[LANGUAGE, ("referer", "http://erp-gw:8080.evil.example/")], "Referer"),
            (&[LANGUAGE, ("referer", "http://erp-gw:81/")], "Referer"),
            (&[LANGUAGE, ("referer", "")], "Referer"),
            (&[LANGUAGE, CHROMIUM], "User-Agent, together with Accept-Language"),
            (&[LANGUAGE, FIREFOX], "User-Agent, together with Accept-Language"),
            // A page may choose both of these.
            (
                &[("accept-language", ""), ("accept", "application/json"), CHROMIUM],
                "User-Agent, together with Accept-Language",
            ),
            (&[("origin", "null")], "Origin"),
            (&[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")], "Sec-Fetch-Site"),
        ] {
            assert_eq!(check(headers), Some(shown), "{headers:?}");
        }
        for site in ["none", "same-origin"] {
            let own = [("sec-fetch-site", site), LANGUAGE, CHROMIUM, NAVIGATION];
            assert_eq!(check(&own), None, "what a browser vouches for is judged no further: {site}");
        }
    }

    #[test]
    fn a_program_may_have_a_language_or_call_itself_mozilla() {
        let any = ("accept", "*/*");
        let wininet =
            "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0; .NET4.0C; .NET4.0E)";
        let clients: [&[(&str, &str)]; 16] = [
            &[],
            // MSXML2.XMLHTTP and Delphi's THTTPRIO, on WinINet.
            &[
                any,
                ("accept-language", "de-DE,de;q=0.5"),
                ("accept-encoding", "gzip, deflate"),
                ("user-agent", wininet),
            ],
            &[
                any,
                ("accept-language", "en-US"),
                ("user-agent", "Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko"),
            ],
            &[any, ("accept-language", "en-us"), ("cookie", "ARRAffinity=1"), ("referer", "http://erp-gw:8080/api")],
            // WinHttpRequest and ServerXMLHTTP.
            &[any, ("user-agent", "Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)")],
            // Power Query, Excel.
            &[
                ("user-agent", "Microsoft.Data.Mashup (https://go.microsoft.com/fwlink/?LinkID=304225)"),
                ("accept", "application/json;odata.metadata=minimal;q=1.0,application/atom+xml;q=0.5,*/*;q=0.1"),
            ],
            &[("user-agent", "Mozilla/4.0 (compatible; ms-office; MSOffice 16)"), ("accept-language", "de-DE")],
            // PowerShell.
            &[("user-agent", "Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) WindowsPowerShell/5.1.19041")],
            // Indy; Java's HttpURLConnection.
            &[
                ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
                ("user-agent", "Mozilla/3.0 (compatible; Indy Library)"),
            ],
            &[("accept", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"), ("user-agent", "Java/1.8.0_391")],
            // Qt; Apple's libraries; fetch of Node.js.
            &[("user-agent", "Mozilla/5.0"), ("accept-language", "de-DE,en,*")],
            &[any, ("user-agent", "Till/3 CFNetwork/1496.0.7 Darwin/23.5.0"), ("accept-language", "de-DE,de;q=0.9")],
            &[any, ("accept-language", "*"), ("sec-fetch-mode", "cors"), ("user-agent", "node")],
            // A script with a copied User-Agent; one that crawls; one that reads pictures.
            &[any, CHROMIUM],
            &[any, ELSEWHERE],
            &[("accept", "image/webp,image/avif,image/*"), ("user-agent", "okhttp/4.12.0")],
        ];
        for headers in clients {
            assert_eq!(check(headers), None, "{headers:?}");
        }
    }
}
