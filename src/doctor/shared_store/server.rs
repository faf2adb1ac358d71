//! Version, kind and memory policy of the server behind the shared store.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisError, Value};

use super::finding::StoreProblem;

/// What to do about an old server.
pub const UPGRADE: &str = "install Redis or Valkey, version 7 or later";

/// What the server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// `redis` or `valkey`.
    pub name: String,
    /// Such as `7.0.15`.
    pub version: String,
    /// `standalone`, `cluster` or `sentinel`.
    pub mode: String,
    /// `master` or `replica`.
    pub role: String,
}

impl Server {
    /// Asks the server. Every user may ask this.
    pub async fn ask(connection: &mut MultiplexedConnection) -> Result<Self, RedisError> {
        let said: HashMap<String, Value> = redis::cmd("HELLO").query_async(connection).await?;
        let text = |key: &str| {
            let value = said.get(key).cloned().map(String::from_redis_value);
            value.and_then(Result::ok).unwrap_or_default()
        };
        Ok(Self { name: text("server"), version: text("version"), mode: text("mode"), role: text("role") })
    }

    /// Whether it can be the shared store.
    pub fn check(&self) -> Result<String, StoreProblem> {
        let Self { name, version, mode, role } = self;
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_none_or(|major| major < MIN_VERSION) {
            return Err(StoreProblem::new(format!("the shared store is {name} {version}"), UPGRADE));
        }
        match mode.as_str() {
            "cluster" => {
                let what = "the shared store is a cluster, whose keys are on several servers";
                return Err(StoreProblem::new(
                    what,
                    "use a server with cluster mode disabled; the load on it is small",
                ));
            }
            "sentinel" => {
                let what = "this is a Sentinel, which stores no data";
                return Err(StoreProblem::new(what, "write the address of the primary server in `url`"));
            }
            _ => {}
        }
        if matches!(role.as_str(), "replica" | "slave") {
            let what = "this server is a read-only replica of another one";
            return Err(StoreProblem::new(what, "write the address of the primary server in `url`"));
        }
        Ok(format!("{name} {version}"))
    }
}

/// Whether the server keeps all keys when its memory is full.
pub async fn memory_policy(connection: &mut MultiplexedConnection) -> Result<String, StoreProblem> {
    match redis::cmd("INFO").arg("memory").query_async::<String>(connection).await {
        Ok(info) => check_memory(&info),
        Err(error) if error.code() == Some("NOPERM") => Err(StoreProblem::new(
            "the user may not run the command INFO, which tells the memory policy",
            "allow the command in the access control list (ACL): `+info`",
        )),
        Err(error) => Err(StoreProblem::new(
            format!("the memory policy is not known ({error})"),
            "check with `INFO memory` on the server that `maxmemory_policy` is `noeviction`",
        )),
    }
}

fn check_memory(info: &str) -> Result<String, StoreProblem> {
    let value = |key: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(key)?.strip_prefix(':'));
    let number = |key: &str| value(key).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
    let (policy, limit, used) = (value("maxmemory_policy"), number("maxmemory"), number("used_memory"));
    match policy {
        Some("noeviction") if limit > 0 && used >= limit => Err(StoreProblem::new(
            "the memory of the shared store is full",
            "raise `maxmemory` of Redis or Valkey, or remove data that is not bcproxy's",
        )),
        Some(policy) if policy == "noeviction" || limit == 0 => {
            let shown = if limit == 0 { "no limit of memory" } else { "keys are never evicted" };
            Ok(format!("{policy}, {shown}"))
        }
        Some(policy) => Err(StoreProblem::new(
            format!("with the memory policy {policy}, the shared store evicts keys when its memory is full"),
            "set `maxmemory-policy noeviction` in the configuration of Redis or Valkey",
        )),
        None => Err(StoreProblem::new(
            "the shared store does not tell its memory policy",
            "make sure that it is `noeviction`: otherwise, permits get lost when the memory is full",
        )),
    }
}

const MIN_VERSION: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_and_valkey_from_version_7_can_be_the_shared_store() {
        let server = |name: &str, version: &str, mode: &str, role: &str| {
            let [name, version, mode, role] = [name, version, mode, role].map(str::to_owned);
            Server { name, version, mode, role }.check()
        };
        assert_eq!(server("redis", "7.0.15", "standalone", "master").unwrap(), "redis 7.0.15");
        assert_eq!(server("valkey", "8.1.0", "standalone", "master").unwrap(), "valkey 8.1.0");
        assert!(server("redis", "10.0.0", "standalone", "master").is_ok());
        for (wrong, what, fix) in [
            (server("redis", "6.2.14", "standalone", "master"), "redis 6.2.14", "version 7 or later"),
            (server("redis", "", "standalone", "master"), "redis ", "version 7 or later"),
            (server("redis", "7.2.0", "cluster", "master"), "a cluster", "cluster mode disabled"),
            (server("redis", "7.2.0", "sentinel", "sentinel"), "a Sentinel", "primary server"),
            (server("valkey", "8.0.0", "standalone", "replica"), "read-only replica", "primary server"),
        ] {
            let wrong = wrong.unwrap_err();
            assert!(wrong.what.contains(what) && wrong.fix.contains(fix), "{wrong:?}");
        }
    }

    #[test]
    fn only_a_server_that_evicts_no_keys_can_be_the_shared_store() {
        let check = |policy: &str, limit: u64, used: u64| {
            check_memory(&format!(
                "# Memory\r\nused_memory:{used}\r\nmaxmemory:{limit}\r\nmaxmemory_human:1M\r\nmaxmemory_policy:{policy}\r\n"
            ))
        };
        assert_eq!(check("noeviction", 100, 50).unwrap(), "noeviction, keys are never evicted");
        assert_eq!(check("allkeys-lru", 0, 50).unwrap(), "allkeys-lru, no limit of memory");
        for (wrong, what, fix) in [
            (check("noeviction", 100, 100), "is full", "raise `maxmemory`"),
            (check("volatile-lru", 100, 1), "volatile-lru", "maxmemory-policy noeviction"),
            (check_memory("# Memory\r\n"), "does not tell", "noeviction"),
        ] {
            let wrong = wrong.unwrap_err();
            assert!(wrong.what.contains(what) && wrong.fix.to_lowercase().contains(fix), "{wrong:?}");
        }
    }
}
