//! The commands, as people use them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::engine::store_keys;
use crate::harness::{Daemon, SECRET, event_of};

fn program(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("PAGERDUTY_DORA_CONFIG")
        .env("PAGERDUTY_SIGNING_SECRET", SECRET)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_is_for_newcomers() {
    let folder = tempfile::tempdir().unwrap();
    let pages = [
        &["--help"][..],
        &["demo", "--help"],
        &["check", "--help"],
        &["send", "--help"],
        &["failures", "--help"],
        &["deployments", "--help"],
        &["explain", "--help"],
    ];
    let text: Vec<String> = pages.iter().map(|page| stdout(&program(folder.path(), page))).collect();
    insta::assert_snapshot!(text.join("\n---\n\n"));
}

#[test]
fn help_takes_the_name_of_a_command() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["report", "outbox", "send"] {
        let help = program(folder.path(), &["help", command]);
        assert_eq!(help.status.code(), Some(0), "{}", stderr(&help));
        assert_eq!(stdout(&help), stdout(&program(folder.path(), &[command, "--help"])));
    }
    assert_eq!(program(folder.path(), &["help", "serv"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_webhooks_can_be_sent_as_of_now() {
    let daemon = Daemon::start("").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("1.json"), event_of("incident.triggered", "QNOW00000001")).unwrap();
    std::fs::write(folder.path().join("2.json"), event_of("incident.resolved", "QNOW00000001")).unwrap();
    let url = format!("http://{}/webhooks/pagerduty", daemon.public);
    for _ in 0..2 {
        let sent = program(folder.path(), &["send", "--now", "1.json", "2.json", "--url", &url]);
        assert_eq!(stdout(&sent).matches("accepted").count(), 2, "{}", stderr(&sent));
    }
    let failures = daemon.failures().await;
    assert_eq!((failures.len(), failures[0]["state"].as_str()), (1, Some("completed")));
}

#[test]
fn usage_and_configuration_mistakes_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.toml"), "[server]\nlisen = \"x\"\n").unwrap();
    let cases: [(&[&str], &str); 15] = [
        (&["deployments", "--since", "soon"], "--since"),
        (
            &["send", "x.json", "--url", "127.0.0.1:8080/x"],
            "--url: cannot post to \"127.0.0.1:8080/x\": it must begin with http://",
        ),
        (&["quarantine", "show", "abc"], "a number is needed"),
        (&["quarantine", "retry", "abc"], "a number is needed"),
        (&["failures", "--limit", "x"], "a whole number from 1"),
        (&["outbox", "--limit", "0"], "a whole number from 1"),
        (&["serv"], "unrecognized subcommand"),
        (&["--config", "bad.toml", "serve"], "bad.toml:2: server.lisen"),
        (&["--config", "missing.toml", "check", "--offline"], "missing.toml"),
        (&["failures", "--since", "soon"], "--since"),
        (&["report", "--since", "soon"], "--since: \"soon\" is not a time"),
        (&["report", "--since", "1d", "--until", "2d"], "--since must be earlier than --until"),
        (
            &["send", "x.json", "--url", "ftp://127.0.0.1"],
            "--url: cannot post to \"ftp://127.0.0.1\": it must begin with http://",
        ),
        (
            &["send", "x.json", "--url", "htp://me:S3CR3T@127.0.0.1"],
            "\"htp://127.0.0.1\": it must begin with http://",
        ),
        (
            &["send", "x.json", "--url", "http://127.0.0.1:1", "--secret-env", "UNSET_SURELY"],
            "--secret-env: ",
        ),
    ];
    for (arguments, word) in cases {
        let output = program(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn errors_at_the_start_name_their_place_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let loopback = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let signed = "[pagerduty]\nsigning_secrets = [{ env = \"PAGERDUTY_SIGNING_SECRET\" }]\n";
    let cases = [
        (
            format!("{loopback}[pagerduty]\nsigning_secrets = [{{ env = \"UNSET_SURELY\" }}]\n"),
            2,
            "c.toml:6: pagerduty.signing_secrets: the environment variable UNSET_SURELY is not set\n",
        ),
        (
            format!("[pagerduty]\nsigning_secrets = []\n{loopback}"),
            2,
            "c.toml:2: pagerduty.signing_secrets: at least one is needed\n",
        ),
        (
            format!("{loopback}{signed}[pagerduty.api]\ntoken = {{ env = \"UNSET_SURELY\" }}\n"),
            2,
            "c.toml:8: pagerduty.api.token: the environment variable UNSET_SURELY is not set\n",
        ),
        (
            "[server]\nlisten = \"127.0.0.1:8081\"\n".to_owned(),
            2,
            "c.toml:2: server.listen: uses the same port as admin.listen (127.0.0.1:8081): choose another port\n",
        ),
        (
            format!("{loopback}{signed}[store]\npath = \"no/store.db\"\n"),
            1,
            "cannot open the store no/store.db: No such file or directory (os error 2): does its folder exist, and may this user write there?",
        ),
    ];
    for (config, status, expected) in cases {
        std::fs::write(folder.path().join("c.toml"), &config).unwrap();
        let output = program(folder.path(), &["--config", "c.toml", "serve"]);
        assert_eq!(output.status.code(), Some(status), "{config}: {}", stderr(&output));
        // Configuration errors are plain text. All other errors are in the log, which is JSON here.
        let is_printed = match status {
            2 => stderr(&output).ends_with(&format!("pagerduty-dora: {expected}")),
            _ => stderr(&output).contains(expected),
        };
        assert!(is_printed, "{}", stderr(&output));
    }
}

/// One start reports wrong values, values that contradict each other, and wrong secrets.
#[test]
fn a_start_reports_all_mistakes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let backend = "kind = \"datadog\"\nurl = \"http://127.0.0.1:1\"\napi_key = { env = \"NOT_SET_3\" }\n\
                   application_key = { file = \"none\" }\n";
    let secrets = format!(
        "[pagerduty]\nsigning_secrets = [{{ env = \"NOT_SET_1\" }}, {{ value = \"short\" }}]\n[events_api]\n\
         keys = [{{ env = \"NOT_SET_2\" }}, {{ credential = \"none\" }}]\n[[backend]]\nname = \"a\"\n{backend}"
    );
    let of_secrets = [
        "c.toml:2: pagerduty.signing_secrets: the environment variable NOT_SET_1 is not set",
        "c.toml:2: pagerduty.signing_secrets: the value in the configuration is 5 bytes long",
        "c.toml:4: events_api.keys: the environment variable NOT_SET_2 is not set",
        "c.toml:4: events_api.keys: no credential none",
        "c.toml:6: backend \"a\": api_key: the environment variable NOT_SET_3 is not set",
        "c.toml:6: backend \"a\": application_key: cannot read none",
    ];
    let others = [
        "c.toml:12: server.listen: uses the same port as admin.listen (127.0.0.1:9)",
        "c.toml:16: store.retention: \"1d\" must be at least 3d",
        "c.toml:19: rule.action: \"drop\" is not known",
    ];
    let wrong = "[server]\nlisten = \"127.0.0.1:9\"\n[admin]\nlisten = \"127.0.0.1:9\"\n[store]\nretention = \"1d\"\n\
                 [[rule]]\nname = \"x\"\naction = \"drop\"\n";
    let cases = [
        (secrets.clone(), "serve", of_secrets.to_vec()),
        (format!("{secrets}{wrong}"), "serve", [&of_secrets[..], &others].concat()),
        (format!("{secrets}{wrong}"), "check", [&of_secrets[..], &others].concat()),
    ];
    for (text, command, expected) in cases {
        std::fs::write(folder.path().join("c.toml"), text).unwrap();
        let offline: &[&str] = if command == "check" { &["--offline"] } else { &[] };
        let output = program(folder.path(), &[&["--config", "c.toml", command], offline].concat());
        let stderr = stderr(&output);
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), expected.len()), "{stderr}");
        for message in expected {
            assert!(stderr.contains(&format!("pagerduty-dora: {message}")), "{message}\n{stderr}");
        }
    }
}

