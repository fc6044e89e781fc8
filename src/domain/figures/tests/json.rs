//! The words and the JSON of reports.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::*;

/// The numbers of a row in JSON, by their names in CSV.
pub(crate) fn numbers_in_json(row: &Row) -> BTreeMap<String, Option<f64>> {
    let mut found = BTreeMap::new();
    numbers("", &serde_json::to_value(row).unwrap(), &mut found);
    found
}

fn numbers(name: &str, value: &Json, found: &mut BTreeMap<String, Option<f64>>) {
    match value {
        Json::Object(parts) => {
            for (part, value) in parts {
                let name = if name.is_empty() { part.clone() } else { format!("{name}_{part}") };
                numbers(&name, value, found);
            }
        }
        Json::Number(_) | Json::Null => drop(found.insert(name.to_owned(), value.as_f64())),
        _ => {}
    }
}

#[test]
fn words_are_the_same_in_options_and_json() {
    for by in Grouping::ALL {
        assert_eq!(serde_json::to_value(by).unwrap(), by.as_str());
    }
    for interval in Interval::ALL {
        assert_eq!(serde_json::to_value(interval).unwrap(), interval.as_str());
    }
    assert_eq!([Env::parse("all"), Env::parse("qa")], [Env::All, Env::One("qa".to_owned())]);
}

#[test]
fn the_json_has_the_fields_of_the_contract() {
    let deployments =
        [deployment("1", "checkout", "09:00", "09:10"), deployment("2", "checkout", "12:00", "12:10")];
    let failures = [
        linked_to(&deployments[0], lasting("1", "10:00", "10:30")),
        linked_to(&deployments[1], open("2", "13:00")),
    ];
    let query = ReportQuery { by: Grouping::Service, ..query() };
    let report = report(&query, &failures, &Deployments::new(deployments.into()));
    let json = serde_json::to_string_pretty(&report).unwrap();
    insta::assert_snapshot!(json);
    // Read again, a number may differ in its last digit.
    let read: Report = serde_json::from_str(&json).unwrap();
    assert_eq!((read.rows.len(), read.as_of, read.rows[0].change_fail_rate), (1, report.as_of, Some(1.0)));
}
