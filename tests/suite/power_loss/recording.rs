//! The program under strace: what it did to the disk while it took webhooks and told a backend of failures.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use pagerduty_dora::config::Config;
use pagerduty_dora::pagerduty::signature::sign;

use super::steps::{Step, steps};
use super::trace::calls;
use crate::harness::{Backend, PATIENCE, SECRET, client, event_of, fixture};

/// Everything that can change a file or tell somebody something, and what asks for it. One that concerns the store and
/// is not modelled fails the test. `?`: not every machine has it.
const CALLS: &str = "trace=openat,?open,?creat,write,pwrite64,writev,pwritev,?pwritev2,fsync,fdatasync,\
    ?sync_file_range,ftruncate,truncate,fallocate,?unlink,unlinkat,?rename,?renameat,renameat2,?link,linkat,sendfile,\
    ?copy_file_range,sendto,sendmsg,recvfrom,recvmsg,read";
/// Lives that are delivered one after the other.
const LIVES_IN_TURN: usize = 6;
/// Lives that are delivered at once: more than make a group whose folding is put off.
const LIVES_AT_ONCE: usize = 24;
/// Where the traced process finds the configuration.
const CONFIGURATION: &str = "POWER_LOSS_CONFIG";

/// What was recorded.
pub(super) struct Recording {
    pub(super) steps: Vec<Step>,
    pub(super) config: Config,
    /// The database file as it was in the end.
    pub(super) left: Vec<u8>,
    /// How many webhooks were answered 202, by the count of those who sent them.
    pub(super) webhooks: usize,
    /// How many failures the backend was told of, by its own count.
    pub(super) failures: usize,
}

/// Runs the program, and sees what it does.
pub(super) async fn record() -> Recording {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let mut backend = Backend::start().await;
    (0..100).for_each(|_| backend.will_answer(&[(202, &[])]));
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"{}\"\n{}",
        root.join("store.db").display(),
        backend.entry("metrics")
    );
    let config = root.join("config.toml");
    std::fs::write(&config, &text).unwrap();
    let mut traced = Traced::start(&root, &config);
    let webhooks = traced.live(&mut backend).await;
    let trace = traced.stop();
    let steps = steps(calls(&trace), root.to_str().unwrap(), "store.db");
    let left = std::fs::read(root.join("store.db")).unwrap();
    assert!(!root.join("store.db-wal").exists(), "an orderly end leaves nothing to recover");
    let config = Config::parse(&text).unwrap();
    Recording { steps, config, left, webhooks, failures: LIVES_IN_TURN + LIVES_AT_ONCE }
}

/// The traced processes: this program again, in the part of the neighbour, and the daemon that it starts.
struct Traced {
    strace: Child,
    orders: ChildStdin,
    /// What the neighbour says.
    said: mpsc::Receiver<String>,
    public: SocketAddr,
    store: PathBuf,
    trace: PathBuf,
}

