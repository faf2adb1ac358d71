//! What all steps of the set-up share, and waiting for an administrator's change.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::arguments::Arguments;
use super::interrupt::exit_on_ctrl_c;
use super::prompt::Prompt;
use crate::cli::common::Failure;
use crate::doctor::{self, Wrong};
use crate::guide::Step;
use crate::outbound::HttpsUrl;
use crate::outbound::{HttpClient, OutboundError, ProxySelector};

/// What all steps of the set-up share.
pub struct Session<'r> {
    pub prompt: Prompt,
    pub runtime: &'r Runtime,
    pub http: HttpClient,
    pub authority: HttpsUrl,
    pub base_url: HttpsUrl,
    pub scope: String,
    pub ca_file: Option<PathBuf>,
    pub proxies: ProxySelector,
    /// Whether Entra and Business Central were both reachable.
    pub is_reachable: bool,
    /// How long to wait for a change in Entra or Business Central.
    max_wait: Duration,
}

impl<'r> Session<'r> {
    /// Reads the shared options and installs the Ctrl-C handler.
    pub fn new(runtime: &'r Runtime, prompt: Prompt, arguments: &Arguments) -> Result<Self, Failure> {
        let unusable = |error: OutboundError| Failure::Configuration(doctor::unusable(&error).to_string());
        let (ca_file, proxy) = (arguments.ca_file.clone(), arguments.outbound_proxy.setting()?);
        let http = HttpClient::new(ca_file.as_deref(), &proxy, TIMEOUT).map_err(unusable)?;
        let proxies = ProxySelector::new(&proxy).map_err(|error| unusable(error.into()))?;
        exit_on_ctrl_c(runtime);
        Ok(Self {
            prompt,
            runtime,
            http,
            authority: arguments.authority.clone(),
            base_url: arguments.base_url.clone(),
            scope: arguments.scope.clone(),
            ca_file,
            proxies,
            is_reachable: false,
            max_wait: Duration::from_secs(arguments.wait),
        })
    }

    /// Asks whether to retry with the same value after an error at another step, which can be fixed first.
    ///
    /// Returns `false` if the value itself is wrong.
    pub fn retries_same_value(&self, wrong: &Wrong, step: Step) -> Result<bool, Failure> {
        if wrong.step == step {
            return Ok(false);
        }
        if self.prompt.confirm("Try again?", true, false)? {
            return Ok(true);
        }
        Err(nothing_written(wrong))
    }

    /// Retries for the time given with `--wait`, as long as only this step fails.
    pub fn wait_for<T>(
        &self,
        what: &str,
        step: Step,
        mut attempt: impl FnMut() -> Result<T, Wrong>,
    ) -> Result<T, Failure> {
        println!("Waiting for {what}, up to {} s (Ctrl-C stops without writing anything) …", self.max_wait.as_secs());
        let deadline = Instant::now() + self.max_wait;
        loop {
            match attempt() {
                Ok(value) => return Ok(value),
                Err(wrong) if wrong.step == step && Instant::now() + RETRY_INTERVAL < deadline => {
                    std::thread::sleep(RETRY_INTERVAL);
                }
                Err(wrong) => return Err(nothing_written(&wrong)),
            }
        }
    }
}

/// The failure of a step that ends the set-up.
pub fn nothing_written(wrong: &Wrong) -> Failure {
    Failure::Failed(format!("Nothing was written: {wrong}"))
}

/// The time limit of a connection attempt or a token request.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Short for somebody who has just clicked a button, and too long for Entra to throttle us.
const RETRY_INTERVAL: Duration = Duration::from_secs(3);
