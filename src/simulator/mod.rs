//! The embedded stand-in for Microsoft Entra and Business Central online: what `bcproxy demo` and every test talk to.
//!
//! It is strict where the real services are, and lets a test decide what goes wrong, when and how:
//!
//! | file | job |
//! |---|---|
//! | `settings`, `breakage` | tenant, application, environment, companies; what of it is wrong |
//! | `tls`, `listener` | a throw-away certificate authority; accepting, speaking and breaking off connections |
//! | `entra` | the token endpoint, its faults, the tokens it issued |
//! | `business_central` | API, OData V4 and SOAP over one set of books |
//! | `record` | what arrived, and what became of it |
//! | `script`, `answer`, `latch` | scripted answers and the body that plays them |
//!
//! It shares no code with the rooms it is used to test.

mod answer;
mod breakage;
mod business_central;
mod entra;
mod latch;
mod listener;
mod record;
mod script;
mod settings;
mod sync;
mod times;
mod tls;

use std::io;
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use self::breakage::{Breakage, BreakageError};
pub use self::business_central::BusinessCentral;
use self::entra::Tokens;
pub use self::entra::{API_READ_WRITE_ALL, Entra, Fault, FederatedCredential, IDENTITY_HEADER, IdentityService};
pub use self::latch::Latch;
pub use self::listener::Break;
use self::listener::Door;
pub use self::record::{MAX_RECORDED_BODY_BYTES, Outcome, Received};
pub use self::script::{Framing, Matcher, Script};
pub use self::settings::{CompanySettings, Limits, Settings, TenantInLinks};
pub use self::times::Times;
use self::tls::Identity;

/// A running stand-in on 127.0.0.1, over TLS. Dropping it stops it.
pub struct Simulator {
    settings: Settings,
    authority: String,
    base_url: String,
    ca_pem: String,
    tokens: Arc<Tokens>,
    entra: Arc<Entra>,
    business_central: Arc<BusinessCentral>,
    door: Arc<Door>,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl Simulator {
    /// Starts both services. Fails when a port is taken.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let mut met = settings.clone();
        if let Some(broken) = settings.broken {
            broken.break_settings(&mut met);
        }
        let identity = Identity::generate("bcproxy simulator CA")?;
        let acceptor = match settings.broken {
            Some(Breakage::Tls) => Identity::generate("Contoso TLS Inspection")?.acceptor,
            _ => identity.acceptor,
        };
        let entra_listener = listener::bind(settings.entra_port).await?;
        let business_central_listener = listener::bind(settings.business_central_port).await?;
        let authority = format!("https://localhost:{}", entra_listener.local_addr()?.port());
        let base_url = format!("https://localhost:{}", business_central_listener.local_addr()?.port());

        let tokens = Arc::new(Tokens::default());
        let entra = Arc::new(Entra::new(&met, &authority, tokens.clone()));
        let business_central = Arc::new(BusinessCentral::new(&met, &base_url, tokens.clone()));

        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let door = Arc::new(Door::new(stop.clone()));
        if settings.broken == Some(Breakage::Connection) {
            // Its port is given back: nothing listens there.
            drop(entra_listener);
        } else {
            tasks.spawn(listener::serve(entra_listener, acceptor.clone(), entra.clone(), door.clone(), tasks.clone()));
        }
        let service = business_central.clone();
        tasks.spawn(listener::serve(business_central_listener, acceptor, service, door.clone(), tasks.clone()));

        Ok(Self {
            settings,
            authority,
            base_url,
            ca_pem: identity.ca_pem,
            tokens,
            entra,
            business_central,
            door,
            tasks,
            stop: stop.drop_guard(),
        })
    }

    /// Where tokens are issued: `https://localhost:PORT`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The origin of Business Central: `https://localhost:PORT`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The certificate authority both services are vouched for by, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Entra's switches and counters.
    pub fn entra(&self) -> &Entra {
        &self.entra
    }

    /// Business Central's switches and counters.
    pub fn business_central(&self) -> &BusinessCentral {
        &self.business_central
    }

    /// All token requests that arrived, whatever came of them.
    pub fn token_requests(&self) -> u64 {
        self.entra.token_requests()
    }

    /// Starts a service for managed identities, as a machine on Azure has it: the system-assigned one is the application itself.
    pub async fn identity_service(&self, user_assigned: Vec<Uuid>) -> io::Result<IdentityService> {
        let Settings { tenant_id, client_id, .. } = self.settings;
        IdentityService::start(tenant_id, self.tokens.clone(), client_id, user_assigned).await
    }

    /// Every token issued so far is refused from now on.
    pub fn revoke_tokens(&self) {
        self.tokens.revoke_all();
    }

    /// The Business Central requests so far, in the order their heads arrived; the oldest may have been forgotten.
    pub fn received(&self) -> Vec<Received> {
        self.business_central.received()
    }

    /// Ends when `predicate` holds for [`received`](Self::received); asked again after every change.
    pub async fn wait_for(&self, predicate: impl FnMut(&[Received]) -> bool) {
        self.business_central.wait_for(predicate).await;
    }

    /// Closes every open connection to both services, idle or not: what a client's pool must cope with. They are closed when it ends.
    pub async fn close_connections(&self) {
        self.door.close_connections().await;
    }

    /// Stops both services and ends when every connection is closed and the ports are free again.
    pub async fn stop(self) {
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }
}
