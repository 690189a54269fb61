//! A cable that is pulled in the middle of a transfer, and plugged in again: over the real driver and the emulated
//! 82599.

use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::source::Bytes;
use pagewire_stack::{ConnectionId, Duration, IpAddress, IpEndpoint, TransmitRing};
use pagewire_tests::{Pair, Setup, address_v4, address_v6};

const PORT: u16 = 7;
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
        pair.far
            .stack
            .listen(PORT, TransmitRing::Phantom, ListenerConfig::default())
            .unwrap();
        let remote = IpEndpoint::new(to, PORT);
        let near = pair
            .near
            .stack
            .connect(remote, TransmitRing::Phantom, pair.now)
            .unwrap();
        let sent: Vec<u8> = (0..LEN as u32)
            .map(|at| (at.wrapping_mul(31) >> 3) as u8)
            .collect();
        let source = Bytes::copy(pair.near.stack.mapper(), &sent).unwrap();
        pair.near.stack.send(near, Box::new(source));
        pair.near.stack.finish(near);
        let mut far = None;
        pair.run_until(10, |pair| {
            far = far.or_else(|| pair.far.stack.accept(PORT));
            far.is_some()
        });
        let far = far.unwrap();
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
