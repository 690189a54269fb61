//! From smoltcp's numbers to those on the wire, and back.
//!
//! smoltcp counts a stream that is sent by reference in [`Grains`], so what it says of that stream has to be
//! translated before it leaves, and what the peer says of it before smoltcp sees it:
//!
//! | | where | how |
//! |---|---|---|
//! | sequence number, payload length | what leaves | bytes that the grains stand for |
//! | acknowledgment number | what arrives | whole grains: rounded down |
//! | window, window scale, MSS | what arrives | divided by the bytes of a grain, rounded down |
//!
//! The peer's stream is counted in bytes on both sides. Everything else in the stack speaks the wire's numbers.

use crate::grains::{Grains, SHORTEST_MSS, grain_of};
use crate::headers::{Shown, SynOptions, TcpHeaders};
use crate::sequence::Extender;

/// What a peer takes that tells no MSS (RFC 9293 §3.7.1).
const DEFAULT_MSS: u16 = 536;

/// What one connection has told smoltcp in other numbers.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    grains: Grains,
    /// smoltcp's sequence numbers; known from the SYN we send.
    counted: Option<Extender>,
    /// The offset in bytes before which everything is acknowledged, to the byte.
    acknowledged: u64,
    /// The end of all windows that the peer has offered, as an offset in bytes.
    edge: u64,
    /// Most bytes of payload in a frame; a whole number of grains.
    mss: usize,
    /// The window scale that smoltcp is shown.
    shift: u8,
}

impl Counting {
    pub(crate) const fn new() -> Self {
        Self {
            grains: Grains::new(),
            counted: None,
            acknowledged: 0,
            edge: 0,
            mss: 0,
            shift: 0,
        }
    }

    pub(crate) fn grains(&self) -> &Grains {
        &self.grains
    }

    pub(crate) fn grains_mut(&mut self) -> &mut Grains {
        &mut self.grains
    }

    /// How many bytes are acknowledged where smoltcp still holds `held` grains.
    pub(crate) fn acknowledged_but(&self, held: usize) -> u64 {
        self.grains.byte_before_end(held as u64)
    }

    /// Chooses the grain by the MSS that the peer's SYN tells; our own frames have room for `local` bytes of payload, and our
    /// ring for `ring`. A peer that tells no MSS, or offers next to no window, is sent what it is by grains of a byte: smoltcp
    /// cannot be told a smaller MSS than it assumes, and the rest of a window is lost that is less than a grain.
    pub(crate) fn on_syn(&mut self, syn: &TcpHeaders, local: usize, ring: usize) {
        let SynOptions {
            mss, window_scale, ..
        } = syn.syn_options;
        let told = mss.filter(|mss| *mss > 0);
        self.mss = usize::from(told.unwrap_or(DEFAULT_MSS))
            .max(SHORTEST_MSS)
            .min(local);
        let scaled = told.is_some() && usize::from(syn.window) >= 2 * self.mss;
        self.grains.set_size(if scaled { grain_of(self.mss) } else { 1 });
        // A window longer than the ring is as good as one of its length: no more of it is rounded away than has to be.
        let grains = ring / self.grains.size();
        let shift = (grains / (1 << 16))
            .checked_ilog2()
            .map_or(0, |bits| bits as u8 + 1);
        self.shift = window_scale.map_or(0, |_| shift);
    }

    /// The stream offset that may be sent up to when all before `acknowledged` is acknowledged, as far as this is new to the
    /// network: ten full segments, and twice what has arrived (RFC 6928 §2, RFC 5681 §3.1). smoltcp's own first window is
    /// 2048 grains, and what it learns from losses holds beside this.
    pub(crate) fn slow_start(&self, acknowledged: u64) -> u64 {
        2 * acknowledged + first_window(self.mss) as u64
    }

