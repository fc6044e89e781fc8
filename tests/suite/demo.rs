//! The demo, run to its end.

use std::process::Command;

#[test]
fn the_demo_prints_its_steps_and_succeeds() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_pagerduty-dora")).args(["demo", "--once"]).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stdout}{stderr}");
    // The daemon of the demo warns of the subscription that it enables again.
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(matches!(lines.as_slice(), [line] if line.contains("it was enabled again")), "{stderr}");
    let without_ports: Vec<String> = stdout.lines().map(without_port).collect();
    insta::assert_snapshot!(without_ports.join("\n"));
}

/// A line with its port replaced, because ports differ between runs.
fn without_port(line: &str) -> String {
    let Some((before, after)) = line.split_once("127.0.0.1:") else {
        return line.to_owned();
    };
    format!("{before}127.0.0.1:PORT{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
}
