//! What two hosts say to each other beside TCP's bytes, and where they find each other: echo requests, several
//! addresses, gateways, VLANs; over the real driver and the emulated 82599.

use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::source::Bytes;
use pagewire_stack::{
    ConnectionId, Duration, EchoReply, IpAddress, IpEndpoint, OpenError, PingError, TransmitRing,
    Unreachable, VlanId,
};
use pagewire_tests::{Alone, PORT, Pair, Setup, address_v4, address_v6};

/// The link-local address of the far machine, whose Ethernet address is 02:00:00:00:00:02.
const FAR_LINK_LOCAL: &str = "fe80::ff:fe00:2";

fn ip(text: &str) -> IpAddress {
    text.parse().expect("an address")
}

/// Pings the far machine once and returns its reply, if there is one within two seconds and a half.
fn ping(pair: &mut Pair, to: IpAddress, sequence: u16, payload_len: usize) -> Option<EchoReply> {
    pair.near
        .stack
        .ping(to, sequence, payload_len, pair.now)
        .expect("it can be asked");
    let end = pair.now + Duration::from_millis(2_500);
    while pair.now < end && pair.round() {
        if let Some(reply) = pair.near.stack.next_echo_reply() {
            return Some(reply);
        }
    }
    pair.now = pair.now.max(end);
    None
}

/// Sends a few segments from near to `to` and returns the address that the far machine sees them come from; `None`
/// where no connection comes about in ten seconds.
fn transfer(pair: &mut Pair, to: IpAddress) -> Option<IpAddress> {
    let _ = pair
        .far
        .stack
        .listen(PORT, TransmitRing::Phantom, ListenerConfig::default());
    let remote = IpEndpoint::new(to, PORT);
    let near = pair
        .near
        .stack
        .connect(remote, TransmitRing::Phantom, pair.now)
        .expect("it can be reached");
    let sent: Vec<u8> = (0..300_007_u32).map(|at| ((at * 31) >> 3) as u8).collect();
    let source = Bytes::copy(pair.near.stack.mapper(), &sent).expect("memory");
    pair.near.stack.send(near, Box::new(source));
    pair.near.stack.finish(near);
    let (mut far, mut received) = (None::<ConnectionId>, vec![]);
    let end = pair.now + Duration::from_secs(10);
    while pair.now < end && received.len() < sent.len() && pair.round() {
        far = far.or_else(|| pair.far.stack.accept(PORT));
        let Some(far) = far else { continue };
        pair.far.stack.receive(far, |bytes| {
            received.extend_from_slice(bytes);
            bytes.len()
        });
    }
    let from = pair.far.stack.status(far?)?.remote.addr;
    assert!(received == sent, "{} bytes arrived", received.len());
    Some(from)
}

#[test]
fn rfc792_and_rfc4443_4_a_host_answers_an_echo_request_on_each_of_its_addresses() {
    let mut pair = Pair::new(&Setup::default());
    let far = [address_v4(2), address_v6(2), ip(FAR_LINK_LOCAL)];
    for (sequence, to) in far.into_iter().enumerate() {
        // smoltcp asks for one neighbour a second.
        pair.now += Duration::from_secs(1);
        let longest = if matches!(to, IpAddress::Ipv4(_)) {
            1472
        } else {
            1452
        };
        for payload_len in [0, 1, 56, longest] {
            let reply = ping(&mut pair, to, sequence as u16, payload_len).expect("an answer");
            assert_eq!((reply.from, reply.sequence), (to, sequence as u16));
            assert_eq!(reply.payload_len, payload_len);
            assert!(reply.round_trip < Duration::from_millis(10), "{reply:?}");
        }
        let error = pair.near.stack.ping(to, 0, longest + 1, pair.now).unwrap_err();
        assert!(matches!(error, PingError::TooLong { most, .. } if most == longest));
    }
    pair.finish();
}

