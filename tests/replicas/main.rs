//! Several replicas as processes, with a real Redis and a real HAProxy between them and their clients.
#![cfg(unix)]

#[path = "../common/haproxy.rs"]
mod haproxy;
#[path = "../common/ntlm_client.rs"]
mod ntlm_client;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/redis_server.rs"]
mod redis_server;
#[path = "../common/replicas.rs"]
mod replicas;
#[path = "../common/rig.rs"]
mod rig;
#[path = "../common/store_link.rs"]
mod store_link;
#[path = "../common/users.rs"]
mod users;
#[path = "../common/wire.rs"]
mod wire;

mod cache;
mod faults;
mod full_load;
mod load_balancer;
mod store_access;
