//! TCP segments that no stack of ours would send, written by hand: floods of SYNs, gaps that stay.

use pagewire_cost::private_memory;
use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::sockets::{Event, Ready, Token, Trigger};
use pagewire_stack::{ConnectionId, Duration, Failure, State};
use pagewire_tests::{Alone, PORT, Peer};
use smoltcp::wire::TcpControl;

const WINDOW: u16 = 60_000;

/// Connects a peer that nobody has heard of. Returns the connection, and the number of our first byte.
fn connect(alone: &mut Alone, peer: Peer) -> (ConnectionId, u32) {
    peer.connect(alone, &peer.syn(Some(1460), None, WINDOW), WINDOW)
}

/// Memory of this process that is nobody else's, and written, in bytes.
fn private_bytes() -> u64 {
    private_memory(std::process::id()).unwrap().dirty
}

#[test]
fn a_good_client_gets_in_while_a_hundred_thousand_syns_come_and_memory_stays_what_it_is() {
    let mut alone = Alone::listening();
    let good = Peer { host: 2, port: 4_000 };
    alone.send(&good.arp());
    alone.sent();
    let (mut answer, mut accepted) = (None, None);
    let mut grown_from = 0;
    for number in 0..100_000_u32 {
        let forged = Peer {
            host: 3 + (number % 250) as u8,
            port: 1_000 + (number / 250) as u16,
        };
        alone.send(&forged.segment(TcpControl::Syn, number, None, b""));
        alone.now += Duration::from_micros(2);
        match number {
            10_000 => grown_from = private_bytes(),
            50_000 => alone.send(&good.segment(TcpControl::Syn, 0, None, b"")),
            _ => {}
        }
        if number % 50 == 0 || number == 50_001 {
            let frames = alone.sent();
            answer = answer.or_else(|| good.told(&frames).map(|_| frames));
        }
        // Its round trip takes as long as a thousand SYNs of the flood.
        if number == 51_000 {
            accepted = Some(good.shake_hands(&mut alone, 0, answer.as_ref().unwrap(), WINDOW));
        }
    }
    let (id, next) = accepted.unwrap();
    alone.send(&good.segment(TcpControl::Psh, 1, Some(next), b"still here"));
    alone.sent();
    let stack = &mut alone.machine.stack;
    assert_eq!(stack.receive(id, |bytes| bytes.len()), 10);
    assert!(stack.accept(PORT).is_none(), "a forged client was let in");
    let limit = ListenerConfig::default().half_open;
    assert_eq!(stack.connection_count(), limit + 1);
    // A connection for each of them would take ten times as much; other tests of this process take some.
    let grown = private_bytes().saturating_sub(grown_from);
    assert!(grown < 16 << 20, "90,000 SYNs took {grown} bytes");
    // The flood is over: what is half-open is dropped when its time is up.
    alone.sent_within(Duration::from_secs(60));
    assert_eq!(alone.machine.stack.connection_count(), 1);
    alone.finish();
}

#[test]
fn what_lies_in_a_ring_behind_a_gap_stays_there_while_the_connection_rests() {
    let mut alone = Alone::listening();
    let peer = Peer { host: 2, port: 4_000 };
    let (id, next) = connect(&mut alone, peer);
    let segment = |sequence, payload| peer.segment(TcpControl::Psh, sequence, Some(next), payload);
    for (first, behind, missing) in [(1, 101, 51), (151, 251, 201)] {
        alone.send(&segment(first, &[b'a'; 50]));
        alone.send(&segment(behind, &[b'c'; 50]));
        alone.sent();
        assert_eq!(alone.machine.stack.receive(id, |bytes| bytes.len()), 50);
        // Long enough for what an empty ring has taken to be given back, twice.
        alone.sent_within(Duration::from_secs(5));
        alone.send(&segment(missing, &[b'b'; 50]));
        alone.sent();
        let mut received = vec![];
        alone.machine.stack.receive(id, |bytes| {
            received.extend_from_slice(bytes);
            bytes.len()
        });
        assert!(received == [[b'b'; 50], [b'c'; 50]].concat(), "{received:?}");
        alone.sent_within(Duration::from_secs(5));
    }
    alone.finish();
}

