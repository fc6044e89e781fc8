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
    insta::assert_snapshot!(json, @r#"
    {
      "since": "2026-11-01T00:00:00Z",
      "until": "2026-11-01T23:00:00Z",
      "as_of": "2026-11-01T23:00:00Z",
      "confidence": 0.95,
      "by": "service",
      "interval": null,
      "env": "production",
      "timezone": "UTC",
      "rows": [
        {
          "key": "checkout",
          "period": null,
          "label": null,
          "partial": false,
          "incidents": 2,
          "matched_incidents": 2,
          "unmatched_incidents": 0,
          "open": 1,
          "still_open": 1,
          "ignored": 0,
          "linked_incidents": {
            "named": 1,
            "automatic": 1,
            "none": 0
          },
          "deployments": 2,
          "deployments_per_day": 2.0869565217391304,
          "pending_deployments": 0,
          "failed_deployments": 2,
          "change_failure_rate": 1.0,
          "change_failure_rate_low": 0.12110463927198248,
          "change_failure_rate_high": 3.6123438338619804,
          "change_fail_rate": 1.0,
          "change_fail_rate_low": 0.3423802275066531,
          "change_fail_rate_high": 1.0,
          "change_fail_rate_settled": 1.0,
          "change_fail_rate_settled_low": 0.3423802275066531,
          "change_fail_rate_settled_high": 1.0,
          "deployment_rework_rate": 0.0,
          "deployment_rework_rate_low": 0.0,
          "deployment_rework_rate_high": 0.6576197724933469,
          "time_to_restore_seconds": {
            "n": 1,
            "mean": 1800.0,
            "median": 1800.0,
            "median_low": null,
            "median_high": null,
            "p90": null,
            "max": 1800.0
          },
          "restored": {
            "n": 2,
            "open": 1,
            "within": {
              "1h": {
                "value": 0.5,
                "low": 0.08958991516326259,
                "high": 0.9940169123608542,
                "known": 2
              },
              "1d": null,
              "7d": null
            },
            "half_within_seconds": 1800.0,
            "half_within_low": null,
            "half_within_high": null,
            "mean_within_7d_seconds": null,
            "followed_seconds": 36000.0
          },
          "failed_deployment_recovery_time_seconds": {
            "n": 1,
            "open": 1,
            "mean": 4800.0,
            "median": 4800.0,
            "median_low": null,
            "median_high": null,
            "p90": null,
            "max": 4800.0
          },
          "change": null
        }
      ],
      "total": {
        "key": null,
        "period": null,
        "label": null,
        "partial": false,
        "incidents": 2,
        "matched_incidents": 2,
        "unmatched_incidents": 0,
        "open": 1,
        "still_open": 1,
        "ignored": 0,
        "linked_incidents": {
          "named": 1,
          "automatic": 1,
          "none": 0
        },
        "deployments": 2,
        "deployments_per_day": 2.0869565217391304,
        "pending_deployments": 0,
        "failed_deployments": 2,
        "change_failure_rate": 1.0,
        "change_failure_rate_low": 0.12110463927198248,
        "change_failure_rate_high": 3.6123438338619804,
        "change_fail_rate": 1.0,
        "change_fail_rate_low": 0.3423802275066531,
        "change_fail_rate_high": 1.0,
        "change_fail_rate_settled": 1.0,
        "change_fail_rate_settled_low": 0.3423802275066531,
        "change_fail_rate_settled_high": 1.0,
        "deployment_rework_rate": 0.0,
        "deployment_rework_rate_low": 0.0,
        "deployment_rework_rate_high": 0.6576197724933469,
        "time_to_restore_seconds": {
          "n": 1,
          "mean": 1800.0,
          "median": 1800.0,
          "median_low": null,
          "median_high": null,
          "p90": null,
          "max": 1800.0
        },
        "restored": {
          "n": 2,
          "open": 1,
          "within": {
            "1h": {
              "value": 0.5,
              "low": 0.08958991516326259,
              "high": 0.9940169123608542,
              "known": 2
            },
            "1d": null,
            "7d": null
          },
          "half_within_seconds": 1800.0,
          "half_within_low": null,
          "half_within_high": null,
          "mean_within_7d_seconds": null,
          "followed_seconds": 36000.0
        },
        "failed_deployment_recovery_time_seconds": {
          "n": 1,
          "open": 1,
          "mean": 4800.0,
          "median": 4800.0,
          "median_low": null,
          "median_high": null,
          "p90": null,
          "max": 4800.0
        },
        "change": null
      }
    }
    "#);
    // Read again, a number may differ in its last digit.
    let read: Report = serde_json::from_str(&json).unwrap();
    assert_eq!((read.rows.len(), read.as_of, read.rows[0].change_fail_rate), (1, report.as_of, Some(1.0)));
}
