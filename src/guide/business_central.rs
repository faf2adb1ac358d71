//! What Business Central's errors mean for the set-up.
//!
//! Its messages are localized, so only the status and `error.code` count, or the exception class of a SOAP fault.
//! Source: Business Central, "Troubleshooting REST API/OData calls" and "Troubleshooting web service errors", and
//! responses seen in the field.

use hyper::StatusCode;

use super::Retry::{AfterFix, AfterPropagation, Automatic};
use super::{KnownError, Step};

/// A kind of error response and what it means.
pub(super) struct Entry {
    /// The status; `None` matches any.
    pub status: Option<StatusCode>,
    /// `error.code`, or the exception class of a SOAP fault; `None` matches any.
    pub code: Option<&'static str>,
    pub error: KnownError,
}

/// Business Central answers 401 because Entra issued a token without the permission for its data.
pub const MISSING_ROLE: KnownError = KnownError::at(
    Step::Consent,
    AfterPropagation,
    "The token lacks the role API.ReadWrite.All",
    "In Entra, open App registrations → the app → API permissions. \
     Add Dynamics 365 Business Central → Application permissions → API.ReadWrite.All. \
     Then click Grant admin consent.",
);

/// Business Central rejects a token that has the permission.
pub const APPLICATION_REJECTED: KnownError = KnownError::at(
    Step::Card,
    AfterPropagation,
    "Business Central does not know the application, or its card is disabled",
    "In Business Central, in this environment, open the page \"Microsoft Entra Applications\". \
     Check that it has a card with this client ID and that the card's State is Enabled. \
     Check that the card has a permission set for this company.",
);

/// Business Central knows the application but does not permit the request.
const NO_PERMISSION: KnownError = KnownError::at(
    Step::PermissionSet,
    AfterFix,
    "The application's permission sets do not cover this request",
    "In Business Central, in this environment, open the page \"Microsoft Entra Applications\" and the card with this \
     client ID. Under User Permission Sets, add a set that covers it, such as D365 BASIC or that of the extension. \
     SUPER cannot be given to an application.",
);

/// The meaning of an error response for the set-up, if it has one.
///
/// `code` is `error.code` of its body, or the exception class of a SOAP fault.
pub fn business_central_error(status: StatusCode, code: Option<&str>) -> Option<&'static KnownError> {
    let matches = |entry: &&Entry| {
        entry.status.is_none_or(|known| known == status) && entry.code.is_none_or(|known| Some(known) == code)
    };
    ENTRIES.iter().find(matches).map(|entry| &entry.error)
}

/// All entries.
pub(super) fn all() -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter()
}

/// The first entry that matches counts.
const ENTRIES: &[Entry] = &[
    Entry { status: Some(StatusCode::UNAUTHORIZED), code: None, error: APPLICATION_REJECTED },
    Entry { status: Some(StatusCode::FORBIDDEN), code: None, error: NO_PERMISSION },
    Entry {
        status: Some(StatusCode::INTERNAL_SERVER_ERROR),
        code: Some("NavPermissionException"),
        error: NO_PERMISSION,
    },
    Entry {
        status: Some(StatusCode::BAD_REQUEST),
        code: Some("Internal_ServerError"),
        error: KnownError {
            meaning: "Business Central could not process the request, usually because the application's permission \
                      sets do not cover it",
            ..NO_PERMISSION
        },
    },
    Entry {
        status: Some(StatusCode::NOT_FOUND),
        code: Some("NoEnvironment"),
        error: KnownError::at(
            Step::Environment,
            AfterFix,
            "The tenant has no environment with this name",
            "Compare `environment` with the names in the Business Central admin center \
             (https://businesscentral.dynamics.com/admin → Environments).",
        ),
    },
    Entry {
        status: None,
        code: Some("Internal_TenantUnavailable"),
        error: KnownError::at(
            Step::Environment,
            Automatic,
            "The environment is not running: it is being updated or restored, or was removed",
            "Check its state in the Business Central admin center \
             (https://businesscentral.dynamics.com/admin → Environments).",
        ),
    },
    Entry {
        status: None,
        code: Some("Internal_CompanyNotFound"),
        error: KnownError::at(
            Step::Company,
            AfterFix,
            "The environment has no company with this name",
            "Compare it with the column Name of the page \"Companies\" in Business Central, including case and spaces. \
             `bcproxy companies` lists the names.",
        ),
    },
    Entry {
        status: Some(StatusCode::NOT_FOUND),
        code: Some("BadRequest_ResourceNotFound"),
        error: KnownError::at(
            Step::Route,
            AfterFix,
            "The environment offers nothing at this address",
            "Check the spelling of the address. For OData and SOAP, check that the page \"Web Services\" in Business \
             Central lists the service as published. For an API of an extension, check that the extension is \
             installed.",
        ),
    },
    Entry {
        status: Some(StatusCode::TOO_MANY_REQUESTS),
        code: None,
        error: KnownError::temporary(
            "The application exceeds Business Central's request limits",
            "If the connector has `limits: off`, remove it: bcproxy then queues requests instead. \
             Otherwise something else uses the same application, or with SOAP the same environment. \
             Register an application for bcproxy alone, or lower `limits`.",
        ),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_code_decide() {
        let step = |status: u16, code| {
            business_central_error(StatusCode::from_u16(status).unwrap(), code).and_then(|error| error.step)
        };
        assert_eq!(step(401, Some("Authentication_InvalidCredentials")), Some(Step::Card));
        assert_eq!(step(401, None), Some(Step::Card));
        assert_eq!(step(403, Some("Internal_ServerError")), Some(Step::PermissionSet));
        assert_eq!(step(400, Some("Internal_ServerError")), Some(Step::PermissionSet));
        assert_eq!(step(500, Some("NavPermissionException")), Some(Step::PermissionSet));
        assert_eq!(step(500, Some("NavNCLDialogException")), None);
        assert_eq!(step(500, None), None);
        assert_eq!(step(404, Some("NoEnvironment")), Some(Step::Environment));
        assert_eq!(step(404, Some("Internal_CompanyNotFound")), Some(Step::Company));
        assert_eq!(step(404, Some("BadRequest_ResourceNotFound")), Some(Step::Route));
        let busy = business_central_error(StatusCode::TOO_MANY_REQUESTS, Some("Application_TooManyRequests")).unwrap();
        assert_eq!((busy.step, busy.retry), (None, Automatic));
        assert_eq!(step(404, Some("Internal_RecordNotFound")), None);
        assert_eq!(step(404, None), None);
        assert_eq!(step(400, Some("Application_DialogException")), None);
    }
}
