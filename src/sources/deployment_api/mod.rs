//! Requests to an API that deployments are read from. Each source has its own addresses and answers.

mod answer;
mod client;
mod error;
mod lists;
mod reading;

pub use client::{ApiClient, ApiSetupError};
pub(super) use client::{ApiNames, Page};
pub use error::{ApiError, ApiProblem};
pub(super) use lists::{Deployments, found_or_none};
pub use reading::{DeploymentApi, ReadRepository, Window};
