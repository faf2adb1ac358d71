//! Why requests are slow or fail, in a sentence each: derived from the same figures that the page shows below.

use std::collections::HashSet;
use std::time::Duration;

use super::parts::{counted, duration, number, rate};
use crate::admin::history::{HistoryPoint, POINT_INTERVAL};
use crate::admin::report::{
    ApplicationReport, ClientReport, ConnectorReport, LimiterReport, Report, WarningKind, in_words,
};

/// Something that makes requests slow or fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub cause: Cause,
    /// What happens: one sentence.
    pub text: String,
    /// What to do: complete sentences.
    pub advice: String,
    /// Where the page says more.
    pub see: Option<See>,
    /// When it ends by itself, where that is known.
    pub until: Option<String>,
}

/// A question that a section of the page answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct See {
    pub question: &'static str,
    pub section: &'static str,
}

/// What makes requests slow or fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Business Central responds late.
    BusinessCentral,
    /// One client sends most requests, while others wait.
    Client,
    /// A limit is used up.
    Limit,
    /// Many requests fail.
    Errors,
}

/// All that is found, the cause before what follows from it.
pub fn findings(report: &Report) -> Vec<Finding> {
    let recent = Recent::of(&report.history);
    let mut findings: Vec<Finding> = slow_upstream(&report.history, &recent).into_iter().collect();
    let limits = used_up_limits(&report.connectors, &recent, !findings.is_empty());
    if !limits.is_empty() || recent.queue_p95.is_some_and(|wait| wait >= NOTICEABLE_WAIT) {
        findings.extend(greedy_client(&report.clients));
    }
    findings.extend(limits);
    findings.extend(errors(&recent));
    findings
}

/// The load and the response time in a sentence; `None` before the first requests.
pub fn load(history: &[HistoryPoint]) -> Option<String> {
    let (recent, last) = (Recent::of(history), history.last()?);
    let queued = match last.queued {
        0 => "none is queued".to_owned(),
        queued => format!("{} queued", number(queued as u64)),
    };
    let Some(p95) = recent.p95 else { return Some(format!("No request in the last minute; {queued}.")) };
    let upstream =
        recent.upstream_p95.map_or_else(String::new, |time| format!(", Business Central {}", duration(time)));
    let waiting = recent.queue_p95.filter(|wait| *wait >= NOTICEABLE_WAIT);
    let waiting = waiting.map_or_else(String::new, |wait| format!(", the queue {}", duration(wait)));
    Some(format!(
        "{} requests/s in the last minute. 95 % take at most {}{upstream}{waiting}; {queued}.",
        rate(recent.requests_per_second),
        duration(p95)
    ))
}

/// The last minute.
struct Recent {
    requests_per_second: f64,
    errors_per_second: f64,
    /// The highest of the minute, as are the next two.
    p95: Option<f64>,
    queue_p95: Option<f64>,
    upstream_p95: Option<f64>,
}

impl Recent {
    fn of(history: &[HistoryPoint]) -> Self {
        let count = (MINUTE / POINT_INTERVAL.as_secs_f64()).ceil() as usize;
        let points = history.get(history.len().saturating_sub(count)..).unwrap_or_default();
        let mean = |of: fn(&HistoryPoint) -> f64| points.iter().map(of).sum::<f64>() / points.len().max(1) as f64;
        let highest =
            |of: fn(&HistoryPoint) -> Option<Duration>| points.iter().filter_map(of).max().map(|it| it.as_secs_f64());
        Self {
            requests_per_second: mean(|point| point.requests_per_second),
            errors_per_second: mean(|point| point.errors_per_second),
            p95: highest(|point| point.p95),
            queue_p95: highest(|point| point.queue_p95),
            upstream_p95: highest(|point| point.upstream_p95),
        }
    }
}

/// Business Central is slow: slower than clients are patient, and slower than it mostly was.
fn slow_upstream(history: &[HistoryPoint], recent: &Recent) -> Option<Finding> {
    let now = recent.upstream_p95.filter(|time| *time >= SLOW)?;
    let mut hour: Vec<Duration> = history.iter().filter_map(|point| point.upstream_p95).collect();
    hour.sort_unstable();
    let usual = hour.get(hour.len() / 2).map(Duration::as_secs_f64);
    let before = match usual {
        Some(usual) if usual * 2.0 < now => format!(", mostly {} in the last hour", duration(usual)),
        _ => String::new(),
    };
    Some(Finding {
        cause: Cause::BusinessCentral,
        text: format!("Business Central takes {} to respond (95th percentile{before}).", duration(now)),
        advice:
            "The time passes in Business Central, not in bcproxy. Look the requests up in the telemetry of Business \
                 Central."
                .to_owned(),
        see: Some(See { question: "Which routes take long?", section: "routes" }),
        until: None,
    })
}

/// The limits because of which requests are queued, those of most requests first.
fn used_up_limits(connectors: &[ConnectorReport], recent: &Recent, is_upstream_slow: bool) -> Vec<Finding> {
    let mut seen = HashSet::new();
    let mut found: Vec<(usize, Finding)> = Vec::new();
    for connector in connectors {
        for application in &connector.applications {
            let limiters =
                [("API and OData requests", &application.limiter), ("SOAP calls", &application.soap_limiter)];
            for (what, limiter) in limiters {
                let Some(limiter) = limiter.as_ref().filter(|limiter| limiter.queued > 0) else { continue };
                // Connectors share a limiter if these are the same.
                if seen.insert((&connector.tenant, &connector.environment, &application.client_id, what)) {
                    let finding = used_up(what, connector, application, limiter, recent, is_upstream_slow);
                    found.extend(finding.map(|finding| (limiter.queued, finding)));
                }
            }
        }
    }
    found.sort_by_key(|(queued, _)| std::cmp::Reverse(*queued));
    found.into_iter().take(MAX_LIMITS).map(|(_, finding)| finding).collect()
}

