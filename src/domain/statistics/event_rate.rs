//! The interval of a number of events per unit.

use super::constants::real;
use super::estimate::Estimate;
use super::poisson::poisson_mean;

/// Events over units of exposure: incidents per deployment. There may be more events than units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRate {
    events: usize,
    exposure: usize,
}

impl EventRate {
    /// So many events over so many units. `None` without a unit.
    pub const fn new(events: usize, exposure: usize) -> Option<Self> {
        if exposure > 0 { Some(Self { events, exposure }) } else { None }
    }

    /// Number of events.
    pub const fn events(self) -> usize {
        self.events
    }

    /// Number of units.
    pub const fn exposure(self) -> usize {
        self.exposure
    }

    /// Events per unit, and the exact Poisson interval of the count divided by the units.
    ///
    /// The interval assumes that events occur independently. Incidents come in clusters, so the true uncertainty is
    /// larger.
    pub fn estimate(self) -> Estimate {
        poisson_mean(self.events).per(real(self.exposure))
    }
}
