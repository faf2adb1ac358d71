//! The query options of an entity set.

use std::cmp::Ordering;

use serde_json::Value;
use uuid::Uuid;

use super::filter::Filter;
use crate::simulator::business_central::data::records::Record;
use crate::simulator::business_central::data::schema::{EntityView, Navigation};
use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::business_central::request::ServiceRequest;

/// The maximum page size (BC, "Operational limits").
const MAX_PAGE_SIZE: usize = 20_000;

/// The maximum depth of nested `$expand` options.
const MAX_DEPTH: usize = 8;

/// The parsed query options.
#[derive(Debug, Default)]
pub(super) struct QueryOptions {
    pub filter: Option<Filter>,
    pub order: Vec<(&'static str, Direction)>,
    /// The selected fields; empty selects all.
    pub select: Vec<&'static str>,
    pub expand: Vec<Expand>,
    pub top: Option<usize>,
    pub skip: usize,
    pub count: bool,
    /// The last record of the previous page.
    pub skip_token: Option<Uuid>,
    /// The raw options that also apply to the next page.
    pub carried_over: Vec<String>,
}

/// A navigation whose target is included in the record.
#[derive(Debug)]
pub(super) struct Expand {
    pub navigation: &'static Navigation,
    pub options: QueryOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

impl QueryOptions {
    pub fn parse(raw_query: &str, view: &'static EntityView) -> Result<Self, BusinessCentralError> {
        let mut options = Self::default();
        for raw in raw_query.split('&').filter(|raw| !raw.is_empty()) {
            let Some((name, value)) = form_urlencoded::parse(raw.as_bytes()).next() else {
                continue;
            };
            if options.take(&name, &value, view, 0)? {
                options.carried_over.push(raw.to_owned());
            }
        }
        Ok(options)
    }

    /// Applies an option. Returns whether it also applies to the next page.
    fn take(
        &mut self,
        name: &str,
        value: &str,
        view: &'static EntityView,
        depth: usize,
    ) -> Result<bool, BusinessCentralError> {
        match name {
            "$filter" => {
                let filter =
                    Filter::parse(value, view).map_err(|error| BusinessCentralError::BadRequest(error.to_string()))?;
                self.filter = Some(filter);
            }
            "$orderby" => self.order = order(value, view)?,
            "$select" => self.select = select(value, view)?,
            "$expand" => self.expand = expand(value, view, depth)?,
            "$count" => self.count = value.parse().map_err(|_| invalid(name, value))?,
            "$top" => self.top = Some(value.parse().map_err(|_| invalid(name, value))?),
            "$skip" => self.skip = value.parse().map_err(|_| invalid(name, value))?,
            "$skiptoken" => self.skip_token = Some(Uuid::try_parse(value).map_err(|_| invalid(name, value))?),
            "$format" if value == "json" => {}
            system if system.starts_with('$') => return Err(invalid(system, value)),
            _ => {}
        }
        Ok(!matches!(name, "$top" | "$skip" | "$skiptoken" | "aid" | "tenant" | "company"))
    }

    /// Compares records in the requested order. Equal records keep the order of the table.
    pub fn compare(&self, one: &Record, other: &Record) -> Ordering {
        let by_column = |(column, direction): &(&'static str, Direction)| {
            let order = compare_values(one.value(column), other.value(column));
            if *direction == Direction::Descending { order.reverse() } else { order }
        };
        self.order.iter().map(by_column).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// The page size of a request: `Prefer: odata.maxpagesize` up to [`MAX_PAGE_SIZE`], or the default.
pub(super) fn page_size(request: &ServiceRequest, default: usize) -> usize {
    let preferred = request.preferences().find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let matches = ["odata.maxpagesize", "maxpagesize"].iter().any(|known| name.eq_ignore_ascii_case(known));
        value.trim_matches('"').parse::<usize>().ok().filter(|size| matches && *size > 0)
    });
    preferred.unwrap_or(default).clamp(1, MAX_PAGE_SIZE)
}

fn order(value: &str, view: &'static EntityView) -> Result<Vec<(&'static str, Direction)>, BusinessCentralError> {
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

fn select(value: &str, view: &'static EntityView) -> Result<Vec<&'static str>, BusinessCentralError> {
    let known = |field: &str| view.fields.iter().map(|(name, _)| *name).find(|name| *name == field.trim());
    value.split(',').map(|field| known(field).ok_or_else(|| invalid("$select", value))).collect()
}

/// Parses `salesOrderLines($top=1;$select=id),pdfDocument`.
fn expand(value: &str, view: &'static EntityView, depth: usize) -> Result<Vec<Expand>, BusinessCentralError> {
    if depth > MAX_DEPTH {
        return Err(invalid("$expand", value));
    }
    let parse = |part: &str| {
        let part = part.trim();
        let (name, inner) = match part.strip_suffix(')').and_then(|part| part.split_once('(')) {
            Some((name, inner)) => (name, inner),
            None => (part, ""),
        };
        let navigation = view.navigation(name).ok_or_else(|| invalid("$expand", value))?;
        let mut options = QueryOptions::default();
        for option in split_outside(inner, ';').filter(|option| !option.is_empty()) {
            let target = navigation.view().ok_or_else(|| invalid("$expand", value))?;
            let (name, value) = option.split_once('=').ok_or_else(|| invalid("$expand", option))?;
            if options.take(name.trim(), value, target, depth + 1)? {
                options.carried_over.push(option.to_owned());
            }
        }
        Ok(Expand { navigation, options })
    };
    split_outside(value, ',').map(parse).collect()
}

/// Splits a text at separators outside parentheses and quotes.
fn split_outside(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut depth, mut quoted) = (0_usize, false);
    text.split(move |character| {
        match character {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == separator && depth == 0 && !quoted
    })
}

fn invalid(option: &str, value: &str) -> BusinessCentralError {
    BusinessCentralError::BadRequest(format!("The query option {option} does not support the value '{value}'."))
}

fn compare_values(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        _ => one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal),
    }
}
