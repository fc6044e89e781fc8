//! CPU time that each kind of thread used, from `/proc`.

use std::collections::BTreeMap;
use std::fmt;

/// CPU time by kind of thread, in clock ticks.
#[derive(Default)]
pub(crate) struct Cpu(BTreeMap<String, u64>);

/// Linux: `sysconf(_SC_CLK_TCK)` is 100 everywhere that matters.
const MICROS_PER_TICK: u64 = 10_000;

impl Cpu {
    /// CPU time that every thread of this process has used so far, without threads that have ended.
    pub(crate) fn now() -> Self {
        let mut ticks = BTreeMap::new();
        for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let Some((name, fields)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'))
            else {
                continue;
            };
            let fields: Vec<&str> = fields.split_whitespace().collect();
            let used: u64 = fields[11..13].iter().filter_map(|field| field.parse::<u64>().ok()).sum();
            *ticks.entry(name.to_owned()).or_default() += used;
        }
        Self(ticks)
    }

    /// CPU time that was used since then, for each of `events` events.
    pub(crate) fn since(&self, events: usize) -> PerEvent {
        let used = Self::now().0.into_iter().map(|(name, ticks)| {
            let before = self.0.get(&name).copied().unwrap_or(0);
            (name, ticks.saturating_sub(before) * MICROS_PER_TICK)
        });
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a benchmark")]
        let shared = used.map(|(name, micros)| (name, micros as f64 / events as f64));
        PerEvent(shared.filter(|(_, micros)| *micros >= 0.05).collect())
    }
}

/// Microseconds of CPU for one event, by kind of thread.
pub(crate) struct PerEvent(Vec<(String, f64)>);

impl fmt::Display for PerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares: Vec<String> =
            self.0.iter().map(|(name, micros)| format!("{name} {micros:.1} µs")).collect();
        f.write_str(&shares.join(", "))
    }
}
