//! Whole pages.

use super::made_up::{calm, client, first_limiter, hour, now, problem, report};
use crate::admin::page::{PageQuery, page};
use crate::admin::report::{
    AllReplicasReport, ExportReport, OtlpReport, Readiness, Report, SharedStoreReport, State, Warning, WarningKind,
};

fn shown(report: &Report, query: &str) -> String {
    page(report, &PageQuery::parse(Some(query)), false)
}

/// With as much of everything as a page has.
fn full(connectors: usize) -> Report {
    let mut report = report(connectors);
    report.history = hour(calm());
    for (index, point) in report.history.iter_mut().enumerate() {
        let wave = 1.0 + (index * index % 17) as f64 / 17.0;
        point.requests_per_second *= wave;
        for time in
            [&mut point.p50, &mut point.p95, &mut point.queue_p95, &mut point.upstream_p95].into_iter().flatten()
        {
            *time = time.mul_f64(wave);
        }
        (point.in_flight, point.queued) = (index % 5, index % 7);
    }
    report.clients = (0..200).map(|index| client(&format!("192.0.2.{index}"), "till/4", index)).collect();
    report.problems = (0..50).map(|index| problem("192.0.2.9", &format!("/api/items({index})"), 404)).collect();
    report
}

#[test]
fn ten_thousand_connectors_make_no_large_page() {
    let report = full(10_000);
    for query in ["", "connectors=200&routes=200", "connector=customer&state=ready"] {
        let page = shown(&report, query);
        assert!(page.len() < 300_000, "{} bytes", page.len());
    }
    assert!(shown(&report, "").contains("Page 1 of 200"));
}

#[test]
fn broken_connectors_come_first_and_unfolded() {
    let mut report = full(120);
    report.connectors[100].readiness = Readiness::NotReady { reason: "Step 8 is wrong.".to_owned() };
    report.connectors[90].warnings.push(Warning::new(WarningKind::CredentialExpiry, "It expires."));
    let page = shown(&report, "");
    let at = |name: &str| page.find(&format!("<h3>{name}</h3>")).unwrap_or(usize::MAX);
    assert!(at("customer-00100") < at("customer-00090") && at("customer-00090") < at("customer-00000"));
    assert!(page.contains("<details class=\"connector bad\" open data-key=\"connector customer-00100\">"));
    assert!(page.contains("<details class=\"connector good\" data-key=\"connector customer-00000\">"));
    assert!(
        page.contains("<strong>customer-00100</strong>: Step 8 is wrong.")
            && page.contains("<strong>customer-00090</strong>: It expires.")
    );
    let attention = shown(&report, "state=attention");
    assert!(attention.contains("2 of 120 connectors") && !attention.contains("<h3>customer-00000</h3>"));
}

#[test]
fn filters_and_pages_are_links_that_keep_each_other() {
    let report = full(120);
    let page = shown(&report, "connector=CUSTOMER-0&route=%2Fcustomer&status=4xx&connectors=2&unknown=x");
    assert!(page.contains("Page 2 of 3"));
    let next = "/?connector=CUSTOMER-0&amp;route=%2Fcustomer&amp;status=4xx&amp;connectors=3#connectors";
    assert!(page.contains(next));
    assert!(page.contains("<input type=\"hidden\" name=\"status\" value=\"4xx\""));
    assert!(shown(&report, "connectors=99").contains("Page 3 of 3"), "the last one there is");
    assert!(shown(&report, "connectors=nonsense").contains("Page 1 of 3"));
    assert!(shown(&report, "connector=nobody").contains("No connector fits the filter."));
    assert!(shown(&report, "route=nowhere").contains("0 of 120 routes"));
}

#[test]
fn problems_are_filtered_by_text_status_and_client() {
    let mut report = report(1);
    report.problems = vec![problem("192.0.2.9", "/api/items", 404), problem("192.0.2.10", "/soap/Page/Item", 502)];
    for (query, paths) in [
        ("", [true, true]),
        ("problem=ITEMS", [true, false]),
        ("problem=page+item", [false, true]),
        ("problem=req-1+spelling", [true, true]),
        ("status=4xx", [true, false]),
        ("status=502", [false, true]),
        ("client=192.0.2.10", [false, true]),
        ("client=192.0.2.10&status=404", [false, false]),
    ] {
        let page = shown(&report, query);
        let found = ["GET /api/items<", "GET /soap/Page/Item<"].map(|path| page.contains(path));
        assert_eq!(found, paths, "{query}");
    }
}

#[test]
fn problems_that_differ_only_in_their_paths_are_one_row() {
    let mut report = report(1);
    report.problems = (0..18).map(|index| problem("192.0.2.9", &format!("/api/items({index})"), 404)).collect();
    report.problems[17].first_at = "2026-11-30T05:59:00Z".to_owned();
    report.problems[3].method = "DELETE".to_owned();
    report.problems.extend([problem("192.0.2.10", "/api/items(0)", 404), problem("192.0.2.9", "/api/items(0)", 403)]);
    report.problems[19].id = "another".to_owned();
    let rows = |page: &str| page.matches("<summary><span class=\"status").count();
    let page = shown(&report, "");
    assert_eq!(rows(&page), 3);
    assert!(page.contains("450 requests, 18 paths of <code>/api</code>"));
    assert!(page.contains("since <time class=\"at\" datetime=\"2026-11-30T05:59:00Z\""));
    // Each with its path and identifiers; those that are alone as ever.
    assert!(page.contains("GET /api/items(17)<") && page.contains("DELETE /api/items(3)<"));
    assert_eq!(
        (page.matches("9bdec862-8462-447f-95e3-31f774ebcb89").count(), page.matches("another").count()),
        (19, 1)
    );
    assert_eq!(page.matches("GET /api/items(0)<").count(), 3);

    // A filter lets single problems through.
    let page = shown(&report, "problem=items(1&client=192.0.2.9");
    assert!(page.contains("9 of 20 problems") && page.contains("225 requests, 9 paths"), "{page}");
    assert_eq!(rows(&page), 1);
    let page = shown(&report, "problem=items(17)");
    assert!(rows(&page) == 1 && !page.contains("requests, "));
}

