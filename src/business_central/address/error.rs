//! Why an address is rejected.

use crate::business_central::PathError;

/// Why a local address has no counterpart at Business Central, or may not reach it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The path is malformed.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A company is required, and neither the request nor the route has one.
    #[error(
        "the request names no company but needs one; name it in the address, or set `company` on the connector or route"
    )]
    NoCompany,
    /// The request names a company outside the route.
    #[error("the request names the company `{asked}`, but this route leads to `{allowed}` only")]
    OtherCompany {
        /// The company in the request.
        asked: String,
        /// The route's companies.
        allowed: String,
    },
    /// The request contradicts itself.
    #[error("the request names more than one company (`{first}` and `{second}`); name one")]
    TwoCompanies {
        /// One company in the request.
        first: String,
        /// Another.
        second: String,
    },
    /// The query selects a tenant.
    #[error("the query contains `tenant=`; leave it out, because the connector sets the tenant")]
    Tenant,
    /// The address names another tenant or environment than the connector's.
    #[error("the address names the {what} `{asked}`, but this route leads to `{allowed}`")]
    OtherTarget {
        /// `tenant` or `environment`.
        what: &'static str,
        /// The one in the address.
        asked: String,
        /// The connector's.
        allowed: String,
    },
    /// An address in a body is at this server, but not below the route.
    #[error(
        "the address `{address}` in the body is not below the route `{route}`; write it relative to the root of the service, such as customers(…)"
    )]
    NotBelowRoute {
        /// The address in the body.
        address: String,
        /// The path of the request's route.
        route: String,
    },
    /// The path matches no SOAP web service.
    #[error(
        "this is not the address of a SOAP web service; continue it with /Page/{{service}}, /Codeunit/{{service}}, /Services or /SystemService"
    )]
    NotSoap,
    /// The path matches no on-premises address.
    #[error(
        "this is not the address of a Business Central server; write /{{instance}}/WS/…, /{{instance}}/ODataV4/… or /{{instance}}/api/…"
    )]
    NotNav,
    /// The address is OData V3, which Business Central online removed.
    #[error(
        "`{v3}` is OData V3, which Business Central online no longer supports; use {v4} for the same data (OData V4: \
         JSON, other literals)"
    )]
    ODataV3 {
        /// The root of the service, as the client wrote it.
        v3: String,
        /// The V4 address of the same data.
        v4: String,
    },
    /// A webhook watches something outside the route's company.
    #[error(
        "the webhook's `resource` is `{asked}`; name a resource in this route's company, such as /api/v2.0/companies({id})/customers"
    )]
    WebhookResource {
        /// The `resource` in the request.
        asked: String,
        /// The id of a company of the route.
        id: String,
    },
    /// bcproxy can't safely add its own condition to the client's `$filter`.
    #[error(
        "the $filter has unbalanced parentheses or quotes; balance them, because this route adds a condition to it"
    )]
    UnbalancedFilter,
    /// The path continues after a list of all companies, where no condition can confine it.
    #[error(
        "the address continues after a list of all companies, but this route leads to `{allowed}` only; name that company instead of the list"
    )]
    BelowCompanyList {
        /// The route's companies.
        allowed: String,
    },
    /// An expression in the query begins at the root of the service, outside the route's company.
    #[error(
        "the query contains `$root`, which can lead out of the route's company `{allowed}`; write the condition without it"
    )]
    RootExpression {
        /// The route's companies.
        allowed: String,
    },
    /// `$batch` is not at the root of a service.
    #[error("$batch is inside another address; send it to the root of the service, /$batch")]
    MisplacedBatch,
}