/// A peer that opens another connection from the same port while the old one is in TIME-WAIT: in a later round than its end has
/// come in, or in the same one.
fn opened_again(at_once: bool) {
    let mut alone = Alone::listening();
    let peer = Peer { host: 2, port: 4_000 };
    let (old, next) = connect(&mut alone, peer);
    let stack = &mut alone.machine.stack;
    stack.register(old, Token(1), Ready::NONE, Trigger::Edge);
    stack.finish(old);
    alone.sent();
    // It acknowledges our FIN. Nobody reads its last words yet.
    alone.send(&peer.segment(TcpControl::Fin, 1, Some(next + 1), b"last words"));
    if !at_once {
        alone.sent();
        let status = alone.machine.stack.status(old).unwrap();
        assert_eq!(status.state, State::TimeWait);
    }
    alone.send(&peer.segment(TcpControl::Syn, 1_000, None, b""));
    let frames = alone.sent();
    let (new, next) = peer.shake_hands(&mut alone, 1_000, &frames, WINDOW);

    let stack = &mut alone.machine.stack;
    let mut events = vec![];
    stack.events(&mut events);
    let (token, ready) = (Token(1), Ready::CLOSED);
    assert_eq!(events, [Event { token, ready }]);
    let status = stack.status(old).expect("it was not released");
    assert_eq!((status.state, status.drained), (State::Closed, false));
    assert!(status.failure.is_none(), "{status:?}");
    let mut received = vec![];
    stack.receive(old, |bytes| {
        received.extend_from_slice(bytes);
        bytes.len()
    });
    assert_eq!(received, b"last words");
    assert!(stack.status(old).unwrap().drained);
    stack.abort(old, Failure::Aborted);
    assert!(alone.sent().is_empty(), "its reset would be the other one's");
    alone.machine.stack.release(old);
    alone.sent();
    assert!(alone.machine.stack.status(old).is_none());
    assert_eq!(alone.machine.stack.connection_count(), 1);

    // By its addresses and ports the other one is found, now as before.
    alone.send(&peer.segment(TcpControl::Psh, 1_001, Some(next), b"first words"));
    alone.sent();
    assert_eq!(alone.machine.stack.receive(new, <[u8]>::len), 11);
    alone.finish();
}

#[test]
fn rfc9293_3_6_1_a_connection_whose_peer_opens_another_in_its_time_wait_is_closed_and_read_to_its_end() {
    opened_again(false);
    opened_again(true);
}

/// A connection whose application has finished its stream, and whose peer has, too; which of the two was first, and which of the
/// ends are acknowledged, is told by the state that it is in. Nobody has read its peer's last words.
fn finished(alone: &mut Alone, peer: Peer, state: State) -> ConnectionId {
    let (id, next) = connect(alone, peer);
    let end = |acknowledged| peer.segment(TcpControl::Fin, 1, Some(acknowledged), b"last words");
    if state == State::LastAck {
        alone.send(&end(next));
        alone.sent();
    }
    alone.machine.stack.finish(id);
    alone.sent();
    match state {
        State::Closing => alone.send(&end(next)),
        State::TimeWait => alone.send(&end(next + 1)),
        _ => {}
    }
    alone.sent();
    assert_eq!(alone.machine.stack.status(id).unwrap().state, state);
    id
}

#[test]
fn rfc9293_3_10_5_a_connection_that_both_have_finished_is_aborted_without_a_segment() {
    for state in [State::Closing, State::LastAck, State::TimeWait] {
        let mut alone = Alone::listening();
        let peer = Peer { host: 2, port: 4_000 };
        let id = finished(&mut alone, peer, state);
        let stack = &mut alone.machine.stack;
        stack.register(id, Token(1), Ready::NONE, Trigger::Edge);
        stack.abort(id, Failure::Aborted);
        let told = alone.sent_within(Duration::from_secs(60));
        assert!(told.is_empty(), "{state}: {:?}", peer.told(&told));

        // Whoever asks hears what he hears of other connections that were aborted.
        let stack = &mut alone.machine.stack;
        let mut events = vec![];
        stack.events(&mut events);
        let (token, ready) = (Token(1), Ready::CLOSED);
        assert_eq!(events, [Event { token, ready }], "{state}");
        let status = stack.status(id).expect("it was not released");
        assert_eq!((status.state, status.drained), (State::Closed, false), "{state}");
        assert!(matches!(status.failure, Some(Failure::Aborted)), "{state}");
        assert_eq!(stack.receive(id, <[u8]>::len), 10, "{state}");
        assert!(stack.status(id).unwrap().drained, "{state}");

        // It is closed: its peer's end, sent again, is for nobody.
        alone.send(&peer.segment(TcpControl::Fin, 1, Some(0), b"last words"));
        let refused = peer.told(&alone.sent()).expect("an answer");
        assert!(refused.flags.rst(), "{state}");
        alone.machine.stack.release(id);
        alone.sent();
        assert_eq!(alone.machine.stack.connection_count(), 0, "{state}");
        alone.finish();
    }
}
