//! The internet checksum (RFC 1071): summing, inserting, judging.
//!
//! The sum of 16-bit words in one's complement does not depend on the byte order it is taken in, so the
//! bytes are added as they lie in memory, 32 bits at a time into 64-bit lanes that cannot overflow, and
//! swapped once at the end.

use std::ops::Range;

use super::headers::{IpPacket, TCP, UDP, be16};
use crate::wire::IpVersion;

/// A running sum over bytes that may come in pieces of any length, odd ones too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    words: u64,
    odd: bool,
}

impl Sum {
    /// Adds `bytes` behind those added so far.
    #[inline]
    pub fn add(&mut self, bytes: &[u8]) {
        let sum = sum_of(bytes);
        // Behind an odd number of bytes the next byte is the low half of a word.
        self.words += u64::from(if self.odd { sum.swap_bytes() } else { sum });
        self.odd ^= bytes.len() % 2 == 1;
    }

    /// Adds a number, as the big-endian words that it would be on the wire. Call it between whole words.
    #[inline]
    pub fn add_number(&mut self, number: u32) {
        debug_assert!(!self.odd, "a number starts on a word");
        self.words += u64::from(number >> 16) + u64::from(number & 0xffff);
    }

    /// The sum folded to 16 bits. Over data that includes its checksum it is 0xffff.
    #[must_use]
    #[inline]
    pub fn folded(self) -> u16 {
        fold(self.words)
    }

    /// The checksum: the complement of the folded sum.
    #[must_use]
    #[inline]
    pub fn checksum(self) -> u16 {
        !self.folded()
    }
}

/// The folded sum of `bytes` as big-endian words, an odd last byte padded with zero.
#[inline]
fn sum_of(bytes: &[u8]) -> u16 {
    // Eight independent lanes: the compiler keeps them in vector registers.
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut lanes = [0_u64; 8];
    for block in blocks {
        let (words, _) = block.as_chunks::<4>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    let mut sum: u64 = lanes.iter().map(|&lane| u64::from(fold(lane))).sum();
    let (words, rest) = rest.as_chunks::<4>();
    for word in words {
        sum += u64::from(u32::from_ne_bytes(*word));
    }
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    sum += u64::from(u32::from_ne_bytes(last));
    u16::from_be(fold(sum))
}

/// Adds the carries back in until 16 bits are left.
#[inline]
fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    sum as u16
}

/// The sum of the pseudo-header: addresses, protocol and `length` of the transport segment (RFC 9293 §3.1,
/// RFC 8200 §8.1). `addresses` is source and destination together, 8 or 32 bytes.
#[must_use]
pub fn pseudo_header(addresses: &[u8], protocol: u8, length: u32) -> Sum {
    let mut sum = Sum::default();
    sum.add(addresses);
    sum.add_number(u32::from(protocol));
    sum.add_number(length);
    sum
}

/// Which checksum is inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The IPv4 header's.
    Ipv4Header,
    /// TCP's.
    Tcp,
    /// UDP's: a result of 0 goes out as 0xffff, since 0 says "none" there (RFC 768).
    Udp,
}

/// Inserts a checksum as the hardware does (82599 §7.2.5, 82540EM §3.5.4 and §3.3.7): sums `covered`, with
/// whatever software left in the field (zero, or the pseudo-header's sum), and writes the complement at byte
/// `at`.
///
/// Returns false, with nothing changed, if the range or the field is not inside the frame.
#[must_use]
pub fn insert(frame: &mut [u8], covered: Range<usize>, at: usize, field: Field) -> bool {
    let Some(bytes) = frame.get(covered) else {
        return false;
    };
    let mut sum = Sum::default();
    sum.add(bytes);
    let checksum = match (sum.checksum(), field) {
        (0, Field::Udp) => 0xffff,
        (checksum, _) => checksum,
    };
    match frame.get_mut(at..at.saturating_add(2)) {
        Some(place) => place.copy_from_slice(&checksum.to_be_bytes()),
        None => return false,
    }
    true
}

/// What a receiver says to one checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Checked, and it holds.
    Good,
    /// Checked, and it does not hold.
    Bad,
    /// Not checked: there is none, or it cannot be checked from this frame alone.
    Unchecked,
}

impl Verdict {
    fn of(sum: Sum) -> Self {
        if sum.folded() == 0xffff {
            Self::Good
        } else {
            Self::Bad
        }
    }
}

