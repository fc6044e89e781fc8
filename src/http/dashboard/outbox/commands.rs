//! Buttons of the outbox: retry a row, and retry or discard all rows with the same answer.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::page::{about_group, answer};
use super::rows::{deployments, subject};
use crate::http::answer::in_time;
use crate::http::api_error::ApiError;
use crate::http::dashboard::parts::form::{self, FormPage, OwnForm, button};
use crate::http::dashboard::parts::format::count;
use crate::http::dashboard::parts::links::Deployments;
use crate::http::dashboard::parts::page::{Place, Section, facts, heading, notice, page, way_back};
use crate::http::dashboard::parts::site::Site;
use crate::http::outbox::Outbox;
use crate::http::token::Token;
use crate::store::{CommandTotals, ListedGroup, RowCommand, StoreError};

type Row = Result<Path<i64>, PathRejection>;

/// `POST /outbox/{id}/retry`
pub(in crate::http) async fn retry(
    State(outbox): State<Arc<Outbox>>,
    site: Site,
    row: Row,
    OwnForm(back): OwnForm,
) -> Response {
    match outbox.apply(row, RowCommand::Retry).await {
        Ok(_) => Redirect::to(&back.address(&site)).into_response(),
        Err(refused) => not_changed(&site, refused.status()),
    }
}

/// `POST /outbox/{id}/group/retry`: retries all rows with the same answer as this one.
pub(in crate::http) async fn retry_group(
    State(outbox): State<Arc<Outbox>>,
    site: Site,
    row: Row,
    OwnForm(back): OwnForm,
) -> Result<Response, ApiError> {
    apply_to_group(&outbox, &site, row, RowCommand::Retry, &back).await
}

/// `POST /outbox/{id}/group/discard`: discards all rows with the same answer as this one.
pub(in crate::http) async fn discard_group(
    State(outbox): State<Arc<Outbox>>,
    site: Site,
    row: Row,
    OwnForm(back): OwnForm,
) -> Result<Response, ApiError> {
    apply_to_group(&outbox, &site, row, RowCommand::Discard, &back).await
}

/// `GET /outbox/{id}/group/discard`: asks for confirmation.
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
    let action = site.link(&format!("outbox/{}/group/discard", listed.example));
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

async fn apply_to_group(
    outbox: &Outbox,
    site: &Site,
    row: Row,
    command: RowCommand,
    back: &FormPage,
) -> Result<Response, ApiError> {
    let Some(listed) = group_of(outbox, row).await? else {
        return Ok(not_changed(site, StatusCode::CONFLICT));
    };
    let totals = apply_in_parts(outbox, &listed, command).await.map_err(|error| {
        tracing::warn!(%error, "rows of the outbox could not be changed");
        ApiError::not_stored(&error)
    })?;
    if totals.outdated == 0 {
        return Ok(Redirect::to(&back.address(site)).into_response());
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
    let why = "Nothing was changed: the row was sent, replaced or discarded in the meantime.";
    form::not_changed(site, Section::Outbox, status, why)
}
