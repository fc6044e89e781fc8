//! The metrics backends: what each is told of a failure, and how.
//!
//! Another kind is one file here, one line in [`from_config`], and its name in `config::Kind`.

mod answer;
mod datadog;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::config;
use crate::domain::forwarding::{Destination, Frozen};
use crate::domain::retry::Verdict;

/// A backend: it freezes what it is told, and later sends just that.
pub trait Backend: Destination {
    /// Sends a frozen request once.
    fn send(&self, frozen: Frozen) -> Sending<'_>;

    /// How many attempts may be under way at once.
    fn concurrency(&self) -> usize;
}

/// An attempt under way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Reply> + Send + 'a>>;

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What it means.
    pub verdict: Verdict,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What was wrong, for people.
    pub error: Option<String>,
}

/// Why a backend cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Its key cannot be had.
    #[error("{0}")]
    Secret(#[from] config::SecretError),
    /// Its key cannot be sent.
    #[error("its key holds characters that no HTTP header can carry")]
    NotAHeader,
    /// The HTTP client cannot be built.
    #[error("cannot set up its HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// The backend that an entry of the configuration describes.
pub fn from_config(entry: &config::Backend) -> Result<Arc<dyn Backend>, SetupError> {
    match entry.kind {
        config::Kind::Datadog => Ok(Arc::new(datadog::Datadog::from_config(entry)?)),
    }
}

/// A client as every backend needs it: it follows no redirect, uses no proxy, and gives up in time.
pub(crate) fn client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    // Fails only where it was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(timeout)
        .user_agent(concat!("pagerduty-dora/", env!("CARGO_PKG_VERSION")))
        .build()
}
