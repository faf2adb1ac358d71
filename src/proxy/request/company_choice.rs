//! Which companies a request is about, as far as the configuration tells: what has to be looked up, and why.

use std::sync::Arc;

use crate::business_central::address::Resource;
use crate::business_central::{Company, CompanyRef, Surface};
use crate::config;
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::rejection::{Kind, Rejection};

/// The companies a request is about, as Business Central has them.
#[derive(Debug, Clone, Default)]
pub struct Companies {
    /// The company it is in: the route's, or the one that a `nav` client calls by its old name. `None` when it needs
    /// none, spans several, or
    /// its client names it.
    pub company: Option<Arc<Company>>,
    /// The companies it may show or change data of; `None` for any.
    pub within: Option<Vec<Arc<Company>>>,
}

impl Companies {
    fn one(company: Arc<Company>) -> Self {
        Self { company: Some(company.clone()), within: Some(vec![company]) }
    }
}

/// The companies a request is about. Rejects a request that names another one.
pub async fn companies_of(
    settings: &config::Route,
    look_up: &impl LookUp,
    resource: &mut Resource,
) -> Result<Companies, Rejection> {
    match CompanyChoice::of(settings, resource) {
        CompanyChoice::NotNeeded | CompanyChoice::Clients => Ok(Companies::default()),
        CompanyChoice::Routes(wanted) => Ok(Companies::one(look_up.company(wanted, resource).await?)),
        CompanyChoice::Translated { company, .. } => {
            let company = look_up.company(company, resource).await?;
            resource.translate_company(&company);
            Ok(Companies::one(company))
        }
        CompanyChoice::Among { old, among } => {
            let mut known = known(&among, look_up, resource).await?.into_iter();
            let company =
                known.find(|company| company.is_named(&old)).ok_or_else(|| unknown_old_name(settings, &old))?;
            resource.translate_company(&company);
            Ok(Companies::one(company))
        }
        CompanyChoice::Several(among) => {
            let known = known(&among, look_up, resource).await?;
            resource.restrict_to(&known)?;
            Ok(Companies { company: None, within: Some(known) })
        }
    }
}

/// The companies that requests of a route can reach; `None` for any. `about` is what is asked for in them.
pub async fn within(
    settings: &config::Route,
    look_up: &impl LookUp,
    about: &Resource,
) -> Result<Option<Vec<Arc<Company>>>, Rejection> {
    match reachable(settings) {
        any if any.is_empty() => Ok(None),
        some => known(&some, look_up, about).await.map(Some),
    }
}

/// Those of the companies that exist. One that does not exist hides no other.
async fn known(
    wanted: &[&CompanyRef],
    look_up: &impl LookUp,
    resource: &Resource,
) -> Result<Vec<Arc<Company>>, Rejection> {
    let (mut known, mut gone) = (Vec::new(), None);
    for wanted in wanted {
        match look_up.company(wanted, resource).await {
            Ok(company) => known.push(company),
            Err(rejection) if rejection.kind == Kind::UnknownCompany => gone = Some(rejection),
            Err(rejection) => return Err(rejection),
        }
    }
    match gone {
        Some(rejection) if known.is_empty() => Err(rejection),
        _ => Ok(known),
    }
}

/// The companies that requests of a route can reach. Empty where any company can be reached.
fn reachable(settings: &config::Route) -> Vec<&CompanyRef> {
    let mut reachable: Vec<&CompanyRef> = Vec::new();
    for company in listed(settings) {
        if !reachable.contains(&company) {
            reachable.push(company);
        }
    }
    reachable
}

/// Whether requests of this route can't reach every company.
pub fn is_confined(settings: &config::Route) -> bool {
    listed(settings).next().is_some()
}

/// Rejects the automation API on a `nav` route that is kept to companies, unless the route says otherwise.
pub fn check_automation(settings: &config::Route, resource: &Resource) -> Result<(), Rejection> {
    let is_open = settings.surface != Surface::Nav || settings.automation || !is_confined(settings);
    if is_open || !resource.is_automation() {
        return Ok(());
    }
    let message = format!(
        "Route `{}` is kept to a company, and the automation API manages the whole environment. To allow it, add \
         `automation: true` to the route in proxy.yaml.",
        settings.path
    );
    Err(Rejection::new(Kind::NotAllowed, message))
}

/// A route's own company, and those that `companies` lists for `nav` clients; some perhaps twice.
fn listed(settings: &config::Route) -> impl Iterator<Item = &CompanyRef> {
    let translated = settings.connector.companies.values().filter(|_| settings.surface == Surface::Nav);
    settings.company.iter().chain(translated)
}

/// Where the company of a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompanyChoice<'c> {
    /// The address needs none.
    NotNeeded,
    /// The route has none: the client has to name it.
    Clients,
    /// The route's; any other one is rejected.
    Routes(&'c CompanyRef),
    /// The one that the connector's `companies` lists for the `nav` client's name.
    Translated { old: String, company: &'c CompanyRef },
    /// One of those the route reaches, if the `nav` client uses its real name; any other name is rejected.
    Among { old: String, among: Vec<&'c CompanyRef> },
    /// All that the route reaches: the `nav` client asks for something that spans companies.
    Several(Vec<&'c CompanyRef>),
}

impl<'c> CompanyChoice<'c> {
    /// The choice for this resource on this route.
    pub fn of(settings: &'c config::Route, resource: &Resource) -> Self {
        if !resource.depends_on_company() {
            return Self::NotNeeded;
        }
        let Some(old) = resource.nav_company().map(str::to_owned) else {
            if resource.spans_companies() {
                let among = reachable(settings);
                if among.len() > settings.company.iter().count() {
                    return Self::Several(among);
                }
            }
            return settings.company.as_ref().map_or(Self::Clients, Self::Routes);
        };
        let among = reachable(settings);
        match settings.connector.companies.get(&old) {
            Some(company) => Self::Translated { old, company },
            None if among.is_empty() => Self::Clients,
            None => Self::Among { old, among },
        }
    }
}

fn unknown_old_name(settings: &config::Route, old: &str) -> Rejection {
    let message = format!(
        "The client asks for the company `{old}`, which connector `{}` does not list. To allow it, add the line\n    companies: {{ \
         {old:?}: \"name or id of the company at Business Central\" }}\nto the connector in proxy.yaml.",
        settings.connector.name
    );
    Rejection::new(Kind::NotAllowed, message)
}
