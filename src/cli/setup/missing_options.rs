//! The options that `--non-interactive` requires, all named at once.

use super::arguments::Arguments;
use crate::cli::common::Failure;

/// Fails if `--non-interactive` is given and a value without a default is not.
pub fn check(arguments: &Arguments) -> Result<(), Failure> {
    let has_credential = arguments.client_secret_file.is_some()
        || arguments.client_secret_env.is_some()
        || arguments.certificate.is_some();
    let is_reachable = arguments.listen.iter().any(|address| !address.ip().to_canonical().is_loopback());
    let required = [
        (arguments.tenant.is_some(), "--tenant ID", "the Directory (tenant) ID, or a domain of the tenant"),
        (arguments.client_id.is_some(), "--client-id GUID", "the Application (client) ID"),
        (
            has_credential,
            "--client-secret-file FILE",
            "where the client secret is; or --client-secret-env VARIABLE, or --certificate FILE",
        ),
        (arguments.environment.is_some(), "--environment NAME", "the environment, such as Production"),
        (
            arguments.company.is_some() || arguments.any_company,
            "--company COMPANY",
            "the company; or --any-company, if clients name it",
        ),
        (
            !is_reachable || !arguments.allow_from.is_empty(),
            "--allow-from NETWORK",
            "who may call, because other machines can reach the address in --listen",
        ),
    ];
    let missing: Vec<String> = required
        .iter()
        .filter(|(is_given, ..)| !is_given)
        .map(|(_, option, meaning)| format!("  {option:27}{meaning}"))
        .collect();
    if !arguments.non_interactive || missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Configuration(format!(
        "Nothing was written. --non-interactive requires these options, too:\n{}",
        missing.join("\n")
    )))
}
