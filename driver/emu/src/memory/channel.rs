//! A second DMA channel: the receiving end's thread does part of the copying.
//!
//! Of two NICs in silicon each has an engine of its own for memory. Here one thread copies what it sends into the
//! receiver's memory, and waits for that memory most of the time, while the receiver's thread waits for it. So it *posts*
//! some of the copies for the receiver's thread, which then finds the bytes in its own cache when the stack reads them.
//! A posted copy is taken by whoever comes first: nobody has to help.
//!
//! The memory is borrowed by the one who posts, so all that was posted is done before [`Poster::share`] returns.
#![allow(unsafe_code, reason = "runs copies between raw addresses on another thread")]

use std::hint;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crossbeam_queue::ArrayQueue;
use crossbeam_utils::CachePadded;

use super::access::{Piece, RawCopy, Room};

/// Copies that may be posted and not done.
const SLOTS: usize = 64;
/// The shortest copy in bytes that is worth it.
const SHORTEST: usize = 8 << 10;
/// Looks at a copy that somebody else has begun, before the core is offered to others.
const SPINS: u32 = 1_000;

/// What both ends of a channel share.
#[derive(Debug)]
struct Copies {
    /// Posted, and taken by nobody yet.
    waiting: ArrayQueue<Posted>,
    /// For the copy with number n, slot n modulo their count holds n + 1 when it is done.
    done: [CachePadded<AtomicU64>; SLOTS],
}

#[derive(Debug)]
struct Posted {
    number: u64,
    copy: RawCopy,
}

impl Copies {
    /// Takes the first that waits, and does it. `false` where none does.
    fn work(&self) -> bool {
        let Some(Posted { number, copy }) = self.waiting.pop() else {
            return false;
        };
        // SAFETY: `Poster::share` does not return before this copy is marked as done, and what it copies lives for
        // longer than that call. Others may write to the same bytes meanwhile (a driver that posts one buffer twice):
        // it is memory for DMA, to which nobody has a reference, and any of what was written may stand there.
        unsafe { copy.run() };
        // Release: who sees the mark sees the bytes, and the faults that the copy met.
        self.done[number as usize % SLOTS].store(number + 1, Ordering::Release);
        true
    }
}

/// A channel's two ends.
pub(crate) fn channel() -> (Poster, Helper) {
    let copies = Arc::new(Copies {
        waiting: ArrayQueue::new(SLOTS),
        done: [const { CachePadded::new(AtomicU64::new(0)) }; SLOTS],
    });
    let poster = Poster {
        copies: Arc::clone(&copies),
        posted: 0,
        finished: 0,
    };
    (poster, Helper(copies))
}

/// The end that helps.
#[derive(Debug)]
pub(crate) struct Helper(Arc<Copies>);

impl Helper {
    /// Does what is posted, no more than a channel holds. Returns how many copies it did.
    #[inline]
    pub(crate) fn work(&self) -> usize {
        (0..SLOTS).take_while(|_| self.0.work()).count()
    }
}

/// The end that posts.
#[derive(Debug)]
pub(crate) struct Poster {
    copies: Arc<Copies>,
    /// How many copies have been posted.
    posted: u64,
    /// How many of them, from the first on, are known to be done.
    finished: u64,
}

impl Poster {
    /// Calls `work`, which may post copies of memory that lives for `'env`. When this returns, all of them are done;
    /// those that nobody has taken are done here.
    pub(crate) fn share<'env, R>(&mut self, work: impl FnOnce(&mut Posting<'_, 'env>) -> R) -> R {
        let rest = Rest(self);
        work(&mut Posting {
            poster: rest.0,
            memory: PhantomData,
        })
    }

    /// Counts on as far as copies are done, one after the other.
    #[inline]
    fn count(&mut self) -> u64 {
        while self.finished < self.posted
            && self.copies.done[self.finished as usize % SLOTS].load(Ordering::Acquire) == self.finished + 1
        {
            self.finished += 1;
        }
        self.finished
    }

    /// Does what nobody has taken, and waits for what somebody has. The wait is no longer than one copy, unless its
    /// thread is kept from its core: the memory is that thread's until then, as under a lock.
    fn finish(&mut self) {
        let mut spins = 0;
        while self.count() < self.posted {
            if self.copies.work() {
                continue;
            }
            spins += 1;
            if spins % SPINS == 0 {
                thread::yield_now();
            } else {
                hint::spin_loop();
            }
        }
    }
}

/// Finishes what is posted, however the work ends.
struct Rest<'p>(&'p mut Poster);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// How far copies have been posted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(u64);

/// What may post, for the time of one [`Poster::share`].
#[derive(Debug)]
pub(crate) struct Posting<'p, 'env> {
    poster: &'p mut Poster,
    /// Invariant: nobody makes `'env` shorter than it was when `share` was called.
    memory: PhantomData<fn(&'env ()) -> &'env ()>,
}

impl<'env> Posting<'_, 'env> {
    /// Writes a piece of the sender's memory at `offset` of `room`, or posts it. Returns how many bytes fit. They are
    /// there, and known to be real or not, once [`is_done`](Self::is_done) says so.
    #[inline]
    pub(crate) fn write_piece(&mut self, room: &Room<'env>, offset: usize, piece: &Piece<'env>) -> usize {
        let copy = room.copy_of(offset, piece);
        if copy.len() < SHORTEST || !self.post(copy) {
            // SAFETY: the room and the piece live; of others who write there, see `Copies::work`.
            unsafe { copy.run() };
        }
        copy.len()
    }

    /// Posts a copy, unless the channel is full.
    #[inline]
    fn post(&mut self, copy: RawCopy) -> bool {
        let number = self.poster.posted;
        // A mark must have been seen before its slot is another copy's: an overwritten one would be waited for for ever.
        let is_free = number - self.poster.count() < SLOTS as u64;
        let posted = is_free && self.poster.copies.waiting.push(Posted { number, copy }).is_ok();
        self.poster.posted += u64::from(posted);
        posted
    }

    /// Where the copies so far end.
    #[inline]
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.poster.posted)
    }

    /// Whether all copies before the mark are done.
    #[inline]
    pub(crate) fn is_done(&mut self, mark: Mark) -> bool {
        self.poster.count() >= mark.0
    }

    /// Waits until all of them are, and does those that nobody has taken.
    pub(crate) fn finish(&mut self) {
        self.poster.finish();
    }
}

#[cfg(test)]
mod tests;
