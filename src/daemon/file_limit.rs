//! The process's limit on open files.

/// Raises the soft limit on open files to the hard limit, and warns if that is too low for `connections`.
///
/// Each client connection needs one file, and a common soft limit is 1,024.
pub fn raise_file_limit(connections: usize) {
    #[cfg(unix)]
    {
        use rlimit::Resource;
        let hard_limit = Resource::NOFILE.get().and_then(|(soft, hard)| {
            if soft < hard {
                Resource::NOFILE.set(hard, hard)?;
            }
            Ok(hard)
        });
        match hard_limit {
            Ok(limit) if limit < connections as u64 => tracing::warn!(
                "this process can open {limit} files, fewer than the {connections} connections of `max_connections`: raise the limit \
                 (systemd: LimitNOFILE=, otherwise: ulimit -n) or lower `max_connections`"
            ),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(
                    "raising the limit on open files failed ({error}): with many connections, check it with ulimit -n"
                )
            }
        }
    }
    #[cfg(not(unix))]
    let _ = connections;
}