#[test]
fn a_taken_address_is_named_in_the_last_line_of_the_log() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let text = format!("[server]\nlisten = \"{address}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n");
    std::fs::write(folder.path().join("c.toml"), text).unwrap();
    let output = program(folder.path(), &["--config", "c.toml", "serve"]);
    let stderr = stderr(&output);
    let expected = format!("another program is listening on {address} (server.listen)");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.lines().last().unwrap().contains(&expected) && !stderr.contains("stopped"), "{stderr}");
}

#[test]
fn messages_name_what_a_command_lacks() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.json"), "{}").unwrap();
    let run = |arguments: &[&str], change: fn(&mut Command) -> &mut Command| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"));
        command.args(arguments).current_dir(folder.path()).env_remove("PAGERDUTY_DORA_CONFIG");
        stderr(&change(command.env("PAGERDUTY_SIGNING_SECRET", SECRET)).output().unwrap())
    };
    let send = ["send", "x.json", "--url", "http://127.0.0.1:1/webhooks/pagerduty"];
    let unset = run(&send, |command| command.env_remove("PAGERDUTY_SIGNING_SECRET"));
    assert!(
        unset.contains("PAGERDUTY_SIGNING_SECRET is not set: set it") && !unset.contains("--secret-env"),
        "{unset}"
    );
    let stopped = run(&send, |command| command);
    assert!(stopped.contains("127.0.0.1:1: is `pagerduty-dora serve` running there?"), "{stopped}");
    let gone = run(&["failures"], |command| command.env("PAGERDUTY_DORA_CONFIG", "gone.toml"));
    assert!(gone.contains("gone.toml: cannot be read") && gone.contains("$PAGERDUTY_DORA_CONFIG"), "{gone}");
    let no_store = run(&["reevaluate"], |command| command);
    assert!(!no_store.contains("changing the store"), "{no_store}");
}

