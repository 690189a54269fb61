//! TCP segmentation: one large segment becomes frames of the maximum segment size (82599 §7.2.4, 82540EM
//! §3.5).
//!
//! Software leaves a header that fits all frames: IP length 0, IPv4 checksum 0, and in the TCP checksum field
//! the pseudo-header's sum *without* the length. For each frame the device
//! 1. copies the header and sets the IP length; counts the IPv4 identification up; sums the IPv4 header;
//! 2. advances the TCP sequence number by the payload sent so far; keeps FIN and PSH for the last frame and
//!    CWR for the first;
//! 3. copies the frame's share of the payload;
//! 4. adds the TCP length to what stands in the checksum field and sums header and payload over it.
//!
//! Both checksums include what software left in their fields, as the hardware's do: a header that was not
//! prepared as above leaves as frames with a wrong checksum, which the far end reports.

use super::checksum::{Field, Sum, insert, pseudo_header};
use super::headers::{TCP, be16, be32};
use crate::wire::{IpVersion, Piece, Segmentation, SourceFault};

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// Why a segment cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// The header contradicts the lengths that the context descriptor gives.
    #[error("the context descriptor does not fit the header behind it: {0}")]
    BadHeader(&'static str),
    /// The sender's pages are gone. Frames cut before are whole.
    #[error(transparent)]
    Source(#[from] SourceFault),
}

/// Cuts one segment. Frame headers go into a buffer of the caller's, and so does the payload.
#[derive(Clone, Debug)]
pub struct Segmenter<'h> {
    header: &'h [u8],
    plan: Segmentation,
    payload_len: usize,
    sent: usize,
    frames: u16,
}

/// One frame of a segment: its header has been written, its payload is to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where this frame's payload starts in the segment's.
    pub offset: usize,
    /// How much of it there is, in bytes.
    pub len: usize,
}

impl<'h> Segmenter<'h> {
    /// A segment of `payload_len` bytes behind `header`, which is as software left it.
    ///
    /// # Errors
    /// [`SegmentError::BadHeader`].
    pub fn new(header: &'h [u8], plan: &Segmentation, payload_len: usize) -> Result<Self, SegmentError> {
        check(header, plan).map_err(SegmentError::BadHeader)?;
        Ok(Self {
            header,
            plan: *plan,
            payload_len,
            sent: 0,
            frames: 0,
        })
    }

    /// The longest frame that this segment is cut into, in bytes.
    #[must_use]
    pub fn max_frame(&self) -> usize {
        self.header.len() + self.payload_len.min(usize::from(self.plan.mss))
    }

    /// How many frames the segment is cut into.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.payload_len.div_ceil(usize::from(self.plan.mss)).max(1)
    }

    /// Writes the next frame's header to the front of `frame`, which has room for
    /// [`max_frame`](Self::max_frame) bytes. The caller copies the payload behind it and calls [`seal`] on
    /// the frame. `None` after the last.
    pub fn next_header(&mut self, frame: &mut [u8]) -> Option<Cut> {
        if self.sent == self.payload_len && self.frames > 0 {
            return None;
        }
        let cut = Cut {
            offset: self.sent,
            len: (self.payload_len - self.sent).min(self.plan.mss.into()),
        };
        let header = &mut frame[..self.header.len()];
        header.copy_from_slice(self.header);
        let first = self.frames == 0;
        self.sent += cut.len;
        let last = self.sent == self.payload_len;

        set_ip_length(header, &self.plan, cut.len, self.frames);
        let tcp = usize::from(self.plan.l2_len) + usize::from(self.plan.l3_len);
        let sequence = be32(header, tcp + 4)
            .unwrap_or_default()
            .wrapping_add(cut.offset as u32);
        header[tcp + 4..tcp + 8].copy_from_slice(&sequence.to_be_bytes());
        if !last {
            header[tcp + 13] &= !(FIN | PSH);
        }
        if !first {
            header[tcp + 13] &= !CWR;
        }
        self.frames = self.frames.wrapping_add(1);
        Some(cut)
    }
}

/// Makes a header, as software left it, that of the whole uncut segment: IP length (0 for more than an IPv4
/// packet can be) and IPv4 checksum. The TCP checksum stays owed; [`seal`] pays it.
///
/// # Errors
/// [`SegmentError::BadHeader`]; the header is unchanged then.
pub fn complete_whole(
    header: &mut [u8],
    plan: &Segmentation,
    payload_len: usize,
) -> Result<(), SegmentError> {
    check(header, plan).map_err(SegmentError::BadHeader)?;
    set_ip_length(header, plan, payload_len, 0);
    Ok(())
}

