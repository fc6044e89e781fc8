//! File descriptors: how many the process may have, and how many of them connections of the public listener may take.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are kept for the admin listener, the store, and connections to backends and APIs.
const RESERVE: u64 = 384;

/// Raises the process's limit of descriptors as far as it may, and returns it. `None`: there is no limit.
pub(super) fn raise_limit() -> Option<u64> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    // The filter of system calls in the systemd unit refuses this. The unit sets a high limit itself.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current
}

/// Largest number of connections to the public listener under a limit of descriptors, at most `most`.
pub(super) fn public_connections(limit: Option<u64>, most: usize) -> usize {
    let connections = limit.map_or(most, |limit| fitting(limit, most));
    if connections < most {
        tracing::warn!(
            descriptors = limit,
            connections,
            "the process may open few files, so the public listener takes fewer than {most} connections at once: raise \
             the limit (systemd: LimitNOFILE=8192; shell: ulimit -n 8192)"
        );
    }
    connections
}

/// Number of connections that leaves the reserve free, or half of all descriptors if there are very few.
fn fitting(descriptors: u64, most: usize) -> usize {
    let left = descriptors.saturating_sub(RESERVE).max(descriptors / 2);
    usize::try_from(left).map_or(most, |left| left.clamp(1, most))
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn connections_leave_a_reserve() {
        assert_eq!(fitting(8_192, 1_024), 1_024);
        assert_eq!(fitting(1_024, 1_024), 640);
        assert_eq!(fitting(256, 1_024), 128);
        assert_eq!(fitting(0, 1_024), 1);
    }
}
