//! The N-th `pwrite64`, `fdatasync` and so on of the program fails, once or from then on. Afterwards no acknowledged
//! event is lost, the store is intact, and the program works again without a person's help.
//!
//! `FAULTS=all cargo test faults` tries every N until no call is left to fail, instead of a few that `SEED=` draws.
//! strace makes the calls fail, and counts them for each thread separately.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use fastrand::Rng;
use pagerduty_dora::sources::pagerduty::signature::sign;
use serde_json::Value;

use crate::engine::is_only_of_sqlite;
use crate::harness::{PATIENCE, SECRET, client};
use crate::histories::{compare, listed};
use crate::kill_under_load::{CONFIGURED, configuration, no_panic, number};
use crate::model::IncidentEvent;
use crate::process::{Listening, PROGRAM, Process};
use crate::sent_requests::{drain, last_accepted, received_exactly, received_in_order};
use crate::store_probe::Probe;
use crate::unreliable::Unreliable;

const SYSCALLS: [&str; 5] = ["fdatasync", "fsync", "pwrite64", "ftruncate", "openat"];
const ERRORS: [&str; 2] = ["EIO", "ENOSPC"];
const STORE: &str = "pagerduty-dora.db";

/// Situation in which calls fail: a new or an existing store, and the files whose calls are counted.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// `true` if the store exists already, left by a killed program.
    is_grown: bool,
    /// The suffixes of the store's files.
    files: &'static [&'static str],
}

const SITUATIONS: [Place; 3] = [
    Place { is_grown: false, files: &["", "-journal", "-wal", "-shm"] },
    Place { is_grown: true, files: &["", "-journal", "-wal", "-shm"] },
    // The start writes to none of these files, so the count begins with the first webhook.
    Place { is_grown: true, files: &["", "-wal"] },
];

impl Place {
    /// Checks that writes, syncs and the opening of the store have failed at least once. A fault that hits no call
    /// tests nothing.
    fn was_tried(self, hit: &BTreeSet<&str>) {
        let opens = !self.files.contains(&"-shm") || hit.contains("openat");
        let syncs = hit.contains("fdatasync") || hit.contains("fsync");
        assert!(opens && syncs && hit.contains("pwrite64"), "{self:?}: only these calls failed: {hit:?}");
    }
}

/// A call that fails, and its error.
#[derive(Debug, Clone, Copy)]
struct Fault {
    place: Place,
    syscall: &'static str,
    error: &'static str,
    nth: usize,
    is_for_ever: bool,
}

/// State that all runs share.
struct Shared {
    backend: Unreliable,
    /// The folder of the store that a killed program left.
    grown: tempfile::TempDir,
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_disk_lose_nothing() {
    if is_only_of_sqlite("makes calls of SQLite to the file system fail") {
        return;
    }
    let traces = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    if !traces(Command::new("strace").args(["-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"])) {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "strace is missing, or may not trace");
        println!("skipped: strace is not installed, or may not trace");
        return;
    }
    let shared = Shared::set_up().await;
    if std::env::var("FAULTS").is_ok_and(|faults| faults == "all") {
        shared.try_all().await;
    } else {
        let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
        println!("SEED={seed}");
        shared.try_some(Rng::with_seed(seed)).await;
    }
}

/// Every combination of an error and of how long it lasts.
fn kinds() -> impl Iterator<Item = (&'static str, bool)> {
    ERRORS.into_iter().flat_map(|error| [(error, false), (error, true)])
}

impl Shared {
    async fn set_up() -> Self {
        let backend = Unreliable::start(Rng::with_seed(0)).await;
        backend.becomes_reliable();
        let grown = tempfile::tempdir().unwrap();
        let (process, listening) = Process::start(&configuration(grown.path(), &backend));
        for event in life("G", &["triggered", "acknowledged", "resolved"]) {
            assert_eq!(deliver(&client(), listening, &event).await, Answer::Recorded("accepted".into()));
        }
        process.kill();
        Self { backend, grown }
    }

    async fn try_all(&self) {
        let mut runs = 0;
        for place in SITUATIONS {
            let mut hit = BTreeSet::new();
            for syscall in SYSCALLS {
                for (error, is_for_ever) in kinds() {
                    let mut nth = 1;
                    while self.try_out(Fault { place, syscall, error, nth, is_for_ever }).await.hits > 0 {
                        hit.insert(syscall);
                        nth += 1;
                    }
                    runs += nth;
                    // Not captured by the test harness, which would print it only at the end.
                    let fault = Fault { place, syscall, error, nth, is_for_ever };
                    let _ = writeln!(std::io::stderr(), "{runs} runs; no call is left for {fault:?}");
                }
            }
            place.was_tried(&hit);
        }
    }

