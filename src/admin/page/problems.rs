//! The latest problems: equal ones together, filtered, each with what to do.

use maud::{Markup, html};

use super::parts::{Mood, PageOf, choice, counted, filter, key, moment, number, prose, text_field};
use super::query::{Field, PageQuery};
use crate::admin::report::ProblemReport;

pub fn section(problems: &[ProblemReport], query: &PageQuery) -> Markup {
    let all = problems.len();
    let shown =
        PageOf::of(problems.iter().filter(|problem| fits(problem, query)).collect(), query, Field::ProblemsPage, PAGE);
    let fields = html! {
        (text_field("Path, reason or ID", Field::Problem, query))
        (choice("Status", Field::Status, &statuses(problems), query))
        (text_field("Client", Field::Client, query))
    };
    html! {
        section #problems aria-labelledby="problems-title" {
            h2 #problems-title { "Problems" }
            @if all == 0 {
                p data-key="none" { "No problems since the start." }
            } @else {
                (filter("problems", &[Field::Problem, Field::Status, Field::Client, Field::ProblemsPage], query, &fields))
                @if shown.total < all { p.aside data-key="count" { (shown.total) " of " (counted(all as u64, "problem")) } }
                @if shown.items.is_empty() { p data-key="nothing" { "No problem fits the filter." } }
                ol.problems data-key="problems" { @for problem in &shown.items { (item(problem)) } }
                (shown.links(query, Field::ProblemsPage, "problems"))
            }
        }
    }
}

fn fits(problem: &ProblemReport, query: &PageQuery) -> bool {
    let ids = problem.ids_for_microsoft().map(|(_, id)| id);
    let parts: Vec<&str> = [problem.method.as_str(), &problem.path, &problem.reason, &problem.id]
        .into_iter()
        .chain(problem.code)
        .chain(ids)
        .collect();
    let status = query.text(Field::Status);
    let has_status = status.is_empty() || status == problem.status.to_string() || status == class(problem.status);
    has_status
        && query.matches(Field::Problem, &parts)
        && query.matches(Field::Client, &[&problem.client, problem.identity.as_deref().unwrap_or_default()])
}

/// `4xx` for 404.
fn class(status: u16) -> String {
    format!("{}xx", status / 100)
}

/// The filter's choices: the classes and the statuses that occur.
fn statuses(problems: &[ProblemReport]) -> Vec<(String, String)> {
    let mut statuses: Vec<u16> = problems.iter().map(|problem| problem.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    let mut classes: Vec<String> = statuses.iter().copied().map(class).collect();
    classes.dedup();
    let words = classes.into_iter().chain(statuses.iter().map(u16::to_string));
    std::iter::once((String::new(), "all".to_owned())).chain(words.map(|word| (word.clone(), word))).collect()
}

fn item(problem: &ProblemReport) -> Markup {
    let (first, rest) = first_sentence(&problem.reason);
    let mood = if problem.status >= 500 { Mood::Bad } else { Mood::Poor };
    // What makes problems equal.
    let ProblemReport { client, route, method, path, status, reason, .. } = problem;
    html! {
        li data-key=(key((client, route, method, path, status, reason))) {
            details {
                summary {
                    span.status.(mood.class()) { (problem.status) }
                    code.request { (problem.method) " " (problem.path) }
                    span.when {
                        @if problem.count > 1 { (number(problem.count)) "× since " (moment(&problem.first_at)) ", latest " }
                        (moment(&problem.at))
                    }
                    span.reason { (prose(first)) }
                    span.client { code { (problem.client) } @if let Some(identity) = &problem.identity { " " (identity) } }
                }
                @if !rest.is_empty() { p { (prose(rest)) } }
                @if let Some(explanation) = &problem.explanation { p.advice { (prose(explanation)) } }
                dl {
                    @if let Some(code) = problem.code { dt { "Code" } dd { code { (code) } } }
                    @if let Some(route) = &problem.route { dt { "Route" } dd { code { (route) } } }
                    dt { "Request ID" } dd { code { (problem.id) } }
                    @if let Some(client_id) = &problem.client_id { dt { "Application" } dd { code { (client_id) } } }
                    @for (name, id) in problem.ids_for_microsoft() { dt { (name) } dd { code { (id) } } }
                }
            }
        }
    }
}

/// The first sentence of a text, and the rest.
fn first_sentence(text: &str) -> (&str, &str) {
    let end = text.match_indices(". ").map(|(at, _)| at + 1).find(|at| *at >= SHORT);
    let (first, rest) = text.split_at(end.unwrap_or(text.len()));
    (first, rest.trim_start())
}

/// A sentence shorter than this says too little alone.
const SHORT: usize = 20;

/// So many can be scanned; the others are a page away.
const PAGE: usize = 20;
