//! The address grammar, request direction: what a local path asks for, and where that is at Business Central.
//!
//! Source: Business Central, "API endpoint structure", "Publish a web service", "SOAP web service URIs".

use std::fmt::Write;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::Company;
use super::path::{PathError, SafePath, Segment, encode_segment};
use super::surface::{ApiPath, Surface};

/// What a client asks for, below a route's prefix.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'r> {
    /// The rest of the path: empty or starting with a slash.
    pub remainder: SafePath<'r>,
    /// Raw, without the question mark.
    pub query: Option<&'r str>,
    /// The value of a `Company` header.
    pub company_header: Option<&'r str>,
}

/// What a client asks for, understood: a resource of a surface.
#[derive(Debug, Clone)]
pub struct Resource {
    place: Place,
    /// Fit for an address.
    query: Option<String>,
    /// The `company=` of the query, decoded: Business Central obeys it on the API and OData surfaces.
    by_query: Vec<String>,
    /// The `Company` header: only judged, since Business Central obeys it inside a batch only.
    by_header: Option<String>,
}

/// Where a resource is, below the environment. Paths are empty or start with a slash, and are fit for an address.
#[derive(Debug, Clone)]
enum Place {
    /// Needs no company.
    Root(String),
    /// Is in a company: the one the path names, or would name.
    InCompany { grammar: Grammar, named: Option<String>, rest: String },
}

/// How a family of addresses writes its company.
#[derive(Debug, Clone)]
enum Grammar {
    /// `api/v2.0/companies({id})/…`
    Api(ApiPath),
    /// `ODataV4/Company('{name}')/…`
    OData,
    /// `WS/{name}/…`
    Soap,
}

/// Why a local address has no counterpart at Business Central, or may not reach it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(
        "this request needs a company and names none; name it in the address, or set `company` at the connector or route"
    )]
    NoCompany,
    #[error("the request names the company `{asked}`, but this route leads to `{allowed}` only")]
    OtherCompany { asked: String, allowed: String },
    #[error("the request names more than one company (`{first}` and `{second}`); name one")]
    TwoCompanies { first: String, second: String },
    #[error("the query holds `tenant=`; the tenant is set at the connector, leave it out")]
    Tenant,
    #[error(
        "this is no address of a SOAP web service; it must go on with /Page/{{service}}, /Codeunit/{{service}}, /Services or /SystemService"
    )]
    NotSoap,
    #[error("{0}")]
    NotYet(&'static str),
}

impl Resource {
    pub fn understand(surface: &Surface, asked: Asked<'_>) -> Result<Self, AddressError> {
        let place = match surface {
            Surface::Environment => {
                let place = Place::Root(fit(asked.remainder.as_str()));
                return Ok(Self { place, query: asked.query.map(fit), by_query: Vec::new(), by_header: None });
            }
            Surface::Nav => return Err(AddressError::NotYet(NAV_NOT_YET)),
            Surface::Api(api) => api_place(api, &asked.remainder.odata_segments()?)?,
            Surface::OData => odata_place(&asked.remainder.odata_segments()?)?,
            Surface::Soap => soap_place(&asked.remainder.plain_segments())?,
        };
        let mut by_query = Vec::new();
        let mut keeps_place_in_pages = false;
        let mut names_tenant = false;
        for (key, value) in asked.query.into_iter().flat_map(parameters) {
            match key.as_str() {
                "company" => by_query.push(unquote(&value)),
                "tenant" => names_tenant = true,
                "aid" | "$skiptoken" => keeps_place_in_pages = true,
                _ => {}
            }
        }
        if names_tenant && !keeps_place_in_pages {
            return Err(AddressError::Tenant);
        }
        Ok(Self { place, query: asked.query.map(fit), by_query, by_header: asked.company_header.map(str::to_owned) })
    }

    /// Whether the route's company must be known to judge or build the address.
    pub fn concerns_a_company(&self) -> bool {
        matches!(self.place, Place::InCompany { .. }) || !self.by_query.is_empty() || self.by_header.is_some()
    }

    /// The path and query at Business Central, below `base` (`/v2.0/{tenant}/{environment}`).
    ///
    /// `company` is the route's: the client can't name another one, and what needs one is not built without.
    pub fn path_and_query(&self, base: &str, company: Option<&Company>) -> Result<String, AddressError> {
        self.judge(company)?;
        let mut path = String::with_capacity(base.len() + 160);
        path.push_str(base);
        match &self.place {
            Place::Root(rest) => path.push_str(rest),
            Place::InCompany { grammar, named, rest } => {
                path.push('/');
                path.push_str(grammar.root());
                match (company, named) {
                    // The query names the company already: a second selector could only contradict it.
                    _ if named.is_none() && self.query_selects(grammar) => {}
                    (Some(company), _) => grammar.push_company(&mut path, company),
                    (None, Some(name)) => grammar.push_named(&mut path, name),
                    (None, None) => return Err(AddressError::NoCompany),
                }
                path.push_str(rest);
            }
        }
        if let Some(query) = &self.query {
            path.push('?');
            path.push_str(query);
        }
        Ok(path)
    }

