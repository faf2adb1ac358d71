//! The address grammar: what an address asks for, whoever wrote it, and how it is written here and there.
//!
//! ```text
//!             understand                    path_and_query
//! local ─────────────────────▶ Resource ─────────────────────▶ Business Central
//!       ◀─────────────────────          ◀─────────────────────
//!             local                         recognise
//! ```
//!
//! The mapping is many-to-one. The law: upstream → local → upstream is the same resource, local → upstream → local its canonical form.
//!
//! Source: Business Central, "API endpoint structure", "Publish a web service", "SOAP web service URIs".

mod inside;
mod local;
mod place;
mod query;
mod subscriptions;
mod upstream;

pub use inside::split_query;
pub use local::Asked;
pub use subscriptions::{Portion, Subscription};
pub use upstream::{EnvironmentAddress, is_named, names};

use super::Company;
use super::path::PathError;
use super::surface::ApiPath;
use query::Query;

/// What an address asks for: a resource of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    place: Place,
    query: Query,
    /// The companies named besides path and query: judged, never obeyed. A `Company` header selects inside a batch only, and a second
    /// company further down a path would be a way out of the first.
    also_named: Vec<String>,
    listing: Listing,
    /// How the old server's address began, on the `nav` surface.
    old: Option<OldSpelling>,
}

/// Where a resource is, below the environment. Paths are empty or start with a slash, and are fit for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Needs no company.
    Root { family: Family, rest: String },
    /// Is in a company: the one the path names, or would name.
    InCompany { family: Family, named: Option<String>, rest: String },
    /// The family's `$batch`: each of its parts asks for a resource of its own.
    Batch(Family),
    /// Somewhere below the environment, not looked into.
    Anywhere(String),
}

/// Whether a path leads to a set of all companies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listing {
    None,
    /// It does, and a condition in the query keeps it to one.
    Filterable,
    /// What follows the set may know no condition.
    Beyond,
}

/// A family of addresses, which share a root and a way to write the company.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Family {
    /// `api/v2.0/companies({id})/…`
    Api(ApiPath),
    /// `ODataV4/Company('{name}')/…`
    OData,
    /// `WS/{name}/…`
    Soap,
}

/// How a client of the `nav` surface began its address.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OldSpelling {
    /// What stands before the family, raw: `/BC140`, `/v2.0/contoso.com/Production`, or nothing.
    prefix: String,
    /// The company as the client calls it.
    company: Option<String>,
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
    #[error("the address names the {what} `{asked}`, but this route leads to `{allowed}`")]
    OtherPlace { what: &'static str, asked: String, allowed: String },
    #[error(
        "this is no address of a SOAP web service; it must go on with /Page/{{service}}, /Codeunit/{{service}}, /Services or /SystemService"
    )]
    NotSoap,
    #[error(
        "this is no address of a Business Central server: it must be /{{instance}}/WS/…, /{{instance}}/ODataV4/… or /{{instance}}/api/…"
    )]
    NotNav,
    #[error(
        "Business Central online has no OData V3 any more; the same data is at {v4} (OData V4: JSON, other literals)"
    )]
    OldOData { v4: String },
    #[error(
        "the webhook's `resource` is `{asked}`; it must name what to watch in this route's company, such as /api/v2.0/companies({id})/customers"
    )]
    Unwatchable { asked: String, id: String },
    #[error("the $filter has parentheses or quotes that don't close; this route adds a condition of its own to it")]
    OpenFilter,
    #[error(
        "the address goes on behind a list of all companies, but this route leads to `{allowed}` only; name that company in the list's place"
    )]
    BehindCompanies { allowed: String },
    #[error("$batch stands in the address of something else; send it to the surface's root, /$batch")]
    MisplacedBatch,
}

impl Resource {
    /// Whether this is a `$batch`, which is no request of its own.
    pub fn is_batch(&self) -> bool {
        matches!(self.place, Place::Batch(_))
    }

    /// Whether it is something of the SOAP web services.
    pub fn is_soap(&self) -> bool {
        matches!(self.place, Place::Root { family: Family::Soap, .. } | Place::InCompany { family: Family::Soap, .. })
    }

    /// Whether it is the SOAP service of a page.
    pub fn is_soap_page(&self) -> bool {
        match &self.place {
            Place::InCompany { family: Family::Soap, rest, .. } => {
                rest.get(..6).is_some_and(|kind| kind.eq_ignore_ascii_case("/page/"))
            }
            _ => false,
        }
    }

    /// The name of the unbound action this would be if it were posted to and there is one: OData's page and action look alike.
    pub fn unbound_action(&self) -> Option<&str> {
        match &self.place {
            Place::InCompany { family: Family::OData, named: None, rest } => {
                let name = rest.strip_prefix('/')?;
                // Business Central calls an action {service}_{procedure}.
                let is_candidate = name.contains('_') && !name.contains(['/', '(', '%']);
                is_candidate.then_some(name)
            }
            _ => None,
        }
    }

    /// Makes it the unbound action it turned out to be: those take their company from the query.
    pub fn into_unbound_action(self, company: &Company) -> Self {
        match self.place {
            Place::InCompany { family, rest, .. } if self.query.companies().next().is_none() => Self {
                place: Place::Root { family, rest },
                query: self.query.with("company", company.name.as_str()),
                ..self
            },
            place => Self { place, ..self },
        }
    }

    /// What follows the entity set, raw, of a resource whose path names its company: a key, further segments, or nothing.
    pub fn key_in_company(&self) -> Option<&str> {
        match &self.place {
            Place::InCompany { named: Some(_), rest, family: Family::Api(_) | Family::OData } => {
                let set = rest.strip_prefix('/')?;
                set.find(['(', '/']).map_or(Some(""), |end| set.get(end..))
            }
            _ => None,
        }
    }

    /// Whether it is a file that somebody stored, whatever its type: `…/pictureContent`, `…/attachmentContent`, `…/content`, `…/$value`.
    pub fn is_media(&self) -> bool {
        let (Place::Root { rest, .. } | Place::InCompany { rest, .. } | Place::Anywhere(rest)) = &self.place else {
            return false;
        };
        let last = rest.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        last.ends_with("content") || last == "$value"
    }
}

impl Family {
    fn root(&self) -> &str {
        match self {
            Self::Api(api) => api.as_str(),
            Self::OData => "ODataV4",
            Self::Soap => "WS",
        }
    }
}

#[cfg(test)]
mod tests;
