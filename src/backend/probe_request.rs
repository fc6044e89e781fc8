//! Requests that ask a backend something and change nothing there.

use std::time::Duration;

use reqwest::{RequestBuilder, Url};

use super::answer::first_bytes;
use super::credentials::Credentials;
use super::probe::Probe;
use crate::http_client::{ConnectError, Outgoing, words};

/// Longest wait for the answer to a question. A person waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Greatest number of characters of an answer that a message repeats.
const LONGEST_CHARS: usize = 200;

/// Answer that the kind of backend has to judge: neither a redirect, nor 429, nor a status of 500 or more.
pub(super) struct ProbeAnswer {
    pub(super) status: u16,
    /// Beginning of the body.
    pub(super) text: String,
}

impl ProbeAnswer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// `true` for 401 and 403.
    pub(super) fn refuses_credentials(&self) -> bool {
        matches!(self.status, 401 | 403)
    }

    /// The status and the body for a message.
    pub(super) fn in_words(&self) -> String {
        let text = self.text.trim();
        if text.is_empty() {
            return format!("HTTP {}", self.status);
        }
        if text.starts_with('<') {
            return format!("HTTP {} and a page of HTML", self.status);
        }
        let end = text.char_indices().nth(LONGEST_CHARS).map_or(text.len(), |(end, _)| end);
        let (shown, rest) = text.split_at(end);
        format!("HTTP {}: {shown}{}", self.status, if rest.is_empty() { "" } else { "…" })
    }
}

/// Sends a request that changes nothing at the backend. Credentials are removed from the answer.
///
/// # Errors
/// The result, if it is the same for all kinds of backends.
pub(super) async fn ask(request: RequestBuilder, credentials: &Credentials) -> Result<ProbeAnswer, Probe> {
    let mut response = request.timeout(TIMEOUT).send().await.map_err(unreachable)?;
    let (status, location) = (response.status().as_u16(), redirect_host(&response));
    let answer = ProbeAnswer { status, text: credentials.redact(&first_bytes(&mut response).await) };
    match status {
        300..=399 => {
            let to = location.map(|host| format!(" to {}", credentials.redact(&host))).unwrap_or_default();
            Err(Probe::Unusable(format!(
                "redirects{to} (HTTP {status}), and redirects are not followed: correct url, or the proxy in between"
            )))
        }
        429 | 500.. => Err(Probe::Doubtful(format!(
            "can be reached, but answers {}. The credentials were not tested: try again later",
            answer.in_words()
        ))),
        _ => Ok(answer),
    }
}

/// Scheme and host of a redirect's target. The rest may have secrets.
fn redirect_host(response: &reqwest::Response) -> Option<String> {
    let location = response.headers().get(reqwest::header::LOCATION)?.to_str().ok()?;
    let origin = response.url().join(location).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// Connects to a receiver that nothing can be asked without an effect, with TLS where the URL says https. `untested`
/// names what only an event tests.
pub(super) async fn only_connect(outgoing: &Outgoing, url: &Url, untested: &str) -> Probe {
    match outgoing.connect(TIMEOUT, url).await {
        Ok(()) => Probe::Usable(format!(
            "{}. Nothing was sent: only the first event shows whether the receiver accepts {untested}",
            if outgoing.only_reaches_its_proxy(url) {
                "is behind a proxy that can be reached"
            } else {
                "can be reached"
            }
        )),
        Err(ConnectError::Failed(error)) => unreachable(error),
        Err(ConnectError::Client(error)) => Probe::Unusable(format!("was not asked: {error}")),
    }
}

fn unreachable(error: reqwest::Error) -> Probe {
    if error.is_timeout() {
        let seconds = TIMEOUT.as_secs();
        return Probe::Unusable(format!(
            "did not answer within {seconds} s: check url, the backend, and the network between this machine and it"
        ));
    }
    // reqwest hides the type of an error of TLS.
    let problem = words(&error.without_url());
    let cure = if problem.contains("certificate") {
        "correct the certificate of the backend, or trust its authority with outgoing.certificate_authority"
    } else {
        "check url, the backend, and the network between this machine and it"
    };
    Probe::Unusable(format!("cannot be reached ({problem}): {cure}"))
}
