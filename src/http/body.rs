//! Reading of a request's body, within limits of length and time.

use std::any::Any;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep_until};

use super::budget::{BodyBudget, FREE_BYTES, NoRoom, Reservation};

/// PagerDuty sends at most 256 KiB. A body of more than twice that is not from PagerDuty.
pub(super) const LARGEST_BODY_BYTES: usize = 512 * 1024;
/// Bytes beyond the limit that are read and discarded, so that the sender of a too large body sees the answer.
const DISCARDED_BYTES: usize = 4 * 1024 * 1024;
/// Time that a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for reading the rest of a body that is too large.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(3);
/// Lowest speed of a body over [`FREE_BYTES`], after [`GRACE`]. A body of 256 KiB that takes all ten seconds is twice
/// as fast.
const SLOWEST_BYTES_PER_SECOND: u64 = 12 * 1024;
/// Time at the start of a long body in which it may be slower.
const GRACE: Duration = Duration::from_secs(2);

/// A body, and the room reserved for it.
#[derive(Debug)]
pub(super) struct HeldBody {
    pub(super) bytes: Bytes,
    reservation: Option<Reservation>,
}

impl HeldBody {
    /// The bytes and their reservation, which must live as long as the bytes.
    pub(super) fn into_parts(self) -> (Bytes, Option<Box<dyn Any + Send + Sync>>) {
        (self.bytes, self.reservation.map(|reservation| Box::new(reservation) as _))
    }
}

impl AsRef<[u8]> for HeldBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reason why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is longer than 512 KiB.
    TooLarge,
    /// It was not complete in time, or the sender went away.
    Incomplete,
    /// Too many large bodies are being received or kept.
    NoRoom,
}

impl From<NoRoom> for BodyError {
    /// Both reasons get the same answer: 503, so that the sender sends the body again.
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

impl BodyBudget {
    /// Reads a body to its end.
    pub(super) async fn read(&self, mut body: Body) -> Result<HeldBody, BodyError> {
        let read = tokio::time::timeout(BODY_TIMEOUT, self.read_all(&mut body)).await;
        let read = read.unwrap_or(Err(BodyError::Incomplete));
        if matches!(read, Err(BodyError::TooLarge)) {
            // The answer is the same, even if the rest is not read in time.
            let _ = tokio::time::timeout(DISCARD_TIMEOUT, discard(body)).await;
        }
        read
    }

    async fn read_all(&self, body: &mut Body) -> Result<HeldBody, BodyError> {
        let began = Instant::now();
        let Some(first) = next_chunk(body).await? else {
            return Ok(HeldBody { bytes: Bytes::new(), reservation: None });
        };
        let mut reservation = None;
        self.reserve(&mut reservation, first.len())?;
        let Some(second) = next_chunk_in_time(body, reservation.as_ref(), began, first.len()).await? else {
            // The usual case: the body is one chunk and needs no copy.
            return complete(first, reservation);
        };
        let mut whole = BytesMut::from(first);
        let mut chunk = Some(second);
        while let Some(more) = chunk {
            if whole.len() + more.len() > LARGEST_BODY_BYTES {
                return Err(BodyError::TooLarge);
            }
            whole.extend_from_slice(&more);
            self.reserve(&mut reservation, whole.len())?;
            chunk = next_chunk_in_time(body, reservation.as_ref(), began, whole.len()).await?;
        }
        complete(whole.freeze(), reservation)
    }

    /// Makes `reservation` cover a body of `length` bytes.
    fn reserve(&self, reservation: &mut Option<Reservation>, length: usize) -> Result<(), BodyError> {
        if length > FREE_BYTES {
            reservation.get_or_insert_with(|| self.begin()).cover(length)?;
        }
        Ok(())
    }
}

fn complete(bytes: Bytes, mut reservation: Option<Reservation>) -> Result<HeldBody, BodyError> {
    if let Some(reservation) = &mut reservation {
        reservation.complete()?;
    }
    Ok(HeldBody { bytes, reservation })
}

/// Next chunk of a body that has `length` bytes so far. A body with a reservation must be fast enough, and may have to
/// give way.
async fn next_chunk_in_time(
    body: &mut Body,
    reservation: Option<&Reservation>,
    began: Instant,
    length: usize,
) -> Result<Option<Bytes>, BodyError> {
    let Some(reservation) = reservation else {
        return next_chunk(body).await;
    };
    tokio::select! {
        biased;
        () = reservation.gives_way() => Err(BodyError::NoRoom),
        chunk = next_chunk(body) => chunk,
        () = sleep_until(began + time_allowed(length)) => Err(BodyError::Incomplete),
    }
}

/// Time from the start of a long body within which more than `length` bytes must have arrived.
fn time_allowed(length: usize) -> Duration {
    let millis = u64::try_from(length).unwrap_or(u64::MAX).saturating_mul(1_000) / SLOWEST_BYTES_PER_SECOND;
    GRACE + Duration::from_millis(millis)
}

/// Next chunk that is not empty. `None` at the end of the body.
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

/// Reads and discards the rest. Otherwise the sender would see a reset connection instead of the answer.
async fn discard(mut body: Body) {
    let mut discarded = 0;
    while discarded < DISCARDED_BYTES
        && let Ok(Some(chunk)) = next_chunk(&mut body).await
    {
        discarded += chunk.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_must_arrive_fast_enough() {
        assert_eq!(time_allowed(12 * 1024), Duration::from_secs(3));
        // PagerDuty's longest body may take the whole ten seconds.
        let evenly = |length: usize| BODY_TIMEOUT * u32::try_from(length / 1024).unwrap() / 256;
        assert!((0..=256).all(|kib| evenly(kib * 1024) <= time_allowed(kib * 1024)));
        // A body of 60 KiB, spread over ten seconds, is too slow.
        assert!((1..60).any(|kib| BODY_TIMEOUT * kib / 60 > time_allowed(kib as usize * 1024)));
    }
}
