//! Results of asking a backend whether it can be used.

use std::future::Future;
use std::pin::Pin;

/// Result of a question to a backend. The text follows the address of the backend, and says what to do if something is
/// wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Nothing that can be asked is wrong.
    Usable(String),
    /// The backend answers, but the answer does not show whether it accepts the credentials.
    Doubtful(String),
    /// Requests to the backend will fail.
    Unusable(String),
}

/// A question under way.
pub(super) type Probing<'a> = Pin<Box<dyn Future<Output = Probe> + Send + 'a>>;
