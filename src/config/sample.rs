//! The sample configuration, which explains every key.

use std::net::SocketAddr;

/// The sample as it was when this program was built.
pub const SAMPLE: &str = include_str!("../../proxy.yaml");

/// The sample with another listener. Its other settings are still to be filled in.
pub fn sample_listening_on(address: SocketAddr) -> String {
    SAMPLE.replacen(&format!("# {DEFAULT_LISTENER}"), &format!("listen: {address}"), 1)
}

/// The listener of text that [`sample_listening_on`] wrote; `None` for any other text. Line ends make no difference.
pub fn listener_of_sample(text: &str) -> Option<SocketAddr> {
    let address = text.lines().find_map(|line| line.strip_prefix("listen: "))?.parse().ok()?;
    sample_listening_on(address).lines().eq(text.lines()).then_some(address)
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
        let text = sample_listening_on(address);
        let loaded = Config::from_yaml(&text, Path::new("proxy.yaml")).unwrap();
        assert_eq!(loaded.config.listen.iter().map(|listener| listener.address).collect::<Vec<_>>(), [address]);
        assert_eq!(listener_of_sample(&text.replace('\n', "\r\n")), Some(address));
        assert_eq!(listener_of_sample(&text.replacen("cronus:", "mine:", 1)), None);
        assert_eq!(listener_of_sample(SAMPLE), None);
    }
}
