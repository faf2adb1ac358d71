//! What can be wrong with a set-up, as data: the steps of the guide, and what each error of Entra and Business Central says about them.
//!
//! Error answers, the log, `bcproxy doctor`, `bcproxy setup` and the page `docs/errors.md` all take their words from here.

mod business_central;
mod entra;
mod reference;
mod step;

use std::fmt;

pub use business_central::{APPLICATION_REJECTED, MISSING_ROLE, NO_PERMISSION, business_central_error};
pub use entra::aadsts;
pub use reference::{known, reference};
pub use step::Step;

/// What an error means for somebody who sets up bcproxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownError {
    /// Where in the set-up it is to be mended; `None`: not there.
    pub step: Option<Step>,
    /// What is the matter: a sentence without its full stop.
    pub meaning: &'static str,
    /// What to do now, and where: goes on after a colon, ends with a full stop.
    pub fix: &'static str,
    pub retry: Retry,
}

/// Whether asking again helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Not before somebody has changed something; asking again soon only hammers the service.
    AfterFix,
    /// As after a fix; but a fix that was just made may need some minutes to spread.
    WhileSpreading,
    /// It passes by itself.
    ByItself,
}

impl KnownError {
    /// Whether somebody has to change something.
    pub fn needs_setup(&self) -> bool {
        self.retry != Retry::ByItself
    }
}

impl fmt::Display for KnownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.meaning, self.fix)?;
        match self.step {
            Some(step) => write!(f, " See {step}."),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_reads_as_sentences() {
        for trouble in
            entra::all().map(|(_, trouble)| trouble).chain(business_central::all().map(|known| &known.trouble))
        {
            assert!(trouble.meaning.starts_with(char::is_uppercase) && !trouble.meaning.ends_with('.'), "{trouble}");
            assert!(trouble.fix.ends_with('.') && !trouble.fix.starts_with(char::is_whitespace), "{trouble}");
            assert!(!trouble.to_string().contains("  "), "{trouble}");
        }
    }
}
