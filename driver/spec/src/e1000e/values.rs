//! Bits of the 82574L's register values, where they are not those of the [`e1000`](crate::e1000) line.

use bitfield_struct::bitfield;

/// Value of [`CTRL`](crate::e1000e::CTRL), device control (§10.2.2.1).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Ctrl {
    /// FD: full duplex, where `frcdplx` makes software decide.
    pub fd: bool,
    __: bool,
    /// GIO_MASTER_DISABLE: start no more DMA; [`Status::gio_master_enable`] says when the last has ended.
    pub gio_master_disable: bool,
    #[bits(2)]
    __: u8,
    /// ASDE: auto-speed detection enable.
    pub asde: bool,
    /// SLU: set link up. The MAC uses the PHY's link only with this bit set.
    pub slu: bool,
    __: bool,
    /// SPEED, where `frcspd` is set: 0 is 10, 1 is 100, 2 is 1000 Mb/s.
    #[bits(2)]
    pub speed: u8,
    __: bool,
    /// FRCSPD: force speed.
    pub frcspd: bool,
    /// FRCDPLX: force duplex.
    pub frcdplx: bool,
    #[bits(7)]
    __: u8,
    /// ADVD3WUC: advertise wake-up from D3cold.
    pub advd3wuc: bool,
    #[bits(5)]
    __: u8,
    /// RST: reset of everything but the PHY and the PCIe configuration. Clears itself.
    pub rst: bool,
    /// RFCE: obey received pause frames.
    pub rfce: bool,
    /// TFCE: send pause frames.
    pub tfce: bool,
    /// Bit 29: reserved, to be written as 0.
    pub reserved_29: bool,
    /// VME: strip and insert VLAN tags.
    pub vme: bool,
    /// PHY_RST: hold the PHY in reset.
    pub phy_rst: bool,
}

/// Value of [`STATUS`](crate::e1000e::STATUS), device status (§10.2.2.2).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Status {
    /// FD: the link is full duplex.
    pub fd: bool,
    /// LU: link up. Meaningful only while [`Ctrl::slu`] is set.
    pub lu: bool,
    #[bits(2)]
    __: u8,
    /// TXOFF: transmission is paused by flow control.
    pub txoff: bool,
    __: bool,
    /// SPEED: 0 is 10, 1 is 100, 2 and 3 are 1000 Mb/s.
    #[bits(2)]
    pub speed: u8,
    /// ASDV: auto-speed detection value, coded as `speed`.
    #[bits(2)]
    pub asdv: u8,
    /// PHYRA: the PHY was reset.
    pub phyra: bool,
    #[bits(8)]
    __: u8,
    /// GIO_MASTER_ENABLE: DMA may be under way.
    pub gio_master_enable: bool,
    #[bits(12)]
    __: u16,
}

/// Value of [`EECD`](crate::e1000e::EECD), EEPROM control (§10.2.2.3).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Eecd {
    /// SK: clock to the EEPROM.
    pub sk: bool,
    /// CS: chip select.
    pub cs: bool,
    /// DI: data to the EEPROM.
    pub di: bool,
    /// DO: data from the EEPROM.
    pub data_out: bool,
    /// FWE: flash write enable; 1 is disabled, 2 is enabled.
    #[bits(2)]
    pub fwe: u8,
    /// EE_REQ: software asks for the EEPROM.
    pub ee_req: bool,
    /// EE_GNT: the EEPROM is software's.
    pub ee_gnt: bool,
    /// EE_PRES: an EEPROM is there.
    pub ee_pres: bool,
    /// AUTO_RD: what the device reads from its EEPROM after a reset was read.
    pub auto_rd: bool,
    #[bits(22)]
    __: u32,
}

/// Value of [`EERD`](crate::e1000e::EERD), EEPROM read (§10.2.2.4).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Eerd {
    /// START: begin a read of the word at `addr`. Reads as 0.
    pub start: bool,
    /// DONE: `data` is the word asked for.
    pub done: bool,
    /// ADDR: number of the 16-bit word.
    #[bits(14)]
    pub addr: u16,
    /// DATA: the word.
    pub data: u16,
}

