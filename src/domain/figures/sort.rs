//! Order of the rows of a report.

use std::cmp::Reverse;

use super::list::{FIGURES, Figure, Part};
use super::report::Report;

/// A figure, or a bound of its interval, by which the rows of a report are sorted.
#[derive(Debug, Clone, Copy)]
pub struct SortBy {
    figure: &'static Figure,
    part: Part,
}

impl SortBy {
    /// The column of CSV with this name. The error is a message for people.
    pub fn parse(name: &str) -> Result<Self, String> {
        let mut columns = FIGURES.iter().flat_map(|figure| Part::ALL.map(|part| Self { figure, part }));
        let found =
            columns.find(|Self { figure, part }| figure.name_of(*part).is_some_and(|column| column == name));
        found.ok_or_else(|| {
            let known: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
            format!(
                "{name:?} is not a figure: use {}, or a bound such as change_fail_rate_low",
                known.join(", ")
            )
        })
    }

    /// Sorts the rows of each interval: the highest value first, rows without a value last. Rows with the same value
    /// keep their order.
    pub fn sort(self, report: &mut Report) {
        let Self { figure, part } = self;
        report.rows.sort_by_cached_key(|row| (row.period, Reverse(figure.part(part, row).map(order))));
    }
}

/// A number in the same order as the value. No figure is NaN.
const fn order(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn the_order_is_that_of_the_values() {
        let values = [-2.0, -0.5, 0.0, 1e-9, 0.17, 1.0, 3_600.0];
        assert!(values.map(order).is_sorted());
    }
}
