//! The PROXY protocol: a load balancer begins each connection with the address of the client behind it.
//!
//! Source: HAProxy, "The PROXY protocol, versions 1 & 2".

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Why the client behind a load balancer is not known.
#[derive(Debug, thiserror::Error)]
pub enum ProxyProtocolError {
    /// No complete header came in time.
    #[error("it sent no PROXY protocol header within {} s. Switch the PROXY protocol on there", TIMEOUT.as_secs())]
    TimedOut,
    /// The connection ended before.
    #[error("the connection ended before its PROXY protocol header was complete ({0})")]
    Closed(#[from] io::Error),
    /// It begins otherwise, or the header is malformed.
    #[error("what it sent first is no PROXY protocol header. Switch version 1 or 2 on there")]
    Malformed,
    /// The client has an address that no client on a network has.
    #[error("its PROXY protocol header names the client {0}, which is no address on a network")]
    NoClient(IpAddr),
}

/// Reads the header, and nothing behind it. `None`: the load balancer itself asks, as for a health check.
pub async fn read_client(socket: &mut TcpStream) -> Result<Option<SocketAddr>, ProxyProtocolError> {
    let header = timeout(TIMEOUT, read_header(socket)).await.map_err(|_| ProxyProtocolError::TimedOut)??;
    let client = parse(&header)?;
    match client.map(|client| client.ip().to_canonical()) {
        // What is allowed to this machine's own programs is not for whoever a header calls one.
        Some(ip) if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() => {
            Err(ProxyProtocolError::NoClient(ip))
        }
        _ => Ok(client),
    }
}

async fn read_header(socket: &mut TcpStream) -> Result<Vec<u8>, ProxyProtocolError> {
    let mut header = vec![0; ppp::v2::PROTOCOL_PREFIX.len()];
    socket.read_exact(&mut header).await?;
    if header == ppp::v2::PROTOCOL_PREFIX {
        let mut rest = [0; 4];
        socket.read_exact(&mut rest).await?;
        header.extend(rest);
        let [_, _, length @ ..] = rest;
        let length = usize::from(u16::from_be_bytes(length));
        if length > MAX_V2_BYTES {
            return Err(ProxyProtocolError::Malformed);
        }
        let begin = header.len();
        header.resize(begin + length, 0);
        socket.read_exact(header.get_mut(begin..).unwrap_or_default()).await?;
    } else if header.starts_with(ppp::v1::PROTOCOL_PREFIX.as_bytes()) {
        while !header.ends_with(b"\n") {
            if header.len() == MAX_V1_BYTES {
                return Err(ProxyProtocolError::Malformed);
            }
            header.push(socket.read_u8().await?);
        }
    } else {
        return Err(ProxyProtocolError::Malformed);
    }
    Ok(header)
}

fn parse(header: &[u8]) -> Result<Option<SocketAddr>, ProxyProtocolError> {
    if !header.starts_with(ppp::v2::PROTOCOL_PREFIX) {
        let header = ppp::v1::Header::try_from(header).map_err(|_| ProxyProtocolError::Malformed)?;
        return Ok(match header.addresses {
            ppp::v1::Addresses::Tcp4(ip) => Some((ip.source_address, ip.source_port).into()),
            ppp::v1::Addresses::Tcp6(ip) => Some((ip.source_address, ip.source_port).into()),
            ppp::v1::Addresses::Unknown => None,
        });
    }
    let header = ppp::v2::Header::try_from(header).map_err(|_| ProxyProtocolError::Malformed)?;
    match (header.command, header.addresses) {
        (ppp::v2::Command::Local, _) | (_, ppp::v2::Addresses::Unspecified) => Ok(None),
        (_, ppp::v2::Addresses::IPv4(ip)) => Ok(Some((ip.source_address, ip.source_port).into())),
        (_, ppp::v2::Addresses::IPv6(ip)) => Ok(Some((ip.source_address, ip.source_port).into())),
        (_, ppp::v2::Addresses::Unix(_)) => Err(ProxyProtocolError::Malformed),
    }
}

/// As long as a head may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest line of version 1, with its CRLF.
const MAX_V1_BYTES: usize = 107;

/// Addresses take 36 bytes; load balancers add a certificate's names and their own identifiers.
const MAX_V2_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [ppp::v2::PROTOCOL_PREFIX, &[0x20 | command, family], &length, rest].concat()
    }

    #[test]
    fn the_client_is_the_source() {
        let ipv4 = [10, 1, 2, 3, 10, 0, 0, 1, 0x30, 0x39, 0, 80];
        for (header, client) in [
            (b"PROXY TCP4 10.1.2.3 10.0.0.1 12345 80\r\n".to_vec(), Some("10.1.2.3:12345")),
            (b"PROXY TCP6 fd00::1 fd00::2 12345 80\r\n".to_vec(), Some("[fd00::1]:12345")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN fd00::1 fd00::2 1 2\r\n".to_vec(), None),
            (v2(1, 0x11, &ipv4), Some("10.1.2.3:12345")),
            (v2(1, 0x11, &[&ipv4[..], &[4, 0, 1, 0]].concat()), Some("10.1.2.3:12345")),
            (v2(0, 0x11, &ipv4), None),
            (v2(1, 0, &[]), None),
        ] {
            let read = parse(&header).unwrap().map(|client| client.to_string());
            assert_eq!(read.as_deref(), client, "{}", header.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_header_names_nobody() {
        for header in [
            b"PROXY TCP4 10.1.2.3 10.0.0.1 12345\r\n".to_vec(),
            b"PROXY TCP4 10.1.2.3 10.0.0.1 12345 80\n".to_vec(),
            b"PROXY TCP4 010.1.2.3 10.0.0.1 12345 80\r\n".to_vec(),
            b"PROXY TCP4 10.1.2.3  10.0.0.1 12345 80\r\n".to_vec(),
            b"PROXY TCP4 fd00::1 fd00::2 12345 80\r\n".to_vec(),
            b"PROXY UDP4 10.1.2.3 10.0.0.1 12345 80\r\n".to_vec(),
            b"PROXYTCP4 10.1.2.3 10.0.0.1 12345 80\r\n".to_vec(),
            v2(1, 0x11, &[10, 1, 2, 3]),
            v2(1, 0x31, &[0; 216]),
            v2(2, 0x11, &[0; 12]),
        ] {
            assert!(parse(&header).is_err(), "{}", header.escape_ascii());
        }
    }
}
