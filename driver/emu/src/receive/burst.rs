//! The frames of one request: the thread of the receiving end helps to copy them.
//!
//! ```text
//!   written back │ filled, copies under way │ being filled │ to come
//!  ──────────────┼──────────────────────────┼──────────────┼─────────
//!             settled                     begun
//! ```
//! A frame is written back, and so the driver's, when those before it are and its last copy is done. One whose page was
//! gone ends the burst: what was begun behind it is given up, its buffers half written and its descriptors as they were.

use super::engine::Target;
use super::intake::{Admitted, Intake};
use super::place::Filling;
use crate::family::Family;
use crate::memory::{Mark, Poster, Posting};
use crate::wire::{BURST, Delivery, WireFrame};

/// A frame whose bytes are in its buffers, or will be.
struct Begun<'env> {
    frame: &'env WireFrame<'env>,
    admitted: Admitted,
    filling: Filling<'env>,
    copied: Mark,
}

struct Burst<'env> {
    begun: [Option<Begun<'env>>; BURST],
    settled: usize,
    /// What has become of the last frame that is settled.
    last: Delivery,
}

/// Delivers at most [`BURST`] frames, as [`Inlet::deliver_all`](crate::wire::Inlet::deliver_all) says.
pub(super) fn deliver<'env, F: Family>(
    target: &'env Target<'_>,
    intake: &mut Intake<'_>,
    poster: &mut Poster,
    frames: &'env [WireFrame<'env>],
    fate: &mut dyn FnMut(&WireFrame<'_>, Delivery),
) -> Delivery {
    poster.share(|posting| {
        let mut burst = Burst {
            begun: [const { None }; BURST],
            settled: 0,
            last: Delivery::Accepted,
        };
        for (number, frame) in frames.iter().enumerate() {
            let admitted = intake.admit(frame);
            let filling = (admitted.as_ref().ok())
                .and_then(|admitted| target.begin(admitted, frame, burst.end_of(admitted.queue)));
            match (admitted, filling) {
                (Ok(admitted), Some(mut filling)) => {
                    // Who helps would still be at the last frame's when everything else is done.
                    let is_last = number + 1 == frames.len();
                    while filling.next(if is_last { None } else { Some(posting) }) {
                        burst.settle::<F>(posting, intake, fate);
                    }
                    burst.begun[number] = Some(Begun {
                        frame,
                        admitted,
                        filling,
                        copied: posting.mark(),
                    });
                }
                (admitted, _) => {
                    burst.finish::<F>(posting, intake, fate);
                    // One of those before it may have stopped the rest.
                    if !burst.last.stops() {
                        let refusal = match admitted {
                            Ok(admitted) => intake.no_buffer(&admitted, frame),
                            Err(refusal) => refusal,
                        };
                        burst.answer(frame, refusal, fate);
                        burst.settled = number + 1;
                    }
                }
            }
            if burst.last.stops() {
                return burst.last;
            }
        }
        burst.finish::<F>(posting, intake, fate);
        burst.last
    })
}

impl Burst<'_> {
    /// The descriptor behind the last that this burst uses of a queue.
    fn end_of(&self, queue: usize) -> Option<u32> {
        let mut begun = self.begun.iter().flatten();
        let last = begun.rfind(|begun| begun.admitted.queue == queue)?;
        Some(last.filling.end())
    }

    /// Writes back what is copied by now.
    #[inline]
    fn settle<F: Family>(
        &mut self,
        posting: &mut Posting<'_, '_>,
        intake: &mut Intake<'_>,
        fate: &mut dyn FnMut(&WireFrame<'_>, Delivery),
    ) {
        while !self.last.stops()
            && let Some(Some(begun)) = self.begun.get(self.settled)
            && posting.is_done(begun.copied)
        {
            let delivery = intake.settle::<F>(&begun.filling, &begun.admitted, begun.frame);
            self.answer(begun.frame, delivery, fate);
            self.settled += 1;
        }
    }

    /// Writes back everything.
    fn finish<F: Family>(
        &mut self,
        posting: &mut Posting<'_, '_>,
        intake: &mut Intake<'_>,
        fate: &mut dyn FnMut(&WireFrame<'_>, Delivery),
    ) {
        posting.finish();
        self.settle::<F>(posting, intake, fate);
    }

    fn answer(
        &mut self,
        frame: &WireFrame<'_>,
        delivery: Delivery,
        fate: &mut dyn FnMut(&WireFrame<'_>, Delivery),
    ) {
        fate(frame, delivery);
        self.last = delivery;
    }
}
