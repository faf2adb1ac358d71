//! `bcproxy errors`: explains the errors of Entra, Business Central and bcproxy itself, and HTTP statuses.

use anstream::{print, println};
use hyper::StatusCode;
use serde_json::{Value, json};

use super::common::{Failure, Output};
use crate::guide::{self, KnownCodes};

/// Explains one error or status, or lists all known errors.
///
/// `wanted` is an AADSTS number, with or without `AADSTS`, an `error.code` of Business Central or bcproxy, or a status.
pub fn errors(wanted: Option<&str>, markdown: bool, output: Output) -> Result<(), Failure> {
    if markdown {
        print!("{}", guide::reference());
        return Ok(());
    }
    let status = wanted.and_then(status);
    let meaning = status.and_then(guide::http_status);
    let known: Vec<KnownCodes> =
        guide::known().filter(|known| wanted.is_none_or(|wanted| names(&known.codes, wanted))).collect();
    match output {
        Output::Json => {
            let status = status.zip(meaning).map(|(status, meaning)| status_as_json(status, meaning));
            let all: Vec<Value> = status.into_iter().chain(known.iter().map(as_json)).collect();
            println!("{:#}", Value::Array(all));
        }
        Output::Text => {
            if let Some((status, meaning)) = status.zip(meaning) {
                println!("{status}\n  {meaning}\n");
            }
            for KnownCodes { codes, sender, error } in &known {
                println!("{} (from {sender})\n  {error}\n", codes.join(", "));
            }
        }
    }
    match (wanted, status) {
        (Some(_), Some(status)) if known.is_empty() && meaning.is_none() => {
            Err(Failure::Failed(format!("{status} is not bcproxy's. {FORWARDED}")))
        }
        (Some(wanted), None) if known.is_empty() => Err(Failure::Failed(unknown(wanted))),
        _ => Ok(()),
    }
}

/// The HTTP status, if it is one: AADSTS numbers have more digits.
fn status(wanted: &str) -> Option<StatusCode> {
    StatusCode::from_bytes(wanted.as_bytes()).ok()
}

fn names(codes: &[String], wanted: &str) -> bool {
    let is_aadsts = wanted.bytes().all(|byte| byte.is_ascii_digit()) && status(wanted).is_none();
    let wanted = if is_aadsts { format!("AADSTS{wanted}") } else { wanted.to_owned() };
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

fn status_as_json(status: StatusCode, meaning: &str) -> Value {
    json!({ "status": status.as_u16(), "reason": status.canonical_reason(), "meaning": meaning })
}

fn as_json(KnownCodes { codes, sender, error }: &KnownCodes) -> Value {
    json!({
        "codes": codes,
        "sender": sender.to_string(),
        "step": error.step.map(guide::Step::name),
        "number": error.step.map(guide::Step::number),
        "meaning": error.meaning,
        "fix": error.fix,
        "passes_by_itself": !error.needs_setup(),
    })
}

const FORWARDED: &str = "bcproxy forwards it from Business Central unchanged: read the message in the response.";
