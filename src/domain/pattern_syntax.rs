//! Properties of a regular expression that are read from its syntax tree. No automaton is built, so any size is fine.

use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

/// Length of PagerDuty's longest titles. A larger bound of a repetition has no effect.
const LONGEST_TITLE: u32 = 1024;

/// `true` if an expression has an empty match in every text.
pub(super) fn matches_every_text(pattern: &str) -> bool {
    regex_syntax::parse(pattern)
        .is_ok_and(|hir| [true, false].into_iter().any(|is_start| is_empty(&hir, is_start)))
}

/// `true` if an expression matches the empty text at the start (`is_start`) or at the end of every text.
fn is_empty(hir: &Hir, is_start: bool) -> bool {
    match hir.kind() {
        HirKind::Empty => true,
        HirKind::Look(Look::Start | Look::StartLF | Look::StartCRLF) => is_start,
        HirKind::Look(Look::End | Look::EndLF | Look::EndCRLF) => !is_start,
        HirKind::Repetition(repetition) => repetition.min == 0 || is_empty(&repetition.sub, is_start),
        HirKind::Capture(capture) => is_empty(&capture.sub, is_start),
        HirKind::Concat(parts) => parts.iter().all(|part| is_empty(part, is_start)),
        HirKind::Alternation(parts) => parts.iter().any(|part| is_empty(part, is_start)),
        HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

/// `true` if an expression contains a word boundary (`\b`) or its negation (`\B`).
pub(super) fn has_word_boundary(pattern: &str) -> bool {
    regex_syntax::parse(pattern).is_ok_and(|hir| hir.properties().look_set().contains_word())
}

/// Replaces upper bounds of repetitions that no title reaches by `*` or `+`.
pub(super) fn without_large_bounds(pattern: &str) -> String {
    match regex_syntax::parse(pattern) {
        Ok(hir) => unbounded(&hir).to_string(),
        Err(_) => pattern.to_owned(),
    }
}

fn unbounded(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Repetition(Repetition { min, max, greedy, sub }) => {
            let is_large = *min <= 1 && max.is_some_and(|max| max >= LONGEST_TITLE);
            let max = if is_large { None } else { *max };
            Hir::repetition(Repetition { min: *min, max, greedy: *greedy, sub: Box::new(unbounded(sub)) })
        }
        HirKind::Capture(capture) => unbounded(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(unbounded).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(unbounded).collect()),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => hir.clone(),
    }
}
