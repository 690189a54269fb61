//! What leaves and what smoltcp is shown, number by number.

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
        self.counting.on_acknowledgment(offset, window);
        self.counting.on_window(offset + u64::from(window));
        let number = self.wire.sequence(offset as i64);
        let arrived = segment(TcpFlags::ACK, 1, number, 0);
        let shown = self
            .counting
            .to_smoltcp(&arrived, number, Some(&self.wire), window);
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
    let shown = counting.to_smoltcp(&syn, 0, None, syn.window.into());
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
        let options = counting.to_smoltcp(&syn, 0, None, syn.window.into()).syn_options;
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
fn a_window_that_was_taken_back_is_asked_for_with_a_byte() {
    let mut sender = Sender::of(&[200]);
    sender.offer(20, 60);
    sender.offer(20, 0);
    assert_eq!(sender.emit(1, 1), 20..21);
    // What is overtaken tells nothing.
    sender.offer(30, 60);
    sender.offer(25, 0);
    assert_eq!(sender.emit(1, 1), 30..40);
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
        let shown = counting.to_smoltcp(&arrived, 0, None, u32::from(window) << shift);
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
