//! The command: the step that is wanted, or the list of all steps.

use anstream::{print, println};
use console::Term;

use super::plain_text::plain_text;
use crate::cli::common::Failure;
use crate::guide::Step;

/// Prints one step of the set-up guide, by number or name, or lists the steps.
pub fn guide(wanted: Option<&str>) -> Result<(), Failure> {
    let Some(wanted) = wanted else {
        print!("{}", list());
        return Ok(());
    };
    let step = find(wanted).ok_or_else(|| Failure::Configuration(unknown(wanted)))?;
    let terminal_columns = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    println!("{}", plain_text(step.section(), terminal_columns.unwrap_or(MAX_COLUMNS).clamp(MIN_COLUMNS, MAX_COLUMNS)));
    match Step::ALL.get(step.number()) {
        Some(next) => println!("Next: bcproxy guide {} ({})", next.number(), next.title()),
        None => println!("To test all steps, run `bcproxy doctor`."),
    }
    Ok(())
}

fn find(wanted: &str) -> Option<Step> {
    let number = wanted.parse::<usize>().ok();
    let is_wanted = |step: &Step| number == Some(step.number()) || step.name().eq_ignore_ascii_case(wanted);
    Step::ALL.into_iter().find(is_wanted)
}

fn list() -> String {
    let steps: String = Step::ALL
        .into_iter()
        .map(|step| format!("  {:>2}  {:<16} {}\n", step.number(), step.name(), step.title()))
        .collect();
    format!(
        "The steps of the set-up, in order:\n\n{steps}\n\
         To print a step, run `bcproxy guide` with its number or name, such as `bcproxy guide consent`.\n\
         To take all steps, run `bcproxy setup`. To test all steps, run `bcproxy doctor`.\n"
    )
}

fn unknown(wanted: &str) -> String {
    format!(
        "The set-up guide has no step {wanted:?}. Name one from 1 to {}. To list the steps, run `bcproxy guide`.",
        Step::ALL.len()
    )
}

/// The widest text that is easy to read.
const MAX_COLUMNS: usize = 100;

/// Narrower text would be mostly line ends.
const MIN_COLUMNS: usize = 40;