    /// A segment of smoltcp's as it is to leave, where `sent` is the end of all that was sent. It reaches no further than the
    /// peer's windows, or asks with one byte for another: smoltcp asks with a grain, takes a window of less than that for
    /// closed, and in a fast retransmission looks at no window.
    pub(crate) fn for_wire(
        &mut self,
        segment: &TcpHeaders,
        wire: Option<&Extender>,
        sent: u64,
    ) -> TcpHeaders {
        if segment.flags.syn() {
            self.counted = Some(Extender::new(segment.sequence));
            return *segment;
        }
        let (Some(counted), Some(wire)) = (&mut self.counted, wire) else {
            return *segment;
        };
        let Some(counted) = counted.send(segment.sequence, segment.segment_len()) else {
            return *segment;
        };
        let mut start = self.grains.byte_at(counted.start);
        let mut end = self.grains.byte_at(counted.start + segment.payload_len as i64);
        let second = self.grains.byte_at(counted.start + 1);
        let acknowledged = self.acknowledged as i64;
        if (start + 1..second).contains(&acknowledged) {
            // A part of the first grain has arrived. What leaves begins behind it, and what is sent again is as long as it was
            // to be: else the last bytes of the frame that is missing would be missing still.
            if segment.payload_len > 0 {
                end = (end + acknowledged - start).min(end.max(sent as i64));
            } else {
                end = acknowledged;
            }
            start = acknowledged;
        }
        let whole = TcpHeaders {
            sequence: wire.sequence(start),
            payload_len: (end - start) as usize,
            ..*segment
        };
        let fits = (self.edge as i64 - start).max(1) as usize;
        whole.part(0, whole.payload_len.min(fits))
    }

    /// Takes note that the peer has acknowledged all before the stream offset `acknowledged`, to the byte: in a segment that
    /// smoltcp takes, for of what it drops it must know nothing.
    pub(crate) fn on_acknowledgment(&mut self, acknowledged: u64) {
        self.acknowledged = self.acknowledged.max(acknowledged);
    }

    /// Takes note that the peer offers a window up to the stream offset `edge`.
    pub(crate) fn on_window(&mut self, edge: u64) {
        self.edge = self.edge.max(edge);
    }

    /// Whether a byte at `offset` asks for a window (RFC 9293 §3.8.6.1), and is not sent in one.
    pub(crate) fn is_probe(&self, offset: u64) -> bool {
        offset >= self.edge
    }

    /// What smoltcp is to read in a segment of the peer's that acknowledges `acknowledgment`, and whose window is to be shifted
    /// by `shift`: not at all in a SYN.
    pub(crate) fn to_smoltcp(
        &self,
        segment: &TcpHeaders,
        acknowledgment: u32,
        wire: Option<&Extender>,
        shift: u8,
    ) -> Shown {
        let size = self.grains.size();
        if size == 1 {
            return Shown {
                acknowledgment,
                ..Shown::of(segment)
            };
        }
        // A SYN's window is scaled neither here nor there.
        let shown_shift = if segment.flags.syn() { 0 } else { self.shift };
        let window = ((usize::from(segment.window) << shift) / size) >> shown_shift;
        let acknowledgment = match (&self.counted, wire) {
            (Some(counted), Some(wire)) => {
                counted.sequence(self.grains.grain_at(wire.offset(acknowledgment)))
            }
            _ => acknowledgment,
        };
        let options = segment.syn_options;
        Shown {
            acknowledgment,
            window: u16::try_from(window).unwrap_or(u16::MAX),
            syn_options: SynOptions {
                mss: options.mss.map(|_| (self.mss / size) as u16),
                window_scale: options.window_scale.map(|_| self.shift),
                ..options
            },
        }
    }
}

