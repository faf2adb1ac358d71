//! Which company a request is about, as far as the configuration says it: what has to be looked up, and why.

use std::sync::Arc;

use super::look_up::LookUp;
use super::refusal::{Kind, Refusal};
use crate::business_central::address::{Resource, is_named};
use crate::business_central::{Company, CompanyRef};
use crate::config;

/// The company a request is about: the route's, or the one a client of the `nav` surface calls by its old name. `None` when the request
/// needs none, or its client names it.
pub async fn company_of(
    settings: &config::Route,
    look_up: &impl LookUp,
    resource: &mut Resource,
) -> Result<Option<Arc<Company>>, Refusal> {
    let choice = CompanyChoice::of(settings, resource)?;
    let Some(wanted) = choice.wanted() else { return Ok(None) };
    let company = look_up.company(wanted, resource).await?;
    choice.settle(settings, resource, &company)?;
    Ok(Some(company))
}

/// Where the company of a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompanyChoice<'c> {
    /// The address needs none.
    NotNeeded,
    /// The route has none: the client names it, or has to.
    Clients,
    /// The route's; another one is refused.
    Routes(&'c CompanyRef),
    /// The route's, if the client of the `nav` surface calls it by a name of its own; any other old name is refused.
    RoutesIfNamed { old: String, company: &'c CompanyRef },
    /// The one that the connector's `companies:` names for what the client of the `nav` surface calls it.
    Translated { old: String, company: &'c CompanyRef },
}

impl<'c> CompanyChoice<'c> {
    /// The choice on this route; refused where the client's old name can't be translated.
    pub fn of(settings: &'c config::Route, resource: &Resource) -> Result<Self, Refusal> {
        if !resource.concerns_a_company() {
            return Ok(Self::NotNeeded);
        }
        let (old, companies) = (resource.old_company(), &settings.connector.companies);
        match (old, old.and_then(|old| companies.get(old)), &settings.company) {
            (Some(old), Some(company), _) => Ok(Self::Translated { old: old.to_owned(), company }),
            (Some(old), None, Some(company)) => Ok(Self::RoutesIfNamed { old: old.to_owned(), company }),
            (Some(old), None, None) if !companies.is_empty() => Err(untranslated(settings, old)),
            (None, _, Some(company)) => Ok(Self::Routes(company)),
            (_, _, None) => Ok(Self::Clients),
        }
    }

    /// The company that has to be looked up, if one has.
    pub fn wanted(&self) -> Option<&'c CompanyRef> {
        match self {
            Self::NotNeeded | Self::Clients => None,
            Self::Routes(company) | Self::RoutesIfNamed { company, .. } | Self::Translated { company, .. } => {
                Some(company)
            }
        }
    }

    /// Has the resource be in the company chosen, now that it is known; refused where the client means another.
    fn settle(&self, settings: &config::Route, resource: &mut Resource, company: &Company) -> Result<(), Refusal> {
        match self {
            Self::RoutesIfNamed { old, .. } if !is_named(company, old) => Err(untranslated(settings, old)),
            Self::RoutesIfNamed { .. } | Self::Translated { .. } => {
                resource.translate_company(company);
                Ok(())
            }
            Self::NotNeeded | Self::Clients | Self::Routes(_) => Ok(()),
        }
    }
}

fn untranslated(settings: &config::Route, old: &str) -> Refusal {
    let message = format!(
        "The program asks for the company `{old}`, which connector `{}` does not translate. To allow it, add the line\n    companies: {{ \
         {old:?}: \"name or id of the company at Business Central\" }}\nto the connector in proxy.yaml.",
        settings.connector.name
    );
    Refusal::new(Kind::NotAllowed, message)
}
