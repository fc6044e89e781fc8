//! A trend as a bar chart in SVG, without scripts, and with a text for screen readers.

use maud::{Markup, html};

/// One bar of the chart.
pub(super) struct Bar {
    /// The period, for people.
    pub(super) period: String,
    /// The figure. `None` if there is no data, which is not zero.
    pub(super) value: Option<f64>,
    /// The figure, for people.
    pub(super) text: String,
    /// Sample size, for people.
    pub(super) n: String,
}

const HEIGHT: f64 = 40.0;
const STEP: usize = 10;
const BAR_WIDTH: usize = 7;
/// Height of the line for a missing value and for a zero.
const LEAST: f64 = 1.0;

/// The chart. The highest bar fills the height. The caption has the first period, the highest figure and the last
/// period. `in_words` formats a figure.
pub(super) fn bars(about: &str, bars: &[Bar], in_words: impl Fn(Option<f64>) -> String) -> Markup {
    let highest = bars.iter().filter_map(|bar| bar.value).reduce(f64::max);
    let height = |value: f64| match highest {
        Some(highest) if highest > 0.0 => (value / highest * HEIGHT).max(LEAST),
        _ => LEAST,
    };
    let (first, last) =
        (bars.first().map_or("", |bar| &bar.period), bars.last().map_or("", |bar| &bar.period));
    let highest = in_words(highest);
    html! {
        figure {
            svg role="img" aria-label={ (about) " by week, from " (first) " to " (last) ": highest " (highest) }
                viewBox={ "0 0 " (bars.len().max(1) * STEP) " " (HEIGHT) } preserveAspectRatio="none" {
                @for (n, bar) in bars.iter().enumerate() {
                    @let height = bar.value.map_or(LEAST, height);
                    g {
                        title { (bar.period) ": " (bar.text) " (" (bar.n) ")" }
                        // The title appears over the whole height of the column, not only over the bar.
                        rect.column x=(n * STEP) y="0" width=(STEP) height=(HEIGHT) {}
                        rect class=(if bar.value.is_some() { "bar" } else { "none" }) x=(n * STEP + 1)
                            y=(format!("{:.2}", HEIGHT - height)) width=(BAR_WIDTH) height=(format!("{height:.2}")) {}
                    }
                }
            }
            figcaption { span { (first) } span { "highest " (highest) } span { (last) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_words(value: Option<f64>) -> String {
        value.map_or_else(|| "-".to_owned(), |value| value.to_string())
    }

    fn bar(value: Option<f64>) -> Bar {
        Bar { period: "2026-11-02".to_owned(), value, text: in_words(value), n: "n = 1".to_owned() }
    }

    fn drawn(values: &[Option<f64>]) -> String {
        bars("rate", &values.iter().copied().map(bar).collect::<Vec<_>>(), in_words).into_string()
    }

    #[test]
    fn no_data_zero_and_the_highest_figure_look_different() {
        let drawn = drawn(&[None, Some(0.0), Some(2.0), Some(1.0)]);
        for part in [
            "class=\"none\"",
            "y=\"39.00\"",
            "y=\"0.00\" width=\"7\" height=\"40.00\"",
            "y=\"20.00\" width=\"7\" height=\"20.00\"",
            "highest 2<",
            "2026-11-02: 1 (n = 1)",
        ] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
    }

    #[test]
    fn a_chart_without_a_highest_figure_does_not_divide_by_zero() {
        assert!(drawn(&[]).contains("viewBox=\"0 0 10 40\""));
        assert!(!drawn(&[Some(0.0)]).contains("NaN"));
        assert!(drawn(&[None]).contains("highest -"));
    }
}
