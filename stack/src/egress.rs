//! The way out: what smoltcp emits becomes descriptors.
//!
//! smoltcp writes each packet through a [`TxToken`]. For a control packet the token offers a frame of DMA
//! memory, and the frame is posted as it is. For a segment of a zero-copy connection it offers scratch
//! memory: the header is kept, the payload (zeros of the phantom ring) is thrown away, and the header is
//! posted together with the slices that the send queue finds for those sequence numbers. The device cuts,
//! numbers and checksums.
//!
//! On a VLAN smoltcp's packet is written four bytes into the frame, and the tag goes into the gap just before the
//! frame is posted: twelve bytes move.
//!
//! This is the one place where a packet can still be absorbed: before any descriptor exists, the token may
//! drop it, as a wire would, and TCP sends it again.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pagewire_bus::DmaMapper;
use pagewire_nic::dma::{DmaError, Frame, FramePool, GatherSlice, Scratch};
use pagewire_nic::port::{Full, IpVersion, L4, PacketLayout, TxLimits, TxOffload, TxQueue};
use smoltcp::phy::{PacketMeta, TxToken};
use smoltcp::wire::IpAddress;

use crate::flow::Flow;
use crate::headers::{Peek, TcpHeaders, peek_egress};
use crate::parts;
use crate::phantom::TransmitRing;
use crate::vlan::{self, VlanId};

/// Length of a frame that holds a header or a control packet, in bytes.
const SMALL_FRAME: usize = 256;
/// Small frames: more than a TX ring can hold packets of two descriptors.
const SMALL_FRAMES: usize = 1024;
/// Large frames are for packets whose payload is copied: as many as this memory holds, in bytes, but no fewer and no more.
const LARGE_BYTES: usize = 4 << 20;
const FEWEST_LARGE: usize = 16;
const MOST_LARGE: usize = 64;

/// Where an IPv4 header has its identification.
const IDENTIFICATION: usize = 4;

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
    scratch: Scratch,
    gather: Vec<GatherSlice>,
    freed: Vec<Frame>,
    /// The part of a segment that is divided.
    part: Vec<GatherSlice>,
    /// Descriptors that one packet may need.
    most: u16,
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
    /// `longest` is the longest packet in bytes that smoltcp will emit, headers included.
    pub(crate) fn new(
        queue: T,
        limits: TxLimits,
        mapper: &Arc<dyn DmaMapper>,
        longest: usize,
        vlan: Option<VlanId>,
        copied: Arc<AtomicU64>,
    ) -> Result<Self, DmaError> {
        let longest_frame = (longest + vlan::tag_len(vlan)).next_multiple_of(64);
        let large_frames = (LARGE_BYTES / longest_frame).clamp(FEWEST_LARGE, MOST_LARGE);
        Ok(Self {
            queue,
            small: FramePool::new(mapper, SMALL_FRAMES, SMALL_FRAME)?,
            large: FramePool::new(mapper, large_frames, longest_frame)?,
            scratch: Scratch::new(longest)?,
            gather: Vec::with_capacity(64),
            freed: Vec::with_capacity(SMALL_FRAMES),
            part: Vec::with_capacity(limits.max_descriptors.into()),
            most: limits.max_descriptors,
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

/// One packet on its way out of smoltcp.
pub(crate) struct Outgoing<'a, T> {
    pub(crate) egress: &'a mut Egress<T>,
    /// The connection it belongs to; none for ARP, ICMP and refusals.
    pub(crate) flow: Option<&'a mut Flow>,
    pub(crate) mss: Option<NonZeroU16>,
}

impl<T: TxQueue> TxToken for Outgoing<'_, T> {
    fn set_meta(&mut self, meta: PacketMeta) {
        self.mss = meta.segmentation_offload_size;
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let phantom = self
            .flow
            .as_ref()
            .is_some_and(|flow| flow.ring == TransmitRing::Phantom);
        if phantom && len > SMALL_FRAME - vlan::TAG_LEN {
            self.by_reference(len, write)
        } else {
            self.in_a_frame(len, write)
        }
    }
}

impl<T: TxQueue> Outgoing<'_, T> {
    /// The packet is written into scratch memory; its payload, if it is the stream's, goes by reference.
    fn by_reference<R>(self, len: usize, write: impl FnOnce(&mut [u8]) -> R) -> R {
        let Self { egress, flow, mss } = self;
        let frame = egress.take(SMALL_FRAME);
        let start = egress.start();
        let (result, front) = egress.scratch.compose(len, SMALL_FRAME - vlan::TAG_LEN, write);
        let (Some(mut frame), Some(headers)) = (frame, tcp_headers(front, len)) else {
            egress.counters.absorbed += 1;
            return result;
        };
        let header_len = headers.header_len();
        frame.bytes_mut()[start..start + header_len].copy_from_slice(&front[..header_len]);
        if frame.set_len(start + header_len).is_ok() {
            egress.post_by_reference(frame, &headers, flow, mss);
        }
        result
    }

    /// The packet is written where the device will read it.
    fn in_a_frame<R>(self, len: usize, write: impl FnOnce(&mut [u8]) -> R) -> R {
        let Self { egress, flow, mss } = self;
        let start = egress.start();
        let Some(mut frame) = egress.take(start + len) else {
            egress.counters.absorbed += 1;
            return egress.scratch.compose(len, 0, write).0;
        };
        let result = write(&mut frame.bytes_mut()[start..]);
        let headers = tcp_headers(&frame.bytes()[start..], len);
        match (&headers, flow) {
            (Some(headers), Some(flow)) if flow.ring == TransmitRing::Phantom && headers.payload_len > 0 => {
                if frame.set_len(start + headers.header_len()).is_err() {
                    egress.absorb(frame);
                    return result;
                }
                egress.post_by_reference(frame, headers, Some(flow), mss);
            }
            (Some(headers), flow) => {
                egress.identify(&mut frame, headers, mss);
                if let Some(flow) = flow
                    && flow.on_egress(headers, &frame.bytes()[start..]).is_some()
                {
                    egress
                        .copied
                        .fetch_add(headers.payload_len as u64, Ordering::Relaxed);
                }
                egress.post(frame, egress.offload_of(headers, mss));
            }
            (None, flow) => {
                // smoltcp asks for an address in the place of the segment, which it keeps.
                if let Some(flow) = flow {
                    flow.seeks_neighbour = true;
                }
                egress.post(frame, TxOffload::None);
            }
        }
        result
    }
}

