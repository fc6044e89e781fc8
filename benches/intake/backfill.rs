//! A backfill of a hundred thousand incidents: its speed, the memory of the daemon, and the effect on intake.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::client;
use crate::load::{self, Load, SECRET};
use crate::memory::Process;

/// Number of incidents at PagerDuty, one every five minutes from the beginning of the year on.
const INCIDENTS: usize = 100_000;
/// Number of incidents in a page of the analytics.
const PAGE: usize = 1_000;
/// Time between two webhooks, and their number in each part.
const EVERY: Duration = Duration::from_millis(5);
const WEBHOOKS: usize = 2_000;

pub(crate) fn run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    // The real PagerDuty takes no processor of this machine, so this one stands back for the daemon.
    let stand_back = || {
        let _ = rustix::process::nice(19);
    };
    let runtime =
        Builder::new_multi_thread().worker_threads(1).enable_all().on_thread_start(stand_back).build()?;
    let pagerduty = serve(&runtime)?;
    let config = folder.path().join("config.toml");
    let admin = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    fs::write(
        &config,
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"{admin}\"\n[pagerduty.api]\n\
             url = \"http://{pagerduty}\"\ntoken = {{ value = \"token\" }}\nrequests_per_minute = 1000000\n"
        ),
    )?;
    let process = Process::start(&config)?;
    let before = process.memory("VmHWM")?;
    let alone = paced(process.address)?;
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
        .args([
            "--config",
            &config.to_string_lossy(),
            "backfill",
            "--since",
            "2025-01-01",
            "--until",
            "2026-11-01",
        ])
        .args(["--format", "json"])
        .env("PAGERDUTY_SIGNING_SECRET", SECRET)
        .stdout(Stdio::piped())
        .spawn()?;
    let meanwhile = paced(process.address)?;
    anyhow::ensure!(command.try_wait()?.is_none(), "the backfill ended before the webhooks");
    let summary = ended(command)?;
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a hundred thousand")]
    let per_second = INCIDENTS as f64 / seconds;
    anyhow::ensure!(summary["incidents"] == INCIDENTS, "{} incidents were read", summary["incidents"]);
    println!("{INCIDENTS} incidents in {seconds:.1} s: {per_second:.0} a second");
    println!("peak memory of the daemon: {before} before, {} after", process.memory("VmHWM")?);
    println!(
        "intake of a webhook every {EVERY:?}: p99 {alone:?} alone, {meanwhile:?} meanwhile; ratio {:.2}",
        meanwhile.as_secs_f64() / alone.as_secs_f64()
    );
    Ok(())
}

/// Sends webhooks at an even rate. Returns the time to the answer that one in a hundred exceeded.
fn paced(address: SocketAddr) -> anyhow::Result<Duration> {
    let mut took = Vec::with_capacity(WEBHOOKS);
    for webhook in load::requests(Load::Triggered, 1, WEBHOOKS).into_iter().flatten() {
        let began = Instant::now();
        took.push(client::run(address, vec![vec![webhook]])?.p50);
        std::thread::sleep(EVERY.saturating_sub(began.elapsed()));
    }
    took.sort_unstable();
    Ok(took.get(took.len() * 99 / 100).copied().unwrap_or_default())
}

fn ended(command: Child) -> anyhow::Result<serde_json::Value> {
    let output = command.wait_with_output()?;
    anyhow::ensure!(output.status.success(), "the backfill failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Starts a PagerDuty that has resolved incidents without notes, and takes little time for its answers.
fn serve(runtime: &Runtime) -> anyhow::Result<SocketAddr> {
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(|uri: Uri, body: Bytes| async move { answer(&uri, &body) });
    runtime.spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

fn answer(uri: &Uri, body: &[u8]) -> Response {
    let segments: Vec<&str> = uri.path().split('/').skip(1).collect();
    let text = match segments.as_slice() {
        ["webhook_subscriptions"] => r#"{"webhook_subscriptions":[],"more":false}"#.to_owned(),
        ["log_entries"] => r#"{"log_entries":[],"more":false}"#.to_owned(),
        ["incidents"] => r#"{"incidents":[],"more":false,"total":0}"#.to_owned(),
        ["analytics", ..] => analytics(body),
        ["incidents", id] => incident(id),
        ["incidents", id, "log_entries"] => log(id),
        ["incidents", _, "notes"] => r#"{"notes":[]}"#.to_owned(),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([("content-type", "application/json")], text).into_response()
}

/// Time of a minute after the creation of an incident.
fn at(number: usize, minute: usize) -> String {
    let minute = number * 5 + minute;
    let (day, hour, minute) = (minute / 1_440, minute / 60 % 24, minute % 60);
    let (year, day) = if day < 365 { (2025, day) } else { (2026, day - 365) };
    let mut month = 0;
    let mut left = day;
    for days in [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        month += 1;
        if left < days {
            break;
        }
        left -= days;
    }
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:00Z", left + 1)
}

fn number(id: &str) -> usize {
    id.trim_start_matches('Q').parse().unwrap_or_default()
}

fn analytics(body: &[u8]) -> String {
    let request: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let since = request["filters"]["created_at_start"].as_str().unwrap_or_default();
    let begin = match request["starting_after"].as_str() {
        Some(after) => number(after) + 1,
        None => (0..INCIDENTS).collect::<Vec<_>>().partition_point(|number| at(*number, 0).as_str() < since),
    };
    let end = (begin + PAGE).min(INCIDENTS);
    let mut text = r#"{"data":["#.to_owned();
    for number in begin..end {
        let comma = if number > begin { "," } else { "" };
        let _ = write!(text, r#"{comma}{{"id":"Q{number:06}","created_at":"{}"}}"#, at(number, 0));
    }
    let _ = write!(text, r#"],"last":"Q{:06}","more":{}}}"#, end.saturating_sub(1), end < INCIDENTS);
    text
}

fn incident(id: &str) -> String {
    let number = number(id);
    let (created_at, resolved_at) = (at(number, 0), at(number, 3));
    format!(
        r#"{{"incident":{{"id":"{id}","type":"incident","incident_number":{number},"title":"checkout: error rate above 5 % ({number})","description":"checkout: error rate","status":"resolved","created_at":"{created_at}","updated_at":"{resolved_at}","last_status_change_at":"{resolved_at}","resolved_at":"{resolved_at}","resolve_reason":null,"urgency":"high","html_url":"https://acme.pagerduty.com/incidents/{id}","service":{{"id":"PSVC001","type":"service_reference","summary":"Checkout API"}},"teams":[{{"id":"PTEAM01","type":"team_reference","summary":"Payments"}}],"priority":{{"id":"PPRIO01","type":"priority","summary":"P1"}},"incident_type":{{"name":"incident_default"}},"custom_fields":[]}}}}"#
    )
}

fn log(id: &str) -> String {
    let number = number(id);
    let entry = |kind: &str, minute: usize| {
        format!(
            r#"{{"id":"R{number}{kind}","type":"{kind}_log_entry","created_at":"{}","incident":{{"id":"{id}"}}}}"#,
            at(number, minute)
        )
    };
    let entries = [entry("resolve", 3), entry("acknowledge", 1), entry("trigger", 0)].join(",");
    format!(r#"{{"log_entries":[{entries}],"more":false}}"#)
}
