//! Durations as people read them.

/// Formats seconds in at most two units: `42m 11s`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole, positive seconds are meant"
)]
pub fn human_duration(seconds: f64) -> String {
    match seconds.max(0.0).round() as u64 {
        s @ 0..60 => format!("{s}s"),
        s @ 60..3_600 => format!("{}m {:02}s", s / 60, s % 60),
        s @ 3_600..86_400 => format!("{}h {:02}m", s / 3_600, s % 3_600 / 60),
        s => format!("{}d {:02}h", s / 86_400, s % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        let spans = [0.2, 59.6, 60.0, 2_530.5, 7_261.0, 90_000.0].map(human_duration);
        assert_eq!(spans, ["0s", "1m 00s", "1m 00s", "42m 11s", "2h 01m", "1d 01h"]);
    }
}
