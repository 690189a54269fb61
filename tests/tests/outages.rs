//! A cable that is pulled in the middle of a transfer, and plugged in again: over the real driver and the emulated
//! 82599.

use pagewire_stack::source::Bytes;
use pagewire_stack::{ConnectionId, Duration, Failure, IpAddress, IpEndpoint, State, TransmitRing};
use pagewire_tests::{Alone, PORT, Pair, Setup, address_v4, address_v6};

const LEN: usize = 8 << 20;

/// A transfer under way.
struct Transfer {
    pair: Pair,
    near: ConnectionId,
    far: ConnectionId,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Transfer {
    /// From near to `to`; a few hundred kilobytes are through.
    fn under_way(to: IpAddress) -> Self {
        let mut pair = Pair::new(&Setup::default());
        let (near, far) = pair.connect(to);
        let sent: Vec<u8> = (0..LEN as u32)
            .map(|at| (at.wrapping_mul(31) >> 3) as u8)
            .collect();
        let source = Bytes::copy(pair.near.stack.mapper(), &sent).unwrap();
        pair.near.stack.send(near, Box::new(source));
        pair.near.stack.finish(near);
        let mut transfer = Self {
            pair,
            near,
            far,
            sent,
            received: vec![],
        };
        transfer.run_until(10, |received| received > 300_000);
        transfer
    }

    /// Runs until `done` says so of the number of bytes received; at most `seconds`.
    fn run_until(&mut self, seconds: u64, done: impl Fn(usize) -> bool) {
        let (received, far) = (&mut self.received, self.far);
        self.pair.run_until(seconds, |pair| {
            while pair.far.stack.receive(far, |bytes| {
                received.extend_from_slice(bytes);
                bytes.len()
            }) > 0
            {}
            done(received.len())
        });
    }

    /// No frame passes for `seconds`.
    fn interrupt(&mut self, seconds: u64) {
        self.pair.unplug();
        let before = self.received.len();
        self.pair.run_for(seconds);
        let reached = self.pair.far.stack.status(self.far).expect("it is there");
        assert!(reached.failure.is_none(), "far: {reached:?}");
        let reached = self.pair.near.stack.status(self.near).expect("it is there");
        assert!(reached.failure.is_none(), "near: {reached:?}");
        assert!(before < LEN, "all was through already: the test shows nothing");
        self.pair.plug_in(&Setup::default());
    }
}

fn survives(to: IpAddress, outage: u64) {
    let mut transfer = Transfer::under_way(to);
    transfer.interrupt(outage);
    let again = transfer.pair.now;
    transfer.run_until(120, |received| received == LEN);
    assert!(transfer.received == transfer.sent);
    // The longest pause between two attempts is a minute; then a neighbour may have to be asked for.
    let wait = transfer.pair.now - again;
    assert!(wait < Duration::from_secs(63), "it went on after {wait}");
    transfer.pair.finish();
}

#[test]
fn a_transfer_goes_on_after_a_short_outage() {
    survives(address_v4(2), 3);
}

#[test]
fn a_transfer_goes_on_after_an_outage_in_which_neighbours_are_forgotten() {
    for to in [address_v4(2), address_v6(2)] {
        survives(to, 90);
    }
}

#[test]
fn a_transfer_goes_on_after_an_outage_of_minutes() {
    for to in [address_v4(2), address_v6(2)] {
        survives(to, 290);
    }
}

#[test]
fn rfc1122_4_2_3_5_a_peer_that_stays_away_is_given_up_after_ten_minutes() {
    let Transfer {
        mut pair, near, far, ..
    } = Transfer::under_way(address_v4(2));
    pair.unplug();
    let before = pair.now;
    pair.run_until(700, |pair| {
        pair.near.stack.status(near).unwrap().failure.is_some()
    });
    let status = pair.near.stack.status(near).unwrap();
    assert!(
        matches!(status.failure, Some(Failure::Silent { seconds: 600.. })),
        "{status:?}"
    );
    assert!(pair.now - before < Duration::from_secs(665));
    // The receiver waits for nothing, so it waits for ever.
    assert!(pair.far.stack.status(far).unwrap().failure.is_none());
    // The RST finds no neighbour; the connection is forgotten all the same.
    pair.near.stack.release(near);
    pair.run_for(10);
    assert_eq!(pair.near.stack.connection_count(), 0);
    pair.finish();
}

#[test]
fn a_connection_at_rest_may_be_silent_for_hours() {
    let mut transfer = Transfer::under_way(address_v4(2));
    transfer.run_until(120, |received| received == LEN);
    let Transfer {
        mut pair, near, far, ..
    } = transfer;
    // The far end has said nothing yet, and the near end has no more to say.
    pair.run_for(10_000);
    assert_eq!(pair.near.stack.status(near).unwrap().state, State::FinWait2);
    let source = Bytes::copy(pair.far.stack.mapper(), b"late").unwrap();
    pair.far.stack.send(far, Box::new(source));
    let mut received = vec![];
    pair.run_until(10, |pair| {
        pair.near.stack.receive(near, |bytes| {
            received.extend_from_slice(bytes);
            bytes.len()
        });
        received == b"late"
    });
    pair.finish();
}

#[test]
fn a_peer_that_keeps_its_window_shut_for_an_hour_is_not_given_up() {
    let mut transfer = Transfer::under_way(address_v4(2));
    // Nobody takes what has arrived.
    transfer.pair.run_for(3_600);
    transfer.run_until(120, |received| received == LEN);
    assert!(transfer.received == transfer.sent);
    let repeated = transfer.pair.near.stack.counters().retransmitted_bytes;
    assert_eq!(repeated, 0, "probes of a closed window are no repetitions");
    transfer.pair.finish();
}

/// How a connection of a machine that nobody answers ends, and after how many seconds.
fn failure_of(alone: &mut Alone, id: ConnectionId) -> (String, i64) {
    let before = alone.now;
    for _ in 0..300 {
        alone.sent_within(Duration::from_secs(1));
        if let Some(failure) = alone.machine.stack.status(id).expect("it is there").failure {
            let seconds = (alone.now - before).secs() as i64;
            return (failure.to_string(), seconds);
        }
    }
    panic!("nothing has happened in 300 s");
}

#[test]
fn a_host_whose_ethernet_address_nobody_tells_is_given_up_after_ten_seconds() {
    let mut alone = Alone::new(|_| {});
    for to in [address_v4(2), address_v6(2)] {
        let id = alone
            .machine
            .stack
            .connect(IpEndpoint::new(to, PORT), TransmitRing::Phantom, alone.now)
            .unwrap();
        let (failure, seconds) = failure_of(&mut alone, id);
        assert!(
            failure.starts_with("nobody tells the Ethernet address"),
            "{failure}"
        );
        assert!((10..=12).contains(&seconds), "after {seconds} s");
        alone.machine.stack.release(id);
        alone.sent_within(Duration::from_secs(5));
        assert_eq!(alone.machine.stack.connection_count(), 0);
    }
    alone.finish();
}

#[test]
fn rfc1122_4_2_3_5_a_neighbour_that_ignores_a_syn_is_given_up_after_three_minutes() {
    let mut alone = Alone::new(|_| {});
    let remote = IpEndpoint::new(address_v4(2), PORT);
    let id = alone
        .machine
        .stack
        .connect(remote, TransmitRing::Phantom, alone.now)
        .unwrap();
    alone.sent();
    // 10.0.0.2 tells its Ethernet address (RFC 826), and then nothing.
    let mut reply = vec![
        2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2,
    ];
    reply.extend([2, 0, 0, 0, 0, 2, 10, 0, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
    alone.send(&reply);
    let (failure, seconds) = failure_of(&mut alone, id);
    assert!(failure.starts_with("the peer has not answered for"), "{failure}");
    assert!((180..=245).contains(&seconds), "after {seconds} s");
    alone.finish();
}
