//! Comparison of regular expressions: if one matches everything that another one matches.

use std::collections::BTreeSet;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};

/// Pattern that matches nothing.
pub(super) const NOTHING: &str = r"[a&&b]";
/// Limits of an automaton and of the product of automata. Nothing is claimed about larger ones.
const LARGEST_AUTOMATON_BYTES: usize = 2 << 20;
const MOST_STATES: usize = 4_000;

/// Decides if every text that matches one of `narrow` also matches one of `wide`. Only texts that match `texts` are
/// looked at. `None` if the automata are too large.
///
/// All three automata read the same bytes at the same time. A text that ends with a match of `narrow` and without a
/// match of `wide` is a counterexample. The search visits all reachable states.
pub(super) fn includes(texts: &str, wide: &[String], narrow: &[String]) -> Option<bool> {
    let texts = automaton(&[texts.to_owned()])?;
    let (wide, narrow) = (automaton(wide)?, automaton(narrow)?);
    let first = (start_of(&texts)?, Run::start(&narrow)?, Run::start(&wide)?);
    let mut seen = BTreeSet::from([first]);
    let mut waiting = vec![first];
    while let Some((text, found, covered)) = waiting.pop() {
        let ends_a_text = texts.is_match_state(texts.next_eoi_state(text));
        if ends_a_text && found.ends_found(&narrow, true) && !covered.ends_found(&wide, false) {
            return Some(false);
        }
        for byte in 0..=u8::MAX {
            let next = texts.next_state(text, byte);
            let covered = covered.read(&wide, byte);
            if texts.is_dead_state(next) || covered == Run::Found {
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
    /// The automaton cannot decide (a word boundary next to a letter that is not ASCII).
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

    /// `true` if the text has a match when it ends here; `unknown` if the automaton cannot decide.
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

/// One automaton that finds any of the patterns. `None` if it would be too large.
fn automaton(patterns: &[String]) -> Option<Dfa> {
    let config = dense::Config::new()
        .start_kind(StartKind::Unanchored)
        .match_kind(MatchKind::LeftmostFirst)
        .unicode_word_boundary(true)
        .dfa_size_limit(Some(LARGEST_AUTOMATON_BYTES))
        .determinize_size_limit(Some(LARGEST_AUTOMATON_BYTES));
    dense::Builder::new().configure(config).build_many(patterns).ok()
}
