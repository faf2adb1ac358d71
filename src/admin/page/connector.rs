//! One connector: a line to scan, and below it the set-up steps, tokens and limits.

use maud::{Markup, html};

use super::connectors::{Condition, DOCTOR};
use super::parts::{Mood, bar, note, number, order, pill};
use crate::admin::report::{
    ApplicationReport, Checklist, CompanyReport, ConnectorReport, LimiterReport, Readiness, StepState, TokenFailure,
    TokenReport, in_words,
};

/// `open`: whether it is unfolded when the page is loaded.
pub fn details(connector: &ConnectorReport, condition: Condition, open: bool) -> Markup {
    html! {
        details.connector.(condition.mood().class()) open[open] data-key={ "connector " (connector.name) } {
            summary {
                h3 { (connector.name) }
                (pill(condition.mood(), condition.text()))
                span.where { (connector.environment) @if let Some(company) = company(connector) { " · " (company) } }
                (brief(connector))
            }
            @if let Readiness::NotReady { reason } = &connector.readiness { (note(Mood::Bad, reason, None)) }
            @for warning in &connector.warnings { (note(Mood::Poor, &warning.reason, warning.until.as_deref())) }
            @if let Some(reason) = &connector.circuit_breaker_reason {
                (note(Mood::Bad, &format!("The circuit breaker is open: {reason}."), None))
            }
            div.columns {
                div {
                    (facts(connector))
                    @for report in &connector.applications { (application(report, connector.is_ready())) }
                }
                div {
                    (checklist(&connector.checklist))
                    (order("/doctor", "Check this connector", DOCTOR, &[("connector", &connector.name)]))
                }
            }
        }
    }
}

fn company(connector: &ConnectorReport) -> Option<&str> {
    match &connector.readiness {
        Readiness::Ready { company: Some(company) } => Some(&company.name),
        Readiness::Ready { company: None } => Some("company named by the client"),
        Readiness::Waiting | Readiness::NotReady { .. } => None,
    }
}

/// What a folded connector tells: its busiest limit and its queue.
fn brief(connector: &ConnectorReport) -> Markup {
    let limiters = || connector.applications.iter().flat_map(|one| [&one.limiter, &one.soap_limiter]).flatten();
    let share = |one: &LimiterReport| one.window_requests as f64 / one.window_limit.max(1) as f64;
    let busiest = limiters().max_by(|one, other| share(one).total_cmp(&share(other)));
    let queued: usize = limiters().map(|limiter| limiter.queued).sum();
    html! {
        span.brief {
            @if queued > 0 { span.queued { (number(queued as u64)) " queued" } }
            @if let Some(limiter) = busiest {
                span { "rate " (percent(limiter)) " %" }
                (bar(limiter.window_requests as u64, limiter.window_limit as u64))
            }
        }
    }
}

fn percent(limiter: &LimiterReport) -> usize {
    limiter.window_requests * 100 / limiter.window_limit.max(1)
}

fn facts(connector: &ConnectorReport) -> Markup {
    html! {
        dl {
            dt { "Environment" } dd { (connector.environment) " in tenant " code { (connector.tenant) } }
            @match &connector.readiness {
                Readiness::Ready { company } => { dt { "Company" } dd { (company_name(company.as_ref())) } }
                Readiness::Waiting | Readiness::NotReady { .. } => {}
            }
        }
    }
}

fn company_name(company: Option<&CompanyReport>) -> Markup {
    html! {
        @match company {
            Some(company) => { (company.name) " " code { (company.id) } }
            None => "named by the client",
        }
    }
}

fn application(application: &ApplicationReport, is_ready: bool) -> Markup {
    html! {
        div.application data-key={ "application " (application.client_id) } {
            h4 { "Application " code { (application.client_id) } }
            dl {
                dt { "Token" }
                dd {
                    (token(application.token.as_ref()))
                    span.aside { " · " (number(application.tokens_received)) " received" }
                    @if application.tokens_failed > 0 { span.aside { ", " (number(application.tokens_failed)) " failed" } }
                }
                @if let Some(day) = &application.credential_expires {
                    dt { "Credential" } dd { (expiry(*day)) }
                }
            }
            @if let Some(failure) = &application.failure { (failure_note(failure, is_ready)) }
            @for (name, limits) in [("API and OData", &application.limiter), ("SOAP", &application.soap_limiter)] {
                @if let Some(limits) = limits { (limiter(name, limits)) }
            }
        }
    }
}

fn token(token: Option<&TokenReport>) -> String {
    token.map_or_else(
        || "none".to_owned(),
        |token| format!("{} old, usable for {}", in_words(token.age), in_words(token.usable_for)),
    )
}

/// A connector that is not ready has told the reason already.
fn failure_note(failure: &TokenFailure, is_ready: bool) -> Markup {
    let next = format!("Next attempt in {}.", in_words(failure.retry_in));
    html! {
        @if is_ready { (note(Mood::Poor, &format!("{} {next}", failure.reason), None)) }
        @else { p.aside { (next) } }
    }
}

fn expiry(day: time::Date) -> Markup {
    let days = (day - time::OffsetDateTime::now_utc().date()).whole_days();
    html! {
        @match days {
            ..0 => { "expired on " time datetime=(day) { (day) } }
            0 => { "expires today" }
            1 => { "expires tomorrow, on " time datetime=(day) { (day) } }
            _ => { "expires in " (days) " days, on " time datetime=(day) { (day) } }
        }
    }
}

fn limiter(name: &str, limiter: &LimiterReport) -> Markup {
    let LimiterReport { in_flight, concurrency, queued, window_requests, window_limit, .. } = *limiter;
    html! {
        div.limits {
            h5 { (name) }
            div.limit {
                span { "In flight" }
                (bar(in_flight as u64, concurrency as u64))
                span.figure { (in_flight) " of " (concurrency) }
            }
            div.limit {
                span { "Last " (in_words(limiter.window)) }
                (bar(window_requests as u64, window_limit as u64))
                span.figure { (number(window_requests as u64)) " of " (number(window_limit as u64)) }
            }
            @if let Some(all) = limiter.all_replicas {
                p.aside { "All replicas together: " (all.in_flight) " in flight, " (number(all.window_requests as u64)) " in the last " (in_words(limiter.window)) "." }
            }
            @if queued > 0 { p.queued { (number(queued as u64)) " queued" @if let Some(time) = limiter.rate_limited { ", waiting for " (in_words(time)) " because of the rate" } } }
            @if let Some(left) = limiter.pause_remaining {
                p.queued { "Paused for " (in_words(left)) " more, as Business Central requested" }
            }
        }
    }
}

fn checklist(checklist: &Checklist) -> Markup {
    let count = |state: StepState| checklist.steps().filter(|step| step.state == state).count();
    let wrong = checklist.steps().find(|step| step.state == StepState::Wrong);
    html! {
        h4 { "Set-up steps" }
        p.aside {
            (count(StepState::Done)) " done"
            @if let Some(step) = wrong { ", step " (step.number) " is wrong" }
            @if count(StepState::NotChecked) > 0 { ", " (count(StepState::NotChecked)) " not checked" }
        }
        ol.steps {
            @for step in checklist.steps() {
                @let (class, sign, state) = match step.state {
                    StepState::Done => ("done", "✓", "done"),
                    StepState::Wrong => ("wrong", "✗", "wrong"),
                    StepState::NotChecked => ("open", "–", "not checked"),
                };
                li.(class) { span title=(state) { (sign) } " " (step.number) " " (step.title) }
            }
        }
    }
}
