//! Buttons of the outbox: retry a row, and retry or discard all rows with the same answer.

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::form::{ButtonForm, FormPage, button, foreign_form, own_form};
use super::format::count;
use super::links::Deployments;
use super::outbox_page::{about_group, answer};
use super::outbox_rows::{deployments, subject};
use super::page::{Place, Section, facts, heading, notice, page, way_back};
use super::site::Site;
use crate::http::answer::in_time;
use crate::http::api_error::ApiError;
use crate::http::outbox::Outbox;
use crate::http::token::Token;
use crate::store::{CommandTotals, ListedGroup, RowCommand, StoreError};

type Row = Result<Path<i64>, PathRejection>;
type Posted = Result<Form<ButtonForm>, FormRejection>;

/// `POST /outbox/{id}/retry`
pub(in crate::http) async fn retry(
    State(outbox): State<Arc<Outbox>>,
    State(token): State<Arc<Token>>,
    site: Site,
    row: Row,
    headers: HeaderMap,
    form: Posted,
) -> Response {
    let Some(back) = own_form(&token, form, &headers) else { return foreign_form(&site, Section::Outbox) };
    match outbox.apply(row, RowCommand::Retry).await {
        Ok(_) => Redirect::to(&back.address(&site)).into_response(),
        Err(refused) => not_changed(&site, refused.status()),
    }
}

/// `POST /outbox/{id}/alike/retry`: retries all rows with the same answer as this one.
pub(in crate::http) async fn retry_alike(
    State(outbox): State<Arc<Outbox>>,
    State(token): State<Arc<Token>>,
    site: Site,
    row: Row,
    headers: HeaderMap,
    form: Posted,
) -> Result<Response, ApiError> {
    if own_form(&token, form, &headers).is_none() {
        return Ok(foreign_form(&site, Section::Outbox));
    }
    apply_to_alike(&outbox, &site, row, RowCommand::Retry).await
}

/// `POST /outbox/{id}/alike/discard`: discards all rows with the same answer as this one.
pub(in crate::http) async fn discard_alike(
    State(outbox): State<Arc<Outbox>>,
    State(token): State<Arc<Token>>,
    site: Site,
    row: Row,
    headers: HeaderMap,
    form: Posted,
) -> Result<Response, ApiError> {
    if own_form(&token, form, &headers).is_none() {
        return Ok(foreign_form(&site, Section::Outbox));
    }
    apply_to_alike(&outbox, &site, row, RowCommand::Discard).await
}

/// `GET /outbox/{id}/alike/discard`: asks for confirmation.
pub(in crate::http) async fn confirm_discard(
    State(outbox): State<Arc<Outbox>>,
    State(token): State<Arc<Token>>,
    site: Site,
    row: Row,
) -> Result<Response, ApiError> {
    let Some(listed) = group_of(&outbox, row).await? else {
        return Ok(not_changed(&site, StatusCode::NOT_FOUND));
    };
    let example = listed.subject.clone();
    let known = outbox.reads.read(move |reader| deployments(reader, std::iter::once(&example))).await?;
    let content = confirmation(&site, token.shown(), &listed, &known);
    Ok(page(&site, Place::Within(Section::Outbox), "Discard rows", &content).into_response())
}

fn confirmation(site: &Site, token: &str, listed: &ListedGroup, known: &Deployments) -> Markup {
    let about = about_group(listed);
    let action = site.link(&format!("outbox/{}/alike/discard", listed.example));
    let rows = [
        ("Answer", answer(&listed.group)),
        ("Rows", html! { (listed.rows) }),
        ("Oldest", site.zone().second(listed.oldest_at)),
        ("Example", subject(site, &listed.subject, known)),
    ];
    html! {
        (way_back(site, Section::Outbox))
        (heading(site, &html! { "Discard " (about) "?" }))
        p { "The backend does not get these requests. A later change of a failure or a deployment is sent to it as usual." }
        (facts(&rows))
        div.buttons {
            (button(token, &action, &FormPage::Outbox, "Discard", &format!("Discard {about}")))
            a href=(site.link("outbox")) { "Keep them" }
        }
    }
}

async fn group_of(outbox: &Outbox, row: Row) -> Result<Option<ListedGroup>, ApiError> {
    let Ok(Path(row)) = row else { return Ok(None) };
    outbox.reads.read(move |reader| reader.outbox_group_of(row)).await
}

async fn apply_to_alike(
    outbox: &Outbox,
    site: &Site,
    row: Row,
    command: RowCommand,
) -> Result<Response, ApiError> {
    let Some(listed) = group_of(outbox, row).await? else {
        return Ok(not_changed(site, StatusCode::CONFLICT));
    };
    let totals = apply_in_parts(outbox, &listed, command).await.map_err(|error| {
        tracing::warn!(%error, "rows of the outbox could not be changed");
        ApiError::store_unavailable()
    })?;
    if totals.outdated == 0 {
        return Ok(Redirect::to(&site.link("outbox")).into_response());
    }
    let text = html! {
        (count(totals.done, "row")) " changed. " (count(totals.outdated, "row"))
        " stayed: a newer revision exists, or the row was changed or is being sent just now."
    };
    Ok(notice(site, Section::Outbox, (StatusCode::OK, "Not all rows changed"), &text))
}

/// Applies the command in parts, so that each part is done in time.
async fn apply_in_parts(
    outbox: &Outbox,
    listed: &ListedGroup,
    command: RowCommand,
) -> Result<CommandTotals, StoreError> {
    let (mut total, now) = (CommandTotals::default(), outbox.clock.now());
    let mut after = Some(0);
    while let Some(last) = after {
        let group = listed.group.clone();
        let (part, next) = in_time(outbox.store.apply_command_to_group(group, command, last, now)).await?;
        total += part;
        after = next;
    }
    Ok(total)
}

fn not_changed(site: &Site, status: StatusCode) -> Response {
    let text = html! {
        "The row was sent, replaced or discarded in the meantime, or the store cannot be changed now."
    };
    notice(site, Section::Outbox, (status, "Not changed"), &text)
}
