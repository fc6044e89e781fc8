//! Inputs from outside, changed at random: bodies of webhooks, signature headers, times and catalog files.
//!
//! `FUZZ=10000000 cargo test fuzz` tries more of them. `SEED=` repeats a failure.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use fastrand::Rng;
use pagerduty_dora::catalog;
use pagerduty_dora::config::Config;
use pagerduty_dora::domain::deployment::Deployment;
use pagerduty_dora::domain::deployment_history::DeploymentHistory;
use pagerduty_dora::domain::deployment_outcome::decide;
use pagerduty_dora::domain::event::EventSubject;
use pagerduty_dora::domain::id::SourceDeploymentId;
use pagerduty_dora::domain::policy::Policy;
use pagerduty_dora::domain::source_deployment::{ResultingDeployment, deployments_of};
use pagerduty_dora::domain::text_limits::{check_id, check_name};
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::sources::pagerduty::payload;
use pagerduty_dora::sources::pagerduty::signature::{SigningSecrets, sign};
use pagerduty_dora::sources::{github, gitlab};
use secrecy::SecretString;

use crate::harness::{SECRET, time};
use crate::kill_under_load::number;

/// Number of inputs of each kind, unless `FUZZ` names another one.
const INPUTS: u64 = 20_000;
/// A catalog file is written to the disk, and takes about as long as this many other inputs.
const INPUTS_FOR_A_FILE: u64 = 20;
/// Most changes of one input.
const MAX_CHANGES: usize = 8;
/// Texts that parsers treat specially.
const DICTIONARY: [&str; 36] = [
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "-1",
    "0",
    "1e400",
    "18446744073709551616",
    "9999-12-31T23:59:59Z",
    "2026-02-29T00:00:00Z",
    "24:00",
    "T",
    "Z",
    "+14:00",
    ".5",
    "v1=",
    "v1",
    "=",
    "\u{0}",
    "\u{202e}",
    "\u{feff}",
    "\n",
    "\n---\n",
    "- ",
    "&a *a",
    "!!binary",
    "\t",
];

/// Tries `inputs` inputs. Each is one of the `seeds` with some changes.
fn fuzz(seeds: &[Vec<u8>], inputs: u64, check: impl Fn(&[u8])) {
    let first = number("SEED");
    for n in 0..if first.is_some() { 1 } else { inputs } {
        let seed = first.unwrap_or_else(|| fastrand::u64(..));
        let mut rng = Rng::with_seed(seed);
        let mut input = seeds[rng.usize(..seeds.len())].clone();
        for _ in 0..=rng.usize(..MAX_CHANGES) {
            change(&mut input, seeds, &mut rng);
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&input))) {
            println!("SEED={seed} (input {n}): {}", input.escape_ascii());
            resume_unwind(panic);
        }
    }
}

/// Changes some bytes of an input.
fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut Rng) {
    let at = rng.usize(..=input.len());
    let end = (at + rng.usize(..=16)).min(input.len());
    match rng.u8(..7) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..end)),
        2 => {
            let copy = input[at..end].to_vec();
            drop(input.splice(at..at, copy));
        }
        3 => drop(input.splice(at..at, rng.choice(DICTIONARY).unwrap().bytes())),
        4 => drop(input.splice(at..end, rng.choice(DICTIONARY).unwrap().bytes())),
        5 => {
            let other = &seeds[rng.usize(..seeds.len())];
            let from = rng.usize(..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << rng.u8(..8);
            }
        }
    }
}

fn inputs() -> u64 {
    number("FUZZ").unwrap_or(INPUTS)
}

/// Contents of the files in these folders of `fixtures/`.
fn fixtures(folders: &[&str]) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn a_body_is_read_in_the_same_way_when_it_arrives_and_later() {
    fuzz(&fixtures(&["pagerduty", "story", "legacy"]), inputs(), |body| {
        match (payload::heading(body), payload::parse(body)) {
            (Ok(heading), Ok(event)) => {
                assert_eq!((&heading.id, &*heading.event_type), (&event.id, &*event.event_type));
                assert_eq!(heading.occurred_at, Some(event.occurred_at));
                assert_eq!(heading.subject.as_ref(), event.subject.as_ref().map(EventSubject::id).as_ref());
                assert_eq!(payload::stored(body), Some(event));
            }
            (heading, event) => {
                let reasons = (
                    heading.err().map(|error| error.to_string()),
                    event.err().map(|error| error.to_string()),
                );
                assert_eq!(reasons.0, reasons.1);
                assert_eq!(payload::stored(body), None);
            }
        }
    });
}

