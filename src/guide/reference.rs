//! All that is known of errors, as the page `docs/errors.md`.

use super::{KnownError, Retry, Step, business_central, entra};

/// The reference of errors, in Markdown: one section for each step of the guide, in its order.
pub fn reference() -> String {
    let mut text = String::from(
        "# Errors and what they mean\n\n\
         What Microsoft Entra and Business Central answer when a step of [the set-up](setup.md) is missing or wrong, and what to do then. \
         `bcproxy doctor` finds the step by itself; the answers bcproxy gives to programs and its log use the same words. \
         This page is made from the program itself by `bcproxy errors --markdown`.\n",
    );
    for step in Step::ALL.map(Some).into_iter().chain([None]) {
        let rows: Vec<String> =
            known().filter(|(_, trouble)| trouble.step == step).map(|(codes, trouble)| row(&codes, trouble)).collect();
        if rows.is_empty() {
            continue;
        }
        let heading = match step {
            Some(step) => format!("[{}. {}](setup.md#{})", step.number(), step.title(), step.anchor()),
            None => "Not in your set-up".to_owned(),
        };
        text += &format!(
            "\n## {heading}\n\n| code | what it means | what to do | trying again |\n|---|---|---|---|\n{}",
            rows.concat()
        );
    }
    text
}

/// Each trouble with what it is known by: `AADSTS7000215`, `404 NoEnvironment`.
pub fn known() -> impl Iterator<Item = (Vec<String>, &'static KnownError)> {
    let entras = entra::all()
        .map(|(codes, trouble)| (codes.iter().map(|code| format!("AADSTS{code}")).collect::<Vec<_>>(), trouble));
    let business_centrals = business_central::all().map(|known| {
        let status = known.status.map(|status| status.as_u16().to_string());
        let code = known.code.map(ToOwned::to_owned);
        let both: Vec<String> = status.into_iter().chain(code).collect();
        (vec![both.join(" ")], &known.trouble)
    });
    let missing_role = (vec!["401 (and no roles in the token)".to_owned()], &business_central::MISSING_ROLE);
    entras.chain([missing_role]).chain(business_centrals)
}

fn row(codes: &[String], trouble: &KnownError) -> String {
    let again = match trouble.retry {
        Retry::AfterFix => "after the fix",
        Retry::WhileSpreading => "after the fix, which may need some minutes",
        Retry::ByItself => "bcproxy does",
    };
    let mut fix = trouble.fix.chars();
    let first = fix.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("| {} | {} | {first}{} | {again} |\n", codes.join(", "), trouble.meaning, fix.as_str())
}
