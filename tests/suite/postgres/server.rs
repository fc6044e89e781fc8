//! One server of PostgreSQL, which is reached through a socket in its folder only.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::owner::Owner;
use super::programs::{ask, installed, until};
use crate::harness::PATIENCE;

/// A server of an [`Owner`].
pub(crate) struct Server {
    /// Folder of the socket, with the log and the folder `data`.
    folder: PathBuf,
}

impl Server {
    /// A server that does not exist yet, in a folder with this name.
    pub(super) fn new(owner: &mut Owner, name: &str) -> Self {
        let folder = owner.folder().join(name);
        owner.run(&format!("mkdir '{}'", folder.display()));
        Self { folder }
    }

    /// Makes an empty server.
    pub(super) fn create(&self, owner: &mut Owner, settings: &[&str]) {
        let data = self.data();
        owner.run(&format!("cp -R '{}' '{}'", empty().display(), data.display()));
        let file = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"));
        writeln!(file.unwrap(), "listen_addresses = ''\n{}", settings.join("\n")).unwrap();
    }

    pub(super) fn start(&self, owner: &mut Owner) {
        let (folder, data) = (self.folder.display(), self.data());
        owner.run(&format!(
            r#""$1/pg_ctl" -D '{}' -l '{folder}/log' -w -o "-k '{folder}'" start"#,
            data.display()
        ));
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Folder of the socket, as the host of a URL.
    pub(super) fn host(&self) -> String {
        self.folder.display().to_string().replace('/', "%2F")
    }

    /// File of the socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.host())
    }

    /// Runs a script of `psql`, which must give no message. Returns what it prints.
    pub(crate) fn ask(&self, script: &str) -> String {
        ask(&self.url(), script)
    }

    /// Waits until a condition in SQL is true.
    pub(crate) fn until(&self, condition: &str) {
        until(&self.url(), condition);
    }

    /// The process that starts all others of the server. `None` if the server does not run.
    pub(super) fn process(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        Pid::from_raw(text.lines().next()?.parse().unwrap())
    }

    /// Kills all its processes as `kill -9` does, and waits until they have ended.
    pub(super) fn kill(&self) {
        let first = self.process().expect("the server does not run");
        // A stopped process starts no other, and waits for none. So all ids remain those of its children.
        kill_process(first, Signal::STOP).unwrap();
        until_state(first, |state| state == Some('T'));
        let mut all = children(first);
        all.push(first);
        for process in &all {
            kill_process(*process, Signal::KILL).unwrap();
        }
        for process in &all {
            // A process that has ended may be listed until its parent asks.
            until_state(*process, |state| matches!(state, None | Some('Z' | 'X')));
        }
        // These name the process. By then another one may have its id.
        for lock in [self.data().join("postmaster.pid"), self.socket().with_added_extension("lock")] {
            std::fs::remove_file(lock).unwrap();
        }
    }
}

/// Data of an empty server, which all servers of a run begin with. To make it takes longer than to copy it.
fn empty() -> PathBuf {
    static EMPTY: OnceLock<(Server, Owner)> = OnceLock::new();
    let (server, _) = EMPTY.get_or_init(|| {
        let mut owner = Owner::start(installed().unwrap());
        let server = Server::new(&mut owner, "empty");
        owner.run(&format!(
            r#""$1/initdb" -D '{}' -U postgres --no-locale -E UTF8 --auth=trust --wal-segsize=1 --no-sync"#,
            server.data().display()
        ));
        (server, owner)
    });
    server.data()
}

/// State of a process, and the id of its parent.
fn stat(process: &Path) -> Option<(char, i32)> {
    let text = std::fs::read_to_string(process.join("stat")).ok()?;
    // The name of the program stands before, in brackets, and may contain anything.
    let mut words = text.rsplit_once(") ")?.1.split(' ');
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

fn folder_of(process: Pid) -> PathBuf {
    Path::new("/proc").join(process.to_string())
}

fn children(parent: Pid) -> Vec<Pid> {
    let is_child = |folder: &Path| stat(folder).is_some_and(|(_, of)| of == parent.as_raw_pid());
    std::fs::read_dir("/proc")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|folder| is_child(folder))
        .filter_map(|folder| Pid::from_raw(folder.file_name()?.to_str()?.parse().ok()?))
        .collect()
}

/// Waits until a process has this state. It has none once it is gone.
pub(super) fn until_state(process: Pid, is_met: impl Fn(Option<char>) -> bool) {
    let begin = Instant::now();
    loop {
        let state = stat(&folder_of(process)).map(|(state, _)| state);
        if is_met(state) {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "process {process} is in state {state:?}");
        std::thread::yield_now();
    }
}
