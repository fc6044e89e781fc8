//! Axes: round values for gridlines, and labels that do not overlap.

use maud::{Markup, html};

use super::scale::{BOTTOM, LEFT, RIGHT, Scale, TOP, WIDTH, place, real};
use super::text::width;

/// Durations that have a gridline, in seconds.
const DURATIONS: [(f64, &str); 13] = [
    (1.0, "1s"),
    (10.0, "10s"),
    (60.0, "1m"),
    (300.0, "5m"),
    (900.0, "15m"),
    (3_600.0, "1h"),
    (14_400.0, "4h"),
    (86_400.0, "1d"),
    (604_800.0, "1w"),
    (2_592_000.0, "30d"),
    (15_552_000.0, "180d"),
    (63_072_000.0, "2y"),
    (315_360_000.0, "10y"),
];
/// Number of steps that a linear axis has at most.
const MOST_STEPS: f64 = 5.0;
/// Space between two labels.
const GAP: f64 = 10.0;

/// A gridline.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) label: String,
}

/// Unit of a linear axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Shares, as percent.
    Percent,
    /// Numbers with digits after the point.
    Number,
    /// Whole numbers.
    Count,
}

/// Round values from 0 to the first one that is not below `highest`. At least two.
pub(super) fn linear_ticks(highest: f64, unit: Unit) -> Vec<Tick> {
    let highest = match unit {
        Unit::Percent => highest.max(0.005),
        Unit::Number => highest.max(0.01),
        Unit::Count => highest.max(1.0),
    };
    let step = step(highest, unit);
    let is_last = |n: &u32| f64::from(*n) * step >= highest - step * 1e-9;
    let last = (1..=100).find(is_last).unwrap_or(100);
    let ticks = (0..=last).map(|n| f64::from(n) * step);
    ticks.map(|value| Tick { value, label: label(value, step, unit) }).collect()
}

/// The smallest of 1, 2, 5 and their multiples by ten that needs few steps.
fn step(highest: f64, unit: Unit) -> f64 {
    let least = highest / MOST_STEPS;
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = steps.into_iter().find(|step| *step >= least * (1.0 - 1e-9)).unwrap_or(10.0 * power);
    if unit == Unit::Count { step.max(1.0) } else { step }
}

/// A value with as many digits as the step needs.
fn label(value: f64, step: f64, unit: Unit) -> String {
    let (value, step, sign) = match unit {
        Unit::Percent => (value * 100.0, step * 100.0, " %"),
        Unit::Number => (value, step, ""),
        Unit::Count => return count_label(value),
    };
    let digits = (0..6).find(|digits| step * 10_f64.powi(*digits) >= 1.0 - 1e-9).unwrap_or(6);
    format!("{value:.*}{sign}", usize::try_from(digits).unwrap_or_default())
}

