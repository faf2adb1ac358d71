//! Where a secret is stored.

use std::path::PathBuf;

use super::scalars::{Text, VariableName};
use crate::config::shape::form::{Form, Shape};
use crate::config::shape::mapping::{SECRET_FORM, mapping};
use crate::config::shape::read::At;
use crate::config::yaml::node::{Node, Value};
use crate::config::yaml::report::Report;
use crate::config::yaml::source::Span;

mapping! {
    /// Where a secret is stored.
    SecretKeys: "secret", one of [env, file, command] {
        /// The name of an environment variable that holds the secret. A new value needs a restart.
        env: VariableName = Optional,
        /// A file that holds nothing but the secret. Relative to the folder of `proxy.yaml`. Surrounding white space is
        /// ignored.
        file: PathBuf = Optional,
        /// A program and its arguments, run without a shell. Its output is the secret. It must finish within 30
        /// seconds.
        command: Vec<At<Text>> = Optional,
        /// The day on which the secret expires, as Entra shows it: `2027-05-01`. bcproxy warns from 30 days before.
        expires: time::Date = Optional,
    }
}

/// Where a secret is stored, and when it expires.
#[derive(Debug)]
pub struct Secret {
    pub location: SecretLocation,
    pub expires: Option<At<time::Date>>,
}

/// Where a secret is stored.
#[derive(Debug)]
pub enum SecretLocation {
    Env(VariableName, Span),
    File(PathBuf, Span),
    Command(Vec<String>),
}

impl Shape for Secret {
    fn form() -> Form {
        SecretKeys::form()
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        read_location(node, SECRET_FORM, report).map(|(location, expires)| Self { location, expires })
    }
}

/// Reads the location of a secret and its last day. `form` is the correct form, for messages.
pub fn read_location(node: &Node, form: &str, report: &mut Report) -> Option<(SecretLocation, Option<At<time::Date>>)> {
    let right_form = format!("write where the secret is stored: {form}, or {{ file: … }}, or {{ command: [ … ] }}");
    let is_location = |entry: &&(Node, Node)| entry.0.text() != Some("expires");
    match &node.value {
        Value::Scalar { .. } => {
            report.error(node.span, "a secret is never written in this file", right_form);
            None
        }
        Value::Mapping(entries) if entries.iter().filter(is_location).count() != 1 => {
            entries.iter().for_each(|(_, value)| report.mask(value.span));
            report.error(node.label, "a secret needs exactly one of `env`, `file` or `command`", right_form);
            None
        }
        _ => {
            let SecretKeys { env, file, command, expires } = SecretKeys::read(node, report)?;
            let argv = |argv: At<Vec<At<Text>>>| argv.value.into_iter().map(|argument| argument.value.0).collect();
            let location = env.map(|name| SecretLocation::Env(name.value, name.span));
            let location = location.or_else(|| file.map(|path| SecretLocation::File(path.value, path.span)));
            let location = location.or_else(|| command.map(|command| SecretLocation::Command(argv(command))));
            location.map(|location| (location, expires))
        }
    }
}
