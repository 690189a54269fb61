//! The receive path.

use bitfield_struct::bitfield;

/// Value of [`FCTRL`](crate::ixgbe::FCTRL), filter control (§8.2.3.7.1). Change it only while RXCTRL.RXEN is
/// 0.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Fctrl {
    __: bool,
    /// SBP: store bad packets.
    pub sbp: bool,
    #[bits(6)]
    __: u8,
    /// MPE: multicast promiscuous.
    pub mpe: bool,
    /// UPE: unicast promiscuous.
    pub upe: bool,
    /// BAM: accept broadcasts.
    pub bam: bool,
    #[bits(21)]
    __: u32,
}

/// Value of [`VLNCTRL`](crate::ixgbe::VLNCTRL), VLAN control (§8.2.3.7.2).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Vlnctrl {
    /// VET: the VLAN ether type, 0x8100.
    pub vet: u16,
    #[bits(12)]
    __: u16,
    /// CFI: the value to compare with.
    pub cfi: bool,
    /// CFIEN: compare the CFI bit.
    pub cfien: bool,
    /// VFE: VLAN filter on.
    pub vfe: bool,
    __: bool,
}

/// Value of [`MCSTCTRL`](crate::ixgbe::MCSTCTRL), multicast control (§8.2.3.7.3).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Mcstctrl {
    /// MO: which 12 bits of the address index MTA: 0 is 47:36, 1 is 46:35, 2 is 45:34, 3 is 43:32.
    #[bits(2)]
    pub mo: u8,
    /// MFE: multicast filter on.
    pub mfe: bool,
    #[bits(29)]
    __: u32,
}

/// Value of [`PSRTYPE`](crate::ixgbe::PSRTYPE), split receive type (§8.2.3.7.4).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Psrtype {
    __: bool,
    /// Split after the NFS header.
    pub nfs: bool,
    #[bits(2)]
    __: u8,
    /// Split after the TCP header. Coalescing needs it, see [`Rscctl`].
    pub tcp: bool,
    /// Split after the UDP header.
    pub udp: bool,
    #[bits(2)]
    __: u8,
    /// Split after the IPv4 header.
    pub ipv4: bool,
    /// Split after the IPv6 header.
    pub ipv6: bool,
    #[bits(2)]
    __: u8,
    /// Split after the Ethernet header.
    pub l2: bool,
    #[bits(16)]
    __: u16,
    /// RQPL: bits of the RSS index that choose a queue of the pool.
    #[bits(3)]
    pub rqpl: u8,
}

/// Value of [`RXCSUM`](crate::ixgbe::RXCSUM), receive checksum control (§8.2.3.7.5). IPv4, TCP and UDP
/// checksums are always checked; this decides what else is reported.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rxcsum {
    #[bits(12)]
    __: u16,
    /// IPPCSE: report the checksum of UDP fragments, while `pcsd` is 0.
    pub ippcse: bool,
    /// PCSD: report the RSS hash instead of the packet checksum. RSS needs it.
    pub pcsd: bool,
    #[bits(18)]
    __: u32,
}

/// Value of [`RFCTL`](crate::ixgbe::RFCTL), receive filter control (§8.2.3.7.6).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rfctl {
    #[bits(5)]
    __: u8,
    /// RSC_DIS: no coalescing in any queue.
    pub rsc_dis: bool,
    /// NFSW_DIS: no parsing of NFS writes. Coalescing needs both of them set.
    pub nfsw_dis: bool,
    /// NFSR_DIS: no parsing of NFS reads.
    pub nfsr_dis: bool,
    /// NFS_VER: 2, 3 or 4, less 2.
    #[bits(2)]
    pub nfs_ver: u8,
    /// IPv6_DIS: no parsing of IPv6.
    pub ipv6_dis: bool,
    #[bits(3)]
    __: u8,
    /// IPFRSP_DIS: no split of fragments.
    pub ipfrsp_dis: bool,
    #[bits(17)]
    __: u32,
}

