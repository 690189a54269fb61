//! Receiving by reference: what arrives is read where the NIC has put it, and kept where it is not read at once.

use pagewire_emu::cable::Impairments;
use pagewire_stack::source::Bytes;
use pagewire_stack::{ConnectionId, ReceiveRing};
use pagewire_tests::{Pair, Setup, address_v4};

const LEN: usize = 3_000_017;

fn stream() -> Vec<u8> {
    (0..LEN as u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// A connection on which the near machine sends the stream, and the far one has a phantom receive ring.
fn sending(impairments: Impairments) -> (Pair, ConnectionId) {
    let mut pair = Pair::new(&Setup {
        impairments,
        configure_far: |config| config.receive = ReceiveRing::Phantom,
        ..Setup::default()
    });
    let (near, far) = pair.connect(address_v4(2));
    let source = Bytes::copy(pair.near.stack.mapper(), &stream()).unwrap();
    pair.near.stack.send(near, Box::new(source));
    pair.near.stack.finish(near);
    (pair, far)
}

/// Takes up to `most` bytes of what there is.
fn take(pair: &mut Pair, id: ConnectionId, most: usize, into: &mut Vec<u8>) {
    let mut left = most;
    while left > 0 {
        let taken = pair.far.stack.receive(id, |bytes| {
            let len = bytes.len().min(left);
            into.extend_from_slice(&bytes[..len]);
            len
        });
        if taken == 0 {
            return;
        }
        left -= taken;
    }
}

/// Takes the stream to its end, after each round another number of bytes, from `seed` on.
fn take_portions(pair: &mut Pair, id: ConnectionId, seed: usize, into: &mut Vec<u8>) {
    let mut most = seed;
    for _ in 0..10_000_000 {
        most = most * 48_271 % 65_537;
        take(pair, id, most, into);
        if pair.far.stack.status(id).unwrap().drained {
            return;
        }
        pair.round();
    }
    panic!("{} bytes after ten million rounds", into.len());
}

#[test]
fn bytes_that_are_read_in_the_round_they_come_in_are_never_copied() {
    let (mut pair, far) = sending(Impairments::none());
    let mut received = vec![];
    pair.run_until(60, |pair| {
        take(pair, far, usize::MAX, &mut received);
        pair.far.stack.status(far).unwrap().drained
    });
    assert!(received == stream());
    assert_eq!(pair.far.stack.counters().kept_bytes, 0);
    pair.finish();
}

#[test]
fn bytes_that_nobody_reads_are_kept_up_to_the_window_and_then_the_sender_waits() {
    let (mut pair, far) = sending(Impairments::none());
    pair.run_for(5);
    let kept = pair.far.stack.counters().kept_bytes;
    let window = 1 << 20;
    // To the precision that the window's scale leaves.
    assert!(
        kept > window - 64 && kept <= window,
        "a window, and every byte of it once: {kept}"
    );
    let mut received = vec![];
    pair.run_until(60, |pair| {
        take(pair, far, usize::MAX, &mut received);
        pair.far.stack.status(far).unwrap().drained
    });
    assert!(received == stream());
    pair.finish();
}

#[test]
fn bytes_are_right_however_few_of_them_are_taken_at_a_time() {
    let (mut pair, far) = sending(Impairments::none());
    let mut received = vec![];
    take_portions(&mut pair, far, 1, &mut received);
    assert!(received == stream());
    let kept = pair.far.stack.counters().kept_bytes;
    assert!(
        kept > 0 && kept < LEN as u64,
        "{kept} bytes went through the store"
    );
    pair.finish();
}

#[test]
fn bytes_are_right_over_a_wire_that_loses_repeats_and_reorders() {
    for seed in 1..=4 {
        let (mut pair, far) = sending(Impairments {
            loss: 0.01,
            duplicate: 0.01,
            reorder: 0.01,
            seed,
            latency: std::time::Duration::from_micros(20),
            ..Impairments::none()
        });
        let mut received = vec![];
        take_portions(&mut pair, far, seed as usize, &mut received);
        assert!(received == stream(), "seed {seed}");
        let counters = pair.near.stack.counters();
        assert!(
            counters.retransmitted_bytes > 0,
            "nothing was lost: the test shows nothing"
        );
        pair.finish();
    }
}

#[test]
fn a_connection_that_goes_while_its_bytes_are_held_leaves_every_frame_behind() {
    let (mut pair, far) = sending(Impairments::none());
    pair.run_until(10, |pair| {
        // Not read, so that they are held when it ends.
        pair.far.stack.receive(far, |_| 1) > 0
    });
    pair.far.stack.abort(far, pagewire_stack::Failure::Aborted);
    pair.far.stack.release(far);
    pair.run_for(1);
    assert_eq!(pair.far.stack.connection_count(), 0);
    pair.finish();
}
