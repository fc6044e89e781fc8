//! Power loss at any moment. The program's system calls are traced and replayed up to each of them. Writes that were
//! not synced are kept, dropped or torn. Then the store is opened. It must have each acknowledged event, each request that
//! was sent, and each incident up to the time up to which it says that PagerDuty's REST API was read.

mod controls;
mod disk;
mod opening;
mod recording;
mod steps;
mod trace;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use disk::{Disk, Fate};
use fastrand::Rng;
use opening::{Acknowledged, Lost, Machine};
use pagerduty_dora::config::Config;
use recording::Recording;
use steps::{Action, Step};

use crate::engine::is_only_of_sqlite;

/// Environment variable: number of random disks that are tried at each cut.
const VARIANTS: &str = "POWER_LOSS_VARIANTS";
/// Environment variable: the random seed. A failed test prints it.
const SEED: &str = "POWER_LOSS_SEED";
/// Environment variable: folder of the recording to use. A failed test keeps the folder of its recording.
const RECORDING: &str = "POWER_LOSS_RECORDING";
/// The program opens one disk in this many, and brings it up to date. SQLite alone opens the others.
const BY_PROGRAM_ONE_IN: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_loss_loses_nothing_that_was_acknowledged() {
    if is_only_of_sqlite("replays what SQLite writes to the disk") {
        return;
    }
    let tracing = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).status();
    if !tracing.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "strace is missing, or may not trace");
        println!("skipped: strace is not installed, or may not trace");
        return;
    }
    let began = Instant::now();
    let (temporary, kept) = (tempfile::tempdir().unwrap(), std::env::var_os(RECORDING));
    let recording = match &kept {
        Some(folder) => Recording::read(Path::new(folder)),
        None => Recording::make(&temporary.path().canonicalize().unwrap()).await,
    };
    recording.assert_holds_what_it_should();
    let Recording { steps, config, lost, .. } = recording;
    let (variants, seed) = (number(VARIANTS).unwrap_or(1), number(SEED).unwrap_or_else(|| fastrand::u64(..)));
    let plan = Plan { variants, seed, enough_failures: 10 };
    let report = plan.cut_everywhere(&steps, &config, &lost);
    eprintln!("{} steps, {SEED}={seed}, {VARIANTS}={variants}: {report}, {:?}", steps.len(), began.elapsed());
    if !report.failed.is_empty() {
        let folder = kept.map_or_else(|| temporary.keep(), PathBuf::from);
        let again = format!("{RECORDING}={} {SEED}={seed} {VARIANTS}={variants}", folder.display());
        panic!("repeat it with {again}: {:#?}", report.failed);
    }
    assert!(report.with_unfolded > 0, "no cut left events that were stored and not folded");
    assert!(report.reconciled > 0 && report.ahead > 0, "no cut came amid a look at PagerDuty's REST API");

    // Controls: the same checks have to find the loss that each of these mistakes causes.
    let careless = [
        ("synchronous=NORMAL", controls::as_with_synchronous_normal(&steps)),
        ("acknowledged before the commit", controls::as_if_acknowledged_before_the_commit(&steps)),
        ("checkpoints without a sync", controls::as_if_checkpoints_did_not_sync(&steps)),
    ];
    for (control, steps) in careless {
        let report = Plan { enough_failures: 1, ..plan }.cut_everywhere(&steps, &config, &lost);
        eprintln!("control, {control}: {report}: {:?}", report.failed);
        assert!(!report.failed.is_empty(), "the test did not find the loss: {control}");
    }
    let never_read = Lost { failure: "pagerduty:QNEVERREAD".to_owned(), resolved_at_ns: i64::MIN };
    let report = Plan { enough_failures: 1, ..plan }.cut_everywhere(&steps, &config, &[never_read]);
    assert!(!report.failed.is_empty(), "the test did not find the loss of an incident");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().unwrap())
}

impl Recording {
    /// Checks that the WAL was restarted during the recording, and that the replay gives the same database file.
    fn assert_holds_what_it_should(&self) {
        let wal_begun = self.count(
            |action| matches!(action, Action::Write { file, offset: 0, .. } if file.ends_with("-wal")),
        );
        assert!(wal_begun > 1, "the WAL was never restarted after a checkpoint");
        let mut disk = Disk::default();
        self.steps.iter().for_each(|step| disk.apply(step));
        let found = disk.after_power_loss(Fate::Kept, &mut Rng::new());
        assert_eq!(found.keys().map(|name| &**name).collect::<Vec<_>>(), ["store.db"]);
        assert!(found["store.db"] == self.left, "the replay gives another database file");
    }
}

