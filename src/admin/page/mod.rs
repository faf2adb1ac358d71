//! The status page: complete without a script, and kept live with one.
//!
//! | file | job |
//! |---|---|
//! | `layout` | the document around every page, and the page that tells the outcome of an order |
//! | `query` | filters and page numbers, as the address carries them |
//! | `parts` | what sections share: times, numbers, bars, filters, links between pages |
//! | `findings` | why requests are slow or fail, in a sentence each |
//! | the others | one section each |
//!
//! `page.js` fetches the same address again and changes only the nodes that differ. It finds a node again by `id` or
//! `data-key`, so these are unique among siblings.

mod charts;
mod clients;
mod configuration;
mod connector;
mod connectors;
mod findings;
mod headline;
mod layout;
mod parts;
mod problems;
mod query;
mod routes;

#[cfg(test)]
mod tests;

use maud::html;

use super::report::Report;

pub use layout::{CONTENT_SECURITY_POLICY, asset, outcome, sign_in};
pub use query::PageQuery;

/// The status page. `query`: which part of the long lists it shows; `is_signed_in`: whether to offer to sign out.
pub fn page(report: &Report, query: &PageQuery, is_signed_in: bool) -> String {
    let headline = headline::Headline::of(report);
    let main = html! {
        (headline.section(report))
        (charts::section(&report.history))
        (connectors::section(&report.connectors, query))
        (routes::section(report, query))
        (clients::section(report))
        (problems::section(&report.problems, query))
        (configuration::section(report))
    };
    layout::document(headline.mood, &headline.text, report, is_signed_in, &main)
}