/// Inserts the TCP checksum of `frame`, whose field holds the pseudo-header's sum without the length.
pub fn seal(frame: &mut [u8], plan: &Segmentation) {
    let tcp = usize::from(plan.l2_len) + usize::from(plan.l3_len);
    let Some(segment) = frame.get_mut(tcp..).filter(|segment| segment.len() >= 20) else {
        return;
    };
    let mut sum = Sum::default();
    sum.add_number(segment.len() as u32);
    sum.add(segment);
    segment[16..18].copy_from_slice(&sum.checksum().to_be_bytes());
}

/// Whether software left the right pseudo-header sum in `header`, and nothing in the IPv4 checksum (0, or ones,
/// which add nothing). Frames cut from a wrong header have wrong checksums; a segment that travels whole has
/// nobody else to notice.
#[must_use]
pub fn left_sum_is_right(header: &[u8], plan: &Segmentation) -> bool {
    let ip = usize::from(plan.l2_len);
    let (addresses, clean) = match plan.ip {
        IpVersion::V4 => (
            ip + 12..ip + 20,
            matches!(be16(header, ip + 10), Some(0 | 0xffff)),
        ),
        IpVersion::V6 => (ip + 8..ip + 40, true),
    };
    let (Some(addresses), Some(left)) = (
        header.get(addresses),
        be16(header, ip + usize::from(plan.l3_len) + 16),
    ) else {
        return false;
    };
    clean && pseudo_header(addresses, TCP, 0).folded() == left
}

