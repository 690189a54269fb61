//! A stack that asks for its address, and a DHCP server in the test's hands (RFC 2131), which may lie.

mod server;

use pagewire_stack::{
    Duration, IpAddress, IpEndpoint, Ipv4Address, OpenError, StackConfig, TransmitRing, Unreachable, VlanId,
};
use pagewire_tests::Alone;
use proptest::prelude::*;
use smoltcp::wire::DhcpMessageType;

use server::{Asked, GOOD, LEASE_SECONDS, LENT, Offer, SERVER, answer, arp_answer, asked, in_udp, served};

fn only_dhcp(config: &mut StackConfig) {
    *config = StackConfig::by_dhcp(config.seed);
}

fn kinds(asked: &[Asked]) -> Vec<DhcpMessageType> {
    asked.iter().map(|asked| asked.kind).collect()
}

#[test]
fn rfc2131_3_1_an_address_is_asked_for_offered_requested_and_had() {
    let mut alone = Alone::new(only_dhcp);
    let said = served(&mut alone, &GOOD, Duration::from_secs(1));
    assert_eq!(
        kinds(&said),
        [DhcpMessageType::Discover, DhcpMessageType::Request]
    );
    for message in &said {
        assert_eq!(message.source, Ipv4Address::UNSPECIFIED);
        assert_eq!(message.destination, Ipv4Address::BROADCAST);
    }
    assert_eq!(said[1].wanted, Some(LENT));
    let stack = &mut alone.machine.stack;
    let lease = stack.lease().expect("a lease").clone();
    assert_eq!((lease.address.address(), lease.address.prefix_len()), (LENT, 24));
    assert_eq!((lease.gateway, lease.server), (Some(SERVER), SERVER));
    assert_eq!(stack.addresses(), [lease.address.into()]);
    // Through the gateway, from the address that was lent.
    let far = IpEndpoint::new(IpAddress::v4(8, 8, 8, 8), 80);
    stack
        .connect(far, TransmitRing::Phantom, alone.now)
        .expect("it can be reached");
    let asked_for = alone.sent();
    assert!(
        asked_for.iter().any(|frame| arp_answer(frame).is_some()),
        "{asked_for:x?}"
    );
    alone.finish();
}

#[test]
fn an_address_that_was_given_is_kept_beside_the_one_that_is_lent() {
    let mut alone = Alone::new(|config| config.dhcp = true);
    served(&mut alone, &GOOD, Duration::from_secs(1));
    let own: Vec<_> = alone
        .machine
        .stack
        .addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        own,
        [
            "192.168.7.50/24",
            "10.0.0.1/24",
            "fd00::1/64",
            "fe80::ff:fe00:1/64"
        ]
    );
    alone.finish();
}

#[test]
fn a_gateway_that_was_given_outlives_the_one_that_is_lent() {
    let mut alone = Alone::new(|config| {
        config.dhcp = true;
        config.gateways = vec![IpAddress::v4(10, 0, 0, 254)];
    });
    served(&mut alone, &GOOD, Duration::from_secs(1));
    alone.sent_within(Duration::from_secs(u64::from(LEASE_SECONDS) + 1));
    assert!(alone.machine.stack.lease().is_none());
    let far = IpEndpoint::new(IpAddress::v4(8, 8, 8, 8), 80);
    assert!(
        alone
            .machine
            .stack
            .connect(far, TransmitRing::Phantom, alone.now)
            .is_ok()
    );
    alone.finish();
}

#[test]
fn rfc2131_4_1_where_nobody_answers_the_search_goes_on_every_four_seconds() {
    let mut alone = Alone::new(only_dhcp);
    let frames = alone.sent_within(Duration::from_secs(39));
    let said: Vec<_> = frames.iter().filter_map(|frame| asked(frame)).collect();
    assert_eq!(kinds(&said), [DhcpMessageType::Discover; 10]);
    assert_eq!(frames.len(), said.len(), "nothing else was said");
    assert!(alone.machine.stack.lease().is_none());
    let far = IpEndpoint::new(IpAddress::v4(8, 8, 8, 8), 80);
    assert!(matches!(
        alone.machine.stack.connect(far, TransmitRing::Phantom, alone.now),
        Err(OpenError::Unreachable {
            why: Unreachable::NoAddress,
            ..
        })
    ));
    // A server that comes up late is found.
    served(&mut alone, &GOOD, Duration::from_secs(5));
    assert!(alone.machine.stack.lease().is_some());
    alone.finish();
}

#[test]
fn rfc2131_4_4_5_a_lease_is_renewed_at_its_server_for_as_long_as_that_agrees() {
    let mut alone = Alone::new(only_dhcp);
    served(&mut alone, &GOOD, Duration::from_secs(1));
    let said = served(
        &mut alone,
        &GOOD,
        Duration::from_secs(4 * u64::from(LEASE_SECONDS)),
    );
    assert!((7..=8).contains(&said.len()), "{said:?}");
    for message in &said {
        assert_eq!(message.kind, DhcpMessageType::Request);
        assert_eq!((message.source, message.destination), (LENT, SERVER));
    }
    assert_eq!(
        alone.machine.stack.lease().map(|lease| lease.address.address()),
        Some(LENT)
    );
    alone.finish();
}

