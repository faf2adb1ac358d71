//! `bcproxy errors`: explains the errors of Entra and Business Central.

use serde_json::{Value, json};

use super::common::{Failure, Output};
use crate::guide::{self, KnownError};

/// Explains one error, or lists all known ones.
///
/// `wanted` is an AADSTS number, with or without `AADSTS`, or an `error.code` of Business Central.
pub fn errors(wanted: Option<&str>, markdown: bool, output: Output) -> Result<(), Failure> {
    if markdown {
        print!("{}", guide::reference());
        return Ok(());
    }
    let known: Vec<_> = guide::known().filter(|(codes, _)| wanted.is_none_or(|wanted| names(codes, wanted))).collect();
    match output {
        Output::Json => {
            println!("{:#}", Value::Array(known.iter().map(|(codes, error)| as_json(codes, error)).collect()));
        }
        Output::Text => {
            for (codes, error) in &known {
                println!("{}\n  {error}\n", codes.join(", "));
            }
        }
    }
    match wanted {
        Some(wanted) if known.is_empty() => Err(Failure::Failed(unknown(wanted))),
        _ => Ok(()),
    }
}

fn names(codes: &[String], wanted: &str) -> bool {
    let is_number = wanted.bytes().all(|byte| byte.is_ascii_digit());
    let wanted = if is_number { format!("AADSTS{wanted}") } else { wanted.to_owned() };
    codes.iter().any(|code| code.split(' ').any(|word| word.eq_ignore_ascii_case(&wanted)))
}

fn unknown(wanted: &str) -> String {
    let number: String = wanted.chars().filter(char::is_ascii_digit).collect();
    if number.is_empty() {
        return format!("bcproxy has no explanation of {wanted}. To list all known errors, run `bcproxy errors`.");
    }
    format!(
        "bcproxy has no explanation of {wanted}. See Microsoft's page: https://login.microsoftonline.com/error?code={number}"
    )
}

fn as_json(codes: &[String], error: &KnownError) -> Value {
    json!({
        "codes": codes,
        "step": error.step.map(guide::Step::name),
        "number": error.step.map(guide::Step::number),
        "meaning": error.meaning,
        "fix": error.fix,
        "passes_by_itself": !error.needs_setup(),
    })
}
