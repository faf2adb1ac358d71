//! As which applications a connector asks.

use std::path::Path;

use super::report::Report;
use super::shape::{At, OneOrMore};
use super::source::Span;
use super::vocabulary as file;
use crate::entra::{Application, ClientId, Credential, SecretSource, SecretSources};

/// The connector's applications, in the order of the file. `None` when there are none or one can't be read.
pub fn applications(
    connector: &file::Connector,
    folder: &Path,
    report: &mut Report,
) -> Option<(Application, Vec<Application>)> {
    let own = Keys { client_id: connector.client_id.as_ref(), client_secret: connector.client_secret.as_ref() };
    let Some(pool) = &connector.applications else {
        return Some((own.application(connector, folder)?, Vec::new()));
    };
    for label in own.labels() {
        let help = "write it into one of the applications, or remove `applications`";
        report.error(label, "there are `applications` besides", help);
    }
    let items = &pool.value;
    for (number, item) in items.iter().enumerate() {
        let client_id = item.value.client_id.as_ref();
        let before = items.iter().take(number).filter_map(|earlier| earlier.value.client_id.as_ref());
        let twin =
            client_id.and_then(|own| before.into_iter().find(|earlier| earlier.value == own.value).map(|it| (own, it)));
        if let Some((own, earlier)) = twin {
            let line = report.line(earlier.span);
            let help = "Business Central limits an application: register another one, or keep one of the two";
            report.error(own.span, format!("this application is already there, in line {line}"), help);
        }
    }
    let mut applications = items.iter().map(|item| {
        let own = Keys { client_id: item.value.client_id.as_ref(), client_secret: item.value.client_secret.as_ref() };
        own.application(connector, folder)
    });
    let first = applications.next()??;
    Some((first, applications.collect::<Option<_>>()?))
}

/// What makes an application, as far as it is there.
struct Keys<'f> {
    client_id: Option<&'f At<ClientId>>,
    client_secret: Option<&'f At<OneOrMore<file::Secret>>>,
}

impl Keys<'_> {
    fn labels(&self) -> impl Iterator<Item = Span> {
        self.client_id.map(|it| it.label).into_iter().chain(self.client_secret.map(|it| it.label))
    }

    fn application(&self, connector: &file::Connector, folder: &Path) -> Option<Application> {
        let mut sources = self.client_secret?.value.0.iter().map(|source| match &source.value {
            file::Secret::Env(name, _) => SecretSource::Env(name.0.clone()),
            file::Secret::File(path, _) => SecretSource::File(folder.join(path)),
            file::Secret::Command(argv) => SecretSource::Command(argv.clone()),
        });
        Some(Application {
            authority: connector.authority.as_ref()?.value.clone(),
            tenant_id: connector.tenant_id.as_ref()?.value.clone(),
            client_id: self.client_id?.value,
            credential: Credential::ClientSecret(SecretSources { first: sources.next()?, others: sources.collect() }),
            scope: connector.scope.as_ref()?.value.0.clone(),
        })
    }
}