#[test]
fn rfc2131_4_4_5_an_expired_lease_takes_address_and_gateway_with_it() {
    let mut alone = Alone::new(only_dhcp);
    served(&mut alone, &GOOD, Duration::from_secs(1));
    alone.sent_within(Duration::from_secs(u64::from(LEASE_SECONDS) + 1));
    assert!(alone.machine.stack.lease().is_none());
    assert!(alone.machine.stack.addresses().is_empty());
    // And the search begins anew; the next server may lend another.
    let other = Offer {
        address: Ipv4Address::new(192, 168, 7, 51),
        ..GOOD
    };
    served(&mut alone, &other, Duration::from_secs(10));
    assert_eq!(alone.machine.stack.addresses().len(), 1);
    assert_eq!(
        alone.machine.stack.lease().map(|lease| lease.address.address()),
        Some(other.address)
    );
    alone.finish();
}

#[test]
fn rfc2131_3_1_a_refused_request_begins_anew() {
    let mut alone = Alone::new(only_dhcp);
    let mut said = vec![];
    for _ in 0..20 {
        for frame in alone.sent_within(Duration::from_millis(10)) {
            let Some(asked) = asked(&frame) else { continue };
            said.push(asked.kind);
            let kind = match asked.kind {
                DhcpMessageType::Discover => DhcpMessageType::Offer,
                _ if said.len() < 4 => DhcpMessageType::Nak,
                _ => DhcpMessageType::Ack,
            };
            alone.send(&answer(kind, &asked, &GOOD));
        }
    }
    let (discover, request) = (DhcpMessageType::Discover, DhcpMessageType::Request);
    assert_eq!(said, [discover, request, discover, request]);
    assert!(alone.machine.stack.lease().is_some());
    alone.finish();
}

#[test]
fn rfc2131_3_1_an_address_that_no_host_can_have_is_no_lease_and_the_search_pauses() {
    for (address, mask) in [
        ("127.0.0.1", "255.0.0.0"),
        ("192.168.7.255", "255.255.255.0"),
        ("192.168.7.0", "255.255.255.0"),
        ("224.0.0.5", "255.255.255.0"),
        ("255.255.255.255", "255.255.255.0"),
        ("0.0.0.0", "255.255.255.0"),
        ("192.168.7.50", "255.0.255.0"),
    ] {
        let offer = Offer {
            address: address.parse().unwrap(),
            mask: mask.parse().unwrap(),
            router: None,
        };
        let mut alone = Alone::new(only_dhcp);
        let said = served(&mut alone, &offer, Duration::from_secs(35));
        assert!(said.len() < 20, "{address}: {said:?}");
        assert!(alone.machine.stack.lease().is_none(), "{address} {mask}");
        assert!(alone.machine.stack.addresses().is_empty());
        served(&mut alone, &GOOD, Duration::from_secs(30));
        assert!(alone.machine.stack.lease().is_some(), "after {address} {mask}");
        alone.finish();
    }
}

#[test]
fn a_gateway_that_is_no_neighbour_is_no_gateway() {
    for router in [
        "10.9.9.9",
        "192.168.7.255",
        "255.255.255.255",
        "224.0.0.1",
        "0.0.0.0",
    ] {
        let offer = Offer {
            router: Some(router.parse().unwrap()),
            ..GOOD
        };
        let mut alone = Alone::new(only_dhcp);
        served(&mut alone, &offer, Duration::from_secs(1));
        let lease = alone.machine.stack.lease().expect("the address is good");
        assert_eq!(lease.gateway, None, "{router}");
        let far = IpEndpoint::new(IpAddress::v4(8, 8, 8, 8), 80);
        assert!(matches!(
            alone.machine.stack.connect(far, TransmitRing::Phantom, alone.now),
            Err(OpenError::Unreachable {
                why: Unreachable::NoGateway,
                ..
            })
        ));
        alone.finish();
    }
}

#[test]
fn on_a_vlan_the_search_is_tagged_too() {
    let mut alone = Alone::new(|config| {
        only_dhcp(config);
        config.vlan = VlanId::new(5);
    });
    let sent = alone.sent_within(Duration::from_secs(1));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0][12..18], [0x81, 0, 0, 5, 0x08, 0]);
    alone.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_answer_whatever_is_in_it_ends_more_than_the_search(
        flips in prop::collection::vec((0usize..300, any::<u8>()), 0..12),
        cut in 0usize..400,
        garbage in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut alone = Alone::new(only_dhcp);
        for _ in 0..6 {
            let frames = alone.sent_within(Duration::from_secs(2));
            for asked in frames.iter().filter_map(|frame| asked(frame)) {
                for kind in [DhcpMessageType::Offer, DhcpMessageType::Ack, DhcpMessageType::Nak] {
                    // A message with changes in its body, and with a good checksum around it.
                    let mut body = answer(kind, &asked, &GOOD)[42..].to_vec();
                    for &(at, value) in &flips {
                        if let Some(byte) = body.get_mut(at) {
                            *byte ^= value;
                        }
                    }
                    body.truncate(cut.max(1));
                    alone.send(&in_udp(&body));
                    alone.send(&in_udp(&garbage));
                }
            }
        }
        // An honest server gets through.
        served(&mut alone, &GOOD, Duration::from_secs(40));
        let own = alone.machine.stack.addresses().to_vec();
        prop_assert!(alone.machine.stack.lease().is_some());
        prop_assert_eq!(own.len(), 1);
        prop_assert!(own[0].address().is_unicast());
        alone.finish();
    }
}
