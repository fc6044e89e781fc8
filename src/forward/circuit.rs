//! Whether a backend refuses us, and how often it is asked then.

use std::time::Duration;

use crate::domain::forwarding::Share;
use crate::domain::retry::Verdict;
use crate::domain::timestamp::Timestamp;

/// While a backend refuses our credentials it is asked once in that long, with one revision.
const PROBE_EVERY: Duration = Duration::from_mins(1);

/// What a loop knows of credentials.
#[derive(Default)]
pub(super) struct Circuit {
    /// While set, they are refused, and this is when they are tried again.
    open_until: Option<Timestamp>,
}

impl Circuit {
    /// As it was left by the last answer to what waits.
    pub(super) fn left(last: Option<(u16, Timestamp)>) -> Self {
        let refused = last.filter(|(status, _)| Verdict::of_status(*status, None) == Verdict::Refused);
        Self { open_until: refused.map(|(_, at)| at.saturating_add(PROBE_EVERY)) }
    }

    /// Credentials that were refused open it, those that were taken close it. What says nothing about them leaves it as
    /// it is: while it is open, the next probe is a minute away.
    pub(super) fn note(&mut self, verdict: Verdict, now: Timestamp) {
        let is_open = match verdict {
            Verdict::Refused => true,
            Verdict::Retry(_) => self.open_until.is_some(),
            Verdict::Sent | Verdict::Dead => false,
        };
        self.open_until = is_open.then(|| now.saturating_add(PROBE_EVERY));
    }

    /// How many of `most` attempts may be under way: one, as a probe, while it is open.
    fn room(&self, most: usize, now: Timestamp) -> usize {
        match self.open_until {
            None => most,
            // Farther away than it can be: the clock was set back since.
            Some(until) => usize::from(until <= now || until > now.saturating_add(PROBE_EVERY)),
        }
    }
}

/// One for each of a backend's credentials.
pub(super) struct Circuits {
    /// Those that every request needs.
    pub(super) usual: Circuit,
    /// Those that some need besides.
    pub(super) more: Circuit,
}

impl Circuits {
    /// How many attempts may be under way.
    pub(super) fn room(&self, most: usize, now: Timestamp) -> usize {
        self.usual.room(most, now)
    }

    /// What to claim where there is `room`, one after the other: how much at the most, and of what.
    pub(super) fn shares(&self, room: usize, now: Timestamp) -> Vec<(usize, Share)> {
        let probe = (self.more.room(1, now).min(room), Share::WithMore);
        let usual = (room, Share::Usual);
        match (self.more.open_until, self.usual.open_until) {
            (None, _) => vec![(room, Share::All)],
            (Some(_), None) => vec![probe, usual],
            // What needs only the usual ones tells more of them.
            (Some(_), Some(_)) => vec![usual, probe],
        }
    }

    /// Notes that so many of a share were claimed: while a probe is under way, there is no other.
    pub(super) fn claimed(&mut self, share: Share, rows: usize, now: Timestamp) {
        if share == Share::WithMore && rows > 0 {
            self.more.open_until = Some(now.saturating_add(PROBE_EVERY));
        }
    }

    /// Notes an answer.
    pub(super) fn note(&mut self, Answer { verdict, needs_more }: Answer, now: Timestamp) {
        if needs_more {
            self.more.note(verdict, now);
        }
        if !needs_more || matches!(verdict, Verdict::Sent | Verdict::Dead) {
            self.usual.note(verdict, now);
        }
    }

    /// When the next probe with the credentials that some need besides is due, if that is yet to come.
    pub(super) fn next_probe_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.more.open_until.filter(|until| *until > now)
    }
}

/// What an answer says of credentials.
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    /// Whether it needed more than the usual ones.
    pub(super) needs_more: bool,
}
