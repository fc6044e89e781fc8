//! Checks of rules: patterns that match every title or none, and rules that earlier rules shadow.

use super::pagerduty_ref::PagerDutyRef;
use super::pattern_coverage::{NOTHING, includes};
use super::pattern_syntax as loose;
use super::rule::{Pattern, Rule};

/// Pattern of all titles: one line that is not blank.
const TITLE: &str = r"\A[^\p{Cc}]*[^\p{Cc}\s][^\p{Cc}]*\z";
/// Pattern of the titles in ASCII, for which the automata can decide word boundaries.
const ASCII_TITLE: &str = r"\A[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*\z";
/// Examples of titles. They disprove most claims about all titles quickly.
const SOME_TITLES: [&str; 10] =
    ["a", "A", "7", "-", "_", "\u{e9}", "\u{65e5}\u{672c}", "\u{2192}", "disk 91 % full", "(-)"];

/// Decides if every title matches one of the patterns. `None` if that cannot be decided.
pub fn match_every_title(patterns: &[Pattern]) -> Option<bool> {
    let is_missed = |title: &&str| !patterns.iter().any(|pattern| pattern.is_in(title));
    if SOME_TITLES.iter().any(is_missed) {
        return Some(false);
    }
    if patterns.iter().any(|pattern| loose::matches_every_text(pattern.as_str())) {
        return Some(true);
    }
    let patterns: Vec<String> =
        patterns.iter().map(|pattern| loose::without_large_bounds(pattern.as_str())).collect();
    let anything = [String::new()];
    let found = includes(TITLE, &patterns, &anything);
    if found != Some(true) && patterns.iter().any(|pattern| loose::has_word_boundary(pattern)) {
        return includes(ASCII_TITLE, &patterns, &anything);
    }
    found
}

/// `true` if it is proved that no title matches the pattern.
pub fn matches_no_title(pattern: &Pattern) -> bool {
    !SOME_TITLES.iter().any(|title| pattern.is_in(title))
        && includes(TITLE, &[NOTHING.to_owned()], &[pattern.as_str().to_owned()]) == Some(true)
}

/// Condition of a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Urgency,
    Priority,
    Service,
    Team,
    IncidentType,
    Title,
}

const KEYS: [Key; 6] = [Key::Urgency, Key::Priority, Key::Service, Key::Team, Key::IncidentType, Key::Title];

/// Earlier rules that shadow a later rule: whenever the later rule matches, one of them matches too, so the later rule
/// never decides. Empty if this is not proved.
///
/// Several rules can shadow a rule together. Then all their keys but one match everything that the later rule's keys
/// match, and the values of the remaining key do so together.
pub fn shadowing<'a>(earlier: &'a [Rule], later: &Rule) -> Vec<&'a Rule> {
    let is_wide = |rule: &Rule, but: Option<Key>| {
        KEYS.into_iter().filter(|key| Some(*key) != but).all(|key| is_wider(key, &[rule], later))
    };
    if let Some(rule) = earlier.iter().find(|rule| is_wide(rule, None)) {
        return vec![rule];
    }
    for key in KEYS {
        let mut together: Vec<&Rule> = earlier.iter().filter(|rule| is_wide(rule, Some(key))).collect();
        if together.len() < 2 || !is_wider(key, &together, later) {
            continue;
        }
        // Rules that are not needed are left out.
        for rule in together.clone() {
            let others: Vec<&Rule> =
                together.iter().copied().filter(|other| !std::ptr::eq(*other, rule)).collect();
            if is_wider(key, &others, later) {
                together = others;
            }
        }
        return together;
    }
    Vec::new()
}

/// `true` if the earlier conditions together match everything that the later condition matches.
fn is_wider(key: Key, earlier: &[&Rule], later: &Rule) -> bool {
    fn texts(earlier: &[&Rule], later: &Rule, of: impl Fn(&Rule) -> &[String], all: &[&str]) -> bool {
        let has = |wanted: &str| earlier.iter().any(|rule| of(rule).iter().any(|text| text == wanted));
        earlier.iter().any(|rule| of(rule).is_empty())
            || (!all.is_empty() && all.iter().all(|text| has(text)))
            || (!of(later).is_empty() && of(later).iter().all(|text| has(text)))
    }
    fn references(earlier: &[&Rule], later: &Rule, of: impl Fn(&Rule) -> &[PagerDutyRef]) -> bool {
        let known: Vec<&PagerDutyRef> = earlier.iter().flat_map(|rule| of(rule)).collect();
        earlier.iter().any(|rule| of(rule).is_empty())
            || (!of(later).is_empty() && of(later).iter().all(|one| one.is_included_in(&known)))
    }
    match key {
        Key::Urgency => texts(earlier, later, |rule| &rule.urgency, &["high", "low"]),
        Key::Priority => texts(earlier, later, |rule| &rule.priority, &[]),
        Key::IncidentType => texts(earlier, later, |rule| &rule.incident_type, &[]),
        Key::Service => references(earlier, later, |rule| &rule.service),
        Key::Team => references(earlier, later, |rule| &rule.team),
        Key::Title => {
            earlier.iter().any(|rule| rule.title.is_empty()) || {
                let patterns: Vec<&Pattern> = earlier.iter().flat_map(|rule| &rule.title).collect();
                has_wider_titles(&patterns, &later.title)
            }
        }
    }
}

