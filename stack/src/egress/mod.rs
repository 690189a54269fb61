//! The way out: what smoltcp emits becomes descriptors.
//!
//! smoltcp writes each packet through a token (`outgoing`). For a control packet the token offers a frame of DMA
//! memory, and the frame is posted as it is. For a segment of a zero-copy connection it offers scratch
//! memory: the header is kept, the payload (zeros of the phantom ring) is thrown away, and the header is
//! posted together with the slices that the send queue finds for those sequence numbers (`gather`), divided where they are
//! too many for one packet (`parts`). The device cuts, numbers and checksums (`offload`).
//!
//! On a VLAN smoltcp's packet is written four bytes into the frame, and the tag goes into the gap just before the
//! frame is posted: twelve bytes move.
//!
//! This is the one place where a packet can still be absorbed: before any descriptor exists, it may be
//! dropped, as a wire would, and TCP sends it again.

mod gather;
mod offload;
mod outgoing;
mod parts;

pub(crate) use outgoing::Outgoing;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use pagewire_bus::DmaMapper;
use pagewire_nic::dma::{DmaError, Frame, FramePool, GatherSlice};
use pagewire_nic::port::{Full, TxLimits, TxOffload, TxQueue};

use crate::headers::{ETHERNET_LEN, IPV4_LEN, TCP_LEN};
use crate::vlan::{self, VlanId};

/// Length of a frame that holds a header or a control packet, in bytes.
const SMALL_FRAME: usize = 256;
/// Small frames: as many as a TX ring of 1024 descriptors holds packets of one, or one of 2048 packets of two. With a longer
/// ring packets may wait for a frame.
const SMALL_FRAMES: usize = 1024;
/// Large frames are for packets whose payload is copied: as many as this memory holds, in bytes, but no fewer and no more.
const LARGE_BYTES: usize = 4 << 20;
const FEWEST_LARGE: usize = 16;
const MOST_LARGE: usize = 64;

/// What the way out has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EgressCounters {
    /// Packets posted.
    pub packets: u64,
    /// Packets dropped before a descriptor existed: no room, or bytes that could not be had.
    pub absorbed: u64,
    /// Payload bytes sent by reference.
    pub gathered_bytes: u64,
}

/// A TX queue, the frames for headers, and scratch memory.
pub(crate) struct Egress<T> {
    queue: T,
    small: FramePool,
    large: FramePool,
    /// Where smoltcp writes what leaves by reference: of that only the headers are kept.
    scratch: Vec<u8>,
    gather: Vec<GatherSlice>,
    freed: Vec<Frame>,
    /// The part of a segment that is divided.
    part: Vec<GatherSlice>,
    /// Descriptors that one packet may need.
    most: u16,
    /// Most payload in one packet, in bytes.
    request: usize,
    /// The network that every frame is tagged with.
    vlan: Option<VlanId>,
    unpublished: bool,
    /// Descriptors that the device was ever done with.
    completed: u64,
    /// For the next packet over IPv4.
    next_identification: u16,
    counters: EgressCounters,
    /// Payload bytes that smoltcp copied from a real ring into a frame.
    copied: Arc<AtomicU64>,
}

impl<T: TxQueue> Egress<T> {
    /// No packet is to have more than `request` bytes of payload.
    pub(crate) fn new(
        queue: T,
        limits: TxLimits,
        mapper: &Arc<dyn DmaMapper>,
        request: usize,
        vlan: Option<VlanId>,
        copied: Arc<AtomicU64>,
    ) -> Result<Self, DmaError> {
        let longest = ETHERNET_LEN + IPV4_LEN + TCP_LEN + request;
        let longest_frame = (longest + vlan::tag_len(vlan)).next_multiple_of(64);
        let large_frames = (LARGE_BYTES / longest_frame).clamp(FEWEST_LARGE, MOST_LARGE);
        Ok(Self {
            queue,
            small: FramePool::new(mapper, SMALL_FRAMES, SMALL_FRAME)?,
            large: FramePool::new(mapper, large_frames, longest_frame)?,
            scratch: vec![0; longest],
            gather: Vec::with_capacity(64),
            freed: Vec::with_capacity(SMALL_FRAMES),
            part: Vec::with_capacity(limits.max_descriptors.into()),
            most: limits.max_descriptors,
            request,
            vlan,
            unpublished: false,
            completed: 0,
            next_identification: 0,
            counters: EgressCounters::default(),
            copied,
        })
    }

