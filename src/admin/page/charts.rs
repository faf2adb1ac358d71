//! The last hour as small charts, drawn here as SVG.

use std::fmt::Write;
use std::time::Duration;

use maud::{Markup, html};
use time::OffsetDateTime;

use super::parts::{duration, moment_of, number, rate};
use crate::admin::history::{HistoryPoint, POINT_INTERVAL};
use crate::admin::report::in_words;

/// A chart of one quantity.
struct Chart {
    /// Unique on the page.
    id: &'static str,
    title: &'static str,
    /// Its highest value, as the axis has it.
    top: f64,
    unit: fn(f64) -> String,
    lines: Vec<Line>,
}

/// A line of a chart, with its latest value.
struct Line {
    /// The style class.
    class: &'static str,
    name: &'static str,
    values: Vec<Option<f64>>,
}

pub fn section(history: &[HistoryPoint]) -> Markup {
    html! {
        section #load aria-labelledby="load-title" {
            h2 #load-title { "The last hour" }
            @match history.last() {
                Some(last) => {
                    div.charts data-key="charts" {
                        @for chart in charts(history) { (chart.figure(last.at, POINT_INTERVAL * steps(history.len()) as u32)) }
                    }
                }
                None => p data-key="none" { "No figures yet. The first ones appear about " (in_words(POINT_INTERVAL.as_secs_f64())) " after the start." }
            }
        }
    }
}

fn charts(history: &[HistoryPoint]) -> [Chart; 4] {
    let line = |class, name, of: &dyn Fn(&HistoryPoint) -> Option<f64>| Line {
        class,
        name,
        values: history.iter().map(of).collect(),
    };
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let per_second = |value: f64| format!("{}/s", rate(value));
    let count = |value: f64| number(value.round() as u64);
    [
        Chart::new(
            "chart-requests",
            "Requests",
            per_second,
            vec![
                line("main area", "requests", &|point| Some(point.requests_per_second)),
                line("bad", "errors", &|point| Some(point.errors_per_second)),
            ],
        ),
        Chart::new(
            "chart-duration",
            "Duration",
            duration,
            vec![
                line("main area", "95 %", &|point| seconds(point.p95)),
                line("main faint", "50 %", &|point| seconds(point.p50)),
                line("upstream", "Business Central, 95 %", &|point| seconds(point.upstream_p95)),
                line("queue", "queue, 95 %", &|point| seconds(point.queue_p95)),
            ],
        ),
        Chart::new(
            "chart-permits",
            "Permits in use",
            count,
            vec![
                line("main area", "in use", &|point| Some(point.in_flight as f64)),
                line("limit", "limit", &|point| (point.permits > 0).then_some(point.permits as f64)),
            ],
        ),
        Chart::new(
            "chart-queue",
            "Queue",
            count,
            vec![line("queue area", "queued", &|point| Some(point.queued as f64))],
        ),
    ]
}

impl Chart {
    fn new(id: &'static str, title: &'static str, unit: fn(f64) -> String, lines: Vec<Line>) -> Self {
        let highest = lines.iter().flat_map(|line| &line.values).flatten().copied().fold(0.0, f64::max);
        Self { id, title, top: round_up(highest), unit, lines }
    }

    /// `end` and `length` of its time.
    fn figure(&self, end: OffsetDateTime, length: Duration) -> Markup {
        let span = in_words(length.as_secs_f64());
        let (title, text) = (format!("{}-title", self.id), format!("{}-text", self.id));
        html! {
            figure data-key=(self.id) {
                figcaption {
                    h3 { (self.title) }
                    ul.key { @for line in &self.lines { li.(line.class) { (line.name) " " b { (self.latest(line)) } } } }
                }
                div.plot {
                    svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-labelledby={ (title) " " (text) } {
                        title id=(title) { (self.title) }
                        desc id=(text) { (self.description(&span)) }
                        @for line in &self.lines { (self.path(line)) }
                    }
                    span.top aria-hidden="true" { ((self.unit)(self.top)) }
                    span.bottom aria-hidden="true" { ((self.unit)(0.0)) }
                }
                p.times aria-hidden="true" { (moment_of(end - length)) (moment_of(end)) }
            }
        }
    }

    fn latest(&self, line: &Line) -> String {
        line.values.last().copied().flatten().map_or_else(|| "–".to_owned(), self.unit)
    }

    /// What the chart shows, for those who don't see it.
    fn description(&self, span: &str) -> String {
        let mut text = format!("Over {span}:");
        for (index, line) in self.lines.iter().enumerate() {
            let values = || line.values.iter().flatten().copied();
            let separator = if index == 0 { "" } else { ";" };
            let range = values().reduce(f64::min).zip(values().reduce(f64::max));
            let range = range.map_or_else(
                || "none".to_owned(),
                |(low, high)| format!("{} to {}", (self.unit)(low), (self.unit)(high)),
            );
            // Writing to a String can't fail.
            let _ = write!(text, "{separator} {} {range}, now {}", line.name, self.latest(line));
        }
        text + "."
    }

    /// The line, and the area under it where its class asks for one.
    fn path(&self, line: &Line) -> Markup {
        let count = line.values.len();
        let steps = steps(count) as f64;
        let at = |(index, value): (usize, f64)| {
            let x = f64::from(WIDTH) * (1.0 - (count - 1 - index) as f64 / steps);
            let y = f64::from(HEIGHT) * (1.0 - value / self.top);
            (x.round() as i32, y.round() as i32)
        };
        let (mut drawn, mut area) = (String::new(), String::new());
        // The line is interrupted where there is no value.
        let values: Vec<Option<(usize, f64)>> =
            line.values.iter().enumerate().map(|(index, value)| Some((index, (*value)?))).collect();
        for run in values.split(Option::is_none) {
            let points: Vec<(i32, i32)> = run.iter().flatten().copied().map(at).collect();
            let (Some((left, _)), Some((right, _))) = (points.first(), points.last()) else { continue };
            // Writing to a String can't fail.
            let _ = write!(area, "M{left} {HEIGHT}{}L{right} {HEIGHT}Z", polyline(&points, 'L'));
            // A lone point is a line of no length, which round ends make a dot.
            let _ = write!(drawn, "{}h0", polyline(&points, 'M'));
        }
        html! {
            @if line.class.ends_with("area") { path.fill.(line.class) d=(area) {} }
            path.(line.class) d=(drawn) vector-effect="non-scaling-stroke" {}
        }
    }
}

/// What the axis is long, in points. It is short after the start, but never so short that it seems to hurry.
fn steps(points: usize) -> usize {
    points.saturating_sub(1).max(MIN_STEPS)
}

/// A line through these points, without those in the middle of a horizontal part.
fn polyline(points: &[(i32, i32)], first: char) -> String {
    let mut path = String::new();
    let mut last = None;
    for (index, (x, y)) in points.iter().copied().enumerate() {
        let next = points.get(index + 1).map(|(_, y)| *y);
        // Writing to a String can't fail.
        let _ = match last {
            None => write!(path, "{first}{x} {y}"),
            Some((_, before)) if before == y && next == Some(y) => continue,
            Some((left, before)) => write!(path, "l{} {}", x - left, y - before),
        };
        last = Some((x, y));
    }
    path
}

/// The next larger of 1, 2, 5, 10, 20, …, so that the axis stays still while the values move.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let magnitude = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
    steps.into_iter().find(|step| *step >= value).unwrap_or(value)
}

/// Five minutes.
const MIN_STEPS: usize = 30;

const WIDTH: u16 = 600;

const HEIGHT: u16 = 120;
