//! Subscriptions as Business Central writes them: of which company each is, and a list of them kept to some.
//!
//! Business Central keeps those of all companies in one set, at most 200 in an environment (BC, "Working with webhooks", "Operational limits").
//! A webhook's `resource` is a text of its own, by which no filter is documented.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::address::{EnvironmentAddress, Resource, Subscription, is_named};
use super::{Company, Members};

/// Whose subscriptions are shown and may be changed.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    pub subscription: Subscription,
    pub companies: &'a [Arc<Company>],
    pub environment: &'a EnvironmentAddress,
}

impl Kept<'_> {
    /// Whether a subscription is about one of the companies; so is none that does not say.
    pub fn holds(&self, subscription: &[u8]) -> bool {
        serde_json::from_slice(subscription).is_ok_and(|members| self.is_of(&members))
    }

    fn is_of(&self, members: &Members<'_>) -> bool {
        let told = self.subscription.telling_members().iter().filter_map(|member| members.get(member));
        let mut told = told.filter_map(|value| serde_json::from_str::<Option<String>>(value.get()).ok()?);
        match self.subscription {
            Subscription::Webhook => {
                told.next().is_some_and(|watched| match Resource::watched(&watched, self.environment) {
                    Ok(Some(watched)) => self.companies.iter().any(|company| watched.is_in(company)),
                    _ => false,
                })
            }
            Subscription::Event => {
                let named: Vec<String> = told.filter(|named| !named.is_empty()).collect();
                let is_all = |company: &Arc<Company>| named.iter().all(|named| is_named(company, named));
                !named.is_empty() && self.companies.iter().any(is_all)
            }
        }
    }

    /// A list of subscriptions with those of the companies only, the rest as it was; `None` for what is no list.
    pub fn narrowed(&self, list: &[u8]) -> Option<String> {
        let members: Members<'_> = serde_json::from_slice(list).ok()?;
        let entries: Vec<&RawValue> = serde_json::from_str(members.get("value")?.get()).ok()?;
        let own: Vec<&str> =
            entries.into_iter().map(RawValue::get).filter(|entry| self.holds(entry.as_bytes())).collect();
        let written = members.iter().map(|(name, value)| {
            let value = if name.eq_ignore_ascii_case("value") {
                format!("[{}]", own.join(","))
            } else {
                value.get().to_owned()
            };
            format!("{}:{value}", serde_json::Value::from(name))
        });
        Some(format!("{{{}}}", written.collect::<Vec<_>>().join(",")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "824820a2-508c-ed11-aada-000d3a298ab3";
    const OTHER: &str = "824820a2-508c-ed11-aada-000d3a298ab4";

    fn kept<T>(subscription: Subscription, test: impl FnOnce(Kept<'_>) -> T) -> T {
        let url = "https://bc.example".parse().unwrap();
        let environment =
            EnvironmentAddress::new(&url, &"contoso.com".parse().unwrap(), &"Production".parse().unwrap());
        let company = Company { id: ID.parse().unwrap(), name: "O'Neil".parse().unwrap(), display_name: String::new() };
        test(Kept { subscription, companies: &[Arc::new(company)], environment: &environment })
    }

    #[test]
    fn a_webhook_is_of_the_company_its_resource_names() {
        for (resource, is_own) in [
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
            assert_eq!(kept(Subscription::Webhook, |kept| kept.holds(entry.as_bytes())), is_own, "{resource}");
        }
        for entry in ["{}", r#"{"resource":null}"#, r#"{"resource":1}"#, "[]", "x"] {
            assert!(!kept(Subscription::Webhook, |kept| kept.holds(entry.as_bytes())), "{entry}");
        }
    }

    #[test]
    fn an_event_is_of_the_company_it_names() {
        for (entry, is_own) in [
            (r#"{"companyName":"O'Neil"}"#.to_owned(), true),
            (format!(r#"{{"companyName":"O'Neil","companyId":"{ID}"}}"#), true),
            (format!(r#"{{"companyName":"O'Neil","companyId":"{OTHER}"}}"#), false),
            (r#"{"companyName":"Other"}"#.to_owned(), false),
            (r#"{"companyName":""}"#.to_owned(), false),
            ("{}".to_owned(), false),
        ] {
            assert_eq!(kept(Subscription::Event, |kept| kept.holds(entry.as_bytes())), is_own, "{entry}");
        }
    }

    #[test]
    fn a_list_keeps_its_own_byte_for_byte() {
        let own =
            format!(r#"{{ "subscriptionId":"a","resource":"\/api\/v2.0\/companies({ID})\/customers", "n": 1.50 }}"#);
        let other = own.replace(ID, OTHER);
        let list = format!(r#"{{"@odata.context":"c\u0020","value":[{other}, {own},{other}] ,"@odata.nextLink":"n"}}"#);
        let expected = format!(r#"{{"@odata.context":"c\u0020","value":[{own}],"@odata.nextLink":"n"}}"#);
        let narrowed = |list: &str| kept(Subscription::Webhook, |kept| kept.narrowed(list.as_bytes()));
        assert_eq!(narrowed(&list), Some(expected));
        assert_eq!(narrowed(r#"{"value":[]}"#).as_deref(), Some(r#"{"value":[]}"#));
        for none in ["", "[]", "{}", &own, r#"{"value":{}}"#, r#"{"value":[],"Value":[]}"#] {
            assert_eq!(narrowed(none), None, "{none}");
        }
    }
}
