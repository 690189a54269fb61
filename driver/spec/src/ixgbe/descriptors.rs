//! The words of the 82599's advanced descriptors (§7.1.6, §7.2.3.2).
//!
//! Transmit: a data descriptor is the buffer's address and [`TxData`]; a context descriptor is [`TxContext0`]
//! and [`TxContext1`]; [`TxKind::of`] tells them apart. The device writes [`TxWriteBack`] over the second
//! word of a descriptor with RS, and nothing over the others.
//!
//! Receive: software writes [`RxRead0`] and [`RxRead1`]; the device overwrites both words with
//! [`RxWriteBack0`] and [`RxWriteBack1`]. The done bit is the lowest of the second word, where software must
//! have written 0.

use bitfield_struct::bitfield;

/// The formats of a transmit descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxKind {
    /// DEXT is 0: the legacy format, which this crate leaves out.
    Legacy,
    /// [`TxContext0`] and [`TxContext1`].
    Context,
    /// [`TxData`].
    Data,
    /// An advanced descriptor of a type that is reserved.
    Reserved(u8),
}

impl TxKind {
    /// DTYP of a context descriptor.
    pub const DTYP_CONTEXT: u8 = 2;
    /// DTYP of a data descriptor.
    pub const DTYP_DATA: u8 = 3;

    /// The format that a descriptor's second word declares.
    pub const fn of(word1: u64) -> Self {
        let data = TxData::from_bits(word1);
        match (data.dext(), data.dtyp()) {
            (false, _) => TxKind::Legacy,
            (true, Self::DTYP_CONTEXT) => TxKind::Context,
            (true, Self::DTYP_DATA) => TxKind::Data,
            (true, other) => TxKind::Reserved(other),
        }
    }
}

/// First word of an advanced transmit context descriptor (§7.2.3.2.3).
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct TxContext0 {
    /// IPLEN: bytes of the IP header: for IPv4 at least 20, for IPv6 with its extension headers.
    #[bits(9)]
    pub iplen: u16,
    /// MACLEN: bytes before the IP header: 14, or more with a VLAN tag in the frame's memory.
    #[bits(7)]
    pub maclen: u8,
    /// VLAN: tag to insert where a data descriptor has VLE.
    pub vlan: u16,
    /// IPsec SA index.
    #[bits(10)]
    pub ipsec_sa: u16,
    /// FCoEF: FCoE frame fields.
    #[bits(6)]
    pub fcoef: u8,
    #[bits(16)]
    __: u16,
}

/// Second word of an advanced transmit context descriptor (§7.2.3.2.3).
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct TxContext1 {
    /// IPS_ESP_LEN: bytes of the ESP trailer, with IPsec.
    #[bits(9)]
    pub ips_esp_len: u16,
    /// TUCMD.SNAP: the frame has a SNAP header.
    pub snap: bool,
    /// TUCMD.IPV4: the packet is IPv4 (1) or IPv6 (0).
    pub ipv4: bool,
    /// TUCMD.L4T: [`TxContext1::UDP`], [`TxContext1::TCP`] or [`TxContext1::SCTP`].
    #[bits(2)]
    pub l4t: u8,
    /// TUCMD: IPsec is ESP (1) or AH (0).
    pub ipsec_esp: bool,
    /// TUCMD: encrypt with IPsec.
    pub ipsec_encrypt: bool,
    /// TUCMD.FCoE: the frame is FCoE.
    pub fcoe: bool,
    #[bits(4)]
    __: u8,
    /// DTYP: 2 ([`TxKind::DTYP_CONTEXT`]), as `new` has it.
    #[bits(4, default = TxKind::DTYP_CONTEXT)]
    pub dtyp: u8,
    #[bits(5)]
    __: u8,
    /// DEXT: 1 in this format, as `new` has it.
    #[bits(default = true)]
    pub dext: bool,
    #[bits(6)]
    __: u8,
    /// IDX: which of the queue's two contexts this is, 0 or 1; the other bits are reserved.
    #[bits(3)]
    pub idx: u8,
    __: bool,
    /// L4LEN: bytes of the TCP header with options, or 8 for UDP. Used by segmentation only.
    pub l4len: u8,
    /// MSS: most payload bytes of a segment, without headers. Used by segmentation only.
    pub mss: u16,
}

impl TxContext1 {
    /// `l4t`: UDP.
    pub const UDP: u8 = 0;
    /// `l4t`: TCP.
    pub const TCP: u8 = 1;
    /// `l4t`: SCTP.
    pub const SCTP: u8 = 2;
}

