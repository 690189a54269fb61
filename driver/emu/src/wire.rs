//! The seam between a sending device and what carries its frames.
//!
//! A TX engine opens a batch on its [`Cable`]; the cable opens one on the far [`Port`] (one lock for the
//! whole batch) and hands the engine an [`Inlet`]; the engine pushes [`WireFrame`]s into it. On a direct
//! cable the inlet *is* the receiving device's RX engine, so that the payload is copied once: from the pages
//! that the sender's descriptors name into the buffers that the receiver's descriptors name.
//!
//! Two kinds of frame travel:
//! - **single**: one Ethernet frame, contiguous in the sending device's packet buffer;
//! - **whole segment**: a TCP segment that was to be segmented by the device, passed on uncut. Its headers
//!   are in the packet buffer, with IP length and IP checksum of the whole; its payload is still in the
//!   sender's memory, as [`Piece`]s.
//!
//! A device may be asked to segment more than an IP packet can be: then what travels whole are parts of it, as long as the
//! inlet [says](Inlet::longest). An inlet that cannot take a whole segment answers [`Delivery::CutFirst`], and the engine cuts it into
//! single frames. Everything that delays, counts bits or flips them does so.

use std::fmt::Debug;
use std::ops::Add;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::io::Errno;

use crate::memory::{self, RecentPages};
pub use crate::memory::{Piece, SourceFault};

/// The longest IP packet in bytes whose header tells its length.
pub const LONGEST_IP: usize = 65_535;

/// Which internet protocol a packet's layer 3 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// IPv4: the header has a checksum.
    V4,
    /// IPv6.
    V6,
}

/// How a whole segment is to be cut: where its headers end, and the most payload a frame may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segmentation {
    /// Most bytes of TCP payload in one frame.
    pub mss: u16,
    /// Length of the Ethernet header, VLAN tag included, in bytes.
    pub l2_len: u8,
    /// Length of the IP header with its options or extension headers, in bytes.
    pub l3_len: u16,
    /// Length of the TCP header with its options, in bytes.
    pub l4_len: u8,
    /// IP version.
    pub ip: IpVersion,
}

impl Segmentation {
    /// Length of all headers in bytes.
    #[must_use]
    pub fn header_len(&self) -> usize {
        usize::from(self.l2_len) + usize::from(self.l3_len) + usize::from(self.l4_len)
    }
}

/// What is known about the checksums (IPv4 header, TCP, UDP) of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksums {
    /// They stand in the frame as software wrote them: whoever wants a verdict checks.
    Unverified,
    /// The sending device has just computed and inserted them: they stand in the frame and hold.
    Inserted,
    /// The sending device vouches for them, but the layer 4 field holds the pseudo-header sum only (a whole
    /// segment: nobody has read the payload). Who records or alters the frame fills them in.
    Owed,
}

/// A frame between two devices. Borrowed for the time of one [`Inlet::deliver`] or [`Inlet::deliver_all`].
#[derive(Clone, Copy, Debug)]
pub struct WireFrame<'a> {
    head: &'a [u8],
    payload: &'a [Piece<'a>],
    len: usize,
    segmentation: Option<Segmentation>,
    checksums: Checksums,
}

impl<'a> WireFrame<'a> {
    /// A single Ethernet frame, without its frame check sequence.
    #[must_use]
    pub fn single(bytes: &'a [u8], checksums: Checksums) -> Self {
        Self {
            head: bytes,
            payload: &[],
            len: bytes.len(),
            segmentation: None,
            checksums,
        }
    }

    /// A whole segment: `head` is exactly the headers, `payload` the pieces of TCP payload behind them.
    #[must_use]
    pub fn whole(head: &'a [u8], payload: &'a [Piece<'a>], segmentation: Segmentation) -> Self {
        let len = head.len() + payload.iter().map(Piece::len).sum::<usize>();
        Self {
            head,
            payload,
            len,
            segmentation: Some(segmentation),
            checksums: Checksums::Owed,
        }
    }

    /// Length in bytes, headers included, without a frame check sequence.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a frame has a header: it is never empty"
    )]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The bytes at the front that the sending device holds: all of a single frame, the headers of a whole
    /// segment.
    #[must_use]
    pub fn head(&self) -> &'a [u8] {
        self.head
    }

    /// The payload behind [`head`](Self::head), still in the sender's memory.
    #[must_use]
    pub fn payload(&self) -> &'a [Piece<'a>] {
        self.payload
    }

    /// How the frame is to be cut; `None` for a single frame.
    #[must_use]
    pub fn segmentation(&self) -> Option<&Segmentation> {
        self.segmentation.as_ref()
    }

    /// What is known about its checksums.
    #[must_use]
    pub fn checksums(&self) -> Checksums {
        self.checksums
    }

    /// Appends the whole frame to `out`.
    ///
    /// # Errors
    /// [`SourceFault`] where the sender's memory is gone (a file was truncated under its mapping): the frame
    /// is to be dropped. `out` is as it was.
    pub fn gather(&self, out: &mut Vec<u8>) -> Result<(), SourceFault> {
        let start = out.len();
        out.extend_from_slice(self.head);
        out.resize(start + self.len, 0);
        let mut at = start + self.head.len();
        for piece in self.payload {
            let to = &mut out[at..at + piece.len()];
            at += piece.len();
            if let Err(fault) = piece.copy_to(to) {
                out.truncate(start);
                return Err(fault);
            }
        }
        Ok(())
    }
}

