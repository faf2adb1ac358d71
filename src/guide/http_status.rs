//! The statuses of error responses that a client may get through bcproxy: which service sends each, and why.
//!
//! Source: Business Central, "Troubleshooting REST API/OData calls" and "Operational limits".

use hyper::StatusCode;

/// Which services send a status to a client, why, and what to do: complete sentences.
pub fn http_status(status: StatusCode) -> Option<&'static str> {
    STATUSES.iter().find(|(known, _)| *known == status).map(|(_, text)| *text)
}

/// All statuses that are explained, in ascending order.
pub(super) fn all() -> impl Iterator<Item = (StatusCode, &'static str)> {
    STATUSES.iter().copied()
}

const STATUSES: &[(StatusCode, &str)] = &[
    (
        StatusCode::BAD_REQUEST,
        "bcproxy sends it for a request that it can't read or forward. Business Central sends it for a request that it \
         can't carry out: `error.message` has the reason, often from the AL code of the page. Correct the request.",
    ),
    (
        StatusCode::UNAUTHORIZED,
        "Only bcproxy sends it to clients, as a challenge: the listener or route requires credentials (`client_auth`), \
         or a Windows sign-in (NTLM) is in progress. Business Central's own 401 becomes a 502 \
         `Proxy_CredentialsRejected`. Entra's becomes a 503 `Proxy_NoToken`. So a client's password never concerns \
         Business Central.",
    ),
    (
        StatusCode::FORBIDDEN,
        "bcproxy sends it for a request that proxy.yaml does not allow. Business Central sends it when the permission \
         sets of the application don't cover the request. A code that begins with `Proxy_` is bcproxy's.",
    ),
    (
        StatusCode::NOT_FOUND,
        "bcproxy sends it when no route covers the path, or no company has the name. Business Central sends it when the \
         environment, the service or the record does not exist. A code that begins with `Proxy_` is bcproxy's.",
    ),
    (
        StatusCode::METHOD_NOT_ALLOWED,
        "bcproxy sends it when the route does not list the method (`methods`). Business Central sends it when the page \
         does not allow it, such as a change of a page that is read-only.",
    ),
    (
        StatusCode::REQUEST_TIMEOUT,
        "bcproxy sends it when the client's body stops arriving. Business Central sends it when a request runs for more \
         than 8 minutes, and cancels the request: ask for less at once.",
    ),
    (
        StatusCode::CONFLICT,
        "Business Central sends it when somebody else has changed the record since the client read it. Read the record \
         again, then repeat the change.",
    ),
    (
        StatusCode::PRECONDITION_FAILED,
        "Business Central sends it when `If-Match` is missing or out of date. Let the client send the record's \
         `@odata.etag`, or set `if_match: \"*\"` on the route.",
    ),
    (
        StatusCode::PAYLOAD_TOO_LARGE,
        "bcproxy and Business Central both send it for a body that is too large: 350 MB for the API and OData, 64 MB for \
         SOAP. Send the data in parts.",
    ),
    (
        StatusCode::URI_TOO_LONG,
        "Only bcproxy sends it: the address has more than 65,534 characters. Ask for less at once, such as with a \
         shorter `$filter`.",
    ),
    (
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "bcproxy sends it for a body that it has to check and can't read. Business Central sends it for a wrong \
         `Content-Type`. Send JSON as application/json, and SOAP 1.1 as text/xml.",
    ),
    (
        StatusCode::MISDIRECTED_REQUEST,
        "bcproxy sends it when the client calls bcproxy by a host name that bcproxy does not know. The message has the \
         line to add to proxy.yaml.",
    ),
    (
        StatusCode::TOO_MANY_REQUESTS,
        "bcproxy sends it when its own queue is full, or after many wrong passwords from one address. Business Central \
         sends it when the application exceeds its limits. bcproxy retries that itself, and forwards it only when the \
         pause is too long or `limits` is off. Send the request again after `Retry-After`.",
    ),
    (
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "Only bcproxy sends it: the headers of the request are too large. Let the client send fewer or shorter ones, \
         such as cookies.",
    ),
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "SOAP clients get it for every error, because SOAP 1.1 requires that: the fault names the cause. For the API and \
         OData, Business Central sends it when its own code fails: `error.message` has the reason. bcproxy sends it only \
         when bcproxy itself fails.",
    ),
    (
        StatusCode::NOT_IMPLEMENTED,
        "bcproxy sends it for what Business Central online no longer supports, such as OData V3 and MERGE. Change the \
         client as the message says.",
    ),
    (
        StatusCode::BAD_GATEWAY,
        "bcproxy sends it when Business Central can't be reached, breaks off a response, or rejects bcproxy's \
         application. Business Central sends it when it is overloaded or restarts. bcproxy has retried where that is \
         safe.",
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "bcproxy sends it when it has no token of Entra, no memory or no free connection. Business Central sends it \
         when the environment is not running or is overloaded. Send the request again after `Retry-After`.",
    ),
    (
        StatusCode::GATEWAY_TIMEOUT,
        "bcproxy sends it when Business Central does not respond in time. Business Central sends it when a request runs \
         too long. The request may have been carried out: check before repeating it, and ask for less at once.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guide::business_central;
    use crate::guide::rejection_code::RejectionCode;

    #[test]
    fn each_status_of_a_known_error_is_explained() {
        let own = RejectionCode::ALL.iter().flat_map(|code| code.statuses());
        let of_business_central = business_central::all().filter_map(|entry| entry.status.as_ref());
        for status in own.chain(of_business_central) {
            assert!(http_status(*status).is_some(), "{status}");
        }
        assert!(STATUSES.is_sorted_by_key(|(status, _)| *status));
    }
}
