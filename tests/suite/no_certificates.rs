//! A machine without CA certificates, such as a slim container.

use std::process::{Command, Output};

use crate::engine::ports_and_store;
use crate::harness::SECRET;

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
        .args(arguments)
        .env("SSL_CERT_FILE", "/dev/null")
        .env("SSL_CERT_DIR", "/nonexistent")
        .env("PAGERDUTY_SIGNING_SECRET", SECRET)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

/// Output of `check --offline` with this section.
fn checked(section: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let configuration = format!(
        "{}[pagerduty]\nsigning_secrets = [{{ env = \"PAGERDUTY_SIGNING_SECRET\" }}]\n{section}",
        ports_and_store(folder.path())
    );
    std::fs::write(&file, configuration).unwrap();
    let output = program(&["--config", file.to_str().unwrap(), "check", "--offline"]);
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn only_https_needs_certificates() {
    let backend = "[[backend]]\nname = \"metrics\"\nkind = \"http\"\n";
    let api = "[pagerduty.api]\ntoken = { env = \"PAGERDUTY_SIGNING_SECRET\" }\n";
    for (section, name) in [(backend, "wrong  backend metrics: "), (api, "wrong  pagerduty.api.token: ")] {
        let (status, printed) = checked(&format!("{section}url = \"http://127.0.0.1:1\"\n"));
        assert_eq!(status, Some(0), "{printed}");
        let (status, printed) = checked(&format!("{section}url = \"https://127.0.0.1:1\"\n"));
        assert_eq!(status, Some(2), "{printed}");
        let line = printed.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        assert!(line.contains(": no CA certificates found on this machine"), "{printed}");
        assert!(line.contains("ca-certificates") && line.matches("api.token").count() < 2, "{printed}");
    }
}

#[test]
fn only_sending_to_https_needs_certificates() {
    let payload = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/pagerduty/incident.resolved.json");
    for (url, cause) in [
        // Nobody listens at this address.
        ("http://127.0.0.1:1/webhooks/pagerduty?token=canary-0123456789", "Connection refused"),
        ("https://127.0.0.1:1/", "no CA certificates found"),
    ] {
        let output = program(&["send", payload, "--url", url]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(cause) && !stderr.contains("canary"), "{stderr}");
    }
}
