//! The transmit side: post, doorbell, reap.
//!
//! **Report-status policy.** The device writes a descriptor's done bit only where it is asked to, and each such
//! write costs it a bus transaction and the driver a cache miss. So it is asked at the last packet before a doorbell
//! and after every quarter ring, at a packet's last descriptor. Those positions are the *marks*. The device works in
//! order, so a mark that is done vouches for everything before it: [`TxQueue::reap`] looks at marks and at
//! nothing else.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use pagewire_bus::DmaMapper;

use super::descriptors::Descriptors;
use super::fifo::Fifo;
use super::headers;
use super::plan::Plan;
use super::split::{Pieces, SplitRule};
use crate::dma::{DmaError, Frame, GatherSlice};
use crate::life::Life;
use crate::port::{Full, PacketLayout, TxCounters, TxLimits, TxOffload, TxQueue};

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

    /// The descriptor that tells the device where the headers lie; none where it has nothing to do to them. The layout
    /// is one that the device [accepts](Self::accepts). `len`: as for [`data`](Self::data).
    fn context(offload: &TxOffload, len: u32) -> Option<[u64; 2]>;

    /// What the second words of all of a packet's data descriptors have in common; the low bits are the length's. `len`
    /// counts the bytes of the packet, or those of the payload alone where it is to be cut into segments.
    fn data(offload: &TxOffload, len: u32) -> u64;

    /// Writes the tail register: the one register access of the hot path.
    fn write_tail(&self, slot: u32);

    /// Turns the queue off. Returns whether the device confirmed that it will touch its memory no more.
    fn disable(&mut self) -> bool;
}

