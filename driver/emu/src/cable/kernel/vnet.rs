//! The virtio-net header (virtio 1.2 §5.1.6, `<linux/virtio_net.h>`): what a packet's sender has left to be done.
//!
//! Ten bytes before each packet, in the machine's byte order. A checksum that is owed stands in its field as the sum of
//! the pseudo-header *with* the length, while NICs (and [`Checksums::Owed`]) want it without for a segment that is
//! to be cut: the difference is made up here, in both directions.

use crate::offload::checksum::{Field, insert, pseudo_header};
use crate::offload::headers::{IpPacket, TCP};
use crate::wire::{Checksums, IpVersion, Segmentation, WireFrame};

/// Its length in bytes.
pub(super) const HEADER: usize = 10;
/// The longest headers of a packet that is passed on whole.
const LONGEST_HEAD: usize = 256;
/// The shortest frame that NICs take, without its check sequence.
const SHORTEST: usize = 60;

const NEEDS_CHECKSUM: u8 = 1;
const DATA_VALID: u8 = 2;
const GSO_NONE: u8 = 0;
const GSO_TCP_V4: u8 = 1;
const GSO_TCP_V6: u8 = 4;
/// Beside a kind of segmentation: CWR is set in the first frame only.
const GSO_ECN: u8 = 0x80;

/// Where TCP's checksum stands in its header, and its flags.
const TCP_CHECKSUM: usize = 16;
const TCP_FLAGS: usize = 13;
const CWR: u8 = 0x80;

/// Hands `send` the virtio-net header and the frame's own head behind it: payload is to follow.
pub(super) fn with_header<T>(frame: &WireFrame<'_>, send: impl FnOnce(&[&[u8]]) -> T) -> T {
    let head = frame.head();
    let mut room = [0; HEADER + LONGEST_HEAD];
    match frame.segmentation() {
        Some(plan) if head.len() <= LONGEST_HEAD => {
            let (header, copy) = room.split_at_mut(HEADER);
            let copy = &mut copy[..head.len()];
            copy.copy_from_slice(head);
            let payload = frame.len() - head.len();
            write_plan(header, copy, plan, payload);
            send(&[&room[..HEADER + head.len()]])
        }
        _ => send(&[&room[..HEADER], head]),
    }
}

/// How a whole segment is to be cut, and its checksum as the kernel wants it.
fn write_plan(header: &mut [u8], head: &mut [u8], plan: &Segmentation, payload: usize) {
    let tcp = usize::from(plan.l2_len) + usize::from(plan.l3_len);
    if let Some(field) = head.get_mut(tcp + TCP_CHECKSUM..tcp + TCP_CHECKSUM + 2) {
        let left = u32::from(u16::from_be_bytes([field[0], field[1]]));
        let sum = left + (usize::from(plan.l4_len) + payload) as u32;
        let folded = (sum >> 16) + (sum & 0xffff);
        let folded = ((folded >> 16) + folded) as u16;
        field.copy_from_slice(&folded.to_be_bytes());
    }
    header[0] = NEEDS_CHECKSUM;
    header[6..8].copy_from_slice(&(tcp as u16).to_ne_bytes());
    header[8..10].copy_from_slice(&(TCP_CHECKSUM as u16).to_ne_bytes());
    if payload > usize::from(plan.mss) {
        let ecn = head.get(tcp + TCP_FLAGS).is_some_and(|flags| flags & CWR != 0);
        header[1] = match plan.ip {
            IpVersion::V4 => GSO_TCP_V4,
            IpVersion::V6 => GSO_TCP_V6,
        } | if ecn { GSO_ECN } else { 0 };
        header[2..4].copy_from_slice(&(plan.header_len() as u16).to_ne_bytes());
        header[4..6].copy_from_slice(&plan.mss.to_ne_bytes());
    }
}

