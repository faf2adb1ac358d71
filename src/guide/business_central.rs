//! What Business Central's refusals mean for the set-up.
//!
//! Its messages are localised, so only status and `error.code` count, or the class of the exception in a SOAP fault. Source: Business
//! Central, "Troubleshooting REST API/OData calls" and "Troubleshooting web service errors"; what the services were seen to answer is
//! included.

use hyper::StatusCode;

use super::{KnownError, Retry, Step};

/// One kind of refusal.
pub struct Known {
    /// `None`: any.
    pub status: Option<StatusCode>,
    /// `error.code`, or the class of a fault's exception; `None`: any.
    pub code: Option<&'static str>,
    pub trouble: KnownError,
}

/// A token was issued, but without the permission that Business Central's data needs; it is answered with 401.
pub const MISSING_ROLE: KnownError = KnownError {
    step: Some(Step::Consent),
    meaning: "The token carries no API.ReadWrite.All",
    fix: "in Entra, App registrations → the app → API permissions, add Dynamics 365 Business Central → Application permissions → \
          API.ReadWrite.All, then click Grant admin consent.",
    retry: Retry::WhileSpreading,
};

/// A token with all it needs is not taken.
pub const APPLICATION_REJECTED: KnownError = KnownError {
    step: Some(Step::Card),
    meaning: "Business Central does not know the application, or it is switched off there",
    fix: "in Business Central, in this environment, open the page \"Microsoft Entra Applications\": there must be a card with this client \
          ID, its State must be Enabled, and it needs a permission set for this company.",
    retry: Retry::WhileSpreading,
};

/// The application is known, but may not do what was asked for.
pub const NO_PERMISSION: KnownError = KnownError {
    step: Some(Step::PermissionSet),
    meaning: "The application's permission sets do not cover this",
    fix: "in Business Central, in this environment, open the page \"Microsoft Entra Applications\", the card with this client ID, and add \
          under User Permission Sets one that does, such as D365 BASIC or that of the extension (SUPER can't be given to an application).",
    retry: Retry::AfterFix,
};

/// What a refusal says about the set-up, if anything. `code` is `error.code` of its body, or the class of a fault's
/// exception.
pub fn business_central_error(status: StatusCode, code: Option<&str>) -> Option<&'static KnownError> {
    let fits = |known: &&Known| {
        known.status.is_none_or(|known| known == status) && known.code.is_none_or(|known| Some(known) == code)
    };
    TABLE.iter().find(fits).map(|known| &known.trouble)
}

/// The whole table.
pub fn all() -> impl Iterator<Item = &'static Known> {
    TABLE.iter()
}

/// The first one that fits counts.
const TABLE: &[Known] = &[
    Known { status: Some(StatusCode::UNAUTHORIZED), code: None, trouble: APPLICATION_REJECTED },
    Known { status: Some(StatusCode::FORBIDDEN), code: None, trouble: NO_PERMISSION },
    Known {
        status: Some(StatusCode::INTERNAL_SERVER_ERROR),
        code: Some("NavPermissionException"),
        trouble: NO_PERMISSION,
    },
    Known {
        status: Some(StatusCode::BAD_REQUEST),
        code: Some("Internal_ServerError"),
        trouble: KnownError {
            meaning: "Business Central could not do this, most often because the application's permission sets do not cover it",
            ..NO_PERMISSION
        },
    },
    Known {
        status: Some(StatusCode::NOT_FOUND),
        code: Some("NoEnvironment"),
        trouble: KnownError {
            step: Some(Step::Environment),
            meaning: "The tenant has no environment of this name",
            fix: "compare `environment` with the names in the Business Central admin center \
                  (https://businesscentral.dynamics.com/admin → Environments).",
            retry: Retry::AfterFix,
        },
    },
    Known {
        status: None,
        code: Some("Internal_TenantUnavailable"),
        trouble: KnownError {
            step: Some(Step::Environment),
            meaning: "The environment is not running: it is being updated or restored, or it was removed",
            fix: "look at its state in the Business Central admin center (https://businesscentral.dynamics.com/admin → Environments).",
            retry: Retry::ByItself,
        },
    },
    Known {
        status: None,
        code: Some("Internal_CompanyNotFound"),
        trouble: KnownError {
            step: Some(Step::Company),
            meaning: "The environment has no company of this name",
            fix: "compare it with the page \"Companies\" in Business Central, column Name, capitals and spaces included; \
                  `bcproxy companies` lists them.",
            retry: Retry::AfterFix,
        },
    },
    Known {
        status: Some(StatusCode::NOT_FOUND),
        code: Some("BadRequest_ResourceNotFound"),
        trouble: KnownError {
            step: Some(Step::Route),
            meaning: "The environment offers nothing at this address",
            fix: "check its spelling; for OData and SOAP, the page \"Web Services\" in Business Central must list the service as published; \
                  for an API of an extension, the extension must be installed.",
            retry: Retry::AfterFix,
        },
    },
    Known {
        status: Some(StatusCode::TOO_MANY_REQUESTS),
        code: None,
        trouble: KnownError {
            step: None,
            meaning: "Business Central has more requests from this application than it takes",
            fix: "if the connector says `limits: off`, remove it, and requests wait in bcproxy instead of being refused. If it does not, something \
                  else uses the same application (with SOAP, the same environment): register one for bcproxy alone, or make `limits` smaller.",
            retry: Retry::ByItself,
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_code_decide() {
        let step =
            |status: u16, code| refusal(StatusCode::from_u16(status).unwrap(), code).and_then(|trouble| trouble.step);
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
        assert_eq!((busy.step, busy.retry), (None, Retry::ByItself));
        assert_eq!(step(404, Some("Internal_RecordNotFound")), None);
        assert_eq!(step(404, None), None);
        assert_eq!(step(400, Some("Application_DialogException")), None);
    }
}
