//! What sections share: times, numbers, bars, filters, links between pages.

use std::hash::{DefaultHasher, Hash, Hasher};

use maud::{Markup, html};
use time::OffsetDateTime;

use super::query::{Field, PageQuery};
use crate::admin::report::{in_words, rfc3339};

/// How something is doing: a style class with a sign, so that it is not told by color alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Good,
    Poor,
    Bad,
}

impl Mood {
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Poor => "poor",
            Self::Bad => "bad",
        }
    }

    pub fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Poor => "!",
            Self::Bad => "✗",
        }
    }
}

/// A moment, written in RFC 3339. The script replaces the text with local time; the title stays UTC.
pub fn moment(at: &str) -> Markup {
    let utc = in_utc(at);
    html! { time.at datetime=(at) title=(utc) { (utc) } }
}

/// The same, from a time.
pub fn moment_of(at: OffsetDateTime) -> Markup {
    moment(&rfc3339(at))
}

fn in_utc(at: &str) -> String {
    match at.strip_suffix('Z').and_then(|at| at.split_once('T')) {
        Some((day, time)) => format!("{day} {time} UTC"),
        None => at.to_owned(),
    }
}

/// A duration with a precision that fits its length: `85 ms`, `1.2 s`, `12 s`, `3 min`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        ..0.9995 => format!("{:.0} ms", seconds.max(0.0) * 1000.0),
        ..9.95 => format!("{seconds:.1} s"),
        ..120.0 => format!("{seconds:.0} s"),
        _ => in_words(seconds),
    }
}

/// A rate with a precision that fits its size: `0`, `0.4`, `12`.
pub fn rate(per_second: f64) -> String {
    match per_second {
        ..0.005 => "0".to_owned(),
        ..0.1 => format!("{per_second:.2}"),
        ..9.95 => format!("{per_second:.1}"),
        _ => number(per_second.round() as u64),
    }
}

/// A number with commas between thousands.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 request`, `1,200 requests`.
pub fn counted(value: u64, thing: &str) -> String {
    format!("{} {thing}{}", number(value), if value == 1 { "" } else { "s" })
}

/// How much of a limit is used, as a bar. The figures stand beside it.
pub fn bar(used: u64, limit: u64) -> Markup {
    let width = used.min(limit).saturating_mul(BAR_WIDTH).checked_div(limit).unwrap_or(0);
    html! {
        svg.bar.full[width == BAR_WIDTH] viewBox={ "0 0 " (BAR_WIDTH) " 1" } preserveAspectRatio="none" aria-hidden="true" {
            rect width=(width) height="1" {}
        }
    }
}

/// A short text in the color of a mood.
pub fn pill(mood: Mood, text: &str) -> Markup {
    html! { span.pill.(mood.class()) { span aria-hidden="true" { (mood.sign()) " " } (text) } }
}

/// A text with `code` between backticks.
pub fn prose(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A sentence in the color of a mood, and when it ends by itself.
pub fn note(mood: Mood, text: &str, until: Option<&str>) -> Markup {
    note_about(None, mood, text, until)
}

/// The same about something with a name.
pub fn note_about(name: Option<&str>, mood: Mood, text: &str, until: Option<&str>) -> Markup {
    html! {
        p.note.(mood.class()) {
            @if let Some(name) = name { strong { (name) } ": " }
            (prose(text))
            @if let Some(until) = until { " Until " (moment(until)) "." }
        }
    }
}

/// A button behind a question, so that it takes two steps. `fields` are sent with it.
pub fn order(action: &str, name: &str, question: &str, fields: &[(&str, &str)]) -> Markup {
    html! {
        details.order data-key={ "order " (action) } {
            summary { (name) }
            form method="post" action=(action) {
                p { (question) }
                @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
                button type="submit" { (name) }
            }
        }
    }
}

/// A short `data-key` for what has a long name. It is the same as long as the process lives.
pub fn key(name: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

/// A part of a long list.
#[derive(Debug)]
pub struct PageOf<T> {
    pub items: Vec<T>,
    /// How many there are in all pages.
    pub total: usize,
    /// From 1.
    number: usize,
    pages: usize,
}

impl<T> PageOf<T> {
    /// The page that the query asks for, or the last one if there are fewer.
    pub fn of(mut items: Vec<T>, query: &PageQuery, field: Field, size: usize) -> Self {
        let (total, pages) = (items.len(), items.len().div_ceil(size).max(1));
        let number = query.page(field).min(pages);
        items = items.into_iter().skip((number - 1) * size).take(size).collect();
        Self { items, total, number, pages }
    }

    /// Links to the pages before and after; nothing if there is only one.
    pub fn links(&self, query: &PageQuery, field: Field, section: &str) -> Markup {
        let link = |number: usize| query.link(field, &number.to_string(), section);
        html! {
            @if self.pages > 1 {
                nav.pages aria-label={ "Pages of " (section) } data-key="pages" {
                    @if self.number > 1 { a href=(link(self.number - 1)) rel="prev" { "Previous" } }
                    span { "Page " (self.number) " of " (number(self.pages as u64)) }
                    @if self.number < self.pages { a href=(link(self.number + 1)) rel="next" { "Next" } }
                }
            }
        }
    }
}

/// A form with the fields of one section's filter. It keeps the filters of the others.
pub fn filter(section: &str, own: &[Field], query: &PageQuery, fields: &Markup) -> Markup {
    html! {
        form.filter method="get" action={ "/#" (section) } role="search" aria-label={ "Filter " (section) } data-key="filter" {
            (query.hidden(own))
            (fields)
            button type="submit" { "Filter" }
            @if own.iter().any(|field| !query.text(*field).is_empty()) {
                a href=(query.without(own, section)) data-key="clear" { "Show all" }
            }
        }
    }
}

/// A text field of a filter.
pub fn text_field(label: &str, field: Field, query: &PageQuery) -> Markup {
    html! {
        label { span { (label) } input type="search" name=(field.name()) value=(query.text(field)) autocomplete="off" spellcheck="false"; }
    }
}

/// A choice of a filter: the words of the query with what is shown for them.
pub fn choice<T: AsRef<str>>(label: &str, field: Field, options: &[(T, T)], query: &PageQuery) -> Markup {
    html! {
        label {
            span { (label) }
            select name=(field.name()) {
                @for (value, text) in options {
                    option value=(value.as_ref()) selected[value.as_ref() == query.text(field)] { (text.as_ref()) }
                }
            }
        }
    }
}

const BAR_WIDTH: u64 = 200;
