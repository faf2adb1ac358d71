//! The scripts that run in the shared store. Each is one step: nothing happens between its commands.

use std::sync::LazyLock;

/// A script with its hash, by which the store knows it once it has run.
pub type Script = LazyLock<redis::Script>;

/// What a replica tells about a limiter, and the permit it gets.
pub static LIMITER: Script = LazyLock::new(|| with_clock(include_str!("scripts/limiter.lua")));

/// What a replica tells about its changes, and what a cached response shows.
pub static CHANGES: Script = LazyLock::new(|| with_clock(include_str!("scripts/changes.lua")));

/// The heartbeat of a replica.
pub(super) static REPLICAS: Script = LazyLock::new(|| with_clock(include_str!("scripts/replicas.lua")));

/// The orderly stop of a replica.
pub(super) static LEAVE: Script = LazyLock::new(|| with_clock(include_str!("scripts/leave.lua")));

fn with_clock(script: &str) -> redis::Script {
    redis::Script::new(&format!("{}{script}", include_str!("scripts/clock.lua")))
}

/// The script of a limiter at a time that its second argument gives, in milliseconds.
#[cfg(test)]
pub fn limiter_at_given_time() -> redis::Script {
    let clock = "local function now() return tonumber(ARGV[2]) end\n";
    redis::Script::new(&format!("{clock}{}", include_str!("scripts/limiter.lua")))
}

/// The script of changes at a time that its second argument gives, on the server process that its third one names.
#[cfg(test)]
pub fn changes_at_given_time() -> redis::Script {
    let server = "local function now() return tonumber(ARGV[2]) end
        local server = redis
        local redis = { call = server.call, pcall = function() return 'run_id:' .. ARGV[3] end }";
    redis::Script::new(&format!("{server}\n{}", include_str!("scripts/changes.lua")))
}