/// Value of [`CTRL_EXT`](crate::e1000e::CTRL_EXT), extended device control (§10.2.2.5).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct CtrlExt {
    #[bits(12)]
    __: u16,
    /// ASDCHK: start auto-speed detection; clears itself.
    pub asdchk: bool,
    /// EE_RST: reload the EEPROM; clears itself.
    pub ee_rst: bool,
    __: bool,
    /// SPD_BYPS: bypass the speed select circuit.
    pub spd_byps: bool,
    __: bool,
    /// RO_DIS: relaxed ordering off.
    pub ro_dis: bool,
    #[bits(4)]
    __: u8,
    /// TX_LS_FLOW: drivers set it.
    pub tx_ls_flow: bool,
    /// TX_LS: drivers clear it.
    pub tx_ls: bool,
    /// EIAME: an MSI-X message masks its causes by IAM.
    pub eiame: bool,
    #[bits(2)]
    __: u8,
    /// IAME: an acknowledged interrupt masks the causes of IAM.
    pub iame: bool,
    /// DRV_LOAD: a driver has the device; tells the firmware of it.
    pub drv_load: bool,
    /// INT_TIMERS_CLEAR_ENA: writing IMS ends the interrupt timers.
    pub int_timers_clear_ena: bool,
    __: bool,
    /// PBA_CLR: writing IMS clears MSI-X pending bits.
    pub pba_clr: bool,
}

/// Value of [`EXTCNF_CTRL`](crate::e1000e::EXTCNF_CTRL), extended configuration control.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct ExtcnfCtrl {
    #[bits(5)]
    __: u8,
    /// MDIO_SW_OWNERSHIP: the PHY's registers are software's; reads as written only where firmware agrees.
    pub mdio_sw_ownership: bool,
    #[bits(26)]
    __: u32,
}

/// Interrupt causes: values of [`ICR`](crate::e1000e::ICR), [`ICS`](crate::e1000e::ICS),
/// [`IMS`](crate::e1000e::IMS) and [`IMC`](crate::e1000e::IMC) (§10.2.4.1).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Icr {
    /// TXDW: a transmit descriptor with RS was written back. Not with MSI-X: see `txq0`.
    pub txdw: bool,
    /// TXQE: a transmit ring is empty.
    pub txqe: bool,
    /// LSC: the link changed.
    pub lsc: bool,
    __: bool,
    /// RXDMT0: fewer receive descriptors are left than RCTL.RDMTS says.
    pub rxdmt0: bool,
    __: bool,
    /// RXO: receiver overrun: no descriptor or no room in the packet buffer.
    pub rxo: bool,
    /// RXT0: receive timer: frames have arrived. Not with MSI-X: see `rxq0`.
    pub rxt0: bool,
    __: bool,
    /// MDAC: an MDIC access is over.
    pub mdac: bool,
    #[bits(5)]
    __: u8,
    /// TXD_LOW: a transmit ring falls to TXDCTL.LWTHRESH.
    pub txd_low: bool,
    /// SRPD: a small packet was received.
    pub srpd: bool,
    /// ACK: a TCP acknowledgment was received.
    pub ack: bool,
    /// MNG: manageability event.
    pub mng: bool,
    __: bool,
    /// RXQ0: receive queue 0 wrote descriptors back, with MSI-X.
    pub rxq0: bool,
    /// RXQ1: receive queue 1, likewise.
    pub rxq1: bool,
    /// TXQ0: transmit queue 0, likewise.
    pub txq0: bool,
    /// TXQ1: transmit queue 1, likewise.
    pub txq1: bool,
    /// OTHER: link, overrun and the rest, with MSI-X. Clearing it clears those.
    pub other: bool,
    #[bits(6)]
    __: u8,
    /// INT_ASSERTED: the device interrupts.
    pub int_asserted: bool,
}

