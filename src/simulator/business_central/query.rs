//! The query options of a collection.

use std::cmp::Ordering;

use hyper::HeaderMap;
use serde_json::Value;
use uuid::Uuid;

use super::books::Record;
use super::errors::Failure;
use super::filter::Filter;
use super::schema::View;

/// The largest page a client may ask for (BC, "Operational limits").
const MAX_PAGE_SIZE: usize = 20_000;

/// What a client wants to see of a collection.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub filter: Option<Filter>,
    pub order: Vec<(&'static str, Direction)>,
    /// Names of fields; empty means all.
    pub select: Vec<&'static str>,
    pub top: Option<usize>,
    pub skip: usize,
    pub count: bool,
    /// The last record of the page before.
    pub skip_token: Option<Uuid>,
    /// The options as they arrived that also hold for the next page.
    pub lasting: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

impl Options {
    pub fn parse(raw_query: &str, view: &'static View) -> Result<Self, Failure> {
        let mut options = Self::default();
        for raw in raw_query.split('&').filter(|raw| !raw.is_empty()) {
            let Some((name, value)) = form_urlencoded::parse(raw.as_bytes()).next() else {
                continue;
            };
            let mut lasts = true;
            match name.as_ref() {
                "$filter" => {
                    let filter = Filter::parse(&value, view).map_err(|error| Failure::BadRequest(error.to_string()))?;
                    options.filter = Some(filter);
                }
                "$orderby" => options.order = order(&value, view)?,
                "$select" => options.select = select(&value, view)?,
                "$count" => options.count = value.parse().map_err(|_| invalid(&name, &value))?,
                "$top" => {
                    options.top = Some(value.parse().map_err(|_| invalid(&name, &value))?);
                    lasts = false;
                }
                "$skip" => {
                    options.skip = value.parse().map_err(|_| invalid(&name, &value))?;
                    lasts = false;
                }
                "$skiptoken" => {
                    options.skip_token = Some(Uuid::try_parse(&value).map_err(|_| invalid(&name, &value))?);
                    lasts = false;
                }
                "aid" | "tenant" | "company" => lasts = false,
                "$format" if value == "json" => {}
                system if system.starts_with('$') => return Err(invalid(system, &value)),
                _ => {}
            }
            if lasts {
                options.lasting.push(raw.to_owned());
            }
        }
        Ok(options)
    }

    /// In the order asked for; records that compare equal keep the order of the table.
    pub fn compare(&self, one: &Record, other: &Record) -> Ordering {
        let by_column = |(column, direction): &(&'static str, Direction)| {
            let order = compare_values(one.value(column), other.value(column));
            if *direction == Direction::Descending { order.reverse() } else { order }
        };
        self.order.iter().map(by_column).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// The page size of a request: what `Prefer: odata.maxpagesize` asks for, within the limit, or the default.
pub(super) fn page_size(headers: &HeaderMap, default: usize) -> usize {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let wanted = preferences.flat_map(|value| value.split([',', ';'])).find_map(|preference| {
        let (name, value) = preference.trim().split_once('=')?;
        let is_it = ["odata.maxpagesize", "maxpagesize"].iter().any(|known| name.eq_ignore_ascii_case(known));
        value.trim_matches('"').parse::<usize>().ok().filter(|size| is_it && *size > 0)
    });
    wanted.unwrap_or(default).clamp(1, MAX_PAGE_SIZE)
}

fn order(value: &str, view: &'static View) -> Result<Vec<(&'static str, Direction)>, Failure> {
    let parse = |part: &str| {
        let mut words = part.split_whitespace();
        let column = words.next().and_then(|field| view.column(field));
        let direction = match words.next() {
            None | Some("asc") => Some(Direction::Ascending),
            Some("desc") => Some(Direction::Descending),
            Some(_) => None,
        };
        match (column, direction, words.next()) {
            (Some(column), Some(direction), None) => Ok((column.name, direction)),
            _ => Err(invalid("$orderby", value)),
        }
    };
    value.split(',').map(parse).collect()
}

fn select(value: &str, view: &'static View) -> Result<Vec<&'static str>, Failure> {
    let known = |field: &str| view.fields.iter().map(|(name, _)| *name).find(|name| *name == field.trim());
    value.split(',').map(|field| known(field).ok_or_else(|| invalid("$select", value))).collect()
}

fn invalid(option: &str, value: &str) -> Failure {
    Failure::BadRequest(format!("The query option {option} does not support the value '{value}'."))
}

fn compare_values(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        _ => one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal),
    }
}
