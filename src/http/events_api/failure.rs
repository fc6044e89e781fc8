//! `POST /api/v2/dora/failure`: parsing of a failure.

use serde_json::json;

use super::attributes::{Attributes, BAD_ID, made_up_id};
use crate::domain::id::FailureId;
use crate::domain::submission::Submission;
use crate::domain::timestamp::Timestamp;

/// Parses a failure and checks Datadog's limits.
pub(super) fn parse(body: &[u8], default_env: &str, received_at: Timestamp) -> Result<Submission, String> {
    let mut attributes = Attributes::of_body(body)?;
    // Without duplicates: a service that is named twice failed once.
    let services = attributes.names("services")?;
    let team = attributes.name("team")?;
    if services.is_empty() && team.is_none() {
        return Err("one of the attributes \"services\" and \"team\" is required".to_owned());
    }
    let tags = attributes.tags()?;
    let (commit_sha, repository_url) = attributes.git()?;
    let env = attributes.name("env")?.unwrap_or_else(|| default_env.to_owned());
    let started_at = attributes.required_time("started_at")?;
    let id = match attributes.text("id")? {
        Some(id) => FailureId::parse(&id).ok_or(BAD_ID)?,
        None => id_of_content(&env, &services, team.as_deref(), started_at),
    };
    let finished_at = attributes.time("finished_at")?;
    Ok(Submission {
        id,
        services,
        team,
        env,
        started_at,
        finished_at,
        name: attributes.text("name")?,
        severity: attributes.name("severity")?,
        version: attributes.name("version")?,
        commit_sha,
        repository_url,
        tags,
        in_the_future: started_at.max(finished_at.unwrap_or(started_at)).is_ahead_of(received_at),
    })
}

/// Id of a failure that was sent without one: a hash of its env, services, team and start.
fn id_of_content(env: &str, services: &[String], team: Option<&str>, started_at: Timestamp) -> FailureId {
    let mut sorted: Vec<&String> = services.iter().collect();
    sorted.sort();
    let content = json!([env, sorted, team, started_at.as_nanos()]);
    #[expect(clippy::expect_used, reason = "36 characters of [a-f0-9:]")]
    FailureId::parse(&made_up_id(&content)).expect("a well-formed id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::Flag;
    use crate::domain::policy::Policy;

    #[test]
    fn a_service_that_is_named_twice_counts_once() {
        let named = |services| sent(&json!({ "services": services, "started_at": 1_793_527_200 })).unwrap();
        let twice = named(json!(["b", "a", "b", " "]));
        assert_eq!(twice.services, ["b", "a"]);
        assert_eq!(twice.id, named(json!(["a", "b"])).id);
        assert_eq!(named(json!(" a ")).services, ["a"], "a single service needs no list");
        assert_eq!(named(json!("a")).id, named(json!(["a"])).id);
    }

    fn sent(attributes: &serde_json::Value) -> Result<Submission, String> {
        parse(json!({ "data": { "attributes": attributes } }).to_string().as_bytes(), "production", now())
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-20T00:00:00Z").unwrap()
    }

    #[test]
    fn rule_14_holds_for_submissions() {
        let flags = |started_at, finished_at| {
            let times = json!({ "team": "a", "started_at": started_at, "finished_at": finished_at });
            sent(&times).unwrap().evaluate(&Policy::default()).failure.flags
        };
        assert_eq!(flags("2026-11-19T00:00:00Z", "2026-11-20T00:04:00Z"), []);
        assert_eq!(flags("2026-11-19T00:00:00Z", "2026-11-18T00:00:00Z"), [Flag::EndBeforeStart]);
        assert_eq!(flags("2026-11-19T00:00:00Z", "2026-11-20T00:06:00Z"), [Flag::InTheFuture]);
    }

    #[test]
    fn the_unit_of_a_time_does_not_change_the_id() {
        let started = |time: serde_json::Value| sent(&json!({ "team": "a", "started_at": time })).unwrap();
        let id = started(json!("2026-11-01T10:00:00Z")).id;
        for time in [1_793_527_200_i64, 1_793_527_200_000, 1_793_527_200_000_000_000] {
            assert_eq!(started(json!(time)).id, id, "{time}");
        }
        assert_ne!(started(json!(1_793_527_201)).id, id);
    }

    #[test]
    fn without_an_id_the_order_of_services_does_not_matter() {
        let with = |services: [&str; 2]| sent(&json!({ "services": services, "started_at": 1_793_527_200 }));
        assert_eq!(with(["a", "b"]).unwrap().id, with(["b", "a"]).unwrap().id);
    }

    #[test]
    fn datadogs_limits_hold() {
        let refused = [
            json!({ "started_at": 1_793_527_200 }),
            json!({ "services": [" "], "started_at": 1_793_527_200 }),
            json!({ "team": "a" }),
            json!({ "team": "a", "started_at": 17 }),
            json!({ "team": "a", "started_at": 1.5 }),
            json!({ "team": "a", "started_at": "1793527200000" }),
            json!({ "team": 1, "started_at": 1_793_527_200 }),
            json!({ "services": { "a": 1 }, "started_at": 1_793_527_200 }),
            json!({ "team": "a", "started_at": "today" }),
            json!({ "team": "a", "started_at": 1_793_527_200, "finished_at": -1 }),
            json!({ "team": "a", "started_at": 1_793_527_200, "id": "short" }),
            json!({ "team": "a", "started_at": 1_793_527_200, "git": { "repository_url": "x", "commit_sha": "abc" } }),
            json!({ "team": "a", "started_at": 1_793_527_200, "git": { "repository_url": "x" } }),
            json!({ "team": "a", "started_at": 1_793_527_200,
                    "custom_tags": (0..101).map(|n| format!("k:{n}")).collect::<Vec<_>>() }),
        ];
        let errors: Vec<String> = refused.iter().map(|attributes| sent(attributes).unwrap_err()).collect();
        insta::assert_snapshot!(errors.join("\n"));
        for body in ["", "{}", "[]", "{\"data\":1}", "\u{0}"] {
            assert!(parse(body.as_bytes(), "production", now()).is_err(), "{body}");
        }
    }
}
