//! `/deployments`: the last deployment, until the listing is built.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::html;

use super::format::ago;
use super::page::{Place, Section, heading, page};
use super::site::Site;
use crate::http::api_error::ApiError;
use crate::http::failures::FailureLookup;
use crate::store::Reader;

/// `GET /deployments`
pub(in crate::http) async fn list(
    State(failures): State<Arc<FailureLookup>>,
    site: Site,
) -> Result<Html<String>, ApiError> {
    let last = failures.reads.read(Reader::last_deployment_at).await?;
    let content = html! {
        (heading(&site, &html! { "Deployments" }))
        p.card {
            @match last {
                Some(at) => {
                    "The last deployment finished " (ago(failures.clock.now(), at)) " ago ("
                    (site.zone().minute(at)) ")."
                }
                None => {
                    "There is no deployment yet. Pipelines send deployments to "
                    code { "POST /api/v2/dora/deployment" } " of the public listener."
                }
            }
        }
    };
    Ok(page(&site, Place::At(Section::Deployments), "Deployments", &content))
}
