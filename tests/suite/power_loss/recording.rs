//! A recording of the program under strace, while it accepts webhooks, reads incidents whose webhooks were lost from
//! PagerDuty's REST API, and forwards failures to a backend.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use pagerduty_dora::clock::{Clock, SystemClock};
use pagerduty_dora::config::Config;
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::sources::pagerduty::signature::sign;
use pagerduty_dora::store::Reader;

use super::opening::Lost;
use super::steps::{Action, Step, steps};
use super::trace::calls;
use crate::fake_pagerduty::{FakePagerDuty, World};
use crate::harness::{Backend, PATIENCE, SECRET, client, event_of, eventually, fixture};
use crate::process::Listening;
use crate::store_edit::{self, Lock};
use crate::store_probe::Probe;

/// System calls that can change a file or send something, and those that receive requests. A call that concerns the
/// store and is not modelled fails the test. `?` marks calls that not every machine has.
const CALLS: &str = "trace=openat,?open,?creat,write,pwrite64,writev,pwritev,?pwritev2,fsync,fdatasync,\
    ?sync_file_range,ftruncate,truncate,fallocate,?unlink,unlinkat,?rename,?renameat,renameat2,?link,linkat,sendfile,\
    ?copy_file_range,sendto,sendmsg,recvfrom,recvmsg,read";
/// Number of incidents that are delivered one after the other.
const LIVES_IN_TURN: usize = 3;
/// Number of incidents that are delivered at once: enough for a group that is folded later.
const LIVES_AT_ONCE: usize = 24;
/// Number of incidents whose webhooks are lost, before each start of the program.
const LOST_AT_ONCE: usize = 5;
/// Time between them. A look stores its progress after each six hours of PagerDuty's log.
const BETWEEN_LOST: Duration = Duration::from_hours(2);
const STORE: &str = "store.db";
const LOST: &str = "lost.json";
/// Variable with the path of the traced process's configuration.
const CONFIGURATION: &str = "POWER_LOSS_CONFIG";

/// A recording, which is kept in a folder.
pub(super) struct Recording {
    pub(super) steps: Vec<Step>,
    pub(super) config: Config,
    /// The incidents whose webhooks were lost.
    pub(super) lost: Vec<Lost>,
    /// The database file at the end.
    pub(super) left: Vec<u8>,
}

impl Recording {
    /// Runs the program with its store in this folder, and records its system calls.
    pub(super) async fn make(folder: &Path) -> Self {
        let mut backend = Backend::start().await;
        (0..1_000).for_each(|_| backend.will_answer(&[(202, &[])]));
        let mut account = Account::new();
        let pagerduty = FakePagerDuty::start(account.world.clone()).await;
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"{}\"\n{}{}",
            folder.join(STORE).display(),
            backend.entry("metrics"),
            pagerduty.section()
        );
        std::fs::write(folder.join("config.toml"), text).unwrap();
        account.lose_incidents();
        let mut traced = Traced::start(folder);
        traced.live(&mut account, &mut backend).await;
        assert_eq!(pagerduty.refusals(), [""; 0]);
        std::fs::write(folder.join(LOST), serde_json::to_vec(&account.lost).unwrap()).unwrap();
        let (webhooks, failures) = (traced.webhooks, traced.lives + account.lost.len());
        traced.stop();
        assert!(!folder.join("store.db-wal").exists(), "an orderly end leaves nothing to recover");
        let recording = Self::read(folder);
        assert_eq!(recording.count(|action| matches!(action, Action::Acknowledge(_))), webhooks);
        assert_eq!(recording.count(|action| matches!(action, Action::Tell(_))), failures);
        recording
    }

    /// Reads the recording in a folder.
    pub(super) fn read(folder: &Path) -> Self {
        let trace = std::fs::read_to_string(folder.join("trace")).unwrap();
        Self {
            steps: steps(calls(&trace), folder.to_str().unwrap(), STORE),
            config: Config::read(&folder.join("config.toml")).unwrap(),
            lost: serde_json::from_slice(&std::fs::read(folder.join(LOST)).unwrap()).unwrap(),
            left: std::fs::read(folder.join(STORE)).unwrap(),
        }
    }

    /// Number of steps of a kind.
    pub(super) fn count(&self, is: fn(&Action) -> bool) -> usize {
        self.steps.iter().filter(|step| is(&step.action)).count()
    }
}

/// The traced processes: this test program again, as a helper, and the daemon that the helper starts.
struct Traced {
    strace: Child,
    commands: ChildStdin,
    /// Lines that the helper prints.
    helper_lines: mpsc::Receiver<String>,
    /// Lines that the daemon logs.
    log_lines: mpsc::Receiver<String>,
    store: PathBuf,
    http: reqwest::Client,
    /// Address for webhooks.
    url: String,
    metrics: String,
    lives: usize,
    /// Number of webhooks that were answered 202.
    webhooks: usize,
}