/// What a posted descriptor keeps alive until the device is done with it.
#[derive(Debug)]
pub(crate) enum Slot {
    /// Nothing: a context, or a piece of a buffer whose last piece holds it.
    Nothing,
    /// A frame, which goes back to who posted it.
    Frame(Frame),
    /// Bytes of a region; it stays mapped for that long.
    Slice(#[expect(dead_code, reason = "held, not read")] GatherSlice),
}

/// A transmit queue of either family.
pub struct Transmitter<D: TxDevice> {
    descriptors: Descriptors,
    /// What each posted descriptor owns; its positions are the ring's indices.
    slots: Fifo<Slot>,
    /// Positions after the last descriptor of each packet that reports.
    marks: Fifo<usize>,
    /// Position that the tail register has.
    rung: usize,
    /// Position of the last mark.
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
        let descriptors = Descriptors::new(mapper, size.into())?;
        Ok(Self {
            slots: Fifo::new(size.into()),
            marks: Fifo::new(size.into()),
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

    /// Free descriptors. One always stays free: head equal to tail means an empty ring to the device.
    #[inline]
    fn free(&self) -> usize {
        self.slots.capacity() - 1 - self.slots.len()
    }

    /// Writes the next descriptor and stores what it owns. The caller made sure that there is room.
    #[inline]
    fn push(&mut self, words: [u64; 2], slot: Slot) {
        self.descriptors.write(self.slots.tail(), words);
        let pushed = self.slots.push(slot);
        debug_assert!(pushed.is_ok(), "room was checked before");
    }

    /// Whether enough was posted since the last mark to be worth another one.
    #[inline]
    fn mark_is_due(&self) -> bool {
        self.slots.tail().wrapping_sub(self.marked) >= self.slots.capacity() / 4
    }

    /// Asks for a report on the last descriptor posted, which the device does not own yet.
    #[inline]
    fn mark(&mut self) {
        let end = self.slots.tail();
        self.descriptors.add_bits(end.wrapping_sub(1), D::REPORT);
        let pushed = self.marks.push(end);
        debug_assert!(pushed.is_ok(), "there are fewer marks than descriptors");
        self.marked = end;
    }

    /// One frame in one descriptor, as it is: the short way.
    #[inline]
    fn post_plain(&mut self, frame: Frame) -> Result<(), Full<Frame>> {
        if self.free() == 0 {
            return Err(Full(frame));
        }
        let len = frame.len() as u32;
        let word = D::data(&TxOffload::None, len) | D::END | u64::from(len);
        self.push([frame.iova().0, word], Slot::Frame(frame));
        self.counters.packets += 1;
        self.counters.bytes += u64::from(len);
        if self.mark_is_due() {
            self.mark();
        }
        Ok(())
    }

    /// Any packet: the long way.
    fn post_packet(
        &mut self,
        mut header: Frame,
        payload: &mut Vec<GatherSlice>,
        offload: TxOffload,
    ) -> Result<(), Full<Frame>> {
        let Some(plan) = Plan::of::<D>(&header, payload, offload, self.after_segment) else {
            return self.refuse(header);
        };
        let context = D::context(&plan.offload, plan.work_len()).filter(|words| self.context != Some(*words));
        let needed = plan.descriptors + usize::from(context.is_some());
        if needed >= self.slots.capacity() {
            return self.refuse(header);
        }
        if needed > self.free() {
            return Err(Full(header));
        }
        if !headers::prepare(header.bytes_mut(), &plan.offload, plan.len) {
            return self.refuse(header);
        }

        if let Some(words) = context {
            self.push(words, Slot::Nothing);
            self.context = context;
            self.counters.contexts += 1;
        }
        let common = D::data(&plan.offload, plan.work_len());
        let end = self.slots.tail().wrapping_add(plan.descriptors);
        let mut others = payload.len();
        let pieces = plan.pieces::<D>(header.iova(), header.len() as u32, others == 0);
        self.push_buffer(pieces, common, end, Slot::Frame(header));
        for slice in payload.drain(..) {
            others -= 1;
            let pieces = plan.pieces::<D>(slice.iova(), slice.len(), others == 0);
            self.push_buffer(pieces, common, end, Slot::Slice(slice));
        }
        debug_assert_eq!(self.slots.tail(), end, "the plan counted right");

        self.counters.packets += 1;
        self.counters.bytes += u64::from(plan.len);
        self.after_segment = matches!(plan.offload, TxOffload::Segment(..));
        self.counters.segments += u64::from(self.after_segment);
        if self.mark_is_due() {
            self.mark();
        }
        Ok(())
    }

    /// The descriptors of one buffer; the last of them keeps `owner`. The packet ends before position `end`.
    #[inline]
    fn push_buffer(&mut self, mut pieces: Pieces, common: u64, end: usize, owner: Slot) {
        let last = end.wrapping_sub(1);
        let word = |position, bytes| common | if position == last { D::END } else { 0 } | u64::from(bytes);
        let Some((mut start, mut bytes)) = pieces.next() else {
            return;
        };
        for (next_start, next_bytes) in pieces {
            self.push([start.0, word(self.slots.tail(), bytes)], Slot::Nothing);
            (start, bytes) = (next_start, next_bytes);
        }
        self.push([start.0, word(self.slots.tail(), bytes)], owner);
    }

    /// A packet that the device can never take.
    #[cold]
    fn refuse(&mut self, frame: Frame) -> Result<(), Full<Frame>> {
        self.counters.refused += 1;
        Err(Full(frame))
    }
}

impl<D: TxDevice> TxQueue for Transmitter<D> {
    #[inline]
    fn room(&self) -> usize {
        self.free()
    }

    #[inline]
    fn post(&mut self, frame: Frame, offload: TxOffload) -> Result<(), Full<Frame>> {
        let short = 1..=D::SPLIT.max_bytes.min(D::LIMITS.max_frame) as usize;
        let uncut = D::SPLIT.boundary == 0 && (D::SPLIT.sentinel == 0 || !self.after_segment);
        if uncut && matches!(offload, TxOffload::None) && short.contains(&frame.len()) {
            self.post_plain(frame)
        } else {
            self.post_packet(frame, &mut Vec::new(), offload)
        }
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
        let tail = self.slots.tail();
        if tail == self.rung {
            return;
        }
        if tail != self.marked {
            self.mark();
        }
        self.rung = tail;
        self.counters.doorbells += 1;
        if self.life.is_running() {
            // The descriptors, and the packets they name, are written before the device is told of them.
            fence(Ordering::Release);
            self.device.write_tail(self.descriptors.slot(tail));
        }
    }

    #[inline]
    fn reap(&mut self, freed: &mut Vec<Frame>) -> usize {
        let mut end = self.slots.head();
        while let Some(&mark) = self.marks.first() {
            if self.descriptors.done_word(mark.wrapping_sub(1)) & D::DONE == 0 {
                break;
            }
            end = mark;
            self.marks.pop();
        }
        let count = end.wrapping_sub(self.slots.head());
        if count != 0 {
            freed.reserve(count);
            self.slots.pop_run(count, |slot| {
                if let Slot::Frame(frame) = slot {
                    freed.push(frame);
                }
            });
        }
        count
    }

    #[inline]
    fn posted(&self) -> usize {
        self.slots.len()
    }

    fn counters(&self) -> TxCounters {
        TxCounters {
            descriptors: self.slots.tail() as u64,
            ..self.counters
        }
    }
}

impl<D: TxDevice> Drop for Transmitter<D> {
    fn drop(&mut self) {
        let confirmed = self.life.is_running() && self.device.disable();
        let slots = std::mem::replace(&mut self.slots, Fifo::new(1));
        self.life.retire((slots, self.descriptors.memory()), confirmed);
    }
}

impl<D: TxDevice> std::fmt::Debug for Transmitter<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transmitter")
            .field("slots", &self.slots)
            .field("counters", &self.counters)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
