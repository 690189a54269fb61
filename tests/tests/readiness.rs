//! Readiness of connections and listeners, and what a server sends: over the real driver and the emulated 82599.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use pagewire_nic::port::TxQueue;
use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::sockets::{Event, Ready, Token, Trigger};
use pagewire_stack::source::{Bytes, MappedFile, Part, SharedFile};
use pagewire_stack::{ConnectionId, Duration, Failure, Instant, IpAddress, IpEndpoint, TransmitRing};
use pagewire_tests::{PORT, Pair, Setup, TestStack, address_v4, address_v6};

const LISTENER: Token = Token(1_000_000);

fn bytes(len: usize, salt: u8) -> Vec<u8> {
    (0..len)
        .map(|index| (index as u8).wrapping_mul(31).wrapping_add((index >> 8) as u8) ^ salt)
        .collect()
}

/// Connects from near to far, and returns the near end.
fn dial(pair: &mut Pair, to: IpAddress) -> ConnectionId {
    let remote = IpEndpoint::new(to, PORT);
    pair.near
        .stack
        .connect(remote, TransmitRing::Phantom, pair.now)
        .unwrap()
}

fn events(stack: &mut TestStack) -> Vec<Event> {
    let mut events = vec![];
    stack.events(&mut events);
    events
}

fn event(token: Token, ready: Ready) -> Event {
    Event { token, ready }
}

/// Takes all that has arrived.
fn take(stack: &mut TestStack, id: ConnectionId, into: &mut Vec<u8>) {
    while stack.receive(id, |bytes| {
        into.extend_from_slice(bytes);
        bytes.len()
    }) > 0
    {}
}

/// Sends a few bytes from near, and lets them arrive.
fn send(pair: &mut Pair, near: ConnectionId, bytes: &[u8]) {
    pair.near.stack.send_bytes(near, bytes).unwrap();
    pair.run_until(10, |pair| {
        let status = pair.near.stack.status(near).unwrap();
        status.acknowledged == status.promised
    });
}

/// A file with these bytes.
fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file.reopen().unwrap()
}

#[test]
fn a_listener_tells_of_a_connection_that_waits_until_it_is_accepted() {
    let mut pair = Pair::new(&Setup::default());
    let config = ListenerConfig::default();
    pair.far
        .stack
        .listen(PORT, TransmitRing::Phantom, config)
        .unwrap();
    pair.far.stack.register_listener(PORT, LISTENER, Trigger::Level);
    assert!(events(&mut pair.far.stack).is_empty());
    let near = dial(&mut pair, address_v4(2));
    let acceptable = event(LISTENER, Ready::ACCEPTABLE);
    pair.run_until(10, |pair| events(&mut pair.far.stack) == [acceptable]);
    assert_eq!(events(&mut pair.far.stack), [acceptable]);
    assert!(pair.far.stack.accept(PORT).is_some());
    assert!(events(&mut pair.far.stack).is_empty());
    assert!(pair.near.stack.status(near).is_some());
    pair.finish();
}

#[test]
fn an_edge_is_told_for_each_arrival_and_a_level_for_as_long_as_bytes_are_there() {
    for trigger in [Trigger::Level, Trigger::Edge] {
        let mut pair = Pair::new(&Setup::default());
        let (near, far) = pair.connect(address_v4(2));
        let stack = &mut pair.far.stack;
        stack.register(far, Token(3), Ready::READABLE, trigger);
        assert!(events(stack).is_empty());
        let readable = [event(Token(3), Ready::READABLE)];
        let again = if trigger == Trigger::Level {
            &readable[..]
        } else {
            &[]
        };
        send(&mut pair, near, b"one");
        assert_eq!(events(&mut pair.far.stack), readable);
        assert_eq!(events(&mut pair.far.stack), again);
        send(&mut pair, near, b"two");
        assert_eq!(events(&mut pair.far.stack), readable);
        let mut received = vec![];
        take(&mut pair.far.stack, far, &mut received);
        assert_eq!(received, b"onetwo");
        assert!(events(&mut pair.far.stack).is_empty());
        pair.near.stack.finish(near);
        pair.run_until(10, |pair| pair.far.stack.status(far).unwrap().drained);
        assert_eq!(
            events(&mut pair.far.stack),
            readable,
            "the end of the stream is to be read"
        );
        pair.finish();
    }
}

#[test]
fn a_connection_is_writable_while_less_is_under_way_than_its_window_and_says_when_it_is_again() {
    let mut pair = Pair::new(&Setup::default());
    let (near, far) = pair.connect(address_v4(2));
    let stack = &mut pair.near.stack;
    stack.register(near, Token(4), Ready::WRITABLE, Trigger::Edge);
    let writable = [event(Token(4), Ready::WRITABLE)];
    assert_eq!(events(stack), writable);
    let room = stack.room(near);
    let source = Bytes::copy(stack.mapper(), &bytes(3 * room, 1)).unwrap();
    stack.send(near, Box::new(source));
    assert_eq!(stack.room(near), 0);
    let mut received = vec![];
    let mut told = vec![];
    pair.run_until(10, |pair| {
        take(&mut pair.far.stack, far, &mut received);
        told = events(&mut pair.near.stack);
        assert_eq!(told.is_empty(), pair.near.stack.room(near) == 0);
        !told.is_empty()
    });
    assert_eq!(told, writable);
    assert!(received.len() > 2 * room);
    pair.finish();
}