/// Cuts a segment whose payload is still in the sender's memory and hands each frame, sealed, to `each` until
/// that returns false. `buffer` is scratch that is reused from segment to segment. Returns the number of
/// frames handed out.
///
/// # Errors
/// [`SegmentError`].
pub fn cut(
    header: &[u8],
    payload: &[Piece<'_>],
    plan: &Segmentation,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(&[u8]) -> bool,
) -> Result<usize, SegmentError> {
    let mut segmenter = Segmenter::new(header, plan, payload.iter().map(Piece::len).sum())?;
    if buffer.len() < segmenter.max_frame() {
        buffer.resize(segmenter.max_frame(), 0);
    }
    let mut rest = payload.iter().copied();
    let mut piece = rest.next();
    let mut frames = 0;
    while let Some(cut) = segmenter.next_header(buffer) {
        let mut at = header.len();
        let end = at + cut.len;
        while at < end {
            let Some(from) = piece else { break };
            let take = from.len().min(end - at);
            from.copy_to(&mut buffer[at..at + take])?;
            at += take;
            piece = if take < from.len() {
                Some(from.part(take, from.len()))
            } else {
                rest.next()
            };
        }
        let frame = &mut buffer[..end];
        seal(frame, plan);
        frames += 1;
        if !each(frame) {
            break;
        }
    }
    Ok(frames)
}

/// Sets IP length and IPv4 identification and checksum for `payload_len` bytes in frame number `index`.
fn set_ip_length(header: &mut [u8], plan: &Segmentation, payload_len: usize, index: u16) {
    let ip = usize::from(plan.l2_len);
    let l3_len = usize::from(plan.l3_len);
    let behind = usize::from(plan.l4_len) + payload_len;
    match plan.ip {
        IpVersion::V4 => {
            let total = u16::try_from(l3_len + behind).unwrap_or(0);
            header[ip + 2..ip + 4].copy_from_slice(&total.to_be_bytes());
            let identification = be16(header, ip + 4).unwrap_or_default().wrapping_add(index);
            header[ip + 4..ip + 6].copy_from_slice(&identification.to_be_bytes());
            let inserted = insert(header, ip..ip + l3_len, ip + 10, Field::Ipv4Header);
            debug_assert!(inserted, "check() has seen the header's length");
        }
        IpVersion::V6 => {
            let length = u16::try_from(l3_len - 40 + behind).unwrap_or(0);
            header[ip + 4..ip + 6].copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// Whether the plan describes this header.
fn check(header: &[u8], plan: &Segmentation) -> Result<(), &'static str> {
    let ip = usize::from(plan.l2_len);
    let l3_len = usize::from(plan.l3_len);
    let l4_len = usize::from(plan.l4_len);
    if header.len() != plan.header_len() {
        return Err("the header length differs");
    }
    if ip < 14 || l4_len < 20 {
        return Err("a header length is too small");
    }
    let fits = match plan.ip {
        IpVersion::V4 => {
            l3_len >= 20
                && usize::from(header[ip] & 15) * 4 == l3_len
                && header[ip] >> 4 == 4
                && header[ip + 9] == TCP
        }
        IpVersion::V6 => l3_len >= 40 && header[ip] >> 4 == 6,
    };
    if !fits {
        return Err("no IP header with TCP in it where the descriptor says");
    }
    if usize::from(header[ip + l3_len + 12] >> 4) * 4 != l4_len {
        return Err("the TCP header's own length differs");
    }
    if plan.mss == 0 {
        return Err("the maximum segment size is 0");
    }
    if l3_len + l4_len + usize::from(plan.mss) > usize::from(u16::MAX) {
        return Err("the maximum segment size makes frames longer than IP allows");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use smoltcp::wire::{EthernetFrame, IpAddress, Ipv4Packet, Ipv6Packet, TcpPacket};

    use super::*;
    use crate::offload::checksum::{Verdict, verify};
    use crate::offload::headers::IpPacket;
    use crate::offload::samples::Sample;

    fn plan(sample: &Sample, mss: u16) -> Segmentation {
        Segmentation {
            mss,
            l2_len: sample.l2_len() as u8,
            l3_len: sample.l3_len() as u16,
            l4_len: 20 + sample.options as u8,
            ip: if sample.v6 { IpVersion::V6 } else { IpVersion::V4 },
        }
    }

    /// The header as a driver has to leave it.
    fn prepared(sample: &Sample) -> Vec<u8> {
        let mut header = sample.build(b"");
        let (ip, tcp) = (sample.l2_len(), sample.l2_len() + sample.l3_len());
        let addresses = if sample.v6 {
            ip + 8..ip + 40
        } else {
            ip + 12..ip + 20
        };
        let sum = pseudo_header(&header[addresses], TCP, 0).folded();
        if sample.v6 {
            header[ip + 4..ip + 6].fill(0);
        } else {
            header[ip + 2..ip + 4].fill(0);
            header[ip + 10..ip + 12].fill(0);
        }
        header[tcp + 16..tcp + 18].copy_from_slice(&sum.to_be_bytes());
        header
    }

    fn cut_all(header: &[u8], payload: &[u8], pieces: &[usize], plan: &Segmentation) -> Vec<Vec<u8>> {
        let mut rest = payload;
        let mut parts = Vec::new();
        for &len in pieces {
            let (part, behind) = rest.split_at(len.min(rest.len()));
            parts.push(Piece::from_bytes(part));
            rest = behind;
        }
        parts.push(Piece::from_bytes(rest));
        let mut frames = Vec::new();
        let count = cut(header, &parts, plan, &mut Vec::new(), |frame| {
            frames.push(frame.to_vec());
            true
        });
        assert_eq!(count, Ok(frames.len()));
        frames
    }

    /// smoltcp's parsers on one frame: checks both checksums and returns (TCP sequence, flags, payload).
    fn parsed(frame: &[u8], sample: &Sample) -> (u32, u8, Vec<u8>) {
        let ether = EthernetFrame::new_checked(&frame[4 * sample.tags..]).expect("a frame");
        let check = |segment: &[u8], from: IpAddress, to: IpAddress| {
            let tcp = TcpPacket::new_checked(segment).expect("TCP");
            assert!(tcp.verify_checksum(&from, &to), "TCP checksum");
            (tcp.seq_number().0 as u32, segment[13], tcp.payload().to_vec())
        };
        if sample.v6 {
            let ip = Ipv6Packet::new_checked(ether.payload()).expect("IPv6");
            assert_eq!(ip.total_len(), ether.payload().len());
            check(ip.payload(), ip.src_addr().into(), ip.dst_addr().into())
        } else {
            let ip = Ipv4Packet::new_checked(ether.payload()).expect("IPv4");
            assert!(ip.verify_checksum(), "IPv4 header checksum");
            assert_eq!(usize::from(ip.total_len()), ether.payload().len());
            check(ip.payload(), ip.src_addr().into(), ip.dst_addr().into())
        }
    }

    proptest! {
        #[test]
        fn frames_reassemble_to_the_segment_and_every_checksum_holds(
            payload in prop::collection::vec(any::<u8>(), 0..5_000),
            mss in 1_u16..1_600, v6: bool, tags in 0_usize..2, options in 0_usize..=10,
            flags: u8, sequence: i32, identification: u16,
            pieces in prop::collection::vec(0_usize..2_000, 0..5),
        ) {
            let mss = mss.max(payload.len() as u16 / 40 + 1);
            let base = Sample { v6, tags, options: 4 * options, flags, sequence, identification, ..Sample::v4(TCP) };
            let plan = plan(&base, mss);
            let frames = cut_all(&prepared(&base), &payload, &pieces, &plan);
            let mut whole = Vec::new();
            for (index, frame) in frames.iter().enumerate() {
                let (got_sequence, got_flags, part) = parsed(frame, &base);
                prop_assert_eq!(got_sequence, (sequence as u32).wrapping_add(whole.len() as u32));
                let (first, last) = (index == 0, index + 1 == frames.len());
                let mut expected = flags;
                if !first { expected &= !CWR; }
                if !last { expected &= !(FIN | PSH); prop_assert_eq!(part.len(), usize::from(mss)); }
                prop_assert_eq!(got_flags, expected);
                if !v6 {
                    let at = base.l2_len() + 4;
                    prop_assert_eq!(be16(frame, at), Some(identification.wrapping_add(index as u16)));
                }
                whole.extend(part);
                let packet = IpPacket::parse(frame);
                prop_assert_eq!(verify(packet.as_ref(), frame, &[]).l4, Verdict::Good);
            }
            prop_assert_eq!(whole, payload);
        }

        #[test]
        fn a_whole_segment_sealed_is_a_valid_packet(
            payload in prop::collection::vec(any::<u8>(), 0..5_000), v6: bool, options in 0_usize..=10,
        ) {
            let base = Sample { v6, options: 4 * options, ..Sample::v4(TCP) };
            let plan = plan(&base, 1_000);
            let mut frame = prepared(&base);
            prop_assert!(left_sum_is_right(&frame, &plan));
            complete_whole(&mut frame, &plan, payload.len()).expect("a good header");
            frame.extend_from_slice(&payload);
            seal(&mut frame, &plan);
            prop_assert_eq!(parsed(&frame, &base).2, payload);
        }
    }

    #[test]
    fn a_wrong_sum_left_by_the_driver_shows_at_the_far_end() {
        let base = Sample::v4(TCP);
        let plan = plan(&base, 100);
        // The mistakes that datasheets invite: length included, checksum left in place, IPv4 field not cleared.
        let mut with_length = prepared(&base);
        with_length[14 + 20 + 17] ^= 0x10;
        assert!(!left_sum_is_right(&with_length, &plan));
        let frames = cut_all(&with_length, &[1; 250], &[], &plan);
        assert_eq!(frames.len(), 3);
        for frame in frames {
            assert_eq!(
                verify(IpPacket::parse(&frame).as_ref(), &frame, &[]).l4,
                Verdict::Bad
            );
        }
        let mut stale = prepared(&base);
        stale[24..26].copy_from_slice(&[0x12, 0x34]);
        assert!(!left_sum_is_right(&stale, &plan));
        let frames = cut_all(&stale, &[1; 250], &[], &plan);
        assert_eq!(
            verify(IpPacket::parse(&frames[0]).as_ref(), &frames[0], &[]).ip,
            Verdict::Bad
        );
    }

    #[test]
    fn a_plan_that_does_not_fit_the_header_is_refused() {
        let base = Sample::v4(TCP);
        let header = prepared(&base);
        let good = plan(&base, 1_000);
        let refused = |plan: Segmentation| Segmenter::new(&header, &plan, 10).is_err();
        assert!(!refused(good));
        assert!(refused(Segmentation { mss: 0, ..good }));
        assert!(refused(Segmentation { mss: 65_500, ..good }));
        assert!(refused(Segmentation {
            ip: IpVersion::V6,
            ..good
        }));
        assert!(refused(Segmentation { l2_len: 18, ..good }));
        assert!(refused(Segmentation {
            l2_len: 10,
            l3_len: 24,
            ..good
        }));
        assert!(refused(Segmentation {
            l3_len: 16,
            l4_len: 24,
            ..good
        }));
        assert!(Segmenter::new(&header[..50], &good, 10).is_err());
    }

    #[test]
    fn the_caller_can_stop_in_the_middle() {
        let base = Sample::v4(TCP);
        let payload = [7; 1_000];
        let mut buffer = Vec::new();
        let frames = cut(
            &prepared(&base),
            &[Piece::from_bytes(&payload)],
            &plan(&base, 100),
            &mut buffer,
            |_| false,
        );
        assert_eq!(frames, Ok(1));
        assert_eq!(buffer.len(), 54 + 100);
    }
}
