//! Reading a request's body: how long it may be, how long it may take, and how much all of them may hold.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// PagerDuty sends at most 256 KiB; anything over twice that is not its.
pub(super) const LARGEST_BODY_BYTES: usize = 512 * 1024;
/// How much more of a body that is too large is read and thrown away, so that its sender gets to see the answer.
const DISCARDED_BYTES: usize = 4 * 1024 * 1024;
/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the rest of a body that is too large is waited for.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(3);
/// So much of every body is not counted. PagerDuty's usual ones fit into it, so large ones cannot keep them out; what is
/// free is bounded by the number of connections and the length of the writer's queue.
const FREE_BYTES: usize = 16 * 1024;
/// All bodies together, beyond what is free.
const BUDGET_BYTES: usize = 8 * 1024 * 1024;

/// The bytes that all bodies being read and written may hold together.
#[derive(Clone)]
pub struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BUDGET_BYTES)))
    }
}

/// A body, and the room that it takes.
#[derive(Debug)]
pub(super) struct HeldBody {
    pub(super) bytes: Bytes,
    reservation: Option<OwnedSemaphorePermit>,
}

impl HeldBody {
    /// The room, to be kept for as long as the bytes are.
    pub(super) fn into_parts(self) -> (Bytes, Option<Box<dyn Any + Send + Sync>>) {
        (self.bytes, self.reservation.map(|permit| Box::new(permit) as _))
    }
}

impl AsRef<[u8]> for HeldBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is longer than 512 KiB.
    TooLarge,
    /// It was not complete in time, or the sender went away.
    Incomplete,
    /// Too many large bodies are being read.
    NoRoom,
}

impl BodyBudget {
    /// Reads a body to its end.
    pub(super) async fn read(&self, mut body: Body) -> Result<HeldBody, BodyError> {
        let read = tokio::time::timeout(BODY_TIMEOUT, self.read_all(&mut body)).await;
        let read = read.unwrap_or(Err(BodyError::Incomplete));
        if matches!(read, Err(BodyError::TooLarge)) {
            // Its answer stands; how much of the rest comes in time makes no difference.
            let _ = tokio::time::timeout(DISCARD_TIMEOUT, discard(body)).await;
        }
        read
    }

    async fn read_all(&self, body: &mut Body) -> Result<HeldBody, BodyError> {
        let Some(first) = next_chunk(body).await? else {
            return Ok(HeldBody { bytes: Bytes::new(), reservation: None });
        };
        let mut reservation = None;
        let Some(second) = next_chunk(body).await? else {
            // The usual case: the whole body lies in one piece, and is taken as it is.
            self.reserve(&mut reservation, first.len())?;
            return Ok(HeldBody { bytes: first, reservation });
        };
        let mut whole = BytesMut::from(first);
        let mut chunk = Some(second);
        while let Some(more) = chunk {
            if whole.len() + more.len() > LARGEST_BODY_BYTES {
                return Err(BodyError::TooLarge);
            }
            whole.extend_from_slice(&more);
            self.reserve(&mut reservation, whole.len())?;
            chunk = next_chunk(body).await?;
        }
        Ok(HeldBody { bytes: whole.freeze(), reservation })
    }

    /// Makes `reservation` cover a body of `length` bytes.
    fn reserve(
        &self,
        reservation: &mut Option<OwnedSemaphorePermit>,
        length: usize,
    ) -> Result<(), BodyError> {
        let held = reservation.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = length.saturating_sub(FREE_BYTES + held);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).map_err(|_| BodyError::TooLarge)?;
        let more = Arc::clone(&self.0).try_acquire_many_owned(missing).map_err(|_| BodyError::NoRoom)?;
        match reservation {
            Some(held) => held.merge(more),
            None => *reservation = Some(more),
        }
        Ok(())
    }
}

/// The next bytes; `None` at the end.
async fn next_chunk(body: &mut Body) -> Result<Option<Bytes>, BodyError> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(_)) => return Err(BodyError::Incomplete),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data()
                    && !data.is_empty()
                {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// A sender that has not finished sending would see its connection reset instead of the answer.
async fn discard(mut body: Body) {
    let mut discarded = 0;
    while discarded < DISCARDED_BYTES
        && let Ok(Some(chunk)) = next_chunk(&mut body).await
    {
        discarded += chunk.len();
    }
}
