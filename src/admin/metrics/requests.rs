//! Counts and durations of requests.

use std::borrow::Cow;
use std::fmt;

use hyper::StatusCode;

use super::family::Writer;
use super::series::Series;
use crate::admin::report::{Report, RequestsReport};
use crate::proxy::{Counts, Times};

/// Counts per route; requests without a route have an empty `route`.
pub fn write(report: &Report, series: Series, writer: &mut Writer) -> fmt::Result {
    let all = series.all_of_routes;
    let unrouted = || std::iter::once(("", &report.unrouted));
    let routes = || {
        let used = report.routes.iter().filter(move |route| all || route.requests.requests > 0);
        used.map(|route| (route.path.as_str(), &route.requests)).chain(unrouted())
    };
    let responses = routes().flat_map(|(route, requests)| {
        requests.counts.responses.iter().map(move |((status, outcome), count)| {
            let status = status.as_ref().map_or("", StatusCode::as_str);
            (vec![("route", route), ("status", status), ("outcome", outcome.as_str())], *count)
        })
    });
    writer.family("requests", "Finished requests, by response status and outcome", responses)?;
    let clients = report.known_clients.iter().flat_map(|client| {
        let good = client.requests - client.errors;
        [("success", good), ("error", client.errors)]
            .map(|(result, count)| (vec![("client", client.name.as_str()), ("result", result)], count))
    });
    writer.family("client_requests", "Finished requests of known clients, by result", clients)?;
    let mut counted = |name: &str, help: &str, count: fn(&RequestsReport) -> u64| {
        let counts = routes().map(|(route, requests)| (vec![("route", route)], count(requests)));
        writer.family(name, help, counts.filter(|(_, count)| all || *count > 0))
    };
    counted("response_bytes", "Bytes of response bodies", |requests| requests.response_bytes)?;
    counted("retries", "Retries of requests to Business Central", |requests| requests.retries)?;
    let cached = report.routes.iter().filter_map(|route| Some((route.path.as_str(), route.cache.as_ref()?)));
    let cached = cached.flat_map(|(route, cache)| {
        cache.by_result().map(|(result, count)| (vec![("route", route), ("result", result)], count))
    });
    let cached = cached.filter(|(_, count)| all || *count > 0);
    writer.family("cache_requests", "Requests that reached a route's cache, by result", cached)?;
    let mut timed = |name: &str, help: &str, times: fn(&Counts) -> &Times| {
        let each = routes().map(|(route, requests)| (route, Cow::Borrowed(times(&requests.counts))));
        let each = each.filter(|(route, _)| all || route.is_empty());
        let together = (!all).then(|| {
            let each = report.routes.iter().map(|route| times(&route.requests.counts));
            (ALL_ROUTES, Cow::Owned(each.sum::<Times>()))
        });
        let times = each.chain(together).map(|(route, times)| (vec![("route", route)], times));
        writer.family(name, help, times.filter(|(_, times)| times.count() > 0))
    };
    timed("request_duration_seconds", "Time from the request head to the end of the response", |counts| &counts.total)?;
    timed(
        "upstream_duration_seconds",
        "Time from sending a request to Business Central to the head of its response",
        |counts| &counts.upstream,
    )?;
    timed("queue_duration_seconds", "Time that requests were queued by the limiter", |counts| &counts.queue)
}

/// The label of the durations of all routes together. The path of a route begins with a slash.
const ALL_ROUTES: &str = "*";