#[test]
fn echo_requests_are_answered_one_by_one_in_the_middle_of_a_transfer() {
    let mut pair = Pair::new(&Setup::default());
    for sequence in 0..3 {
        pair.near
            .stack
            .ping(address_v4(2), sequence, 56, pair.now)
            .unwrap();
    }
    assert_eq!(transfer(&mut pair, address_v4(2)), Some(address_v4(1)));
    let mut numbers = vec![];
    while let Some(reply) = pair.near.stack.next_echo_reply() {
        numbers.push(reply.sequence);
    }
    assert_eq!(numbers, [0, 1, 2]);
    pair.finish();
}

#[test]
fn a_host_that_is_not_there_leaves_requests_without_reply_until_no_more_are_taken() {
    let mut pair = Pair::new(&Setup::default());
    for sequence in 0..16 {
        assert_eq!(ping(&mut pair, ip("10.0.0.77"), sequence, 56), None);
    }
    let error = pair
        .near
        .stack
        .ping(ip("10.0.0.77"), 16, 56, pair.now)
        .unwrap_err();
    assert!(matches!(error, PingError::NoNeighbour { .. }));
    assert!(error.to_string().contains("10.0.0.77"), "{error}");
    pair.finish();
}

#[test]
fn a_listener_takes_connections_on_every_own_address_from_the_nearest_of_the_peers() {
    let two_networks = Setup {
        configure: |config| {
            let own = if config.seed == 1 {
                "192.168.5.1/16"
            } else {
                "192.168.5.2/16"
            };
            config.addresses.push(own.parse().unwrap());
        },
        ..Setup::default()
    };
    let mut pair = Pair::new(&two_networks);
    for (to, from) in [
        (address_v4(2), address_v4(1)),
        (ip("192.168.5.2"), ip("192.168.5.1")),
        (address_v6(2), address_v6(1)),
        (ip(FAR_LINK_LOCAL), ip("fe80::ff:fe00:1")),
    ] {
        assert_eq!(transfer(&mut pair, to), Some(from));
    }
    pair.finish();
}

#[test]
fn a_host_behind_the_gateway_is_reached_from_the_address_beside_the_gateway() {
    let mut pair = Pair::new(&Setup {
        configure: |config| {
            if config.seed == 1 {
                // The gateway is in the network of the address that is given last.
                config.addresses.insert(0, "172.16.0.1/24".parse().unwrap());
                config.gateways = vec![address_v4(2), ip(FAR_LINK_LOCAL)];
            }
        },
        configure_far: |config| {
            config.addresses.push("203.0.113.9/32".parse().unwrap());
            config.addresses.push("2001:db8::9/128".parse().unwrap());
        },
        ..Setup::default()
    });
    assert_eq!(transfer(&mut pair, ip("203.0.113.9")), Some(address_v4(1)));
    assert!(ping(&mut pair, ip("203.0.113.9"), 1, 56).is_some());
    pair.now += Duration::from_secs(1);
    assert_eq!(transfer(&mut pair, ip("2001:db8::9")), Some(address_v6(1)));
    assert!(ping(&mut pair, ip("2001:db8::9"), 2, 56).is_some());
    pair.finish();
}

