//! The longest texts that the program stores fit into the indexes of PostgreSQL.

use fastrand::Rng;
use pagerduty_dora::domain::text_limits::{LONGEST_ID, LONGEST_NAME};

use crate::postgres::Schema;

/// Longest id of a failure or deployment.
const FAILURE_ID: usize = 128;
/// Longest form of a name in lower case: some letters have two bytes, and three in lower case.
const LOWER_CASE: usize = LONGEST_NAME / 2 * 3;
/// Most digits of a commit.
const COMMIT: usize = 128;
/// Longest traits of a failure that are stored as they are.
const TRAITS: usize = 512;
/// Longest beginning of a name in the table `progress`.
const BEGINNING: usize = 32;

/// A text of this length that PostgreSQL can hardly compress, as a literal.
fn text(rng: &mut Rng, length: usize) -> String {
    let letters: String = std::iter::repeat_with(|| rng.alphanumeric()).take(length).collect();
    format!("'{letters}'")
}

/// Rows with the longest texts in every column that is in an index, with names of this length.
fn rows(name: usize) -> String {
    let mut rng = Rng::with_seed(7);
    let mut text = |length| text(&mut rng, length);
    let mut rows = Vec::new();
    rows.push(format!(
        "INSERT INTO event (source, event_id, event_type, occurred_at_ns, received_at_ns)
         VALUES ({}, {}, {}, 0, 0)",
        text(16),
        text(LONGEST_ID),
        text(LONGEST_ID),
    ));
    rows.push(format!("INSERT INTO source_deployment VALUES (1, {}, '')", text(FAILURE_ID)));
    for (version, counts) in [(text(name), 1), ("NULL".to_owned(), 1), (text(name), 0)] {
        rows.push(format!(
            "INSERT INTO stored_deployment (id, deployment_id, service, team, env, started_at_ns, finished_at_ns,
                version, commit_sha, version_key, facts, failed, source_deployment, counts)
             VALUES ({}, {}, {}, {}, {}, 0, 0, {version}, {}, {}, '', 1, 1, {counts})",
            rows.len(),
            text(FAILURE_ID),
            text(name),
            text(name),
            text(name),
            text(COMMIT),
            text(LOWER_CASE.max(name)),
        ));
    }
    rows.push(format!(
        "INSERT INTO failure_kind VALUES (1, {}, 'completed', {}, {}, {})",
        text(TRAITS),
        text(name),
        text(name),
        text(name),
    ));
    rows.push(format!("INSERT INTO failure_kind_service VALUES ({}, 1)", text(name)));
    rows.push(format!(
        "INSERT INTO failure (id, failure_id, failure_key, state, facts) VALUES (1, {}, 1, 'completed', '')",
        text(FAILURE_ID)
    ));
    rows.push(format!("INSERT INTO named_deployment VALUES ({}, 1)", text(LOWER_CASE.max(name))));
    rows.push(format!(
        "INSERT INTO outbox (backend, topic, failure, revision, due_at_ns, suspect, created_at_ns, lane, action, body)
         VALUES ({}, 'failure', 1, 1, 0, 1, 0, 'deployments', 'replace', '')",
        text(name),
    ));
    rows.push(format!(
        "INSERT INTO lane (backend, lane, condition, failed_probes) VALUES ({}, 'deployments', '', 0)",
        text(name),
    ));
    rows.push(format!("INSERT INTO marked_backend VALUES ({})", text(name)));
    rows.push(format!("INSERT INTO unread_incident VALUES ({})", text(FAILURE_ID)));
    rows.push(format!("INSERT INTO progress VALUES ({}, 0)", text(BEGINNING + name)));
    rows.join(";\n") + ";\n"
}

#[test]
fn the_longest_texts_fit_into_every_index() {
    let Some(schema) = Schema::of_store("longest_texts") else { return };
    // An index with a row has two pages or more.
    let without_rows = "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE relnamespace = current_schema()::regnamespace AND pg_relation_size(indexrelid) < 2 * 8192
        AND EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = indexrelid AND atttypid = 'text'::regtype);";
    assert!(schema.run(without_rows).0.contains("deployment_by_start\n"));
    assert_eq!(schema.run(&rows(LONGEST_NAME)), (String::new(), String::new()));
    assert_eq!(schema.run(without_rows), (String::new(), String::new()));
}

/// The test above can fail.
#[test]
fn longer_names_do_not_fit() {
    let Some(schema) = Schema::of_store("longer_texts") else { return };
    let (_, message) = schema.run(&rows(LONGEST_NAME + 150));
    assert!(message.contains("exceeds btree version 4 maximum 2704"), "{message}");
}

/// So no text with this character may be bound to a statement.
#[test]
fn postgresql_holds_no_u_0000() {
    let Some(schema) = Schema::of_store("no_nul") else { return };
    let (_, message) = schema.run("INSERT INTO marked_backend VALUES (convert_from('\\x00', 'UTF8'));");
    assert!(message.contains("invalid byte sequence for encoding \"UTF8\": 0x00"), "{message}");
}
