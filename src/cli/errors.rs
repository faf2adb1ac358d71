//! `bcproxy errors`: what the errors of Entra and Business Central mean for the set-up.

use serde_json::{Value, json};

use super::{Failure, Output};
use crate::guide::{self, KnownError};

/// `wanted`: an AADSTS number, with or without `AADSTS`, or an `error.code` of Business Central's.
pub fn errors(wanted: Option<&str>, markdown: bool, output: Output) -> Result<(), Failure> {
    if markdown {
        print!("{}", guide::reference());
        return Ok(());
    }
    let known: Vec<_> = guide::known().filter(|(codes, _)| wanted.is_none_or(|wanted| names(codes, wanted))).collect();
    match output {
        Output::Json => {
            println!("{:#}", Value::Array(known.iter().map(|(codes, trouble)| as_json(codes, trouble)).collect()));
        }
        Output::Text => {
            for (codes, trouble) in &known {
                println!("{}\n  {trouble}\n", codes.join(", "));
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
        return "This error says nothing about the set-up, as far as bcproxy knows; `bcproxy errors` lists those that do.".to_owned();
    }
    format!(
        "bcproxy does not know this code; Microsoft's page is https://login.microsoftonline.com/error?code={number}"
    )
}

fn as_json(codes: &[String], trouble: &KnownError) -> Value {
    json!({
        "codes": codes,
        "step": trouble.step.map(guide::Step::name),
        "number": trouble.step.map(guide::Step::number),
        "meaning": trouble.meaning,
        "fix": trouble.fix,
        "passes_by_itself": !trouble.needs_setup(),
    })
}
