//! MAC, link and flow control.

use bitfield_struct::bitfield;

/// Value of [`HLREG0`](crate::ixgbe::HLREG0), MAC control (§8.2.3.22.8). Read, modify, write: reserved bits
/// 3, 11 and 13 are 1.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Hlreg0 {
    /// TXCRCEN: append the FCS to every frame.
    pub txcrcen: bool,
    /// RXCRCSTRP: strip the FCS. Must equal RDRXCTL.CRCSTRIP.
    pub rxcrcstrp: bool,
    /// JUMBOEN: accept frames up to MAXFRS; else up to 1518 bytes, or 1522 with a VLAN tag.
    pub jumboen: bool,
    #[bits(default = true)]
    reserved_3: bool,
    #[bits(6)]
    __: u8,
    /// TXPADEN: pad short frames to 64 bytes.
    pub txpaden: bool,
    #[bits(default = true)]
    reserved_11: bool,
    __: bool,
    #[bits(default = true)]
    reserved_13: bool,
    __: bool,
    /// LPBK: loopback of transmit to receive in the MAC.
    pub lpbk: bool,
    /// MDCSPD: MDC clock is 24 MHz instead of 2.4 MHz.
    pub mdcspd: bool,
    /// CONTMDC: MDC runs continuously.
    pub contmdc: bool,
    #[bits(2)]
    __: u8,
    /// PREPEND: number of 32-bit words before the preamble.
    #[bits(4)]
    pub prepend: u8,
    #[bits(3)]
    __: u8,
    /// RXLNGTHERREN: report length errors.
    pub rxlngtherren: bool,
    /// RXPADSTRIPEN: strip padding.
    pub rxpadstripen: bool,
    #[bits(3)]
    __: u8,
}

/// Value of [`MAXFRS`](crate::ixgbe::MAXFRS), the longest frame (§8.2.3.22.13).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Maxfrs {
    __: u16,
    /// MFS: bytes with the FCS; a VLAN tag comes on top. Used while HLREG0.JUMBOEN is set.
    pub mfs: u16,
}

/// Value of [`LINKS`](crate::ixgbe::LINKS), link status (§8.2.3.22.20): the fields software has use for.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Links {
    #[bits(7)]
    __: u8,
    /// LINK_STATUS: the link is up and was so since the last read.
    pub link_status: bool,
    #[bits(20)]
    __: u32,
    /// LINK_SPEED: 1 is 100 Mb/s, 2 is 1 Gb/s, 3 is 10 Gb/s.
    #[bits(2)]
    pub link_speed: u8,
    /// Link Up: the link is up.
    pub link_up: bool,
    /// KX/KX4/KR auto-negotiation is complete.
    pub autoneg_complete: bool,
}

impl Links {
    /// `link_speed`: 100 Mb/s.
    pub const SPEED_100M: u8 = 1;
    /// `link_speed`: 1 Gb/s.
    pub const SPEED_1G: u8 = 2;
    /// `link_speed`: 10 Gb/s.
    pub const SPEED_10G: u8 = 3;

    /// Link speed in Mb/s, or 0 for the reserved code.
    pub const fn mbps(self) -> u32 {
        match self.link_speed() {
            Self::SPEED_100M => 100,
            Self::SPEED_1G => 1_000,
            Self::SPEED_10G => 10_000,
            _ => 0,
        }
    }
}