    async fn try_some(&self, mut rng: Rng) {
        for place in SITUATIONS {
            let mut hit = BTreeSet::new();
            for syscall in SYSCALLS {
                // A number that no run reaches: no call fails, and the calls are counted.
                let never = Fault { place, syscall, error: "EIO", nth: 60_000, is_for_ever: false };
                let calls = self.try_out(never).await.calls;
                for (error, is_for_ever) in kinds().filter(|_| calls > 0) {
                    let nth = rng.usize(1..=calls);
                    if self.try_out(Fault { place, syscall, error, nth, is_for_ever }).await.hits > 0 {
                        hit.insert(syscall);
                    }
                }
            }
            place.was_tried(&hit);
        }
    }

    /// Runs the program on one store with the fault, then without it, and checks the result.
    async fn try_out(&self, fault: Fault) -> Trace {
        // Printed only if the test fails: the last line names the fault.
        println!("{fault:?}");
        let folder = tempfile::tempdir().unwrap();
        if fault.place.is_grown {
            for file in [STORE.to_owned(), format!("{STORE}-wal")] {
                std::fs::copy(self.grown.path().join(&file), folder.path().join(&file)).unwrap();
            }
        }
        let config = configuration(folder.path(), &self.backend);
        let mut run = Run::new(fault, folder.path().to_owned());
        run.with_fault(&config).await;
        run.without_fault(&config).await;
        run.check(&self.backend);
        Trace::read(&run.trace())
    }
}

/// Output of strace.
struct Trace {
    /// Number of times that the fault was hit.
    hits: usize,
    /// Number of calls of the thread that made the most.
    calls: usize,
}

impl Trace {
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let mut by_thread = BTreeMap::<&str, usize>::new();
        for line in text.lines().filter(|line| line.contains('(')) {
            *by_thread.entry(line.split(' ').next().unwrap()).or_default() += 1;
        }
        let hits = text.lines().filter(|line| line.contains("(INJECTED)")).count();
        Self { hits, calls: by_thread.into_values().max().unwrap_or(0) }
    }
}

struct Run {
    fault: Fault,
    folder: PathBuf,
    client: reqwest::Client,
    /// The events of two incidents, in the order of delivery.
    events: Vec<IncidentEvent>,
    /// The ids of the events that were answered 202.
    acknowledged: BTreeSet<String>,
}

#[derive(Debug, PartialEq)]
enum Answer {
    /// 202, with the `status` of the body.
    Recorded(String),
    Unavailable,
    /// No answer.
    Nothing,
}

impl Run {
    fn new(fault: Fault, folder: PathBuf) -> Self {
        let mut events = life("A", &["triggered", "acknowledged", "resolved"]);
        events.extend(life("B", &["triggered", "resolved"]));
        Self { fault, folder, client: client(), events, acknowledged: BTreeSet::new() }
    }

    fn store(&self) -> PathBuf {
        self.folder.join(STORE)
    }

    fn trace(&self) -> PathBuf {
        self.folder.join("trace")
    }

    /// Starts, uses and ends the program while the disk fails.
    async fn with_fault(&mut self, config: &Path) {
        let mut process = Process::spawn_by(self.strace(), config);
        let Some(listening) = process.ready(PATIENCE) else {
            let (status, stderr) = process.end();
            no_panic(&stderr);
            assert!(matches!(status.code(), Some(1 | 74)), "{status}: {stderr}");
            return;
        };
        // Without WAL mode, SQLite would silently give weaker guarantees.
        assert_eq!(std::fs::read(self.store()).unwrap()[18..20], [2, 2], "ready, but not in WAL mode");
        let mut has_stopped_answering = self.deliver_what_is_left(listening).await;
        if !has_stopped_answering {
            // A fault that happens once does not happen again.
            has_stopped_answering = self.deliver_what_is_left(listening).await;
        }
        let (status, stderr) = process.end();
        no_panic(&stderr);
        // The program does not retry without a pause, so the log stays short.
        assert!(stderr.lines().count() < 200, "{} lines: {stderr}", stderr.lines().count());
        match status.code() {
            Some(74) => {}
            Some(0) => {
                assert!(!has_stopped_answering, "it runs, but stopped answering: {stderr}");
                let is_back = self.acknowledged.len() == self.events.len();
                assert!(self.fault.is_for_ever || is_back, "it does not recover: {stderr}");
            }
            _ => panic!("{status}: {stderr}"),
        }
    }