/// Value of [`RAH`](crate::ixgbe::RAH), the high part of a receive address (§8.2.3.7.9).
///
/// The six bytes of the address are RAL's four, low byte first, then these two. Drivers give the address a
/// pool in [`MPSAR`](crate::ixgbe::MPSAR) too, pool 0 where there is no virtualization.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rah {
    /// RAH: bytes 4 and 5 of the address, byte 4 low.
    pub address: u16,
    #[bits(15)]
    __: u16,
    /// AV: the address takes part in filtering.
    pub av: bool,
}

/// Value of [`MRQC`](crate::ixgbe::MRQC), multiple receive queues (§8.2.3.7.12).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Mrqc {
    /// MRQE: 0 none, 1 RSS; others combine traffic classes and pools.
    #[bits(4)]
    pub mrqe: u8,
    #[bits(12)]
    __: u16,
    /// Hash IPv4 addresses and TCP ports.
    pub tcp_ipv4: bool,
    /// Hash IPv4 addresses.
    pub ipv4: bool,
    #[bits(2)]
    __: u8,
    /// Hash IPv6 addresses.
    pub ipv6: bool,
    /// Hash IPv6 addresses and TCP ports.
    pub tcp_ipv6: bool,
    /// Hash IPv4 addresses and UDP ports.
    pub udp_ipv4: bool,
    /// Hash IPv6 addresses and UDP ports.
    pub udp_ipv6: bool,
    #[bits(8)]
    __: u8,
}

impl Mrqc {
    /// `mrqe`: one queue.
    pub const NONE: u8 = 0;
    /// `mrqe`: RSS over up to 16 queues.
    pub const RSS: u8 = 1;
}

/// Value of [`RXCTRL`](crate::ixgbe::RXCTRL), receive control (§8.2.3.8.10).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rxctrl {
    /// RXEN: receive.
    pub rxen: bool,
    #[bits(31)]
    __: u32,
}

/// Value of [`RXDCTL`](crate::ixgbe::RXDCTL), receive descriptor control (§8.2.3.8.6).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rxdctl {
    #[bits(25)]
    __: u32,
    /// ENABLE: the queue is on. Reads as 1 (or 0) only when the device has done so; then wait 100 µs after a
    /// 0 before freeing its memory (§4.6.7.1).
    pub enable: bool,
    /// SWFLSH: write back what is done; clears itself.
    pub swflsh: bool,
    #[bits(3)]
    __: u8,
    /// VME: strip VLAN tags.
    pub vme: bool,
    __: bool,
}

/// Value of [`SRRCTL`](crate::ixgbe::SRRCTL), split receive control (§8.2.3.8.7).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Srrctl {
    /// BSIZEPACKET: packet buffer in KiB, 1 to 16; at least 2 in a queue that coalesces.
    #[bits(5)]
    pub bsizepacket: u8,
    #[bits(3)]
    __: u8,
    /// BSIZEHEADER: header buffer in units of 64 bytes, 1 to 16; not 0 with header split, and at least 2 in a
    /// queue that coalesces, even without header split.
    #[bits(6)]
    pub bsizeheader: u8,
    #[bits(8)]
    __: u8,
    /// RDMTS: interrupt when this many times 64 descriptors are left; 0 is off.
    #[bits(3)]
    pub rdmts: u8,
    /// DESCTYPE: [`Srrctl::LEGACY`], [`Srrctl::ADVANCED_ONE_BUFFER`], [`Srrctl::HEADER_SPLIT`] or
    /// [`Srrctl::HEADER_SPLIT_ALWAYS`].
    #[bits(3)]
    pub desctype: u8,
    /// Drop_En: drop packets when the queue has no descriptors, instead of blocking the others.
    pub drop_en: bool,
    #[bits(3)]
    __: u8,
}

impl Srrctl {
    /// `desctype`: legacy descriptors.
    pub const LEGACY: u8 = 0;
    /// `desctype`: advanced descriptors with one buffer.
    pub const ADVANCED_ONE_BUFFER: u8 = 1;
    /// `desctype`: advanced descriptors, headers split off where they are known.
    pub const HEADER_SPLIT: u8 = 2;
    /// `desctype`: advanced descriptors, always split.
    pub const HEADER_SPLIT_ALWAYS: u8 = 5;
}

