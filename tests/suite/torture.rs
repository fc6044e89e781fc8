//! Backends that fail in many ways. Once they work again, each failure arrives, always with the same bytes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pagerduty_dora::clock::Clock as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Daemon, KEY, event_of};
use crate::store_probe::Probe;

/// Reaction of a backend to a complete request.
#[derive(Debug, Clone, Copy)]
enum Reaction {
    Accepts,
    /// Answers this status, with these header lines.
    Answers(u16, &'static str),
    /// Answers 400 for failures whose id contains this text, and accepts all others.
    RejectsThose(&'static str),
    /// Never answers.
    IsSilent,
    /// Accepts it, and resets the connection instead of answering.
    Resets,
    /// Stops in the middle of the head of its answer.
    StopsHalfway,
    /// Answers something other than HTTP.
    AnswersGarbage,
    /// Accepts it after a while.
    AcceptsSlowly,
    /// Sends a redirect to itself.
    Redirects,
}

/// A backend whose reaction the test sets. It records the bytes of every request by failure id.
struct ScriptedBackend {
    address: SocketAddr,
    reaction: Arc<Mutex<Reaction>>,
    seen: Arc<Mutex<BTreeMap<String, Vec<Vec<u8>>>>>,
}

impl ScriptedBackend {
    async fn start(reaction: Reaction) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (reaction, seen) = (Arc::new(Mutex::new(reaction)), Arc::default());
        let moody = Self { address, reaction: Arc::clone(&reaction), seen: Arc::clone(&seen) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&reaction), Arc::clone(&seen)));
            }
        });
        moody
    }

    fn is_now(&self, reaction: Reaction) {
        *self.reaction.lock().unwrap() = reaction;
    }

    fn requests(&self) -> usize {
        self.seen.lock().unwrap().values().map(Vec::len).sum()
    }

    /// An entry with a timeout that is long enough for a busy machine.
    fn patient_entry(&self) -> String {
        self.entry().replace("100ms", "20s")
    }

    /// An entry with a short timeout.
    fn entry(&self) -> String {
        format!(
            "[[backend]]\nname = \"moody\"\nkind = \"datadog\"\nurl = \"http://{}\"\n\
             api_key = {{ value = \"{KEY}\" }}\ntimeout = \"100ms\"\nconcurrency = 8\n",
            self.address
        )
    }
}