#[test]
fn a_command_fails_if_its_output_does_not_fit_on_the_disk() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"));
    let output = command.args(["config", "example"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected = "pagerduty-dora: cannot write to standard output: No space left on device (os error 28)\n";
    assert_eq!(stderr(&output), expected);
}

#[test]
fn an_empty_variable_names_no_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), "[dora]\ntimezone = \"Europe/Berlin\"\n").unwrap();
    std::fs::write(folder.path().join("other.toml"), "[dora]\ntimezone = \"Asia/Tokyo\"\n").unwrap();
    for (variable, zone) in [("", "Europe/Berlin"), ("other.toml", "Asia/Tokyo")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"));
        command.args(["config", "show"]).current_dir(folder.path()).env("PAGERDUTY_DORA_CONFIG", variable);
        let shown = stdout(&command.output().unwrap());
        assert!(shown.contains(zone), "{variable:?}: {shown}");
    }
}

#[test]
fn the_example_is_printed_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let example = stdout(&program(folder.path(), &["config", "example"]));
    assert_eq!(example, include_str!("../../config.example.toml"));
    std::fs::write(folder.path().join("config.toml"), example).unwrap();
    let shown = program(folder.path(), &["config", "show"]);
    assert!(shown.status.success());
    insta::assert_snapshot!(stdout(&shown));
}

#[test]
fn check_prints_a_line_for_each_item() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
                  [[backend]]\nname = \"datadog\"\nkind = \"datadog\"\nurl = \"https://me:canary@api.datadoghq.com\"\n\
                  api_key = { env = \"UNSET_SURELY\" }\n[events_api]\nkeys = [{ file = \"key\" }]\n";
    std::fs::write(folder.path().join("config.toml"), config).unwrap();
    std::fs::write(folder.path().join("key"), "canary").unwrap();
    let output = program(folder.path(), &["check", "--offline"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(format!("{}---\n{}", stdout(&output), stderr(&output)));
    let bare = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(folder.path().join("config.toml"), bare).unwrap();
    assert!(program(folder.path(), &["check", "--offline"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn sent_webhooks_are_listed_while_the_daemon_runs() {
    let daemon = Daemon::start("").await;
    let folder = tempfile::tempdir().unwrap();
    let config = format!("[store]\n{}", store_keys(&daemon.store));
    std::fs::write(folder.path().join("config.toml"), config).unwrap();
    std::fs::write(folder.path().join("one.json"), event_of("incident.resolved", "QSENT0000000001")).unwrap();
    std::fs::write(folder.path().join("two.json"), event_of("incident.triggered", "QSENT0000000002"))
        .unwrap();
    let url = format!("http://{}/webhooks/pagerduty", daemon.public);
    let sent = program(folder.path(), &["send", "one.json", "two.json", "--url", &url]);
    assert!(sent.status.success(), "{}", stderr(&sent));
    assert_eq!(
        stdout(&sent),
        "202  {\"status\":\"accepted\"}  one.json\n202  {\"status\":\"accepted\"}  two.json\n"
    );
    daemon.failures().await;
    let listed = program(folder.path(), &["failures"]);
    insta::assert_snapshot!(stdout(&listed));
    let json = program(folder.path(), &["failures", "--format", "json", "--state", "completed"]);
    let page: serde_json::Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(page, daemon.get("/api/v1/failures?state=completed").await.json());
    let wrong = url.replace("/webhooks", "/elsewhere");
    let refused = program(folder.path(), &["send", "one.json", "--url", &wrong]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(stderr(&refused), "pagerduty-dora: 1 of 1 were not accepted\n");
    std::fs::write(folder.path().join("odd.json"), "{}").unwrap();
    let odd = program(folder.path(), &["send", "odd.json", "--url", &url]);
    assert_eq!(
        (odd.status.code(), stdout(&odd)),
        (Some(0), "202  {\"status\":\"quarantined\"}  odd.json\n".to_owned())
    );
    assert!(stderr(&odd).starts_with("odd.json: kept in quarantine: "), "{}", stderr(&odd));
}

#[test]
fn the_manual_page_has_every_command_and_mandoc_finds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let page = stdout(&program(folder.path(), &["man"]));
    for command in ["serve", "outbox retry", "subscription create", "backup"] {
        assert!(page.contains(&format!(".SS pagerduty-dora {command}\n")), "{command}: {page}");
    }
    let mut mandoc = Command::new("mandoc");
    mandoc.args(["-Tlint", "-Wwarning"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut mandoc) = mandoc.spawn() else {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "mandoc is missing");
        println!("skipped: mandoc is not installed");
        return;
    };
    mandoc.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    assert_eq!(stdout(&mandoc.wait_with_output().unwrap()), "");
}

#[test]
fn completions_know_the_commands_and_their_options() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let text = stdout(&program(folder.path(), &["completions", shell]));
        assert!(text.contains("reevaluate") && text.contains("quiet-backends"), "{shell}: {text}");
    }
}
