//! The check of the API permission and of admin consent, by the roles in a token.

use super::findings::Wrong;
use crate::entra::{Application, Claims};
use crate::guide::{self, Step};

/// Checks the roles of a token, if they can be read.
pub fn check(claims: Option<&Claims>, application: &Application) -> Result<String, Wrong> {
    match claims {
        Some(claims) if claims.has_data_role() => Ok(format!("the token has {}", claims.roles.join(", "))),
        Some(_) => {
            let error = guide::MISSING_ROLE;
            Err(with_link(Wrong::new(Step::Consent, error.meaning, error.fix), application))
        }
        None => Ok("the token's roles can't be read; the next steps check them".to_owned()),
    }
}

/// Adds the link by which an administrator grants consent, where that is the mistake.
pub fn with_link(wrong: Wrong, application: &Application) -> Wrong {
    match application.consent_advice().filter(|_| wrong.step == Step::Consent) {
        Some(advice) => Wrong { fix: format!("{} {advice}", wrong.fix), ..wrong },
        None => wrong,
    }
}