async fn serve(
    mut stream: TcpStream,
    reaction: Arc<Mutex<Reaction>>,
    seen: Arc<Mutex<BTreeMap<String, Vec<Vec<u8>>>>>,
) {
    while let Some(body) = request(&mut stream).await {
        let parsed: Value = serde_json::from_slice(&body).unwrap();
        let id = parsed["data"]["attributes"]["id"].as_str().unwrap().to_owned();
        let reaction = *reaction.lock().unwrap();
        let status = match reaction {
            Reaction::RejectsThose(word) if id.contains(word) => 400,
            Reaction::Answers(status, _) => status,
            Reaction::Redirects => 307,
            _ => 202,
        };
        seen.lock().unwrap().entry(id).or_default().push(body);
        match reaction {
            // This sleep does not wait for an event: the test needs a slow answer.
            Reaction::AcceptsSlowly => tokio::time::sleep(Duration::from_millis(300)).await,
            Reaction::IsSilent => std::future::pending().await,
            Reaction::Resets => return stream.set_zero_linger().unwrap(),
            Reaction::StopsHalfway => return drop(stream.write_all(b"HTTP/1.1 20").await),
            Reaction::AnswersGarbage => {
                return drop(stream.write_all(b"220 mail.example ESMTP\r\n\r\n").await);
            }
            _ => {}
        }
        let lines = match reaction {
            Reaction::Answers(_, lines) => lines,
            Reaction::Redirects => "location: /elsewhere\r\n",
            _ => "",
        };
        let answer = format!("HTTP/1.1 {status} Whatever\r\n{lines}content-length: 2\r\n\r\n{{}}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The body of the next request on a connection.
async fn request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("POST /api/v2/dora/failure "), "a redirect was followed: {head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

async fn deliver(daemon: &Daemon, count: usize) {
    for n in 0..count {
        daemon.expect(event_of("incident.resolved", &format!("QTORTURE{n:04}")), "accepted").await;
    }
}

/// Advances the clock until the store meets a condition.
#[track_caller]
fn until(daemon: &Daemon, is_met: impl Fn(&Probe) -> bool) -> impl Future<Output = ()> {
    daemon.until_as_time_passes(Duration::from_mins(1), is_met)
}

/// Advances the clock minute by minute, and returns the number of requests meanwhile, which is at least one.
async fn probes_within(daemon: &Daemon, backend: &ScriptedBackend, minutes: usize) -> usize {
    let before_all = backend.requests();
    for _ in 0..minutes {
        let before = backend.requests();
        daemon.clock.advance(Duration::from_mins(1));
        // No probe is sent in a minute that passes before the last probe is recorded or before the loop begins to wait.
        for _ in 0..10 {
            if backend.requests() == before {
                daemon.get("/healthz").await;
            }
        }
    }
    let probes = backend.requests() - before_all;
    assert!(probes > 0, "the backend gets probes");
    probes
}

#[tokio::test]
async fn every_failure_arrives_unchanged_after_any_trouble() {
    const FAILURES: usize = 12;
    for reaction in [
        Reaction::IsSilent,
        Reaction::Resets,
        Reaction::StopsHalfway,
        Reaction::AnswersGarbage,
        Reaction::Redirects,
        Reaction::Answers(302, ""),
        Reaction::Answers(429, "retry-after: 7\r\n"),
        Reaction::Answers(429, "retry-after: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
        Reaction::Answers(503, "retry-after: -17\r\nx-ratelimit-reset: 1.5\r\n"),
        Reaction::Answers(429, "x-ratelimit-reset: 99999999999\r\n"),
        Reaction::Answers(503, "retry-after: Fri, 20 Nov 2026 00:10:00 GMT\r\n"),
        Reaction::Answers(408, ""),
        Reaction::Answers(500, "connection: close\r\n"),
    ] {
        let backend = ScriptedBackend::start(reaction).await;
        let daemon = Daemon::start(&backend.entry()).await;
        deliver(&daemon, FAILURES).await;
        until(&daemon, |store| store.failed() > 0).await;
        assert_eq!(daemon.probe().dead(), 0, "{reaction:?}");
        backend.is_now(Reaction::Accepts);
        until(&daemon, Probe::is_all_sent).await;
        let seen = backend.seen.lock().unwrap();
        assert_eq!(seen.len(), FAILURES, "{reaction:?}");
        for (id, bodies) in seen.iter() {
            assert!(
                bodies.iter().all(|body| *body == bodies[0]),
                "{reaction:?}: {id} was sent with different bytes"
            );
        }
    }
}

#[tokio::test]
async fn a_backend_that_is_down_gets_about_one_probe_a_minute() {
    const MINUTES: usize = 12 * 60;
    for reaction in [Reaction::Answers(503, ""), Reaction::Answers(500, ""), Reaction::Resets] {
        let backend = ScriptedBackend::start(reaction).await;
        let daemon = Daemon::start(&backend.patient_entry()).await;
        deliver(&daemon, 20).await;
        until(&daemon, |store| store.is_lane("unreachable")).await;
        let before = backend.requests();
        assert!(before <= 40, "only attempts that were under way at once, and probes: {before}");
        let probes = probes_within(&daemon, &backend, MINUTES).await;
        assert!(probes <= MINUTES + 10, "{probes} probes in {MINUTES} minutes");
        assert_eq!(daemon.probe().pending(), 20);
        assert!(daemon.probe().longest_history() <= 20);
        backend.is_now(Reaction::Accepts);
        until(&daemon, Probe::is_all_sent).await;
    }
}

#[tokio::test]
async fn two_days_of_refused_credentials_cause_one_probe_a_minute() {
    const MINUTES: usize = 2 * 24 * 60;
    for status in [401, 403] {
        let backend = ScriptedBackend::start(Reaction::Answers(status, "")).await;
        let daemon = Daemon::start(&backend.patient_entry()).await;
        deliver(&daemon, 20).await;
        until(&daemon, |store| store.answered() > 0).await;
        assert!(backend.requests() <= 20, "only attempts that were under way at once, and probes");
        let probes = probes_within(&daemon, &backend, MINUTES).await;
        assert!(probes <= MINUTES + 1, "{probes} probes in {MINUTES} minutes");
        assert_eq!(daemon.probe().pending(), 20);
        backend.is_now(Reaction::Accepts);
        until(&daemon, Probe::is_all_sent).await;
        assert_eq!(daemon.probe().most_attempts(), 1, "a refused probe does not count as an attempt");
    }
}

#[tokio::test]
async fn refused_credentials_cause_one_probe_a_minute_over_restarts() {
    // No attempt is under way: a refused one is counted until its answer is recorded.
    let is_refused = |store: &Probe| store.answered() > 0 && store.attempts() == 0;
    let backend = ScriptedBackend::start(Reaction::Answers(403, "")).await;
    let entry = backend.patient_entry().replace("concurrency = 8", "concurrency = 16");
    let mut daemon = Daemon::start(&entry).await;
    deliver(&daemon, 40).await;
    daemon.until(is_refused).await;
    let mut before = backend.requests();
    assert!(before <= 16, "{before} requests before the first refusal");
    let mut probes = 0;
    for minute in 0..60 {
        if minute % 3 == 0 {
            daemon = daemon.restart(&entry).await;
        }
        for _ in 0..10 {
            daemon.get("/readyz").await;
        }
        assert_eq!(backend.requests(), before, "no minute has passed since the last probe");
        daemon.clock.advance(Duration::from_mins(1));
        for _ in 0..20 {
            daemon.get("/readyz").await;
        }
        // Until the time of the next probe is set.
        let now = daemon.clock.now();
        daemon.until(|store| is_refused(store) && store.next_attempt_after(now).is_some()).await;
        let now = backend.requests();
        assert!(now <= before + 1, "{} requests in minute {minute}", now - before);
        (probes, before) = (probes + now - before, now);
    }
    assert!(probes > 0, "the backend gets probes");
    backend.is_now(Reaction::Accepts);
    until(&daemon, Probe::is_all_sent).await;
}

#[tokio::test]
async fn attempts_under_way_at_a_stop_are_finished_and_recorded() {
    let backend = ScriptedBackend::start(Reaction::AcceptsSlowly).await;
    let daemon = Daemon::start(&backend.patient_entry()).await;
    deliver(&daemon, 5).await;
    daemon.until(|store| store.attempts() == 5).await;
    let store = daemon.store.clone();
    let folder = daemon.stop_and_keep().await;
    assert_eq!(Probe::open(&store).sent(), 5);
    drop(folder);
}

#[tokio::test]
async fn answers_that_do_not_accept_the_key_do_not_end_the_wait() {
    let backend = ScriptedBackend::start(Reaction::Answers(401, "")).await;
    let daemon = Daemon::start(&backend.entry()).await;
    deliver(&daemon, 20).await;
    until(&daemon, |store| store.answered() > 0).await;
    let mut probes = 0;
    for reaction in
        [Reaction::Resets, Reaction::Answers(503, ""), Reaction::IsSilent, Reaction::Answers(401, "")]
            .into_iter()
            .cycle()
            .take(40)
    {
        backend.is_now(reaction);
        let before = backend.requests();
        daemon.clock.advance(Duration::from_mins(1));
        for _ in 0..20 {
            daemon.get("/readyz").await;
        }
        probes = probes.max(backend.requests() - before);
    }
    assert!(probes <= 2, "{probes} requests in a minute");
    backend.is_now(Reaction::Accepts);
    until(&daemon, Probe::is_all_sent).await;
}

#[tokio::test]
async fn one_rejected_failure_in_a_thousand_is_dead_and_can_be_retried() {
    let backend = ScriptedBackend::start(Reaction::RejectsThose("QTORTURE0500")).await;
    let daemon = Daemon::start(&backend.patient_entry()).await;
    deliver(&daemon, 1_000).await;
    until(&daemon, Probe::is_drained).await;
    assert_eq!(daemon.probe().sent(), 999);
    assert_eq!(backend.seen.lock().unwrap().values().map(Vec::len).max(), Some(1));
    let dead = daemon.get("/api/v1/outbox?state=dead").await.json();
    assert_eq!(
        (&dead["rows"][0]["failure"], &dead["rows"][0]["last_status"]),
        (&json!("pagerduty:QTORTURE0500"), &json!(400))
    );
    backend.is_now(Reaction::Accepts);
    let retry = format!("http://{}/api/v1/outbox/{}/retry", daemon.admin, dead["rows"][0]["id"]);
    assert!(daemon.client.post(retry).send().await.unwrap().status().is_success());
    until(&daemon, Probe::is_all_sent).await;
}