/// Value of [`IVAR`](crate::e1000e::IVAR): which MSI-X vector each cause uses (§10.2.4.9).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Ivar {
    /// Vector of receive queue 0.
    #[bits(3)]
    pub rxq0: u8,
    /// Whether that is valid.
    pub rxq0_valid: bool,
    /// Vector of receive queue 1.
    #[bits(3)]
    pub rxq1: u8,
    /// Whether that is valid.
    pub rxq1_valid: bool,
    /// Vector of transmit queue 0.
    #[bits(3)]
    pub txq0: u8,
    /// Whether that is valid.
    pub txq0_valid: bool,
    /// Vector of transmit queue 1.
    #[bits(3)]
    pub txq1: u8,
    /// Whether that is valid.
    pub txq1_valid: bool,
    /// Vector of all other causes.
    #[bits(3)]
    pub other: u8,
    /// Whether that is valid.
    pub other_valid: bool,
    #[bits(11)]
    __: u16,
    /// Every descriptor that is written back interrupts, whether RS is set or not.
    pub every_write_back: bool,
}

/// Value of [`RFCTL`](crate::e1000e::RFCTL), receive filter control.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rfctl {
    #[bits(10)]
    __: u16,
    /// IPV6_DIS: do not parse IPv6.
    pub ipv6_dis: bool,
    /// IPV6_XSUM_DIS: do not check over IPv6.
    pub ipv6_xsum_dis: bool,
    /// ACK_DIS: no cause ([`Icr::ack`]) for each TCP acknowledgment.
    pub ack_dis: bool,
    #[bits(2)]
    __: u8,
    /// EXSTEN: receive descriptors have the extended format, not the legacy one.
    pub exsten: bool,
    #[bits(16)]
    __: u16,
}

/// Value of [`TXDCTL`](crate::e1000e::TXDCTL), transmit descriptor control (§10.2.6.11).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Txdctl {
    /// PTHRESH: prefetch when fewer descriptors than this are on chip.
    #[bits(6)]
    pub pthresh: u8,
    #[bits(2)]
    __: u8,
    /// HTHRESH: and at least this many are ready in host memory.
    #[bits(6)]
    pub hthresh: u8,
    #[bits(2)]
    __: u8,
    /// WTHRESH: write back when this many are done. 0 writes back each descriptor with RS at once.
    #[bits(6)]
    pub wthresh: u8,
    /// Bit 22 (COUNT_DESC): reserved, must be 1.
    pub count_desc: bool,
    __: bool,
    /// GRAN: thresholds count descriptors (1) or cache lines (0).
    pub gran: bool,
    /// LWTHRESH: TXD_LOW interrupt at this many times 8 descriptors left.
    #[bits(7)]
    pub lwthresh: u8,
}

/// Value of [`TARC`](crate::e1000e::TARC), transmit arbitration.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Tarc {
    /// COUNT: packets in a row from this queue.
    #[bits(7)]
    pub count: u8,
    #[bits(3)]
    __: u8,
    /// ENABLE: the queue sends.
    pub enable: bool,
    #[bits(15)]
    __: u16,
    /// Bit 26: drivers set it, on queue 0.
    pub bit_26: bool,
    /// Bits 27 to 30: drivers clear them, on queue 0.
    #[bits(4)]
    pub bits_27_to_30: u8,
    __: bool,
}

/// Value of [`GCR`](crate::e1000e::GCR), PCIe control: what drivers set.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Gcr {
    #[bits(22)]
    __: u32,
    /// Bit 22: drivers set it.
    pub bit_22: bool,
    #[bits(4)]
    __: u8,
    /// L1_ACT_WITHOUT_L0S_RX: enter L1 without L0s on the receive side.
    pub l1_act_without_l0s_rx: bool,
    #[bits(4)]
    __: u8,
}
