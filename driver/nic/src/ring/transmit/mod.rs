//! The transmit side: post, doorbell, reap.
//!
//! - `packet`: the descriptors of one packet, by the short way or by the long one;
//! - `burst`: many packets in one call;
//! - `report`: which descriptors have to report, and what is taken back when they have.
//!
//! **Who owns what.** Frames and slices that are posted wait in two queues of their own, in the order they
//! were posted; each report vouches for so many of both. So a reap moves what a report covers in one go, and
//! descriptors that own nothing (contexts, all but the last piece of a buffer) cost nothing.

mod burst;
mod packet;
mod report;

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use pagewire_bus::DmaMapper;

use super::descriptors::Descriptors;
use super::fifo::Fifo;
use super::split::SplitRule;
use crate::dma::{DmaError, Frame, GatherSlice};
use crate::life::Life;
use crate::port::{Full, PacketLayout, Received, TxCounters, TxLimits, TxOffload, TxQueue};
use report::Mark;

/// What one family's transmit queue looks like: its descriptor formats and its two registers.
pub trait TxDevice: Send {
    /// What one packet may look like.
    const LIMITS: TxLimits;
    /// How buffers are cut into descriptors.
    const SPLIT: SplitRule;
    /// Second word: the device is done.
    const DONE: u64;
    /// Second word: the device shall set the done bit.
    const REPORT: u64;
    /// Second word: the packet's last descriptor, and what goes with it.
    const END: u64;

    /// Whether the context descriptor has room for such lengths.
    fn accepts(layout: &PacketLayout) -> bool;

    /// The descriptor that tells the device where the headers lie; none where it has nothing to do to them.
    /// The layout is one that the device [accepts](Self::accepts). `len`: as for [`data`](Self::data).
    fn context(offload: &TxOffload, len: u32) -> Option<[u64; 2]>;

    /// What the second words of all of a packet's data descriptors have in common; the low bits are the
    /// length's. `len` counts the bytes of the packet, or those of the payload alone where it is to be cut
    /// into segments.
    fn data(offload: &TxOffload, len: u32) -> u64;

    /// Writes the tail register: the one register access of the hot path.
    fn write_tail(&self, slot: u32);

    /// Turns the queue off. Returns whether the device confirmed that it will touch its memory no more.
    fn disable(&mut self) -> bool;
}

/// A transmit queue of either family.
pub struct Transmitter<D: TxDevice> {
    descriptors: Descriptors,
    /// Position of the next descriptor to write: how many were written, ever.
    tail: usize,
    /// Position of the first descriptor that is not known to be done.
    head: usize,
    /// Position at which the ring is full: one descriptor always stays free, because head equal to tail means
    /// an empty ring to the device.
    full: usize,
    /// Position from which on a mark is due.
    mark_due: usize,
    /// Frames that are posted; never more than there are descriptors posted.
    frames: Fifo<Frame>,
    /// Slices that are posted; never more than there are descriptors posted.
    slices: Fifo<GatherSlice>,
    /// Frames that go on with the packet of the one before.
    continued: u64,
    /// Reports that are asked for; never more than there are descriptors posted.
    marks: Fifo<Mark>,
    /// Position that the tail register has.
    rung: usize,
    /// Position after the last mark.
    marked: usize,
    /// The context that the device has.
    context: Option<[u64; 2]>,
    /// Whether the last packet was a segmentation request.
    after_segment: bool,
    counters: TxCounters,
    device: D,
    life: Arc<Life>,
}

impl<D: TxDevice> Transmitter<D> {
    /// A ring of `size` descriptors for `device`, which is told of it by the family's init.
    pub(crate) fn new(
        mapper: &Arc<dyn DmaMapper>,
        size: u16,
        life: Arc<Life>,
        device: impl FnOnce(&Descriptors) -> D,
    ) -> Result<Self, DmaError> {
        let size = usize::from(size);
        let descriptors = Descriptors::new(mapper, size)?;
        Ok(Self {
            tail: 0,
            head: 0,
            full: size - 1,
            mark_due: size / 4,
            frames: Fifo::new(size),
            slices: Fifo::new(size),
            continued: 0,
            marks: Fifo::new(size),
            rung: 0,
            marked: 0,
            context: None,
            after_segment: false,
            counters: TxCounters::default(),
            device: device(&descriptors),
            descriptors,
            life,
        })
    }

    /// Free descriptors.
    #[inline]
    fn free(&self) -> usize {
        self.full - self.tail
    }

    /// Writes the next descriptor. The caller made sure that there is one.
    #[inline]
    fn push(&mut self, words: [u64; 2]) {
        debug_assert!(self.free() > 0, "room was checked before");
        self.descriptors.write(self.tail, words);
        self.tail += 1;
    }
}

impl<D: TxDevice> TxQueue for Transmitter<D> {
    #[inline]
    fn room(&self) -> usize {
        self.free()
    }

    #[inline]
    fn post(&mut self, frame: Frame, offload: TxOffload) -> Result<(), Full<Frame>> {
        if matches!(offload, TxOffload::None) && self.is_uncut() && Self::is_short(&frame) {
            self.post_plain(frame)
        } else {
            self.post_packet(frame, &mut Vec::new(), offload)
        }
    }

    #[inline]
    fn post_all(&mut self, frames: &mut Vec<Frame>) -> usize {
        self.post_frames(frames)
    }

    #[inline]
    fn post_received(&mut self, packets: &mut Vec<Received>) -> usize {
        self.post_packets(packets)
    }

    #[inline]
    fn post_gather(
        &mut self,
        header: Frame,
        payload: &mut Vec<GatherSlice>,
        offload: TxOffload,
    ) -> Result<(), Full<Frame>> {
        self.post_packet(header, payload, offload)
    }

    #[inline]
    fn doorbell(&mut self) {
        if self.tail == self.rung {
            return;
        }
        if self.tail != self.marked {
            self.mark();
        }
        self.rung = self.tail;
        self.counters.doorbells += 1;
        if self.life.is_running() {
            // The descriptors, and the packets they name, are written before the device is told of them.
            fence(Ordering::Release);
            self.device.write_tail(self.descriptors.slot(self.tail));
        }
    }

    #[inline]
    fn reap(&mut self, freed: &mut Vec<Frame>) -> usize {
        self.reap_marked(freed)
    }

    #[inline]
    fn posted(&self) -> usize {
        self.tail - self.head
    }

    fn counters(&self) -> TxCounters {
        // Each packet begins with a frame, each descriptor moved the tail on by one.
        let packets = self.frames.tail() as u64 - self.continued;
        TxCounters {
            packets,
            descriptors: self.tail as u64,
            ..self.counters
        }
    }
}

impl<D: TxDevice> Drop for Transmitter<D> {
    fn drop(&mut self) {
        let confirmed = self.life.is_running() && self.device.disable();
        let frames = std::mem::replace(&mut self.frames, Fifo::new(1));
        let slices = std::mem::replace(&mut self.slices, Fifo::new(1));
        self.life
            .retire((frames, slices, self.descriptors.memory()), confirmed);
    }
}

impl<D: TxDevice> std::fmt::Debug for Transmitter<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transmitter")
            .field("posted", &(self.tail - self.head))
            .field("counters", &self.counters)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
