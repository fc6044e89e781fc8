//! Rules that leave nothing to match: conditions that hold for every failure, and rules that an earlier one shadows.

use std::collections::BTreeSet;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};

use super::rule::{Pattern, Rule};

/// Titles: one line, not blank. The others are no titles.
const TITLE: &str = r"\A[^\p{Cc}]*[^\p{Cc}\s][^\p{Cc}]*\z";
/// Larger automata, and larger products of them, are not looked at: nothing is claimed about them.
const LARGEST_AUTOMATON_BYTES: usize = 2 << 20;
const MOST_STATES: usize = 4_000;

/// `true` if it is proved that every title has a match of one of the patterns.
pub fn match_every_title(patterns: &[Pattern]) -> bool {
    let anything = [String::new()];
    let patterns: Vec<String> = patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect();
    includes(&patterns, &anything).unwrap_or(false)
}

/// `true` if it is proved that the earlier rule matches whenever the later one would, so that the later one never
/// matches.
pub fn shadows(earlier: &Rule, later: &Rule) -> bool {
    fn is_wider<T: PartialEq>(earlier: &[T], later: &[T]) -> bool {
        earlier.is_empty() || (!later.is_empty() && later.iter().all(|value| earlier.contains(value)))
    }
    is_wider(&earlier.urgency, &later.urgency)
        && is_wider(&earlier.priority, &later.priority)
        && is_wider(&earlier.service, &later.service)
        && is_wider(&earlier.team, &later.team)
        && is_wider(&earlier.incident_type, &later.incident_type)
        && has_wider_titles(&earlier.title, &later.title)
}

/// `true` if the earlier patterns match every title that the later ones match. A failure without a title matches
/// no pattern, so a rule without patterns is wider than one whose patterns match every title.
fn has_wider_titles(earlier: &[Pattern], later: &[Pattern]) -> bool {
    let texts = |patterns: &[Pattern]| patterns.iter().map(|p| p.as_str().to_owned()).collect::<Vec<_>>();
    earlier.is_empty() || (!later.is_empty() && includes(&texts(earlier), &texts(later)).unwrap_or(false))
}

/// Tells if every title with a match of one of `narrow` has a match of one of `wide` as well. `None`: too large to
/// tell.
///
/// All three automata read the same bytes side by side. A title that ends in a match of `narrow` but not of `wide`
/// is a counterexample. If no reachable state has one, there is none.
fn includes(wide: &[String], narrow: &[String]) -> Option<bool> {
    let titles = automaton(&[TITLE.to_owned()])?;
    let (wide, narrow) = (automaton(wide)?, automaton(narrow)?);
    let first = (start_of(&titles)?, Run::start(&narrow)?, Run::start(&wide)?);
    let mut seen = BTreeSet::from([first]);
    let mut waiting = vec![first];
    while let Some((title, found, covered)) = waiting.pop() {
        let ends_a_title = titles.is_match_state(titles.next_eoi_state(title));
        if ends_a_title && found.ends_found(&narrow, true) && !covered.ends_found(&wide, false) {
            return Some(false);
        }
        for byte in 0..=u8::MAX {
            let next = titles.next_state(title, byte);
            let covered = covered.read(&wide, byte);
            if titles.is_dead_state(next) || covered == Run::Found {
                continue;
            }
            let state = (next, found.read(&narrow, byte), covered);
            if seen.insert(state) {
                waiting.push(state);
            }
        }
        if seen.len() > MOST_STATES {
            return None;
        }
    }
    Some(true)
}

/// State of the search for some patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Run {
    Searching(StateID),
    Found,
    /// The automaton cannot tell (a word boundary beside a letter that is not ASCII).
    Unknown,
}

impl Run {
    fn start(automaton: &Dfa) -> Option<Self> {
        start_of(automaton).map(Self::Searching)
    }

    fn read(self, automaton: &Dfa, byte: u8) -> Self {
        let Self::Searching(state) = self else { return self };
        match automaton.next_state(state, byte) {
            next if automaton.is_match_state(next) => Self::Found,
            next if automaton.is_quit_state(next) => Self::Unknown,
            next => Self::Searching(next),
        }
    }

