use proptest::prelude::*;

use super::*;

/// Answers of a backend, one row at a time.
type Script<'a> = dyn Fn(i64, u64) -> (Verdict, Option<u16>) + 'a;

const ACCEPTED: (Verdict, Option<u16>) = (Verdict::Sent, Some(202));
const SILENT: (Verdict, Option<u16>) = (Verdict::Retry(None), None);

fn error(status: u16) -> (Verdict, Option<u16>) {
    (Verdict::of_status(status, None), Some(status))
}

/// A row that waits.
#[derive(Debug, Clone, Copy)]
struct WaitingRow {
    /// Second at which the row is due.
    due: u64,
    row: i64,
    attempts: u32,
    failing_since: Option<Timestamp>,
    is_suspect: bool,
}

/// A small model of the loop: rows that wait until they are due, and a lane that decides which of them are sent.
struct Loop<'a> {
    lane: LaneState,
    waiting: Vec<WaitingRow>,
    script: &'a Script<'a>,
    requests: Vec<(u64, i64)>,
    most: usize,
}

impl<'a> Loop<'a> {
    fn new(rows: i64, most: usize, script: &'a Script<'a>) -> Self {
        let mut forwarding =
            Self { lane: LaneState::default(), waiting: Vec::new(), script, requests: Vec::new(), most };
        (0..rows).for_each(|row| forwarding.add_row(row, 0));
        forwarding
    }

    fn add_row(&mut self, row: i64, due: u64) {
        self.waiting.push(WaitingRow { due, row, attempts: 0, failing_since: None, is_suspect: false });
    }

    /// Takes the row that the store would choose.
    fn choose(&mut self, choice: ClaimOrder, second: u64) -> Option<WaitingRow> {
        let rank = |waiting: &WaitingRow| match choice {
            ClaimOrder::All => (usize::from(waiting.is_suspect), waiting.due.cast_signed(), waiting.row),
            ClaimOrder::Probe { last, .. } if last == Some(waiting.row) => (3, 0, 0),
            ClaimOrder::Probe { newest: true, .. }
                if !waiting.is_suspect && waiting.failing_since.is_none() =>
            {
                (0, -waiting.due.cast_signed(), -waiting.row)
            }
            ClaimOrder::Probe { .. } => {
                (1 + usize::from(waiting.is_suspect), waiting.due.cast_signed(), waiting.row)
            }
        };
        let due = self.waiting.iter().enumerate().filter(|(_, waiting)| waiting.due <= second);
        let (found, _) = due.min_by_key(|(_, waiting)| rank(waiting))?;
        Some(self.waiting.swap_remove(found))
    }

    /// Sends what is due at a second, round by round, until nothing more may be sent in it.
    fn second(&mut self, second: u64) {
        let now = now(second);
        loop {
            let (choice, room) = (self.lane.choice(), self.lane.room(self.most, now));
            let rows: Vec<WaitingRow> = (0..room).map_while(|_| self.choose(choice, second)).collect();
            if rows.is_empty() {
                return;
            }
            let begun: Vec<(WaitingRow, AttemptFacts)> = rows
                .into_iter()
                .map(|waiting| (waiting, self.lane.begin(waiting.row, waiting.failing_since)))
                .collect();
            for (waiting, tried) in begun {
                self.ends(waiting, tried, second);
            }
        }
    }

