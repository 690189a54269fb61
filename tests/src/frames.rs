//! Frames that a test writes by hand.

use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, Ipv4Address,
};

/// An Ethernet frame without its check sequence.
#[must_use]
pub fn ethernet(
    from: EthernetAddress,
    to: EthernetAddress,
    protocol: EthernetProtocol,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0; 14 + payload.len()];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    frame.set_src_addr(from);
    frame.set_dst_addr(to);
    frame.set_ethertype(protocol);
    frame.payload_mut().copy_from_slice(payload);
    bytes
}

/// An ARP message (RFC 826), to be the payload of a frame.
#[must_use]
pub fn arp(
    operation: ArpOperation,
    (source_hardware_addr, source_protocol_addr): (EthernetAddress, Ipv4Address),
    (target_hardware_addr, target_protocol_addr): (EthernetAddress, Ipv4Address),
) -> Vec<u8> {
    let message = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr,
        source_protocol_addr,
        target_hardware_addr,
        target_protocol_addr,
    };
    let mut body = vec![0; message.buffer_len()];
    message.emit(&mut ArpPacket::new_unchecked(&mut body[..]));
    body
}
