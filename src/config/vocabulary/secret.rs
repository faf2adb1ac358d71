//! Where a secret is stored.

use std::path::PathBuf;

use super::scalars::{Text, VariableName};
use crate::config::shape::{At, Form, SECRET_FORM, Shape, mapping};
use crate::config::yaml::{Node, Report, Value};
use crate::secret::{SecretCommand, SecretName, SecretSource, SecretStore, WindowsSecret};

mapping! {
    /// Where a secret is stored.
    SecretKeys: "secret", one of [env, file, command, windows] {
        /// The name of an environment variable that holds the secret. A new value needs a restart.
        env: VariableName = Optional,
        /// A file that holds nothing but the secret. Relative to the folder of `proxy.yaml`. Surrounding white space is
        /// ignored.
        file: PathBuf = Optional,
        /// A program and its arguments, run without a shell. Its output is the secret. It must finish within 30
        /// seconds. It does not get the environment variables that this file names with `env`.
        command: Vec<At<Text>> = Optional,
        /// The name of a secret that `bcproxy service secret set NAME` has stored, encrypted for this machine. Windows
        /// only. The file is `secrets\NAME.dpapi` in the folder of `proxy.yaml`.
        windows: SecretName = Optional,
        /// The day on which the secret expires, as Entra shows it: `2027-05-01`. bcproxy warns from 30 days before.
        expires: time::Date = Optional,
    }
}

/// Where a secret is stored, and when it expires.
#[derive(Debug)]
pub struct Secret {
    pub source: At<SecretSource>,
    pub expires: Option<At<time::Date>>,
}

impl Shape for Secret {
    fn form() -> Form {
        SecretKeys::form()
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        read_secret(node, SECRET_FORM, report)
    }
}

/// Reads where a secret is stored. `form` is the correct form, for messages.
pub fn read_secret(node: &Node, form: &str, report: &mut Report) -> Option<Secret> {
    let right_form = format!("write where the secret is stored: {form}, or {{ file: … }}, or {{ command: [ … ] }}");
    let is_location = |entry: &&(Node, Node)| entry.0.text() != Some("expires");
    match &node.value {
        Value::Scalar { .. } => {
            report.error(node.span, "a secret is never written in this file", right_form);
            None
        }
        Value::Mapping(entries) if entries.iter().filter(is_location).count() != 1 => {
            entries.iter().for_each(|(_, value)| report.mask(value.span));
            report.error(node.label, "a secret needs exactly one of `env`, `file`, `command` or `windows`", right_form);
            None
        }
        _ => {
            let SecretKeys { env, file, command, windows, expires } = SecretKeys::read(node, report)?;
            let command_of = |argv: Vec<At<Text>>| {
                let argv = argv.into_iter().map(|argument| argument.value.0).collect();
                SecretSource::Command(SecretCommand { argv, hidden_variables: Vec::new() })
            };
            let env = env.map(|name| name.map(|name| SecretSource::Env(name.0)));
            let file = file.map(|path| path.map(SecretSource::File));
            let command = command.map(|command| command.map(command_of));
            let windows = windows.and_then(|name| stored(name, cfg!(windows), form, report));
            Some(Secret { source: env.or(file).or(command).or(windows)?, expires })
        }
    }
}

/// The source for a secret in the store of Windows, which other systems don't have.
fn stored(name: At<SecretName>, is_windows: bool, form: &str, report: &mut Report) -> Option<At<SecretSource>> {
    if !is_windows {
        let help = format!("on this system, write {form}, or {{ file: … }}, or {{ command: [ … ] }}");
        report.error(name.span, "secrets can be stored this way only on Windows", help);
        return None;
    }
    let store = SecretStore::of_configuration(report.file());
    Some(name.map(|name| SecretSource::Windows(WindowsSecret { store, name })))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::shape::read_at;
    use crate::config::yaml::{Source, node};

    #[test]
    fn a_stored_secret_is_in_the_folder_of_the_file_and_on_windows_only() {
        let text = "client-secret";
        let tree = node::parse(text).unwrap();
        let mut report = Report::new(Source::new(&Path::new("conf").join("proxy.yaml"), text), &tree);
        let name = || read_at::<SecretName>(tree.root.as_ref().unwrap(), &mut aside(text)).unwrap();
        let source = stored(name(), true, SECRET_FORM, &mut report).unwrap();
        assert_eq!(source.value.path(), Some(Path::new("conf").join("secrets").join("client-secret.dpapi")));
        assert!(!report.has_errors());
        assert!(stored(name(), false, SECRET_FORM, &mut report).is_none() && report.has_errors());
    }

    fn aside(text: &str) -> Report {
        Report::new(Source::new(Path::new("proxy.yaml"), text), &node::parse(text).unwrap())
    }
}