#[test]
fn whoever_is_registered_hears_that_the_peer_is_gone() {
    let mut pair = Pair::new(&Setup::default());
    let (near, far) = pair.connect(address_v4(2));
    pair.far.stack.register(far, Token(5), Ready::NONE, Trigger::Edge);
    pair.near.stack.abort(near, Failure::Aborted);
    let closed = [event(Token(5), Ready::CLOSED)];
    pair.run_until(10, |pair| events(&mut pair.far.stack) == closed);
    pair.far.stack.release(far);
    pair.run_for(1);
    assert_eq!(pair.far.stack.connection_count(), 0);
    assert!(events(&mut pair.far.stack).is_empty());
    pair.finish();
}

#[test]
fn what_is_deregistered_is_silent_and_what_is_registered_again_is_told_once() {
    let mut pair = Pair::new(&Setup::default());
    let (near, far) = pair.connect(address_v4(2));
    let stack = &mut pair.far.stack;
    stack.register(far, Token(6), Ready::READABLE, Trigger::Level);
    send(&mut pair, near, b"bytes");
    let stack = &mut pair.far.stack;
    stack.deregister(far);
    stack.register(far, Token(7), Ready::READABLE, Trigger::Level);
    assert_eq!(events(stack), [event(Token(7), Ready::READABLE)]);
    stack.deregister(far);
    assert!(events(stack).is_empty());
    pair.finish();
}

#[test]
fn of_many_connections_only_those_are_told_that_something_has_happened_to() {
    let mut pair = Pair::new(&Setup::default());
    let ends: Vec<_> = (0..200).map(|_| pair.connect(address_v4(2))).collect();
    for (index, (_, far)) in ends.iter().enumerate() {
        pair.far
            .stack
            .register(*far, Token(index), Ready::READABLE, Trigger::Edge);
    }
    assert!(events(&mut pair.far.stack).is_empty());
    for index in [7, 99, 150] {
        send(&mut pair, ends[index].0, b"hello");
    }
    let mut told: Vec<_> = events(&mut pair.far.stack)
        .iter()
        .map(|event| event.token.0)
        .collect();
    told.sort_unstable();
    assert_eq!(told, [7, 99, 150]);
    pair.finish();
}

#[test]
fn the_head_and_the_page_of_a_response_leave_in_one_segment() {
    let mut pair = Pair::new(&Setup::default());
    let (near, far) = pair.connect(address_v4(2));
    let page = bytes(1000, 3);
    let shared = SharedFile::open(file(&page), pair.near.stack.windows()).unwrap();
    let shared = Arc::new(shared);
    let before = pair.near.stack.counters();
    let stack = &mut pair.near.stack;
    stack.send_bytes(near, b"the head, ").unwrap();
    stack.send_shared(near, &shared, 0..shared.len());
    stack.poll(pair.now);
    let after = stack.counters();
    assert_eq!(after.egress.packets - before.egress.packets, 1);
    assert_eq!(after.egress.gathered_bytes - before.egress.gathered_bytes, 1010);
    let mut received = vec![];
    pair.run_until(10, |pair| {
        take(&mut pair.far.stack, far, &mut received);
        received.len() == 1010
    });
    assert_eq!(received, [&b"the head, "[..], &page].concat());
    pair.finish();
}

#[test]
fn one_file_and_parts_of_it_go_to_many_connections_and_chunks_are_used_again() {
    let mut pair = Pair::new(&Setup::default());
    let content = bytes(300_000, 4);
    let shared = SharedFile::open(file(&content), pair.near.stack.windows()).unwrap();
    let shared = Arc::new(shared);
    let mapped = pair.near.stack.mapper().counters().maps;
    for round in 0..20 {
        let ends: Vec<_> = (0..10).map(|_| pair.connect(address_v4(2))).collect();
        let range = |index: usize| (index as u64 * 1111)..(index as u64 * 20_000 + 50_000);
        for (index, (near, _)) in ends.iter().enumerate() {
            let stack = &mut pair.near.stack;
            stack.send_bytes(*near, &bytes(1300, round)).unwrap();
            stack.send_shared(*near, &shared, range(index));
            let own = MappedFile::new(file(&content), stack.windows()).unwrap();
            stack.send(*near, Box::new(Part::new(own, range(index))));
            stack.send_bytes(*near, b"end").unwrap();
        }
        for (index, (near, far)) in ends.iter().enumerate() {
            let Range { start, end } = range(index);
            let part = &content[start as usize..end as usize];
            let expected = [&bytes(1300, round), part, part, b"end"].concat();
            let mut received = vec![];
            pair.run_until(60, |pair| {
                take(&mut pair.far.stack, *far, &mut received);
                received.len() >= expected.len()
            });
            assert!(received == expected, "connection {index} got other bytes");
            for (stack, id) in [(&mut pair.near.stack, near), (&mut pair.far.stack, far)] {
                stack.abort(*id, Failure::Aborted);
                stack.release(*id);
            }
        }
    }
    // The files of 200 connections, and one region of chunks.
    let mapped = pair.near.stack.mapper().counters().maps - mapped;
    assert!(mapped <= 201, "{mapped} mappings were made");
    pair.finish();
}