impl Traced {
    /// Starts them, and returns once the daemon is ready.
    fn start(folder: &Path) -> Self {
        let mut strace = Command::new("strace")
            .args(["-f", "-y", "-xx", "-s", "1000000", "-e", CALLS, "-o"])
            .arg(folder.join("trace"))
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "power_loss::recording::the_daemon_and_its_helper"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .env(CONFIGURATION, folder.join("config.toml"))
            .env("PAGERDUTY_SIGNING_SECRET", SECRET)
            .env("RUST_LOG", "info")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut traced = Self {
            commands: strace.stdin.take().unwrap(),
            helper_lines: lines(strace.stdout.take().unwrap()),
            log_lines: lines(strace.stderr.take().unwrap()),
            strace,
            store: folder.join(STORE),
            http: client(),
            url: String::new(),
            metrics: String::new(),
            lives: 0,
            webhooks: 0,
        };
        traced.wait_until_ready();
        traced
    }

    fn wait_until_ready(&mut self) {
        let ready = wait_for(&self.log_lines, "\"message\":\"ready\"");
        let listening = Listening::said(&ready).unwrap();
        self.url = format!("http://{}/webhooks/pagerduty", listening.public);
        self.metrics = format!("http://{}/metrics", listening.admin);
    }

    /// Delivers webhooks in turn and at once, with checkpoints in between and meanwhile, and a crash of the daemon. It
    /// reads the lost incidents when it starts.
    async fn live(&mut self, account: &mut Account, backend: &mut Backend) {
        self.looks(account, backend).await;
        let odd = ["pagey.ping", "incident.triggered", "incident.triggered"].map(fixture);
        let open = account.world.webhooks()[0].body.clone();
        for body in odd.into_iter().chain(["signed, and no JSON".to_owned(), longer_than_pages(), open]) {
            deliver(&self.http, &self.url, body).await;
            self.webhooks += 1;
        }
        for _ in 0..2 {
            for _ in 0..LIVES_IN_TURN {
                self.deliver_at_once(1, backend).await;
            }
            // While nobody writes, a checkpoint moves the whole WAL, and the next commit restarts the WAL.
            self.wait_until_quiet().await;
            self.command("checkpoint");
            wait_for(&self.helper_lines, "checkpointed");
        }
        let mut rounds = 0..5;
        while !self.has_folded_later().await {
            rounds.next().expect("webhooks that come at once are committed together");
            self.deliver_at_once(LIVES_AT_ONCE, backend).await;
        }
        // The trace would lack a write that the crash cuts off.
        self.wait_until_quiet().await;
        account.lose_incidents();
        self.command("crash");
        self.wait_until_ready();
        self.looks(account, backend).await;
        self.deliver_at_once(LIVES_IN_TURN, backend).await;
    }

    /// Delivers some incidents at once, with checkpoints meanwhile, and waits until their failures were sent.
    async fn deliver_at_once(&mut self, lives: usize, backend: &mut Backend) {
        let (count, mut counted) = tokio::sync::mpsc::unbounded_channel();
        for life in self.lives..self.lives + lives {
            let (http, url, count) = (self.http.clone(), self.url.clone(), count.clone());
            tokio::spawn(async move {
                for body in bodies_of(life) {
                    deliver(&http, &url, body).await;
                    count.send(()).unwrap();
                }
            });
        }
        drop(count);
        // While another process has the lock, webhooks gather. The requests for metrics give them time to arrive.
        let lock = Lock::take(&self.store);
        for _ in 1..lives {
            self.has_folded_later().await;
        }
        drop(lock);
        let mut checkpoints = 0;
        while let Some(()) = tokio::time::timeout(PATIENCE, counted.recv()).await.expect("no answer") {
            self.webhooks += 1;
            if self.webhooks.is_multiple_of(20) {
                self.command("checkpoint");
                checkpoints += 1;
            }
        }
        (0..checkpoints).for_each(|_| drop(wait_for(&self.helper_lines, "checkpointed")));
        for _ in 0..lives {
            backend.next().await;
        }
        self.lives += lives;
    }

    /// Waits until it has read the lost incidents, and their failures were sent.
    async fn looks(&self, account: &Account, backend: &mut Backend) {
        for _ in 0..LOST_AT_ONCE {
            backend.next().await;
        }
        let (now, reader) = (account.world.now(), Reader::open(&self.store).unwrap());
        eventually("the end of a look", async || {
            self.http.get(&self.metrics).send().await.unwrap();
            (reader.reconciled_up_to().unwrap() == Some(now)).then_some(())
        })
        .await;
    }

