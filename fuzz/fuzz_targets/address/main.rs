//! Whatever address a client or Business Central writes: what is sent stays in the route's company. The way there and
//! back leads to the same resource, in its canonical form.
#![no_main]

mod reading;

use bcproxy::business_central::address::{
    AddressError, BodyAddress, BodyBase, EnvironmentAddress, LocalAddress, Resource, split_query,
};
use bcproxy::business_central::{Company, SafePath, Surface};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use reading::Reading;

const ID: &str = "824820a2-508c-ed11-aada-000d3a298ab3";
const NAME: &str = "Müller & Söhne's/Co";
/// What a client of a `nav` route calls the company.
const OLD_NAME: &str = "Page";
const ORIGIN: &str = "https://bc.example";
const BASE: &str = "/v2.0/contoso.com/Production";
/// The path of the route, and what its clients call bcproxy.
const ROUTE: &str = "/r";
const BASE_URL: &str = "http://erp-gw:8080";

/// One of them is partner's API whose publisher looks like a version.
const SURFACES: [&str; 7] =
    ["api/v2.0", "api/microsoft/automation/v2.0", "api/v8media/erp/v1.0", "odata", "soap", "nav", "environment"];

/// The fuzzer would hardly ever write these of its own accord.
const WORDS: [&str; 74] = [
    "/",
    "?",
    "&",
    "=",
    "'",
    "''",
    "(",
    ")",
    "%27",
    "%2F",
    "%5C",
    "\\",
    "%252F",
    "..",
    ".",
    "%00",
    "#",
    "+",
    "%20",
    "companies",
    "Companies",
    "automationCompanies",
    "Company",
    "company",
    "%63ompany",
    "tenant",
    "aid",
    "$skiptoken",
    "$filter",
    "$batch",
    "$metadata",
    "$count",
    "$ref",
    "$id=",
    ";",
    ";x=1",
    "%3B",
    "%3F",
    "%E2%80%8B",
    "companies(824820a2-508c-ed11-aada-000d3a298ab4)",
    "Company('B')",
    "WS",
    "Page",
    "Codeunit",
    "Services",
    "SystemService",
    "ODataV4",
    "OData",
    "api",
    "v2.0",
    "contoso.com",
    "Production",
    "id=",
    "name=",
    ID,
    "M%C3%BCller%20%26%20S%C3%B6hne''s%2FCo",
    // Whole beginnings, which take many of the above.
    "/api/v2.0/",
    "/api/v8media/erp/v1.0/",
    "/ODataV4/",
    "/WS/",
    "/BC140",
    "/companies(824820a2-508c-ed11-aada-000d3a298ab3)",
    "/Company('M%C3%BCller%20%26%20S%C3%B6hne''s%2FCo')",
    "/M%C3%BCller%20%26%20S%C3%B6hne's%2FCo",
    "/Company('A%20B')",
    "/companies(name='A%20B')",
    "/A%20B",
    "?company=",
    "/subscriptions",
    "/Customer('a/b')",
    "/Tools_Echo",
    "v1.0",
    "beta",
    "id eq 824820a2-508c-ed11-aada-000d3a298ab3",
];

/// A route, as far as addresses depend on it.
struct Route {
    surface: Surface,
    environment: EnvironmentAddress,
    company: Company,
    is_confined: bool,
}

fuzz_target!(|input: (u8, bool, bool, Vec<(u8, &str)>, Vec<&str>)| {
    let (surface, is_confined, is_local, pieces, headers) = input;
    let surface: Surface = SURFACES[usize::from(surface) % SURFACES.len()].parse().expect("a surface");
    let route = Route {
        environment: EnvironmentAddress::new(
            &ORIGIN.parse().expect("an address"),
            &"contoso.com".parse().expect("a tenant"),
            &"Production".parse().expect("an environment"),
        ),
        company: Company {
            id: ID.parse().expect("an id"),
            name: NAME.parse().expect("a name"),
            display_name: String::new(),
        },
        is_confined: is_confined && surface != Surface::Environment,
        surface,
    };
    // Before an address is read, what old clients write raw is encoded.
    let address: String =
        pieces.iter().flat_map(|(word, text)| [WORDS[usize::from(*word) % WORDS.len()], *text]).collect();
    let address = format!("/{}", address.replace('#', "%23"));
    let headers: Vec<String> = headers.into_iter().map(str::to_owned).collect();
    if is_local {
        route.check_local(&address, &headers);
        route.check_readers(&address);
    } else {
        route.check_upstream(&address);
    }
});

