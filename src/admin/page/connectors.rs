//! The connectors: those that need attention first, filtered, a page of them at a time.

use maud::{Markup, html};

use super::connector;
use super::parts::{Mood, PageOf, choice, counted, filter, order, text_field};
use super::query::{Field, PageQuery};
use crate::admin::report::{ConnectorReport, Readiness};

/// What the state of a connector comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    NotReady,
    Waiting,
    NeedsAttention,
    Ready,
}

impl Condition {
    pub fn of(connector: &ConnectorReport) -> Self {
        match &connector.readiness {
            Readiness::NotReady { .. } => Self::NotReady,
            Readiness::Waiting => Self::Waiting,
            Readiness::Ready { .. } if !connector.warnings.is_empty() => Self::NeedsAttention,
            Readiness::Ready { .. } => Self::Ready,
        }
    }

    pub fn mood(self) -> Mood {
        match self {
            Self::NotReady => Mood::Bad,
            Self::Waiting | Self::NeedsAttention => Mood::Poor,
            Self::Ready => Mood::Good,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::NotReady => "not ready",
            Self::Waiting => "waiting for Entra or Business Central",
            Self::NeedsAttention => "ready, but needs attention",
            Self::Ready => "ready",
        }
    }

    /// Whether the filter shows it. An unknown word shows all.
    fn fits(self, word: &str) -> bool {
        match word {
            "ready" => self == Self::Ready,
            "attention" => self != Self::Ready,
            "broken" => self == Self::NotReady,
            _ => true,
        }
    }
}

pub fn section(connectors: &[ConnectorReport], query: &PageQuery) -> Markup {
    let all = connectors.len();
    let fits = |connector: &ConnectorReport, condition: Condition| {
        let ids = connector.applications.iter().map(|application| application.client_id.as_str());
        let company = match &connector.readiness {
            Readiness::Ready { company: Some(company) } => company.name.as_str(),
            _ => "",
        };
        let parts: Vec<&str> = [&connector.name, &connector.environment, &connector.tenant]
            .into_iter()
            .map(String::as_str)
            .chain([company])
            .chain(ids)
            .collect();
        condition.fits(query.text(Field::State)) && query.matches(Field::Connector, &parts)
    };
    let mut shown: Vec<(Condition, &ConnectorReport)> = connectors
        .iter()
        .map(|one| (Condition::of(one), one))
        .filter(|(condition, one)| fits(one, *condition))
        .collect();
    shown.sort_by_key(|(condition, _)| *condition);
    let shown = PageOf::of(shown, query, Field::ConnectorsPage, PAGE);
    let fields = html! {
        (text_field("Name, environment, company or ID", Field::Connector, query))
        (choice("State", Field::State, &STATES, query))
    };
    html! {
        section #connectors aria-labelledby="connectors-title" {
            h2 #connectors-title { "Connectors" }
            @if all > FEW { (filter("connectors", &[Field::Connector, Field::State, Field::ConnectorsPage], query, &fields)) }
            @if shown.total < all { p.aside data-key="count" { (shown.total) " of " (counted(all as u64, "connector")) } }
            @if shown.items.is_empty() { p data-key="none" { "No connector fits the filter." } }
            @for (index, (condition, connector)) in shown.items.iter().enumerate() {
                (connector::details(connector, *condition, all <= FEW || (index < FEW && condition.mood() == Mood::Bad)))
            }
            (shown.links(query, Field::ConnectorsPage, "connectors"))
            @if all > 1 {
                (order("/doctor", "Check all connectors", DOCTOR, &[("connector", "")]))
            }
        }
    }
}

/// The filter's choices.
const STATES: [(&str, &str); 4] =
    [("", "all"), ("attention", "needs attention or not ready"), ("broken", "not ready"), ("ready", "ready")];

/// So many are open from the start and need no filter.
const FEW: usize = 3;

/// The page stays small, whatever the number of connectors.
const PAGE: usize = 50;

pub const DOCTOR: &str = "bcproxy walks through the set-up steps against the live services. It requests a token and reads from \
     Business Central, but changes nothing.";