/// `500`, `2k`, `1.5M`.
fn count_label(value: f64) -> String {
    let (value, unit) = match value {
        1e6.. => (value / 1e6, "M"),
        1e4.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    format!("{value}{unit}")
}

/// Durations from the last one that is not above `least` to the first one that is not below `greatest`, at least two.
/// Longer ones than ten years are on the edge.
pub(super) fn duration_ticks(least: f64, greatest: f64) -> Vec<Tick> {
    let from = DURATIONS.iter().rposition(|(seconds, _)| *seconds <= least).unwrap_or(0);
    let from = from.min(DURATIONS.len() - 2);
    let to = DURATIONS.iter().position(|(seconds, _)| *seconds >= greatest).unwrap_or(DURATIONS.len() - 1);
    let ticks = &DURATIONS[from..=to.max(from + 1)];
    ticks.iter().map(|(value, label)| Tick { value: *value, label: (*label).to_owned() }).collect()
}

/// The numbers 1, 2 and 5 with their multiples by ten, from the last one that is not above `least` to the first one
/// that is not below `greatest`, at least two. More than a billion is on the edge. Over more than three powers of ten, only the powers.
pub(super) fn count_ticks(least: u64, greatest: u64) -> Vec<Tick> {
    let (least, greatest) = (least.max(1), greatest.max(1));
    let factors: &[u64] = if greatest / least > 1_000 { &[1] } else { &[1, 2, 5] };
    let powers = (0..10).map(|power| 10_u64.pow(power));
    let all: Vec<u64> = powers.flat_map(|power| factors.iter().map(move |factor| power * factor)).collect();
    let from = all.iter().rposition(|count| *count <= least).unwrap_or(0);
    let to = all.iter().position(|count| *count >= greatest).unwrap_or(all.len() - 1);
    let ticks = all.iter().take(to.max(from + 1) + 1).skip(from);
    ticks.map(|count| Tick { value: real(*count), label: count_label(real(*count)) }).collect()
}

/// The range from the first to the last gridline.
pub(super) fn range(ticks: &[Tick]) -> (f64, f64) {
    (ticks.first().map_or(0.0, |tick| tick.value), ticks.last().map_or(1.0, |tick| tick.value))
}

/// Horizontal gridlines with their labels.
pub(super) fn rows(ticks: &[Tick], scale: &Scale) -> Markup {
    html! {
        @for (n, tick) in ticks.iter().enumerate() {
            @let y = scale.at(tick.value);
            line class=(if n == 0 { "chart-base" } else { "chart-grid" }) x1=(place(LEFT)) x2=(place(RIGHT))
                y1=(place(y)) y2=(place(y)) {}
            text x=(place(LEFT - 6.0)) y=(place(y + 4.0)) text-anchor="end" { (tick.label) }
        }
    }
}

/// The labels of the gridlines once more, at their right ends. They are shown where the left ones are scrolled away.
pub(super) fn right_labels(ticks: &[Tick], scale: &Scale) -> Markup {
    html! {
        @for tick in ticks.iter().skip(1) {
            text.chart-right-label x=(place(RIGHT - 2.0)) y=(place(scale.at(tick.value) + 12.0)) text-anchor="end" {
                (tick.label)
            }
        }
    }
}

/// Labels below the picture, each with a short line up to it.
pub(super) fn below(labels: &[(f64, String)]) -> Markup {
    html! {
        @for Label { x, middle, text } in thinned(labels) {
            line.chart-base x1=(place(x)) x2=(place(x)) y1=(place(BOTTOM)) y2=(place(BOTTOM + 4.0)) {}
            text x=(place(middle)) y=(place(BOTTOM + 18.0)) text-anchor="middle" { (text) }
        }
    }
}

/// Vertical gridlines with their labels below the picture.
pub(super) fn columns(ticks: &[Tick], scale: &Scale) -> Markup {
    let labels: Vec<_> = ticks.iter().map(|tick| (scale.at(tick.value), tick.label.clone())).collect();
    html! {
        @for (x, _) in &labels {
            line.chart-grid x1=(place(*x)) x2=(place(*x)) y1=(place(TOP)) y2=(place(BOTTOM)) {}
        }
        (below(&labels))
    }
}

/// A label that is shown.
#[derive(Debug)]
pub(super) struct Label<'a> {
    /// Place that the label is for.
    x: f64,
    /// Middle of the text. At the edges of the picture it is not above its place.
    middle: f64,
    text: &'a str,
}