/// Checks that the store can hold the names of a deployment, and the reason why it does not count.
fn assert_fits(ResultingDeployment { deployment, ignored_because }: &ResultingDeployment) {
    let Deployment { service, env, team, version, .. } = deployment;
    for name in [Some(service), Some(env), team.as_ref(), version.as_ref()].into_iter().flatten() {
        assert_eq!(check_name(name), Ok(()), "{name:?}");
    }
    assert!(!ignored_because.as_ref().is_some_and(|reason| reason.contains(char::is_control)));
}

#[test]
fn a_body_about_a_deployment_is_read_in_the_same_way_when_it_arrives_and_later() {
    let policy = Policy { default_env: "production".to_owned(), ..Policy::default() };
    for (source, folder) in [(&github::SOURCE, "github"), (&gitlab::SOURCE, "gitlab")] {
        fuzz(&fixtures(&[folder]), inputs() / 4, |body| {
            if let Ok(storable) = source.storable_heading(body) {
                assert_eq!((check_id(&storable.id), check_id(&storable.event_type)), (Ok(()), Ok(())));
            }
            match ((source.heading)(body), (source.parse)(body)) {
                (Ok(heading), Some(event)) => {
                    assert_eq!((&heading.id, &*heading.event_type), (&event.id, &*event.event_type));
                    assert_eq!(heading.subject, event.subject.as_ref().map(EventSubject::id));
                    assert!(heading.occurred_at.is_some() || heading.subject.is_none());
                    let Some(about) = event.about_deployment() else { return };
                    assert_eq!(
                        SourceDeploymentId::parse(about.deployment.as_str()).as_ref(),
                        Some(&about.deployment)
                    );
                    let mut history = DeploymentHistory::default();
                    assert!(history.insert(&event));
                    let stored = serde_json::to_string(&history).unwrap();
                    assert_eq!(serde_json::from_str::<DeploymentHistory>(&stored).unwrap(), history);
                    let decided = decide(&about.deployment, &history, &policy);
                    assert_eq!(decided, decide(&about.deployment, &history, &policy));
                    for resulting in deployments_of(&about.deployment, &history, &policy) {
                        assert_fits(&resulting);
                    }
                }
                (Err(reason), None) => assert!(!reason.is_empty()),
                (heading, event) => panic!("{heading:?} {event:?}"),
            }
        });
    }
}

#[test]
fn only_the_right_signature_is_accepted() {
    const BODY: &[u8] = b"{\"event\":{}}";
    let secret = SecretString::from(SECRET);
    let (secrets, right) = (SigningSecrets::new([&secret]), sign(&secret, BODY));
    let digits = right.strip_prefix("v1=").unwrap();
    let seeds = [right.clone(), format!("{right}, v1={}", "0".repeat(64)), format!("v0=,{right},{right}")];
    fuzz(&seeds.map(String::into_bytes), inputs(), |header| {
        let is_accepted = secrets.check([header].into_iter(), BODY).is_ok();
        let has_digits = header.to_ascii_lowercase().windows(64).any(|window| window == digits.as_bytes());
        assert!(has_digits || !is_accepted, "a wrong signature was accepted");
        assert!(secrets.check([header, right.as_bytes()].into_iter(), b"another body").is_err());
        if header.split(|&byte| byte == b',').count() < 8 {
            assert!(secrets.check([header, right.as_bytes()].into_iter(), BODY).is_ok());
        }
    });
}

#[test]
fn a_time_that_is_read_is_printed_and_read_again_as_the_same() {
    let seeds = [
        "2026-11-20T12:00:00Z",
        "2026-11-20T12:00:00.123456789+05:30",
        "2262-04-10T23:59:59Z",
        "2001-01-01T00:00:00Z",
    ];
    fuzz(&seeds.map(|seed| seed.as_bytes().to_vec()), inputs(), |text| {
        let Ok(text) = std::str::from_utf8(text) else { return };
        if let Ok(read) = Timestamp::parse(text) {
            assert!(read >= time("2001-01-01T00:00:00Z"), "{text}");
            assert_eq!(Timestamp::parse(&read.to_string()), Ok(read), "{text}");
        }
    });
}

#[test]
fn a_mistake_in_a_catalog_file_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (config, file) = (folder.path().join("config.toml"), folder.path().join("service.yaml"));
    std::fs::write(&config, "[failure]\ncatalog = [\"service.yaml\"]\n").unwrap();
    let config = Config::read(&config).unwrap();
    fuzz(&fixtures(&["catalog"]), inputs().div_ceil(INPUTS_FOR_A_FILE), |text| {
        std::fs::write(&file, text).unwrap();
        if let Err(mistake) = catalog::load(&config) {
            assert!(mistake.to_string().contains("service.yaml"), "{mistake}");
        }
    });
}
