use super::*;

#[test]
fn the_heading_has_the_same_values_as_the_whole_event() {
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/pagerduty")).unwrap() {
        let body = std::fs::read(file.unwrap().path()).unwrap();
        let (heading, event) = (heading(&body).unwrap(), parse(&body).unwrap());
        let subject = event.subject.as_ref().map(EventSubject::id);
        assert_eq!((heading.id, heading.occurred_at), (event.id, Some(event.occurred_at)));
        assert_eq!((&*heading.event_type, heading.subject), (&*event.event_type, subject));
    }
}

#[test]
fn rule_1_the_incident_is_found_wherever_its_id_is() {
    for name in
        ["incident.triggered", "incident.annotated", "incident.role.assigned", "incident.task.created"]
    {
        let file = format!("{}/fixtures/pagerduty/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let event = parse(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(event.about_incident().unwrap().incident.as_str(), "Q1FXSAMPLE0001", "{name}");
    }
}

#[test]
fn rule_16_a_test_event_is_about_no_incident() {
    let ping = parse(include_bytes!("../../../../fixtures/pagerduty/pagey.ping.json")).unwrap();
    assert_eq!(ping.subject, None);
}

/// Text of each fixture.
fn fixtures() -> impl Iterator<Item = String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/pagerduty");
    std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
}

/// A fixture with this escape at the end of its n-th text, which may be a key, a title or an id.
fn mutated(fixture: &str, nth: usize, escape: &str) -> Option<String> {
    let (end, _) = fixture.match_indices('"').nth(2 * nth + 1)?;
    Some([&fixture[..end], escape, &fixture[end..]].concat())
}

#[test]
fn half_a_character_is_read_as_the_replacement_character() {
    for fixture in fixtures() {
        for nth in 0.. {
            let Some(half) = mutated(&fixture, nth, "\\ud83d") else { break };
            let whole = mutated(&fixture, nth, "\\ufffd").unwrap();
            let (half_read, whole_read) = (parse(half.as_bytes()), parse(whole.as_bytes()));
            match (half_read, whole_read) {
                (Err(NotUnderstood::CutId), Ok(event)) => assert!(event.id.ends_with('\u{fffd}'), "{half}"),
                (half_read, whole_read) => assert_eq!(half_read.ok(), whole_read.ok(), "{half}"),
            }
            assert_eq!(heading(half.as_bytes()).is_ok(), parse(half.as_bytes()).is_ok(), "{half}");
        }
    }
}

/// Snapshot of a resolve whose data was changed.
fn snapshot_with(change: impl Fn(&mut serde_json::Value)) -> Snapshot {
    let fixture = include_str!("../../../../fixtures/pagerduty/incident.resolved.json");
    let mut body: serde_json::Value = serde_json::from_str(fixture).unwrap();
    change(&mut body["event"]["data"]);
    *parse(body.to_string().as_bytes()).unwrap().about_incident().unwrap().snapshot.clone().unwrap()
}

#[test]
fn a_blank_text_counts_as_unknown() {
    for blank in ["", " ", "\t\n", "\u{a0}", "\u{200b}\u{feff}", "\0"] {
        let snapshot = snapshot_with(|data| {
            for key in ["title", "urgency", "html_url"] {
                data[key] = blank.into();
            }
            data["service"]["summary"] = blank.into();
            data["priority"] = serde_json::json!({ "id": "PPRIO01", "summary": blank });
            data["incident_type"]["name"] = blank.into();
            data["teams"] = serde_json::json!([
                { "id": "", "summary": blank, "html_url": null },
                { "id": "PTEAM01", "summary": blank },
            ]);
        });
        assert_eq!((snapshot.title, snapshot.urgency, snapshot.url), (None, None, None), "{blank:?}");
        assert_eq!((snapshot.priority, snapshot.incident_type), (None, None), "{blank:?}");
        let service = snapshot.service.unwrap();
        assert_eq!((service.id.as_deref(), service.name), (Some("PSVC001"), None), "{blank:?}");
        let teams = snapshot.teams.unwrap();
        assert_eq!((teams.len(), teams[0].id.as_deref(), &teams[0].name), (1, Some("PTEAM01"), &None));
    }
}

#[test]
fn blanks_around_a_name_are_removed() {
    let snapshot = snapshot_with(|data| {
        data["title"] = "\n disk full\u{a0}".into();
        data["service"]["summary"] = " Checkout API\t".into();
        data["priority"]["summary"] = " P1 ".into();
    });
    assert_eq!(snapshot.title.as_deref(), Some("disk full"));
    assert_eq!(snapshot.service.unwrap().name.as_deref(), Some("Checkout API"));
    assert_eq!(snapshot.priority, Some(Priority::Named("P1".to_owned())));
}

#[test]
fn credentials_in_addresses_are_cut() {
    let snapshot = snapshot_with(|data| {
        data["title"] = "no answer from postgres://app:S3CR3T@db/shop".into();
        data["html_url"] = "https://S3CR3T@acme.pagerduty.com/incidents/Q1".into();
        data["service"]["html_url"] = "https://acme.pagerduty.com/services/PSVC001?token=S3CR3T".into();
        data["service"]["summary"] = "https://ci:S3CR3T@host/checkout".into();
    });
    assert!(!format!("{snapshot:?}").contains("S3CR3T"), "{snapshot:?}");
    assert_eq!(snapshot.url.as_deref(), Some("https://acme.pagerduty.com/incidents/Q1"));
}

#[test]
fn the_case_of_a_merge_reason_does_not_matter() {
    for reason in [
        serde_json::json!("merged"),
        serde_json::json!("Merged"),
        serde_json::json!(" MERGE "),
        serde_json::json!({ "type": "merge_resolve_reason" }),
        serde_json::json!({ "type": "MERGE_RESOLVE_REASON" }),
    ] {
        let snapshot = snapshot_with(|data| data["resolve_reason"] = reason.clone());
        assert_eq!(snapshot.merge, Some(Merge { into: None }), "{reason}");
    }
    for reason in ["resolved", "emerged", ""] {
        assert_eq!(snapshot_with(|data| data["resolve_reason"] = reason.into()).merge, None, "{reason}");
    }
}

#[test]
fn a_byte_order_mark_is_ignored() {
    let body = include_bytes!("../../../../fixtures/pagerduty/incident.resolved.json");
    let marked = [b"\xef\xbb\xbf", body.as_slice()].concat();
    assert_eq!(parse(&marked).unwrap(), parse(body).unwrap());
    assert!(heading(&marked).is_ok());
}
