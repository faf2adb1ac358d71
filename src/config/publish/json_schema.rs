//! The vocabulary as a JSON Schema, for editors.

use serde_json::{Map, Value, json};

use crate::config::shape::{Field, Form, Mapping, Presence, Shape};
use crate::config::vocabulary::TopLevelKeys;

/// The JSON Schema of `proxy.yaml` (draft 7, which most editors support).
pub fn schema() -> Value {
    let mut schema = json_schema(&TopLevelKeys::form());
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("bcproxy: proxy.yaml");
    schema
}

fn json_schema(form: &Form) -> Value {
    match form {
        Form::Text { schema, .. } => {
            let mut all = json!({ "type": "string" });
            schema.as_object().into_iter().flatten().for_each(|(key, value)| all[key] = value.clone());
            all
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
        // An editor with YAML 1.1 reads `off` as a boolean.
        Form::OrOff(item) => json!({ "anyOf": [{ "enum": ["off", false] }, json_schema(item)] }),
        Form::Short { text, full } => json!({ "anyOf": [json_schema(text), json_schema(full)] }),
        Form::Mapping(mapping) => mapping_schema(mapping),
    }
}

/// A doc comment in one line.
fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn mapping_schema(mapping: &Mapping) -> Value {
    let mut properties = Map::new();
    for field in &mapping.fields {
        let mut schema = json_schema(&field.form);
        schema["description"] = json!(one_line(field.doc));
        if let Presence::Default(text) = field.presence
            && text != "{}"
        {
            schema["default"] = serde_json::from_str(text).unwrap_or(json!(text));
        }
        properties.insert(field.key.to_owned(), schema);
    }
    let is_required = |field: &&Field| field.presence == Presence::Required;
    let required: Vec<&str> = mapping.fields.iter().filter(is_required).map(|field| field.key).collect();
    let mut schema = json!({
        "type": "object",
        "description": one_line(mapping.doc),
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if !mapping.one_of.is_empty() {
        // A key required without `other` is required beside every choice except `other`.
        let one = |key: &&str| {
            let is_beside = |field: &&Field| matches!(field.presence, Presence::Unless(other) if other != *key);
            let others = mapping.fields.iter().filter(is_beside).map(|field| field.key);
            json!({ "required": std::iter::once(*key).chain(others).collect::<Vec<_>>() })
        };
        schema["oneOf"] = mapping.one_of.iter().map(one).collect();
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doc_comment_becomes_one_line() {
        assert_eq!(one_line(" Where it is.\n Never the secret.\n"), "Where it is. Never the secret.");
    }

    #[test]
    fn the_schema_requires_required_keys_and_rejects_unknown_ones() {
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
}
