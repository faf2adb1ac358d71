//! The warning about a credential that expires soon.

use std::fmt;

use time::Date;

/// The expiry of a credential within the next 30 days, or in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialExpiry {
    /// The last day on which the credential is valid.
    pub last_day: Date,
    /// Days from today to the last day; negative once the credential has expired.
    pub days_left: i64,
}

impl CredentialExpiry {
    /// `None` while more than 30 days are left.
    pub fn soon(last_day: Date, today: Date) -> Option<Self> {
        let days_left = (last_day - today).whole_days();
        (days_left <= WARNING_DAYS).then_some(Self { last_day, days_left })
    }

    /// How urgent a new one is: a clause without a full stop.
    pub fn when_to_replace(self) -> &'static str {
        match self.days_left {
            ..0 => "replace it now: Entra issues no token for it any more",
            0 => "replace it today: from tomorrow on, Entra issues no token for it",
            _ => "replace it before that day; until then it works",
        }
    }
}

impl fmt::Display for CredentialExpiry {
    /// Writes the warning with its fix, without a final full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.last_day;
        match self.days_left {
            ..0 => write!(f, "the credential expired on {day}")?,
            0 => write!(f, "the credential expires today")?,
            1 => write!(f, "the credential expires tomorrow")?,
            days => write!(f, "the credential expires on {day}, in {days} days")?,
        }
        f.write_str(
            "; create a new one in Entra, App registrations → Certificates & secrets, and put it in place of the old one. \
             No restart is needed",
        )
    }
}

/// Leaves time to rotate the credential.
const WARNING_DAYS: i64 = 30;

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn the_warning_starts_thirty_days_ahead() {
        let today = date!(2027 - 04 - 01);
        assert_eq!(CredentialExpiry::soon(date!(2027 - 05 - 02), today), None);
        let warning = |last_day| CredentialExpiry::soon(last_day, today).unwrap().to_string();
        assert!(
            warning(date!(2027 - 05 - 01))
                .starts_with("the credential expires on 2027-05-01, in 30 days; create a new one in Entra")
        );
        assert!(warning(date!(2027 - 04 - 02)).starts_with("the credential expires tomorrow"));
        assert!(warning(date!(2027 - 04 - 01)).starts_with("the credential expires today"));
        assert!(warning(date!(2027 - 03 - 31)).starts_with("the credential expired on 2027-03-31"));
        let urgency = |last_day| CredentialExpiry::soon(last_day, today).unwrap().when_to_replace();
        assert!(urgency(date!(2027 - 04 - 02)).ends_with("until then it works"));
        assert!(urgency(date!(2027 - 04 - 01)).starts_with("replace it today"));
        assert!(urgency(date!(2027 - 03 - 31)).starts_with("replace it now"));
    }
}
