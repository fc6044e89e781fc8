//! The systemd unit, checked by systemd.

use std::process::Command;

#[test]
fn systemd_accepts_the_unit() {
    let present =
        Command::new("systemd-analyze").arg("--version").output().is_ok_and(|output| output.status.success());
    if !present {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "systemd-analyze is missing");
        println!("skipped: systemd-analyze is not installed");
        return;
    }
    // The program is not installed, so the unit is checked with the program that was just built.
    let unit = include_str!("../../packaging/systemd/pagerduty-dora.service");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pagerduty-dora.service");
    let installed = "/usr/bin/pagerduty-dora";
    assert!(unit.contains(installed));
    std::fs::write(&file, unit.replace(installed, env!("CARGO_BIN_EXE_pagerduty-dora"))).unwrap();
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output().unwrap();
    let stderr = String::from_utf8(verified.stderr).unwrap();
    let about_us: Vec<&str> = stderr.lines().filter(|line| line.contains("pagerduty-dora.service")).collect();
    assert!(verified.status.success() && about_us.is_empty(), "{stderr}");
}
