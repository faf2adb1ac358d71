//! Who may come in, and which clients are known by name.

use hyper::header::HeaderName;

use super::routes::networks;
use crate::config::model::{AuthRules, AuthScheme, Client, ClientAuth, ClientMark, Connector};
use crate::config::shape::{At, Named};
use crate::config::vocabulary::{ClientAuthKeys, ClientKeys, TopLevelKeys};
use crate::config::yaml::Report;
use crate::entra::ClientId;

/// Builds a `client_auth`. `has_authority`: whether a listener verifies the certificates of clients.
pub fn client_auth(
    file: &TopLevelKeys,
    keys: Option<&At<ClientAuthKeys>>,
    has_authority: bool,
    report: &mut Report,
) -> Option<ClientAuth> {
    let At { value: keys, label, .. } = keys?;
    let words = &keys.schemes.as_ref()?.value.0;
    let has = |scheme: AuthScheme| words.iter().any(|word| word.value == scheme);
    if let Some(none) = words.iter().find(|word| word.value == AuthScheme::None) {
        if words.len() > 1 {
            report.error(none.span, "`none` stands beside other schemes", "remove `none`, or everything else");
        }
        return Some(ClientAuth::None);
    }
    let header = || match &keys.api_key_header {
        Some(header) => header.value.0.clone(),
        None => HeaderName::from_static("x-api-key"),
    };
    let names = keys.names.iter().flat_map(|names| &names.value).map(|name| name.value.0.to_lowercase());
    let rules = AuthRules {
        basic: has(AuthScheme::Basic),
        ntlm: has(AuthScheme::Ntlm),
        mtls: has(AuthScheme::Mtls),
        api_key: has(AuthScheme::ApiKey).then(header),
        names: keys.names.is_some().then(|| names.collect()),
    };
    if rules.needs_users() && file.users.is_none() {
        report.error(
            *label,
            "this needs users, and the file names none",
            "add `users: users.txt` at the top level, and a user with `bcproxy user add NAME`",
        );
    }
    if rules.mtls && !has_authority {
        report.error(
            *label,
            "this needs the certificates of clients, and no listener asks for them",
            "add the authority of the certificates to the listener: tls: { …, client_ca: clients.pem }",
        );
    }
    Some(ClientAuth::Required(rules))
}

/// Whether a listener of the file verifies the certificates of clients.
pub fn has_authority(file: &TopLevelKeys) -> bool {
    let listeners = file.listen.iter().flat_map(|listen| &listen.value.0);
    listeners.filter_map(|listener| listener.value.tls.as_ref()).any(|tls| tls.value.client_ca.is_some())
}

/// Builds the known clients. Reports applications that no connector has.
pub fn clients<'c>(
    file: &TopLevelKeys,
    connectors: impl Iterator<Item = &'c Connector> + Clone,
    report: &mut Report,
) -> Vec<Client> {
    let Some(At { value: Named(entries), .. }) = &file.clients else { return Vec::new() };
    let mut clients = Vec::with_capacity(entries.len());
    for (name, keys) in entries {
        let Some(keys) = keys else { continue };
        if let Some(wanted) = &keys.client_id
            && !connectors.clone().any(|connector| connector.has_application(wanted.value))
        {
            report.error(
                wanted.span,
                "no connector has this application",
                "add it to `applications` of the connector, or correct the ID",
            );
        }
        if let (Some(user), None) = (&keys.user, &file.users) {
            report.warning(
                user.label,
                "nobody can sign in as this user: the file names no `users`",
                "add `users: users.txt` at the top level, and the user with `bcproxy user add NAME`",
            );
        }
        if let (Some(user_agent), None) = (&keys.user_agent, &keys.address) {
            report.error(
                user_agent.label,
                "a client can't be recognized by its User-Agent alone, which anybody can send",
                "add `address`, or remove `user_agent`",
            );
        }
        if let Some(mark) = mark(keys) {
            clients.push(Client {
                name: name.value.clone(),
                mark,
                application: keys.client_id.as_ref().map(|client_id| client_id.value),
                read_only: keys.read_only.as_ref().is_some_and(|read_only| read_only.value),
            });
        }
    }
    clients
}

/// The applications that serve a single client each.
pub fn dedicated_applications(file: &TopLevelKeys) -> Vec<ClientId> {
    let clients = file.clients.iter().flat_map(|clients| &clients.value.0);
    clients.filter_map(|(_, keys)| Some(keys.as_ref()?.client_id.as_ref()?.value)).collect()
}

fn mark(keys: &ClientKeys) -> Option<ClientMark> {
    match (&keys.user, &keys.certificate, &keys.address) {
        (Some(user), ..) => Some(ClientMark::User(user.value.0.to_lowercase())),
        (None, Some(name), _) => Some(ClientMark::Certificate(name.value.0.to_lowercase())),
        (None, None, address) => Some(ClientMark::Address {
            networks: networks(address.as_ref())?,
            user_agent: keys.user_agent.as_ref().map(|begin| begin.value.0.clone()),
        }),
    }
}
