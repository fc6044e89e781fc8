//! A folder in which scripts run, with stand-ins for the tools that run them, and for the programs that they call.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::page::Script;
use super::{COMMIT, VERSION};
use crate::harness::{Daemon, KEY};
use crate::node::program;

/// Shell functions in place of programs. The first call of `date` is at 10:00 on the first of November, and each later
/// one five minutes after the one before. An unexpected call fails.
const STAND_INS: &str = r#"
date() {
    [ "$*" = +%s ] || exit 9
    cat clock
    echo $(($(cat clock) + 300)) > next
    mv next clock
}
git() {
    case "$*" in
        "rev-parse HEAD") echo "$COMMIT" ;;
        "push origin HEAD:main") ;;
        *) exit 9 ;;
    esac
}
kubectl() {
    case "$*" in
        "rollout status deployment/checkout --timeout=10m" | *" --for=jsonpath={.status.lastAppliedRevision}=main@sha1:$COMMIT")
            return "$STATUS_OF_KUBECTL" ;;
        *) exit 9 ;;
    esac
}
set_octopusvariable() { printf %s "$2" > "Octopus.Action[Note the start].Output.$1"; }
get_octopusvariable() { cat "$1"; }
[ ! -f "$BASH_ENV" ] || . "$BASH_ENV"
"#;

/// A command in the output of a script that sets a variable at Azure DevOps.
const SETS_VARIABLE: &str = "##vso[task.setvariable variable=";

/// Files in which a script sets variables: at GitHub, and in the recipe for GitLab.
const FILES_OF_VARIABLES: [&str; 2] = ["github-env", "deploy.env"];

/// A folder with `./deploy.sh`, and the variables that the tools set.
pub(crate) struct Workspace {
    folder: TempDir,
    variables: BTreeMap<String, String>,
    /// Texts that a tool replaces in its file before it runs the scripts.
    expressions: Vec<(&'static str, String)>,
}

impl Workspace {
    /// A folder for a run that reports to this daemon.
    pub(crate) fn of(daemon: &Daemon) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("http://{}", daemon.public);
        for (file, text) in [
            ("clock", "1793527200\n"),
            ("Dora.Key", KEY),
            ("Dora.Url", &url),
            ("Octopus.Environment.Name", "Production"),
            ("Octopus.Release.Number", VERSION),
        ] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let expressions = vec![
            ("${{ vars.DORA_URL }}", url.clone()),
            ("${{ secrets.DORA_KEY }}", KEY.to_owned()),
            ("${{ github.ref_type == 'tag' && github.ref_name || '' }}", VERSION.to_owned()),
            ("$(DORA_KEY)", KEY.to_owned()),
        ];
        let workspace = Self { variables: variables(folder.path(), &url), folder, expressions };
        workspace.deploy_by("true");
        workspace
    }

    /// The same with a deployment that fails.
    pub(crate) fn with_a_failing_deployment(mut self) -> Self {
        self.deploy_by("false");
        self.set("STATUS_OF_KUBECTL", "1");
        self
    }

    /// Makes `./deploy.sh` a link. A file that was just written may still be open in a process that is being started,
    /// and then cannot be run.
    fn deploy_by(&self, name: &str) {
        let script = self.folder.path().join("deploy.sh");
        let _ = std::fs::remove_file(&script);
        symlink(program(name).unwrap(), script).unwrap();
    }

    /// Sets a variable.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// Runs scripts one after the other until one fails, as the tools do. Returns their messages.
    pub(crate) fn run(mut self, scripts: &[Script]) -> Vec<String> {
        let (mut log, mut status) = (Vec::new(), 0);
        for script in scripts {
            if status != 0 && !script.runs_always {
                continue;
            }
            self.set("BITBUCKET_EXIT_CODE", status.to_string());
            let output = self.command(script).output().unwrap();
            if !script.runs_always {
                status = output.status.code().unwrap();
            }
            let printed = String::from_utf8(output.stdout).unwrap();
            self.take_variables(&printed);
            log.push(format!("{}{printed}{}", output.status, String::from_utf8_lossy(&output.stderr)));
        }
        log
    }

    fn command(&self, script: &Script) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", &format!("{STAND_INS}\n{}", script.text)])
            .env_clear()
            .envs(&self.variables)
            .envs(script.environment.iter().map(|(name, value)| (name, self.evaluated(value))))
            .current_dir(self.folder.path());
        command
    }

    /// A value with the values of its expressions. An unknown expression is a mistake of the page.
    fn evaluated(&self, value: &str) -> String {
        let mut evaluated = value.to_owned();
        for (expression, value) in &self.expressions {
            evaluated = evaluated.replace(expression, value);
        }
        assert!(!evaluated.contains("${{") && !evaluated.contains("$("), "{evaluated} is not known");
        evaluated
    }

    /// Takes the variables that a script has set for the next ones.
    fn take_variables(&mut self, printed: &str) {
        let commands = printed.lines().filter_map(|line| line.strip_prefix(SETS_VARIABLE)?.split_once(']'));
        let mut set: Vec<(String, String)> =
            commands.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for file in FILES_OF_VARIABLES {
            let text = std::fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
            let lines = text.lines().map(|line| line.split_once('=').unwrap());
            set.extend(lines.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        self.variables.extend(set);
    }
}

/// The variables of the recipes, of the stand-ins and of all tools.
fn variables(folder: &Path, url: &str) -> BTreeMap<String, String> {
    let path = std::env::var("PATH").unwrap();
    let in_folder = |file: &str| folder.join(file).to_str().unwrap().to_owned();
    let (bash_env, github_env) = (in_folder("bash-env"), in_folder("github-env"));
    [
        ("PATH", path.as_str()),
        ("HOME", folder.to_str().unwrap()),
        ("DORA_URL", url),
        ("DORA_KEY", KEY),
        ("VERSION", VERSION),
        ("COMMIT", COMMIT),
        ("STATUS_OF_KUBECTL", "0"),
        ("BITBUCKET_COMMIT", COMMIT),
        ("BITBUCKET_DEPLOYMENT_ENVIRONMENT", "production"),
        ("BITBUCKET_REPO_FULL_NAME", "acme/checkout"),
        ("BITBUCKET_TAG", VERSION),
        ("BUILD_BUILDNUMBER", VERSION),
        ("BUILD_REPOSITORY_URI", "https://acme@github.com/acme/checkout"),
        ("BUILD_SOURCEVERSION", COMMIT),
        ("BASH_ENV", &bash_env),
        ("CIRCLE_SHA1", COMMIT),
        ("CIRCLE_TAG", VERSION),
        ("CI_COMMIT_SHA", COMMIT),
        ("CI_COMMIT_TAG", VERSION),
        ("CI_PROJECT_URL", "https://github.com/acme/checkout"),
        ("GITHUB_ENV", &github_env),
        ("GITHUB_REPOSITORY", "acme/checkout"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_SHA", COMMIT),
        ("GIT_COMMIT", COMMIT),
        ("TAG_NAME", VERSION),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
