//! What all steps of the set-up share: the session, Ctrl-C, and waiting for an administrator's change.

use std::time::{Duration, Instant};

use anstream::{eprintln, println};
use tokio::runtime::Runtime;

use super::arguments::Arguments;
use super::prompt::Prompt;
use crate::cli::common::Failure;
use crate::doctor::{self, Wrong};
use crate::guide::Step;
use crate::outbound::{HttpClient, OutboundError, ProxySelector};

/// What all steps of the set-up share.
pub struct Session<'r> {
    pub prompt: Prompt,
    pub runtime: &'r Runtime,
    pub arguments: Arguments,
    pub http: HttpClient,
    pub proxies: ProxySelector,
    /// Whether Entra and Business Central were both reachable.
    pub is_reachable: bool,
}

impl<'r> Session<'r> {
    /// Reads the shared options and installs the Ctrl-C handler.
    pub fn new(runtime: &'r Runtime, arguments: Arguments) -> Result<Self, Failure> {
        let prompt = Prompt::new(arguments.non_interactive)?;
        let unusable = |error: OutboundError| Failure::Configuration(doctor::unusable(&error).to_string());
        let proxy = arguments.outbound_proxy_setting()?;
        let http = HttpClient::new(arguments.ca_file.as_deref(), &proxy, TIMEOUT).map_err(unusable)?;
        let proxies = ProxySelector::new(&proxy).map_err(|error| unusable(error.into()))?;
        exit_on_ctrl_c(runtime);
        Ok(Self { prompt, runtime, arguments, http, proxies, is_reachable: false })
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
        let wait = self.arguments.wait;
        println!("Waiting for {what}, up to {wait} s (Ctrl-C stops without writing anything) …");
        let deadline = Instant::now() + Duration::from_secs(wait);
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

/// Makes Ctrl-C end the process with exit code 1, and a word on what was written.
fn exit_on_ctrl_c(runtime: &Runtime) {
    runtime.spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("\nStopped. Nothing was written.");
            std::process::exit(1)
        }
    });
}

/// The failure of a step that ends the set-up.
pub fn nothing_written(wrong: &Wrong) -> Failure {
    Failure::Failed(format!("Nothing was written: {wrong}"))
}

/// The time limit of a connection attempt or a token request.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Short for somebody who has just clicked a button, and too long for Entra to throttle us.
const RETRY_INTERVAL: Duration = Duration::from_secs(3);