impl WireFrame<'_> {
    /// Writes the payload behind `heads` in one call, straight from the sender's memory. The heads are what the caller
    /// sends in place of [`head`](Self::head); `recent` knows what was sent of late, and so is likely to be in the CPU's cache.
    ///
    /// # Errors
    /// What the system says; `EFAULT` where the sender's memory is gone.
    pub(crate) fn write_to(
        &self,
        to: BorrowedFd<'_>,
        heads: &[&[u8]],
        recent: &RecentPages,
    ) -> Result<usize, Errno> {
        memory::write_out(to, heads, self.payload, recent)
    }
}

/// What became of a frame at an [`Inlet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Delivery {
    /// In the receiver's memory, or on its way there.
    Accepted,
    /// Not for this receiver (address filter, receiver or link off): dropped as a real port would.
    Filtered,
    /// Longer or shorter than the receiver takes: dropped and counted there.
    BadLength,
    /// The receiver has no free descriptors or buffers: dropped and counted there.
    NoBuffer,
    /// The sender's pages are gone: nothing was delivered.
    SourceFault,
    /// A whole segment that this inlet takes only as single frames. Nothing was delivered.
    CutFirst,
    /// The far end has no room now and will have some: the frame stays with the sender, who tries again. Nothing was
    /// delivered, and nothing is lost.
    Busy,
}

impl Delivery {
    /// Whether what follows this frame has to wait for it.
    #[must_use]
    pub fn stops(self) -> bool {
        matches!(self, Self::Busy | Self::CutFirst | Self::SourceFault)
    }
}

/// Most frames that are passed on at a time, where a request travels in parts.
pub const BURST: usize = 8;

/// Where frames go in: for the time of one batch.
pub trait Inlet {
    /// Takes one frame.
    fn deliver(&mut self, frame: &WireFrame<'_>) -> Delivery;

    /// Takes frames one after the other, up to one that [stops](Delivery::stops) the rest. Each one's `fate` is told,
    /// in order, and that of the last one is returned. Payload may be copied until this returns.
    fn deliver_all(
        &mut self,
        frames: &[WireFrame<'_>],
        fate: &mut dyn FnMut(&WireFrame<'_>, Delivery),
    ) -> Delivery {
        let mut last = Delivery::Accepted;
        for frame in frames {
            last = self.deliver(frame);
            fate(frame, last);
            if last.stops() {
                break;
            }
        }
        last
    }

    /// Whether the receiver has buffers for a packet of `len` bytes, or for the `frames` that it is cut into. Who can
    /// hold a packet back asks first; a wire cannot.
    fn has_room(&mut self, _frames: usize, _len: usize) -> bool {
        true
    }

    /// The longest IP packet, in bytes, that a whole segment may be. What a device is to segment may be longer: it
    /// comes in parts.
    fn longest(&self) -> usize {
        LONGEST_IP
    }
}

/// The receiving side of a device.
pub trait Port: Send + Sync + Debug {
    /// Opens a batch: takes the receiver's lock once, calls `batch` with its inlet, and closes.
    fn receive(&self, batch: &mut dyn FnMut(&mut dyn Inlet));
}

/// One direction of a cable: from one device's TX engine to the [`Port`] at its end.
pub trait Cable: Send + Sync + Debug {
    /// Opens a batch at time `now`. A direct cable passes the far port's inlet through; an impaired one
    /// offers an inlet of its own, which keeps what is delayed. Frames that are due by the end of the batch
    /// are delivered by the next [`deliver_due`](Self::deliver_due), which follows each batch.
    fn carry(&self, now: Duration, batch: &mut dyn FnMut(&mut dyn Inlet));

    /// Delivers delayed frames that are due at `now`; returns how many.
    fn deliver_due(&self, now: Duration) -> usize;

    /// When the earliest delayed frame is due.
    fn next_event(&self) -> Option<Duration>;

    /// What has happened so far on this direction of the cable; on both, where one object is both.
    fn counters(&self) -> WireCounters;
}

/// What has happened to frames on one direction of a cable.
///
/// Nothing is lost silently: `frames + duplicated = delivered + refused + no_buffer + lost + queue_full +
/// in_flight`, at any time between two batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireCounters {
    /// Frames that the sending device put on the cable (a whole segment counts once).
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames that the receiver took.
    pub delivered: u64,
    /// Frames that the receiver dropped: not its address, a bad length, or its receiver was off.
    pub refused: u64,
    /// Frames that the receiver had no buffer for.
    pub no_buffer: u64,
    /// Frames that the cable lost on purpose.
    pub lost: u64,
    /// Frames that it duplicated.
    pub duplicated: u64,
    /// Frames that it delivered after one sent later.
    pub reordered: u64,
    /// Frames in which it flipped a bit.
    pub corrupted: u64,
    /// Frames lost because more were in flight than the cable holds.
    pub queue_full: u64,
    /// Frames on their way now.
    pub in_flight: u64,
}

impl Add for WireCounters {
    type Output = Self;

    /// Those of two ways.
    fn add(self, other: Self) -> Self {
        Self {
            frames: self.frames + other.frames,
            bytes: self.bytes + other.bytes,
            delivered: self.delivered + other.delivered,
            refused: self.refused + other.refused,
            no_buffer: self.no_buffer + other.no_buffer,
            lost: self.lost + other.lost,
            duplicated: self.duplicated + other.duplicated,
            reordered: self.reordered + other.reordered,
            corrupted: self.corrupted + other.corrupted,
            queue_full: self.queue_full + other.queue_full,
            in_flight: self.in_flight + other.in_flight,
        }
    }
}
