//! References to deployments, small enough for a million failures.

/// Place of a deployment: its kind, and its index in the kind's timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DeploymentRef {
    pub(super) kind: u32,
    pub(super) index_in_timeline: u32,
}

impl DeploymentRef {
    /// Place of no deployment.
    pub(super) const NONE: Self = Self { kind: u32::MAX, index_in_timeline: u32::MAX };
}
