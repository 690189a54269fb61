//! The words of the 82540EM's descriptors (§3.2.3, §3.3.3, §3.3.6, §3.3.7).
//!
//! A transmit descriptor is legacy, context or data, by bit 29 (DEXT) of its second word and, where that is
//! set, by DTYP in bits 23:20: [`TxKind::of`]. Legacy and data descriptors have the buffer's address as first
//! word; a context descriptor has [`TxContext0`]. Status is at bit 32 of the second word in all of them.
//!
//! A receive descriptor is an address and nothing; the device overwrites the second word with
//! [`RxWriteBack`] and leaves the address.

use bitfield_struct::bitfield;

/// The formats of a transmit descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxKind {
    /// [`TxLegacy`].
    Legacy,
    /// [`TxContext0`] and [`TxContext1`].
    Context,
    /// [`TxData`].
    Data,
    /// An extended descriptor of a type that is reserved.
    Reserved(u8),
}

impl TxKind {
    /// DTYP of a context descriptor.
    pub const DTYP_CONTEXT: u8 = 0;
    /// DTYP of a data descriptor.
    pub const DTYP_DATA: u8 = 1;

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

/// Second word of a legacy transmit descriptor (§3.3.3); the first is the buffer's address.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct TxLegacy {
    /// LENGTH: bytes in the buffer, at most 16288. A descriptor of 0 bytes is skipped, but reported.
    pub length: u16,
    /// CSO: where `ic` stores the checksum, from the start of the packet.
    pub cso: u8,
    /// EOP: last descriptor of the packet.
    pub eop: bool,
    /// IFCS: append the FCS. Valid with `eop`.
    pub ifcs: bool,
    /// IC: insert the checksum of the bytes from `css` on at `cso`. Valid with `eop`.
    pub ic: bool,
    /// RS: report status: write `dd` when done.
    pub rs: bool,
    /// RPS: report packet sent (82544 only; reserved here).
    pub rps: bool,
    /// DEXT: 0 in this format.
    pub dext: bool,
    /// VLE: insert the VLAN tag in `special`, if CTRL.VME is set. Valid with `eop`.
    pub vle: bool,
    /// IDE: delay the interrupt by TIDV.
    pub ide: bool,
    /// DD: descriptor done. Written by the device if `rs` was set.
    pub dd: bool,
    /// EC: excess collisions.
    pub ec: bool,
    /// LC: late collision.
    pub lc: bool,
    /// TU: transmit underrun (82544 only).
    pub tu: bool,
    #[bits(4)]
    __: u8,
    /// CSS: where the checksum of `ic` starts.
    pub css: u8,
    /// SPECIAL: VLAN tag: id 11:0, CFI 12, priority 15:13.
    pub special: u16,
}

/// First word of a TCP/IP context descriptor (§3.3.6).
///
/// The device keeps two contexts, and TSE of the second word says which of them a descriptor loads: one for
/// segmentation, one for everything else. A data descriptor's TSE chooses between them.
///
/// Offsets count from the start of the packet. A start, an offset and an end say: sum the bytes from start to
/// end, both included, and store the complement at offset; an end of 0 is the end of the packet.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct TxContext0 {
    /// IPCSS: start of the IP header, for example 14.
    pub ipcss: u8,
    /// IPCSO: the IPv4 header's checksum, IPCSS + 10. The field must be 0 in memory.
    pub ipcso: u8,
    /// IPCSE: last byte of the IPv4 header, IPCSS + 19 without options.
    pub ipcse: u16,
    /// TUCSS: start of the TCP or UDP header. With segmentation it must be the TCP header.
    pub tucss: u8,
    /// TUCSO: the checksum field, TUCSS + 16 for TCP, + 6 for UDP. The field must hold the sum of the pseudo
    /// header: with its length for checksum offload, without for segmentation.
    pub tucso: u8,
    /// TUCSE: last byte summed; 0 is the end of the packet.
    pub tucse: u16,
}

/// Second word of a TCP/IP context descriptor (§3.3.6).
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct TxContext1 {
    /// PAYLEN: payload bytes of the whole segmentation request, without headers. 20 bits.
    #[bits(20)]
    pub paylen: u32,
    /// DTYP: 0 ([`TxKind::DTYP_CONTEXT`]), as `new` has it.
    #[bits(4, default = TxKind::DTYP_CONTEXT)]
    pub dtyp: u8,
    /// TUCMD.TCP: the packet is TCP (1) or UDP (0): decides what segmentation does to the header.
    pub tcp: bool,
    /// TUCMD.IP: the packet is IPv4 (1) or IPv6 (0): decides what segmentation updates.
    pub ip: bool,
    /// TUCMD.TSE: this is the context for segmentation (1) or the other one (0).
    pub tse: bool,
    /// TUCMD.RS: report status for this descriptor.
    pub rs: bool,
    __: bool,
    /// TUCMD.DEXT: 1 in this format, as `new` has it.
    #[bits(default = true)]
    pub dext: bool,
    __: bool,
    /// TUCMD.IDE: delay the interrupt by TIDV.
    pub ide: bool,
    /// STA.DD: descriptor done.
    pub dd: bool,
    #[bits(7)]
    __: u8,
    /// HDRLEN: bytes of headers that begin each segment: Ethernet, IP and TCP with options.
    pub hdrlen: u8,
    /// MSS: most payload bytes of a segment, without headers. MSS + HDRLEN + 80 must fit the transmit packet
    /// buffer.
    pub mss: u16,
}

