//! The addresses that answered last, which are tried first.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Looks up names as the system does, but puts the address that answered last first. Clones share what they know.
///
/// Addresses are tried one after the other: without this, each connection would wait for one that is down.
#[derive(Debug, Clone, Default)]
pub(super) struct Answered(Arc<Mutex<HashMap<String, IpAddr>>>);

impl Answered {
    /// Remembers the address that answered for a name.
    pub fn remember(&self, name: &str, address: IpAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), address);
    }

    fn sort(&self, name: &str, addresses: &mut [SocketAddr]) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        addresses.sort_by_key(|address| Some(address.ip()) != known);
    }
}

impl Resolve for Answered {
    fn resolve(&self, name: Name) -> Resolving {
        let known = self.clone();
        Box::pin(async move {
            let mut addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            known.sort(name.as_str(), &mut addresses);
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_answered_last_comes_first() {
        let all = ["[fd00::1]:0", "10.0.0.1:0", "10.0.0.2:0"].map(|address| address.parse::<SocketAddr>().unwrap());
        let [first, second, third] = all;
        let answered = Answered::default();
        let sorted = |name: &str| {
            let mut sorted = all;
            answered.sort(name, &mut sorted);
            sorted
        };
        answered.remember("api.test", second.ip());
        answered.remember("api.test", third.ip());
        assert_eq!(sorted("api.test"), [third, first, second]);
        assert_eq!(sorted("login.test"), all);
    }
}
