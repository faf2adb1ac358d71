//! The sample configuration, which explains every key.

use std::net::SocketAddr;

/// The sample as it was when this program was built.
pub const SAMPLE: &str = include_str!("../../proxy.yaml");

/// The sample with another listener. Its other settings are still to be filled in.
pub fn sample_listening_on(address: SocketAddr) -> String {
    SAMPLE.replacen(&format!("# {DEFAULT_LISTENER}"), &format!("listen: {address}"), 1)
}

const DEFAULT_LISTENER: &str = "listen: 127.0.0.1:8080";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    #[test]
    fn the_sample_takes_another_listener() {
        let address: SocketAddr = "127.0.0.9:7048".parse().unwrap();
        let loaded = Config::from_yaml(&sample_listening_on(address), Path::new("proxy.yaml")).unwrap();
        assert_eq!(loaded.config.listen.iter().map(|listener| listener.address).collect::<Vec<_>>(), [address]);
    }
}
