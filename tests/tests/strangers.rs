//! What others on the network send to a host beside TCP, and what it says to that: over the real driver and the
//! emulated 82599.

use pagewire_stack::{Duration, IpAddress};
use pagewire_tests::{Alone, address_v4, address_v6, frames};
use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, EthernetAddress, EthernetProtocol, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr,
    IpProtocol, IpRepr, Ipv4Address, Ipv4Packet, Ipv6Address, NdiscNeighborFlags, NdiscRepr,
};

const OUR_MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 2]);

fn v4(address: IpAddress) -> Ipv4Address {
    let IpAddress::Ipv4(address) = address else {
        panic!("{address} is no IPv4 address")
    };
    address
}

fn v6(address: IpAddress) -> Ipv6Address {
    let IpAddress::Ipv6(address) = address else {
        panic!("{address} is no IPv6 address")
    };
    address
}

/// A frame with an IP packet, whose header is right.
fn ip_frame(
    source: IpAddress,
    destination: IpAddress,
    protocol: IpProtocol,
    hops: u8,
    body: &[u8],
) -> Vec<u8> {
    let ip = IpRepr::new(source, destination, protocol, body.len(), hops);
    let mut packet = vec![0; ip.header_len()];
    ip.emit(&mut packet[..], &ChecksumCapabilities::default());
    packet.extend_from_slice(body);
    let ethertype = match source {
        IpAddress::Ipv4(_) => EthernetProtocol::Ipv4,
        IpAddress::Ipv6(_) => EthernetProtocol::Ipv6,
    };
    frames::ethernet(MAC, OUR_MAC, ethertype, &packet)
}

fn icmp4(source: Ipv4Address, message: &Icmpv4Repr<'_>) -> Vec<u8> {
    let mut body = vec![0; message.buffer_len()];
    message.emit(
        &mut Icmpv4Packet::new_unchecked(&mut body[..]),
        &ChecksumCapabilities::default(),
    );
    ip_frame(source.into(), address_v4(1), IpProtocol::Icmp, 64, &body)
}

fn icmp6(source: Ipv6Address, destination: Ipv6Address, message: &Icmpv6Repr<'_>) -> Vec<u8> {
    let mut body = vec![0; message.buffer_len()];
    message.emit(
        &source,
        &destination,
        &mut Icmpv6Packet::new_unchecked(&mut body[..]),
        &ChecksumCapabilities::default(),
    );
    ip_frame(source.into(), destination.into(), IpProtocol::Icmpv6, 255, &body)
}

fn arp(operation: ArpOperation, sender: Ipv4Address, target: Ipv4Address) -> Vec<u8> {
    let message = frames::arp(operation, (MAC, sender), (OUR_MAC, target));
    frames::ethernet(MAC, EthernetAddress::BROADCAST, EthernetProtocol::Arp, &message)
}

fn solicitation(source: Ipv6Address, destination: Ipv6Address) -> Vec<u8> {
    let link_layer = (!source.is_unspecified()).then(|| MAC.into());
    let message = Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit {
        target_addr: v6(address_v6(1)),
        lladdr: link_layer,
    });
    icmp6(source, destination, &message)
}

#[test]
fn rfc4861_7_3_a_neighbour_that_probes_for_reachability_gets_its_advertisement() {
    let (ours, theirs) = (v6(address_v6(1)), v6(address_v6(2)));
    let group = "ff02::1:ff00:1".parse().unwrap();
    let mut alone = Alone::new(|_| {});
    // To the group of the address (§7.2.2), and to the address itself, as one asks whose entry has grown old.
    for destination in [group, ours] {
        alone.send(&solicitation(theirs, destination));
        let sent = alone.sent();
        assert_eq!(sent.len(), 1, "to {destination}: {sent:x?}");
        assert_eq!(sent[0][..6], MAC.0);
        // ICMPv6 type 136, solicited, our address.
        assert_eq!((sent[0][54], sent[0][58] & 0x40), (136, 0x40));
        assert_eq!(sent[0][62..78], ours.octets());
    }
    alone.finish();
}

#[test]
fn rfc4862_5_4_who_looks_for_a_duplicate_address_does_no_harm() {
    let mut alone = Alone::new(|_| {});
    alone.send(&solicitation(
        Ipv6Address::UNSPECIFIED,
        "ff02::1:ff00:1".parse().unwrap(),
    ));
    alone.send(&arp(
        ArpOperation::Request,
        Ipv4Address::UNSPECIFIED,
        v4(address_v4(1)),
    ));
    alone.sent();
    alone.finish();
}

#[test]
fn rfc826_whoever_asks_for_our_address_is_told() {
    let mut alone = Alone::new(|_| {});
    alone.send(&arp(ArpOperation::Request, v4(address_v4(2)), v4(address_v4(1))));
    let sent = alone.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0][..14], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x06]);
    alone.send(&arp(ArpOperation::Request, v4(address_v4(2)), v4(address_v4(3))));
    assert!(alone.sent().is_empty(), "that is another's");
    alone.finish();
}