/// Value of [`RSCCTL`](crate::ixgbe::RSCCTL), receive side coalescing of a queue (§8.2.3.8.13, §7.11).
///
/// A queue that coalesces needs [`Srrctl::bsizeheader`], [`Psrtype::tcp`], the FCS stripped, NFS parsing off
/// ([`Rfctl`]), and MAXDESC times its buffer size at most 64 KiB less 1, so: 4 KiB buffers and 8 descriptors,
/// or 2 KiB and 16.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rscctl {
    /// RSCEN: coalesce.
    pub rscen: bool,
    __: bool,
    /// MAXDESC: most descriptors of a coalesced packet: 1, 4, 8 or 16.
    #[bits(2)]
    pub maxdesc: u8,
    #[bits(28)]
    __: u32,
}

impl Rscctl {
    /// Most descriptors of a coalesced packet.
    pub const fn max_descriptors(self) -> u32 {
        match self.maxdesc() {
            0 => 1,
            1 => 4,
            2 => 8,
            _ => 16,
        }
    }
}

/// Value of [`RDRXCTL`](crate::ixgbe::RDRXCTL), receive DMA control (§8.2.3.8.8). Read, modify, write:
/// reserved bits 11 and 15 are 1.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rdrxctl {
    __: bool,
    /// CRCSTRIP: strip the FCS. Must equal HLREG0.RXCRCSTRP.
    pub crcstrip: bool,
    __: bool,
    /// DMAIDONE: the device's memories are initialized after a reset.
    pub dmaidone: bool,
    #[bits(7)]
    __: u8,
    #[bits(default = true)]
    reserved_11: bool,
    #[bits(3)]
    __: u8,
    #[bits(default = true)]
    reserved_15: bool,
    __: bool,
    /// RSCFRSTSIZE: software sets it to 0; it is 8 after a reset.
    #[bits(5)]
    pub rscfrstsize: u8,
    #[bits(3)]
    __: u8,
    /// RSCACKC: software sets it to 1.
    pub rscackc: bool,
    /// FCOE_WRFIX: software sets it to 1.
    pub fcoe_wrfix: bool,
    #[bits(5)]
    __: u8,
}

/// Value of [`RXPBSIZE`](crate::ixgbe::RXPBSIZE) and [`TXPBSIZE`](crate::ixgbe::TXPBSIZE), a packet buffer
/// (§8.2.3.8.9, §8.2.3.9.13). All of them together: 512 KiB to receive, 160 KiB to transmit.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct PacketBuffer {
    #[bits(10)]
    __: u16,
    /// SIZE in KiB.
    #[bits(10)]
    pub kib: u16,
    #[bits(12)]
    __: u16,
}

/// Value of [`RSCDBU`](crate::ixgbe::RSCDBU), RSC data buffer control (§8.2.3.8.12).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rscdbu {
    /// RSCSMALDIS: as Linux names it; not in the datasheet.
    #[bits(7)]
    pub rscsmaldis: u8,
    /// RSCACKDIS: packets that are nothing but an ACK are not coalesced.
    pub rscackdis: bool,
    #[bits(24)]
    __: u32,
}

/// Value of [`DCA_RXCTRL`](crate::ixgbe::DCA_RXCTRL), receive DCA and ordering (§8.2.3.11.1).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct DcaRxctrl {
    #[bits(5)]
    __: u8,
    /// DCA for descriptors.
    pub desc_dca: bool,
    /// DCA for headers.
    pub head_dca: bool,
    /// DCA for payload.
    pub data_dca: bool,
    __: bool,
    /// Relaxed ordering for descriptor reads.
    pub desc_read_ro: bool,
    #[bits(2)]
    __: u8,
    /// Reserved, 1 after a reset: clear it.
    pub reserved_12: bool,
    /// Relaxed ordering for data writes.
    pub data_write_ro: bool,
    __: bool,
    /// Relaxed ordering for header writes.
    pub head_write_ro: bool,
    __: u8,
    /// CPUID: tag of the core whose cache is meant.
    pub cpuid: u8,
}