    fn query_selects(&self, grammar: &Grammar) -> bool {
        !matches!(grammar, Grammar::Soap) && self.by_query.iter().any(|name| !name.is_empty())
    }

    /// Refuses a company other than the route's, and two at once.
    fn judge(&self, company: Option<&Company>) -> Result<(), AddressError> {
        let in_path = match &self.place {
            Place::InCompany { named, .. } => named.as_ref(),
            _ => None,
        };
        let mut named = in_path.into_iter().chain(&self.by_query).chain(&self.by_header);
        match company {
            Some(company) => match named.find(|asked| !is_named(company, asked)) {
                Some(asked) => {
                    Err(AddressError::OtherCompany { asked: asked.clone(), allowed: company.name.to_string() })
                }
                None => Ok(()),
            },
            None => match (named.next(), named.next()) {
                (Some(first), Some(second)) => {
                    Err(AddressError::TwoCompanies { first: first.clone(), second: second.clone() })
                }
                _ => Ok(()),
            },
        }
    }
}

impl Grammar {
    fn root(&self) -> &str {
        match self {
            Self::Api(api) => api.as_str(),
            Self::OData => "ODataV4",
            Self::Soap => "WS",
        }
    }

    // A String takes everything that is written to it, so the results of `write!` below say nothing.

    fn push_company(&self, path: &mut String, company: &Company) {
        match self {
            Self::Api(_) => {
                let _ = write!(path, "/companies({})", company.id);
            }
            Self::OData | Self::Soap => self.push_named(path, company.name.as_str()),
        }
    }

    fn push_named(&self, path: &mut String, name: &str) {
        let _ = match self {
            Self::Api(_) | Self::OData => {
                let (set, key) = if matches!(self, Self::OData) { ("Company", "Id=") } else { ("companies", "") };
                match uuid::Uuid::try_parse(name) {
                    Ok(id) => write!(path, "/{set}({key}{id})"),
                    Err(_) => {
                        let key = if key.is_empty() { "name=" } else { "" };
                        write!(path, "/{set}({key}'{}')", encode_segment(&name.replace('\'', "''")))
                    }
                }
            }
            Self::Soap => write!(path, "/{}", encode_segment(name)),
        };
    }
}

