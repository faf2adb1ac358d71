//! The vocabulary as a reference in Markdown, for people.

use std::collections::HashSet;

use super::doc::one_line;
use crate::config::shape::form::{Form, Presence, Shape};
use crate::config::vocabulary::top_level::TopLevelKeys;

/// The reference of `proxy.yaml`, in Markdown: one section for each mapping, in the order of the file.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration reference\n\n\
         Every key of `proxy.yaml`. This page is made from the program itself by `bcproxy schema --markdown`; \
         the commented sample `proxy.yaml` is the place to begin.\n",
    );
    let mut done = HashSet::new();
    sections(&TopLevelKeys::form(), "", &mut done, &mut text);
    text
}

/// Writes the section of a mapping, then those of the mappings in it. `path` is how its keys are reached: `connectors.NAME.`.
fn sections(form: &Form, path: &str, done: &mut HashSet<&'static str>, text: &mut String) {
    let Form::Mapping(mapping) = form.inner() else { return };
    if !done.insert(mapping.title) {
        return;
    }
    let title = if path.is_empty() { "The file".to_owned() } else { format!("`{}`", path.trim_end_matches('.')) };
    *text += &format!("\n## {title}\n\n{}\n\n", one_line(mapping.doc));
    *text += "| key | value | default | |\n|---|---|---|---|\n";
    for field in &mapping.fields {
        let default = match field.presence {
            Presence::Optional if mapping.one_of.contains(&field.key) => "one of these".to_owned(),
            Presence::Required => "**required**".to_owned(),
            Presence::Unless(other) => format!("**required**, unless there are `{other}`"),
            Presence::Optional => "—".to_owned(),
            Presence::Default("{}") => "as below".to_owned(),
            Presence::Default(text) => format!("`{text}`"),
        };
        *text += &format!("| `{}` | {} | {default} | {} |\n", field.key, value_text(&field.form), one_line(field.doc));
    }
    for field in &mapping.fields {
        sections(&field.form, &format!("{path}{}{}.", field.key, suffix(&field.form)), done, text);
    }
}

/// What stands between a key and the keys below it.
fn suffix(form: &Form) -> String {
    match form {
        Form::Named { name, item } => format!(".{name}{}", suffix(item)),
        Form::List { item, .. } => format!("[]{}", suffix(item)),
        Form::OrOff(item) | Form::Short { full: item, .. } => suffix(item),
        Form::Text { .. } | Form::Choice(_) | Form::Mapping(_) => String::new(),
    }
}

fn value_text(form: &Form) -> String {
    match form {
        Form::Text { what, .. } => (*what).to_owned(),
        Form::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Form::Mapping(mapping) if !mapping.one_of.is_empty() => {
            mapping.one_of.iter().map(|key| format!("`{{ {key}: … }}`")).collect::<Vec<_>>().join(" or ")
        }
        Form::Mapping(_) => "a mapping".to_owned(),
        Form::Named { name, item } => format!("`{name}:` {}, …", value_text(item)),
        Form::List { item, or_one: true } => format!("{}, or a list", value_text(item)),
        Form::List { item, or_one: false } => format!("a list: {}, …", value_text(item)),
        Form::OrOff(item) => format!("`off`, or {}", value_text(item)),
        Form::Short { text, full } => format!("{}, or {}", value_text(text), value_text(full)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::vocabulary::keys::all_keys;

    #[test]
    fn every_key_is_in_the_reference() {
        let reference = reference();
        for key in all_keys() {
            assert!(reference.contains(&format!("| `{key}` | ")), "{key}");
        }
    }
}
