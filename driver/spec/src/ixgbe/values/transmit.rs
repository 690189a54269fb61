//! The transmit path.

use bitfield_struct::bitfield;

/// Value of [`DMATXCTL`](crate::ixgbe::DMATXCTL), transmit DMA control (§8.2.3.9.2).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Dmatxctl {
    /// TE: transmit. Set it before any queue is enabled; queue 0's TXDCTL.ENABLE goes on with it.
    pub te: bool,
    #[bits(2)]
    __: u8,
    /// GDV: global double VLAN.
    pub gdv: bool,
    #[bits(12)]
    __: u16,
    /// VT: VLAN ether type for insertion, 0x8100.
    #[bits(16, default = 0x8100)]
    pub vt: u16,
}

/// Value of [`DTXMXSZRQ`](crate::ixgbe::DTXMXSZRQ), bytes that may be requested at a time (§8.2.3.9.1).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Dtxmxszrq {
    /// Max_bytes_num_req: in units of 256 bytes; 0xfff without DCB.
    #[bits(12)]
    pub max_bytes: u16,
    #[bits(20)]
    __: u32,
}

/// Value of [`TXDCTL`](crate::ixgbe::TXDCTL), transmit descriptor control (§8.2.3.9.10).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Txdctl {
    /// PTHRESH: prefetch when fewer descriptors than this are on chip.
    #[bits(7)]
    pub pthresh: u8,
    __: bool,
    /// HTHRESH: and at least this many are ready in host memory. At least 1 where PTHRESH is used.
    #[bits(7)]
    pub hthresh: u8,
    __: bool,
    /// WTHRESH: write back when this many are done, and set no RS then; 0 writes back each descriptor with
    /// RS, of which there must be one in 40. Must be 0 with head write-back.
    #[bits(7)]
    pub wthresh: u8,
    #[bits(2)]
    __: u8,
    /// ENABLE: the queue is on. Reads as 1 (or 0) only when the device has done so.
    pub enable: bool,
    /// SWFLSH: write back what is done; clears itself.
    pub swflsh: bool,
    #[bits(5)]
    __: u8,
}

/// Value of [`TDWBAL`](crate::ixgbe::TDWBAL), head write-back (§8.2.3.9.11).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Tdwbal {
    /// Head_WB_En: write the head there instead of DD bits.
    pub head_wb_en: bool,
    __: bool,
    /// HeadWB_Low: the address's bits 31:2.
    #[bits(30)]
    pub address_quarter: u32,
}

/// Value of [`MTQC`](crate::ixgbe::MTQC), multiple transmit queues (§8.2.3.9.15). Write it only while
/// RTTDCS.ARBDIS is 1.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Mtqc {
    /// RT_Ena: DCB.
    pub rt_ena: bool,
    /// VT_Ena: virtualization.
    pub vt_ena: bool,
    /// NUM_TC_OR_Q: 0 for 64 queues and one packet buffer.
    #[bits(2)]
    pub num_tc_or_q: u8,
    #[bits(28)]
    __: u32,
}

/// Value of [`RTTDCS`](crate::ixgbe::RTTDCS), transmit descriptor plane (§8.2.3.10.2).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rttdcs {
    /// TDPAC: descriptor plane arbitration by strict priority.
    pub tdpac: bool,
    /// VMPAC: VM arbitration.
    pub vmpac: bool,
    #[bits(2)]
    __: u8,
    /// TDRM: recycle mode.
    pub tdrm: bool,
    __: bool,
    /// ARBDIS: arbiter off, while MTQC and packet buffers change.
    pub arbdis: bool,
    #[bits(10)]
    __: u16,
    /// LTTDESC: last transmitted class.
    #[bits(3)]
    pub lttdesc: u8,
    #[bits(2)]
    __: u8,
    /// BDPM: bypass the data plane monitor; 1 without DCB and virtualization.
    pub bdpm: bool,
    /// BPBFSM: bypass the packet buffer free space monitor; 1 without DCB and virtualization.
    pub bpbfsm: bool,
    #[bits(7)]
    __: u8,
    /// SPEED_CHG: the link speed changed.
    pub speed_chg: bool,
}

/// Value of [`DCA_TXCTRL`](crate::ixgbe::DCA_TXCTRL), transmit DCA and ordering (§8.2.3.11.2).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct DcaTxctrl {
    #[bits(5)]
    __: u8,
    /// DCA for descriptors.
    pub desc_dca: bool,
    #[bits(3)]
    __: u8,
    /// Relaxed ordering for descriptor reads.
    pub desc_read_ro: bool,
    __: bool,
    /// Relaxed ordering for descriptor write-back. Clear it with head write-back.
    pub desc_write_ro: bool,
    __: bool,
    /// Relaxed ordering for data reads.
    pub data_read_ro: bool,
    #[bits(10)]
    __: u16,
    /// CPUID: tag of the core whose cache is meant.
    pub cpuid: u8,
}
