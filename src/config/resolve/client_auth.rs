//! Who may come in, and which clients are known by name.

use super::routes::networks;
use crate::config::model::{AuthRules, AuthScheme, Client, ClientAuth, ClientMark, Connector};
use crate::config::shape::{At, Named};
use crate::config::vocabulary::{ClientAuthKeys, ClientKeys, ListenerKeys, TopLevelKeys};
use crate::config::yaml::Report;
use crate::entra::ClientId;

/// Builds a `client_auth`. `has_authority`: whether a listener verifies the certificates of clients.
pub fn client_auth(
    file: &TopLevelKeys,
    keys: Option<&At<ClientAuthKeys>>,
    has_authority: bool,
    report: &mut Report,
) -> Option<ClientAuth> {
    let rules = keys?;
    let At { value: keys, label, .. } = rules;
    let has = |scheme| scheme_of(rules, scheme).is_some();
    if let Some(none) = scheme_of(rules, AuthScheme::None) {
        if schemes(rules).count() > 1 {
            report.error(none.span, "`none` stands beside other schemes", "remove `none`, or everything else");
        }
        return Some(ClientAuth::None);
    }
    // Without a scheme or with a header that could not be read, the file is invalid.
    schemes(rules).next()?;
    let header = keys.api_key_header.as_ref()?.value.0.clone();
    let names = keys.names.iter().flat_map(|names| &names.value).map(|name| name.value.0.to_lowercase());
    let rules = AuthRules {
        basic: has(AuthScheme::Basic),
        ntlm: has(AuthScheme::Ntlm),
        mtls: has(AuthScheme::Mtls),
        api_key: has(AuthScheme::ApiKey).then_some(header),
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

/// The `client_auth` of a listener, then those of all routes, which apply there, too.
pub fn rules_at<'f>(
    file: &'f TopLevelKeys,
    listener: &'f ListenerKeys,
) -> impl Iterator<Item = &'f At<ClientAuthKeys>> {
    let routes = file.routes.iter().flat_map(|routes| &routes.value);
    listener.client_auth.iter().chain(routes.filter_map(|route| route.value.client_auth.as_ref()))
}

/// The schemes of a `client_auth`.
fn schemes(rules: &At<ClientAuthKeys>) -> impl Iterator<Item = &At<AuthScheme>> {
    rules.value.schemes.iter().flat_map(|schemes| &schemes.value.0)
}

/// Where a `client_auth` names this scheme.
pub fn scheme_of(rules: &At<ClientAuthKeys>, wanted: AuthScheme) -> Option<&At<AuthScheme>> {
    schemes(rules).find(|scheme| scheme.value == wanted)
}

/// Whether clients have to prove who they are.
pub fn is_required(rules: Option<&At<ClientAuthKeys>>) -> bool {
    rules.is_some_and(|rules| schemes(rules).next().is_some() && scheme_of(rules, AuthScheme::None).is_none())
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