    /// Whether a packet of any size can be posted now.
    pub(crate) fn ready(&self) -> bool {
        self.queue.room() >= usize::from(self.most) + 2
            && self.small.available() > 0
            && self.large.available() > 0
    }

    /// Takes back what the device is done with.
    pub(crate) fn reap(&mut self) -> usize {
        let done = self.queue.reap(&mut self.freed);
        self.completed += done as u64;
        while let Some(frame) = self.freed.pop() {
            self.put_back(frame);
        }
        done
    }

    /// How many descriptors the device was ever given, and how many of them it is done with.
    pub(crate) fn descriptors(&self) -> (u64, u64) {
        (self.completed + self.queue.posted() as u64, self.completed)
    }

    /// Rings the doorbell if anything was posted since the last time.
    pub(crate) fn publish(&mut self) {
        if std::mem::take(&mut self.unpublished) {
            self.queue.doorbell();
        }
    }

    pub(crate) fn counters(&self) -> EgressCounters {
        self.counters
    }

    pub(crate) fn queue(&self) -> &T {
        &self.queue
    }

    /// Whether every frame is in its pool or posted: none was lost.
    pub(crate) fn conserves_frames(&self) -> bool {
        let away = self.small.total() - self.small.available() + self.large.total() - self.large.available();
        // A posted packet has one frame and at least one descriptor.
        away <= self.queue.posted()
    }

    /// Posts a packet that `write` composes in a small frame, checksums and all; it returns the length.
    /// Returns whether the packet was posted.
    pub(crate) fn send_small(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let Some(mut frame) = self.take(SMALL_FRAME) else {
            return false;
        };
        let start = self.start();
        let written = write(&mut frame.bytes_mut()[start..]).and_then(|len| frame.set_len(start + len).ok());
        if written.is_none() {
            self.put_back(frame);
            return false;
        }
        self.post(frame, TxOffload::None);
        true
    }

    /// A frame of at least `len` bytes, set to that length.
    fn take(&mut self, len: usize) -> Option<Frame> {
        if !self.ready() {
            return None;
        }
        let mut frame = if len <= SMALL_FRAME {
            self.small.take()?
        } else {
            self.large.take()?
        };
        if frame.set_len(len).is_err() {
            self.put_back(frame);
            return None;
        }
        Some(frame)
    }

    /// A frame knows its pool: the one that refuses it is not its own.
    fn put_back(&mut self, frame: Frame) {
        if let Err(frame) = self.small.give(frame) {
            let home = self.large.give(frame);
            debug_assert!(home.is_ok(), "a frame came back that was never ours");
        }
    }

    /// Where smoltcp's packet begins in a frame: behind the room for a tag.
    #[inline]
    fn start(&self) -> usize {
        vlan::tag_len(self.vlan)
    }

    /// Puts the tag into the room that was left for it.
    #[inline]
    fn tag(&self, frame: &mut Frame) {
        if let Some(vlan) = self.vlan {
            vlan.tag(frame.bytes_mut());
        }
    }

    fn post(&mut self, mut frame: Frame, offload: TxOffload) {
        self.tag(&mut frame);
        match self.queue.post(frame, offload) {
            Ok(()) => {
                self.counters.packets += 1;
                self.unpublished = true;
            }
            Err(Full(frame)) => self.absorb(frame),
        }
    }

    fn absorb(&mut self, frame: Frame) {
        self.counters.absorbed += 1;
        self.put_back(frame);
    }
}
