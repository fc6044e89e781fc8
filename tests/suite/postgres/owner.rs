//! A shell that owns the servers of a test.
//!
//! It reads commands from a pipe that only this process has open for writing. So the shell stops the servers and removes
//! their folder when this process ends, in whatever way. No command can start a server after that, because the shell
//! runs one after the other.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Number of the user and of the group that run the servers in place of root, which PostgreSQL refuses.
const NOBODY: u32 = 65_534;

/// Runs each line of the standard input as a command, and prints its exit status. Its arguments are the folder of
/// PostgreSQL's programs and that of the servers. Signals for this process's group do not end the shell, nor does a pipe
/// that nobody reads any more: it ends when its standard input does.
const SCRIPT: &str = r#"
trap '' HUP INT PIPE TERM
cd /
while read -r command; do
    eval "$command" >"$2/output" 2>&1 </dev/null
    echo "$?"
done 2>/dev/null
exec >/dev/null 2>&1
for data in "$2"/*/data; do
    "$1/pg_ctl" -D "$data" -m immediate stop
done
rm -rf "$2"
"#;

pub(super) struct Owner {
    folder: PathBuf,
    shell: Child,
    statuses: BufReader<ChildStdout>,
    /// The pipe. `None` once it is closed.
    pipe: Option<ChildStdin>,
}

impl Owner {
    /// Starts the shell, in a new folder.
    pub(super) fn start(programs: &Path) -> Self {
        // The path of a socket has at most 107 bytes, so this does not use TMPDIR.
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir_in("/tmp").unwrap().keep();
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "sh"]).arg(programs).arg(&folder);
        if rustix::process::geteuid().is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
            shell.uid(NOBODY).gid(NOBODY);
        }
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let statuses = BufReader::new(shell.stdout.take().unwrap());
        let pipe = shell.stdin.take();
        Self { folder, shell, statuses, pipe }
    }

    /// The folder of the servers. Each has a folder of its own there.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a command as the user of the servers. `"$1"` is the folder of PostgreSQL's programs. The test fails if the
    /// command fails.
    pub(super) fn run(&mut self, command: &str) {
        assert!(!command.contains('\n'), "the shell reads one line: {command}");
        writeln!(self.pipe.as_mut().unwrap(), "{command}").unwrap();
        let mut status = String::new();
        self.statuses.read_line(&mut status).unwrap();
        assert_eq!(status, "0\n", "{command}:\n{}", self.output());
    }

    /// The output of the last command, and the logs of all servers.
    fn output(&self) -> String {
        let logs = std::fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path().join("log"));
        std::iter::once(self.folder.join("output"))
            .chain(logs)
            .filter_map(|file| std::fs::read_to_string(file).ok())
            .collect()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.pipe.take());
        self.shell.wait().unwrap();
    }
}
