//! The three situations in which a till is slow, and what the page says first.

use std::time::Duration;

use super::made_up::{calm, client, first_limiter, hour, report};
use crate::admin::history::HistoryPoint;
use crate::admin::page::findings::{Cause, findings, load};
use crate::admin::page::headline::Headline;
use crate::admin::report::Report;

fn causes(report: &Report) -> Vec<Cause> {
    findings(report).into_iter().map(|finding| finding.cause).collect()
}

#[test]
fn nothing_is_found_where_all_is_well() {
    let mut report = report(2);
    assert_eq!((causes(&report), load(&report.history)), (vec![], None));
    report.history = hour(calm());
    // Alone or with most requests: that slows nobody down.
    report.clients = vec![client("192.0.2.7", "scanner/2.1", 910), client("192.0.2.8", "till/4", 90)];
    assert_eq!(causes(&report), []);
    assert_eq!(
        load(&report.history).unwrap(),
        "4.0 requests/s in the last minute. 95 % take at most 240 ms, Business Central 230 ms; none is queued."
    );
}

#[test]
fn a_rate_limit_that_is_used_up_is_named_with_the_time_that_requests_wait() {
    let mut report = report(2);
    let slow = HistoryPoint { queue_p95: Some(Duration::from_secs(12)), queued: 40, ..calm() };
    report.history = hour(slow);
    let limiter = first_limiter(&mut report);
    (limiter.queued, limiter.window_requests) = (40, 6000);
    let found = findings(&report);
    assert_eq!(
        found[0].text,
        "API and OData requests of connector customer-00000 wait 12 s in the queue: the rate limit of application \
         `3f2504e0-4f89-41d3-9a0c-000000000000` is used up (6,000 per 5 min)."
    );
    assert!(found[0].advice.starts_with("40 requests are queued."), "{found:?}");
    assert_eq!(causes(&report), [Cause::Limit]);
}

#[test]
fn a_limiter_that_connectors_share_is_named_once() {
    let mut report = report(2);
    for index in 0..2 {
        let application = &mut report.connectors[index].applications[0];
        application.client_id = "one".to_owned();
        let limiter = application.limiter.as_mut().unwrap();
        (limiter.queued, limiter.in_flight) = (3, 5);
    }
    let found = findings(&report);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].text,
        "API and OData requests of connector customer-00000 wait in the queue: all 5 permits of application `one` are \
         in use."
    );
}

#[test]
fn a_pause_is_named_as_what_business_central_requested() {
    let mut report = report(1);
    let limiter = first_limiter(&mut report);
    (limiter.queued, limiter.pause_remaining) = (1, Some(34.0));
    let found = findings(&report);
    assert!(found[0].text.contains("Business Central requested a pause") && found[0].text.contains("34 s more"));
    assert!(found[0].advice.starts_with("1 request is queued."), "{found:?}");
}

#[test]
fn a_slow_business_central_is_named_before_the_queue_that_follows_from_it() {
    let mut report = report(1);
    report.history = hour(calm());
    let slow =
        HistoryPoint { upstream_p95: Some(Duration::from_secs(8)), queue_p95: Some(Duration::from_secs(3)), ..calm() };
    for point in report.history.iter_mut().rev().take(3) {
        *point = HistoryPoint { at: point.at, ..slow };
    }
    let limiter = first_limiter(&mut report);
    (limiter.queued, limiter.in_flight) = (7, 5);
    let found = findings(&report);
    assert_eq!(causes(&report), [Cause::BusinessCentral, Cause::Limit]);
    assert_eq!(
        found[0].text,
        "Business Central takes 8.0 s to respond (95th percentile, mostly 230 ms in the last hour)."
    );
    assert!(found[1].advice.ends_with("as long as Business Central takes to respond."), "{found:?}");
    // A minute later it is over.
    report.history = hour(calm());
    *first_limiter(&mut report) = report.connectors[0].applications[0].soap_limiter.take().unwrap();
    assert_eq!(causes(&report), []);
}

#[test]
fn a_client_that_sends_most_is_named_while_others_wait() {
    let mut report = report(1);
    report.history = hour(HistoryPoint { queue_p95: Some(Duration::from_secs(2)), ..calm() });
    report.clients = vec![client("192.0.2.7", "scanner/2.1", 910), client("192.0.2.8", "till/4", 90)];
    assert_eq!(findings(&report)[0].text, "192.0.2.7 (scanner/2.1) sent 91 % of the requests of the last 5 minutes.");
    report.clients.pop();
    assert_eq!(causes(&report), [], "it is the only one");
    report.clients.push(client("192.0.2.8", "till/4", 1000));
    assert_eq!(causes(&report), [Cause::Client], "the other one now");
    report.clients = vec![client("192.0.2.7", "scanner/2.1", 3), client("192.0.2.8", "till/4", 1)];
    assert_eq!(causes(&report), [], "too few to say");
}

#[test]
fn a_client_that_uses_up_a_limit_is_named_before_the_limit() {
    let mut report = report(1);
    report.clients = vec![client("192.0.2.7", "scanner/2.1", 910), client("192.0.2.8", "till/4", 90)];
    let limiter = first_limiter(&mut report);
    (limiter.queued, limiter.in_flight) = (7, 5);
    assert_eq!(causes(&report), [Cause::Client, Cause::Limit]);
}

#[test]
fn the_headline_does_not_say_that_all_is_well_while_requests_are_slow_or_fail() {
    let mut report = report(1);
    let headline = |report: &Report| Headline::of(report).text;
    // A queue of a moment is how limits work.
    let limiter = first_limiter(&mut report);
    (limiter.queued, limiter.in_flight) = (7, 5);
    report.history = hour(calm());
    assert_eq!(headline(&report), "customer-00000 is ready");
    for (point, text) in [
        (HistoryPoint { queue_p95: Some(Duration::from_secs(2)), ..calm() }, "requests are slow"),
        (
            HistoryPoint { upstream_p95: Some(Duration::from_secs(3)), errors_per_second: 1.0, ..calm() },
            "requests are slow",
        ),
        (HistoryPoint { errors_per_second: 1.0, ..calm() }, "many requests fail"),
    ] {
        report.history = hour(point);
        assert_eq!(headline(&report), format!("customer-00000 is ready, but {text}"));
    }
}

#[test]
fn many_failed_requests_are_named() {
    let mut report = report(1);
    report.history = hour(HistoryPoint { errors_per_second: 1.0, ..calm() });
    assert_eq!(findings(&report)[0].text, "25 % of the requests of the last minute failed.");
    report.history = hour(HistoryPoint { requests_per_second: 0.1, errors_per_second: 0.1, ..calm() });
    assert_eq!(causes(&report), [], "too few to say");
}