#[test]
fn lost_log_lines_and_telemetry_are_told_where_there_are_any() {
    let mut report = report(1);
    let page = shown(&report, "");
    assert!(!page.contains("Telemetry for") && !page.contains("could not be written"));
    report.log_lines_unwritten = 1;
    let export = |exported, dropped| ExportReport { exported, dropped };
    report.otlp = Some(OtlpReport {
        endpoint: "https://collector.example:4318/".to_owned(),
        failure: Some("The collector does not respond.".to_owned()),
        traces: export(1200, 0),
        metrics: export(6, 1),
        logs: export(0, 0),
    });
    let page = shown(&report, "");
    assert!(page.contains("1 log line lost, because the log could not be written."));
    assert!(page.contains("1,200 traces exported, 6 metrics exported and 1 dropped, 0 logs exported."), "{page}");
    assert!(page.contains("https://collector.example:4318/") && page.contains("The collector does not respond."));
}

#[test]
fn a_shared_store_is_shown_with_its_replicas_and_amber_while_it_is_away() {
    let mut report = report(1);
    assert!(!shown(&report, "").contains("Shared store"));
    let mut store = SharedStoreReport {
        address: "rediss://store.example:6379/0".to_owned(),
        up: true,
        since: now(),
        failure: None,
        replicas: 3,
        replicas_missing: 0,
        outages: 0,
        calls: 12_000,
        calls_failed: 2,
        latest_call: 0.000_42,
    };
    report.shared_store = Some(store.clone());
    first_limiter(&mut report).all_replicas = Some(AllReplicasReport { in_flight: 4, window_requests: 3400 });
    let page = shown(&report, "");
    for text in [
        "rediss://store.example:6379/0",
        "in use since ",
        "3 replicas use it.",
        "12,000 calls, 2 without a response in time; 0 outages. The latest call took 0.4 ms.",
        "All replicas together: 4 in flight, 3,400 in the last 5 min.",
    ] {
        assert!(page.contains(text), "{text} in {page}");
    }
    assert!(!page.contains("Caches are off"));

    (store.up, store.replicas_missing, store.failure) = (false, 1, Some("no reply within 50 ms".to_owned()));
    report.warnings.extend(store.warning());
    (report.shared_store, report.state) = (Some(store), State::Degraded);
    let page = shown(&report, "");
    for text in
        ["away since ", "1 replica stopped without an orderly end.", "no reply within 50 ms", "class=\"state poor\""]
    {
        assert!(page.contains(text), "{text} in {page}");
    }
}

#[test]
fn what_clients_send_is_text() {
    let hostile = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";
    let mut report = report(1);
    report.clients = vec![client("192.0.2.9", hostile, 1)];
    report.clients[0].identity = Some(hostile.to_owned());
    report.problems = vec![problem("192.0.2.9", hostile, 404)];
    report.problems[0].reason = hostile.to_owned();
    let query = form_urlencoded::byte_serialize(hostile.as_bytes()).collect::<String>();
    for page in [shown(&report, ""), shown(&report, &format!("connector={query}&problem={query}&state={query}"))] {
        assert_eq!(page.matches("<script").count(), 1, "its own");
        assert!(!page.contains("<img") && page.contains("&lt;script&gt;"));
    }
}

#[test]
fn a_page_needs_no_inline_style_or_script() {
    let page = shown(&full(3), "");
    for attribute in [" style=", " onclick=", " onload=", "<style", "javascript:", "http-equiv=\"Content"] {
        assert!(!page.contains(attribute), "{attribute}");
    }
    assert!(!page.contains("=\"https://") && !page.contains("=\"http://"), "nothing is loaded from elsewhere");
}

#[test]
fn charts_tell_their_values_as_text_and_without_figures_there_is_a_sentence() {
    let mut report = report(1);
    assert!(shown(&report, "").contains("No figures yet."));
    report.history = hour(calm());
    let page = shown(&report, "");
    assert!(page.contains("<title id=\"chart-requests-title\">Requests</title>"));
    let text = "Over 59 min: requests 4.0/s to 4.0/s, now 4.0/s; errors 0/s to 0/s, now 0/s.";
    assert!(page.contains(text));
    // A gap interrupts the line.
    report.history[180].p95 = None;
    let page = shown(&report, "");
    let line = page.split("class=\"main area\" d=\"").nth(2).unwrap().split('"').next().unwrap();
    assert_eq!(line.matches('M').count(), 2, "{line}");
}

#[test]
fn who_is_signed_in_can_sign_out() {
    let form = "<form method=\"post\" action=\"/sign-out\">";
    for is_signed_in in [true, false] {
        let page = page(&report(1), &PageQuery::default(), is_signed_in);
        assert_eq!(page.contains(form), is_signed_in);
    }
}
