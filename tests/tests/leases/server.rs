//! A DHCP server in the test's hands (RFC 2131): what it hears from a client, and the answers that it makes, true or not.

use pagewire_stack::{Duration, Ipv4Address};
use pagewire_tests::{Alone, frames};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress, EthernetFrame,
    EthernetProtocol, IpProtocol, Ipv4Packet, Ipv4Repr, UdpPacket, UdpRepr,
};

pub(crate) const SERVER: Ipv4Address = Ipv4Address::new(192, 168, 7, 1);
const SERVER_MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 9]);
const CLIENT_MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
pub(crate) const LENT: Ipv4Address = Ipv4Address::new(192, 168, 7, 50);
pub(crate) const LEASE_SECONDS: u32 = 600;

/// What a server puts into its answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) address: Ipv4Address,
    pub(crate) mask: Ipv4Address,
    pub(crate) router: Option<Ipv4Address>,
}

pub(crate) const GOOD: Offer = Offer {
    address: LENT,
    mask: Ipv4Address::new(255, 255, 255, 0),
    router: Some(SERVER),
};

/// What the client said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) kind: DhcpMessageType,
    pub(crate) transaction: u32,
    /// Where the message came from, and went to.
    pub(crate) source: Ipv4Address,
    pub(crate) destination: Ipv4Address,
    pub(crate) wanted: Option<Ipv4Address>,
}

/// A DHCP message in a frame of the client's.
pub(crate) fn asked(frame: &[u8]) -> Option<Asked> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Ipv4 {
        return None;
    }
    let ip = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
    if ip.next_header() != IpProtocol::Udp {
        return None;
    }
    let udp = UdpPacket::new_checked(ip.payload()).ok()?;
    assert_eq!((udp.src_port(), udp.dst_port()), (68, 67));
    assert!(udp.verify_checksum(&ip.src_addr().into(), &ip.dst_addr().into()));
    let packet = DhcpPacket::new_checked(udp.payload()).ok()?;
    let message = DhcpRepr::parse(&packet).ok()?;
    assert_eq!(message.client_hardware_address, CLIENT_MAC);
    Some(Asked {
        kind: message.message_type,
        transaction: message.transaction_id,
        source: ip.src_addr(),
        destination: ip.dst_addr(),
        wanted: message.requested_ip,
    })
}

/// An answer of the server's, as a frame.
pub(crate) fn answer(kind: DhcpMessageType, to: &Asked, offer: &Offer) -> Vec<u8> {
    let message = DhcpRepr {
        message_type: kind,
        transaction_id: to.transaction,
        secs: 0,
        client_hardware_address: CLIENT_MAC,
        client_ip: Ipv4Address::UNSPECIFIED,
        your_ip: offer.address,
        server_ip: SERVER,
        router: offer.router,
        subnet_mask: Some(offer.mask),
        relay_agent_ip: Ipv4Address::UNSPECIFIED,
        broadcast: false,
        requested_ip: None,
        client_identifier: None,
        server_identifier: Some(SERVER),
        parameter_request_list: None,
        dns_servers: None,
        max_size: None,
        lease_duration: Some(LEASE_SECONDS),
        renew_duration: None,
        rebind_duration: None,
        additional_options: &[],
    };
    let mut body = vec![0; message.buffer_len()];
    message
        .emit(&mut DhcpPacket::new_unchecked(&mut body[..]))
        .expect("it fits");
    in_udp(&body)
}

/// A frame of the server's around a UDP payload for a client.
pub(crate) fn in_udp(body: &[u8]) -> Vec<u8> {
    let sums = ChecksumCapabilities::default();
    let udp = UdpRepr {
        src_port: 67,
        dst_port: 68,
    };
    let ip = Ipv4Repr {
        src_addr: SERVER,
        dst_addr: Ipv4Address::BROADCAST,
        next_header: IpProtocol::Udp,
        payload_len: udp.header_len() + body.len(),
        hop_limit: 64,
    };
    let mut packet = vec![0; ip.buffer_len() + ip.payload_len];
    ip.emit(&mut Ipv4Packet::new_unchecked(&mut packet[..]), &sums);
    udp.emit(
        &mut UdpPacket::new_unchecked(&mut packet[ip.buffer_len()..]),
        &ip.src_addr.into(),
        &ip.dst_addr.into(),
        body.len(),
        |room| room.copy_from_slice(body),
        &sums,
    );
    frames::ethernet(SERVER_MAC, CLIENT_MAC, EthernetProtocol::Ipv4, &packet)
}

/// The answer to an ARP request for the server's address; `None` for any other frame.
pub(crate) fn arp_answer(frame: &[u8]) -> Option<Vec<u8>> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Arp {
        return None;
    }
    let request = ArpRepr::parse(&ArpPacket::new_checked(ethernet.payload()).ok()?).ok()?;
    let ArpRepr::EthernetIpv4 {
        source_protocol_addr,
        target_protocol_addr,
        ..
    } = request
    else {
        return None;
    };
    let message = frames::arp(
        ArpOperation::Reply,
        (SERVER_MAC, target_protocol_addr),
        (CLIENT_MAC, source_protocol_addr),
    );
    let answer = frames::ethernet(SERVER_MAC, CLIENT_MAC, EthernetProtocol::Arp, &message);
    (target_protocol_addr == SERVER).then_some(answer)
}

/// Lets `time` pass, with a server on the cable that answers `offer`. Returns what the client has asked for.
pub(crate) fn served(alone: &mut Alone, offer: &Offer, time: Duration) -> Vec<Asked> {
    let end = alone.now + time;
    let mut all = vec![];
    while alone.now < end {
        for frame in alone.sent_within(Duration::from_millis(100)) {
            if let Some(reply) = arp_answer(&frame) {
                alone.send(&reply);
            }
            let Some(asked) = asked(&frame) else { continue };
            all.push(asked);
            let kind = match asked.kind {
                DhcpMessageType::Discover => DhcpMessageType::Offer,
                DhcpMessageType::Request => DhcpMessageType::Ack,
                _ => continue,
            };
            alone.send(&answer(kind, &asked, offer));
        }
    }
    all
}
