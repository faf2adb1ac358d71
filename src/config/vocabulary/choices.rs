//! Types that are written as one of a few words.

use hyper::Method;

use crate::config::model::{AuthScheme, Browsers, LogFormat};
use crate::config::shape::{Form, Shape, text_at};
use crate::config::yaml::{Node, Report, closest_match};
use crate::entra::Cloud;

/// The only value of `if_match`: any version, written `*`.
#[derive(Debug, Clone, Copy)]
pub struct AnyVersion;

/// Reads one of a few words.
fn choice<T>(node: &Node, report: &mut Report, choices: impl Fn() -> Vec<(&'static str, T)>) -> Option<T> {
    let words: Vec<&str> = choices().iter().map(|(word, _)| *word).collect();
    let text = text_at(node, &format!("one of {}", words.join(", ")), report)?;
    let found = choices().into_iter().find(|(word, _)| *word == text).map(|(_, value)| value);
    if found.is_none() {
        let help = match closest_match(text, words.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "write one of these words, with upper and lower case as shown".to_owned(),
        };
        report.error(node.span, format!("expected one of {}", words.join(", ")), help);
    }
    found
}

/// Declares types that are written as one of a few words.
macro_rules! choices {
    ($($type:ty: [$($word:literal => $value:expr),+];)+) => {
        $(impl Shape for $type {
            fn form() -> Form {
                Form::Choice(vec![$($word),+])
            }

            fn read(node: &Node, report: &mut Report) -> Option<Self> {
                choice(node, report, || vec![$(($word, $value)),+])
            }
        })+
    };
}

choices! {
    bool: ["true" => true, "false" => false];
    AnyVersion: ["*" => Self];
    AuthScheme: ["none" => Self::None, "basic" => Self::Basic, "ntlm" => Self::Ntlm, "api_key" => Self::ApiKey, "mtls" => Self::Mtls];
    Browsers: ["deny" => Self::Deny, "allow" => Self::Allow];
    Cloud: ["public" => Self::Public, "us-government" => Self::UsGovernment, "china" => Self::China];
    LogFormat: ["auto" => Self::Auto, "text" => Self::Text, "json" => Self::Json];
    tracing::Level: ["error" => Self::ERROR, "warn" => Self::WARN, "info" => Self::INFO, "debug" => Self::DEBUG, "trace" => Self::TRACE];
}

/// The methods that Business Central supports, in upper case. MERGE is OData's old name for PATCH.
pub const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "MERGE"];

impl Shape for Method {
    fn form() -> Form {
        Form::Choice(METHODS.to_vec())
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let name = choice(node, report, || METHODS.map(|name| (name, name)).to_vec())?;
        Self::from_bytes(name.as_bytes()).ok()
    }
}
