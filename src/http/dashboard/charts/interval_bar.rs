//! A bar as high as a line of text: a value and its interval, for a tile or a table cell.

use maud::{Markup, html};

use super::scale::{Scale, place};

const LENGTH: f64 = 100.0;

/// A value between its bounds.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::dashboard) struct IntervalBar<'a> {
    /// The value, from 0 to `max`.
    pub(in crate::http::dashboard) value: f64,
    /// The interval. `None` if the sample is too small for one.
    pub(in crate::http::dashboard) bounds: Option<(f64, f64)>,
    /// End of the scale: 1 for a share. Bars that are compared have the same.
    pub(in crate::http::dashboard) max: f64,
    /// The same in words, for screen readers. `None` if the words are beside the bar.
    pub(in crate::http::dashboard) label: Option<&'a str>,
}

/// The bar. Its width is that of its place, and a few centimetres at most.
pub(in crate::http::dashboard) fn interval_bar(bar: &IntervalBar) -> Markup {
    let scale = Scale::linear((0.0, bar.max), (0.0, LENGTH));
    let value = scale.at(bar.value).clamp(1.5, LENGTH - 1.5);
    let role = bar.label.map(|_| "img");
    let hidden = bar.label.is_none().then_some("true");
    html! {
        svg.interval-bar viewBox={ "0 0 " (LENGTH) " 10" } preserveAspectRatio="none" role=[role] aria-label=[bar.label]
            aria-hidden=[hidden] {
            rect.interval-bar-scale x="0" y="4" width=(LENGTH) height="2" {}
            @if let Some((low, high)) = bar.bounds {
                @let (low, high) = (scale.at(low), scale.at(high));
                rect.interval-bar-range x=(place(low)) y="2" width=(place((high - low).max(1.0))) height="6" {}
            }
            rect.interval-bar-value x=(place(value - 1.5)) y="0" width="3" height="10" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::lines;
    use super::*;

    fn drawn(value: f64, bounds: Option<(f64, f64)>, max: f64) -> String {
        interval_bar(&IntervalBar { value, bounds, max, label: None }).into_string()
    }

    #[test]
    fn a_bar_has_its_value_and_its_interval() {
        let label = Some("17.4 %, 95 %: 7.0 % to 37.1 %");
        let bar = IntervalBar { value: 0.174, bounds: Some((0.07, 0.371)), max: 0.5, label };
        insta::assert_snapshot!(lines(&interval_bar(&bar)), @r#"
        <svg class="interval-bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="17.4 %, 95 %: 7.0 % to 37.1 %">
        <rect class="interval-bar-scale" x="0" y="4" width="100" height="2"></rect>
        <rect class="interval-bar-range" x="14" y="2" width="60.2" height="6"></rect>
        <rect class="interval-bar-value" x="33.3" y="0" width="3" height="10"></rect></svg>
        "#);
    }

    #[test]
    fn nothing_leaves_the_bar() {
        for max in [0.0, 0.5, 1.0] {
            for value in [0.0, 0.5, 1.0, 7.0] {
                let drawn = drawn(value, Some((0.0, 9.0)), max);
                assert!(
                    !drawn.contains("NaN") && !drawn.contains("inf") && !drawn.contains("\"-"),
                    "{drawn}"
                );
            }
        }
        assert!(!drawn(0.5, None, 1.0).contains("range"));
    }
}
