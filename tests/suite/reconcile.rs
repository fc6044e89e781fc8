//! Reconciliation: whatever webhooks are lost, doubled or late, what REST tells makes the failures those of the full
//! history. What REST does not tell is flagged, never guessed.

use std::collections::{BTreeMap, BTreeSet};

use pagerduty_dora::domain::evaluate::evaluate_group;
use pagerduty_dora::domain::event::Event;
use pagerduty_dora::domain::failure::{Failure, Flag};
use pagerduty_dora::domain::history::History;
use pagerduty_dora::domain::id::IncidentId;
use pagerduty_dora::domain::policy::Policy;
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::sources::pagerduty::payload;

use crate::fake_pagerduty::{Webhook, World, random_world, random_world_with_silent_changes, webhooks_lost};

/// Seeds of histories that were wrong once.
const ONCE_WRONG: [u64; 2] = [450_642_412_286, 588_297_838_293];

type Histories = BTreeMap<IncidentId, History>;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |number| number.parse().unwrap())
}

#[test]
fn rule_17_any_loss_of_webhooks_is_repaired() {
    // Without variables always the same histories; in the long mode others each time.
    let count = number("RECONCILIATIONS", 0);
    let begin = if count > 0 { fastrand::u64(..1 << 40) } else { 0 };
    let (begin, count) = (number("SEED", begin), if count > 0 { count } else { 500 });
    for seed in ONCE_WRONG.into_iter().chain(begin..begin + count) {
        let described = format!("SEED={seed} RECONCILIATIONS=1");
        repaired_is_complete(&random_world(seed), seed, false, &described);
        repaired_is_complete(&random_world_with_silent_changes(seed), seed, true, &described);
    }
}

fn repaired_is_complete(world: &World, seed: u64, is_silent: bool, described: &str) {
    let (all, some) = (world.webhooks(), webhooks_lost(world, seed));
    let mut complete = received(&all);
    let read = read_all(world, &mut complete);
    assert!(is_silent || read.is_empty(), "{described}: webhooks told everything, but {read:?} was read");
    let mut repaired = received(&some);
    read_all(world, &mut repaired);
    let again = read_all(world, &mut repaired);
    assert!(again.is_empty(), "{described}: a second reading added {again:?}");
    same(&evaluated(&complete), &evaluated(&repaired), &undone_merges(&all), described);
    // The lost webhooks come at last.
    for webhook in &all {
        receive(&mut repaired, webhook);
    }
    if is_silent {
        // A late webhook may have a title that was changed after it, and back, without any webhook. The next look sees.
        read_all(world, &mut repaired);
    }
    same(&evaluated(&complete), &evaluated(&repaired), &BTreeSet::new(), described);
}

/// Incidents that were merged and reopened later. PagerDuty's log has an entry for neither, so the number of their
/// reopens is known from webhooks only.
fn undone_merges(webhooks: &[Webhook]) -> BTreeSet<String> {
    let mut merged = BTreeSet::new();
    let mut undone = BTreeSet::new();
    for webhook in webhooks {
        if webhook.body.contains("merge_resolve_reason") {
            merged.insert(&webhook.incident);
        }
        if webhook.event_type == "incident.reopened" && merged.contains(&webhook.incident) {
            undone.insert(webhook.incident.clone());
        }
    }
    undone
}

fn received(webhooks: &[Webhook]) -> Histories {
    let mut histories = Histories::new();
    for webhook in webhooks {
        receive(&mut histories, webhook);
    }
    histories
}

fn receive(histories: &mut Histories, webhook: &Webhook) {
    let event = payload::parse(webhook.body.as_bytes()).unwrap();
    insert(histories, &event, event.occurred_at);
}

fn insert(histories: &mut Histories, event: &Event, at: Timestamp) {
    if let Some(subject) = event.about_incident() {
        histories.entry(subject.incident.clone()).or_default().insert(event, at);
    }
}

/// Reads every incident of the world. Returns the events that told something new.
fn read_all(world: &World, histories: &mut Histories) -> Vec<Event> {
    let mut told = Vec::new();
    for id in world.incidents() {
        let reading = world.reading(&id);
        let events = reading.events().unwrap().into_iter().map(|read| read.event).collect();
        let known = histories.entry(reading.incident.clone()).or_default();
        for event in known.missing(events, reading.at) {
            insert(histories, &event, reading.at);
            told.push(event);
        }
    }
    told
}

fn evaluated(histories: &Histories) -> BTreeMap<IncidentId, Failure> {
    let group = histories.clone();
    let evaluated = evaluate_group(&group, &Policy::default());
    evaluated.into_iter().map(|(incident, evaluated)| (incident, evaluated.failure)).collect()
}

/// Checks that failures are equal to the second. Where the time of a reopen is not known, the failure says so, and has
/// no active time.
fn same(
    complete: &BTreeMap<IncidentId, Failure>,
    repaired: &BTreeMap<IncidentId, Failure>,
    undone_merges: &BTreeSet<String>,
    described: &str,
) {
    assert_eq!(complete.len(), repaired.len(), "{described}");
    for (incident, complete) in complete {
        let repaired = &repaired[incident];
        let is_undone = undone_merges.contains(incident.as_str());
        let comparable = |failure| comparable(failure, !is_undone);
        assert_eq!(comparable(complete), comparable(repaired), "{described} {incident}");
        if is_undone {
            continue;
        }
        let reopened = complete.reopened;
        let is_flagged = repaired.flags.contains(&Flag::Approximate);
        match (complete.active_seconds, repaired.active_seconds) {
            (Some(complete), Some(repaired)) => {
                // A reopen is told a second after it, and each time that is read has lost its fraction.
                let tolerance = 3.0 * (1.0 + f64::from(u8::try_from(reopened).unwrap()));
                assert!(
                    (complete - repaired).abs() < tolerance,
                    "{described} {incident}: {complete} {repaired}"
                );
            }
            (complete, None) => assert!(complete.is_none() || is_flagged, "{described} {incident}"),
            (None, Some(_)) => panic!("{described} {incident}: an open failure has no active time"),
        }
    }
}

/// The fields of a failure that have to be equal, with times in whole seconds.
fn comparable(failure: &Failure, with_reopens: bool) -> String {
    let seconds = |at: Option<Timestamp>| at.map(Timestamp::as_seconds);
    let flags: Vec<Flag> = failure.flags.iter().copied().filter(|flag| *flag != Flag::Approximate).collect();
    format!(
        "{:?}",
        (
            (failure.state, &failure.reason, failure.started_at.as_seconds(), seconds(failure.finished_at)),
            (
                seconds(failure.acknowledged_at),
                Some(failure.reopened).filter(|_| with_reopens),
                &failure.merged,
                &failure.merged_into
            ),
            (&failure.services, &failure.team, &failure.env, &failure.severity, &failure.urgency),
            (&failure.title, failure.number, flags),
        )
    )
}
