//! The vocabulary as others read it: a JSON Schema for editors, and the reference in Markdown.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::shape::{Field, Form, Mapping, Presence, Shape};
use super::vocabulary::File;

/// The JSON Schema (draft 7, which editors know best) of `proxy.yaml`.
pub fn schema() -> Value {
    let mut schema = json_schema(&File::form());
    if let Value::Object(schema) = &mut schema {
        schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        schema.insert("title".to_owned(), json!("bcproxy: proxy.yaml"));
    }
    schema
}

/// The reference of `proxy.yaml`, in Markdown: one section for each mapping, in the order of the file.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration reference\n\n\
         Every key of `proxy.yaml`. This page is made from the program itself by `bcproxy schema --markdown`; \
         the commented sample `proxy.yaml` is the place to begin.\n",
    );
    let mut done = HashSet::new();
    sections(&File::form(), "", &mut done, &mut text);
    text
}

/// Every key of the vocabulary, once.
pub fn all_keys() -> Vec<&'static str> {
    fn collect(form: &Form, keys: &mut Vec<&'static str>) {
        if let Form::Mapping(mapping) = form.inner() {
            for field in &mapping.fields {
                keys.push(field.key);
                collect(&field.form, keys);
            }
        }
    }
    let mut keys = Vec::new();
    collect(&File::form(), &mut keys);
    keys.sort_unstable();
    keys.dedup();
    keys
}

impl Form {
    /// The form of one item, where lists, names and `off` are left aside.
    fn inner(&self) -> &Self {
        match self {
            Self::Named { item, .. } | Self::List { item, .. } | Self::OrOff(item) | Self::Short { full: item, .. } => {
                item.inner()
            }
            Self::Text { .. } | Self::Choice(_) | Self::Mapping(_) => self,
        }
    }
}

fn json_schema(form: &Form) -> Value {
    match form {
        Form::Text { schema, .. } => {
            let mut all = Map::from_iter([("type".to_owned(), json!("string"))]);
            all.extend(schema.as_object().cloned().unwrap_or_default());
            Value::Object(all)
        }
        Form::Choice(words) if words == &["true", "false"] => json!({ "type": "boolean" }),
        Form::Choice(words) => json!({ "enum": words }),
        Form::Named { item, .. } => {
            json!({ "type": "object", "minProperties": 1, "additionalProperties": json_schema(item) })
        }
        Form::List { item, or_one } => {
            let item = json_schema(item);
            let list = json!({ "type": "array", "minItems": 1, "items": item });
            if *or_one { json!({ "anyOf": [item, list] }) } else { list }
        }
        // An editor that reads YAML 1.1 takes `off` for a truth value.
        Form::OrOff(item) => json!({ "anyOf": [{ "enum": ["off", false] }, json_schema(item)] }),
        Form::Short { text, full } => json!({ "anyOf": [json_schema(text), json_schema(full)] }),
        Form::Mapping(mapping) => mapping_schema(mapping),
    }
}

fn mapping_schema(mapping: &Mapping) -> Value {
    let mut properties = Map::new();
    for field in &mapping.fields {
        let mut schema = json_schema(&field.form);
        if let Value::Object(schema) = &mut schema {
            schema.insert("description".to_owned(), json!(prose(field.doc)));
            if let Presence::Default(text) = field.presence
                && text != "{}"
            {
                schema.insert("default".to_owned(), serde_json::from_str(text).unwrap_or(json!(text)));
            }
        }
        properties.insert(field.key.to_owned(), schema);
    }
    let is_required = |field: &&Field| field.presence == Presence::Required;
    let required: Vec<&str> = mapping.fields.iter().filter(is_required).map(|field| field.key).collect();
    let unless = |field: &Field| match field.presence {
        Presence::Unless(other) => Some((field.key, other)),
        _ => None,
    };
    let unless: Vec<(&str, &str)> = mapping.fields.iter().filter_map(unless).collect();
    let mut schema = json!({
        "type": "object",
        "description": prose(mapping.doc),
        "additionalProperties": false,
        "properties": properties,
    });
    if let Value::Object(schema) = &mut schema {
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        if !mapping.one_of.is_empty() {
            // What is required unless there is another key is required beside each that is not that one.
            let one = |key: &&str| {
                let others = unless.iter().filter(|(_, other)| other != key).map(|(key, _)| *key);
                json!({ "required": std::iter::once(*key).chain(others).collect::<Vec<_>>() })
            };
            schema.insert("oneOf".to_owned(), mapping.one_of.iter().map(one).collect());
        }
    }
    schema
}

/// Writes the section of a mapping, then those of the mappings in it. `path` is how its keys are reached: `connectors.NAME.`.
fn sections(form: &Form, path: &str, done: &mut HashSet<&'static str>, text: &mut String) {
    let Form::Mapping(mapping) = form.inner() else { return };
    if !done.insert(mapping.title) {
        return;
    }
    let title = if path.is_empty() { "The file".to_owned() } else { format!("`{}`", path.trim_end_matches('.')) };
    *text += &format!("\n## {title}\n\n{}\n\n", prose(mapping.doc));
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
        *text += &format!("| `{}` | {} | {default} | {} |\n", field.key, value_text(&field.form), prose(field.doc));
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

/// A doc comment in one line.
fn prose(doc: &str) -> String {
    doc.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_what_must_be_written_and_refuses_what_it_does_not_know() {
        let schema = schema();
        let connector = &schema["properties"]["connectors"]["additionalProperties"];
        assert_eq!(schema["required"], json!(["connectors"]));
        assert_eq!(connector["required"], json!(["tenant_id"]));
        assert_eq!(connector["oneOf"][0], json!({ "required": ["client_secret", "client_id"] }));
        assert_eq!(connector["oneOf"][4], json!({ "required": ["applications"] }));
        assert_eq!(connector["additionalProperties"], json!(false));
        assert_eq!(connector["properties"]["environment"]["default"], json!("Production"));
        assert_eq!(schema["properties"]["log"]["properties"]["requests"]["default"], json!(true));
    }

    #[test]
    fn every_key_is_in_the_reference() {
        let reference = reference();
        for key in all_keys() {
            assert!(reference.contains(&format!("| `{key}` | ")), "{key}");
        }
    }
}
