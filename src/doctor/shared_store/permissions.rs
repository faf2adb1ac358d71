//! Whether scripts may run, use their commands and keys, and send messages.

use std::sync::LazyLock;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};

use super::finding::StoreProblem;
use crate::config::SharedLimits;

/// Tries each command that the scripts use, on a key of its own, which it removes.
pub static PROBE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("permissions.lua")));

/// The commands of scripts that are rejected, each with the reason.
pub type Rejected = Vec<(String, String)>;

/// Runs the probe on `key`. It sends `message` to `channel`.
pub async fn probe(
    connection: &mut MultiplexedConnection,
    key: &str,
    channel: &str,
    message: &str,
) -> Result<Rejected, RedisError> {
    let failed: Vec<String> = PROBE.key(key).arg(channel).arg(message).invoke_async(connection).await?;
    let pairs = failed.chunks_exact(2).filter_map(|pair| match pair {
        [command, why] => Some((command.clone(), why.clone())),
        _ => None,
    });
    Ok(pairs.collect())
}

/// Whether the scripts can work.
pub fn check(probed: &Result<Rejected, RedisError>, settings: &SharedLimits) -> Result<String, StoreProblem> {
    let prefix = &settings.prefix;
    let rejected = match probed {
        Ok(rejected) => rejected,
        Err(error) => return Err(script_rejected(error, settings)),
    };
    let Some((command, why)) = rejected.iter().find(|(command, _)| command != PUBLISH) else {
        return Ok(format!("scripts may use the keys `{prefix}:*`"));
    };
    if is_about_keys(why) {
        let what = format!("scripts may not use keys with the prefix `{prefix}`");
        return Err(StoreProblem::new(what, allow(settings, &format!("~{prefix}:*"))));
    }
    if is_about_permissions(why) {
        let denied = rejected.iter().filter(|(_, why)| is_about_permissions(why) && !is_about_keys(why));
        let denied: Vec<String> = denied.map(|(command, _)| command.to_lowercase()).collect();
        let what = format!("scripts may not run {}", denied.join(", "));
        return Err(StoreProblem::new(what, allow(settings, &format!("+{}", denied.join(" +")))));
    }
    Err(StoreProblem::new(format!("the command {command} fails in scripts ({why})"), fix_of_failure(why)))
}

/// Whether the probe could send its message.
pub fn check_publishing(rejected: &Rejected, settings: &SharedLimits) -> Result<(), StoreProblem> {
    let Some((_, why)) = rejected.iter().find(|(command, _)| command == PUBLISH) else { return Ok(()) };
    let prefix = &settings.prefix;
    if is_about_permissions(why) {
        let what = format!("scripts may not send messages to the channels `{prefix}:*`");
        return Err(StoreProblem::new(what, allow(settings, &format!("+publish &{prefix}:*"))));
    }
    Err(StoreProblem::new(format!("messages can't be sent ({why})"), fix_of_failure(why)))
}

/// The right to add to the access control list.
pub fn allow(settings: &SharedLimits, rules: &str) -> String {
    let user = settings.user.as_deref().unwrap_or("default");
    format!("allow it in the access control list (ACL) of the shared store: `ACL SETUSER {user} {rules}`")
}

fn script_rejected(error: &RedisError, settings: &SharedLimits) -> StoreProblem {
    let said = error.to_string();
    if is_about_keys(&said) {
        let what = format!("scripts may not use keys with the prefix `{}`", settings.prefix);
        return StoreProblem::new(what, allow(settings, &format!("~{}:*", settings.prefix)));
    }
    if is_about_permissions(&said) {
        return StoreProblem::new("the user may not run scripts", allow(settings, "+evalsha +script|load"));
    }
    StoreProblem::new(format!("a script fails ({said})"), fix_of_failure(&said))
}

// Versions 7.0 and 7.2 say the same in other words, and each says it in another way to scripts.
fn is_about_keys(said: &str) -> bool {
    said.contains("access") && said.contains("key") && is_about_permissions(said)
}

fn is_about_permissions(said: &str) -> bool {
    ["NOPERM", "no permissions", "No permissions", "The user executing the script can't"]
        .iter()
        .any(|words| said.contains(words))
}

fn fix_of_failure(said: &str) -> &'static str {
    let says = |words: &str| said.contains(words);
    if says("OOM") || says("maxmemory") {
        "raise `maxmemory` of Redis or Valkey, or remove data that is not bcproxy's"
    } else if says("READONLY") {
        "write the address of the primary server in `url`"
    } else if says("MISCONF") {
        "the server can't write its data to disk: free disk space there, or turn off its persistence"
    } else {
        "check the log of the Redis or Valkey server"
    }
}

const PUBLISH: &str = "PUBLISH";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_versions_are_understood() {
        for said in [
            "NOPERM this user has no permissions to access one of the keys used as arguments",
            "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
            "NOPERM ACL failure in script: User bcproxy has no permissions to access the 'x' key",
            "NOPERM No permissions to access a key",
        ] {
            assert!(is_about_keys(said) && is_about_permissions(said), "{said}");
        }
        for said in [
            "NOPERM this user has no permissions to run the 'eval' command",
            "ERR The user executing the script can't run this command or subcommand",
            "ERR The user executing the script can't publish to the channel mentioned in the command",
            "NOPERM ACL failure in script: User bcproxy has no permissions to run the 'zadd' command",
            "NOPERM No permissions to access a channel",
        ] {
            assert!(!is_about_keys(said) && is_about_permissions(said), "{said}");
        }
        assert!(!is_about_permissions("OOM command not allowed when used memory > 'maxmemory'."));
    }
}