#[test]
fn only_the_reply_of_who_was_asked_with_what_was_sent_counts_and_once() {
    let mut alone = Alone::new(|_| {});
    let peer = v4(address_v4(2));
    alone.machine.stack.ping(address_v4(2), 7, 32, alone.now).unwrap();
    alone.sent();
    alone.send(&arp(ArpOperation::Reply, peer, v4(address_v4(1))));
    let request = alone.sent().pop().expect("the request");
    let [ident, seq_no] = [38, 40].map(|at| u16::from_be_bytes([request[at], request[at + 1]]));
    assert_eq!(seq_no, 7);
    let data = &request[42..74];
    let mut changed = data.to_vec();
    changed[9] ^= 1;
    let good = Icmpv4Repr::EchoReply { ident, seq_no, data };
    let wrong = [
        Icmpv4Repr::EchoReply {
            ident: ident ^ 1,
            seq_no,
            data,
        },
        Icmpv4Repr::EchoReply {
            ident,
            seq_no: 8,
            data,
        },
        Icmpv4Repr::EchoReply {
            ident,
            seq_no,
            data: &data[..31],
        },
        Icmpv4Repr::EchoReply {
            ident,
            seq_no,
            data: &changed,
        },
        Icmpv4Repr::EchoRequest { ident, seq_no, data },
    ];
    for message in &wrong {
        alone.send(&icmp4(peer, message));
    }
    alone.send(&icmp4(Ipv4Address::new(10, 0, 0, 3), &good));
    alone.sent();
    assert_eq!(alone.machine.stack.next_echo_reply(), None);
    alone.now += Duration::from_micros(1_234);
    for _ in 0..3 {
        alone.send(&icmp4(peer, &good));
    }
    alone.sent();
    let reply = alone.machine.stack.next_echo_reply().expect("the reply");
    assert_eq!(
        (reply.from, reply.sequence, reply.payload_len),
        (address_v4(2), 7, 32)
    );
    assert_eq!(reply.round_trip, Duration::from_micros(1_234));
    assert_eq!(alone.machine.stack.next_echo_reply(), None);
    alone.finish();
}

/// Frames to start from: of each kind that is looked at for the host itself.
fn kinds() -> Vec<Vec<u8>> {
    let (ours, theirs) = (v6(address_v6(1)), v6(address_v6(2)));
    let data = &[7; 24];
    let advertisement = NdiscRepr::NeighborAdvert {
        flags: NdiscNeighborFlags::OVERRIDE,
        target_addr: theirs,
        lladdr: Some(MAC.into()),
    };
    vec![
        arp(ArpOperation::Request, v4(address_v4(2)), v4(address_v4(1))),
        arp(ArpOperation::Reply, v4(address_v4(2)), v4(address_v4(1))),
        icmp4(
            v4(address_v4(2)),
            &Icmpv4Repr::EchoRequest {
                ident: 1,
                seq_no: 2,
                data,
            },
        ),
        icmp4(
            v4(address_v4(2)),
            &Icmpv4Repr::EchoReply {
                ident: 1,
                seq_no: 2,
                data,
            },
        ),
        icmp6(
            theirs,
            ours,
            &Icmpv6Repr::EchoRequest {
                ident: 1,
                seq_no: 2,
                data,
            },
        ),
        icmp6(theirs, ours, &Icmpv6Repr::Ndisc(advertisement)),
        solicitation(theirs, ours),
        ip_frame(
            address_v4(2),
            address_v4(1),
            IpProtocol::Udp,
            64,
            &[0, 67, 0, 68, 0, 32, 0, 0],
        ),
        ip_frame(
            address_v6(2),
            address_v6(1),
            IpProtocol::Udp,
            64,
            &[0, 53, 0, 53, 0, 8, 0, 0],
        ),
        ip_frame(
            address_v6(2),
            address_v6(1),
            IpProtocol::HopByHop,
            64,
            &[58, 0, 5, 2, 0, 0, 1, 0],
        ),
    ]
}

/// Makes the checksums of IPv4 and ICMP right, so that what is wrong in a message is looked at.
fn mend(frame: &mut [u8]) {
    let Some(version) = frame.get(14).map(|byte| byte >> 4) else {
        return;
    };
    let header = usize::from(frame[14] & 0x0f) * 4;
    if version == 4 && header >= 20 && frame.len() >= 14 + header + 8 {
        let (ip, body) = frame[14..].split_at_mut(header);
        Ipv4Packet::new_unchecked(ip).fill_checksum();
        Icmpv4Packet::new_unchecked(body).fill_checksum();
    }
    if version == 6 && frame.len() >= 62 {
        let address = |at: usize| Ipv6Address::from(<[u8; 16]>::try_from(&frame[at..at + 16]).expect("16"));
        let (source, destination) = (address(22), address(38));
        Icmpv6Packet::new_unchecked(&mut frame[54..]).fill_checksum(&source, &destination);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_packet_whatever_is_in_it_ends_a_host_or_draws_more_than_one_answer(
        changes in prop::collection::vec(
            (0usize..10, prop::collection::vec((12usize..90, any::<u8>()), 0..6), 14usize..120),
            1..40,
        ),
    ) {
        let mut alone = Alone::new(|config| config.dhcp = true);
        alone.sent();
        // A neighbour that is known, so that nobody has to be asked for before an answer.
        for known in [arp(ArpOperation::Request, v4(address_v4(2)), v4(address_v4(1))), kinds()[6].clone()] {
            alone.send(&known);
        }
        alone.sent();
        let kinds = kinds();
        for (kind, flips, cut) in changes {
            let mut frame = kinds[kind].clone();
            for (at, value) in flips {
                if let Some(byte) = frame.get_mut(at) {
                    *byte ^= value;
                }
            }
            frame.truncate(cut);
            mend(&mut frame);
            alone.send(&frame);
            let answers = alone.sent();
            prop_assert!(answers.len() <= 1, "{answers:x?} to {frame:x?}");
            prop_assert!(answers.iter().all(|answer| answer.len() <= 1514));
        }
        // It answers as before.
        alone.now += Duration::from_secs(70);
        alone.sent();
        alone.send(&kinds[0]);
        prop_assert_eq!(alone.sent().len(), 1);
        alone.finish();
    }
}
