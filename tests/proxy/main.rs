//! bcproxy from the outside: real sockets on one side, the simulator over real TLS on the other. One file per behavior.

#[path = "../common/certificates.rs"]
mod certificates;
#[path = "../common/client_authority.rs"]
mod client_authority;
#[path = "../common/connect_proxy.rs"]
mod connect_proxy;
#[path = "../common/ntlm_client.rs"]
mod ntlm_client;
#[path = "../common/plain_http.rs"]
mod plain_http;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/raw_upstream.rs"]
mod raw_upstream;
#[path = "../common/rig.rs"]
mod rig;
#[path = "../common/users.rs"]
mod users;
#[path = "../common/wire.rs"]
mod wire;

mod addresses;
mod admin_access;
mod admin_commands;
mod admin_port;
mod admin_tools;
mod alerts;
mod automation;
mod batch;
mod batch_bad;
mod body_addresses;
mod bounded_work;
mod cache;
mod cache_changes;
mod cache_sharing;
mod client_auth;
mod client_auth_mtls;
mod client_auth_ntlm;
mod collector;
mod companies;
mod companies_listed;
mod confinement;
mod content_types;
mod crawl;
mod credentials;
mod dashboard;
mod deceptive;
mod entra_errors;
mod events;
#[cfg(unix)]
mod explained;
mod faults;
mod forwarded_for;
mod forwarding;
mod handshake;
mod hosts;
mod http1_corpus;
mod https;
mod json_bodies;
mod known_clients;
mod limiter;
mod load;
mod log_lines;
mod messages;
mod microsoft_ids;
mod observed_clients;
mod old_odata;
mod otlp;
mod outbound_proxy;
mod own_responses;
mod pool;
mod problems;
mod proxy_protocol;
mod read_only;
mod redirects;
mod rejected_connections;
mod reload;
mod reload_process;
mod rotation;
mod route_keys;
mod service_manager;
mod shared_store_status;
mod shutdown;
mod slow_clients;
mod status;
mod subscriptions;
mod token_refresh;
mod token_rejected;
mod token_single_flight;
mod uploads;
mod warnings;
mod wire_bodies;
mod wire_cut;
mod wire_expect;
mod wire_half_close;
mod wire_http10;
mod wire_names;
mod wire_request_line;
