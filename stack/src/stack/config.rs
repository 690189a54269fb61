//! How a stack is set up.

use std::num::NonZeroUsize;

use pagewire_nic::port::TxLimits;
use smoltcp::phy::{Checksum, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::CongestionControl;
use smoltcp::wire::{IpAddress, IpCidr};

use crate::phantom::{ReceiveRing, SocketSizes};
use crate::vlan::{VlanId, tag_len};

/// Ethernet header in bytes.
const ETHERNET: usize = 14;
/// The longest IP packet in bytes.
const LONGEST_IP: usize = 65_535;
/// How many segments a transmit ring holds at least, where they are longer than an IP packet.
const SEGMENTS: usize = 4;
/// IPv4 and TCP headers without options, in bytes.
const HEADERS_V4: usize = 40;
/// IPv6 and TCP headers without options, in bytes.
const HEADERS_V6: usize = 60;

/// How a stack is set up.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// Own addresses, each with its subnet. With IPv6 comes a link-local address.
    pub addresses: Vec<IpCidr>,
    /// Default gateways, at most one of each family, each in the subnet of an own address.
    pub gateways: Vec<IpAddress>,
    /// Ask a DHCP server for an IPv4 address, beside those given here, and for a gateway where none is.
    pub dhcp: bool,
    /// The VLAN whose tag all frames have, sent and received; none have one where there is none.
    pub vlan: Option<VlanId>,
    /// Longest IP packet on the wire in bytes.
    pub mtu: usize,
    /// Whether the NIC cuts TCP segments (TSO).
    pub segmentation_offload: bool,
    /// Where random numbers start: sequence numbers, the hash of the connection table.
    pub seed: u64,
    /// Buffer sizes of every socket.
    pub sockets: SocketSizes,
    /// What stands behind every socket's receive ring.
    pub receive: ReceiveRing,
    /// How senders react to loss.
    pub congestion: CongestionControl,
    /// Most connections at once, half-open ones included.
    pub max_connections: usize,
}

impl StackConfig {
    /// One address, and what suits a fast network: TSO, windows of a megabyte.
    #[must_use]
    pub fn new(address: IpCidr, seed: u64) -> Self {
        Self {
            addresses: vec![address],
            dhcp: false,
            ..Self::by_dhcp(seed)
        }
    }

    /// The same without an address: a DHCP server is asked for one.
    #[must_use]
    pub fn by_dhcp(seed: u64) -> Self {
        Self {
            addresses: vec![],
            gateways: vec![],
            dhcp: true,
            vlan: None,
            mtu: 1500,
            segmentation_offload: true,
            seed,
            sockets: SocketSizes {
                receive: 1 << 20,
                transmit: 1 << 20,
            },
            receive: ReceiveRing::Real,
            congestion: CongestionControl::Cubic,
            max_connections: 16_384,
        }
    }

    /// The longest frame on the wire in bytes, Ethernet header and tag included: what the NIC is to take, so
    /// what its driver is told (`max_frame`).
    #[must_use]
    pub fn longest_frame(&self) -> usize {
        ETHERNET + tag_len(self.vlan) + self.mtu
    }

    /// The most payload in one TSO request: whole MSS-sized frames, so that the last is no runt. What makes one longer than
    /// an IP packet pays off as long as the transmit ring holds a few of them: else the sender would wait for the
    /// acknowledgment of one before the next is full. None where the NIC is not to cut, or takes no whole frame at once.
    ///
    /// What is longer than a packet is whole ones: a receiver that takes it in packets gets no short one at its end.
    fn segment_payload(&self, limits: TxLimits) -> Option<NonZeroUsize> {
        let mss = self.mtu - HEADERS_V4;
        let most = (self.sockets.transmit / SEGMENTS).max(LONGEST_IP - HEADERS_V4);
        let frames = most.min(limits.max_tso as usize) / mss;
        let in_a_packet = (LONGEST_IP - HEADERS_V4) / mss;
        let frames = if frames > in_a_packet {
            frames - frames % in_a_packet
        } else {
            frames
        };
        NonZeroUsize::new(frames * mss).filter(|_| self.segmentation_offload)
    }

    /// The most payload in a frame to `peer`, as far as this side is concerned.
    pub(crate) fn mss_towards(&self, peer: IpAddress) -> usize {
        match peer {
            IpAddress::Ipv4(_) => self.mtu - HEADERS_V4,
            IpAddress::Ipv6(_) => self.mtu - HEADERS_V6,
        }
    }

    /// The most payload in whatever smoltcp emits at once: a segmentation request, or a frame.
    pub(crate) fn request(&self, limits: TxLimits) -> usize {
        self.segment_payload(limits)
            .map_or(self.mtu - HEADERS_V4, NonZeroUsize::get)
    }

    /// The sizes that sockets get. A transmit ring of whole segments never ends in the middle of one, where smoltcp
    /// would send two short ones.
    pub(crate) fn socket_sizes(&self, limits: TxLimits) -> SocketSizes {
        let request = self.request(limits);
        let whole = self.sockets.transmit / request * request;
        SocketSizes {
            transmit: if whole > 0 { whole } else { self.sockets.transmit },
            ..self.sockets
        }
    }

    /// The longest packet in bytes that can arrive, the Ethernet header included.
    pub(crate) const LONGEST_ARRIVAL: usize = ETHERNET + LONGEST_IP;

    /// The device as smoltcp is to see it.
    pub(crate) fn capabilities(&self, limits: TxLimits) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = ETHERNET + self.mtu;
        // TCP: the device inserts, and its verdict, or ours, is known before smoltcp sees a packet. The
        // IPv4 header is cheap and also stands in packets that no offload is asked for.
        capabilities.checksum.tcp = Checksum::None;
        capabilities.checksum.ipv4 = Checksum::Both;
        // Not over IPv6: smoltcp 0.14 drops an IPv6 packet that is longer than the MTU, whoever would cut it.
        capabilities.segmentation.tcpv4 = self
            .segment_payload(limits)
            .map(|payload| payload.saturating_add(ETHERNET + HEADERS_V4));
        capabilities
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload(mtu: usize, max_tso: u32) -> usize {
        let mut config = StackConfig::new(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24), 1);
        config.mtu = mtu;
        let limits = TxLimits {
            max_frame: 9234,
            max_tso,
            max_tso_header: 128,
            max_descriptors: 40,
            max_descriptor_bytes: 16 << 10,
        };
        config.segment_payload(limits).map_or(0, NonZeroUsize::get)
    }

    #[test]
    fn a_request_is_whole_packets() {
        assert_eq!(payload(1500, 262_143), 4 * 44 * 1460, "179 frames would fit");
        assert_eq!(payload(9000, 262_143), 4 * 7 * 8960, "29 frames would fit");
        assert_eq!(payload(1500, 65_495), 44 * 1460);
    }

    proptest! {
        #[test]
        fn a_request_is_whole_frames_and_nearly_as_long_as_the_nic_takes_it(mtu in 576_usize..=9216, max_tso in 1_u32..1 << 20) {
            let mss = mtu - HEADERS_V4;
            let most = (max_tso as usize).min(1 << 18);
            let payload = payload(mtu, max_tso);
            prop_assert_eq!(payload % mss, 0);
            prop_assert!(payload <= most);
            // All but what does not fill a frame, or a packet.
            let packet = (LONGEST_IP - HEADERS_V4) / mss * mss;
            let unit = if most > packet { packet } else { mss };
            prop_assert!(payload + unit > most);
        }
    }
}
