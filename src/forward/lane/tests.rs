use proptest::prelude::*;

use super::*;

/// Answers of a backend, one row at a time.
type Script<'a> = dyn Fn(i64, u64) -> (Verdict, Option<u16>) + 'a;

const TAKEN: (Verdict, Option<u16>) = (Verdict::Sent, Some(202));
const SILENT: (Verdict, Option<u16>) = (Verdict::Retry(None), None);

fn error(status: u16) -> (Verdict, Option<u16>) {
    (Verdict::of_status(status, None), Some(status))
}

/// A loop in small: rows that wait, each until its time, and a lane that lets some of them through.
struct Loop<'a> {
    watched: Watched,
    /// By the second that each is due at.
    waiting: Vec<(u64, i64)>,
    attempts: std::collections::HashMap<i64, u32>,
    script: &'a Script<'a>,
    requests: Vec<(u64, i64)>,
    most: usize,
}

impl<'a> Loop<'a> {
    fn new(rows: i64, most: usize, script: &'a Script<'a>) -> Self {
        let waiting = (0..rows).map(|row| (0, row)).collect();
        let (attempts, requests) = (std::collections::HashMap::new(), Vec::new());
        Self { watched: Watched::default(), waiting, attempts, script, requests, most }
    }

    /// Sends what is due at a second, round by round, until nothing more may be sent in it.
    fn second(&mut self, second: u64) {
        let now = Timestamp::from_nanos(0).saturating_add(Duration::from_secs(second));
        loop {
            self.waiting.sort_unstable();
            let due = self.waiting.iter().take_while(|(at, _)| *at <= second).count();
            let begun = due.min(self.watched.room(self.most, now));
            if begun == 0 {
                return;
            }
            let rows: Vec<i64> = self.waiting.drain(..begun).map(|(_, row)| row).collect();
            let tried: Vec<Tried> = rows.iter().map(|row| self.watched.begin(*row)).collect();
            for (row, tried) in rows.into_iter().zip(tried) {
                self.requests.push((second, row));
                let (verdict, status) = (self.script)(row, second);
                let change =
                    self.watched.note(tried, Evidence::of(verdict, status, Action::Replace), now, 1.0);
                self.watched.end(tried);
                if verdict != Verdict::Sent && verdict != Verdict::Dead {
                    let attempts = self.attempts.entry(row).or_default();
                    *attempts += 1;
                    let pause = crate::domain::retry::wait(*attempts, None, 1.0).as_secs();
                    self.waiting.push((second + pause.max(1), row));
                }
                if change.is_some_and(|change| change.to == Condition::Delivering) {
                    self.waiting.iter_mut().for_each(|(at, _)| *at = (*at).min(second + 1));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Rows that the backend can never take stop no other, however many they are and whatever they are answered.
    #[test]
    fn poisonous_rows_hold_up_no_other(
        poison in prop::collection::btree_set(0_i64..60, 0..20),
        status in prop::sample::select(vec![500_u16, 502, 503, 404, 400, 0]),
        most in 1_usize..6,
    ) {
        let script = |row: i64, _: u64| match (poison.contains(&row), status) {
            (true, 0) => SILENT,
            (true, status) => error(status),
            (false, _) => TAKEN,
        };
        let mut forwarding = Loop::new(60, most, &script);
        (0..1_200).for_each(|second| forwarding.second(second));
        let left: Vec<i64> = forwarding.waiting.iter().map(|(_, row)| *row).collect();
        prop_assert!(left.iter().all(|row| poison.contains(row)), "{left:?} wait");
        let good = forwarding.requests.iter().filter(|(_, row)| !poison.contains(row));
        prop_assert_eq!(good.count(), 60 - poison.len(), "each good row is sent once");
    }

    /// While a backend is down, at most a few rows and then one probe a minute are sent; once it is up again, all are.
    #[test]
    fn a_backend_that_is_down_is_asked_by_one_probe_at_a_time(
        status in prop::sample::select(vec![500_u16, 502, 503, 504, 404, 403, 429, 0]),
        down_for in 300_u64..1_200,
        most in 1_usize..6,
    ) {
        let script = |_: i64, second: u64| match status {
            _ if second >= down_for => TAKEN,
            0 => SILENT,
            status => error(status),
        };
        let mut forwarding = Loop::new(100, most, &script);
        (0..down_for).for_each(|second| forwarding.second(second));
        let (asked, minutes) = (forwarding.requests.len(), usize::try_from(down_for / 60).unwrap());
        prop_assert!(asked <= minutes + most + 10, "{asked} requests in {minutes} minutes");
        prop_assert!(asked >= minutes, "{asked} requests in {minutes} minutes");
        (down_for..down_for + 310).for_each(|second| forwarding.second(second));
        prop_assert_eq!(forwarding.waiting.len(), 0);
    }
}

fn now(second: u64) -> Timestamp {
    Timestamp::from_nanos(0).saturating_add(Duration::from_secs(second))
}

#[test]
fn the_first_failure_makes_the_next_row_a_probe_and_the_second_the_backend_down() {
    let mut watched = Watched::default();
    let first = watched.begin(1);
    assert_eq!(watched.note(first, Evidence::Down(None), now(0), 1.0), None);
    watched.end(first);
    assert_eq!((watched.room(4, now(0)), watched.health().condition), (1, Condition::Delivering));
    let probe = watched.begin(2);
    assert_eq!(watched.room(4, now(0)), 0, "one at a time");
    let change = watched.note(probe, Evidence::Down(None), now(0), 1.0).unwrap();
    watched.end(probe);
    assert_eq!((change.from, change.to), (Condition::Delivering, Condition::Unreachable));
    assert_eq!((watched.room(4, now(0)), watched.room(4, now(1))), (0, 1));
    let probe = watched.begin(3);
    let change = watched.note(probe, Evidence::Accepted, now(61), 1.0).unwrap();
    assert_eq!(
        (change.to, change.lasted),
        (Condition::Delivering, Duration::from_mins(1) + Duration::from_secs(1))
    );
    assert_eq!(watched.room(4, now(61)), 4);
}

#[test]
fn a_row_that_fails_while_others_are_accepted_says_nothing_of_the_backend() {
    let mut watched = Watched::default();
    let (slow, quick) = (watched.begin(1), watched.begin(2));
    watched.note(quick, Evidence::Accepted, now(0), 1.0);
    assert_eq!(watched.note(slow, Evidence::Down(None), now(9), 1.0), None);
    assert_eq!(watched.room(4, now(9)), 4);
}

#[test]
fn a_wait_that_a_backend_asks_for_holds_back_the_whole_lane() {
    let hour = Duration::from_hours(1);
    for (evidence, condition) in [
        (Evidence::RateLimited(Some(hour)), Condition::RateLimited),
        (Evidence::Down(Some(hour)), Condition::Unreachable),
    ] {
        let mut watched = Watched::default();
        let (first, other) = (watched.begin(1), watched.begin(2));
        watched.note(first, evidence, now(0), 1.0);
        // It was under way already: its short wait does not end the long one.
        watched.note(other, Evidence::Down(None), now(1), 1.0);
        assert_eq!(watched.health().condition, condition);
        assert_eq!((watched.room(4, now(3_599)), watched.room(4, now(3_600))), (0, 1));
        watched.hurry(now(5));
        assert_eq!(watched.room(4, now(5)), 1, "a person does not wait");
    }
}

#[test]
fn one_row_alone_that_is_answered_500_holds_back_nothing() {
    let mut watched = Watched::default();
    for second in 0..5 {
        let tried = watched.begin(1);
        watched.note(tried, Evidence::Doubtful(None), now(second), 1.0);
        watched.end(tried);
        assert_eq!(watched.room(4, now(second)), 4);
    }
    assert_eq!(watched.health().condition, Condition::Unreachable, "as far as anybody can tell");
}

#[test]
fn a_clock_that_is_set_back_ends_every_wait() {
    let mut watched = Watched::default();
    let tried = watched.begin(1);
    watched.heard(Some(403), None, now(10_000));
    watched.note(tried, Evidence::Refused, now(10_000), 1.0);
    watched.end(tried);
    assert_eq!((watched.room(4, now(10_001)), watched.room(4, now(60))), (0, 1));
}
