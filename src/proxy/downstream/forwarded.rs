//! `X-Forwarded-For`: an HTTP load balancer adds the address of its client to each request.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{HeaderMap, HeaderName};

use crate::config::AllowFrom;

/// Why the client behind a load balancer is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForwardedError {
    /// There is no header. Whoever asks could be anybody.
    #[error("the load balancer sent no X-Forwarded-For. Have it add its client's address to every request")]
    Missing,
    /// An entry is no IP address.
    #[error("an entry of X-Forwarded-For is no IP address. Have the load balancer add its client's address")]
    Malformed,
    /// The client has an address that no client on a network has.
    #[error("X-Forwarded-For names the client {0}, which is no address on a network")]
    NoClient(IpAddr),
}

/// The client of a request that came from a load balancer: the last entry that is none of the load balancers. What a
/// client wrote itself stands before it, and counts for nothing.
pub fn client_behind(headers: &HeaderMap, load_balancers: &AllowFrom) -> Result<IpAddr, ForwardedError> {
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let entries = lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
    let mut last = None;
    for entry in entries {
        let entry = address(entry).ok_or(ForwardedError::Malformed)?;
        last = Some(entry);
        if !load_balancers.contains(entry) {
            break;
        }
    }
    let client = last.ok_or(ForwardedError::Missing)?;
    // What is allowed to this machine's own programs is not for whoever a header calls one.
    if client.is_loopback() || client.is_unspecified() || client.is_multicast() {
        return Err(ForwardedError::NoClient(client));
    }
    Ok(client)
}

/// An address, with or without a port.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?.trim();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let ip: IpAddr = text.parse().or_else(|_| with_port()).ok().or_else(bracketed)?;
    Some(ip.to_canonical())
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_the_last_one_before_the_load_balancers() {
        let balancers =
            AllowFrom::new(vec!["10.0.0.0/24".parse().unwrap(), "127.0.0.2".parse::<IpAddr>().unwrap().into()]);
        let behind = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(X_FORWARDED_FOR, line.parse().unwrap());
            }
            client_behind(&headers, balancers.as_ref().unwrap())
        };
        let ip = |text: &str| Ok(text.parse().unwrap());
        for (lines, client) in [
            (&[][..], Err(ForwardedError::Missing)),
            (&["10.1.2.3"], ip("10.1.2.3")),
            (&["10.1.2.3:4711"], ip("10.1.2.3")),
            (&["fd00::3"], ip("fd00::3")),
            (&["[fd00::3]:80"], ip("fd00::3")),
            (&["[fd00::3]"], ip("fd00::3")),
            (&["::ffff:10.1.2.3"], ip("10.1.2.3")),
            (&["127.0.0.1, 10.1.2.3"], ip("10.1.2.3")),
            (&["garbage, 10.1.2.3, 10.0.0.7"], ip("10.1.2.3")),
            (&["192.0.2.1, 10.1.2.3", "10.0.0.7 ,10.0.0.8"], ip("10.1.2.3")),
            (&["10.0.0.7"], ip("10.0.0.7")),
            (&["127.0.0.1"], Err(ForwardedError::NoClient("127.0.0.1".parse().unwrap()))),
            (&["::ffff:127.0.0.1"], Err(ForwardedError::NoClient("127.0.0.1".parse().unwrap()))),
            (&["::1, 10.0.0.7"], Err(ForwardedError::NoClient("::1".parse().unwrap()))),
            (&["0.0.0.0"], Err(ForwardedError::NoClient("0.0.0.0".parse().unwrap()))),
            (&[""], Err(ForwardedError::Malformed)),
            (&["10.1.2.3,"], Err(ForwardedError::Malformed)),
            (&["unknown"], Err(ForwardedError::Malformed)),
            (&["10.1.2.3, _hidden"], Err(ForwardedError::Malformed)),
        ] {
            assert_eq!(behind(lines), client, "{lines:?}");
        }
    }
}