/// Second word of a TCP/IP data descriptor (§3.3.7); the first is the buffer's address.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct TxData {
    /// DTALEN: bytes in the buffer. 20 bits, but at most 16288 are allowed.
    #[bits(20)]
    pub dtalen: u32,
    /// DTYP: 1 ([`TxKind::DTYP_DATA`]), as `new` has it.
    #[bits(4, default = TxKind::DTYP_DATA)]
    pub dtyp: u8,
    /// DCMD.EOP: last descriptor of the packet or segmentation request.
    pub eop: bool,
    /// DCMD.IFCS: append the FCS. Valid with `eop`; with `tse` in the first descriptor: set it in all.
    pub ifcs: bool,
    /// DCMD.TSE: segment by the context. The same in all descriptors of the request.
    pub tse: bool,
    /// DCMD.RS: report status: write `dd` when done.
    pub rs: bool,
    /// DCMD.RPS: report packet sent (82544 only; reserved here).
    pub rps: bool,
    /// DCMD.DEXT: 1 in this format, as `new` has it.
    #[bits(default = true)]
    pub dext: bool,
    /// DCMD.VLE: insert the VLAN tag in `special`, if CTRL.VME is set. Valid where `ifcs` is.
    pub vle: bool,
    /// DCMD.IDE: delay the interrupt by TIDV.
    pub ide: bool,
    /// STA.DD: descriptor done. Written by the device if `rs` was set.
    pub dd: bool,
    /// STA.EC: excess collisions.
    pub ec: bool,
    /// STA.LC: late collision.
    pub lc: bool,
    /// STA.TU: transmit underrun (82544 only).
    pub tu: bool,
    #[bits(4)]
    __: u8,
    /// POPTS.IXSM: insert the IPv4 header's checksum by the context. Valid in the packet's first descriptor.
    pub ixsm: bool,
    /// POPTS.TXSM: insert the TCP or UDP checksum by the context. Valid in the packet's first descriptor.
    pub txsm: bool,
    #[bits(6)]
    __: u8,
    /// SPECIAL: VLAN tag: id 11:0, CFI 12, priority 15:13. Valid where `ifcs` is.
    pub special: u16,
}

/// Second word of a receive descriptor as the device writes it back (§3.2.3); the first keeps the address.
///
/// Errors and checksum verdicts are valid with `dd` and `eop`.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct RxWriteBack {
    /// LENGTH: bytes in this buffer, with the FCS unless RCTL.SECRC strips it.
    pub length: u16,
    /// Packet checksum: the 16-bit ones' complement sum from RXCSUM.PCSS on.
    pub checksum: u16,
    /// STATUS.DD: descriptor done.
    pub dd: bool,
    /// STATUS.EOP: last descriptor of the packet.
    pub eop: bool,
    /// STATUS.IXSM: ignore `ipcs`, `tcpcs` and their errors: nothing was checked.
    pub ixsm: bool,
    /// STATUS.VP: the packet had a VLAN tag, in `special` if CTRL.VME strips.
    pub vp: bool,
    /// STATUS bit 4: reserved on the 82540EM; UDP checksum checked on later family members.
    pub udpcs: bool,
    /// STATUS.TCPCS: the TCP or UDP checksum was checked; `tcpe` has the result.
    pub tcpcs: bool,
    /// STATUS.IPCS: the IPv4 header's checksum was checked; `ipe` has the result.
    pub ipcs: bool,
    /// STATUS.PIF: passed by the hash filter only: software must compare the address.
    pub pif: bool,
    /// ERRORS.CE: bad FCS, with RCTL.SBP only.
    pub ce: bool,
    /// ERRORS.SE: symbol error.
    pub se: bool,
    /// ERRORS.SEQ: sequence error.
    pub seq: bool,
    __: bool,
    /// ERRORS.CXE: carrier extension error.
    pub cxe: bool,
    /// ERRORS.TCPE: the TCP or UDP checksum is wrong. Valid with `tcpcs`.
    pub tcpe: bool,
    /// ERRORS.IPE: the IPv4 header's checksum is wrong. Valid with `ipcs`.
    pub ipe: bool,
    /// ERRORS.RXE: receive data error.
    pub rxe: bool,
    /// SPECIAL: VLAN tag: id 11:0, CFI 12, priority 15:13.
    pub special: u16,
}
