//! Filtering subscriptions by company, in the JSON of Business Central.
//!
//! An environment keeps the subscriptions of all its companies in one set of at most 200.
//! Business Central documents no `$filter` by a webhook's `resource`, so bcproxy filters the response.
//!
//! Source: Business Central, "Working with webhooks", "Operational limits".

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::Company;
use super::address::{EnvironmentAddress, Resource, SubscriptionKind};
use super::members::{Members, to_json};

/// The subscriptions that a route may show and change.
#[derive(Debug, Clone, Copy)]
pub struct SubscriptionFilter<'a> {
    /// The set that the subscriptions are in.
    pub kind: SubscriptionKind,
    /// The companies of the route.
    pub companies: &'a [Arc<Company>],
    /// The environment, to parse the addresses in webhooks.
    pub environment: &'a EnvironmentAddress,
}

impl SubscriptionFilter<'_> {
    /// Whether a subscription, in JSON, concerns one of the companies. One without a company does not.
    pub fn includes(&self, subscription: &[u8]) -> bool {
        let Ok(members) = serde_json::from_slice::<Members<'_>>(subscription) else { return false };
        let targets = self.kind.target_members().iter().filter_map(|member| members.get(member));
        let mut targets = targets.filter_map(|value| serde_json::from_str::<Option<String>>(value.get()).ok()?);
        match self.kind {
            SubscriptionKind::Webhook => {
                targets.next().is_some_and(|resource| match Resource::from_webhook(&resource, self.environment) {
                    Ok(Some(watched)) => self.companies.iter().any(|company| watched.is_explicitly_in(company)),
                    _ => false,
                })
            }
            SubscriptionKind::Event => {
                let named: Vec<String> = targets.filter(|named| !named.is_empty()).collect();
                let matches_all = |company: &Arc<Company>| named.iter().all(|named| company.is_named(named));
                !named.is_empty() && self.companies.iter().any(matches_all)
            }
        }
    }

    /// The list with only the included subscriptions, otherwise unchanged; `None` if the JSON is not a list.
    pub fn filter_list(&self, list: &[u8]) -> Option<String> {
        let members: Members<'_> = serde_json::from_slice(list).ok()?;
        let entries: Vec<&RawValue> = serde_json::from_str(members.get("value")?.get()).ok()?;
        let included: Vec<&str> =
            entries.into_iter().map(RawValue::get).filter(|entry| self.includes(entry.as_bytes())).collect();
        Some(to_json(members.iter().map(|(name, value)| match name.eq_ignore_ascii_case("value") {
            true => (name, Cow::Owned(format!("[{}]", included.join(",")))),
            false => (name, Cow::Borrowed(value.get())),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "824820a2-508c-ed11-aada-000d3a298ab3";
    const OTHER: &str = "824820a2-508c-ed11-aada-000d3a298ab4";

    fn filter<T>(kind: SubscriptionKind, test: impl FnOnce(SubscriptionFilter<'_>) -> T) -> T {
        let url = "https://bc.example".parse().unwrap();
        let environment =
            EnvironmentAddress::new(&url, &"contoso.com".parse().unwrap(), &"Production".parse().unwrap());
        let company = Company { id: ID.parse().unwrap(), name: "O'Neil".parse().unwrap(), display_name: String::new() };
        test(SubscriptionFilter { kind, companies: &[Arc::new(company)], environment: &environment })
    }

    #[test]
    fn a_webhook_belongs_to_the_company_in_its_resource() {
        for (resource, included) in [
            (format!("/api/v2.0/companies({ID})/customers"), true),
            (format!("api/cronus/warehouse/v1.0/companies({ID})/bins"), true),
            (format!("https://bc.example/v2.0/Production/api/v2.0/companies({ID})/items"), true),
            (format!("api/v2.0/customers?company={ID}"), true),
            (format!("/api/v2.0/companies({OTHER})/customers"), false),
            (format!("/api/v2.0/companies({ID})/companies({OTHER})/x"), false),
            (format!("https://elsewhere.example/api/v2.0/companies({ID})/customers"), false),
            ("/api/v2.0/customers".to_owned(), false),
            ("/api/v2.0/companies".to_owned(), false),
            ("/api/../x".to_owned(), false),
        ] {
            let entry = serde_json::json!({ "resource": resource }).to_string();
            assert_eq!(
                filter(SubscriptionKind::Webhook, |filter| filter.includes(entry.as_bytes())),
                included,
                "{resource}"
            );
        }
        for entry in ["{}", r#"{"resource":null}"#, r#"{"resource":1}"#, "[]", "x"] {
            assert!(!filter(SubscriptionKind::Webhook, |filter| filter.includes(entry.as_bytes())), "{entry}");
        }
    }

    #[test]
    fn an_event_belongs_to_the_company_it_names() {
        for (entry, included) in [
            (r#"{"companyName":"O'Neil"}"#.to_owned(), true),
            (format!(r#"{{"companyName":"O'Neil","companyId":"{ID}"}}"#), true),
            (format!(r#"{{"companyName":"O'Neil","companyId":"{OTHER}"}}"#), false),
            (r#"{"companyName":"Other"}"#.to_owned(), false),
            (r#"{"companyName":""}"#.to_owned(), false),
            ("{}".to_owned(), false),
        ] {
            assert_eq!(
                filter(SubscriptionKind::Event, |filter| filter.includes(entry.as_bytes())),
                included,
                "{entry}"
            );
        }
    }

    #[test]
    fn a_filtered_list_is_otherwise_unchanged() {
        let own =
            format!(r#"{{ "subscriptionId":"a","resource":"\/api\/v2.0\/companies({ID})\/customers", "n": 1.50 }}"#);
        let other = own.replace(ID, OTHER);
        let list = format!(r#"{{"@odata.context":"c\u0020","value":[{other}, {own},{other}] ,"@odata.nextLink":"n"}}"#);
        let expected = format!(r#"{{"@odata.context":"c\u0020","value":[{own}],"@odata.nextLink":"n"}}"#);
        let filtered = |list: &str| filter(SubscriptionKind::Webhook, |filter| filter.filter_list(list.as_bytes()));
        assert_eq!(filtered(&list), Some(expected));
        assert_eq!(filtered(r#"{"value":[]}"#).as_deref(), Some(r#"{"value":[]}"#));
        for none in ["", "[]", "{}", &own, r#"{"value":{}}"#, r#"{"value":[],"Value":[]}"#] {
            assert_eq!(filtered(none), None, "{none}");
        }
    }
}