/// Second word of an advanced transmit data descriptor (§7.2.3.2.4); the first is the buffer's address.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct TxData {
    /// DTALEN: bytes in this buffer. 0 is not allowed.
    pub dtalen: u16,
    #[bits(2)]
    __: u8,
    /// MAC.ILSec: apply LinkSec.
    pub linksec: bool,
    /// MAC.1588: take a time stamp.
    pub timestamp: bool,
    /// DTYP: 3 ([`TxKind::DTYP_DATA`]), as `new` has it.
    #[bits(4, default = TxKind::DTYP_DATA)]
    pub dtyp: u8,
    /// DCMD.EOP: last descriptor of the packet or segmentation request.
    pub eop: bool,
    /// DCMD.IFCS: append the FCS. Must be set with `tse`, padding, checksum and VLAN insertion.
    pub ifcs: bool,
    __: bool,
    /// DCMD.RS: report status. Allowed only together with `eop`.
    pub rs: bool,
    __: bool,
    /// DCMD.DEXT: 1 in this format, as `new` has it.
    #[bits(default = true)]
    pub dext: bool,
    /// DCMD.VLE: insert the context's VLAN tag. The same in all descriptors of the packet.
    pub vle: bool,
    /// DCMD.TSE: segment by the context. The first descriptors of the request hold the whole header.
    pub tse: bool,
    /// STA.DD: descriptor done; software writes 0.
    pub dd: bool,
    #[bits(3)]
    __: u8,
    /// IDX: which context the packet uses.
    #[bits(3)]
    pub idx: u8,
    /// CC: use the context that `idx` names even where no offload asks for it: the virtual switch and
    /// anti-spoofing look at it.
    pub cc: bool,
    /// POPTS.IXSM: insert the IPv4 header's checksum. With TSE of IPv4 it must be set. Valid in the first
    /// descriptor.
    pub ixsm: bool,
    /// POPTS.TXSM: insert the L4 checksum. With TSE it must be set. Valid in the first descriptor.
    pub txsm: bool,
    /// POPTS.IPSEC: apply IPsec.
    pub ipsec: bool,
    #[bits(3)]
    __: u8,
    /// PAYLEN: bytes of the packet without FCS; with `tse` the TCP payload without headers. 18 bits. Valid in
    /// the first descriptor, and counts all descriptors of the packet.
    #[bits(18)]
    pub paylen: u32,
}

/// Second word of a transmit descriptor as the device writes it back (§7.2.3.2.5); the first is reserved.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct TxWriteBack {
    __: u32,
    /// STA.DD: descriptor done, and with it all before it.
    pub dd: bool,
    #[bits(31)]
    __: u32,
}

/// First word of an advanced receive descriptor as software writes it (§7.1.6.1): the packet buffer's
/// address.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct RxRead0 {
    /// Packet buffer address: 64 bits, of which bit 0 is no-snoop where that is enabled: use even addresses.
    pub packet_address: u64,
}

/// Second word of an advanced receive descriptor as software writes it (§7.1.6.1): the header buffer's
/// address.
///
/// Its bit 0 becomes the done bit: it must be 0. With one buffer the whole word is 0.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct RxRead1 {
    /// DD: must be 0.
    pub dd: bool,
    /// Header buffer address, bits 63:1.
    #[bits(63)]
    pub header_address_half: u64,
}

impl RxRead1 {
    /// For a header buffer at `address`, which must be even.
    pub const fn for_header_buffer(address: u64) -> Self {
        Self::new().with_header_address_half(address >> 1)
    }

    /// The header buffer's address.
    pub const fn header_address(self) -> u64 {
        self.header_address_half() << 1
    }
}

/// First word of an advanced receive descriptor as the device writes it back (§7.1.6.2).
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct RxWriteBack0 {
    /// RSS type: what `rss_hash` was computed over, see [`RssType`]; 15 is a Flow Director match.
    #[bits(4)]
    pub rss_type: u8,
    /// Packet type: IPv4 header without options.
    pub ipv4: bool,
    /// Packet type: IPv4 header with options.
    pub ipv4_extensions: bool,
    /// Packet type: IPv6 header.
    pub ipv6: bool,
    /// Packet type: IPv6 header with extension headers.
    pub ipv6_extensions: bool,
    /// Packet type: TCP header. Not reported for fragments.
    pub tcp: bool,
    /// Packet type: UDP header. Not reported for fragments.
    pub udp: bool,
    /// Packet type: SCTP header.
    pub sctp: bool,
    /// Packet type: NFS header.
    pub nfs: bool,
    /// Packet type: IPsec ESP.
    pub ipsec_esp: bool,
    /// Packet type: IPsec AH.
    pub ipsec_ah: bool,
    /// Packet type: LinkSec.
    pub linksec: bool,
    /// Packet type: an ether type filter matched; the lower bits of the type are its index.
    pub l2: bool,
    __: bool,
    /// RSCCNT: packets coalesced into this descriptor, beyond the first ones: 0 where nothing was coalesced.
    #[bits(4)]
    pub rsccnt: u8,
    /// HDR_LEN: bytes of header, where `sph` is set.
    #[bits(10)]
    pub hdr_len: u16,
    /// SPH: the header was split off.
    pub sph: bool,
    /// RSS hash; or, while RXCSUM.PCSD is 0, the IP identification low and the fragment checksum high.
    pub rss_hash: u32,
}

