//! The steps in Business Central: environment, company and permission sets.

use anstream::println;

use super::prompt::indented;
use super::session::{Session, nothing_written};
use crate::business_central::address::EnvironmentAddress;
use crate::business_central::{Company, EnvironmentName};
use crate::cli::common::Failure;
use crate::doctor::{self, SignedIn};
use crate::entra::Application;
use crate::guide::{Step, clicks};
use crate::sentence::ended;

impl Session<'_> {
    /// Returns an environment that accepts the application, and its companies.
    ///
    /// Waits for the application card if it is missing.
    pub fn environment(&self, signed_in: &SignedIn) -> Result<(EnvironmentName, Vec<Company>), Failure> {
        let Application { tenant_id, client_id, .. } = signed_in.application();
        let mut given = self.arguments.environment.clone();
        let mut clicks = Some(clicks::ENVIRONMENT);
        loop {
            self.prompt.explain_once(given.is_none(), &mut clicks);
            let environment = self.prompt.value(given.take(), "Environment", "--environment", Some("Production"))?;
            let address = EnvironmentAddress::new(&self.arguments.base_url, tenant_id, &environment);
            let attempt = || self.runtime.block_on(doctor::list_companies(&address, signed_in));
            let companies = match attempt() {
                Ok(companies) => companies,
                Err(wrong) if wrong.step == Step::Card => {
                    let clicks = indented(&clicks::CARD);
                    println!(
                        "  ✗ {}\n  → {}\n{clicks}\n  → The card's client ID: {client_id}\n",
                        ended(&wrong.what),
                        wrong.fix
                    );
                    self.wait_for("Business Central to accept the application", Step::Card, attempt)?
                }
                Err(wrong) => {
                    self.prompt.show_error(&wrong)?;
                    given = self.retries_same_value(&wrong, Step::Environment)?.then_some(environment);
                    continue;
                }
            };
            println!("  ✓ Environment {environment} accepts the application and has {} companies.", companies.len());
            return Ok((environment, companies));
        }
    }

    /// Returns the company for all requests, or `None` if clients name the company.
    pub fn company(&self, companies: &[Company]) -> Result<Option<Company>, Failure> {
        if self.arguments.any_company {
            return Ok(None);
        }
        if let Some(wanted) = &self.arguments.company {
            match doctor::find_company(companies, wanted) {
                Ok(company) => return Ok(Some(company.clone())),
                Err(wrong) => self.prompt.show_error(&wrong)?,
            }
        }
        self.prompt.explain(&clicks::COMPANY);
        let mut items: Vec<String> = companies.iter().map(|company| company.name.to_string()).collect();
        items.push("(none: clients name the company in each request)".to_owned());
        let chosen = self.prompt.choose("Company", "--company or --any-company", &items)?;
        Ok(companies.get(chosen).cloned())
    }

    /// Checks that the application may read data of the company. Waits for a permission set if it is missing.
    pub fn permission(
        &self,
        environment: &EnvironmentName,
        company: Option<&Company>,
        signed_in: &SignedIn,
    ) -> Result<(), Failure> {
        let Some(company) = company else { return Ok(()) };
        let address =
            EnvironmentAddress::new(&self.arguments.base_url, &signed_in.application().tenant_id, environment);
        let attempt = || self.runtime.block_on(doctor::may_read(&address, company, signed_in));
        match attempt() {
            Ok(found) => {
                println!("  ✓ It works: {}", ended(&found));
                Ok(())
            }
            Err(wrong) if wrong.step == Step::PermissionSet => {
                println!("  ✗ {}\n  → {}\n{}\n", ended(&wrong.what), wrong.fix, indented(&clicks::PERMISSION_SET));
                if !self.prompt.confirm("Wait for the permission set? If not, setup goes on without it.", true, true)? {
                    return Ok(());
                }
                self.wait_for("a permission set", Step::PermissionSet, attempt).map(|_| ())
            }
            Err(wrong) => Err(nothing_written(&wrong)),
        }
    }
}