/// What a receiver says to a frame (82599 §7.1.11, 82540EM §3.2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// The IPv4 header checksum; unchecked for anything but IPv4.
    pub ip: Verdict,
    /// The TCP or UDP checksum; unchecked for other protocols, for fragments, for UDP without a checksum and
    /// for packets that are cut short or still on their way to an intermediate address.
    pub l4: Verdict,
}

impl Verdicts {
    /// Nothing was checked.
    pub const UNCHECKED: Self = Self {
        ip: Verdict::Unchecked,
        l4: Verdict::Unchecked,
    };
}

/// Judges the checksums of a frame: `head`, which holds all headers, followed by `rest`. `packet` is what
/// [`IpPacket::parse`] found in `head`.
#[must_use]
pub fn verify(packet: Option<&IpPacket>, head: &[u8], rest: &[&[u8]]) -> Verdicts {
    let Some(packet) = packet else {
        return Verdicts::UNCHECKED;
    };
    let ip = match packet.version {
        IpVersion::V4 => {
            let mut sum = Sum::default();
            sum.add(&head[packet.start..packet.l4]);
            Verdict::of(sum)
        }
        IpVersion::V6 => Verdict::Unchecked,
    };
    Verdicts {
        ip,
        l4: verify_l4(packet, head, rest).unwrap_or(Verdict::Unchecked),
    }
}