/// The initial window in bytes, of segments of `mss` bytes (RFC 6928 §2).
fn first_window(mss: usize) -> usize {
    (10 * mss).min(14_600.max(2 * mss))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::guard::tests::segment;
    use crate::headers::TcpFlags;

    const ISN: u32 = 0xffff_fff0;
    const MSS: u16 = 1460;
    const GRAIN: u64 = 20;
    const RING: usize = 1 << 20;

    /// A connection that has shaken hands, and what its frames say.
    struct Sender {
        counting: Counting,
        wire: Extender,
        sent: u64,
    }

    impl Sender {
        /// Which promises so many bytes, one after the other.
        fn of(promised: &[u64]) -> Self {
            let mut counting = Counting::new();
            let mut wire = Extender::new(ISN);
            wire.send(ISN, 1);
            counting.for_wire(&segment(TcpFlags::SYN, ISN, 0, 0), None, 0);
            counting.on_syn(&syn_of(MSS), 1460, RING);
            for bytes in promised {
                counting.grains_mut().extend(*bytes);
            }
            let mut sender = Self {
                counting,
                wire,
                sent: 0,
            };
            sender.acknowledge(0);
            sender
        }

        /// smoltcp emits `len` grains from grain `from` on: the bytes that leave.
        fn emit(&mut self, from: u64, len: usize) -> std::ops::Range<u64> {
            let emitted = segment(TcpFlags::ACK, ISN.wrapping_add(1 + from as u32), 0, len);
            let wire = self.counting.for_wire(&emitted, Some(&self.wire), self.sent);
            let bytes = self.wire.send(wire.sequence, wire.payload_len as u32).unwrap();
            self.sent = self.sent.max(bytes.end as u64);
            bytes.start as u64..bytes.end as u64
        }

        /// The peer acknowledges all before `offset`, and offers more than there is: how many grains smoltcp is told of.
        fn acknowledge(&mut self, offset: u64) -> u64 {
            self.offer(offset, 1 << 20)
        }

        fn offer(&mut self, offset: u64, window: u32) -> u64 {
            self.counting.on_acknowledgment(offset);
            self.counting.on_window(offset + u64::from(window));
            let number = self.wire.sequence(offset as i64);
            let arrived = segment(TcpFlags::ACK, 1, number, 0);
            let shown = self.counting.to_smoltcp(&arrived, number, Some(&self.wire), 0);
            u64::from(shown.acknowledgment.wrapping_sub(ISN.wrapping_add(1)))
        }
    }

    fn syn_of(mss: u16) -> TcpHeaders {
        TcpHeaders {
            window: 64_000,
            syn_options: SynOptions {
                mss: Some(mss),
                window_scale: Some(7),
                sack_permitted: true,
            },
            ..segment(TcpFlags::SYN, 1, 0, 0)
        }
    }

    #[test]
    fn a_syn_shows_smoltcp_windows_and_an_mss_in_grains() {
        let mut counting = Counting::new();
        let syn = syn_of(MSS);
        counting.on_syn(&syn, 1460, RING);
        let shown = counting.to_smoltcp(&syn, 0, None, 0);
        assert_eq!((shown.window, shown.syn_options.mss), (3200, Some(73)));
        assert_eq!(
            shown.syn_options.window_scale,
            Some(0),
            "the ring has fewer than 65,536 grains"
        );
        assert!(shown.syn_options.sack_permitted);
    }

    #[test]
    fn the_smaller_mss_of_both_is_what_a_grain_divides() {
        for (peer, local, grain, shown) in [(8960, 1460, 20, 73), (536, 1460, 8, 67), (1, 1460, 1, 1)] {
            let mut counting = Counting::new();
            let syn = syn_of(peer);
            counting.on_syn(&syn, local, RING);
            assert_eq!(counting.grains().size(), grain);
            let options = counting.to_smoltcp(&syn, 0, None, 0).syn_options;
            assert_eq!(options.mss, Some(shown));
        }
        let mut counting = Counting::new();
        let mut syn = syn_of(MSS);
        counting.on_syn(&syn, 1460, RING);
        // Another one: the first was refused.
        syn.syn_options.mss = None;
        counting.on_syn(&syn, 1460, RING);
        assert_eq!(counting.grains().size(), 1, "smoltcp assumes 536 by itself");
        assert_eq!(counting.slow_start(0), 5360);
    }

    #[test]
    fn what_is_sent_again_begins_behind_what_has_arrived_and_reaches_as_far_as_it_was_to() {
        let mut sender = Sender::of(&[10_000]);
        assert_eq!(sender.emit(0, 500), 0..10_000);
        // A frame that began amid a grain was lost.
        assert_eq!(sender.acknowledge(2927), 2927 / GRAIN);
        assert_eq!(sender.emit(2927 / GRAIN, 73), 2927..2927 + 1460);
        // What was sent ends there.
        assert_eq!(sender.acknowledge(9990), 9990 / GRAIN);
        assert_eq!(sender.emit(9990 / GRAIN, 1), 9990..10_000);
    }

    #[test]
    fn nothing_leaves_beyond_the_window_but_a_byte_that_asks_for_one() {
        let mut sender = Sender::of(&[200]);
        sender.counting.edge = 0;
        sender.offer(0, 40);
        assert_eq!(sender.emit(0, 10), 0..40);
        sender.offer(40, 0);
        assert_eq!(sender.emit(2, 1), 40..41);
        assert_eq!(sender.offer(41, 0), 2);
        assert_eq!(sender.emit(2, 1), 41..42);
        assert_eq!(sender.offer(42, 7), 2);
        assert_eq!(sender.emit(2, 1), 42..49);
        assert_eq!(sender.offer(49, 100), 2);
        assert_eq!(sender.emit(2, 10), 49..149);
    }

    #[test]
    fn a_fin_stands_after_the_last_byte_and_its_acknowledgment_after_the_last_grain() {
        let mut sender = Sender::of(&[47]);
        let last = segment(TcpFlags::FIN | TcpFlags::ACK, ISN.wrapping_add(1 + 2), 0, 1);
        let wire = sender.counting.for_wire(&last, Some(&sender.wire), 40);
        assert_eq!(wire.sequence, ISN.wrapping_add(1 + 40));
        assert_eq!((wire.payload_len, wire.flags.fin()), (7, true));
        sender.wire.send(wire.sequence, wire.segment_len());
        assert_eq!(sender.acknowledge(47), 3);
        assert_eq!(sender.acknowledge(48), 4);
    }

    #[test]
    fn the_numbers_of_the_wire_and_those_of_smoltcp_wrap_each_in_their_own_time() {
        let mut sender = Sender::of(&[]);
        let (mut bytes, mut grains) = (0, 0);
        while grains < 1 << 32 {
            let len = (1 << 20) + grains % 41;
            let more = sender.counting.grains_mut().extend(len);
            sender.counting.on_window(bytes + len);
            assert_eq!(sender.emit(grains, more as usize), bytes..bytes + len);
            let within = len / 2 / GRAIN;
            let told = sender.acknowledge(bytes + len / 2);
            assert_eq!(told as u32, (grains + within) as u32);
            (bytes, grains) = (bytes + len, grains + more);
            sender.counting.grains_mut().release(bytes);
        }
    }

    #[test]
    fn ten_full_segments_leave_before_anything_is_acknowledged() {
        let known = [(536, 5360), (1460, 14_600), (4000, 14_600), (8960, 17_920)];
        for (mss, window) in known {
            assert_eq!(first_window(mss), window);
        }
        let sender = Sender::of(&[]);
        assert_eq!(sender.counting.slow_start(5000), 14_600 + 10_000);
    }

    proptest! {
        /// RFC 9293 §3.8.6: nothing is sent beyond the window. And as much of it is used as the ring can have under way, but
        /// for a grain, or what a scale of smoltcp's rounds away.
        #[test]
        fn smoltcp_is_shown_no_larger_window_than_there_is_and_hardly_a_smaller_one(
            mss in 48_u16..=9000, window: u16, shift in 0_u8..=14, ring in 16_u32..=26,
        ) {
            let mut counting = Counting::new();
            counting.on_syn(&syn_of(mss), 8960, 1 << ring);
            let size = counting.grains().size();
            let arrived = TcpHeaders { window, ..segment(TcpFlags::ACK, 1, 0, 0) };
            let shown = counting.to_smoltcp(&arrived, 0, None, shift);
            let (offered, shown_shift) = (usize::from(window) << shift, if size == 1 { shift } else { counting.shift });
            let taken = (usize::from(shown.window) << shown_shift) * size;
            prop_assert!(taken <= offered);
            let lost = offered.min(1 << ring).saturating_sub(taken);
            prop_assert!(lost < size << shown_shift, "{lost} bytes of {offered}, grains of {size}");
        }

        /// smoltcp sends grain after grain, and goes back to where it was acknowledged; the peer takes any part of it.
        #[test]
        fn every_byte_is_sent_in_order_whatever_the_peer_acknowledges(
            promised in prop::collection::vec(1_u64..3000, 1..10), lens in prop::collection::vec((1_usize..100, 0.0..=1.0), 1..200),
        ) {
            let mut sender = Sender::of(&promised);
            let total: u64 = promised.iter().sum();
            let all = sender.counting.grains().grain_at(total as i64) as u64;
            let (mut counted, mut arrived) = (0_u64, 0_u64);
            for (len, share) in lens.into_iter().chain([(usize::MAX, 1.0)]) {
                let len = len.min((all - counted) as usize);
                if len == 0 {
                    break;
                }
                let bytes = sender.emit(counted, len);
                prop_assert!(bytes.start <= arrived, "a hole before {bytes:?}: {arrived} have arrived");
                prop_assert!(bytes.end <= total);
                let taken = bytes.start + ((bytes.end - bytes.start) as f64 * share) as u64;
                arrived = arrived.max(taken);
                counted = sender.acknowledge(arrived);
            }
            prop_assert_eq!((arrived, counted), (total, all));
        }
    }
}
