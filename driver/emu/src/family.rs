//! What the two families do differently: the formats of descriptors, and the names of registers.
//!
//! The engines are written once, over [`Family`]; it monomorphises, so a descriptor is parsed without a call.

use std::ops::Range;

use pagewire_spec::Register;

use crate::base::Side;
use crate::offload::checksum::{Field, Verdicts};
use crate::offload::hash::RssType;
use crate::offload::headers::IpPacket;
use crate::wire::Segmentation;

/// The formats of one family's descriptors.
pub(crate) trait Family {
    /// Most data descriptors of one packet.
    const MAX_DESCRIPTORS: usize;
    /// The longest frame that can be sent, in bytes without FCS.
    const MAX_FRAME: usize;

    /// What a transmit descriptor asks for.
    fn transmit(words: [u64; 2]) -> Transmit;

    /// The second word of a transmit descriptor that is done.
    fn transmitted(word: u64) -> u64;

    /// The memory that a transmit descriptor names.
    fn transmit_extent(words: [u64; 2], buffer_len: u32) -> Option<(u64, usize)>;

    /// A receive descriptor as the device writes it back.
    fn received(slot: &Received<'_>) -> [u64; 2];
}

/// A transmit descriptor, parsed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Transmit {
    /// Sets a context.
    Context(usize, Context),
    /// Part of a packet.
    Data(Data),
    /// Means nothing.
    Malformed {
        /// What is wrong with it.
        why: &'static str,
        /// Last of its packet.
        end: bool,
        /// The driver asks to be told.
        report: bool,
    },
}

/// What a context says about packets: where their headers and checksums lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) ip: Insertion,
    pub(crate) l4: Option<Insertion>,
    /// How to cut, where the context is good for that.
    pub(crate) segmentation: Option<Segmentation>,
    /// TCP payload of the whole request, where the context says so.
    pub(crate) payload_len: Option<usize>,
}

/// A checksum to insert.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Insertion {
    pub(crate) start: usize,
    /// One past the last byte summed; `None` is the end of the frame.
    pub(crate) end: Option<usize>,
    pub(crate) at: usize,
    pub(crate) field: Field,
}

impl Insertion {
    pub(crate) fn covered(&self, frame_len: usize) -> Range<usize> {
        self.start..self.end.unwrap_or(frame_len)
    }
}

/// A transmit descriptor that names data. What concerns the packet counts in its first descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data {
    pub(crate) iova: u64,
    pub(crate) len: usize,
    /// Last of its packet.
    pub(crate) end: bool,
    /// The driver asks to be told.
    pub(crate) report: bool,
    pub(crate) segment: bool,
    /// Insert the IPv4 checksum by the context.
    pub(crate) ip: bool,
    /// Insert the TCP or UDP checksum by the context.
    pub(crate) l4: bool,
    /// Which context.
    pub(crate) context: usize,
    /// Legacy descriptors bring their own.
    pub(crate) own_insertion: Option<Insertion>,
    /// Payload length that the descriptor declares: of the packet, or with `segment` of the TCP payload.
    pub(crate) declared_len: Option<usize>,
}

/// A receive descriptor about to be written back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'f> {
    /// The first word as software wrote it.
    pub(crate) address: u64,
    /// Bytes in this buffer.
    pub(crate) len: u16,
    /// Last buffer of the packet.
    pub(crate) end: bool,
    /// Descriptor with the next buffer.
    pub(crate) next: u32,
    /// The frame was a segment passed whole.
    pub(crate) coalesced: bool,
    /// Passed an inexact filter only.
    pub(crate) inexact: bool,
    pub(crate) verdicts: Verdicts,
    pub(crate) packet: Option<&'f IpPacket>,
    pub(crate) hash: Option<(RssType, u32)>,
    /// The buffer could not be written.
    pub(crate) error: bool,
}

/// The registers of a ring, by what they are.
#[derive(Debug)]
pub(crate) struct RingRows {
    pub(crate) side: Side,
    pub(crate) base_low: &'static Register,
    pub(crate) base_high: &'static Register,
    pub(crate) len: &'static Register,
    pub(crate) head: &'static Register,
    pub(crate) tail: &'static Register,
}

impl RingRows {
    /// Whether a register is one that must not be written while the ring is on.
    pub(crate) fn is_fixed(&self, row: &Register) -> bool {
        [self.base_low, self.base_high, self.len]
            .iter()
            .any(|fixed| fixed.offset == row.offset)
    }
}