/// Value of [`AUTOC`](crate::ixgbe::AUTOC), link mode and auto-negotiation (§8.2.3.22.19). Most of it comes
/// from the EEPROM: read, modify, write.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Autoc {
    /// FLU: force the link up.
    pub flu: bool,
    /// ANACK2: acknowledge 2 of the pages sent.
    pub anack2: bool,
    /// ANSF: selector field of the pages sent.
    #[bits(5)]
    pub ansf: u8,
    /// 10G_PMA_PMD_PARALLEL: 0 XAUI, 1 KX4, 2 CX4.
    #[bits(2)]
    pub pma_10g_parallel: u8,
    /// 1G_PMA_PMD: 0 SFI, 1 KX/BX.
    pub pma_1g: bool,
    /// D10GMP: no 10G without main power.
    pub d10gmp: bool,
    /// RATD: restart negotiation when going to Dx.
    pub ratd: bool,
    /// Restart_AN: apply this register; clears itself.
    pub restart_an: bool,
    /// LMS: link mode: 0 1G without negotiation, 1 10G parallel, 2 1G with negotiation, 3 10G serial (SFI), 4
    /// KX/KX4/KR.
    #[bits(3)]
    pub lms: u8,
    /// KR support.
    pub kr_support: bool,
    /// FECR: FEC requested.
    pub fecr: bool,
    /// FECA: FEC able.
    pub feca: bool,
    #[bits(11)]
    __: u16,
    /// KX support.
    pub kx_support: bool,
    /// KX4 support.
    pub kx4_support: bool,
}

impl Autoc {
    /// `lms`: 10 Gb/s serial, as SFP+ adapters use.
    pub const LMS_10G_SERIAL: u8 = 3;
}

/// Value of [`AUTOC2`](crate::ixgbe::AUTOC2), auto-negotiation control 2 (§8.2.3.22.22).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Autoc2 {
    __: u16,
    /// 10G_PMA_PMD_Serial: 0 KR, 2 SFI.
    #[bits(2)]
    pub pma_10g_serial: u8,
    #[bits(14)]
    __: u16,
}

/// Value of [`MSCA`](crate::ixgbe::MSCA), MDIO command (§8.2.3.22.11).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Msca {
    /// MDIADD: register address.
    pub mdiadd: u16,
    /// DEVADD: device type.
    #[bits(5)]
    pub devadd: u8,
    /// PHYADD: PHY address.
    #[bits(5)]
    pub phyadd: u8,
    /// OPCODE: 0 address, 1 write, 2 read and increment, 3 read.
    #[bits(2)]
    pub opcode: u8,
    /// STCODE: 0 clause 45, 1 clause 22.
    #[bits(2)]
    pub stcode: u8,
    /// MDICMD: begin; clears itself when done.
    pub mdicmd: bool,
    __: bool,
}

/// Value of [`MFLCN`](crate::ixgbe::MFLCN), MAC flow control (§8.2.3.22.34).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Mflcn {
    /// PMCF: pass MAC control frames.
    pub pmcf: bool,
    /// DPF: discard pause frames.
    pub dpf: bool,
    /// RPFCE: obey priority pause frames.
    pub rpfce: bool,
    /// RFCE: obey link pause frames.
    pub rfce: bool,
    #[bits(28)]
    __: u32,
}

/// Value of [`FCCFG`](crate::ixgbe::FCCFG), flow control configuration (§8.2.3.3.7).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Fccfg {
    #[bits(3)]
    __: u8,
    /// TFCE: 0 sends no pause frames, 1 link, 2 priority pause frames.
    #[bits(2)]
    pub tfce: u8,
    #[bits(27)]
    __: u32,
}

/// Value of [`FCRTL`](crate::ixgbe::FCRTL), low threshold (§8.2.3.3.3).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Fcrtl {
    #[bits(5)]
    __: u8,
    /// RTL: in units of 32 bytes.
    #[bits(14)]
    pub rtl: u16,
    #[bits(12)]
    __: u16,
    /// XONE: send XON below the threshold.
    pub xone: bool,
}

/// Value of [`FCRTH`](crate::ixgbe::FCRTH), high threshold (§8.2.3.3.4).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Fcrth {
    #[bits(5)]
    __: u8,
    /// RTH: in units of 32 bytes. Without flow control it bounds what the internal switch stores.
    #[bits(14)]
    pub rth: u16,
    #[bits(12)]
    __: u16,
    /// FCEN: flow control for this packet buffer.
    pub fcen: bool,
}
