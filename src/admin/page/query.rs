//! Filters and page numbers, as the address carries them.

use std::collections::BTreeMap;

use form_urlencoded::Serializer;
use maud::{Markup, html};

/// A parameter of the page's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Text that a connector has to contain.
    Connector,
    /// The state that a connector has to have.
    State,
    /// The page of the connectors.
    ConnectorsPage,
    /// Text that a route has to contain.
    Route,
    /// The page of the routes.
    RoutesPage,
    /// Text that a problem has to contain.
    Problem,
    /// The status, or the class of it, that a problem has to have.
    Status,
    /// Text that the client of a problem has to contain.
    Client,
    /// The page of the problems.
    ProblemsPage,
}

impl Field {
    const ALL: [Self; 9] = [
        Self::Connector,
        Self::State,
        Self::ConnectorsPage,
        Self::Route,
        Self::RoutesPage,
        Self::Problem,
        Self::Status,
        Self::Client,
        Self::ProblemsPage,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::State => "state",
            Self::ConnectorsPage => "connectors",
            Self::Route => "route",
            Self::RoutesPage => "routes",
            Self::Problem => "problem",
            Self::Status => "status",
            Self::Client => "client",
            Self::ProblemsPage => "problems",
        }
    }
}

/// Which part of its long lists the page shows.
#[derive(Debug, Clone, Default)]
pub struct PageQuery(BTreeMap<Field, String>);

impl PageQuery {
    /// Reads the query of an address. Unknown parameters and empty ones do not matter.
    pub fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let known = pairs.filter_map(|(name, value)| {
            let field = Field::ALL.into_iter().find(|field| field.name() == name)?;
            Some((field, value.trim().to_owned())).filter(|(_, value)| !value.is_empty())
        });
        Self(known.collect())
    }

    /// Its value; empty if the address has none.
    pub fn text(&self, field: Field) -> &str {
        self.0.get(&field).map_or("", String::as_str)
    }

    /// Its value as the number of a page, from 1.
    pub fn page(&self, field: Field) -> usize {
        self.text(field).parse().unwrap_or(1).max(1)
    }

    /// Whether all words of the field's text occur in these parts, in any case.
    pub fn matches(&self, field: Field, parts: &[&str]) -> bool {
        let text = self.text(field).to_lowercase();
        text.is_empty() || {
            let parts: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
            text.split_whitespace().all(|word| parts.iter().any(|part| part.contains(word)))
        }
    }

    /// The address with another value of one field.
    pub fn link(&self, field: Field, value: &str, section: &str) -> String {
        let others = self.0.iter().filter(|(other, _)| **other != field).map(|(other, value)| (*other, value.as_str()));
        address(others.chain([(field, value)]), section)
    }

    /// The address without these fields.
    pub fn without(&self, fields: &[Field], section: &str) -> String {
        address(
            self.0.iter().filter(|(field, _)| !fields.contains(field)).map(|(field, value)| (*field, value.as_str())),
            section,
        )
    }

    /// All fields except these, for a form that changes these.
    pub fn hidden(&self, except: &[Field]) -> Markup {
        html! {
            @for (field, value) in self.0.iter().filter(|(field, _)| !except.contains(field)) {
                input type="hidden" name=(field.name()) value=(value) data-key=(field.name());
            }
        }
    }
}

fn address<'q>(fields: impl Iterator<Item = (Field, &'q str)>, section: &str) -> String {
    let mut query = Serializer::new(String::new());
    for (field, value) in fields {
        query.append_pair(field.name(), value);
    }
    let query = query.finish();
    if query.is_empty() { format!("/#{section}") } else { format!("/?{query}#{section}") }
}
