//! Reading a request's body: how long it may be, and how long it may take.

use std::any::Any;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep_until};

use super::budget::{BodyBudget, FREE_BYTES, NoRoom, Reservation};

/// PagerDuty sends at most 256 KiB; anything over twice that is not its.
pub(super) const LARGEST_BODY_BYTES: usize = 512 * 1024;
/// Bytes of a body that is too large that are read beyond the limit and thrown away, so that its sender gets to
/// see the answer.
const DISCARDED_BYTES: usize = 4 * 1024 * 1024;
/// Time that a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait for the rest of a body that is too large.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(3);
/// Lowest speed of a body that is longer than the free part of the budget, once it has had [`GRACE`]. A body of
/// 256 KiB that needs all of its ten seconds comes twice as fast.
const SLOWEST_BYTES_PER_SECOND: u64 = 12 * 1024;
/// Time that a long body may come more slowly than that.
const GRACE: Duration = Duration::from_secs(2);

/// A body, and the room that it takes.
#[derive(Debug)]
pub(super) struct HeldBody {
    pub(super) bytes: Bytes,
    reservation: Option<Reservation>,
}

impl HeldBody {
    /// The room, to be kept for as long as the bytes are.
    pub(super) fn into_parts(self) -> (Bytes, Option<Box<dyn Any + Send + Sync>>) {
        (self.bytes, self.reservation.map(|reservation| Box::new(reservation) as _))
    }
}

impl AsRef<[u8]> for HeldBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reason why there is no body.
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
    /// A sender that had to give way is told to send again, like one that found no room.
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
            // Its answer stands; how much of the rest comes in time makes no difference.
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
        let Some(second) = in_pace(body, reservation.as_ref(), began, first.len()).await? else {
            // The usual case: the whole body lies in one piece, and is taken as it is.
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
            chunk = in_pace(body, reservation.as_ref(), began, whole.len()).await?;
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

/// The next bytes of a body of which `length` have come since it began. One that takes room must come fast enough, and
/// may have to give way.
async fn in_pace(
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
        () = sleep_until(began + allowed(length)) => Err(BodyError::Incomplete),
    }
}

/// Time that a long body may take to send its first `length` bytes and one more.
fn allowed(length: usize) -> Duration {
    let millis = u64::try_from(length).unwrap_or(u64::MAX).saturating_mul(1_000) / SLOWEST_BYTES_PER_SECOND;
    GRACE + Duration::from_millis(millis)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_has_to_come_fast_enough() {
        assert_eq!(allowed(12 * 1024), Duration::from_secs(3));
        // PagerDuty's longest body may use all of its time.
        let evenly = |length: usize| BODY_TIMEOUT * u32::try_from(length / 1024).unwrap() / 256;
        assert!((0..=256).all(|kib| evenly(kib * 1024) <= allowed(kib * 1024)));
        // 60 KB, spread over ten seconds, may not.
        assert!((1..60).any(|kib| BODY_TIMEOUT * kib / 60 > allowed(kib as usize * 1024)));
    }
}