    /// `true` if a group was so large that it was folded later.
    async fn has_folded_later(&self) -> bool {
        let text = self.http.get(&self.metrics).send().await.unwrap().text().await.unwrap();
        let count = |of: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("pagerduty_dora_commit_batch_size_")?.strip_prefix(of));
            line.unwrap().trim().parse::<u64>().unwrap()
        };
        count("count") > count("bucket{le=\"16.0\"}")
    }

    /// Waits until everything is folded and sent.
    async fn wait_until_quiet(&self) {
        Probe::open(&self.store).until(Probe::is_drained).await;
    }

    fn command(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
    }

    /// Ends the daemon by SIGTERM.
    fn stop(mut self) {
        drop(self.commands);
        wait_for_end(&self.helper_lines);
        assert!(self.strace.wait().unwrap().success(), "SIGTERM drains and exits 0");
    }
}

/// An account whose webhooks are lost, but for the first.
struct Account {
    world: World,
    lost: Vec<Lost>,
    /// Time of the next incident.
    at: Timestamp,
}

impl Account {
    fn new() -> Self {
        // The program's clock is the real one, and its first look covers a day. PagerDuty's times have whole seconds.
        let age = BETWEEN_LOST * u32::try_from(2 * LOST_AT_ONCE).unwrap();
        let at = Timestamp::from_nanos(SystemClock.now().as_seconds() * 1_000_000_000).saturating_sub(age);
        // A webhook tells of an incident that stays open. If PagerDuty had none of those that webhooks tell of, the token
        // would belong to another account.
        let world = World::new(1);
        world.trigger(at, "search", "high", None, "slow for years");
        Self { world, lost: Vec::new(), at }
    }

    /// Lets some incidents begin and end.
    fn lose_incidents(&mut self) {
        for _ in 0..LOST_AT_ONCE {
            let incident = self.world.trigger(self.at, "checkout", "high", Some("P2"), "disk full");
            let resolved_at = self.at.saturating_add(BETWEEN_LOST / 4);
            self.world.resolve(&incident, resolved_at);
            self.lost.push(Lost {
                failure: format!("pagerduty:{incident}"),
                resolved_at_ns: resolved_at.as_nanos(),
            });
            self.at = self.at.saturating_add(BETWEEN_LOST);
        }
        self.world.set_now(self.at);
    }
}

/// The webhooks of an incident, from its trigger to its resolve.
fn bodies_of(life: usize) -> [String; 3] {
    let incident = format!("QPOWERLOSS{life:04}");
    ["incident.triggered", "incident.acknowledged", "incident.resolved"].map(|kind| event_of(kind, &incident))
}

/// An event that does not fit into a few pages.
fn longer_than_pages() -> String {
    event_of("incident.triggered", "QPOWERLOSSLONG").replacen(
        '{',
        &format!("{{\"{}\": 1,", "x".repeat(30_000)),
        1,
    )
}

async fn deliver(http: &reqwest::Client, url: &str, body: String) {
    let signature = sign(&SECRET.to_owned().into(), body.as_bytes());
    let request = http.post(url).header("x-pagerduty-signature", signature).body(body);
    assert_eq!(request.send().await.unwrap().status().as_u16(), 202);
}

/// Reads lines in a separate thread, so that waiting for a line can have a limit.
fn lines(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        // Reads to the end even without a receiver, so that the writer is never blocked.
        BufReader::new(stream).lines().map_while(Result::ok).for_each(|line| drop(send.send(line)));
    });
    receive
}

fn wait_for(lines: &mpsc::Receiver<String>, word: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    let mut before = Vec::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) if line.contains(word) => return line,
            Ok(line) => before.push(line),
            Err(error) => panic!("no {word:?} ({error}) after {before:#?}"),
        }
    }
}

/// Waits until all writers of these lines have ended.
fn wait_for_end(lines: &mpsc::Receiver<String>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(_) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end"),
        }
    }
}

/// Runs under strace, as the helper. It starts the daemon and obeys commands: it makes a checkpoint, as the daemon
/// itself does once the WAL is larger than in this test, or it kills the daemon and starts it again. In the end it
/// terminates the daemon.
#[test]
#[ignore = "a part of the power-loss test, which runs it under strace"]
fn the_daemon_and_its_helper() {
    let Some(config) = std::env::var_os(CONFIGURATION) else { return };
    let store = Path::new(&config).with_file_name(STORE);
    let serve = || {
        let mut daemon = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"));
        daemon.arg("--config").args([&config, OsStr::new("serve")]).stdin(Stdio::null()).spawn().unwrap()
    };
    let mut daemon = serve();
    for command in std::io::stdin().lines() {
        if command.unwrap() == "crash" {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
            daemon = serve();
            continue;
        }
        store_edit::checkpoint(&store);
        println!("checkpointed");
    }
    let pid = daemon.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(daemon.wait().unwrap().success());
}