impl Route {
    fn company(&self) -> Option<&Company> {
        self.is_confined.then_some(&self.company)
    }

    fn read(&self, below: &str) -> Reading {
        Reading::of(below, &self.company)
    }

    /// What a client asks for; `None` where it may not, or can't be understood.
    fn ask(
        &self,
        path: &str,
        query: Option<&str>,
        company_headers: &[String],
    ) -> Result<Resource, Option<AddressError>> {
        let asked = LocalAddress { remainder: SafePath::check(path).map_err(|_| None)?, query, company_headers };
        let mut resource = Resource::from_local(&self.surface, asked, &self.environment).map_err(Some)?;
        // As the route's company is found for it: an old name is translated, another one refused.
        match resource.nav_company().filter(|_| self.is_confined) {
            Some(old) if old == OLD_NAME || self.company.is_named(old) => resource.translate_company(&self.company),
            Some(_) => return Err(None),
            None => {}
        }
        Ok(resource)
    }

    /// Path and query below the environment.
    fn send(&self, resource: &Resource) -> Result<String, AddressError> {
        let sent = resource.path_and_query(BASE, self.company())?;
        Ok(sent.strip_prefix(BASE).expect("its environment").to_owned())
    }

    fn recognize(&self, below: &str) -> Option<Resource> {
        let (path, query) = split_query(below);
        self.environment.recognize(&format!("{ORIGIN}{BASE}{path}"), query)
    }

    fn check_local(&self, address: &str, headers: &[String]) {
        let (path, query) = split_query(address);
        let Ok(resource) = self.ask(path, query, headers) else { return };
        let _ = (resource.local_service_root(&self.surface), resource.subscription, resource.is_media());
        let Ok(sent) = self.send(&resource) else { return };
        let told = format!("{address} on {} is sent as {sent}", self.surface);
        assert!(sent.bytes().all(|byte| byte.is_ascii_graphic()), "{told}");
        let read = self.read(&sent);
        if self.surface != Surface::Environment {
            assert!(!read.family.is_empty() && read.has_its_company(), "{told}: {read:?}");
            assert!(!read.has_parameter(&["tenant"]) || read.has_parameter(&["aid", "$skiptoken"]), "{told}");
        }
        let path = percent_decode_str(split_query(&sent).0).decode_utf8_lossy();
        assert!(!path.split(['/', '\\']).any(|segment| matches!(segment, "." | "..")), "{told}");
        if self.is_confined {
            assert!(read.stays(), "{told}: {read:?}");
        }
        self.check_query(query.unwrap_or_default(), &read, &told);
        // Without a company in the address, a part's header says which: that one is not written.
        if self.surface != Surface::Environment && (self.is_confined || headers.is_empty()) {
            let part = resource.batch_part_url(self.company()).unwrap_or_else(|error| panic!("{told}: {error}"));
            let whole = format!("/{}/{part}", read.family);
            assert_eq!(self.read(&whole), read, "{told}, in a batch as {part}");
        }

        let recognized = self.recognize(&sent).unwrap_or_else(|| panic!("{told}, which nobody knows"));
        let local = recognized.to_local(&self.surface, self.company(), Some(&resource));
        let local = local.unwrap_or_else(|| panic!("{told}, which has no way back"));
        let told = format!("{told}, comes back as {local}");
        let again = self.ask(&local, split_query(&sent).1, &[]).unwrap_or_else(|error| panic!("{told}: {error:?}"));
        let resent = self.send(&again).unwrap_or_else(|error| panic!("{told}: {error}"));
        assert_eq!(self.read(&resent), read, "{told}, and is sent as {resent}");
        let canonical = self.recognize(&resent).and_then(|it| it.to_local(&self.surface, self.company(), Some(&again)));
        assert_eq!(canonical, Some(local), "{told}");
    }

