//! The receive side: receive, recycle, refill.
//!
//! The ring's slots hold the frames that the device may write to. They are fed from the queue's pool in its order, first
//! in, first out, so that the buffers of a long packet follow each other in memory where that is possible.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use pagewire_bus::{DmaMapper, Iova};

use super::chain::Chains;
use super::descriptors::Descriptors;
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
    /// The frame that each posted descriptor offers; its positions are the ring's indices.
    slots: Fifo<Frame>,
    /// Frames to post, in order.
    pool: FramePool,
    chains: Chains,
    /// Frames are posted in batches of this many.
    batch: usize,
    counters: RxCounters,
    device: D,
    life: Arc<Life>,
}

impl<D: RxDevice> Receiver<D> {
    /// A ring of `size` descriptors for `device`, which is told of it by the family's init; nothing is posted yet.
    /// `links`: whether the device may say where a packet goes on.
    pub(crate) fn new(
        mapper: &Arc<dyn DmaMapper>,
        size: u16,
        pool: FramePool,
        links: bool,
        life: Arc<Life>,
        device: impl FnOnce(&Descriptors) -> D,
    ) -> Result<Self, DmaError> {
        let size = usize::from(size);
        let descriptors = Descriptors::new(mapper, size)?;
        Ok(Self {
            slots: Fifo::new(size),
            pool,
            chains: Chains::new(size, links),
            batch: REFILL_BATCH.min(size / 4).max(1),
            counters: RxCounters::default(),
            device: device(&descriptors),
            descriptors,
            life,
        })
    }

    /// Posts all frames there are and have room, and tells the device.
    #[inline]
    fn post_spare(&mut self, count: usize) {
        for _ in 0..count {
            let Some(frame) = self.pool.take() else { break };
            self.descriptors.write(self.slots.tail(), D::offer(frame.iova()));
            let pushed = self.slots.push(frame);
            debug_assert!(pushed.is_ok(), "room was checked before");
        }
        self.counters.doorbells += 1;
        if self.life.is_running() {
            // The descriptors are written before the device is told of them.
            fence(Ordering::Release);
            self.device.write_tail(self.descriptors.slot(self.slots.tail()));
        }
    }

    /// One buffer of a packet that is damaged or not in a single buffer. Returns whether it completed a packet.
    #[cold]
    #[inline(never)]
    fn receive_chained(
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
            let position = self.slots.head();
            if position == self.slots.tail() {
                break;
            }
            let second = self.descriptors.done_word(position);
            if second & D::DONE == 0 {
                break;
            }
            let said = D::completion([self.descriptors.first_word(position), second]);
            let Some(mut frame) = self.slots.pop() else { break };
            let plain = said.end && !said.damaged && !self.chains.is_open();
            if plain && frame.set_len(said.len as usize).is_ok() {
                self.counters.bytes += u64::from(said.len);
                self.counters.buffers += 1;
                out.push(Received {
                    frame,
                    rss_hash: said.rss_hash,
                    end: true,
                    verdict: said.verdict,
                });
                packets += 1;
            } else {
                packets += usize::from(self.receive_chained(position, frame, said, out));
            }
        }
        self.counters.packets += packets as u64;
        packets
    }

    #[inline]
    fn recycle(&mut self, frame: Frame) {
        if let Err(foreign) = self.pool.give(frame) {
            drop(foreign);
        }
    }

    #[inline]
    fn refill(&mut self) {
        let room = self.slots.capacity() - 1 - self.slots.len();
        let count = room.min(self.pool.available());
        let short = self.slots.len() < self.slots.capacity() / 2;
        if count >= self.batch || (short && count != 0) {
            self.post_spare(count);
        }
    }

    #[inline]
    fn posted(&self) -> usize {
        self.slots.len() + self.chains.buffers()
    }

    #[inline]
    fn spare(&self) -> usize {
        self.pool.available()
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
        let slots = std::mem::replace(&mut self.slots, Fifo::new(1));
        self.life
            .retire((slots, self.chains.drain(), self.descriptors.memory()), confirmed);
    }
}

impl<D: RxDevice> std::fmt::Debug for Receiver<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("slots", &self.slots)
            .field("pool", &self.pool)
            .field("counters", &self.counters)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
