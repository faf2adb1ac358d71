//! Subscriptions to notifications of Business Central, which an environment keeps in one set for all its companies.

use super::query::Query;
use super::resource::{Family, Location, Resource};
use super::subscription_kind::SubscriptionKind;
use super::{AddressError, EnvironmentAddress, split_query};
use crate::business_central::odata_segment::ODataSegment;
use crate::business_central::path::SafePath;

/// How many of the subscriptions an address asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionScope {
    /// The whole set.
    All,
    /// One subscription, or something below it.
    One(Resource),
    /// A value derived from the whole set, such as its count.
    Derived,
}

impl Resource {
    /// The kind of subscription at this address, if any, and how many of them it asks for.
    pub fn subscription_scope(&self) -> Option<(SubscriptionKind, SubscriptionScope)> {
        let kind = self.subscription?;
        let (Location::Root { family: Family::Api(_), rest }
        | Location::InCompany { family: Family::Api(_), rest, .. }) = &self.location
        else {
            return None;
        };
        let first = rest.trim_start_matches('/');
        let (first, below) = first.split_once('/').map_or((first, None), |(first, below)| (first, Some(below)));
        // It was read before: the address has a location.
        let set = ODataSegment::read(first).ok()?;
        let scope = match (set.key().unwrap_or_default(), below) {
            ("", None) => SubscriptionScope::All,
            ("", Some(_)) => SubscriptionScope::Derived,
            _ => SubscriptionScope::One(self.with_path(format!("/{first}"))),
        };
        Some((kind, scope))
    }

    /// The resource at another path of the same service and company, without a query.
    fn with_path(&self, path: String) -> Self {
        let mut location = self.location.clone();
        if let Location::Root { rest, .. } | Location::InCompany { rest, .. } = &mut location {
            *rest = path;
        }
        Self { location, query: Query::default(), ..self.clone() }
    }

    /// A query option that prevents confining a list of subscriptions to some companies.
    ///
    /// It hides the members that name the company, or it counts other companies' subscriptions.
    pub fn unsupported_option(&self, kind: SubscriptionKind) -> Option<String> {
        self.query.parameters().find_map(|(key, value)| {
            let name = key.strip_prefix('$');
            match name.unwrap_or(&key) {
                "filter" | "orderby" | "skiptoken" | "deltatoken" | "format" | "schemaversion" => None,
                "select" => {
                    let names_company = |field: &str| {
                        let field = field.trim();
                        field == "*" || kind.target_members().contains(&field)
                    };
                    (!value.split(',').any(names_company)).then_some(key)
                }
                "top" | "skip" | "count" | "apply" | "compute" | "search" | "expand" | "index" => Some(key),
                _ => name.is_some().then_some(key),
            }
        })
    }

    /// Parses a webhook's `resource`, such as `/api/v2.0/companies({id})/customers`; `None` for an address of another
    /// server.
    pub fn from_webhook(address: &str, environment: &EnvironmentAddress) -> Result<Option<Self>, AddressError> {
        let address = address.replace('#', "%23");
        let (path, query) = split_query(&address);
        match environment.recognize(path, query) {
            Some(watched) => Ok(Some(watched)),
            None if path.contains("://") => Ok(None),
            None => {
                let path = format!("/{}", path.trim_start_matches('/'));
                Ok(Some(Self::below_environment(SafePath::check(&path)?, query)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::LocalAddress;
    use super::*;

    fn environment() -> EnvironmentAddress {
        let url = "https://bc.example".parse().unwrap();
        EnvironmentAddress::new(&url, &"contoso.com".parse().unwrap(), &"Production".parse().unwrap())
    }

    fn asked(path: &str, query: Option<&str>) -> Resource {
        let asked = LocalAddress { remainder: SafePath::check(path).unwrap(), query, company_headers: &[] };
        Resource::from_local(&"api/v2.0".parse().unwrap(), asked, &environment()).unwrap()
    }

    #[test]
    fn one_subscription_is_distinguished_from_all() {
        let one = |path| match asked(path, Some("$select=id")).subscription_scope() {
            Some((_, SubscriptionScope::One(one))) => one.path_and_query("", None).unwrap(),
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(one("/subscriptions('a')"), "/api/v2.0/subscriptions('a')");
        assert_eq!(one("/Subscriptions(subscriptionId='a')/x"), "/api/v2.0/Subscriptions(subscriptionId='a')");
        assert_eq!(one("/subscriptions%28%27a%27%29"), "/api/v2.0/subscriptions%28%27a%27%29");
        assert_eq!(
            one("/companies(name='A')/externaleventsubscriptions(1)/x/y"),
            "/api/v2.0/companies(name='A')/externaleventsubscriptions(1)"
        );
        for (path, portion) in [
            ("/subscriptions", Some(SubscriptionScope::All)),
            ("/subscriptions()", Some(SubscriptionScope::All)),
            ("/companies(name='A')/SUBSCRIPTIONS", Some(SubscriptionScope::All)),
            ("/subscriptions/$count", Some(SubscriptionScope::Derived)),
            ("/subscriptions/x", Some(SubscriptionScope::Derived)),
            ("/customers(1)/subscriptions", None),
            ("/entityDefinitions", None),
        ] {
            assert_eq!(asked(path, None).subscription_scope().map(|(_, portion)| portion), portion, "{path}");
        }
    }

    #[test]
    fn options_that_hide_or_count_others_are_found() {
        for (query, option) in [
            ("$filter=notificationUrl eq 'x'&$orderby=resource", None),
            ("$skiptoken=1&aid=FIN&tenant=x&_=1", None),
            ("$select=subscriptionId, resource", None),
            ("$select=*", None),
            ("$select=subscriptionId", Some("$select")),
            ("select=subscriptionId", Some("select")),
            ("%24Top=1", Some("$top")),
            ("skip=1", Some("skip")),
            ("$count=true", Some("$count")),
            ("$apply=aggregate(x)", Some("$apply")),
            ("$whatever=1", Some("$whatever")),
        ] {
            let found = asked("/subscriptions", Some(query)).unsupported_option(SubscriptionKind::Webhook);
            assert_eq!(found.as_deref(), option, "{query}");
        }
        let by_name = asked("/externaleventsubscriptions", Some("$select=id,companyName"));
        assert_eq!(by_name.unsupported_option(SubscriptionKind::Event), None);
        assert_eq!(by_name.unsupported_option(SubscriptionKind::Webhook).as_deref(), Some("$select"));
    }
}