    /// The command up to the program's name. With `-D` the process that we start becomes the program, and strace is its
    /// child.
    fn strace(&self) -> Command {
        let Fault { place, syscall, error, nth, is_for_ever } = self.fault;
        let when = if is_for_ever { format!("{nth}+") } else { nth.to_string() };
        let mut command = Command::new("strace");
        command.args(["-D", "-f", "-q", "--seccomp-bpf", "-o"]).arg(self.trace());
        command.args(["-e", &format!("trace={syscall}")]);
        command.args(["-e", &format!("inject={syscall}:error={error}:when={when}")]);
        for file in place.files {
            command.arg("-P").arg(self.folder.join(format!("{STORE}{file}")));
        }
        if place.files.contains(&"-journal") {
            // The folder itself is synced too.
            command.arg("-P").arg(&self.folder);
        }
        command.arg(PROGRAM);
        command
    }

    /// Delivers the events that were not answered 202 yet. Returns `true` if the program stopped answering.
    async fn deliver_what_is_left(&mut self, listening: Listening) -> bool {
        for event in &self.events {
            if self.acknowledged.contains(&event.id) {
                continue;
            }
            match deliver(&self.client, listening, event).await {
                Answer::Recorded(_) => drop(self.acknowledged.insert(event.id.clone())),
                Answer::Unavailable => {}
                Answer::Nothing => return true,
            }
        }
        false
    }

    /// Starts the program again, with a disk that works.
    async fn without_fault(&self, config: &Path) {
        let (process, listening) = Process::start(config);
        let stored = self.stored();
        let lost: Vec<_> = self.acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        for event in &self.events {
            let word = if stored.contains(&event.id) { "duplicate" } else { "accepted" };
            let answer = deliver(&self.client, listening, event).await;
            assert_eq!(answer, Answer::Recorded(word.to_owned()), "{}", event.id);
        }
        drain(listening, &self.store()).await;
        no_panic(&process.terminate());
    }

    /// The ids of all stored events.
    fn stored(&self) -> BTreeSet<String> {
        Probe::open(&self.store()).event_ids()
    }

    /// Checks that the store is intact, and that its failures and the backend agree with the delivered events.
    fn check(&self, backend: &Unreliable) {
        Probe::open(&self.store()).assert_intact();
        let left = if self.fault.place.is_grown { 3 } else { 0 };
        assert_eq!(self.stored().len(), self.events.len() + left);
        let (failures, revisions) = (listed(&self.store()), Probe::open(&self.store()).revisions());
        compare(&self.events, CONFIGURED, &failures).unwrap();
        let received = backend.received();
        for incident in self.events.iter().map(|event| &event.incident) {
            let id = format!("pagerduty:{incident}");
            received_in_order(&id, &received[&id], &revisions[&id]);
            received_exactly(last_accepted(&received[&id]), &failures[incident]);
        }
    }
}

/// The events of an incident, each a minute after the one before.
fn life(incident: &str, event_types: &[&'static str]) -> Vec<IncidentEvent> {
    let events = event_types.iter().zip(1..).map(|(event_type, n)| IncidentEvent {
        id: format!("01{incident}{n}"),
        incident: format!("Q{incident}"),
        event_type,
        at: n * 60_000,
        created_at: Some(1),
        service: Some(1),
        ..IncidentEvent::default()
    });
    events.collect()
}

async fn deliver(client: &reqwest::Client, listening: Listening, event: &IncidentEvent) -> Answer {
    let body = event.body();
    let signature = sign(&SECRET.to_owned().into(), &body);
    let url = format!("http://{}/webhooks/pagerduty", listening.public);
    let request = client.post(url).header("x-pagerduty-signature", signature).body(body);
    let Ok(response) = request.send().await else { return Answer::Nothing };
    match response.status().as_u16() {
        202 => {
            let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            Answer::Recorded(body["status"].as_str().unwrap().to_owned())
        }
        503 => Answer::Unavailable,
        status => panic!("{status} to {event:?}"),
    }
}
