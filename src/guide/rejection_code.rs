//! The codes of bcproxy's own error responses, and what each means.
//!
//! One table makes the type and its texts: a code without an explanation doesn't compile.

use hyper::StatusCode;

use super::KnownError;
use super::Retry::{AfterFix, ByClient};

/// Makes [`RejectionCode`] from rows of code, status, whether a retry helps, meaning and fix.
///
/// In brackets are further statuses that the code comes with.
macro_rules! rejection_codes {
    ($($code:ident $status:ident $([$($other:ident)*])? $retry:ident $meaning:literal $fix:literal)*) => {
        /// The code of an error response of bcproxy itself: `error.code` in JSON, `code` in the detail of a SOAP fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the table explains each code")]
        pub enum RejectionCode {
            $($code,)*
        }

        impl RejectionCode {
            /// All codes, in the order of their usual statuses.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// The code as clients get it: `Proxy_Busy`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => concat!("Proxy_", stringify!($code)),)*
                }
            }

            /// The usual status. SOAP clients get 500 instead, with this status in the fault's detail.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$code => StatusCode::$status,)*
                }
            }

            /// All statuses that the code comes with, the usual one first.
            pub(super) fn statuses(self) -> &'static [StatusCode] {
                match self {
                    $(Self::$code => &[StatusCode::$status, $($(StatusCode::$other,)*)?],)*
                }
            }

            /// What it means, and what to do.
            pub(crate) fn explanation(self) -> &'static KnownError {
                match self {
                    $(Self::$code => {
                        &KnownError { step: None, meaning: $meaning, fix: $fix, retry: $retry }
                    })*
                }
            }
        }
    };
}

rejection_codes! {
    BadRequest BAD_REQUEST AfterFix
        "The request can't be forwarded as it is"
        "The message names the part that is wrong: the path, the query, `Host`, a header or the body. Correct it in the \
         client. `bcproxy explain` shows how bcproxy reads a request."
    Unreadable BAD_REQUEST [URI_TOO_LONG REQUEST_HEADER_FIELDS_TOO_LARGE NOT_IMPLEMENTED] AfterFix
        "The bytes on the connection are no HTTP/1.1 request"
        "The message names the fault. Check that the client speaks HTTP/1.1 to this port, and HTTPS only where the \
         listener has `tls`."
    BrokenHandshake BAD_REQUEST AfterFix
        "The client's NTLM sign-in failed halfway"
        "Enable keep-alive in the client, or let it sign in with Basic. Check that nothing between the client and \
         bcproxy shares connections."
    ClientGone BAD_REQUEST ByClient
        "The client disconnected before it had sent the whole request"
        "Check the client's timeout and the network between the client and bcproxy."
    Unauthenticated UNAUTHORIZED [FORBIDDEN] AfterFix
        "The listener or route requires credentials (`client_auth`), and the client sent none or wrong ones"
        "Give the client a user name and a password, an API key or a certificate. `bcproxy user check` tests a password. \
         The status is 403 where the client can't be challenged."
    NotAllowed FORBIDDEN AfterFix
        "The configuration of bcproxy does not allow this request"
        "The message names the key: `allow_from`, `access`, `read_only`, `company`, `clients` or another one. Change the \
         request, or that key in proxy.yaml."
    NoRoute NOT_FOUND AfterFix
        "No route of bcproxy covers the path"
        "Correct the client's base address: the message lists the routes. Or add a route to proxy.yaml."
    UnknownCompany NOT_FOUND AfterFix
        "The environment has no company with this name or id"
        "Correct the name in the client, or `company` in proxy.yaml. `bcproxy companies` lists the names."
    MethodNotAllowed METHOD_NOT_ALLOWED AfterFix
        "The route does not allow the method"
        "Add the method to `methods` of the route in proxy.yaml, or use one that the header `Allow` lists."
    RequestTimeout REQUEST_TIMEOUT ByClient
        "The client's request body stopped arriving"
        "Nothing was carried out. Check the client and the network between the client and bcproxy."
    TooLarge PAYLOAD_TOO_LARGE AfterFix
        "The request body is larger than Business Central accepts, or too large for bcproxy to check"
        "Send the data in parts."
    UnsupportedMediaType UNSUPPORTED_MEDIA_TYPE AfterFix
        "The body has to be checked, and bcproxy can't read its type or encoding"
        "Send JSON in UTF-8, with `Content-Type: application/json`, without compression or with gzip."
    UnknownHost MISDIRECTED_REQUEST AfterFix
        "The client calls bcproxy by a host name that is not one of bcproxy's"
        "Add the name to `hosts` of `access` in proxy.yaml, or let the client use the IP address."
    Busy TOO_MANY_REQUESTS ByClient
        "The queue in front of Business Central's limits is full, or the wait would be too long"
        "Nothing was carried out. Let the client send the request again after the seconds in `Retry-After`. If this \
         happens often, add an application (`applications`), or spread the load over time."
    Internal INTERNAL_SERVER_ERROR ByClient
        "An internal error of bcproxy"
        "See bcproxy's log for the reason. If the reason is neither a full disk nor a failing application, report a bug."
    NotImplemented NOT_IMPLEMENTED AfterFix
        "Business Central online does not support what the client asks for, such as OData V3"
        "The message names what to use instead, such as the OData V4 address. Change the client."
    UnknownEnvironment BAD_GATEWAY AfterFix
        "The tenant has no environment with this name"
        "Correct `environment` in proxy.yaml: compare it with the Business Central admin center → Environments."
    CredentialsRejected BAD_GATEWAY AfterFix
        "Business Central rejects the application that bcproxy signs in as"
        "Run `bcproxy doctor`: it finds the set-up step that is wrong. The message names the step, too."
    Unreachable BAD_GATEWAY ByClient
        "Business Central can't be reached"
        "Nothing was carried out. The message names the cause: DNS, a firewall, the outbound proxy or a certificate. \
         `bcproxy doctor` tests each."
    ResponseBroken BAD_GATEWAY ByClient
        "Business Central's response broke off, or is not one that bcproxy can forward"
        "The request may have been carried out: check before repeating it. If this happens often, check the network \
         between bcproxy and Business Central."
    NoToken SERVICE_UNAVAILABLE ByClient
        "Entra issues no token to bcproxy"
        "The message has Entra's reason. Run `bcproxy doctor`: it finds the set-up step that is wrong."
    Overloaded SERVICE_UNAVAILABLE ByClient
        "No memory or disk space is left for the request"
        "Nothing was carried out. Raise `max_memory` or `disk` of `spool` in proxy.yaml, or let clients send less at once."
    TooManyConnections SERVICE_UNAVAILABLE ByClient
        "Too many connections are open, in total or from this client"
        "Close connections in the client, or raise `max_connections` in proxy.yaml."
    ResponseTimeout GATEWAY_TIMEOUT ByClient
        "Business Central did not respond in time"
        "The request may have been carried out: check before repeating it. Ask for less at once, or raise `head` of \
         `timeouts` in proxy.yaml."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_the_order_of_their_statuses() {
        assert!(RejectionCode::ALL.is_sorted_by_key(|code| code.status()));
        assert_eq!(RejectionCode::Busy.as_str(), "Proxy_Busy");
    }
}