/// Parameters of the cuts.
#[derive(Debug, Clone, Copy)]
struct Plan {
    variants: u64,
    seed: u64,
    /// Number of failures after which the search ends.
    enough_failures: usize,
}

impl Plan {
    /// Cuts the power after every step, and checks the disks that may be found then.
    fn cut_everywhere(self, steps: &[Step], config: &Config, lost: &[Lost]) -> Report {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let cut = |worker| scope.spawn(move || self.cut_some(steps, (config, lost), (worker, workers)));
            let running: Vec<_> = (0..workers).map(cut).collect();
            let mut report = Report::default();
            for worker in running {
                report.add(worker.join().unwrap());
            }
            report
        })
    }

    /// Does the share of one of several workers.
    fn cut_some(
        self,
        steps: &[Step],
        (config, lost): (&Config, &[Lost]),
        (worker, workers): (usize, usize),
    ) -> Report {
        let mut disk = Disk::default();
        let mut promised = Acknowledged::of(lost);
        let mut machine = Machine::new(config);
        let mut report = Report::default();
        'steps: for (number, step) in steps.iter().enumerate() {
            disk.apply(step);
            promised.add(&step.action);
            if number % workers != worker {
                continue;
            }
            report.cuts += 1;
            let next = steps.get(number + 1).map(|step| &step.action);
            let mut rng = Rng::with_seed(self.seed ^ number as u64);
            for fate in self.fates(next, disk.is_in_doubt(), &mut rng) {
                let found = disk.after_power_loss(fate, &mut rng);
                let by_program = rng.usize(..BY_PROGRAM_ONE_IN) == 0;
                report.disks += 1;
                if let Err(error) = machine.check(&found, &promised, by_program) {
                    report.failed.push(format!("after step {number}, {fate:?}: {error}"));
                }
                if report.failed.len() >= self.enough_failures {
                    break 'steps;
                }
            }
        }
        let Machine { by_program, by_program_with_unfolded: with_unfolded, reconciled, ahead, .. } = machine;
        Report { by_program, with_unfolded, reconciled, ahead, ..report }
    }

    /// The fates worth checking. If the next step changes no possible disk and only adds to what was promised, the cut
    /// after the next step covers this cut.
    fn fates(self, next: Option<&Action>, is_in_doubt: bool, rng: &mut Rng) -> Vec<Fate> {
        let mut fates = Vec::new();
        if next.is_none_or(Action::changes_the_disk) {
            fates.push(Fate::Kept);
        }
        if next.is_none_or(Action::is_sync) {
            fates.push(Fate::Dropped);
        }
        if is_in_doubt && next.is_none_or(|next| next.changes_the_disk() || next.is_sync()) {
            fates.extend(
                (0..self.variants).map(|_| if rng.bool() { Fate::Mixed } else { Fate::TornAtTheEnd }),
            );
        }
        fates
    }
}

/// Result of the cuts.
#[derive(Debug, Default)]
struct Report {
    cuts: usize,
    disks: usize,
    by_program: usize,
    /// Number of starts of the program, among `by_program`, that had events to fold.
    with_unfolded: usize,
    /// Number of lost incidents on all disks that the store had, as it said.
    reconciled: usize,
    /// Number of lost incidents on all disks that the store had, and did not yet say so.
    ahead: usize,
    /// Messages with the cut, the fate and the fault.
    failed: Vec<String>,
}

impl Report {
    fn add(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.disks += other.disks;
        self.by_program += other.by_program;
        self.with_unfolded += other.with_unfolded;
        self.reconciled += other.reconciled;
        self.ahead += other.ahead;
        self.failed.extend(other.failed);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cuts, disks, by_program, with_unfolded, reconciled, ahead, failed } = self;
        write!(f, "{cuts} cuts, {disks} disks, {by_program} of them opened by the program, ")?;
        write!(f, "{with_unfolded} with events to fold, {reconciled} lost incidents as the store says, ")?;
        write!(f, "{ahead} before it says so; {} failed", failed.len())
    }
}