/// Judges TCP or UDP; `None` where it cannot.
fn verify_l4(packet: &IpPacket, head: &[u8], rest: &[&[u8]]) -> Option<Verdict> {
    if packet.fragment || packet.in_transit || head.len() < packet.l4 {
        return None;
    }
    let room = packet.end.checked_sub(packet.l4)?;
    let len = match packet.protocol {
        TCP if room >= 20 => room,
        UDP if room >= 8 && be16(head, packet.l4 + 6)? != 0 => {
            // The datagram's own length rules; one that contradicts its packet cannot be good.
            let len = usize::from(be16(head, packet.l4 + 4)?);
            if !(8..=room).contains(&len) {
                return Some(Verdict::Bad);
            }
            len
        }
        _ => return None,
    };
    let mut sum = pseudo_header(
        &head[packet.addresses()],
        packet.protocol,
        u32::try_from(len).unwrap_or(u32::MAX),
    );
    let mut left = len;
    for piece in std::iter::once(&head[packet.l4..]).chain(rest.iter().copied()) {
        let take = left.min(piece.len());
        sum.add(&piece[..take]);
        left -= take;
    }
    (left == 0).then(|| Verdict::of(sum))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use smoltcp::wire::{EthernetFrame, Ipv4Packet, Ipv6Packet, TcpPacket, UdpPacket};

    use super::*;
    use crate::offload::samples::Sample;

    fn judge(frame: &[u8]) -> Verdicts {
        verify(IpPacket::parse(frame).as_ref(), frame, &[])
    }

    /// RFC 1071 word by word: slow and plain.
    fn reference(bytes: &[u8]) -> u16 {
        let mut sum = 0_u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
            sum = (sum >> 16) + (sum & 0xffff);
        }
        sum as u16
    }

    #[test]
    fn the_example_of_rfc_1071_sums_right() {
        let mut sum = Sum::default();
        sum.add(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.folded(), 0xddf2);
    }

    #[test]
    fn carries_survive_long_runs_of_ones() {
        for len in [1, 31, 32, 33, 64, 65_535, 1 << 20] {
            let bytes = vec![0xff; len];
            assert_eq!(sum_of(&bytes), reference(&bytes), "{len} bytes");
        }
    }

    #[test]
    fn udp_without_a_checksum_is_not_checked() {
        let mut frame = Sample::v4(UDP).build(b"payload");
        let at = 14 + 20 + 6;
        frame[at..at + 2].fill(0);
        assert_eq!(
            judge(&frame),
            Verdicts {
                ip: Verdict::Good,
                l4: Verdict::Unchecked
            }
        );
    }

    #[test]
    fn a_fragment_gets_a_verdict_on_its_header_only() {
        let mut frame = Sample::v4(TCP).build(b"payload");
        frame[20] = 0x20;
        frame[24..26].fill(0);
        assert!(insert(&mut frame, 14..34, 24, Field::Ipv4Header));
        assert_eq!(
            judge(&frame),
            Verdicts {
                ip: Verdict::Good,
                l4: Verdict::Unchecked
            }
        );
    }

    #[test]
    fn other_protocols_and_short_frames_are_not_checked() {
        let mut frame = Sample::v4(TCP).build(b"payload");
        frame.truncate(frame.len() - 1);
        assert_eq!(judge(&frame).l4, Verdict::Unchecked);
        let icmp = Sample::v4(1).build(b"payload");
        assert_eq!(
            judge(&icmp),
            Verdicts {
                ip: Verdict::Good,
                l4: Verdict::Unchecked
            }
        );
        assert_eq!(judge(b"short"), Verdicts::UNCHECKED);
    }

    #[test]
    fn ethernet_padding_is_outside_the_checksum() {
        let mut frame = Sample::v4(TCP).build(b"");
        frame.resize(60, 0xaa);
        assert_eq!(
            judge(&frame),
            Verdicts {
                ip: Verdict::Good,
                l4: Verdict::Good
            }
        );
    }

    #[test]
    fn a_field_outside_the_frame_changes_nothing() {
        let mut frame = [7; 40];
        assert!(!insert(&mut frame, 0..41, 4, Field::Tcp));
        assert!(!insert(&mut frame, 0..40, 39, Field::Tcp));
        assert_eq!(frame, [7; 40]);
    }

    #[test]
    fn a_udp_checksum_of_zero_goes_out_as_ones() {
        let mut frame = [0xff_u8, 0xff, 0, 0];
        assert!(insert(&mut frame, 0..4, 2, Field::Udp));
        assert_eq!(frame[2..], [0xff, 0xff]);
        let mut frame = [0xff_u8, 0xff, 0, 0];
        assert!(insert(&mut frame, 0..4, 2, Field::Tcp));
        assert_eq!(frame[2..], [0, 0]);
    }

    proptest! {
        #[test]
        fn pieces_of_any_length_sum_as_the_whole(
            bytes in prop::collection::vec(any::<u8>(), 0..600),
            cuts in prop::collection::vec(0_usize..600, 0..6),
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut sum = Sum::default();
            for pair in cuts.windows(2) {
                sum.add(&bytes[pair[0]..pair[1]]);
            }
            prop_assert_eq!(sum.folded(), reference(&bytes));
        }

        #[test]
        fn smoltcp_and_the_verdict_agree(
            payload in prop::collection::vec(any::<u8>(), 0..300),
            udp: bool, v6: bool, tags in 0_usize..2, flip in prop::option::of(0_usize..10_000), cut in 0_usize..400,
        ) {
            let protocol = if udp { UDP } else { TCP };
            let base = if v6 { Sample::v6(protocol) } else { Sample::v4(protocol) };
            let mut frame = Sample { tags, ..base }.build(&payload);
            let ip_at = 14 + 4 * tags;
            let l4_at = ip_at + if v6 { 40 } else { 20 };
            if let Some(bit) = flip {
                // Lengths, ports and addresses stay: what is tested is the arithmetic.
                let bit = bit % ((frame.len() - l4_at - 8) * 8).max(1);
                if frame.len() > l4_at + 8 {
                    frame[l4_at + 8 + bit / 8] ^= 1 << (bit % 8);
                }
            }
            let ether = EthernetFrame::new_checked(&frame[4 * tags..]).expect("a frame");
            let (good, ip_good) = if v6 {
                let ip = Ipv6Packet::new_checked(ether.payload()).expect("IPv6");
                let (from, to) = (ip.src_addr().into(), ip.dst_addr().into());
                (l4_holds(ip.payload(), udp, &from, &to), None)
            } else {
                let ip = Ipv4Packet::new_checked(ether.payload()).expect("IPv4");
                let (from, to) = (ip.src_addr().into(), ip.dst_addr().into());
                (l4_holds(ip.payload(), udp, &from, &to), Some(ip.verify_checksum()))
            };
            let verdicts = judge(&frame);
            prop_assert_eq!(verdicts.l4, if good { Verdict::Good } else { Verdict::Bad });
            prop_assert_eq!(verdicts.ip == Verdict::Good, ip_good.unwrap_or(false));
            // The same in pieces.
            let cut = (l4_at + 20).max(cut).min(frame.len());
            let packet = IpPacket::parse(&frame).expect("IP");
            prop_assert_eq!(verify(Some(&packet), &frame[..cut], &[&frame[cut..]]), verdicts);
        }
    }

    fn l4_holds(
        segment: &[u8],
        udp: bool,
        from: &smoltcp::wire::IpAddress,
        to: &smoltcp::wire::IpAddress,
    ) -> bool {
        if udp {
            UdpPacket::new_unchecked(segment).verify_checksum(from, to)
        } else {
            TcpPacket::new_unchecked(segment).verify_checksum(from, to)
        }
    }
}
