//! Rule 7: the stretches of time in which an incident was open.

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// A stretch of time in which the incident was open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenPeriod {
    /// `None` for the first one: it begins where the failure starts, which is a matter of policy.
    pub reopened_at: Option<Timestamp>,
    /// The resolve that ended it; `None` while it lasts, and where that resolve never came: then another stretch follows.
    pub resolved_at: Option<Timestamp>,
}

/// Time between a resolve and the reopening after it, in which the incident was not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The resolve.
    pub resolved_at: Timestamp,
    /// The reopening; that moment is outside.
    pub reopened_at: Timestamp,
}

impl Pause {
    /// `true` if a moment lies in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        (self.resolved_at..self.reopened_at).contains(&at)
    }
}

/// The pauses between stretches, as far as it is known when they began.
pub(super) fn pauses(stretches: &[OpenPeriod]) -> Vec<Pause> {
    let pairs = stretches.iter().zip(stretches.iter().skip(1));
    let pause = |(before, after): (&OpenPeriod, &OpenPeriod)| {
        let (resolved_at, reopened_at) = (before.resolved_at?, after.reopened_at?);
        (resolved_at < reopened_at).then_some(Pause { resolved_at, reopened_at })
    };
    pairs.filter_map(pause).collect()
}

/// A reopening, as an event tells of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reopening {
    /// The event is the reopening, and may say which one.
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
}

/// The stretches, as they follow from the events in their order.
#[derive(Debug)]
pub(super) struct OpenPeriods {
    closed: Vec<OpenPeriod>,
    current: OpenPeriod,
    /// The last reopening that the current stretch is known to come after: reopenings up to then say nothing new.
    known_until: Option<Timestamp>,
    /// `true` if the event of the current stretch's reopening may still come: only its effect was seen.
    expects_event: bool,
}

impl Default for OpenPeriods {
    fn default() -> Self {
        Self {
            closed: Vec::new(),
            current: OpenPeriod { reopened_at: None, resolved_at: None },
            known_until: None,
            expects_event: false,
        }
    }
}

impl OpenPeriods {
    /// Takes in a reopening. While the incident is open, a new one shows that it was resolved in between, nobody knows
    /// when.
    pub(super) fn reopened(&mut self, reopening: Reopening) {
        let is_new_to_open =
            |reopened_at| self.known_until.is_none_or(|known_until| reopened_at > known_until);
        match (self.current.resolved_at, reopening) {
            (Some(_), Reopening::Event { at, reopened_at }) => self.begin(at, reopened_at, false),
            (Some(resolved_at), Reopening::Shown { at, is_open }) => {
                // A resolve of what is resolved only moves the end.
                if is_open && at > resolved_at {
                    self.begin(at, None, true);
                }
            }
            (None, Reopening::Event { at, reopened_at }) => {
                let is_new = match reopened_at {
                    Some(reopened_at) => is_new_to_open(reopened_at),
                    None => !self.expects_event && is_new_to_open(at),
                };
                if is_new {
                    self.begin(at, reopened_at, false);
                } else {
                    self.expects_event = false;
                }
            }
            (None, Reopening::Shown { at, .. }) => {
                if is_new_to_open(at) {
                    self.begin(at, None, true);
                }
            }
        }
    }

    /// Takes in a resolve.
    pub(super) const fn resolved(&mut self, at: Timestamp) {
        self.current.resolved_at = Some(at);
    }

    /// All of them, the current one last.
    pub(super) fn finish(mut self) -> Vec<OpenPeriod> {
        self.closed.push(self.current);
        self.closed
    }

    fn begin(&mut self, at: Timestamp, reopened_at: Option<Timestamp>, expects_event: bool) {
        self.closed.push(self.current);
        self.current = OpenPeriod { reopened_at: Some(at), resolved_at: None };
        // PagerDuty's whole seconds may lie a moment after the event.
        self.known_until = Some(reopened_at.map_or(at, |reopened_at| reopened_at.max(at)));
        self.expects_event = expects_event;
    }
}