    /// `true` if the text has a match when it ends here; `unknown` if the automaton cannot tell.
    fn ends_found(self, automaton: &Dfa, unknown: bool) -> bool {
        match self {
            Self::Found => true,
            Self::Unknown => unknown,
            Self::Searching(state) => automaton.is_match_state(automaton.next_eoi_state(state)),
        }
    }
}

type Dfa = dense::DFA<Vec<u32>>;

fn start_of(automaton: &Dfa) -> Option<StateID> {
    automaton.start_state(&start::Config::new().anchored(Anchored::No)).ok()
}

/// One automaton that finds any of the patterns.
fn automaton(patterns: &[String]) -> Option<Dfa> {
    let config = dense::Config::new()
        .start_kind(StartKind::Unanchored)
        .match_kind(MatchKind::LeftmostFirst)
        .unicode_word_boundary(true)
        .dfa_size_limit(Some(LARGEST_AUTOMATON_BYTES))
        .determinize_size_limit(Some(LARGEST_AUTOMATON_BYTES));
    dense::Builder::new().configure(config).build_many(patterns).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule::Action;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::parse(text).unwrap()).collect()
    }

    #[test]
    fn what_every_title_has_is_found_out() {
        for everything in [
            "",
            ".*",
            "^",
            "$",
            ".{0,}",
            "(a|)",
            ".",
            ".+",
            "^.*$",
            "(?s).*",
            "a?",
            "(?i)x*",
            r"\S",
            "a|.",
            r"^[^x]*(x|$)",
            "()",
            ".*?",
            "(?m)^",
            r"\A",
            r"[\s\S]",
            "^.",
        ] {
            assert!(match_every_title(&patterns(&[everything])), "{everything}");
        }
        assert!(match_every_title(&patterns(&["^a", "^[^a]"])), "together they match everything");
    }

    #[test]
    fn what_some_titles_have_not_is_left_alone() {
        for some in [
            "^$",
            "disk",
            r"\d+ %",
            "^disk",
            "a",
            r"\bcanary\b",
            r"\w",
            "..",
            "(?i)test",
            r"\b",
            "[[:ascii:]]",
        ] {
            assert!(!match_every_title(&patterns(&[some])), "{some}");
        }
        assert!(!match_every_title(&[]));
        assert!(!match_every_title(&patterns(&["high", "low"])));
    }

    #[test]
    fn a_rule_is_shadowed_by_an_earlier_one_that_is_as_wide() {
        let rule = |urgency: &[&str], service: &[&str], title: &[&str]| Rule {
            name: "rule".to_owned(),
            urgency: urgency.iter().map(|&text| text.to_owned()).collect(),
            priority: Vec::new(),
            service: service.iter().map(|&text| text.into()).collect(),
            team: Vec::new(),
            title: patterns(title),
            incident_type: Vec::new(),
            action: Action::Ignore,
        };
        let low = rule(&["low"], &[], &[]);
        assert!(shadows(&low, &low) && shadows(&rule(&[], &[], &[]), &low));
        assert!(shadows(&low, &rule(&["low"], &["search"], &["disk"])));
        assert!(!shadows(&rule(&["low"], &["search"], &[]), &low));
        let search = rule(&[], &["search", "cart"], &[]);
        assert!(
            shadows(&search, &rule(&[], &["cart"], &[])) && !shadows(&search, &rule(&[], &["mail"], &[]))
        );
        let titles = |title: &[&str]| rule(&[], &[], title);
        assert!(shadows(&titles(&["disk"]), &titles(&["^disk full"])));
        assert!(shadows(&titles(&["(?i)disk"]), &titles(&["DISK", "Disk"])));
        assert!(!shadows(&titles(&["^disk full"]), &titles(&["disk"])));
        assert!(!shadows(&titles(&["disk"]), &titles(&["memory"])));
    }
}
