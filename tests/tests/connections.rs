//! Many connections, both IP versions, listeners under pressure: over the real driver and the emulated 82599.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use pagewire_emu::cable::PcapTap;
use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::source::Bytes;
use pagewire_stack::{ConnectionId, Failure, IpAddress, IpEndpoint, State, TransmitRing};
use pagewire_tests::{PORT, Pair, Setup, address_v4, address_v6};

fn bytes(len: usize, salt: u8) -> Vec<u8> {
    (0..len)
        .map(|index| (index as u8).wrapping_mul(31).wrapping_add((index >> 8) as u8) ^ salt)
        .collect()
}

/// Takes all that has arrived at `id` on the far machine.
fn take(pair: &mut Pair, id: ConnectionId, into: &mut Vec<u8>) {
    while pair.far.stack.receive(id, |bytes| {
        into.extend_from_slice(bytes);
        bytes.len()
    }) > 0
    {}
}

fn round_trip(to: IpAddress) {
    let mut pair = Pair::new(&Setup::default());
    let (near, far) = pair.connect(to);
    let sent = [bytes(100_003, 1), bytes(70_001, 2)];
    for part in &sent {
        let source = Bytes::copy(pair.near.stack.mapper(), part).unwrap();
        pair.near.stack.send(near, Box::new(source));
    }
    pair.near.stack.finish(near);
    let mut received = vec![];
    pair.run_until(60, |pair| {
        take(pair, far, &mut received);
        pair.far.stack.status(far).unwrap().drained
    });
    assert_eq!(received, sent.concat());
    pair.far.stack.finish(far);
    pair.run_until(60, |pair| {
        pair.far.stack.status(far).unwrap().state == State::Closed
    });
    assert!(pair.far.stack.status(far).unwrap().failure.is_none());
    pair.near.stack.release(near);
    pair.far.stack.release(far);
    pair.run_for(30);
    assert_eq!(
        pair.near.stack.connection_count() + pair.far.stack.connection_count(),
        0
    );
    pair.finish();
}

#[test]
fn two_extents_arrive_in_order_over_ipv4() {
    round_trip(address_v4(2));
}

#[test]
fn two_extents_arrive_in_order_over_ipv6() {
    round_trip(address_v6(2));
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    let mut pair = Pair::new(&Setup::default());
    // Somebody listens on another one.
    pair.connect(address_v4(2));
    let remote = IpEndpoint::new(address_v4(2), 9);
    let id = pair
        .near
        .stack
        .connect(remote, TransmitRing::Phantom, pair.now)
        .unwrap();
    pair.run_until(10, |pair| pair.near.stack.status(id).unwrap().failure.is_some());
    assert!(matches!(
        pair.near.stack.status(id).unwrap().failure,
        Some(Failure::Refused)
    ));
    pair.finish();
}

#[test]
fn an_abort_reaches_the_peer_as_a_reset() {
    let mut pair = Pair::new(&Setup::default());
    let (near, far) = pair.connect(address_v4(2));
    pair.near.stack.abort(near, Failure::Aborted);
    pair.run_until(10, |pair| pair.far.stack.status(far).unwrap().failure.is_some());
    assert!(matches!(
        pair.far.stack.status(far).unwrap().failure,
        Some(Failure::ResetByPeer)
    ));
    pair.finish();
}

#[test]
fn a_thousand_connections_each_get_their_own_bytes() {
    const COUNT: usize = 1_000;
    let mut pair = Pair::new(&Setup {
        configure: small_sockets,
        ..Setup::default()
    });
    let mut ends = vec![];
    for _ in 0..COUNT {
        ends.push(pair.connect(address_v4(2)));
    }
    for (index, (near, _)) in ends.iter().enumerate() {
        let source = Bytes::copy(pair.near.stack.mapper(), &bytes(3_000 + index, index as u8)).unwrap();
        pair.near.stack.send(*near, Box::new(source));
    }
    let mut received = vec![vec![]; COUNT];
    pair.run_until(60, |pair| {
        for ((_, far), into) in ends.iter().zip(&mut received) {
            take(pair, *far, into);
        }
        received
            .iter()
            .enumerate()
            .all(|(index, got)| got.len() == 3_000 + index)
    });
    for (index, got) in received.iter().enumerate() {
        assert!(
            *got == bytes(3_000 + index, index as u8),
            "connection {index} got wrong bytes"
        );
    }
    pair.finish();
}

