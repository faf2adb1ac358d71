//! The process's limit on open files, and how it is shared out.
//!
//! Every connection takes a file. Whoever takes the last one stops all others: clients, the requests to Business
//! Central, the admin listener and the log.

/// How many files connections may take. The rest is in reserve for requests to Business Central and Entra, for
/// temporary files and for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileShares {
    /// For connections of clients.
    pub clients: usize,
    /// For connections to the admin listener.
    pub admin: usize,
}

impl FileShares {
    /// The shares of a process that can open `limit` files.
    fn of(limit: usize) -> Self {
        let reserve = RESERVE.min(limit / 2);
        Self { clients: limit - reserve, admin: MAX_ADMIN_CONNECTIONS.min(reserve / 4) }
    }

    /// The shares under this process's limit.
    #[cfg(unix)]
    pub fn of_this_process() -> Self {
        // A limit that can't be read restricts nothing.
        let limit = rlimit::Resource::NOFILE.get_soft().ok().and_then(|limit| usize::try_from(limit).ok());
        Self::of(limit.unwrap_or(usize::MAX))
    }

    /// The shares under this process's limit.
    #[cfg(not(unix))]
    pub fn of_this_process() -> Self {
        Self::of(usize::MAX)
    }
}

/// Raises the soft limit on open files to the hard limit: a common soft limit is 1,024.
pub fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rlimit::Resource;
        let raised = Resource::NOFILE.get().and_then(|(soft, hard)| match soft < hard {
            true => Resource::NOFILE.set(hard, hard),
            false => Ok(()),
        });
        if let Err(error) = raised {
            tracing::warn!(
                "raising the limit on open files failed ({error}): with many connections, check it with ulimit -n"
            );
        }
    }
}

/// Files that no client's connection takes, if the limit is at least twice as high.
const RESERVE: usize = 2048;

/// Connections to the admin listener, if the reserve is at least four times as high.
const MAX_ADMIN_CONNECTIONS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_is_shared_out_and_a_high_one_has_a_reserve() {
        for (limit, clients, admin) in
            [(64, 32, 8), (1024, 512, 128), (65_536, 63_488, 256), (usize::MAX, usize::MAX - 2048, 256)]
        {
            assert_eq!(FileShares::of(limit), FileShares { clients, admin });
        }
    }
}