impl<T: TxQueue> Egress<T> {
    /// Posts `frame`, which holds exactly the headers, followed by the payload that they stand for.
    fn post_by_reference(
        &mut self,
        mut frame: Frame,
        headers: &TcpHeaders,
        flow: Option<&mut Flow>,
        mss: Option<NonZeroU16>,
    ) {
        let Some(flow) = flow else {
            return self.absorb(frame);
        };
        let start = self.start();
        let Some(offset) = flow.on_egress(headers, &frame.bytes()[start..]) else {
            // A keep-alive: one byte below the window, whatever its value (RFC 9293 §3.8.4).
            let len = start + headers.header_len();
            if frame.set_len(len + headers.payload_len.min(1)).is_err() {
                return self.absorb(frame);
            }
            frame.bytes_mut()[len..].fill(0);
            return self.post(frame, self.offload_of(headers, None));
        };
        self.gather.clear();
        if let Err(error) = flow.queue.gather(offset, headers.payload_len, &mut self.gather) {
            self.gather.clear();
            flow.failure.get_or_insert(error);
            return self.absorb(frame);
        }
        if parts::first_part(&self.gather, self.most) < self.gather.len() {
            return self.post_in_parts(frame, headers, mss);
        }
        std::mem::swap(&mut self.gather, &mut self.part);
        self.post_part(frame, headers, mss);
    }

    /// Posts a segment of many pieces, divided. What finds no room of it is as good as lost on the wire.
    fn post_in_parts(&mut self, whole: Frame, headers: &TcpHeaders, mss: Option<NonZeroU16>) {
        let mut offset = 0;
        while !self.gather.is_empty() {
            let count = parts::first_part(&self.gather, self.most);
            self.part.extend(self.gather.drain(..count));
            let len = self.part.iter().map(|slice| slice.len() as usize).sum();
            let own = parts::headers_of_part(headers, offset, len);
            offset += len;
            let Some(mut frame) = self.take(whole.len()) else {
                self.gather.clear();
                self.part.clear();
                break;
            };
            frame.bytes_mut().copy_from_slice(whole.bytes());
            let start = self.start();
            parts::rewrite(&mut frame.bytes_mut()[start..], &own);
            let cut = mss.filter(|mss| len > usize::from(mss.get()));
            self.post_part(frame, &own, cut);
        }
        self.put_back(whole);
    }

    /// Posts `frame`, followed by the slices of the part at hand.
    fn post_part(&mut self, mut frame: Frame, headers: &TcpHeaders, mss: Option<NonZeroU16>) {
        self.identify(&mut frame, headers, mss);
        self.tag(&mut frame);
        let offload = self.offload_of(headers, mss);
        match self.queue.post_gather(frame, &mut self.part, offload) {
            Ok(()) => {
                self.counters.packets += 1;
                self.counters.gathered_bytes += headers.payload_len as u64;
                self.unpublished = true;
            }
            Err(Full(frame)) => {
                self.part.clear();
                self.absorb(frame);
            }
        }
    }

    /// Gives a TCP packet over IPv4 an identification of its own, and one to each of the frames that the device will make
    /// of it; smoltcp leaves it 0. Whoever puts fragments together must not take those of one packet for another's
    /// (RFC 6864 §4.3): some devices cut segments into fragments of IP. The device fills in the header's checksum.
    fn identify(&mut self, frame: &mut Frame, headers: &TcpHeaders, mss: Option<NonZeroU16>) {
        if !matches!(headers.source.addr, IpAddress::Ipv4(_)) {
            return;
        }
        let at = self.start() + headers.l2_len + IDENTIFICATION;
        frame.bytes_mut()[at..at + 2].copy_from_slice(&self.next_identification.to_be_bytes());
        let frames = mss.map_or(1, |mss| headers.payload_len.div_ceil(mss.get().into()).max(1));
        self.next_identification = self.next_identification.wrapping_add(frames as u16);
    }

    /// What the device is to do: segment where smoltcp asks for it, else fill in the checksums of TCP.
    fn offload_of(&self, headers: &TcpHeaders, mss: Option<NonZeroU16>) -> TxOffload {
        let ip = match headers.source.addr {
            IpAddress::Ipv4(_) => IpVersion::V4,
            IpAddress::Ipv6(_) => IpVersion::V6,
        };
        let layout = PacketLayout {
            l2_len: (self.start() + headers.l2_len) as u8,
            l3_len: headers.l3_len as u16,
            l4_len: headers.l4_len as u8,
            ip,
            l4: L4::Tcp,
        };
        match mss {
            Some(mss) => TxOffload::Segment(layout, mss),
            None => TxOffload::Checksum(layout),
        }
    }
}

/// The headers of a TCP segment of `len` bytes that smoltcp has emitted and that begins with `front`.
fn tcp_headers(front: &[u8], len: usize) -> Option<TcpHeaders> {
    match peek_egress(front, len) {
        Peek::Tcp(headers) => Some(headers),
        _ => None,
    }
}
