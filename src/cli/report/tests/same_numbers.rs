//! The same number in JSON, CSV, Markdown and the table, in random worlds.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::format::figure;
use super::*;
use crate::domain::deployment::Deployments;
use crate::domain::figures::list::{FIGURES, Part, ShortColumn};
use crate::domain::figures::tests::arbitrary::{deployments, one_failure, query};
use crate::domain::figures::tests::dataset;
use crate::domain::figures::tests::json::numbers_in_json;

proptest! {
    #[test]
    fn every_format_has_the_same_numbers(
        query in query(),
        failures in vec(one_failure(), 0..16),
        deployments in deployments(),
    ) {
        let report = crate::domain::figures::report(&query, &dataset(&failures, &Deployments::new(deployments)));
        let csv = csv(&report, false);
        let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let header = lines.next().unwrap();
        let (markdown, table) = (markdown(&report), super::super::table(&report, &query.intervals(), 10_000));
        let mut rows_of_markdown = markdown.lines().filter(|line| line.starts_with("| ")).skip(2);
        let total = super::super::format::has_total(&report).then_some(&report.total);
        for row in report.rows.iter().chain(total) {
            let cells: BTreeMap<&str, &str> = header.iter().copied().zip(lines.next().unwrap()).collect();
            let in_json = numbers_in_json(row);
            let of_markdown: Vec<&str> = rows_of_markdown.next().unwrap().split(" | ").collect();
            for one in &FIGURES {
                for part in Part::ALL {
                    let Some(name) = one.name_of(part) else { continue };
                    let number = one.part(part, row);
                    // A share that is null as a whole has no parts in JSON.
                    prop_assert_eq!(in_json.get(&name).copied().flatten(), number, "{} in JSON", name);
                    prop_assert_eq!(cells[name.as_str()].parse::<f64>().ok(), number, "{} in CSV", name);
                }
                if one.column.is_some() {
                    let text = figure(one, row);
                    let has_cell = of_markdown.iter().any(|cell| cell.trim_matches(['|', ' ']) == text);
                    prop_assert!(has_cell, "{} {} in {:?}", one.name, text, of_markdown);
                }
                if matches!(one.column, Some(ShortColumn::Counts { only_where_any: false, .. })) {
                    prop_assert!(table.contains(&figure(one, row)), "{} in {}", one.name, table);
                }
            }
        }
        prop_assert_eq!(lines.count(), 0, "no line without a row");
    }
}
