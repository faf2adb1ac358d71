//! The vocabulary as a reference in Markdown, for people.

use std::collections::HashSet;

use crate::config::shape::{Form, Mapping, Presence, Shape};
use crate::config::vocabulary::TopLevelKeys;
use crate::markdown::wrapped;

/// The introduction of the page.
const INTRODUCTION: &str = "\
# Configuration reference

Every key of `proxy.yaml`. Start from the commented sample `proxy.yaml`, and look up here what a key does.
`bcproxy schema --markdown` prints this page, `bcproxy check` finds mistakes in a file.

- **Durations** have a unit: `500ms`, `10s`, `5m` or `1h30m`. The longest is `24h`.
- **Relative paths** start in the folder of `proxy.yaml`.
- **Secrets** are never written in the file. It names the variable, file or command that holds them.
- **Names** with `: ` or ` #` need quotation marks: `\"CRONUS #1\"`.
";

/// The reference of `proxy.yaml` in Markdown: one section for each mapping, in the order of the file.
pub fn reference() -> String {
    let file = TopLevelKeys::form();
    let mut sections = Vec::new();
    collect(&file, "", &mut HashSet::new(), &mut sections);
    let written = sections.iter().map(|section| section.text(&sections));
    std::iter::once(INTRODUCTION.to_owned()).chain(written).collect()
}

/// The section of one mapping.
struct Section<'v> {
    /// How the keys are reached, such as `connectors.NAME`, as code.
    heading: String,
    mapping: &'v Mapping,
}

/// Collects a mapping and the mappings in it. A mapping that occurs twice has one section.
fn collect<'v>(form: &'v Form, path: &str, seen: &mut HashSet<&'static str>, sections: &mut Vec<Section<'v>>) {
    let Form::Mapping(mapping) = form.inner() else { return };
    if !seen.insert(mapping.title) {
        return;
    }
    let heading = if path.is_empty() { "Top level".to_owned() } else { format!("`{path}`") };
    sections.push(Section { heading, mapping });
    for field in &mapping.fields {
        let dot = if path.is_empty() { "" } else { "." };
        collect(&field.form, &format!("{path}{dot}{}{}", field.key, suffix(&field.form)), seen, sections);
    }
}

impl Section<'_> {
    /// The fragment that GitHub gives to the heading.
    fn anchor(&self) -> String {
        let anchor = self.heading.to_lowercase().replace(' ', "-");
        anchor.chars().filter(|character| character.is_alphanumeric() || "-_".contains(*character)).collect()
    }

    /// A table of the keys, and a list with the description of each.
    fn text(&self, all: &[Self]) -> String {
        let mut text = format!("\n## {}\n\n{}\n", self.heading, wrapped(self.mapping.doc, "", ""));
        text += "| Key | Value | Default |\n|---|---|---|\n";
        for field in &self.mapping.fields {
            let default = match field.presence {
                Presence::Required => "**required**".to_owned(),
                Presence::Unless(other) => format!("**required** without `{other}`"),
                Presence::Optional => "—".to_owned(),
                Presence::Default("{}") => "its defaults".to_owned(),
                Presence::Default(text) => format!("`{text}`"),
            };
            text += &format!("| `{}` | {} | {default} |\n", field.key, value(&field.form, all));
        }
        if !self.mapping.one_of.is_empty() {
            let rule = format!(
                "Set exactly one of {}.",
                listed(&self.mapping.one_of.iter().map(code).collect::<Vec<_>>(), "and")
            );
            text += &format!("\n{}", wrapped(&rule, "", ""));
        }
        text.push('\n');
        for field in &self.mapping.fields {
            text += &wrapped(&format!("**`{}`**: {}", field.key, field.doc), "- ", "  ");
        }
        text
    }
}

/// The part of a path between a key and the keys below it.
fn suffix(form: &Form) -> String {
    match form {
        Form::Named { name, item } => format!(".{name}{}", suffix(item)),
        Form::List { item, .. } => format!("[]{}", suffix(item)),
        Form::OrOff(item) | Form::Short { full: item, .. } => suffix(item),
        Form::Text { .. } | Form::Choice(_) | Form::Mapping(_) => String::new(),
    }
}

/// The value of a key in a few words.
fn value(form: &Form, sections: &[Section<'_>]) -> String {
    listed(&alternatives(form, sections), "or")
}

/// What a value may be. Mappings are links to their section.
fn alternatives(form: &Form, sections: &[Section<'_>]) -> Vec<String> {
    match form {
        Form::Text { what, .. } => vec![(*what).to_owned()],
        Form::Choice(words) => words.iter().map(code).collect(),
        Form::Mapping(mapping) => {
            let section = sections.iter().find(|section| section.mapping.title == mapping.title);
            vec![section.map_or("a mapping".to_owned(), |section| format!("a [mapping](#{})", section.anchor()))]
        }
        Form::Named { name, item } => vec![format!("`{name}:` {}, …", value(item, sections))],
        Form::List { item, or_one: true } => [alternatives(item, sections), vec!["a list".to_owned()]].concat(),
        Form::List { item, or_one: false } => vec![format!("a list, each item {}", value(item, sections))],
        Form::OrOff(item) => [vec![code(&"off")], alternatives(item, sections)].concat(),
        Form::Short { text, full } => [alternatives(text, sections), alternatives(full, sections)].concat(),
    }
}

fn code(word: &&'static str) -> String {
    format!("`{word}`")
}

/// Items in a row, with this conjunction before the last.
fn listed(items: &[String], conjunction: &str) -> String {
    match items {
        [others @ .., last] if !others.is_empty() => format!("{} {conjunction} {last}", others.join(", ")),
        all => all.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::vocabulary::all_keys;

    #[test]
    fn every_key_is_in_the_reference() {
        let reference = reference();
        for key in all_keys() {
            assert!(reference.contains(&format!("| `{key}` | ")), "{key}");
            assert!(reference.contains(&format!("- **`{key}`**: ")), "{key}");
        }
    }

    #[test]
    fn no_line_is_longer_than_120_columns() {
        for line in reference().lines() {
            assert!(line.chars().count() <= 120, "{line}");
        }
    }

    #[test]
    fn every_link_leads_to_a_section() {
        let reference = reference();
        let sections: HashSet<String> = reference
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .map(|heading| {
                heading.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect::<String>().to_lowercase()
            })
            .collect();
        let links: Vec<&str> = reference.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert!(links.len() > 20, "{links:?}");
        assert!(links.iter().all(|link| sections.contains(*link)), "{links:?} in {sections:?}");
    }
}
