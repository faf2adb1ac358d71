//! Look-ups that are not made: what Business Central would say is supposed, and noted.

use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::business_central::address::{Resource, SubscriptionKind};
use crate::business_central::{Company, CompanyName, CompanyRef};
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::rejection::Rejection;

/// What is supposed where only Business Central knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assumption {
    /// Whether an id (or a name) in the request is that of the company which the configuration gives by name (or by
    /// id).
    pub is_same_company: bool,
    /// Whether what looks like an unbound action is one.
    pub is_action: bool,
    /// Whether a subscription is about the route's company.
    pub is_subscribed_in: bool,
}

/// Answers by a supposition. What the configuration does not say stands in for itself and is given a readable form at
/// the end.
#[derive(Debug)]
pub struct AssumedLookUps {
    assumption: Assumption,
    look_ups: Mutex<LookUps>,
}

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookUps {
    pub companies: Vec<AssumedCompany>,
    /// Names that may be those of unbound actions.
    pub actions: Vec<String>,
    /// Whether it depends on what a subscription is about.
    pub subscription: bool,
}

/// A company of which the configuration says the name or the id only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumedCompany {
    pub wanted: CompanyRef,
    /// What the request holds that may be the other half.
    pub maybe: Option<String>,
    company: Company,
    /// What stands for the other half until it is shown.
    stand_in: String,
}

impl AssumedLookUps {
    pub fn new(assumption: Assumption) -> Self {
        Self { assumption, look_ups: Mutex::default() }
    }

    pub fn look_ups(self) -> LookUps {
        self.look_ups.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note<T>(&self, note: impl FnOnce(&mut LookUps) -> T) -> T {
        note(&mut self.look_ups.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LookUp for AssumedLookUps {
    async fn company(&self, wanted: &CompanyRef, resource: &Resource) -> Result<Arc<Company>, Rejection> {
        self.note(|look_ups| {
            let known = look_ups.companies.iter().position(|known| known.wanted == *wanted);
            let index = known.unwrap_or_else(|| {
                look_ups.companies.push(AssumedCompany::new(wanted));
                look_ups.companies.len() - 1
            });
            let company = look_ups.companies.get_mut(index).map(|known| {
                known.meet(resource, self.assumption.is_same_company);
                known.company.clone()
            });
            Ok(Arc::new(company.unwrap_or_else(|| AssumedCompany::new(wanted).company)))
        })
    }

    async fn has_action(&self, name: &str) -> Result<bool, Rejection> {
        self.note(|look_ups| {
            if !look_ups.actions.iter().any(|known| known == name) {
                look_ups.actions.push(name.to_owned());
            }
        });
        Ok(self.assumption.is_action)
    }

    async fn is_subscribed_in(
        &self,
        _: SubscriptionKind,
        _: &Resource,
        _: Option<&Company>,
        _: &[Arc<Company>],
    ) -> Result<bool, Rejection> {
        self.note(|look_ups| look_ups.subscription = true);
        Ok(self.assumption.is_subscribed_in)
    }
}

impl AssumedCompany {
    fn new(wanted: &CompanyRef) -> Self {
        let stand_in = Uuid::new_v4();
        let (company, stand_in) = match wanted {
            CompanyRef::Name(name) => {
                let company = Company { id: stand_in.into(), name: name.clone(), display_name: String::new() };
                (company, stand_in.to_string())
            }
            CompanyRef::Id(id) => {
                let name = CompanyName::placeholder_for(stand_in);
                (Company { id: *id, name: name.clone(), display_name: String::new() }, name.to_string())
            }
        };
        Self { wanted: wanted.clone(), maybe: None, company, stand_in }
    }

    /// Notes what the resource names and the configuration does not know; takes it for this company's, if that is
    /// supposed.
    fn meet(&mut self, resource: &Resource, is_same: bool) {
        if self.maybe.is_some() {
            return;
        }
        match &self.wanted {
            CompanyRef::Name(_) => {
                let Some(id) = resource.companies_named().find_map(|named| named.parse().ok()) else { return };
                self.maybe = Some(format!("{id}"));
                if is_same {
                    self.company.id = id;
                }
            }
            CompanyRef::Id(id) => {
                let mut named = resource.companies_named().filter(|named| named.parse() != Ok(*id));
                let Some(name) = named.find_map(|named| named.parse::<CompanyName>().ok()) else { return };
                self.maybe = Some(name.to_string());
                if is_same {
                    self.company.name = name;
                }
            }
        }
    }

    /// The half that has to be looked up, in words.
    pub fn unknown(&self) -> String {
        match &self.wanted {
            CompanyRef::Name(name) => format!("id of {name}"),
            CompanyRef::Id(id) => format!("name of {id}"),
        }
    }
}

impl LookUps {
    /// A text with what stands in for something unknown named as such.
    pub fn readable(&self, text: &str) -> String {
        self.companies.iter().fold(text.to_owned(), |text, company| {
            text.replace(&company.stand_in, &format!("{{{}}}", company.unknown()))
        })
    }
}
