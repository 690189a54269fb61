//! When received bytes are acknowledged: long packets together, and everything else at once.

use pagewire_stack::source::Bytes;
use pagewire_stack::{ConnectionId, Duration};
use pagewire_tests::{Pair, Setup, address_v4};

/// A connection that is established, on machines that take segments whole or not.
fn connected(whole_segments: bool) -> (Pair, (ConnectionId, ConnectionId)) {
    let mut pair = Pair::new(&Setup {
        whole_segments,
        ..Setup::default()
    });
    let ends = pair.connect(address_v4(2));
    (pair, ends)
}

/// Sends `len` bytes, which the receiver reads at once. Returns how long it took until the sender knew that all had arrived,
/// how many packets came to the receiver, and how many to the sender.
fn exchange(pair: &mut Pair, ends: (ConnectionId, ConnectionId), len: usize) -> (Duration, u64, u64) {
    send(pair, ends, len, true)
}

/// As [`exchange`]; whether the receiver reads is told.
fn send(
    pair: &mut Pair,
    (near, far): (ConnectionId, ConnectionId),
    len: usize,
    reads: bool,
) -> (Duration, u64, u64) {
    let packets =
        |pair: &Pair| [&pair.far, &pair.near].map(|machine| machine.stack.counters().ingress.packets);
    let (began, before) = (pair.now, packets(pair));
    let source = Bytes::copy(pair.near.stack.mapper(), &vec![0x5a; len]).unwrap();
    pair.near.stack.send(near, Box::new(source));
    pair.run_until(60, |pair| {
        while reads && pair.far.stack.receive(far, <[u8]>::len) > 0 {}
        !pair.near.stack.status(near).unwrap().is_under_way()
    });
    let [there, back] = packets(pair);
    (pair.now - began, there - before[0], back - before[1])
}

#[test]
fn the_long_packets_of_a_stream_are_acknowledged_by_fours() {
    let (mut pair, ends) = connected(true);
    // The sender's congestion window opens.
    exchange(&mut pair, ends, 16 << 20);
    let (_, there, back) = exchange(&mut pair, ends, 16 << 20);
    assert!(there < 320, "{there} packets of up to 64 KiB");
    assert!(back * 3 < there, "{back} acknowledgments for {there} packets");
    pair.finish();
}

#[test]
fn a_sender_that_waits_for_the_acknowledgment_of_a_long_packet_waits_once() {
    let (mut pair, ends) = connected(true);
    exchange(&mut pair, ends, 16 << 20);
    // As many segments as fit into one packet.
    let waits: Vec<_> = (0..10)
        .map(|_| {
            let (took, there, back) = exchange(&mut pair, ends, 40 * 1460);
            assert_eq!((there, back), (1, 1));
            took
        })
        .collect();
    let limit = Duration::from_micros(48);
    assert!(waits[0] >= limit && waits[0] < limit * 2, "{waits:?}");
    assert!(waits[1..].iter().all(|took| *took < limit / 3), "{waits:?}");
    pair.finish();
}

#[test]
fn a_long_packet_waits_for_no_other_where_the_reader_leaves_little_of_the_window() {
    let (mut pair, ends) = connected(true);
    exchange(&mut pair, ends, 16 << 20);
    // Short packets, which are acknowledged at once: a quarter of the window is left to be read.
    for _ in 0..10 {
        send(&mut pair, ends, 26 << 10, false);
    }
    let limit = Duration::from_micros(48);
    let (took, there, back) = send(&mut pair, ends, 40 * 1460, false);
    assert_eq!((there, back), (1, 1));
    assert!(took < limit / 3, "{took}");
    // Another waits as soon as all is read.
    exchange(&mut pair, ends, 1);
    let (took, ..) = exchange(&mut pair, ends, 40 * 1460);
    assert!(took >= limit, "{took}");
    pair.finish();
}

#[test]
fn packets_as_they_are_on_the_wire_are_acknowledged_at_once() {
    let (mut pair, ends) = connected(false);
    exchange(&mut pair, ends, 1 << 20);
    let (took, ..) = exchange(&mut pair, ends, 40 * 1460);
    assert!(took < Duration::from_micros(10), "{took}");
    pair.finish();
}
