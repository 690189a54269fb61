//! What a peer sees of a stream that smoltcp counts in grains: nothing.

use pagewire_stack::headers::TcpHeaders;
use pagewire_stack::{ConnectionId, Duration, Failure, TransmitRing};
use pagewire_tests::peer::segments;
use pagewire_tests::{Alone, Peer, address_v4};
use smoltcp::wire::{IpEndpoint, TcpRepr, TcpSeqNumber};

const PEER: Peer = Peer { host: 2, port: 4_000 };

/// The MSS, the window scale and the window field of a usual SYN.
const USUAL: (Option<u16>, Option<u8>, u16) = (Some(1460), None, 60_000);

/// A connection of a peer whose SYN tells this, and the number of our first byte.
fn connected(
    (mss, scale, offered): (Option<u16>, Option<u8>, u16),
    window: u16,
) -> (Alone, ConnectionId, u32) {
    let mut alone = Alone::listening();
    let (id, first) = PEER.connect(&mut alone, &PEER.syn(mss, scale, offered), window);
    (alone, id, first)
}

/// A bare acknowledgment of the peer's.
fn says(sequence: u32, acknowledgment: u32, window: u16) -> Vec<u8> {
    PEER.frame(&PEER.says(sequence, acknowledgment, window))
}

fn headers(frames: &[Vec<u8>]) -> Vec<TcpHeaders> {
    segments(frames).into_iter().map(|(headers, _)| headers).collect()
}

/// The offset and the length of what of these carries payload.
fn payloads(frames: &[Vec<u8>], first: u32) -> Vec<(u32, usize)> {
    let of_ours = headers(frames)
        .into_iter()
        .filter(|segment| segment.payload_len > 0);
    of_ours
        .map(|segment| (segment.sequence.wrapping_sub(first), segment.payload_len))
        .collect()
}

/// Sends `len` bytes to a peer that acknowledges each frame and offers `window` as the field has it; how long that took.
fn time_to_send(syn: (Option<u16>, Option<u8>, u16), window: u16, len: usize) -> Duration {
    let (mut alone, id, first) = connected(syn, window);
    alone.machine.stack.send_bytes(id, &vec![7; len]).unwrap();
    let (mut whole, began) = (0, alone.now);
    let edge = usize::from(window) << syn.1.unwrap_or(0);
    while whole < len && alone.now - began < Duration::from_secs(60) {
        for (offset, payload) in payloads(&alone.sent_within(Duration::from_millis(1)), first) {
            let (offset, limit) = (offset as usize, whole + edge);
            assert!(
                offset + payload <= limit,
                "{} bytes beyond the window",
                offset + payload - limit
            );
            if offset <= whole {
                whole = whole.max(offset + payload);
            }
            alone.send(&says(1, first.wrapping_add(whole as u32), window));
        }
    }
    assert_eq!(whole, len);
    let took = alone.now - began;
    alone.machine.stack.abort(id, Failure::Aborted);
    alone.sent();
    alone.finish();
    took
}

#[test]
fn the_smallest_window_of_any_scale_is_used() {
    for scale in 0..=14_u8 {
        let window = (1_u16 << 11 >> scale.min(11)).max(1);
        let took = time_to_send((Some(1460), Some(scale), 60_000), window, 20_000);
        assert!(took < Duration::from_secs(1), "scale {scale}: {took}");
    }
}

#[test]
fn a_peer_that_takes_a_few_bytes_at_a_time_gets_them_at_once() {
    for window in [1, 10, 19, 30] {
        let took = time_to_send((Some(1460), None, window), window, 200);
        assert!(took < Duration::from_secs(1), "window {window}: {took}");
    }
}

/// RFC 9293 §3.10.7.4: what it acknowledges counts only where the segment is acceptable.
#[test]
fn an_acknowledgment_in_a_segment_out_of_the_window_is_none() {
    let (mut alone, id, first) = connected(USUAL, 60_000);
    alone.machine.stack.send_bytes(id, &[7; 3000]).unwrap();
    assert!(!alone.sent().is_empty());
    alone.send(&says(1 + (1 << 29), first.wrapping_add(7), 60_000));
    alone.sent();
    let again = payloads(&alone.sent_within(Duration::from_secs(5)), first);
    assert_eq!(again[0].0, 0, "bytes before were never acknowledged");
    alone.finish();
}

#[test]
fn what_is_sent_while_the_window_is_closed_begins_behind_what_has_arrived() {
    let (mut alone, id, first) = connected(USUAL, 40);
    alone.machine.stack.send_bytes(id, &[7; 100]).unwrap();
    assert_eq!(payloads(&alone.sent(), first), [(0, 40)]);
    alone.send(&says(1, first.wrapping_add(40), 0));
    let probe = payloads(&alone.sent_within(Duration::from_secs(3)), first);
    assert_eq!(probe[0], (40, 1));
    alone.send(&says(1, first.wrapping_add(41), 0));
    alone.sent();
    alone.send(&PEER.frame(&TcpRepr {
        payload: b"hello",
        ..PEER.says(1, first.wrapping_add(41), 0)
    }));
    let answers = headers(&alone.sent());
    let answer = answers.iter().find(|segment| segment.acknowledgment == 6);
    alone.machine.stack.abort(id, Failure::Aborted);
    let farewell = headers(&alone.sent());
    let reset = farewell.iter().find(|segment| segment.flags.rst());
    for segment in [answer.expect("an acknowledgment"), reset.expect("a reset")] {
        assert_eq!(segment.sequence.wrapping_sub(first), 41);
    }
    alone.finish();
}

#[test]
fn a_window_that_an_overtaken_segment_tells_cuts_nothing() {
    let (mut alone, id, first) = connected(USUAL, 40);
    alone.machine.stack.send_bytes(id, &[7; 40]).unwrap();
    alone.sent();
    alone.send(&says(1, first.wrapping_add(40), 60_000));
    alone.sent();
    alone.send(&says(1, first.wrapping_add(20), 0));
    alone.sent();
    alone.machine.stack.send_bytes(id, b"twelve bytes").unwrap();
    assert_eq!(payloads(&alone.sent(), first), [(40, 12)]);
    alone.finish();
}

#[test]
fn the_mss_of_a_syn_that_was_refused_is_forgotten() {
    let mut alone = Alone::new(|_| {});
    alone.send(&PEER.arp());
    alone.sent();
    let (to, now) = (IpEndpoint::new(address_v4(2), PEER.port), alone.now);
    let id = alone
        .machine
        .stack
        .connect(to, TransmitRing::Phantom, now)
        .unwrap();
    let ours = PEER.told(&alone.sent()).expect("a SYN");
    let first = ours.sequence.wrapping_add(1);
    let answer = |sequence, acknowledged, mss| TcpRepr {
        dst_port: ours.source.port,
        ack_number: Some(TcpSeqNumber(acknowledged as i32)),
        seq_number: TcpSeqNumber(sequence),
        ..PEER.syn(mss, None, 60_000)
    };
    // It acknowledges what was never sent.
    alone.send(&PEER.frame(&answer(5_000, first.wrapping_add(1_000), Some(1460))));
    alone.sent();
    alone.send(&PEER.frame(&answer(0, first, None)));
    alone.sent();
    alone.machine.stack.send_bytes(id, &[7; 3000]).unwrap();
    let sent = payloads(&alone.sent_within(Duration::from_millis(1)), first);
    assert_eq!(sent[..2], [(0, 536), (536, 536)]);
    alone.finish();
}
