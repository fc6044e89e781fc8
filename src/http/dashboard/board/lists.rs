//! Addresses of the lists behind the figures: what happened in the same time, with the same filters.

use super::view::BoardView;
use crate::domain::figures::Env;

/// Start and end of a time, as queries take them. Without an end, the list has no end, too.
pub(super) type Span = [Option<String>; 2];

/// The whole period of the figures. Its bounds are exact, so that each list has what the figures count.
pub(super) fn whole_period(view: &BoardView<'_>) -> Span {
    let query = &view.figures.answer.query;
    [Some(query.since.to_string()), Some(query.until.to_string())]
}

/// Address of the failures that began in this time.
pub(super) fn failures(view: &BoardView<'_>, [since, until]: &Span) -> String {
    let more = [("since", since.as_deref()), ("until", until.as_deref()), ("env", env(view))];
    view.query.listing(view.site, "failures", &more)
}

/// Address of the deployments that ended in this time: all, or those that failed.
pub(super) fn deployments(view: &BoardView<'_>, [since, until]: &Span, failed: bool) -> String {
    let failed = failed.then_some("true");
    let more =
        [("since", since.as_deref()), ("until", until.as_deref()), ("failed", failed), ("env", env(view))];
    view.query.listing(view.site, "deployments", &more)
}

/// Env of the figures, if the filters do not name it already: the listings show all envs by default.
fn env<'a>(view: &BoardView<'a>) -> Option<&'a str> {
    let query = &view.figures.answer.query;
    (view.query.board.env.is_none() && query.env != Env::All).then(|| query.env_name())
}