    fn ends(&mut self, mut waiting: WaitingRow, tried: AttemptFacts, second: u64) {
        let now = now(second);
        self.requests.push((second, waiting.row));
        let (verdict, status) = (self.script)(waiting.row, second);
        let is_own_fault = self.lane.is_own_fault(&tried);
        let change = self.lane.note(tried, Evidence::of(verdict, status, Action::Replace), now, 1.0);
        self.lane.end(tried);
        if verdict == Verdict::CredentialsRefused && !is_own_fault {
            waiting.due = second + REFUSED_WAIT.as_secs();
            waiting.failing_since.get_or_insert(now);
            self.waiting.push(waiting);
        } else if verdict != Verdict::Sent && verdict != Verdict::Dead {
            waiting.attempts += 1;
            let pause = crate::domain::retry::wait(waiting.attempts, None, 1.0).as_secs();
            waiting.due = second + pause.max(1);
            waiting.is_suspect = waiting.attempts >= 3 && is_own_fault;
            waiting.failing_since.get_or_insert(now);
            self.waiting.push(waiting);
        }
        if change.is_some_and(|change| change.to == BackendState::Delivering) {
            let made_due =
                self.waiting.iter_mut().filter(|row| row.failing_since.is_some() && !row.is_suspect);
            made_due.for_each(|row| row.due = row.due.min(second + 1));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Rows that the backend never accepts hold up no other row, however many they are and however it answers them.
    #[test]
    fn rows_at_fault_hold_up_no_other_row(
        poison in prop::collection::btree_set(0_i64..60, 0..20),
        status in prop::sample::select(vec![500_u16, 502, 503, 404, 403, 400, 0]),
        most in 1_usize..6,
    ) {
        let script = |row: i64, _: u64| match (poison.contains(&row), status) {
            (true, 0) => SILENT,
            (true, status) => error(status),
            (false, _) => ACCEPTED,
        };
        let mut forwarding = Loop::new(60, most, &script);
        (0..1_200).for_each(|second| forwarding.second(second));
        let left: Vec<i64> = forwarding.waiting.iter().map(|waiting| waiting.row).collect();
        prop_assert!(left.iter().all(|row| poison.contains(row)), "{left:?} wait");
        let good = forwarding.requests.iter().filter(|(_, row)| !poison.contains(row));
        prop_assert_eq!(good.count(), 60 - poison.len(), "each good row is sent once");
    }

    /// Good rows that are added later, behind any number of rows at fault, are sent soon: after few requests, within
    /// minutes, and at once when all rows at fault have failed.
    #[test]
    fn rows_at_fault_delay_later_rows_by_little(
        statuses in prop::collection::vec(prop::sample::select(vec![500_u16, 502, 503, 404, 403, 301, 0]), 1..60),
        every in 5_u64..40,
        most in 1_usize..6,
    ) {
        let poison = i64::try_from(statuses.len()).unwrap();
        let script = |row: i64, _: u64| match usize::try_from(row - 1).ok().and_then(|at| statuses.get(at)) {
            Some(0) => SILENT,
            Some(status) => error(*status),
            None => ACCEPTED,
        };
        // Row 0 is good, too, so the backend is known to accept rows.
        let mut forwarding = Loop::new(1 + poison, most, &script);
        let mut arrivals = Vec::new();
        for second in 0..7_200 {
            if second % every == 0 && second < 7_000 {
                let row = 1 + poison + i64::try_from(arrivals.len()).unwrap();
                arrivals.push((second, row));
                forwarding.add_row(row, second);
            }
            forwarding.second(second);
        }
        for (added_at, row) in arrivals {
            let sent = forwarding.requests.iter().position(|(_, sent)| *sent == row);
            prop_assert!(sent.is_some(), "row {row} is never sent");
            let sent = sent.unwrap();
            let late = forwarding.requests[sent].0 - added_at;
            let before = forwarding.requests[..sent].iter().filter(|(at, _)| *at >= added_at).count();
            prop_assert!(late <= 121, "row {row} is sent {late} s late");
            prop_assert!(before <= 2 * statuses.len() + 20, "{before} requests before row {row}");
            prop_assert!(added_at < 3_600 || late <= 1, "row {row} is sent {late} s late in the second hour");
        }
    }

    /// While a backend is down, at most a few rows and then one probe a minute are sent. Once it is up, all are sent.
    #[test]
    fn a_backend_that_is_down_gets_one_probe_at_a_time(
        status in prop::sample::select(vec![500_u16, 502, 503, 504, 404, 403, 429, 0]),
        down_for in 300_u64..1_200,
        most in 1_usize..6,
    ) {
        let script = |_: i64, second: u64| match status {
            _ if second >= down_for => ACCEPTED,
            0 => SILENT,
            status => error(status),
        };
        let mut forwarding = Loop::new(100, most, &script);
        (0..down_for).for_each(|second| forwarding.second(second));
        let (sent, minutes) = (forwarding.requests.len(), usize::try_from(down_for / 60).unwrap());
        prop_assert!(sent <= minutes + most + 10, "{sent} requests in {minutes} minutes");
        prop_assert!(sent >= minutes, "{sent} requests in {minutes} minutes");
        (down_for..down_for + 310).for_each(|second| forwarding.second(second));
        prop_assert_eq!(forwarding.waiting.len(), 0);
    }
}

fn now(second: u64) -> Timestamp {
    Timestamp::from_nanos(0).saturating_add(Duration::from_secs(second))
}

#[test]
fn after_one_failure_a_probe_follows_and_after_two_the_backend_is_down() {
    let mut lane = LaneState::default();
    let first = lane.begin(1, None);
    assert_eq!(lane.note(first, Evidence::Down(None), now(0), 1.0), None);
    lane.end(first);
    assert_eq!((lane.room(4, now(0)), lane.health().state), (1, BackendState::Delivering));
    let probe = lane.begin(2, None);
    assert_eq!(lane.room(4, now(0)), 0, "one at a time");
    let change = lane.note(probe, Evidence::Down(None), now(0), 1.0).unwrap();
    lane.end(probe);
    assert_eq!((change.from, change.to), (BackendState::Delivering, BackendState::Unreachable));
    assert_eq!((lane.room(4, now(0)), lane.room(4, now(1))), (0, 1));
    let probe = lane.begin(3, None);
    let change = lane.note(probe, Evidence::Accepted, now(61), 1.0).unwrap();
    assert_eq!(
        (change.to, change.lasted),
        (BackendState::Delivering, Duration::from_mins(1) + Duration::from_secs(1))
    );
    assert_eq!(lane.room(4, now(61)), 4);
}

#[test]
fn a_failure_while_other_rows_are_accepted_changes_no_state() {
    let mut lane = LaneState::default();
    let (slow, quick) = (lane.begin(1, None), lane.begin(2, None));
    lane.note(quick, Evidence::Accepted, now(0), 1.0);
    assert_eq!(lane.note(slow, Evidence::Down(None), now(9), 1.0), None);
    assert_eq!(lane.room(4, now(9)), 4);
}

#[test]
fn a_row_at_fault_that_fails_again_holds_up_no_other_row() {
    for evidence in [Evidence::Down(None), Evidence::Doubtful(None), Evidence::Refused] {
        let mut lane = LaneState::default();
        let first = lane.begin(1, None);
        lane.note(first, evidence, now(0), 1.0);
        lane.end(first);
        let other = lane.begin(2, None);
        lane.note(other, Evidence::Accepted, now(0), 1.0);
        lane.end(other);
        for second in 1..5 {
            let again = lane.begin(1, Some(now(0)));
            assert!(lane.is_own_fault(&again));
            assert_eq!(lane.note(again, evidence, now(second), 1.0), None);
            lane.end(again);
            assert_eq!(lane.room(4, now(second)), 4);
        }
    }
}

#[test]
fn a_probe_follows_the_first_refusal_at_once_and_the_second_after_a_minute() {
    let mut lane = LaneState::from_saved(LaneHealth { succeeded_at: Some(now(0)), ..LaneHealth::default() });
    let first = lane.begin(1, None);
    lane.note(first, Evidence::Refused, now(0), 1.0);
    lane.end(first);
    assert_eq!(lane.choice(), ClaimOrder::Probe { newest: true, last: Some(1) });
    assert_eq!((lane.room(4, now(0)), lane.health().state), (1, BackendState::Refusing));
    let probe = lane.begin(2, None);
    lane.note(probe, Evidence::Refused, now(0), 1.0);
    lane.end(probe);
    assert_eq!(lane.choice(), ClaimOrder::Probe { newest: false, last: Some(2) });
    assert_eq!((lane.room(4, now(59)), lane.room(4, now(60))), (0, 1));
}

#[test]
fn a_wait_that_a_backend_asks_for_holds_for_the_whole_lane() {
    let hour = Duration::from_hours(1);
    for (evidence, state) in [
        (Evidence::RateLimited(Some(hour)), BackendState::RateLimited),
        (Evidence::Down(Some(hour)), BackendState::Unreachable),
    ] {
        let mut lane = LaneState::default();
        let (first, other) = (lane.begin(1, None), lane.begin(2, None));
        lane.note(first, evidence, now(0), 1.0);
        // This attempt was under way already: its short wait does not end the long one.
        lane.note(other, Evidence::Down(None), now(1), 1.0);
        assert_eq!(lane.health().state, state);
        assert_eq!((lane.room(4, now(3_599)), lane.room(4, now(3_600))), (0, 1));
        lane.probe_now(now(5));
        assert_eq!(lane.room(4, now(5)), 1, "a person does not wait");
    }
}

#[test]
fn a_single_row_that_is_answered_500_blocks_nothing() {
    let mut lane = LaneState::default();
    for second in 0..5 {
        let tried = lane.begin(1, None);
        lane.note(tried, Evidence::Doubtful(None), now(second), 1.0);
        lane.end(tried);
        assert_eq!(lane.room(4, now(second)), 4);
    }
    assert_eq!(lane.health().state, BackendState::Unreachable);
}

#[test]
fn a_clock_that_is_set_back_ends_every_wait() {
    let mut lane = LaneState::default();
    let tried = lane.begin(1, None);
    lane.record_answer(Some(403), None, now(10_000));
    lane.note(tried, Evidence::Refused, now(10_000), 1.0);
    lane.end(tried);
    assert_eq!((lane.room(4, now(10_001)), lane.room(4, now(60))), (0, 1));
}