fn small_sockets(config: &mut pagewire_stack::StackConfig) {
    config.sockets = pagewire_stack::SocketSizes {
        receive: 8 << 10,
        transmit: 8 << 10,
    };
}

#[test]
fn a_handshake_that_is_never_finished_is_forgotten() {
    let mut pair = Pair::new(&Setup::default());
    let config = ListenerConfig {
        handshake_timeout: pagewire_stack::Duration::from_secs(3),
        ..Default::default()
    };
    pair.far
        .stack
        .listen(PORT, TransmitRing::Phantom, config)
        .unwrap();
    let remote = IpEndpoint::new(address_v4(2), PORT);
    let id = pair
        .near
        .stack
        .connect(remote, TransmitRing::Phantom, pair.now)
        .unwrap();
    pair.run_until(5, |pair| pair.far.stack.connection_count() == 1);
    // The near machine falls silent: its SYN is out, it will not hear the SYN|ACK.
    let device = pair.near.device.clone();
    for _ in 0..20_000 {
        pair.now += pagewire_stack::Duration::from_millis(1);
        pair.far.stack.poll(pair.now);
        pair.far
            .device
            .step(std::time::Duration::from_micros(pair.now.total_micros() as u64));
        if pair.far.stack.connection_count() == 0 {
            break;
        }
    }
    assert_eq!(
        pair.far.stack.connection_count(),
        0,
        "the half-open connection is still there"
    );
    assert_eq!(device.report().total(), 0);
    pair.near.stack.release(id);
}

#[test]
fn zero_copy_counts_no_copied_byte_even_when_frames_are_lost() {
    let impairments = pagewire_emu::cable::Impairments {
        loss: 0.05,
        seed: 3,
        latency: std::time::Duration::from_micros(20),
        ..pagewire_emu::cable::Impairments::none()
    };
    let mut pair = Pair::new(&Setup {
        impairments,
        ..Setup::default()
    });
    let (near, far) = pair.connect(address_v4(2));
    let mut file = tempfile::tempfile().unwrap();
    let sent = bytes(400_000, 9);
    std::io::Write::write_all(&mut file, &sent).unwrap();
    let source = pagewire_stack::source::MappedFile::new(file, pair.near.stack.windows()).unwrap();
    pair.near.stack.send(near, Box::new(source));
    pair.near.stack.finish(near);
    let mut received = vec![];
    pair.run_until(600, |pair| {
        take(pair, far, &mut received);
        pair.far.stack.status(far).unwrap().drained
    });
    assert!(received == sent);
    let counters = pair.near.stack.counters();
    assert!(
        counters.retransmitted_bytes > 0,
        "nothing was lost: the test shows nothing"
    );
    assert_eq!(counters.payload_bytes_copied, 0);
    pair.finish();
}

#[test]
fn rfc6864_4_3_no_two_frames_of_a_stream_over_ipv4_have_the_same_identification() {
    let wire = Wire::default();
    let tap = PcapTap::new(Box::new(wire.clone())).unwrap();
    let mut pair = Pair::new(&Setup {
        tap: Some(Arc::clone(&tap)),
        ..Setup::default()
    });
    let (near, far) = pair.connect(address_v4(2));
    let source = Bytes::copy(pair.near.stack.mapper(), &bytes(1 << 20, 3)).unwrap();
    pair.near.stack.send(near, Box::new(source));
    let mut received = vec![];
    pair.run_until(60, |pair| {
        take(pair, far, &mut received);
        received.len() == 1 << 20
    });
    pair.finish();
    tap.finish().unwrap();
    let seen = wire.identifications();
    assert!(seen.len() > 700, "{} frames", seen.len());
    assert_eq!(BTreeSet::from_iter(&seen).len(), seen.len());
}

/// What a capture holds.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Vec<u8>>>);

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire {
    /// The identifications in the IPv4 headers of the near machine's TCP.
    fn identifications(&self) -> Vec<u16> {
        let capture = self.0.lock().unwrap();
        let mut records = &capture[24..];
        let mut found = vec![];
        while let Some((head, rest)) = records.split_at_checked(16) {
            let len = u32::from_be_bytes(head[8..12].try_into().unwrap()) as usize;
            let frame = &rest[..len];
            let from_near = frame[6..12] == [2, 0, 0, 0, 0, 1];
            if from_near && frame[12..14] == [0x08, 0x00] && frame[23] == 6 {
                found.push(u16::from_be_bytes([frame[18], frame[19]]));
            }
            records = &rest[len..];
        }
        found
    }
}
