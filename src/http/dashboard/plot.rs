//! A trend as bars, drawn as SVG: no script, and readable without seeing it.

use maud::{Markup, html};

/// One bar: what it stands for, and how high it is. `None`: there is nothing to show, which is not zero.
pub(super) struct Bar {
    /// The period, for people.
    pub(super) period: String,
    /// The figure.
    pub(super) value: Option<f64>,
    /// The figure, for people.
    pub(super) shown: String,
}

const HEIGHT: f64 = 40.0;
const STEP: usize = 10;
const BAR_WIDTH: usize = 8;
/// What there is nothing of stands as a line of this height, and so does a zero.
const LEAST: f64 = 1.0;

/// The bars, highest to the top; `about` is what a screen reader says.
pub(super) fn bars(about: &str, bars: &[Bar]) -> Markup {
    let highest = bars.iter().filter_map(|bar| bar.value).fold(0.0, f64::max);
    let height = |value: f64| if highest > 0.0 { (value / highest * HEIGHT).max(LEAST) } else { LEAST };
    html! {
        svg role="img" aria-label=(about) viewBox={ "0 0 " (bars.len().max(1) * STEP) " " (HEIGHT) }
            preserveAspectRatio="none" {
            @for (n, bar) in bars.iter().enumerate() {
                @let height = bar.value.map_or(LEAST, height);
                rect class=(if bar.value.is_some() { "bar" } else { "none" }) x=(n * STEP + 1)
                    y=(format!("{:.2}", HEIGHT - height)) width=(BAR_WIDTH) height=(format!("{height:.2}")) {
                    title { (bar.period) ": " (bar.shown) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(value: Option<f64>) -> Bar {
        Bar { period: "2026-11-02".to_owned(), value, shown: value.map_or("-".to_owned(), |v| v.to_string()) }
    }

    #[test]
    fn nothing_zero_and_the_highest_can_be_told_apart() {
        let drawn = bars("weeks", &[bar(None), bar(Some(0.0)), bar(Some(2.0)), bar(Some(1.0))]).into_string();
        assert!(drawn.contains("class=\"none\""), "{drawn}");
        for part in [
            "y=\"39.00\"",
            "y=\"0.00\" width=\"8\" height=\"40.00\"",
            "y=\"20.00\" width=\"8\" height=\"20.00\"",
        ] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
    }

    #[test]
    fn no_bars_divide_by_nothing() {
        assert!(bars("none", &[]).into_string().contains("viewBox=\"0 0 10 40\""));
        assert!(!bars("zeros", &[bar(Some(0.0))]).into_string().contains("NaN"));
    }
}
