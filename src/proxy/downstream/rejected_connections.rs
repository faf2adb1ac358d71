//! Rejected connections, counted by reason: what never became a request is in no other count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionRejection {
    /// Its client has as many connections as one may have.
    ClientLimit,
    /// All clients together have as many connections as they may have.
    TotalLimit,
    /// The limit on open files leaves no more connections.
    FileLimit,
    /// The client aborted the TLS handshake, probably because it does not trust the certificate.
    UntrustedCertificate,
    /// The client supports neither TLS 1.2 nor 1.3.
    OldTls,
    /// Client and listener have no cipher in common.
    NoCommonCipher,
    /// The TLS handshake took too long.
    TlsTimeout,
    /// The TLS handshake failed otherwise.
    TlsHandshake,
    /// Plain HTTP on an address for HTTPS.
    HttpOnHttps,
    /// HTTPS on an address for plain HTTP.
    HttpsOnHttp,
    /// A load balancer sent no valid PROXY protocol header.
    ProxyProtocol,
    /// A request that is not HTTP/1.
    MalformedRequest,
}

/// The connections rejected since the start. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct RejectedConnections(Arc<[AtomicU64; ConnectionRejection::ALL.len()]>);

impl ConnectionRejection {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 12] = [
        Self::ClientLimit,
        Self::TotalLimit,
        Self::FileLimit,
        Self::UntrustedCertificate,
        Self::OldTls,
        Self::NoCommonCipher,
        Self::TlsTimeout,
        Self::TlsHandshake,
        Self::HttpOnHttps,
        Self::HttpsOnHttp,
        Self::ProxyProtocol,
        Self::MalformedRequest,
    ];

    /// The word in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientLimit => "client_limit",
            Self::TotalLimit => "total_limit",
            Self::FileLimit => "file_limit",
            Self::UntrustedCertificate => "untrusted_certificate",
            Self::OldTls => "old_tls",
            Self::NoCommonCipher => "no_common_cipher",
            Self::TlsTimeout => "tls_timeout",
            Self::TlsHandshake => "tls_handshake",
            Self::HttpOnHttps => "http_on_https",
            Self::HttpsOnHttp => "https_on_http",
            Self::ProxyProtocol => "proxy_protocol",
            Self::MalformedRequest => "malformed_request",
        }
    }

    /// The reason in a few words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::ClientLimit => "limit of connections per client",
            Self::TotalLimit => "limit of connections of all clients",
            Self::FileLimit => "limit of open files",
            Self::UntrustedCertificate => "certificate not trusted by the client",
            Self::OldTls => "client without TLS 1.2",
            Self::NoCommonCipher => "no common cipher",
            Self::TlsTimeout => "TLS handshake too slow",
            Self::TlsHandshake => "TLS handshake failed",
            Self::HttpOnHttps => "plain HTTP on an address for HTTPS",
            Self::HttpsOnHttp => "HTTPS on an address for plain HTTP",
            Self::ProxyProtocol => "no PROXY protocol header from the load balancer",
            Self::MalformedRequest => "malformed request",
        }
    }
}

impl RejectedConnections {
    /// Counts a connection.
    pub fn count(&self, why: ConnectionRejection) {
        if let Some(count) = self.0.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counts of all reasons.
    pub fn counts(&self) -> impl Iterator<Item = (ConnectionRejection, u64)> {
        ConnectionRejection::ALL.into_iter().zip(self.0.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_count_of_its_own() {
        let rejected = RejectedConnections::default();
        for (times, why) in ConnectionRejection::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| rejected.count(why));
        }
        let counts: Vec<u64> = rejected.counts().map(|(_, count)| count).collect();
        assert_eq!(counts, (0..12).collect::<Vec<u64>>());
    }
}
