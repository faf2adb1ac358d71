//! How bcproxy signs in to Microsoft Entra: applications, their credentials, token requests and tokens.
//!
//! | file or folder | job |
//! |---|---|
//! | `application`, `ids` | the app registration a connector uses, and the endpoint that issues its tokens |
//! | `credential`, `certificate`, `credential_expiry` | what proves that we are this application, and when it expires |
//! | `token_request` | one token request: its response, its errors, and Azure's managed identities |
//! | `tokens` | the token in use, refreshed ahead of time |
//! | `claims`, `claims_challenge`, `clock` | what tokens and responses reveal: roles, demanded claims, clock skew |

mod application;
mod certificate;
mod claims;
mod claims_challenge;
mod clock;
mod credential;
mod credential_expiry;
mod ids;
mod token_request;
mod tokens;

pub use application::{Application, Cloud, PUBLIC_AUTHORITY, PUBLIC_SCOPE};
pub use certificate::CertificateFiles;
pub use claims::{Claims, DATA_ROLE};
pub use claims_challenge::ClaimsChallenge;
pub use clock::{ClockSkew, response_date};
pub use credential::{ClientSecret, ClientSecrets, Credential, ManagedIdentity};
pub use credential_expiry::CredentialExpiry;
pub use ids::{ClientId, IdError, TenantId};
pub use token_request::{EntraError, IssuedToken, TokenEndpoint, TokenError, TokenGrant, TokenResponse};
pub use tokens::{Token, TokenCache, TokenRetry, TokenState, TokenUnavailable};
