//! Priority of a Datadog event, from the severity of a failure.

/// Datadog's priority, from `"1"` (critical) to `"5"` (info). `None` if the severity does not say how severe it is.
///
/// A severity with one number is as severe as its number (`SEV-1`, `P2`, `3`); 0 is the most severe. Words have the
/// meaning that Datadog gives to its priorities.
pub(super) fn priority(severity: &str) -> Option<&'static str> {
    let mut numbers = severity.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    match (numbers.next(), numbers.next()) {
        (Some("0" | "1"), None) => Some("1"),
        (Some("2"), None) => Some("2"),
        (Some("3"), None) => Some("3"),
        (Some("4"), None) => Some("4"),
        (Some("5"), None) => Some("5"),
        (Some(_), _) => None,
        (None, _) => of_word(severity),
    }
}

fn of_word(severity: &str) -> Option<&'static str> {
    match severity.trim().to_ascii_lowercase().as_str() {
        "critical" | "crit" | "blocker" | "emergency" => Some("1"),
        "high" | "major" | "error" => Some("2"),
        "medium" | "moderate" | "warning" => Some("3"),
        "low" | "minor" => Some("4"),
        "info" | "informational" | "notice" => Some("5"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_severity_gives_a_priority_where_it_says_how_severe_it_is() {
        for (severity, expected) in [
            ("SEV-1", Some("1")),
            ("sev0", Some("1")),
            ("P2", Some("2")),
            ("3", Some("3")),
            ("Priority 4", Some("4")),
            ("S5", Some("5")),
            ("P6", None),
            ("P10", None),
            ("1 of 2", None),
            ("Critical", Some("1")),
            (" High ", Some("2")),
            ("medium", Some("3")),
            ("Low", Some("4")),
            ("INFO", Some("5")),
            ("\u{1f525}", None),
            ("page me", None),
            ("", None),
            ("\u{661}", None),
        ] {
            assert_eq!(priority(severity), expected, "{severity:?}");
        }
    }
}
