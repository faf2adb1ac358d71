//! The latest problems: those that differ only in their paths together, filtered, each with what to do.

use std::collections::{HashMap, HashSet};

use maud::{Markup, html};

use super::parts::{Mood, PageOf, choice, counted, filter, key, moment, number, prose, text_field};
use super::query::{Field, PageQuery};
use crate::admin::report::ProblemReport;

/// Problems that differ only in what was requested, when, and in their identifiers.
struct Group<'r> {
    latest: &'r ProblemReport,
    /// The latest first.
    earlier: Vec<&'r ProblemReport>,
}

/// What the problems of a group have in common.
type Cause<'r> = (&'r str, u16, Option<&'static str>, Option<&'r str>, &'r str, Option<&'r str>);

pub fn section(problems: &[ProblemReport], query: &PageQuery) -> Markup {
    let all = problems.len();
    let fitting: Vec<&ProblemReport> = problems.iter().filter(|problem| fits(problem, query)).collect();
    let shown = PageOf::of(Group::all(&fitting), query, Field::ProblemsPage, PAGE);
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
                @if fitting.len() < all { p.aside data-key="count" { (fitting.len()) " of " (counted(all as u64, "problem")) } }
                @if shown.items.is_empty() { p data-key="nothing" { "No problem fits the filter." } }
                ol.problems data-key="problems" { @for group in &shown.items { (group.item()) } }
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

impl<'r> Group<'r> {
    /// The groups of these problems, in their order.
    fn all(problems: &[&'r ProblemReport]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        let mut known: HashMap<Cause<'r>, usize> = HashMap::new();
        for &problem in problems {
            let at = *known.entry(cause(problem)).or_insert(groups.len());
            match groups.get_mut(at) {
                Some(group) => group.earlier.push(problem),
                None => groups.push(Self { latest: problem, earlier: Vec::new() }),
            }
        }
        groups
    }

    fn problems(&self) -> impl Iterator<Item = &'r ProblemReport> {
        std::iter::once(self.latest).chain(self.earlier.iter().copied())
    }

    fn item(&self) -> Markup {
        let problem = self.latest;
        let (first, rest) = first_sentence(&problem.reason);
        let mood = if problem.status >= 500 { Mood::Bad } else { Mood::Poor };
        html! {
            li data-key=(key(cause(problem))) {
                details {
                    summary {
                        span.status.(mood.class()) { (problem.status) }
                        (self.requests())
                        span.when { (self.time()) }
                        span.reason { (prose(first)) }
                        span.client { code { (problem.client) } @if let Some(identity) = &problem.identity { " " (identity) } }
                    }
                    @if !rest.is_empty() { p { (prose(rest)) } }
                    @if let Some(explanation) = &problem.explanation { p.advice { (prose(explanation)) } }
                    dl {
                        @if let Some(code) = problem.code { dt { "Code" } dd { code { (code) } } }
                        @if let Some(route) = &problem.route { dt { "Route" } dd { code { (route) } } }
                        @if self.earlier.is_empty() { (ids(problem)) }
                    }
                    @if !self.earlier.is_empty() {
                        ol.single data-key="single" { @for problem in self.problems() { (single(problem)) } }
                    }
                }
            }
        }
    }

    /// The request, or how many they are.
    fn requests(&self) -> Markup {
        if self.earlier.is_empty() {
            return request(self.latest);
        }
        let requests = self.problems().map(|problem| problem.count).sum();
        let paths: HashSet<&str> = self.problems().map(|problem| problem.path.as_str()).collect();
        html! {
            span.request {
                (counted(requests, "request")) ", " (counted(paths.len() as u64, "path"))
                @if let Some(route) = &self.latest.route { " of " code { (route) } }
            }
        }
    }

    fn time(&self) -> Markup {
        let first = self.problems().map(|problem| problem.first_at.as_str()).min().unwrap_or_default();
        if self.earlier.is_empty() {
            time(self.latest)
        } else {
            html! { "since " (moment(first)) ", latest " (moment(&self.latest.at)) }
        }
    }
}

fn cause(problem: &ProblemReport) -> Cause<'_> {
    let ProblemReport { reason, status, code, route, client, identity, .. } = problem;
    (reason, *status, *code, route.as_deref(), client, identity.as_deref())
}

/// A problem of a group.
fn single(problem: &ProblemReport) -> Markup {
    html! {
        li data-key=(key((&problem.method, &problem.path))) {
            p { (request(problem)) " " span.aside { (time(problem)) } }
            dl { (ids(problem)) }
        }
    }
}

fn request(problem: &ProblemReport) -> Markup {
    html! { code.request { (problem.method) " " (problem.path) } }
}

fn time(problem: &ProblemReport) -> Markup {
    html! {
        @if problem.count > 1 { (number(problem.count)) "× since " (moment(&problem.first_at)) ", latest " }
        (moment(&problem.at))
    }
}

fn ids(problem: &ProblemReport) -> Markup {
    html! {
        dt { "Request ID" } dd { code { (problem.id) } }
        @if let Some(client_id) = &problem.client_id { dt { "Application" } dd { code { (client_id) } } }
        @for (name, id) in problem.ids_for_microsoft() { dt { (name) } dd { code { (id) } } }
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
