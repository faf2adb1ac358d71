//! Subscriptions: what Business Central reports of its own accord, kept for all companies of an environment in one set.

use super::super::Company;
use super::super::path::SafePath;
use super::query::Query;
use super::{AddressError, EnvironmentAddress, Family, Place, Resource, split_query};

/// What Business Central reports to a subscriber, and so which members of the subscription say what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscription {
    /// `subscriptions`: changes of what the address in `resource` leads to.
    Webhook,
    /// `externaleventsubscriptions`: an event in the company of `companyName`.
    Event,
}

/// How much of the subscriptions an address asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Portion {
    All,
    /// This one, or what stands below it.
    One(Resource),
    /// Something made from all of them, such as their number.
    Beyond,
}

impl Subscription {
    /// The members that say what a subscription is about.
    pub fn telling_members(self) -> &'static [&'static str] {
        match self {
            Self::Webhook => &["resource"],
            Self::Event => &["companyName", "companyId"],
        }
    }

    fn set(self) -> &'static str {
        match self {
            Self::Webhook => "subscriptions",
            Self::Event => "externaleventsubscriptions",
        }
    }
}

impl Resource {
    /// What is subscribed to there.
    pub fn subscription(&self) -> Option<Subscription> {
        self.subscriptions().map(|(subscription, _)| subscription)
    }

    /// What is subscribed to there, and how much of it is asked for.
    pub fn subscriptions(&self) -> Option<(Subscription, Portion)> {
        let (Place::Root { family: Family::Api(_), rest } | Place::InCompany { family: Family::Api(_), rest, .. }) =
            &self.place
        else {
            return None;
        };
        let first = rest.trim_start_matches('/');
        let (first, below) = first.split_once('/').map_or((first, None), |(first, below)| (first, Some(below)));
        let decoded = percent_encoding::percent_decode_str(first).decode_utf8_lossy();
        let (set, key) = match decoded.split_once('(') {
            Some((set, key)) => (set, key.strip_suffix(')').unwrap_or(key).trim()),
            None => (&*decoded, ""),
        };
        let kinds = [Subscription::Webhook, Subscription::Event];
        let subscription = kinds.into_iter().find(|kind| kind.set().eq_ignore_ascii_case(set.trim()))?;
        let portion = match (key, below) {
            ("", None) => Portion::All,
            ("", Some(_)) => Portion::Beyond,
            _ => Portion::One(self.at(format!("/{first}"))),
        };
        Some((subscription, portion))
    }

    /// The resource at another path of the same service and company, without a query.
    fn at(&self, rest: String) -> Self {
        let mut place = self.place.clone();
        if let Place::Root { rest: own, .. } | Place::InCompany { rest: own, .. } = &mut place {
            *own = rest;
        }
        Self { place, query: Query::default(), ..self.clone() }
    }

    /// The option of the query under which a list of subscriptions can't be kept to some companies: it hides what a subscription is
    /// about, or it counts those of other companies too.
    pub fn obscures(&self, subscription: Subscription) -> Option<String> {
        self.query.parameters().find_map(|(key, value)| {
            let name = key.strip_prefix('$');
            match name.unwrap_or(&key) {
                "filter" | "orderby" | "skiptoken" | "deltatoken" | "format" | "schemaversion" => None,
                "select" => {
                    let tells = |field: &str| {
                        let field = field.trim();
                        field == "*" || subscription.telling_members().contains(&field)
                    };
                    (!value.split(',').any(tells)).then_some(key)
                }
                "top" | "skip" | "count" | "apply" | "compute" | "search" | "expand" | "index" => Some(key),
                _ => name.is_some().then_some(key),
            }
        })
    }

    /// What a webhook watches, as its `resource` names it: `/api/v2.0/companies({id})/customers`; `None` for an address of another server.
    pub fn watched(address: &str, environment: &EnvironmentAddress) -> Result<Option<Self>, AddressError> {
        let address = address.replace('#', "%23");
        let (path, query) = split_query(&address);
        match environment.recognise(path, query) {
            Some(watched) => Ok(Some(watched)),
            None if path.contains("://") => Ok(None),
            None => {
                let path = format!("/{}", path.trim_start_matches('/'));
                Ok(Some(Self::below_environment(SafePath::check(&path)?, query)))
            }
        }
    }

    /// Whether it is in this company, and its address itself says so.
    pub fn is_in(&self, company: &Company) -> bool {
        self.names_its_company() && self.judge(Some(company)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Asked, Resource};
    use super::*;

    fn environment() -> EnvironmentAddress {
        let url = "https://bc.example".parse().unwrap();
        EnvironmentAddress::new(&url, &"contoso.com".parse().unwrap(), &"Production".parse().unwrap())
    }

    fn asked(path: &str, query: Option<&str>) -> Resource {
        let asked = Asked { remainder: SafePath::check(path).unwrap(), query, company_headers: &[] };
        Resource::understand(&"api/v2.0".parse().unwrap(), asked, &environment()).unwrap()
    }

    #[test]
    fn one_subscription_is_told_from_all() {
        let one = |path| match asked(path, Some("$select=id")).subscriptions() {
            Some((_, Portion::One(one))) => one.path_and_query("", None).unwrap(),
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
            ("/subscriptions", Some(Portion::All)),
            ("/subscriptions()", Some(Portion::All)),
            ("/companies(name='A')/SUBSCRIPTIONS", Some(Portion::All)),
            ("/subscriptions/$count", Some(Portion::Beyond)),
            ("/subscriptions/x", Some(Portion::Beyond)),
            ("/customers(1)/subscriptions", None),
            ("/entityDefinitions", None),
        ] {
            assert_eq!(asked(path, None).subscriptions().map(|(_, portion)| portion), portion, "{path}");
        }
    }

    #[test]
    fn what_hides_or_counts_others_is_found() {
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
            let found = asked("/subscriptions", Some(query)).obscures(Subscription::Webhook);
            assert_eq!(found.as_deref(), option, "{query}");
        }
        let by_name = asked("/externaleventsubscriptions", Some("$select=id,companyName"));
        assert_eq!(by_name.obscures(Subscription::Event), None);
        assert_eq!(by_name.obscures(Subscription::Webhook).as_deref(), Some("$select"));
    }
}
