//! Order of severities. They are names that each organization chooses, so the order is a guess from the name.

/// Words for severities, from the most severe group to the least.
const WORDS: [&[&str]; 4] = [
    &["critical", "crit", "blocker", "emergency", "fatal"],
    &["high", "major", "error", "urgent"],
    &["medium", "moderate", "minor", "warning"],
    &["low", "info", "trivial"],
];

/// Rank of a severity: the lower, the more severe. A number in the name decides (`SEV-1`, `P2`), else a known word.
/// Unknown names come after them, and failures without a severity last.
pub fn severity_rank(severity: Option<&str>) -> u32 {
    let Some(name) = severity else { return u32::MAX };
    let digits = name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit);
    if let Ok(number) = digits.collect::<String>().parse() {
        return number;
    }
    let lower = name.to_lowercase();
    let found = WORDS.iter().zip(1..).find(|(words, _)| words.iter().any(|word| lower.contains(word)));
    found.map_or(u32::MAX - 1, |(_, rank)| rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_severe_come_first() {
        let mut names =
            [None, Some("odd"), Some("Low"), Some("SEV-10"), Some("P2"), Some("critical"), Some("SEV-0")];
        names.sort_by_key(|name| severity_rank(*name));
        let sorted =
            [Some("SEV-0"), Some("critical"), Some("P2"), Some("Low"), Some("SEV-10"), Some("odd"), None];
        assert_eq!(names, sorted);
    }
}
