//! Who has been silent for too long: told so, asked to end, or cut off.
//!
//! A client is looked at a second after something has happened to it, and each second while something is under way; one that rests,
//! when it will have rested for as long as it may.

use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::{Duration, Failure, Instant, Stack};

use super::Serving;
use crate::serve::Limits;
use crate::serve::http::Reading;

/// How often a client is looked at that has to do something soon.
const LOOK: Duration = Duration::from_secs(1);
/// Most clients that are looked at in a turn: the others wait no longer for that.
const LOOKS: usize = 32;

impl Serving<'_> {
    /// Something has happened to a client: it is looked at soon.
    pub(super) fn look_soon(&mut self, key: usize, now: Instant) {
        let soon = now + LOOK;
        // Never later than before: somebody who sends a byte now and then would never be looked at.
        if self.next_looks.deadline(key).is_none_or(|look| look > soon) {
            self.next_looks.set(key, soon);
        }
    }

    /// Looks at clients that may have been silent for too long.
    pub(super) fn look_around<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>, now: Instant) {
        for _ in 0..LOOKS {
            let Some(key) = self.next_looks.pop_due(now) else {
                return;
            };
            self.look_at(stack, key, now);
        }
    }

    /// Ends what has been silent for too long, and says when to look again.
    fn look_at<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>, key: usize, now: Instant) {
        self.looks += 1;
        self.next_looks.set(key, now + LOOK);
        let client = &mut self.clients[key];
        let Some(status) = stack.status(client.id) else {
            return self.leave(stack, key);
        };
        if status.acknowledged > client.acknowledged {
            client.acknowledged = status.acknowledged;
            client.since = now;
        }
        let silent = now - client.since;
        let Limits {
            idle,
            request,
            stalled,
            linger,
            ..
        } = self.limits;
        if status.is_under_way() {
            if silent >= stalled {
                let seconds = silent.secs();
                stack.abort(client.id, Failure::Silent { seconds });
            }
        } else if client.ending {
            if status.drained {
                self.leave(stack, key);
            } else if silent >= linger {
                stack.abort(client.id, Failure::Aborted);
            }
        } else if client.requests.have_begun() {
            if silent >= request {
                let peer = client.peer;
                let windows = stack.windows().clone();
                let bytes = self.answering.answer(Reading::Incomplete, peer, &windows, now);
                self.promise(stack, key, bytes, now);
            }
        } else if silent >= idle || self.draining.is_some() {
            self.end(stack, key, now);
        } else {
            self.next_looks.set(key, client.since + idle);
        }
    }
}