fn used_up(
    what: &str,
    connector: &ConnectorReport,
    application: &ApplicationReport,
    limiter: &LimiterReport,
    recent: &Recent,
    is_upstream_slow: bool,
) -> Option<Finding> {
    let client_id = &application.client_id;
    let (reason, advice) = if let Some(left) = limiter.pause_remaining {
        let reason =
            format!("Business Central requested a pause of application `{client_id}`, for {} more", duration(left));
        (
            reason,
            "bcproxy continues automatically. If this happens often, lower `limits`, or add an application to `applications`.",
        )
    } else if limiter.rate_limited.is_some() || limiter.window_requests >= limiter.window_limit {
        let limit = format!("{} per {}", number(limiter.window_limit as u64), in_words(limiter.window));
        let reason = format!("the rate limit of application `{client_id}` is used up ({limit})");
        (reason, ADD_APPLICATION)
    } else if limiter.in_flight >= limiter.concurrency {
        let permits = counted(limiter.concurrency as u64, "permit");
        let reason = format!("all {permits} of application `{client_id}` are in use");
        let advice = match is_upstream_slow {
            true => "Each is in use for as long as Business Central takes to respond.",
            false => ADD_APPLICATION,
        };
        (reason, advice)
    } else {
        return None;
    };
    // Without a request that has left the queue: how long none has.
    let wait = recent.queue_p95.filter(|wait| *wait >= NOTICEABLE_WAIT).or(limiter.rate_limited);
    let wait = wait.map_or_else(String::new, |wait| format!(" {}", duration(wait)));
    let queued = counted(limiter.queued as u64, "request");
    let rate_warning = connector.warnings.iter().find(|warning| warning.kind == WarningKind::RateLimit);
    Some(Finding {
        cause: Cause::Limit,
        text: format!("{what} of connector {} wait{wait} in the queue: {reason}.", connector.name),
        advice: format!("{queued} {} queued. {advice}", if limiter.queued == 1 { "is" } else { "are" }),
        see: Some(BUSIEST_CLIENT),
        until: rate_warning.and_then(|warning| warning.until.clone()),
    })
}

/// A client that sent most requests of the last five minutes, among others.
fn greedy_client(clients: &[ClientReport]) -> Option<Finding> {
    let total: u64 = clients.iter().map(|client| client.recent_requests).sum();
    let greedy = clients.iter().max_by_key(|client| client.recent_requests)?;
    let is_alone = greedy.recent_requests == total;
    if is_alone || total < ENOUGH_REQUESTS || greedy.recent_requests * 2 <= total {
        return None;
    }
    // Rounded down: 100 % would say that there is no other.
    let share = greedy.recent_requests * 100 / total;
    let name = client_name(greedy);
    Some(Finding {
        cause: Cause::Client,
        text: format!("{name} sent {share} % of the requests of the last 5 minutes."),
        advice: "The queue is fair, so other clients wait less than this one. To keep it from using up the limits, \
                 let it send less often, or give it a connector with an application of its own."
            .to_owned(),
        see: Some(See { question: "How long does each client wait?", section: "clients" }),
        until: None,
    })
}

/// How a client is called in a sentence: what it is known by, and its user agent.
pub fn client_name(client: &ClientReport) -> String {
    let known_as = client.name.as_deref().or(client.identity.as_deref());
    let name = known_as.map_or_else(|| client.address.clone(), |known_as| format!("{known_as} at {}", client.address));
    match &client.user_agent {
        Some(user_agent) => format!("{name} ({user_agent})"),
        None => name,
    }
}

/// Many requests fail.
fn errors(recent: &Recent) -> Option<Finding> {
    let share = recent.errors_per_second / recent.requests_per_second;
    if recent.requests_per_second * MINUTE < ENOUGH_REQUESTS as f64 || share < MANY_ERRORS {
        return None;
    }
    Some(Finding {
        cause: Cause::Errors,
        text: format!("{:.0} % of the requests of the last minute failed.", (share * 100.0).min(100.0)),
        advice: "Each problem has a reason.".to_owned(),
        see: Some(See { question: "Which requests fail, and why?", section: "problems" }),
        until: None,
    })
}

/// What users notice, in a few words: requests are slow, or fail. Unlike the findings about limits, it does not come
/// and go with a queue that is there for a moment.
pub fn effect(history: &[HistoryPoint]) -> Option<&'static str> {
    let recent = Recent::of(history);
    let is_slow = recent.queue_p95.is_some_and(|wait| wait >= NOTICEABLE_WAIT)
        || recent.upstream_p95.is_some_and(|time| time >= SLOW);
    match errors(&recent) {
        Some(_) if !is_slow => Some("many requests fail"),
        _ => is_slow.then_some("requests are slow"),
    }
}

const ADD_APPLICATION: &str = "If all of these requests are needed, add an application to `applications`.";

const BUSIEST_CLIENT: See = See { question: "Which client sends most?", section: "clients" };

const MINUTE: f64 = 60.0;

/// In seconds. Users notice it; a till that waits for several requests seems to hang.
const SLOW: f64 = 2.0;

/// In seconds. Shorter waits are how limits work.
const NOTICEABLE_WAIT: f64 = 0.5;

/// With fewer requests, shares say nothing.
const ENOUGH_REQUESTS: u64 = 20;

/// The share of failed requests that is worth a sentence.
const MANY_ERRORS: f64 = 0.2;

/// More sentences about limits would hide the rest.
const MAX_LIMITS: usize = 3;
