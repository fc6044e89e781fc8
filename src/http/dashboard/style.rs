//! The style sheet, for screens in light and dark, phones and paper.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// Later files override earlier ones.
const STYLE: &str = concat!(
    include_str!("style.css"),
    include_str!("style/layout.css"),
    include_str!("style/controls.css"),
    include_str!("style/tables.css"),
    include_str!("style/deployments.css"),
    include_str!("style/timeline.css"),
    include_str!("charts/charts.css"),
    include_str!("style/overview.css"),
    include_str!("style/print.css"),
);

/// `GET /style.css`
pub(in crate::http) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of a colour (WCAG 2.2).
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    /// Value of a variable in each theme, first the light one.
    fn in_each_theme(variable: &str) -> Vec<f64> {
        let name = format!("--{variable}: ");
        let values = STYLE.split(&name).skip(1).take(2);
        values.map(|rest| luminance(rest.split(';').next().unwrap())).collect()
    }

    #[test]
    fn texts_have_enough_contrast_in_both_themes() {
        assert!(
            STYLE.contains(".grey, .grey small { color: var(--quiet);"),
            "grey figures are like quiet texts"
        );
        for text in ["text", "quiet", "good", "bad", "accent"] {
            for ground in ["ground", "card"] {
                let both = in_each_theme(text).into_iter().zip(in_each_theme(ground));
                for (theme, (text_luminance, ground_luminance)) in ["light", "dark"].iter().zip(both) {
                    let (lighter, darker) =
                        (text_luminance.max(ground_luminance), text_luminance.min(ground_luminance));
                    let contrast = (lighter + 0.05) / (darker + 0.05);
                    assert!(contrast >= 4.5, "{text} on {ground}, {theme}: {contrast:.2}");
                }
            }
        }
    }
}
