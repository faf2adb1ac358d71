//! The routes with their counts since the start.

use maud::{Markup, html};

use super::parts::{PageOf, counted, duration, filter, number, text_field};
use super::query::{Field, PageQuery};
use crate::admin::report::{CacheReport, Report, RequestsReport, RouteReport};

pub fn section(report: &Report, query: &PageQuery) -> Markup {
    let all = report.routes.len();
    let fits = |route: &&RouteReport| query.matches(Field::Route, &[&route.path, &route.target, &route.connector]);
    let shown = PageOf::of(report.routes.iter().filter(fits).collect(), query, Field::RoutesPage, PAGE);
    let has_cache = report.routes.iter().any(|route| route.cache.is_some());
    let has_unrouted = report.unrouted.requests > 0 && query.text(Field::Route).is_empty();
    html! {
        section #routes aria-labelledby="routes-title" {
            h2 #routes-title { "Routes" }
            @if all > FEW {
                (filter("routes", &[Field::Route, Field::RoutesPage], query, &text_field("Path, target or connector", Field::Route, query)))
            }
            @if shown.total < all { p.aside data-key="count" { (shown.total) " of " (counted(all as u64, "route")) } }
            table data-key="table" {
                thead {
                    tr {
                        th scope="col" { "Path" } th scope="col" { "Target" }
                        @for name in FIGURES { th.number scope="col" { (name) } }
                        @if has_cache { th.number scope="col" { "Cache hits" } }
                    }
                }
                tbody {
                    @for route in &shown.items {
                        tr data-key={ "route " (route.path) } {
                            th scope="row" { code { (route.path) } }
                            td data-label="Target" { (route.target) }
                            (figures(&route.requests))
                            @if has_cache { td.number data-label="Cache hits" { (cache(route.cache.as_ref())) } }
                        }
                    }
                    @if has_unrouted {
                        tr data-key="unrouted" {
                            th scope="row" { "–" }
                            td data-label="Target" { "no matching route" }
                            (figures(&report.unrouted))
                            @if has_cache { td.number data-label="Cache hits" { (cache(None)) } }
                        }
                    }
                }
            }
            (shown.links(query, Field::RoutesPage, "routes"))
            p.aside data-key="since" { "All figures count from the start of bcproxy. Times are means." }
        }
    }
}

fn figures(requests: &RequestsReport) -> Markup {
    let mean = |time: Option<f64>| time.map_or_else(|| "–".to_owned(), duration);
    let values = [
        number(requests.requests),
        number(requests.in_class(400)),
        number(requests.in_class(500)),
        number(requests.retries),
        mean(requests.mean_duration),
        mean(requests.mean_queue),
        mean(requests.mean_upstream),
    ];
    html! { @for (name, value) in FIGURES.into_iter().zip(values) { td.number data-label=(name) { (value) } } }
}

/// Its hit rate, with the counts behind it.
fn cache(cache: Option<&CacheReport>) -> Markup {
    let Some(cache) = cache else { return html! { "–" } };
    let answered = cache.hit + cache.coalesced;
    html! {
        @if let Some(rate) = cache.hit_rate { (format!("{:.0} %", rate * 100.0)) } @else { "–" }
        " " small { (answered) " of " (answered + cache.miss) " reads" }
    }
}

const FIGURES: [&str; 7] = ["Requests", "4xx", "5xx", "Retries", "Duration", "Queue", "Business Central"];

/// So many need no filter.
const FEW: usize = 10;

const PAGE: usize = 50;
