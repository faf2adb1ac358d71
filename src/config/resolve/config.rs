//! The configuration as a whole.

use std::sync::Arc;

use super::client_auth::clients;
use super::{admin, connectors, listeners, log, routes, shared_limits, telemetry, warnings};
use crate::config::model::{Access, Config, MaxConnections, Spool};
use crate::config::shape::OrOff;
use crate::config::vocabulary::{SpoolKeys, TopLevelKeys};
use crate::config::yaml::Report;

/// Builds the configuration, and checks every part that could be read. `None` if there is any error.
pub fn config(file: &TopLevelKeys, report: &mut Report) -> Option<Config> {
    let connectors = connectors::read(file, report);
    let listen = listeners::read(file, report);
    let admin = admin::admin(file, report);
    let routes = routes::read(file, &connectors, report);
    let known = connectors.iter().filter_map(|connector| connector.value.as_deref());
    let clients = clients(file, known, report);
    let otlp = telemetry::otlp(file, report);
    let shared_limits = shared_limits::shared_limits(file, report);
    listeners::check_access(file, report);
    listeners::warn_of_open_access(file, report);
    listeners::warn_of_plain_credentials(file, report);
    if let Some(Some(admin)) = &admin {
        admin::warn_of_unreachable_commands(file, admin, report);
    }
    warnings::unused(file, &connectors, report);

    let access = &file.access.as_ref()?.value;
    let connections = &file.max_connections.as_ref()?.value;
    let config = Config {
        listen,
        public_url: file.public_url.as_ref().map(|url| url.value.clone()),
        admin: admin?,
        connectors: connectors.into_iter().filter_map(|connector| connector.value).collect(),
        routes,
        access: Access {
            browsers: access.browsers.as_ref()?.value,
            hosts: access.hosts.iter().flat_map(|hosts| &hosts.value).map(|host| host.value.clone()).collect(),
        },
        users: file.users.as_ref().map(|users| users.value.clone()),
        clients: clients.into_iter().map(Arc::new).collect(),
        log: log::log(&file.log.as_ref()?.value)?,
        otlp: otlp?,
        shared_limits: shared_limits?,
        max_connections: MaxConnections {
            total: connections.total.as_ref()?.value.0,
            per_client: connections.per_client.as_ref()?.value.0,
        },
        max_memory: file.max_memory.as_ref()?.value.0,
        spool: spool(&file.spool.as_ref()?.value)?,
        keep_alive: file.keep_alive.as_ref()?.value,
        shutdown_grace: file.shutdown.as_ref()?.value.grace.as_ref()?.value,
    };
    (!report.has_errors()).then_some(config)
}

fn spool(spool: &OrOff<SpoolKeys>) -> Option<Option<Spool>> {
    let OrOff::On(spool) = spool else { return Some(None) };
    Some(Some(Spool {
        folder: spool.folder.as_ref().map(|folder| folder.value.clone()),
        memory: spool.memory.as_ref()?.value.0,
        disk: spool.disk.as_ref()?.value.0,
    }))
}
