//! Report-status policy: which descriptors tell that they are done, and what that vouches for.
//!
//! The device writes a descriptor's done bit only where it is asked to, and each such write costs it a bus transaction and
//! the driver a cache miss. So it is asked at the last packet before a doorbell and after every quarter ring, at a
//! packet's last descriptor. Those positions are the *marks*. The device works in order, so a mark that is done vouches
//! for everything before it: [`reap`](crate::port::TxQueue::reap) looks at marks and at nothing else.

use super::{Transmitter, TxDevice};
use crate::dma::Frame;

/// A descriptor that reports, and what it vouches for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// Position after it, among the descriptors.
    end: usize,
    /// How many frames were posted up to there, ever.
    frames: usize,
    /// How many slices.
    slices: usize,
}

impl<D: TxDevice> Transmitter<D> {
    /// Asks for a report where enough was posted since the last one.
    #[inline]
    pub(super) fn mark_if_due(&mut self) {
        if self.tail >= self.mark_due {
            self.mark();
        }
    }

    /// Asks for a report on the last descriptor posted, which the device does not own yet.
    pub(super) fn mark(&mut self) {
        self.descriptors.add_bits(self.tail - 1, D::REPORT);
        let mark = Mark {
            end: self.tail,
            frames: self.frames.tail(),
            slices: self.slices.tail(),
        };
        let pushed = self.marks.push(mark);
        debug_assert!(pushed.is_ok(), "there are fewer marks than descriptors");
        self.marked = self.tail;
        self.mark_due = self.tail + self.frames.capacity() / 4;
    }

    /// [`TxQueue::reap`](crate::port::TxQueue::reap).
    #[inline]
    pub(super) fn reap_marked(&mut self, freed: &mut Vec<Frame>) -> usize {
        let mut last = None;
        while let Some(&mark) = self.marks.first() {
            if self.descriptors.done_word(mark.end - 1) & D::DONE == 0 {
                break;
            }
            last = self.marks.pop();
        }
        let Some(mark) = last else { return 0 };
        let count = mark.end - self.head;
        self.head = mark.end;
        self.full = mark.end + self.frames.capacity() - 1;
        self.frames
            .pop_into(mark.frames.wrapping_sub(self.frames.head()), freed);
        while self.slices.head() != mark.slices {
            drop(self.slices.pop());
        }
        count
    }
}