impl Traced {
    /// Returns once the daemon says that it is ready.
    fn start(folder: &Path, config: &Path) -> Self {
        let trace = folder.join("trace");
        let mut strace = Command::new("strace")
            .args(["-f", "-y", "-xx", "-s", "1000000", "-e", CALLS, "-o"])
            .arg(&trace)
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "power_loss::recording::the_daemon_and_its_neighbour"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .env(CONFIGURATION, config)
            .env("PAGERDUTY_SIGNING_SECRET", SECRET)
            .env("RUST_LOG", "info")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = strace.stdin.take().unwrap();
        let said = lines(strace.stdout.take().unwrap());
        let logged = lines(strace.stderr.take().unwrap());
        let ready = wait_for(&logged, "public=");
        let public = ready.split("public=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        Self { strace, orders, said, public, store: folder.join("store.db"), trace }
    }

    /// Webhooks in turn and at once, with the WAL moved in between and meanwhile. Returns how many were answered 202.
    async fn live(&mut self, backend: &mut Backend) -> usize {
        let mut webhooks = 0;
        let deliver = Client { http: client(), url: format!("http://{}/webhooks/pagerduty", self.public) };
        let extra = ["pagey.ping", "incident.triggered", "incident.triggered"].map(fixture);
        for body in extra.into_iter().chain(["signed, and no JSON".to_owned()]) {
            deliver.webhook(body).await;
            webhooks += 1;
        }
        for life in 0..LIVES_IN_TURN {
            for body in bodies_of(life) {
                deliver.webhook(body).await;
                webhooks += 1;
            }
            backend.next().await;
            if life % 3 == 2 {
                // With nobody writing it is moved whole, and the next commit begins the WAL anew.
                tokio::time::timeout(PATIENCE, self.quiet()).await.expect("still writing");
                self.order("checkpoint");
                wait_for(&self.said, "checkpointed");
            }
        }
        let (count, mut counted) = tokio::sync::mpsc::unbounded_channel();
        for life in LIVES_IN_TURN..LIVES_IN_TURN + LIVES_AT_ONCE {
            let (deliver, count) = (deliver.clone(), count.clone());
            tokio::spawn(async move {
                for body in bodies_of(life) {
                    deliver.webhook(body).await;
                    count.send(()).unwrap();
                }
            });
        }
        drop(count);
        let mut orders = 0;
        while let Some(()) = tokio::time::timeout(PATIENCE, counted.recv()).await.expect("no answer") {
            webhooks += 1;
            if webhooks % 20 == 0 {
                self.order("checkpoint");
                orders += 1;
            }
        }
        (0..orders).for_each(|_| drop(wait_for(&self.said, "checkpointed")));
        for _ in 0..LIVES_AT_ONCE {
            backend.next().await;
        }
        webhooks
    }

    /// Returns once everything is folded, and what came of every attempt is recorded.
    async fn quiet(&self) {
        const IS_QUIET: &str = "SELECT NOT EXISTS (SELECT 1 FROM outbox WHERE state = 'pending')
            AND (SELECT max(event) FROM failure_event) <= (SELECT up_to FROM folded)";
        let db = rusqlite::Connection::open(&self.store).unwrap();
        while !db.query_row(IS_QUIET, [], |row| row.get::<_, bool>(0)).unwrap() {
            tokio::task::yield_now().await;
        }
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    /// Has the daemon end in order, and returns what was traced.
    fn stop(mut self) -> String {
        drop(self.orders);
        wait_for_end(&self.said);
        assert!(self.strace.wait().unwrap().success(), "SIGTERM drains and exits 0");
        std::fs::read_to_string(&self.trace).unwrap()
    }
}

/// The webhooks of an incident, from its trigger to its end.
fn bodies_of(life: usize) -> [String; 3] {
    let incident = format!("QPOWERLOSS{life:04}");
    ["incident.triggered", "incident.acknowledged", "incident.resolved"].map(|kind| event_of(kind, &incident))
}

/// Somebody who delivers webhooks.
#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    async fn webhook(&self, body: String) {
        let signature = sign(&SECRET.to_owned().into(), body.as_bytes());
        let request = self.http.post(&self.url).header("x-pagerduty-signature", signature).body(body);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 202);
    }
}

/// Reads lines in a thread of its own, so that one can stop waiting for them.
fn lines(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        // Read to the end even if nobody listens any more: who writes must not be held up.
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

/// Waits until nobody is left who could say anything.
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

/// Runs under strace. It starts the daemon, moves the WAL into the database file when it is told to, as the daemon
/// itself does once the WAL is larger than this test can make it, and in the end terminates the daemon.
#[test]
#[ignore = "a part of the power-loss test, which runs it under strace"]
fn the_daemon_and_its_neighbour() {
    let Some(config) = std::env::var_os(CONFIGURATION) else { return };
    let store = Path::new(&config).with_file_name("store.db");
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
        .arg("--config")
        .args([&config, OsStr::new("serve")])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    for order in std::io::stdin().lines() {
        assert_eq!(order.unwrap(), "checkpoint");
        let db = rusqlite::Connection::open(&store).unwrap();
        db.pragma_update(None, "synchronous", "FULL").unwrap();
        db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
        println!("checkpointed");
    }
    let pid = daemon.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(daemon.wait().unwrap().success());
}