fn api_place(api: &ApiPath, mut segments: &[Segment<'_>]) -> Result<Place, AddressError> {
    let grammar = Grammar::Api(api.clone());
    if let [version, rest @ ..] = segments
        && version.is(api.version())
    {
        segments = rest;
    }
    refuse_batch(segments)?;
    let Some((first, rest)) = segments.split_first() else {
        return Ok(Place::Root(below(grammar.root(), segments)));
    };
    if let Some(key) = key_of(first, "companies") {
        return Ok(Place::InCompany { grammar, named: Some(company_of_key(&key)), rest: join(rest) });
    }
    let word = first.decoded();
    let set = word.split('(').next().unwrap_or_default();
    if API_ROOT_SETS.iter().any(|root| root.eq_ignore_ascii_case(set)) {
        return Ok(Place::Root(below(grammar.root(), segments)));
    }
    Ok(Place::InCompany { grammar, named: None, rest: join(segments) })
}

fn odata_place(segments: &[Segment<'_>]) -> Result<Place, AddressError> {
    refuse_batch(segments)?;
    let grammar = Grammar::OData;
    match segments.split_first() {
        Some((first, rest)) => match key_of(first, "Company") {
            Some(key) => Ok(Place::InCompany { grammar, named: Some(company_of_key(&key)), rest: join(rest) }),
            None if first.is("$metadata") || first.is("Company") => Ok(Place::Root(below(grammar.root(), segments))),
            None => Ok(Place::InCompany { grammar, named: None, rest: join(segments) }),
        },
        None => Ok(Place::Root(below(grammar.root(), segments))),
    }
}

fn soap_place(segments: &[Segment<'_>]) -> Result<Place, AddressError> {
    let is_kind = |segment: &Segment<'_>| SOAP_KINDS.iter().any(|kind| segment.is(kind));
    let grammar = Grammar::Soap;
    let (named, rest) = match segments {
        [only] if only.is("SystemService") => return Ok(Place::Root(below(grammar.root(), segments))),
        [only] if only.is("Services") => (None, segments),
        [company, rest @ ..] if matches!(rest, [only] if only.is("Services") || only.is("SystemService")) => {
            (Some(company), rest)
        }
        [company, rest @ ..] if matches!(rest, [kind, _, ..] if is_kind(kind)) => (Some(company), rest),
        [kind, _, ..] if is_kind(kind) => (None, segments),
        _ => return Err(AddressError::NotSoap),
    };
    for segment in rest {
        segment.without_hidden_separator()?;
    }
    let named = named.map(|company| company.decoded().into_owned());
    Ok(Place::InCompany { grammar, named, rest: join(rest) })
}

fn refuse_batch(segments: &[Segment<'_>]) -> Result<(), AddressError> {
    if segments.iter().any(|segment| segment.is("$batch")) {
        return Err(AddressError::NotYet(BATCH_NOT_YET));
    }
    Ok(())
}

/// The decoded text between the parentheses of `{set}(…)`.
fn key_of(segment: &Segment<'_>, set: &str) -> Option<String> {
    let decoded = segment.decoded();
    let (name, rest) = decoded.split_once('(')?;
    let key = rest.strip_suffix(')')?;
    name.eq_ignore_ascii_case(set).then(|| key.trim().to_owned())
}

/// The company of a key: `{guid}`, `Id={guid}`, `'Name'`, `name='Name'`.
fn company_of_key(key: &str) -> String {
    let value = match key.split_once('=') {
        Some((field, value)) if ["id", "name"].iter().any(|known| field.trim().eq_ignore_ascii_case(known)) => value,
        _ => key,
    };
    unquote(value.trim())
}

/// An OData string literal's text; anything else as it is.
fn unquote(text: &str) -> String {
    match text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => text.to_owned(),
    }
}

/// Whether a text names this company, by its id or its exact name.
fn is_named(company: &Company, text: &str) -> bool {
    company.name.as_str() == text || text.parse() == Ok(company.id)
}

/// The parameters of a query: key in lower case and value, both decoded.
fn parameters(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    query.split('&').map(move |parameter| {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (decode(key).trim().to_ascii_lowercase(), decode(value))
    })
}

/// The segments below a root, as a path.
fn below(root: &str, segments: &[Segment<'_>]) -> String {
    format!("/{root}{}", join(segments))
}

fn join(segments: &[Segment<'_>]) -> String {
    segments
        .iter()
        .flat_map(|segment| std::iter::once("/").chain(utf8_percent_encode(segment.raw(), NEVER_RAW)))
        .collect()
}

/// What the client wrote, with only that encoded which an address may not hold raw.
fn fit(raw: &str) -> String {
    utf8_percent_encode(raw, NEVER_RAW).collect()
}

const NEVER_RAW: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// Entity sets of an API that belong to the environment, not to a company.
const API_ROOT_SETS: &[&str] = &[
    "$metadata",
    "companies",
    "subscriptions",
    "externaleventsubscriptions",
    "externalbusinesseventdefinitions",
    "entityDefinitions",
];

const SOAP_KINDS: &[&str] = &["Page", "Codeunit", "Query"];

const NAV_NOT_YET: &str = "this version does not translate addresses of a server on the premises yet; use a route with `to: odata`, `to: soap` or `to: api/v2.0`";

const BATCH_NOT_YET: &str = "this version does not forward $batch yet; send the requests one by one";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: &str = "/v2.0/contoso.com/Production";
    const ID: &str = "824820a2-508c-ed11-aada-000d3a298ab3";
    const OTHER_ID: &str = "824820a2-508c-ed11-aada-000d3a298ab4";

    fn company() -> Company {
        Company { id: ID.parse().unwrap(), name: "Müller & Söhne's/Co".parse().unwrap(), display_name: String::new() }
    }

    fn build(to: &str, local: &str, company: Option<&Company>) -> Result<String, AddressError> {
        let (path, query) = match local.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (local, None),
        };
        let surface = to.parse().unwrap();
        let asked = Asked { remainder: SafePath::check(path)?, query, company_header: None };
        let built = Resource::understand(&surface, asked)?.path_and_query(BASE, company)?;
        Ok(built.strip_prefix(BASE).unwrap().to_owned())
    }

    fn in_company(to: &str, local: &str) -> Result<String, AddressError> {
        build(to, local, Some(&company()))
    }

    #[test]
    fn the_api_surface_adds_the_company_where_one_is_needed() {
        for (local, upstream) in [
            ("", "/api/v2.0"),
            ("/", "/api/v2.0"),
            ("/$metadata", "/api/v2.0/$metadata"),
            ("/companies", "/api/v2.0/companies"),
            ("/companies?$top=1", "/api/v2.0/companies?$top=1"),
            ("/subscriptions('x')", "/api/v2.0/subscriptions('x')"),
            ("/entityDefinitions", "/api/v2.0/entityDefinitions"),
            ("/customers", "/api/v2.0/companies(ID)/customers"),
            ("/customers/", "/api/v2.0/companies(ID)/customers"),
            ("//customers", "/api/v2.0/companies(ID)/customers"),
            ("/v2.0/customers", "/api/v2.0/companies(ID)/customers"),
            (
                "/customers?$filter=name%20eq%20'a%2Bb'&x=+",
                "/api/v2.0/companies(ID)/customers?$filter=name%20eq%20'a%2Bb'&x=+",
            ),
            ("/companies(ID)/customers", "/api/v2.0/companies(ID)/customers"),
            ("/Companies(id=ID)/customers", "/api/v2.0/companies(ID)/customers"),
            ("/companies(name='M%C3%BCller%20&%20S%C3%B6hne''s/Co')/customers", "/api/v2.0/companies(ID)/customers"),
            ("/customers?company=ID", "/api/v2.0/customers?company=ID"),
            ("/salesInvoices(1)/Microsoft.NAV.post", "/api/v2.0/companies(ID)/salesInvoices(1)/Microsoft.NAV.post"),
            ("/items('a%2Fb')", "/api/v2.0/companies(ID)/items('a%2Fb')"),
            ("/Müller|x", "/api/v2.0/companies(ID)/M%C3%BCller%7Cx"),
        ] {
            let (local, upstream) = (local.replace("ID", ID), upstream.replace("ID", ID));
            assert_eq!(in_company("api/v2.0", &local).as_deref(), Ok(upstream.as_str()), "{local}");
        }
        let custom = in_company("api/cronus/warehouse/v1.0", "/v1.0/bins").unwrap();
        assert_eq!(custom, format!("/api/cronus/warehouse/v1.0/companies({ID})/bins"));
    }

    #[test]
    fn the_odata_surface_writes_the_name_with_doubled_apostrophes() {
        let name = "Company('M%C3%BCller%20%26%20S%C3%B6hne%27%27s%2FCo')";
        for (local, upstream) in [
            ("", "/ODataV4"),
            ("/$metadata", "/ODataV4/$metadata"),
            ("/Company", "/ODataV4/Company"),
            ("/Chart_of_Accounts", "/ODataV4/NAME/Chart_of_Accounts"),
            ("/company(Id=ID)/X", "/ODataV4/NAME/X"),
            ("/Company('M%C3%BCller & S%C3%B6hne''s/Co')/X", "/ODataV4/NAME/X"),
            (
                "/Tools_Post?company='M%C3%BCller+%26+S%C3%B6hne''s/Co'",
                "/ODataV4/Tools_Post?company='M%C3%BCller+%26+S%C3%B6hne''s/Co'",
            ),
        ] {
            let (local, upstream) = (local.replace("ID", ID), upstream.replace("NAME", name));
            assert_eq!(in_company("odata", &local).as_deref(), Ok(upstream.as_str()), "{local}");
        }
    }

    #[test]
    fn the_soap_surface_puts_the_name_first() {
        let name = "M%C3%BCller%20%26%20S%C3%B6hne%27s%2FCo";
        for (local, upstream) in [
            ("/Page/Customer", "/WS/NAME/Page/Customer"),
            ("/page/Customer?wsdl", "/WS/NAME/page/Customer?wsdl"),
            ("/Codeunit/Tools", "/WS/NAME/Codeunit/Tools"),
            ("/Services", "/WS/NAME/Services"),
            ("/Page/Customer?company=NAME", "/WS/NAME/Page/Customer?company=NAME"),
            ("/SystemService", "/WS/SystemService"),
            ("/NAME/Page/Customer", "/WS/NAME/Page/Customer"),
            ("/NAME/Services", "/WS/NAME/Services"),
        ] {
            let (local, upstream) = (local.replace("NAME", name), upstream.replace("NAME", name));
            assert_eq!(in_company("soap", &local).as_deref(), Ok(upstream.as_str()), "{local}");
        }
        assert_eq!(in_company("soap", "/Customer"), Err(AddressError::NotSoap));
        assert_eq!(in_company("soap", ""), Err(AddressError::NotSoap));
    }

    #[test]
    fn a_routes_company_cannot_be_left() {
        for (to, local) in [
            ("api/v2.0", format!("/companies({OTHER_ID})/customers")),
            ("api/v2.0", format!("/COMPANIES({OTHER_ID})")),
            ("api/v2.0", format!("/companies%28{OTHER_ID}%29/customers")),
            ("api/v2.0", "/customers?company=Other".to_owned()),
            ("api/v2.0", "/customers?%63ompany=Other".to_owned()),
            ("api/v2.0", format!("/customers?company={ID}&Company=Other")),
            ("odata", "/Company('Other')/X".to_owned()),
            ("odata", "/X?company='Other'".to_owned()),
            ("soap", "/Other/Page/Customer".to_owned()),
            ("soap", "/Page/Customer?company=Other".to_owned()),
        ] {
            let refused = in_company(to, &local);
            assert!(matches!(refused, Err(AddressError::OtherCompany { .. })), "{local}: {refused:?}");
        }
        let surface = Surface::OData;
        let asked = Asked { remainder: SafePath::check("/X").unwrap(), query: None, company_header: Some("Other") };
        let refused = Resource::understand(&surface, asked).unwrap().path_and_query(BASE, Some(&company()));
        assert!(matches!(refused, Err(AddressError::OtherCompany { .. })));
    }

    #[test]
    fn nothing_that_needs_a_company_is_built_without_one() {
        for (to, local) in [("api/v2.0", "/customers"), ("odata", "/X"), ("soap", "/Page/X"), ("soap", "/Services")] {
            assert_eq!(build(to, local, None), Err(AddressError::NoCompany), "{to}{local}");
        }
        for (to, local) in [("api/v2.0", "/customers?company="), ("soap", "/Page/X?company=A")] {
            assert_eq!(build(to, local, None), Err(AddressError::NoCompany), "{to}{local}");
        }
        let named = |to, local: &str| build(to, local, None).unwrap();
        assert_eq!(
            named("api/v2.0", &format!("/companies({ID})/customers")),
            format!("/api/v2.0/companies({ID})/customers")
        );
        assert_eq!(named("api/v2.0", "/companies(name='A')/x"), "/api/v2.0/companies(name='A')/x");
        assert_eq!(named("odata", "/Company('A B')/X"), "/ODataV4/Company('A%20B')/X");
        assert_eq!(named("odata", "/X?company='A'"), "/ODataV4/X?company='A'");
        assert_eq!(named("soap", "/A%20B/Page/X"), "/WS/A%20B/Page/X");
        assert!(matches!(build("odata", "/Company('A')/X?company=B", None), Err(AddressError::TwoCompanies { .. })));
    }

    #[test]
    fn a_tenant_passes_in_a_next_link_only() {
        assert_eq!(in_company("odata", "/X?tenant=default"), Err(AddressError::Tenant));
        assert!(in_company("odata", "/X?tenant=msft1a&aid=FIN&$skiptoken=1").is_ok());
    }

    #[test]
    fn the_environment_surface_is_unconfined() {
        assert_eq!(build("environment", "/api/x/y/z/$batch?company=A", None).unwrap(), "/api/x/y/z/$batch?company=A");
        assert_eq!(build("environment", "", None).unwrap(), "");
    }

    #[test]
    fn what_is_not_built_yet_says_so() {
        for (to, local) in
            [("nav", "/BC/WS/X"), ("api/v2.0", "/$batch"), ("odata", "/$BATCH"), ("api/v2.0", "/%24batch")]
        {
            assert!(matches!(in_company(to, local), Err(AddressError::NotYet(_))), "{to}{local}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_built_stays_in_the_company(local in "/[a-zA-Z0-9()'=$%./?&{}-]{0,60}") {
            if let Ok(built) = in_company("api/v2.0", &local) {
                let root_sets = built.strip_prefix("/api/v2.0").unwrap();
                let in_company = root_sets.starts_with(&format!("/companies({ID})"));
                let set = root_sets.trim_start_matches('/').split(['/', '?', '(']).next().unwrap().to_ascii_lowercase();
                let set = percent_decode_str(&set).decode_utf8_lossy().to_ascii_lowercase();
                let is_root = set.is_empty() || API_ROOT_SETS.iter().any(|root| root.eq_ignore_ascii_case(&set));
                prop_assert!(in_company || is_root || built.contains(&format!("company={ID}")), "{}", built);
                let whole = format!("https://h{BASE}{built}");
                prop_assert!(hyper::Uri::try_from(whole).is_ok());
            }
        }
    }
}
