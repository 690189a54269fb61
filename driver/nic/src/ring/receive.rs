//! The receive side: receive, recycle, refill.
//!
//! All frames that are not in other hands wait in one queue, in which the ring is the front part:
//!
//! ```text
//!        head                offered                 tail
//!   ──────┼─────────────────────┼──────────────────────┼──────
//!         │  the device's: one  │  spare: back from    │
//!         │  descriptor each    │  whoever had them    │
//! ```
//!
//! Receiving takes frames from the front, recycling adds them at the end, and a refill moves `offered` on and
//! writes the descriptors; no frame is moved for it. Positions in this queue and in the ring are the same
//! numbers, modulo each one's size. First in is first out, so that the buffers of a long packet follow each
//! other in memory where that is possible.
#![allow(
    unsafe_code,
    reason = "a queue with a place for each frame of a pool takes them without a test"
)]

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use pagewire_bus::{DmaMapper, Iova};

use super::chain::Chains;
use super::descriptors::{Descriptor, Descriptors};
use super::fifo::Fifo;
use crate::dma::{DmaError, Frame, FramePool};
use crate::life::Life;
use crate::port::{Received, RxCounters, RxQueue, Verdict};

/// A doorbell for fewer frames than this waits for more, unless the device runs short.
const REFILL_BATCH: usize = 32;

/// What a device says about one filled buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Bytes in the buffer.
    pub len: u32,
    /// The packet's last buffer.
    pub end: bool,
    /// The packet is damaged. Valid in its last buffer.
    pub damaged: bool,
    /// The slot where the packet goes on, if not in the following one. Valid in all but its last buffer.
    pub next: Option<u32>,
    /// The checksum verdict. Valid in its last buffer.
    pub verdict: Verdict,
    /// The RSS hash, 0 where there is none.
    pub rss_hash: u32,
}

/// What one family's receive queue looks like: its descriptor formats and its two registers.
pub trait RxDevice: Send {
    /// Second word: the device is done.
    const DONE: u64;
    /// Second word: whichever of these bits say whether a packet is whole, in one buffer, and not damaged.
    const PLAIN_MASK: u64;
    /// Second word: what they are if so. With [`DONE`](Self::DONE).
    const PLAIN: u64;

    /// A descriptor that offers a buffer.
    fn offer(buffer: Iova) -> [u64; 2];

    /// What a descriptor that the device is done with says.
    fn completion(words: [u64; 2]) -> Completion;

    /// Writes the tail register.
    fn write_tail(&self, slot: u32);

    /// Turns the queue off. Returns whether the device confirmed that it will touch its memory no more.
    fn disable(&mut self) -> bool;
}

/// A receive queue of either family.
pub struct Receiver<D: RxDevice> {
    descriptors: Descriptors,
    /// The frames: first those that the device has, then the spare ones.
    frames: Fifo<Frame>,
    /// Position of the first spare frame, and of the next descriptor to write.
    offered: usize,
    /// Descriptors less one: one always stays free, because head equal to tail means an empty ring to the
    /// device.
    most: usize,
    /// The pool that the frames are from, now empty.
    pool: FramePool,
    chains: Chains,
    /// Frames are posted in batches of this many.
    batch: usize,
    counters: RxCounters,
    device: D,
    life: Arc<Life>,
}

impl<D: RxDevice> Receiver<D> {
    /// A ring of `size` descriptors for `device`, which is told of it by the family's init; nothing is posted
    /// yet. `links`: whether the device may say where a packet goes on.
    pub(crate) fn new(
        mapper: &Arc<dyn DmaMapper>,
        size: u16,
        mut pool: FramePool,
        links: bool,
        life: Arc<Life>,
        device: impl FnOnce(&Descriptors) -> D,
    ) -> Result<Self, DmaError> {
        let size = usize::from(size);
        let descriptors = Descriptors::new(mapper, size)?;
        let mut frames = Fifo::new(pool.total());
        while let Some(frame) = pool.take() {
            let pushed = frames.push(frame);
            debug_assert!(pushed.is_ok(), "there is a place for each of the pool's frames");
        }
        Ok(Self {
            frames,
            offered: 0,
            most: size - 1,
            pool,
            chains: Chains::new(size, links),
            batch: REFILL_BATCH.min(size / 4).max(1),
            counters: RxCounters::default(),
            device: device(&descriptors),
            descriptors,
            life,
        })
    }

    /// Frames that the device has.
    #[inline]
    fn offered(&self) -> usize {
        self.offered.wrapping_sub(self.frames.head())
    }

    /// Whether the device is done with the descriptor at `position`.
    #[inline]
    fn is_done(&self, position: usize) -> bool {
        position != self.offered && self.descriptors.done_word(position) & D::DONE != 0
    }

    /// Offers the next `count` frames to the device, and tells it.
    #[inline]
    fn offer(&mut self, count: usize) {
        let end = self.offered.wrapping_add(count);
        while self.offered != end {
            let frames = self.frames.run(self.offered, end.wrapping_sub(self.offered));
            let descriptors = self.descriptors.run(self.offered, frames.len());
            debug_assert!(!descriptors.is_empty(), "there are `count` spare frames");
            for (descriptor, frame) in descriptors.iter().zip(frames) {
                descriptor.write(D::offer(frame.iova()));
            }
            self.offered = self.offered.wrapping_add(descriptors.len());
        }
        self.counters.doorbells += 1;
        if self.life.is_running() {
            // The descriptors are written before the device is told of them.
            fence(Ordering::Release);
            self.device.write_tail(self.descriptors.slot(end));
        }
    }