/// Every n-th label, with the least n with which no two overlap.
pub(super) fn thinned(labels: &[(f64, String)]) -> Vec<Label<'_>> {
    let half = |text: &str| width(text) / 2.0;
    let labels: Vec<Label> = labels
        .iter()
        .map(|(x, text)| {
            let half = half(text).min(WIDTH / 2.0);
            Label { x: *x, middle: x.clamp(half, WIDTH - half), text }
        })
        .collect();
    let is_free = |every: usize| {
        let shown: Vec<&Label> = labels.iter().step_by(every).collect();
        let ends = |label: &Label| (label.middle - half(label.text), label.middle + half(label.text));
        shown.windows(2).all(|pair| ends(pair[0]).1 + GAP <= ends(pair[1]).0)
    };
    let every = (1..labels.len()).find(|every| is_free(*every)).unwrap_or(labels.len().max(1));
    labels.into_iter().step_by(every).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(ticks: &[Tick]) -> String {
        ticks.iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn a_linear_axis_has_round_values() {
        let percents = [0.0, 0.004, 0.09, 0.17, 0.2, 0.24, 0.5, 0.51, 1.0, 1.3]
            .map(|highest| words(&linear_ticks(highest, Unit::Percent)));
        insta::assert_snapshot!(percents.join("\n"), @r"
        0.0 % | 0.1 % | 0.2 % | 0.3 % | 0.4 % | 0.5 %
        0.0 % | 0.1 % | 0.2 % | 0.3 % | 0.4 % | 0.5 %
        0 % | 2 % | 4 % | 6 % | 8 % | 10 %
        0 % | 5 % | 10 % | 15 % | 20 %
        0 % | 5 % | 10 % | 15 % | 20 %
        0 % | 5 % | 10 % | 15 % | 20 % | 25 %
        0 % | 10 % | 20 % | 30 % | 40 % | 50 %
        0 % | 20 % | 40 % | 60 %
        0 % | 20 % | 40 % | 60 % | 80 % | 100 %
        0 % | 50 % | 100 % | 150 %
        ");
        let numbers = [0.0, 0.3, 1.0, 2.4, 55.0].map(|highest| words(&linear_ticks(highest, Unit::Number)));
        insta::assert_snapshot!(numbers.join("\n"), @r"
        0.000 | 0.002 | 0.004 | 0.006 | 0.008 | 0.010
        0.0 | 0.1 | 0.2 | 0.3
        0.0 | 0.2 | 0.4 | 0.6 | 0.8 | 1.0
        0.0 | 0.5 | 1.0 | 1.5 | 2.0 | 2.5
        0 | 20 | 40 | 60
        ");
        let counts = [0.0, 1.0, 3.0, 7.0, 48.0, 1_200.0, 48_000.0, 6_900_000.0]
            .map(|highest| words(&linear_ticks(highest, Unit::Count)));
        insta::assert_snapshot!(counts.join("\n"), @r"
        0 | 1
        0 | 1
        0 | 1 | 2 | 3
        0 | 2 | 4 | 6 | 8
        0 | 10 | 20 | 30 | 40 | 50
        0 | 500 | 1000 | 1500
        0 | 10k | 20k | 30k | 40k | 50k
        0 | 2M | 4M | 6M | 8M
        ");
    }

    #[test]
    fn a_linear_axis_reaches_the_highest_value_with_few_steps() {
        for n in 1..5_000 {
            let highest = f64::from(n) * 0.000_7;
            let ticks = linear_ticks(highest, Unit::Percent);
            let (from, to) = range(&ticks);
            assert!(from.abs() < 1e-12 && to >= highest - 1e-9, "{highest}: {ticks:?}");
            assert!((2..=6).contains(&ticks.len()), "{highest}: {ticks:?}");
        }
    }

    #[test]
    fn an_axis_of_durations_has_durations_that_people_use() {
        let spans = [
            (120.0, 7_000.0),
            (60.0, 60.0),
            (0.0, 0.0),
            (0.5, 5e9),
            (9e8, 9e9),
            (3_600.0, 86_400.0),
            (3_601.0, 3_602.0),
        ];
        let axes = spans.map(|(least, greatest)| words(&duration_ticks(least, greatest)));
        insta::assert_snapshot!(axes.join("\n"), @r"
        1m | 5m | 15m | 1h | 4h
        1m | 5m
        1s | 10s
        1s | 10s | 1m | 5m | 15m | 1h | 4h | 1d | 1w | 30d | 180d | 2y | 10y
        2y | 10y
        1h | 4h | 1d
        1h | 4h
        ");
    }

    #[test]
    fn an_axis_of_counts_has_round_numbers() {
        let spans = [(0, 0), (1, 1), (3, 80), (40, 2_300), (5, 90_000), (1, u64::MAX)];
        let axes = spans.map(|(least, greatest)| words(&count_ticks(least, greatest)));
        insta::assert_snapshot!(axes.join("\n"), @r"
        1 | 2
        1 | 2
        2 | 5 | 10 | 20 | 50 | 100
        20 | 50 | 100 | 200 | 500 | 1000 | 2000 | 5000
        1 | 10 | 100 | 1000 | 10k | 100k
        1 | 10 | 100 | 1000 | 10k | 100k | 1M | 10M | 100M | 1000M
        ");
    }

    #[test]
    fn labels_never_overlap_and_never_leave_the_picture() {
        for count in (0..=60).chain([90, 365, 400]) {
            let columns = super::super::scale::Columns::new(count);
            for text in
                ["1", "2 Nov", "2026-11-02", "a name that is much longer than a date", &"x".repeat(200)]
            {
                let labels: Vec<_> = (0..count).map(|n| (columns.centre(n), text.to_owned())).collect();
                let shown = thinned(&labels);
                assert_eq!(shown.is_empty(), count == 0);
                for label in &shown {
                    let half = (width(text) / 2.0).min(WIDTH / 2.0);
                    assert!(label.middle - half >= -1e-6 && label.middle + half <= WIDTH + 1e-6, "{label:?}");
                }
                for pair in shown.windows(2) {
                    assert!(pair[1].middle - pair[0].middle >= width(text), "{count} {text}: {pair:?}");
                }
            }
        }
    }
}