/// `true` if the earlier patterns match every title that the later ones match. A failure without a title matches
/// no pattern, so a rule without patterns is wider than one whose patterns match every title.
fn has_wider_titles(earlier: &[&Pattern], later: &[Pattern]) -> bool {
    let text = |pattern: &Pattern| pattern.as_str().to_owned();
    let wide: Vec<String> = earlier.iter().map(|pattern| text(pattern)).collect();
    let narrow: Vec<String> = later.iter().map(text).collect();
    let is_same = !narrow.is_empty() && narrow.iter().all(|pattern| wide.contains(pattern));
    is_same || (!narrow.is_empty() && includes(TITLE, &wide, &narrow).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule::RuleAction;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::parse(text).unwrap()).collect()
    }

    #[test]
    fn patterns_that_match_every_title_are_found() {
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
            "^.{0,5000}",
            ".{0,2000}",
            "^.{1,3000}",
            r"\b|\B",
            r"^|\b",
            r"\B|\w",
            r"\W|\w+\b",
            r"x|(y|\b|z{0,9})",
        ] {
            assert_eq!(match_every_title(&patterns(&[everything])), Some(true), "{everything}");
        }
        let both = patterns(&["^a", "^[^a]"]);
        assert_eq!(match_every_title(&both), Some(true), "together they match everything");
    }

    #[test]
    fn patterns_that_some_titles_do_not_match_are_accepted() {
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
            "^.{2,3000}",
            "^.{1,3000}x",
            r"\B",
        ] {
            assert_eq!(match_every_title(&patterns(&[some])), Some(false), "{some}");
        }
        assert_eq!(match_every_title(&[]), Some(false));
        assert_eq!(match_every_title(&patterns(&["high", "low"])), Some(false));
    }

    #[test]
    fn patterns_that_match_no_title_are_found() {
        for never in ["$^", "[a&&b]", r"\n", r"a\nb", "^$", "^ *$"] {
            assert!(matches_no_title(&patterns(&[never])[0]), "{never}");
        }
        for some in ["a", "zzz", r"\bdisk\b", "\u{e9}t\u{e9}", "x{300}", "$"] {
            assert!(!matches_no_title(&patterns(&[some])[0]), "{some}");
        }
    }

    #[test]
    fn nothing_is_claimed_about_large_expressions() {
        assert_eq!(match_every_title(&patterns(&[r"\S(.{0,900}|x.{0,950})$"])), None);
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
            action: RuleAction::Ignore,
        };
        let shadows =
            |earlier: &Rule, later: &Rule| !shadowing(std::slice::from_ref(earlier), later).is_empty();
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
        for wide in ["psvc002", "https://acme.pagerduty.com/services/PSVC002", "PSVC001,PSVC002"] {
            for narrow in ["PSVC002", "https://acme.pagerduty.com/service-directory/psvc002/settings"] {
                assert!(shadows(&rule(&[], &[wide], &[]), &rule(&[], &[narrow], &[])), "{wide} {narrow}");
            }
        }
        let several = |rules: &[Rule], later: &Rule| shadowing(rules, later).len();
        let both = [low.clone(), search.clone(), rule(&["high"], &[], &[])];
        assert_eq!(several(&both, &rule(&[], &["mail"], &[])), 2);
        assert_eq!(several(&both[..2], &rule(&[], &["mail"], &[])), 0);
        let one_each = [rule(&[], &["PSVC001"], &[]), rule(&[], &["psvc002"], &[])];
        assert_eq!(several(&one_each, &rule(&["low"], &["PSVC002", "PSVC001"], &[])), 2);
        assert_eq!(several(&one_each, &rule(&[], &["PSVC001,PSVC002"], &[])), 2);
        assert_eq!(several(&one_each, &rule(&[], &["PSVC001,PSVC003"], &[])), 0);
    }
}