    /// Hands out packets for as long as each is whole, in one buffer and undamaged: the short way. Returns
    /// how many; no more than lie in one piece of the rings.
    #[inline]
    fn receive_plain(&mut self, max: usize, out: &mut Vec<Received>) -> usize {
        // A ring's worth of buffers is less than 4 GiB.
        let mut bytes = 0u32;
        let look = |descriptor: &Descriptor, frame: &Frame| {
            let second = descriptor.done_word();
            let plain = second & D::PLAIN_MASK == D::PLAIN;
            let said = D::completion([descriptor.first_word(), second]);
            (plain && said.len as usize <= frame.capacity()).then_some(said)
        };
        let wrap = |frame, said: Completion| {
            bytes += said.len;
            let mut received = Received {
                frame,
                rss_hash: said.rss_hash,
                end: true,
                verdict: said.verdict,
            };
            // It fits: `look` has compared.
            let _ = received.frame.set_len(said.len as usize);
            received
        };
        let head = self.frames.head();
        let offered = self
            .descriptors
            .run(head, max.min(self.offered.wrapping_sub(head)));
        let packets = self.frames.pop_beside(offered, out, look, wrap);
        self.counters.bytes += u64::from(bytes);
        self.counters.buffers += packets as u64;
        packets
    }

    /// One more buffer, of whatever packet; the device is done with it. Returns how many packets it
    /// completed.
    #[cold]
    #[inline(never)]
    fn receive_other(&mut self, out: &mut Vec<Received>) -> Option<usize> {
        let position = self.frames.head();
        let second = self.descriptors.done_word(position);
        let said = D::completion([self.descriptors.first_word(position), second]);
        let frame = self.frames.pop()?;
        Some(usize::from(self.receive_buffer(position, frame, said, out)))
    }

    /// One buffer of any packet. Returns whether it completed a packet.
    fn receive_buffer(
        &mut self,
        position: usize,
        mut frame: Frame,
        said: Completion,
        out: &mut Vec<Received>,
    ) -> bool {
        let slot = self.descriptors.slot(position) as usize;
        let too_long = frame.set_len(said.len as usize).is_err();
        let buffer = Received {
            frame,
            rss_hash: said.rss_hash,
            end: said.end,
            verdict: said.verdict,
        };
        if !said.end && !too_long {
            let impossible = self
                .chains
                .keep(slot, said.next.map(|next| next as usize), buffer);
            self.discard(impossible);
            return false;
        }
        let mut chain = self.chains.take(slot);
        chain.push(buffer);
        if said.damaged || too_long {
            self.discard(chain);
            return false;
        }
        self.counters.buffers += chain.len() as u64;
        self.counters.bytes += chain.iter().map(|buffer| buffer.frame.len() as u64).sum::<u64>();
        out.append(&mut chain);
        self.chains.put_back(chain);
        true
    }

    /// Buffers of a packet that nobody gets.
    #[cold]
    fn discard(&mut self, buffers: Vec<Received>) {
        if buffers.is_empty() {
            return;
        }
        self.counters.errors += 1;
        for buffer in buffers {
            self.recycle(buffer.frame);
        }
    }
}

impl<D: RxDevice> RxQueue for Receiver<D> {
    #[inline]
    fn receive(&mut self, max: usize, out: &mut Vec<Received>) -> usize {
        let mut packets = 0;
        while packets < max {
            if !self.chains.is_open() {
                match self.receive_plain(max - packets, out) {
                    0 => {}
                    // There may be more, in another piece.
                    some => {
                        packets += some;
                        continue;
                    }
                }
            }
            if !self.is_done(self.frames.head()) {
                break;
            }
            let Some(completed) = self.receive_other(out) else {
                break;
            };
            packets += completed;
        }
        self.counters.packets += packets as u64;
        packets
    }

    #[inline]
    fn recycle(&mut self, frame: Frame) {
        if self.pool.owns(&frame) {
            // SAFETY: there is a place for each of the pool's frames, and this one is in none.
            unsafe { self.frames.push_unchecked(frame) };
        }
    }

    #[inline]
    fn recycle_all(&mut self, frames: &mut Vec<Frame>) {
        let own = frames.iter().all(|frame| self.pool.owns(frame));
        if !own || !self.frames.push_all(frames) {
            frames.drain(..).for_each(|frame| self.recycle(frame));
        }
    }

    #[inline]
    fn refill(&mut self) {
        let offered = self.offered();
        let count = (self.most - offered).min(self.frames.len() - offered);
        if count >= self.batch || (offered <= self.most / 2 && count != 0) {
            self.offer(count);
        }
    }

    #[inline]
    fn posted(&self) -> usize {
        self.offered() + self.chains.buffers()
    }

    #[inline]
    fn spare(&self) -> usize {
        self.frames.len() - self.offered()
    }

    fn total(&self) -> usize {
        self.pool.total()
    }

    fn counters(&self) -> RxCounters {
        self.counters
    }
}

impl<D: RxDevice> Drop for Receiver<D> {
    fn drop(&mut self) {
        let confirmed = self.life.is_running() && self.device.disable();
        let frames = std::mem::replace(&mut self.frames, Fifo::new(1));
        self.life.retire(
            (frames, self.chains.drain(), self.descriptors.memory()),
            confirmed,
        );
    }
}

impl<D: RxDevice> std::fmt::Debug for Receiver<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("offered", &self.offered())
            .field("spare", &(self.frames.len() - self.offered()))
            .field("counters", &self.counters)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
