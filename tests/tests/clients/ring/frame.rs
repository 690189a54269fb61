//! Frames with a number, from which all their bytes follow: what arrives tells which it is, and whether it is whole.

use std::ops::Range;

use pagewire_emu::wire::{Checksums, Delivery, Inlet, IpVersion, Piece, Segmentation, WireFrame};

/// Headers of a segment: Ethernet, IPv4, TCP.
pub(super) const HEAD: usize = 54;
/// Where its TCP checksum stands.
pub(super) const CHECKSUM: Range<usize> = 50..52;
pub(super) const MSS: u16 = 1460;
/// The address that all frames come from.
pub(super) const OURS: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// A frame with a number, whose bytes follow from it.
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) segment: Option<Segmentation>,
}

impl Frame {
    /// One Ethernet frame of 60 to 1514 bytes, of a kind that is for experiments (IEEE 802 local experimental).
    pub(super) fn single(number: u32) -> Self {
        Self::with_kind(number, &[0x88, 0xb5])
    }

    /// The same with a VLAN tag.
    pub(super) fn tagged(number: u32) -> Self {
        Self::with_kind(number, &[0x81, 0, 0x60, 5, 0x88, 0xb5])
    }

    fn with_kind(number: u32, kind: &[u8]) -> Self {
        let mut bytes = [&[2, 0, 0, 0, 0, 2], &OURS[..], kind, &number.to_be_bytes()].concat();
        let len = 60 + number as usize * 7 % 1455;
        bytes.extend((bytes.len()..len).map(|at| pattern(number, at)));
        Self { bytes, segment: None }
    }

    /// A TCP segment with `payload` bytes behind its headers, its number the sequence number.
    pub(super) fn segment(number: u32, payload: usize) -> Self {
        let len = (payload + 40) as u16;
        let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        bytes.extend([0x45, 0]);
        bytes.extend(len.to_be_bytes());
        bytes.extend([0, 1, 0x40, 0, 64, 6, 0, 0, 10, 1, 2, 3, 10, 4, 5, 6]);
        bytes.extend([0x10, 0, 0x20, 0]);
        bytes.extend(number.to_be_bytes());
        bytes.extend([0, 0, 0, 9, 0x50, 0x10, 1, 0]);
        // The sum of the pseudo-header without the length, as a driver leaves it.
        let words = [0x0a01, 0x0203, 0x0a04, 0x0506, 6];
        bytes.extend((words.iter().sum::<u32>() as u16).to_be_bytes());
        bytes.extend([0, 0]);
        assert_eq!(bytes.len(), HEAD);
        bytes.extend((HEAD..HEAD + payload).map(|at| pattern(number, at)));
        let segment = Some(Segmentation {
            mss: MSS,
            l2_len: 14,
            l3_len: 20,
            l4_len: 20,
            ip: IpVersion::V4,
        });
        Self { bytes, segment }
    }

    pub(super) fn deliver_to(&self, inlet: &mut dyn Inlet) -> Delivery {
        let Some(plan) = self.segment else {
            return inlet.deliver(&WireFrame::single(&self.bytes, Checksums::Unverified));
        };
        let (head, payload) = self.bytes.split_at(HEAD);
        // As from several pages.
        let (first, rest) = payload.split_at(payload.len() / 3);
        let pieces = [Piece::from_bytes(first), Piece::from_bytes(rest)];
        inlet.deliver(&WireFrame::whole(head, &pieces, plan))
    }
}

fn pattern(number: u32, at: usize) -> u8 {
    (number as usize * 31 + at * 7 + at / 255) as u8
}

/// The number of a frame that [`Frame::single`] made.
pub(super) fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[14..18].try_into().unwrap())
}