    /// The target of a request, an address in a body and the URL of a batch's part are read alike.
    ///
    /// What one of them may not reach, no other reaches.
    fn check_readers(&self, address: &str) {
        // Only the bodies of OData hold addresses. On `nav`, relative ones begin below the service.
        if !matches!(self.surface, Surface::Api(_) | Surface::OData) || address.trim() != address {
            return;
        }
        let (path, query) = split_query(address);
        let target = self.ask(path, query, &[]).ok().filter(|target| !target.is_batch());
        let sent = target.as_ref().and_then(|target| self.send(target).ok()).map(|sent| self.read(&sent));
        let root = self.ask("/$batch", None, &[]).expect("a root");
        let base = BodyBase {
            surface: &self.surface,
            route: ROUTE,
            base_url: BASE_URL,
            environment: &self.environment,
            request: &root,
        };
        let part = target.as_ref().and_then(|target| target.batch_part_url(self.company()).ok());
        let upstream = match self.surface {
            Surface::OData => "ODataV4".to_owned(),
            _ => self.surface.to_string(),
        };
        let below_route = [format!("{ROUTE}{address}"), format!("{BASE_URL}{ROUTE}{address}")];
        let others = [address.trim_start_matches('/').to_owned(), format!("{ORIGIN}{BASE}/{upstream}{address}")];
        for written in below_route.iter().chain(&others).chain(&part) {
            let told = format!("{written} in a body on {}", self.surface);
            let Ok(BodyAddress::Relative(read) | BodyAddress::Absolute(read)) = base.read(written, &[]) else {
                assert!(part.as_ref() != Some(written) || sent.is_none(), "{told} is rejected, as a target it is not");
                continue;
            };
            if read.is_opaque() || read.is_batch() {
                continue;
            }
            let Ok(in_body) = self.send(&read) else { continue };
            let read = self.read(&in_body);
            assert!(!self.is_confined || read.stays(), "{told} is {in_body}: {read:?}");
            if below_route.contains(written) || part.as_ref() == Some(written) {
                assert_eq!(Some(read), sent, "{told} is {in_body}");
            }
        }
    }

    /// Whatever says nothing of companies and tenants is sent as it was written.
    fn check_query(&self, asked: &str, sent: &Reading, told: &str) {
        let is_retained = |key: &String| {
            let key = key.to_ascii_lowercase();
            key != "tenant" && !(sent.lists_companies && key == "$filter")
        };
        // The path says how a query is read.
        let asked = sent.clone().with_query(asked, &self.company);
        let retained = |query: &[(String, String)]| -> Vec<(String, String)> {
            query.iter().filter(|(key, _)| is_retained(key)).cloned().collect()
        };
        assert_eq!(retained(&asked.query), retained(&sent.query), "{told}");
    }

    fn check_upstream(&self, address: &str) {
        let Some(recognized) = self.recognize(address) else { return };
        let Some(local) = recognized.to_local(&self.surface, self.company(), None) else { return };
        let told = format!("{address} is {local} on {}", self.surface);
        let read = self.read(address);
        // A client's `$id` is checked like an address. Business Central writes none into its links.
        if read.has_parameter(&["$id", "id"]) {
            return;
        }
        let again = match self.ask(&local, split_query(address).1, &[]) {
            Ok(again) => again,
            // Business Central names a tenant beside the place in the pages only, and a client's own is refused.
            Err(Some(AddressError::Tenant)) => return,
            Err(rejected) => {
                assert!(self.is_confined && recognized.check_company(self.company()).is_err(), "{told}: {rejected:?}");
                return;
            }
        };
        let sent = match (self.send(&again), self.send(&recognized)) {
            (Ok(sent), _) => sent,
            (Err(rejected), direct) => {
                assert!(direct.is_err(), "{told}: {rejected}");
                return;
            }
        };
        assert!(!self.is_confined || self.read(&sent).stays(), "{told}, and is sent as {sent}");
        match self.surface {
            // There, an old server's tenant is left out, and a second company is overruled by the first.
            Surface::Nav => assert_eq!(self.read(&sent).path, read.path, "{told}, and is sent as {sent}"),
            _ => assert_eq!(self.read(&sent), read, "{told}, and is sent as {sent}"),
        }
        let canonical = self.recognize(&sent).and_then(|it| it.to_local(&self.surface, self.company(), Some(&again)));
        assert_eq!(canonical, Some(local), "{told}");
    }
}