#[test]
fn hundreds_of_short_responses_at_once_arrive_though_a_packet_has_some_forty_pieces() {
    for to in [address_v4(2), address_v6(2)] {
        let mut pair = Pair::new(&Setup::default());
        let (near, far) = pair.connect(to);
        let page = bytes(333, 5);
        let shared = SharedFile::open(file(&page), pair.near.stack.windows()).unwrap();
        let shared = Arc::new(shared);
        let mut expected = vec![];
        let mut received = vec![];
        // Again and again: the congestion window grows beyond what a packet's pieces are.
        for round in 0..20 {
            for _ in 0..300 {
                pair.near.stack.send_bytes(near, &[round; 7]).unwrap();
                pair.near.stack.send_shared(near, &shared, 0..333);
                expected.extend_from_slice(&[round; 7]);
                expected.extend_from_slice(&page);
            }
            pair.run_until(60, |pair| {
                take(&mut pair.far.stack, far, &mut received);
                received.len() >= expected.len()
            });
        }
        assert!(received == expected, "other bytes arrived");
        assert_eq!(pair.near.stack.counters().retransmitted_bytes, 0);
        assert_eq!(pair.near.stack.tx().counters().refused, 0);
        assert!(pair.now < Instant::from_secs(1), "something was sent again, late");
        pair.finish();
    }
}

#[test]
fn an_answer_carries_the_acknowledgment_of_what_it_answers_and_without_one_it_comes_a_round_later() {
    let mut pair = Pair::new(&Setup::default());
    let (near, far) = pair.connect(address_v4(2));
    pair.run_for(1);
    let stack = &mut pair.far.stack;
    stack.register(far, Token(1), Ready::READABLE, Trigger::Level);
    for answers in [true, false] {
        let before = pair.far.stack.counters().egress.packets;
        pair.near.stack.send_bytes(near, b"a request").unwrap();
        pair.run_until(10, |pair| !events(&mut pair.far.stack).is_empty());
        assert_eq!(pair.far.stack.counters().egress.packets, before);
        take(&mut pair.far.stack, far, &mut vec![]);
        if answers {
            pair.far.stack.send_bytes(far, b"an answer").unwrap();
        }
        let asked = pair.now;
        pair.run_until(10, |pair| {
            let status = pair.near.stack.status(near).unwrap();
            status.acknowledged == status.promised
        });
        assert_eq!(pair.far.stack.counters().egress.packets, before + 1);
        assert!(pair.now - asked < Duration::from_micros(10), "it waited longer");
    }
    pair.finish();
}

#[test]
fn the_end_of_a_response_waits_for_no_acknowledgment() {
    let mut pair = Pair::new(&Setup::default());
    let (near, far) = pair.connect(address_v4(2));
    // The far end says nothing while nobody polls it.
    for part in [&b"first"[..], b"second", b"third"] {
        pair.near.stack.send_bytes(near, part).unwrap();
        pair.near.stack.poll(pair.now);
    }
    let wall = std::time::Duration::from_micros(pair.now.total_micros() as u64);
    pair.near.device.step(wall);
    pair.far.stack.poll(pair.now);
    let mut received = vec![];
    take(&mut pair.far.stack, far, &mut received);
    assert_eq!(received, b"firstsecondthird");
    pair.finish();
}

#[test]
fn who_stops_listening_resets_those_that_wait_and_refuses_those_that_come() {
    let mut pair = Pair::new(&Setup::default());
    let (kept, far) = pair.connect(address_v4(2));
    let waiting = dial(&mut pair, address_v4(2));
    pair.run_for(1);
    pair.far.stack.stop_listening(PORT);
    let late = dial(&mut pair, address_v4(2));
    pair.run_for(1);
    let failure = |id| pair.near.stack.status(id).unwrap().failure;
    assert!(matches!(failure(waiting), Some(Failure::ResetByPeer)));
    assert!(matches!(failure(late), Some(Failure::Refused)));
    assert!(failure(kept).is_none() && pair.far.stack.status(far).is_some());
    assert_eq!(pair.far.stack.connection_count(), 1);
    pair.finish();
}