/// What an RSS hash was computed over: [`RxWriteBack0::rss_type`] (§7.1.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RssType {
    /// No hash.
    None = 0,
    /// IPv4 addresses and TCP ports.
    TcpIpv4 = 1,
    /// IPv4 addresses.
    Ipv4 = 2,
    /// IPv6 addresses and TCP ports.
    TcpIpv6 = 3,
    /// IPv6 addresses.
    Ipv6 = 5,
    /// IPv4 addresses and UDP ports.
    UdpIpv4 = 7,
    /// IPv6 addresses and UDP ports.
    UdpIpv6 = 8,
}

impl RssType {
    /// The type of a descriptor's code, or `None` for a code that is reserved or Flow Director's.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => RssType::None,
            1 => RssType::TcpIpv4,
            2 => RssType::Ipv4,
            3 => RssType::TcpIpv6,
            5 => RssType::Ipv6,
            7 => RssType::UdpIpv4,
            8 => RssType::UdpIpv6,
            _ => return None,
        })
    }
}

/// Second word of an advanced receive descriptor as the device writes it back (§7.1.6.2).
///
/// All of it but `dd`, `length` and NEXTP is valid with `eop` only. Without `eop`, in a queue that coalesces,
/// bits 19:4 are [`next_descriptor`](Self::next_descriptor) instead of status.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct RxWriteBack1 {
    /// DD: descriptor done.
    pub dd: bool,
    /// EOP: last descriptor of the packet.
    pub eop: bool,
    /// FLM: a Flow Director filter matched.
    pub flm: bool,
    /// VP: the packet had a VLAN tag; in `vlan` if RXDCTL.VME strips.
    pub vp: bool,
    /// UDPCS: a UDP checksum was there and checked.
    pub udpcs: bool,
    /// L4I (L4CS): the TCP, UDP or SCTP checksum was checked; `l4e` has the result.
    pub l4cs: bool,
    /// IPCS: the IPv4 header's checksum was checked; `ipe` has the result.
    pub ipcs: bool,
    /// PIF: passed by the hash filter only: software must compare the address.
    pub pif: bool,
    __: bool,
    /// VEXT: an outer VLAN tag was there.
    pub vext: bool,
    /// UDPV: the fragment has a UDP checksum, not checked.
    pub udpv: bool,
    /// LLINT: the packet caused an immediate interrupt.
    pub llint: bool,
    #[bits(4)]
    __: u8,
    /// TS: a time stamp was taken.
    pub ts: bool,
    /// SECP: security processing was done.
    pub secp: bool,
    /// LB: from the local switch.
    pub lb: bool,
    __: bool,
    /// FDIRERR or FCERR.
    #[bits(3)]
    pub fdirerr: u8,
    /// HBO: the header was longer than the header buffer.
    pub hbo: bool,
    #[bits(3)]
    __: u8,
    /// SECERR: what security processing found.
    #[bits(2)]
    pub secerr: u8,
    /// RXE: MAC error (CRC, length, ...); with FCTRL.SBP only.
    pub rxe: bool,
    /// L4E (TCPE): the L4 checksum is wrong. Valid with `l4cs`.
    pub l4e: bool,
    /// IPE: the IPv4 header's checksum is wrong. Valid with `ipcs`.
    pub ipe: bool,
    /// PKT_LEN: bytes in this packet buffer, with the FCS unless it is stripped.
    pub length: u16,
    /// VLAN tag, where `vp` is set and the tag was stripped.
    pub vlan: u16,
}

impl RxWriteBack1 {
    /// NEXTP: index of the descriptor that goes on with a coalesced packet; valid without `eop` (§7.11.5.1).
    pub const fn next_descriptor(self) -> u16 {
        (self.into_bits() >> 4) as u16
    }

    /// With NEXTP in place of bits 19:4.
    pub const fn with_next_descriptor(self, index: u16) -> Self {
        Self::from_bits(self.into_bits() & !0xf_fff0 | (index as u64) << 4)
    }
}
