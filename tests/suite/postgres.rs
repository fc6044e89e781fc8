//! A PostgreSQL server for tests: one throw-away cluster for each run, one schema for each test.
//!
//! A shell owns the cluster. It reads from a pipe that only this process has open for writing. So the shell stops and
//! removes the cluster when this process ends, in whatever way.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

/// Number of the user and of the group that run the server in place of root, which PostgreSQL refuses.
const NOBODY: u32 = 65_534;

/// Makes, starts, stops and removes the cluster. Its arguments are the folder of the programs and that of the cluster.
/// Signals for this process's group do not end the shell, nor does a pipe that nobody reads any more: it ends when its
/// standard input does.
const SCRIPT: &str = r#"
trap '' HUP INT PIPE TERM
cd /
"$1/initdb" -D "$2/data" -U postgres --no-locale -E UTF8 --auth=trust --no-sync >"$2/log" 2>&1 &&
    "$1/pg_ctl" -D "$2/data" -l "$2/log" -w -o "-k '$2' -c listen_addresses='' -c fsync=off" start >/dev/null 2>&1 &&
    echo started || cat "$2/log"
exec >/dev/null
read -r _
"$1/pg_ctl" -D "$2/data" -m immediate stop
rm -rf "$2"
"#;

/// A running server. It is reached through a socket in its folder only.
struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    shell: Child,
    /// The pipe. `None` once it is closed.
    pipe: Option<ChildStdin>,
}

impl Cluster {
    fn start(programs: PathBuf) -> Self {
        // The path of a socket has at most 107 bytes, so this does not use TMPDIR.
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir_in("/tmp").unwrap().keep();
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "sh"]).arg(&programs).arg(&folder);
        if rustix::process::geteuid().is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
            shell.uid(NOBODY).gid(NOBODY);
        }
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(shell.stdout.take().unwrap());
        let mut first = String::new();
        said.read_line(&mut first).unwrap();
        if first != "started\n" {
            let rest: Vec<String> = said.lines().map_while(Result::ok).collect();
            panic!("PostgreSQL does not start: {first}{}", rest.join("\n"));
        }
        let pipe = shell.stdin.take();
        Self { programs, folder, shell, pipe }
    }

    /// Runs a script of `psql` in a schema. Returns what it prints, and its messages.
    fn run(&self, schema: &str, script: &str) -> (String, String) {
        let mut psql = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-U", "postgres", "-d", "postgres", "-f", "-", "-h"])
            .arg(&self.folder)
            .env("PGOPTIONS", format!("-csearch_path={schema}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = psql.stdin.take().unwrap();
        let script = script.to_owned();
        // Written beside the reading, because both sides may wait for a full pipe.
        let writer = std::thread::spawn(move || input.write_all(script.as_bytes()).unwrap());
        let output = psql.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.pipe.take());
        self.shell.wait().unwrap();
    }
}

/// The folder of the server's programs, if they are installed.
fn programs() -> Option<PathBuf> {
    let in_path = std::env::var_os("PATH").into_iter().flat_map(|path| {
        std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect::<Vec<_>>()
    });
    // Debian installs each version in a folder of its own. The newest one comes first here.
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    versions.sort();
    let is_whole =
        |folder: &PathBuf| ["initdb", "pg_ctl", "psql"].iter().all(|program| folder.join(program).is_file());
    in_path.chain(versions.into_iter().rev()).find(is_whole)
}

/// A schema of its own for a test.
pub(crate) struct Schema {
    cluster: &'static Cluster,
    name: String,
}

impl Schema {
    /// An empty schema with this name. `None` if PostgreSQL is not installed. With `REQUIRE_ALL` the test then fails.
    pub(crate) fn new(name: &str) -> Option<Self> {
        static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
        let cluster = CLUSTER.get_or_init(|| programs().map(Cluster::start)).as_ref();
        let Some(cluster) = cluster else {
            assert!(std::env::var_os("REQUIRE_ALL").is_none(), "PostgreSQL is missing");
            println!("skipped: PostgreSQL is not installed");
            return None;
        };
        let schema = Self { cluster, name: name.to_owned() };
        assert_eq!(schema.run(&format!("CREATE SCHEMA {name};")), (String::new(), String::new()));
        Some(schema)
    }

    /// A schema with the tables of the store.
    pub(crate) fn of_store(name: &str) -> Option<Self> {
        let schema = Self::new(name)?;
        let file = "src/store/engine/migrations/postgres/0003_schema.sql";
        let sql = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert_eq!(schema.run(&sql), (String::new(), String::new()), "{file}");
        Some(schema)
    }

    /// Runs a script of `psql`. Returns what it prints, and its messages.
    pub(crate) fn run(&self, script: &str) -> (String, String) {
        self.cluster.run(&self.name, script)
    }
}

#[test]
fn a_cluster_is_removed_when_the_pipe_is_closed() {
    let Some(programs) = programs() else {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "PostgreSQL is missing");
        return println!("skipped: PostgreSQL is not installed");
    };
    let cluster = Cluster::start(programs);
    assert_eq!(cluster.run("public", "SELECT 1;").0, "1\n");
    let folder = cluster.folder.clone();
    let server = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    let server = server.lines().next().unwrap().to_owned();
    // A process that has ended but is still listed has no program any more.
    let program = || std::fs::read_link(Path::new("/proc").join(&server).join("exe"));
    assert!(program().is_ok());
    drop(cluster);
    assert!(!folder.exists());
    assert!(program().is_err());
}
