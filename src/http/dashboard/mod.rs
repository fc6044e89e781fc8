//! The dashboard at the admin listener's `/`: server-rendered, without a script and without anything from elsewhere.

mod backends;
mod boards;
mod failures;
mod figures;
mod health;
mod outbox;
mod page;
mod plot;
pub(super) mod quarantine;
mod received;
mod story;
mod words;

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, PathRejection, QueryRejection};
use axum::extract::{Form, Path, Query, Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use self::boards::PERIODS;
pub(super) use self::boards::{Boards, TREND_SPAN};
use self::page::{Shown, dashboard, notice};
use super::admin::{Admin, Told, UNKNOWN_FAILURE, blocking, obey, story as told};
use crate::domain::failure::State as FailureState;
use crate::random;
use crate::store::{Filter, Order, OutboxFilter, RowState};

/// Number of failures and dead letters that are listed.
const LISTED: usize = 25;
/// Default period, in days.
const DEFAULT_DAYS: u64 = 30;
/// Nothing from elsewhere, no script, no frame around it; forms go to where the page came from.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Token that a form has to send along: no page from elsewhere can know it.
pub struct Token {
    shown: String,
    /// Its digest: comparing that tells nothing of how much of a guess was right.
    digest: [u8; 32],
}

impl Token {
    /// A new one.
    pub fn new() -> std::io::Result<Self> {
        let shown = random::secret()?;
        let digest = Sha256::digest(&shown).into();
        Ok(Self { shown, digest })
    }

    fn is(&self, sent: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(sent).into();
        digest == self.digest
    }
}

/// Headers that keep browsers from doing what the page does not need.
///
/// Referrers stay on this listener. `no-referrer` would have browsers say `Origin: null` with the page's own forms,
/// which are told by it from those of others (Fetch: append a request `Origin` header).
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// `GET /style.css`
pub(super) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("style.css")).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DashboardQuery {
    days: Option<u64>,
}

/// `GET /`
pub(super) async fn index(
    State(admin): State<Arc<Admin>>,
    query: Result<Query<DashboardQuery>, QueryRejection>,
) -> Response {
    let days = query.ok().and_then(|Query(query)| query.days).filter(|days| PERIODS.contains(days));
    match shown(&admin, days.unwrap_or(DEFAULT_DAYS)).await {
        Ok(shown) => dashboard(&shown).into_response(),
        Err(response) => response,
    }
}

async fn shown(admin: &Admin, days: u64) -> Result<Shown, Response> {
    let (reader, now) = (admin.reader.clone(), admin.clock.now());
    let (env, token) = (admin.policy.default_env.clone(), admin.token.shown.clone());
    let backends = admin.recipients.iter().map(|recipient| recipient.name.clone()).collect();
    let trouble = admin.store.trouble();
    let received = admin.requests.last();
    let figures = admin.figures.boards(now, &env, &admin.timezone).await?;
    let gauges_computed_at = admin.figures.gauges_computed_at();
    blocking(move || {
        let list = |state| {
            let filter = Filter { state, limit: LISTED, ..Filter::default() };
            reader.failures(&filter).map(|page| page.failures)
        };
        let dead = OutboxFilter { state: Some(RowState::Dead), limit: LISTED, ..OutboxFilter::default() };
        Ok(Shown {
            days,
            now,
            last_received_at: reader.last_received_at()?,
            received,
            last_deployment_at: reader.last_deployment_at()?,
            open: list(Some(FailureState::Open))?,
            figures,
            gauges_computed_at,
            recent: list(None)?,
            backends,
            gauges: reader.gauges()?,
            trouble,
            dead: reader.outbox(&dead)?.rows,
            token,
            env,
        })
    })
    .await
}

/// `GET /failures/{id}`
pub(super) async fn failure(State(admin): State<Arc<Admin>>, Path(id): Path<String>) -> Response {
    match told(&admin, id.clone()).await {
        Ok(Told::Story(found)) => story::story(&id, &found).into_response(),
        Ok(Told::Unknown) => notice(StatusCode::NOT_FOUND, "Not found", &html! { (UNKNOWN_FAILURE) }),
        Ok(Told::Several(ids)) => {
            let text = html! {
                "Several failures have an id like this:"
                @for id in &ids { " " a href={ "/failures/" (id) } { (id) } }
            };
            notice(StatusCode::NOT_FOUND, "Not found", &text)
        }
        Err(response) => response,
    }
}

#[derive(Deserialize)]
pub(super) struct RetryForm {
    token: String,
}

/// `POST /outbox/{id}/retry`, from the form of a page that was shown here.
pub(super) async fn retry(
    State(admin): State<Arc<Admin>>,
    row: Result<Path<i64>, PathRejection>,
    headers: HeaderMap,
    form: Result<Form<RetryForm>, FormRejection>,
) -> Response {
    if !is_ours(&admin, form, &headers) {
        return not_ours();
    }
    let response = obey(&admin, row, Order::Retry).await;
    if response.status().is_success() {
        return Redirect::to("/#outbox").into_response();
    }
    let text = html! {
        "It was sent, replaced or given up meanwhile, or the store cannot be changed now. "
        a href="/#outbox" { "See what is left" } "."
    };
    notice(response.status(), "Not retried", &text)
}

/// `true` if a form comes from a page shown by this process.
fn is_ours(admin: &Admin, form: Result<Form<RetryForm>, FormRejection>, headers: &HeaderMap) -> bool {
    form.is_ok_and(|Form(form)| admin.token.is(&form.token)) && is_from_here(headers)
}

fn not_ours() -> Response {
    let text =
        html! { "The form is not of a page shown by this process. " a href="/" { "Load it again" } "." };
    notice(StatusCode::FORBIDDEN, "Refused", &text)
}

/// `true` if a browser says that a page of this very listener sent it.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(ORIGIN), text(HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        _ => false,
    }
}