#[test]
fn what_cannot_be_reached_is_refused_with_its_cause() {
    let v4_only = |config: &mut pagewire_stack::StackConfig| config.addresses.truncate(1);
    let mut alone = Alone::new(v4_only);
    let stack = &mut alone.machine.stack;
    for (to, cause) in [
        ("10.0.0.1", Unreachable::Own),
        ("10.0.0.0", Unreachable::NotAHost),
        ("10.0.0.255", Unreachable::NotAHost),
        ("255.255.255.255", Unreachable::NotAHost),
        ("224.0.0.1", Unreachable::NotAHost),
        ("127.0.0.1", Unreachable::NotAHost),
        ("0.0.0.0", Unreachable::NotAHost),
        ("::", Unreachable::NotAHost),
        ("::1", Unreachable::NotAHost),
        ("ff02::1", Unreachable::NotAHost),
        ("fd00::2", Unreachable::NoAddress),
        ("10.0.1.1", Unreachable::NoGateway),
    ] {
        let remote = IpEndpoint::new(ip(to), PORT);
        match stack.connect(remote, TransmitRing::Phantom, alone.now) {
            Err(OpenError::Unreachable { why, .. }) => assert_eq!(why, cause, "{to}"),
            other => panic!("{to}: {other:?}"),
        }
        match stack.ping(ip(to), 1, 56, alone.now) {
            Err(PingError::Unreachable { why, .. }) => assert_eq!(why, cause, "{to}"),
            other => panic!("{to}: {other:?}"),
        }
    }
    let portless = stack.connect((ip("10.0.0.2"), 0).into(), TransmitRing::Phantom, alone.now);
    assert!(matches!(
        portless,
        Err(OpenError::Unreachable {
            why: Unreachable::PortZero,
            ..
        })
    ));
    assert_eq!(alone.sent(), Vec::<Vec<u8>>::new(), "nothing was said about it");
    alone.finish();
}

fn on_vlan(id: u16) -> Option<VlanId> {
    Some(VlanId::new(id).expect("a VLAN"))
}

#[test]
fn on_a_vlan_everything_is_tagged_and_transfers_and_echoes_are_as_without() {
    let mut pair = Pair::new(&Setup {
        configure: |config| config.vlan = on_vlan(42),
        ..Setup::default()
    });
    for to in [address_v4(2), address_v6(2)] {
        assert!(transfer(&mut pair, to).is_some());
        for payload_len in [0, 56, 1452] {
            let reply = ping(&mut pair, to, 1, payload_len).expect("an answer");
            assert_eq!(reply.payload_len, payload_len);
        }
    }
    for machine in [&pair.near, &pair.far] {
        let counters = machine.stack.counters();
        assert_eq!(
            (counters.ingress.bad_checksums, counters.ingress.other_vlan),
            (0, 0)
        );
        assert_eq!(
            (counters.payload_bytes_copied, counters.retransmitted_bytes),
            (0, 0)
        );
    }
    assert!(pair.near.stack.counters().egress.gathered_bytes >= 600_000);
    pair.finish();
}

#[test]
fn every_frame_sent_on_a_vlan_has_its_tag_and_an_untagged_network_has_none() {
    let mut tagged = Alone::new(|config| config.vlan = on_vlan(42));
    let mut plain = Alone::new(|_| {});
    for alone in [&mut tagged, &mut plain] {
        for to in [address_v4(2), address_v6(2)] {
            alone.machine.stack.ping(to, 1, 56, alone.now).unwrap();
            let remote = IpEndpoint::new(to, PORT);
            alone
                .machine
                .stack
                .connect(remote, TransmitRing::Phantom, alone.now)
                .unwrap();
        }
    }
    let frames = tagged.sent_within(Duration::from_secs(10));
    assert!(frames.len() > 4);
    for frame in frames {
        assert_eq!(frame[12..16], [0x81, 0, 0, 42], "{frame:x?}");
    }
    for frame in plain.sent_within(Duration::from_secs(10)) {
        assert!([[0x08, 0x06], [0x86, 0xdd]].contains(&[frame[12], frame[13]]));
    }
    tagged.finish();
    plain.finish();
}

#[test]
fn hosts_of_different_vlans_do_not_hear_each_other() {
    let vlans: [fn(&mut pagewire_stack::StackConfig); 2] =
        [|config| config.vlan = on_vlan(43), |config| config.vlan = None];
    for configure_far in vlans {
        let mut pair = Pair::new(&Setup {
            configure: |config| config.vlan = on_vlan(42),
            configure_far,
            ..Setup::default()
        });
        assert_eq!(ping(&mut pair, address_v4(2), 1, 56), None);
        assert_eq!(transfer(&mut pair, address_v4(2)), None);
        let far = pair.far.stack.counters();
        assert!(far.ingress.packets > 0);
        assert_eq!(far.egress.packets, 0, "it has answered");
        pair.finish();
    }
}
