//! A resource: what an address asks for, independent of how the address is written.

use super::query::Query;
use super::subscription_kind::SubscriptionKind;
use crate::business_central::{ApiPath, Company};

/// What an address asks for: a resource of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub(super) location: Location,
    pub(super) query: Query,
    /// Companies named outside the start of the path and the query: checked, but never used to select one.
    ///
    /// A `Company` header selects only inside a batch. A second company further down a path could leave the first.
    pub(super) extra_companies: Vec<String>,
    pub(super) company_list: CompanyList,
    /// The kind of subscription at this address, if any.
    pub subscription: Option<SubscriptionKind>,
    /// How a client of the `nav` surface wrote the address.
    pub(super) nav_spelling: Option<NavSpelling>,
}

/// Where a resource is, below the environment. Paths are empty or start with a slash, and are valid in an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Outside any company.
    Root { family: Family, rest: String },
    /// In a company; `named` if the path names it.
    InCompany { family: Family, named: Option<String>, rest: String },
    /// The family's `$batch`, whose parts each ask for a resource of their own.
    Batch(Family),
    /// A path below the environment that bcproxy doesn't interpret.
    Opaque(String),
}

/// Whether a path leads to a list of all companies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompanyList {
    /// It doesn't.
    None,
    /// It does, and `$filter` can confine the list.
    Filterable,
    /// It continues after the list, where `$filter` may have no effect.
    Unfilterable,
}

/// A family of addresses, which share a root and a notation for the company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Family {
    /// `api/v2.0/companies({id})/…`
    Api(ApiPath),
    /// `ODataV4/Company('{name}')/…`
    OData,
    /// `WS/{name}/…`
    Soap,
}

/// How a client of the `nav` surface wrote its address; links in the response repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NavSpelling {
    /// The raw path before the family's root: `/BC140`, `/v2.0/contoso.com/Production`, or nothing.
    pub prefix: String,
    /// The client's name for the company.
    pub company: Option<String>,
}

impl Resource {
    /// Whether this is a `$batch`, whose parts are the actual requests.
    pub fn is_batch(&self) -> bool {
        matches!(self.location, Location::Batch(_))
    }

    /// Whether it belongs to the SOAP web services.
    pub fn is_soap(&self) -> bool {
        self.family() == Some(&Family::Soap)
    }

    /// Whether it is the SOAP service of a page.
    pub fn is_soap_page(&self) -> bool {
        let Location::InCompany { family: Family::Soap, rest, .. } = &self.location else { return false };
        rest.get(..6).is_some_and(|kind| kind.eq_ignore_ascii_case("/page/"))
    }

    /// Whether it is the SOAP service that lists all companies.
    pub fn is_system_service(&self) -> bool {
        matches!(&self.location, Location::Root { family: Family::Soap, .. })
    }

    /// Whether it is the description of an OData service, the same for all companies.
    pub fn is_metadata(&self) -> bool {
        matches!(&self.location, Location::Root { rest, .. } if rest.eq_ignore_ascii_case("/$metadata"))
    }

    /// The name of the unbound action this may be: in OData, the address of an action looks like that of a page.
    pub fn unbound_action(&self) -> Option<&str> {
        let Location::InCompany { family: Family::OData, named: None, rest } = &self.location else { return None };
        let name = rest.strip_prefix('/')?;
        // Business Central names an action {service}_{procedure}.
        let is_candidate = name.contains('_') && !name.contains(['/', '(', '%']);
        is_candidate.then_some(name)
    }

    /// Makes it the unbound action of its name, which takes its company from the query.
    pub fn become_unbound_action(&mut self, company: &Company) {
        if let Location::InCompany { family, rest, .. } = &self.location
            && self.query.companies().next().is_none()
        {
            self.location = Location::Root { family: family.clone(), rest: rest.clone() };
            self.query = self.query.with("company", company.name.as_str());
        }
    }

    /// What follows the entity set, raw, if the path names its company: a key, further segments, or nothing.
    pub fn suffix_of_set(&self) -> Option<&str> {
        let Location::InCompany { named: Some(_), rest, family: Family::Api(_) | Family::OData } = &self.location
        else {
            return None;
        };
        let set = rest.strip_prefix('/')?;
        set.find(['(', '/']).map_or(Some(""), |end| set.get(end..))
    }

    /// Whether it is a stored file of any type: `…/pictureContent`, `…/attachmentContent`, `…/content`, `…/$value`.
    pub fn is_media(&self) -> bool {
        let (Location::Root { rest, .. } | Location::InCompany { rest, .. } | Location::Opaque(rest)) = &self.location
        else {
            return false;
        };
        let last = rest.rsplit('/').next().unwrap_or_default();
        let ends_with_content =
            last.as_bytes().last_chunk().is_some_and(|end: &[u8; 7]| end.eq_ignore_ascii_case(b"content"));
        // `salesOrders;content` may be the set of orders to another reader.
        last.eq_ignore_ascii_case("$value")
            || ends_with_content && last.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }

    /// Whether both belong to one service, so that one can be part of a batch of the other.
    pub fn same_service_as(&self, other: &Self) -> bool {
        self.family().is_some() && self.family() == other.family()
    }

    /// Whether its request body is JSON in which Business Central follows addresses.
    pub fn accepts_json(&self) -> bool {
        !self.is_media() && matches!(self.family(), Some(Family::Api(_) | Family::OData))
    }

    /// Whether it belongs to the automation API, which manages the whole environment (BC, "Introduction to automation
    /// APIs").
    pub fn is_automation(&self) -> bool {
        let Some(Family::Api(api)) = self.family() else { return false };
        api.as_str().get(..AUTOMATION.len()).is_some_and(|start| start.eq_ignore_ascii_case(AUTOMATION))
    }

    /// Whether it is in none of the services that bcproxy knows.
    pub fn is_opaque(&self) -> bool {
        self.family().is_none()
    }

    pub(super) fn family(&self) -> Option<&Family> {
        match &self.location {
            Location::Root { family, .. } | Location::InCompany { family, .. } | Location::Batch(family) => {
                Some(family)
            }
            Location::Opaque(_) => None,
        }
    }
}

impl Family {
    /// The family's path below the environment, without slashes at its ends.
    pub fn root(&self) -> &str {
        match self {
            Self::Api(api) => api.as_str(),
            Self::OData => "ODataV4",
            Self::Soap => "WS",
        }
    }
}

/// What the path of the automation API begins with.
const AUTOMATION: &str = "api/microsoft/automation/";
