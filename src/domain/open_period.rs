//! Rule 7: the periods in which an incident was open.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// Time within which an event that was sent tells the same fact as one that was read. A time that is read has no
/// fraction, and the event of a reopen has a time more than a second after the reopen.
pub(super) const SAME_FACT: Duration = Duration::from_secs(3);

/// A period in which the incident was open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenPeriod {
    /// Reopen that began the period. `None` for the first period: it begins at the start of the failure, which the
    /// policy decides.
    pub reopened_at: Option<Timestamp>,
    /// Resolve that ended the period. `None` while it lasts, or if the resolve never arrived; then another period
    /// follows.
    pub resolved_at: Option<Timestamp>,
    /// `true` if the time of the reopen is not known. Then `reopened_at` is the latest that it can be.
    pub is_start_unknown: bool,
}

/// Time between a resolve and the reopen after it, in which the incident was not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The resolve.
    pub resolved_at: Timestamp,
    /// The reopen (exclusive).
    pub reopened_at: Timestamp,
}

impl Pause {
    /// `true` if a time lies in the pause.
    pub fn contains(&self, at: Timestamp) -> bool {
        (self.resolved_at..self.reopened_at).contains(&at)
    }
}

/// Pauses between open periods. A pause whose resolve never arrived is left out.
pub(super) fn pauses(open_periods: &[OpenPeriod]) -> Vec<Pause> {
    let pairs = open_periods.iter().zip(open_periods.iter().skip(1));
    let pause = |(before, after): (&OpenPeriod, &OpenPeriod)| {
        let (resolved_at, reopened_at) = (before.resolved_at?, after.reopened_at?);
        (resolved_at < reopened_at).then_some(Pause { resolved_at, reopened_at })
    };
    pairs.filter_map(pause).collect()
}

/// A reopen, as an event shows it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reopening {
    /// The event is the reopen itself, and may contain its time.
    Event {
        /// Time of the event.
        at: Timestamp,
        /// PagerDuty's `reopened_at`, in whole seconds.
        reopened_at: Option<Timestamp>,
    },
    /// The event only shows that the incident was reopened before.
    Shown {
        /// PagerDuty's `reopened_at`, in whole seconds.
        at: Timestamp,
        /// `true` if it shows the incident open; otherwise it is a resolve.
        is_open: bool,
    },
    /// The incident was reopened at an unknown time between the last resolve and this time.
    Implied {
        /// The latest time at which it was reopened.
        at: Timestamp,
    },
}

impl Reopening {
    /// `true` for [`Self::Shown`].
    pub(super) const fn is_shown(&self) -> bool {
        matches!(self, Self::Shown { .. })
    }
}

/// Builder of the open periods from the events in their order.
#[derive(Debug)]
pub(super) struct OpenPeriods {
    closed: Vec<OpenPeriod>,
    current: OpenPeriod,
    /// Latest time that is known for the reopen of the current period. A reopen up to this time is not a new one.
    known_until: Option<Timestamp>,
    /// `true` if the reopen of the current period is known from another event only, and its own event may still follow.
    expects_event: bool,
}

impl Default for OpenPeriods {
    fn default() -> Self {
        Self {
            closed: Vec::new(),
            current: OpenPeriod { reopened_at: None, resolved_at: None, is_start_unknown: false },
            known_until: None,
            expects_event: false,
        }
    }
}

impl OpenPeriods {
    /// Adds a reopen. A new reopen of an open incident shows that the resolve before it never arrived.
    pub(super) fn reopened(&mut self, reopening: Reopening) {
        if let Reopening::Shown { at, .. } = reopening
            && self.is_start_of_current(at)
        {
            self.current = OpenPeriod { reopened_at: Some(at), is_start_unknown: false, ..self.current };
            return;
        }
        let is_later = |reopened_at| self.known_until.is_none_or(|known_until| reopened_at > known_until);
        match (self.current.resolved_at, reopening) {
            (Some(_), Reopening::Event { at, reopened_at }) => self.begin(at, reopened_at, false),
            (Some(resolved_at), Reopening::Shown { at, is_open }) => {
                // A resolve of a resolved incident only moves the end.
                if is_open && at > resolved_at {
                    self.begin(at, None, true);
                }
            }
            (None, Reopening::Event { at, reopened_at }) => {
                let is_new = match reopened_at {
                    Some(reopened_at) => is_later(reopened_at),
                    None => !self.expects_event && is_later(at),
                };
                if is_new {
                    self.begin(at, reopened_at, false);
                } else {
                    self.expects_event = false;
                    if self.current.is_start_unknown {
                        let reopened_at = Some(at);
                        self.current = OpenPeriod { reopened_at, is_start_unknown: false, ..self.current };
                    }
                }
            }
            (None, Reopening::Shown { at, .. }) => {
                if is_later(at) {
                    self.begin(at, None, true);
                }
            }
            (Some(resolved_at), Reopening::Implied { at }) => {
                // Two times of one change may differ a little.
                if at > resolved_at.saturating_add(SAME_FACT) {
                    self.begin(at, None, true);
                    self.current.is_start_unknown = true;
                }
            }
            // The reopen is known already.
            (None, Reopening::Implied { .. }) => {}
        }
    }

    /// `true` if a reopen at this time is the one that began the current period, and whose time was not known.
    fn is_start_of_current(&self, reopened_at: Timestamp) -> bool {
        let resolved_before = self.closed.last().and_then(|before| before.resolved_at);
        self.current.is_start_unknown
            && resolved_before.is_some_and(|resolved_at| resolved_at < reopened_at)
            && self.current.reopened_at.is_some_and(|latest| reopened_at <= latest)
    }

    /// Adds a resolve.
    pub(super) const fn resolved(&mut self, at: Timestamp) {
        self.current.resolved_at = Some(at);
    }

    /// Returns all periods, the current one last.
    pub(super) fn finish(mut self) -> Vec<OpenPeriod> {
        self.closed.push(self.current);
        self.closed
    }

    fn begin(&mut self, at: Timestamp, reopened_at: Option<Timestamp>, expects_event: bool) {
        self.closed.push(self.current);
        self.current = OpenPeriod { reopened_at: Some(at), resolved_at: None, is_start_unknown: false };
        // PagerDuty's `reopened_at` is in whole seconds, and may be later than the event.
        self.known_until = Some(reopened_at.map_or(at, |reopened_at| reopened_at.max(at)));
        self.expects_event = expects_event;
    }
}