/// A packet of the kernel, as it goes onto the wire.
#[derive(Debug)]
pub(super) enum Packet<'b> {
    /// One frame.
    Single(&'b [u8], Checksums),
    /// A TCP segment that is longer than a frame, its headers those of the whole.
    Segment(&'b mut [u8], Segmentation),
}

impl Packet<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Single(bytes, _) => bytes.len(),
            Self::Segment(bytes, _) => bytes.len(),
        }
    }

    /// How many frames it is, once it is cut.
    pub(super) fn frames(&self) -> usize {
        match self {
            Self::Single(..) => 1,
            Self::Segment(bytes, plan) => {
                (bytes.len() - plan.header_len()).div_ceil(usize::from(plan.mss).max(1))
            }
        }
    }
}

/// Reads the packet whose header and bytes are the first `len` of `buffer`, and does what the kernel has left to be
/// done. What is done once is not undone: a packet that waits can be read again. `None` for one that makes no sense.
pub(super) fn parse(buffer: &mut [u8], len: usize) -> Option<Packet<'_>> {
    let (header, frame) = buffer.split_first_chunk_mut::<HEADER>()?;
    let len = len.checked_sub(HEADER).filter(|len| *len >= 14)?;
    let number = |at: usize| usize::from(u16::from_ne_bytes([header[at], header[at + 1]]));
    let (kind, mss) = (header[1] & !GSO_ECN, number(4));
    let (start, offset) = (number(6), number(8));
    if kind != GSO_NONE {
        let frame = frame.get_mut(..len)?;
        let plan = plan_of(frame, kind, mss)?;
        owe(frame, &plan);
        return Some(Packet::Segment(frame, plan));
    }
    let checksums = match header[0] {
        flags if flags & NEEDS_CHECKSUM != 0 => {
            let field = if offset == TCP_CHECKSUM {
                Field::Tcp
            } else {
                Field::Udp
            };
            if !insert(frame.get_mut(..len)?, start..len, start + offset, field) {
                return None;
            }
            header[0] = DATA_VALID;
            Checksums::Inserted
        }
        flags if flags & DATA_VALID != 0 => Checksums::Inserted,
        _ => Checksums::Unverified,
    };
    let padded = len.max(SHORTEST);
    frame.get_mut(len..padded)?.fill(0);
    Some(Packet::Single(frame.get(..padded)?, checksums))
}

/// Where the headers of a segment end.
fn plan_of(frame: &[u8], kind: u8, mss: usize) -> Option<Segmentation> {
    let packet = IpPacket::parse(frame).filter(|packet| packet.protocol == TCP && !packet.fragment)?;
    let expected = match packet.version {
        IpVersion::V4 => GSO_TCP_V4,
        IpVersion::V6 => GSO_TCP_V6,
    };
    let l4_len = usize::from(frame.get(packet.l4 + 12)? >> 4) * 4;
    let fits = kind == expected && mss > 0 && l4_len >= 20 && packet.l4 + l4_len < frame.len();
    fits.then_some(Segmentation {
        mss: mss as u16,
        l2_len: packet.start as u8,
        l3_len: (packet.l4 - packet.start) as u16,
        l4_len: l4_len as u8,
        ip: packet.version,
    })
}

/// Makes the header of a whole segment one that frames can be cut from: each gets an IPv4 checksum of its own.
pub(super) fn forget_ip_checksum(head: &mut [u8], plan: &Segmentation) {
    if plan.ip == IpVersion::V4 {
        let field = usize::from(plan.l2_len) + 10;
        head[field..field + 2].fill(0);
    }
}

/// Tells the header of a packet that `by` bytes of link-layer header were put in.
pub(super) fn moved_on(header: &mut [u8], by: u16) {
    if header[0] & NEEDS_CHECKSUM != 0 {
        let start = u16::from_ne_bytes([header[6], header[7]]).saturating_add(by);
        header[6..8].copy_from_slice(&start.to_ne_bytes());
    }
}

/// Leaves the sum of the pseudo-header without the length in the checksum's field, as a driver does.
fn owe(frame: &mut [u8], plan: &Segmentation) {
    let ip = usize::from(plan.l2_len);
    let addresses = match plan.ip {
        IpVersion::V4 => ip + 12..ip + 20,
        IpVersion::V6 => ip + 8..ip + 40,
    };
    let sum = pseudo_header(&frame[addresses], TCP, 0).folded();
    let field = ip + usize::from(plan.l3_len) + TCP_CHECKSUM;
    frame[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}
