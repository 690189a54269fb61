//! Device, EEPROM, PHY and interrupts.

use bitfield_struct::bitfield;

/// Value of [`CTRL`](crate::e1000::CTRL), device control (§13.4.1).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Ctrl {
    /// FD: full duplex, where `frcdplx` or a fixed link makes software decide.
    pub fd: bool,
    #[bits(2)]
    __: u8,
    /// LRST: link reset, for fiber.
    pub lrst: bool,
    __: bool,
    /// ASDE: auto-speed detection enable.
    pub asde: bool,
    /// SLU: set link up. The MAC uses the PHY's link only with this bit set.
    pub slu: bool,
    /// ILOS: invert loss of signal.
    pub ilos: bool,
    /// SPEED, where `frcspd` is set: 0 is 10, 1 is 100, 2 is 1000 Mb/s.
    #[bits(2)]
    pub speed: u8,
    __: bool,
    /// FRCSPD: force speed.
    pub frcspd: bool,
    /// FRCDPLX: force duplex.
    pub frcdplx: bool,
    #[bits(5)]
    __: u8,
    /// SDP0_DATA: value of software-definable pin 0.
    pub sdp0_data: bool,
    /// SDP1_DATA: value of software-definable pin 1.
    pub sdp1_data: bool,
    /// ADVD3WUC: advertise wake-up from D3cold.
    pub advd3wuc: bool,
    /// EN_PHY_PWR_MGMT: let the PHY manage its power.
    pub en_phy_pwr_mgmt: bool,
    /// SDP0_IODIR: pin 0 is an output.
    pub sdp0_iodir: bool,
    /// SDP1_IODIR: pin 1 is an output.
    pub sdp1_iodir: bool,
    #[bits(2)]
    __: u8,
    /// RST: reset of everything but the PHY and the PCI configuration. Clears itself; wait 1 µs before any
    /// access.
    pub rst: bool,
    /// RFCE: obey received pause frames.
    pub rfce: bool,
    /// TFCE: send pause frames.
    pub tfce: bool,
    __: bool,
    /// VME: strip and insert VLAN tags.
    pub vme: bool,
    /// PHY_RST: hold the PHY in reset.
    pub phy_rst: bool,
}

/// Value of [`STATUS`](crate::e1000::STATUS), device status (§13.4.2).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Status {
    /// FD: the link is full duplex.
    pub fd: bool,
    /// LU: link up. Meaningful only while [`Ctrl::slu`] is set.
    pub lu: bool,
    /// Function id; 0 on a single-port adapter.
    #[bits(2)]
    pub function_id: u8,
    /// TXOFF: transmission is paused by flow control.
    pub txoff: bool,
    /// TBIMODE: fiber.
    pub tbimode: bool,
    /// SPEED: 0 is 10, 1 is 100, 2 and 3 are 1000 Mb/s.
    #[bits(2)]
    pub speed: u8,
    /// ASDV: auto-speed detection value, coded as `speed`.
    #[bits(2)]
    pub asdv: u8,
    /// MTXCKOK: the PHY's transmit clock runs.
    pub mtxckok: bool,
    /// PCI66: on a 66 MHz bus.
    pub pci66: bool,
    /// BUS64: on a 64-bit bus.
    pub bus64: bool,
    /// PCIX_MODE: on a PCI-X bus.
    pub pcix_mode: bool,
    /// PCIXSPD: PCI-X bus speed.
    #[bits(2)]
    pub pcixspd: u8,
    #[bits(16)]
    __: u16,
}

impl Status {
    /// Link speed in Mb/s.
    pub const fn mbps(self) -> u32 {
        match self.speed() {
            0 => 10,
            1 => 100,
            _ => 1000,
        }
    }
}

/// Value of [`EECD`](crate::e1000::EECD), EEPROM control (§13.4.3).
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
    /// EE_SIZE: 0 is 64 words, 1 is 256 words.
    pub ee_size: bool,
    #[bits(22)]
    __: u32,
}

/// Value of [`EERD`](crate::e1000::EERD), EEPROM read (§13.4.4). The 82599's has other positions.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Eerd {
    /// START: begin a read of the word at `addr`. Reads as 0.
    pub start: bool,
    #[bits(3)]
    __: u8,
    /// DONE: `data` is the word asked for.
    pub done: bool,
    #[bits(3)]
    __: u8,
    /// ADDR: number of the 16-bit word.
    pub addr: u8,
    /// DATA: the word.
    pub data: u16,
}

/// Value of [`CTRL_EXT`](crate::e1000::CTRL_EXT), extended device control (§13.4.6): the bits software has
/// use for.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct CtrlExt {
    #[bits(12)]
    __: u16,
    /// ASDCHK: start auto-speed detection.
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
    /// LINK_MODE: 0 is the internal copper PHY.
    #[bits(2)]
    pub link_mode: u8,
    #[bits(8)]
    __: u8,
}

/// Value of [`MDIC`](crate::e1000::MDIC), PHY register access (§13.4.7).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Mdic {
    /// DATA: to write, or as read.
    pub data: u16,
    /// REGADD: PHY register.
    #[bits(5)]
    pub regadd: u8,
    /// PHYADD: PHY address; the internal PHY is 1.
    #[bits(5)]
    pub phyadd: u8,
    /// OP: 1 writes ([`Mdic::WRITE`]), 2 reads ([`Mdic::READ`]).
    #[bits(2)]
    pub op: u8,
    /// R: ready; the device sets it when the operation is over. Written as 0.
    pub ready: bool,
    /// I: interrupt (MDAC) when over.
    pub interrupt: bool,
    /// E: the read failed.
    pub error: bool,
    __: bool,
}

impl Mdic {
    /// `op`: write a PHY register.
    pub const WRITE: u8 = 1;
    /// `op`: read a PHY register.
    pub const READ: u8 = 2;
}

/// Interrupt causes: values of [`ICR`](crate::e1000::ICR), [`ICS`](crate::e1000::ICS),
/// [`IMS`](crate::e1000::IMS) and [`IMC`](crate::e1000::IMC) (§13.4.17).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Icr {
    /// TXDW: a transmit descriptor with RS was written back.
    pub txdw: bool,
    /// TXQE: the transmit ring is empty.
    pub txqe: bool,
    /// LSC: the link changed.
    pub lsc: bool,
    /// RXSEQ: receive sequence error.
    pub rxseq: bool,
    /// RXDMT0: fewer receive descriptors are left than [`Rctl::rdmts`] says.
    pub rxdmt0: bool,
    __: bool,
    /// RXO: receiver overrun: no descriptor or no room in the packet buffer.
    pub rxo: bool,
    /// RXT0: receive timer: frames have arrived.
    pub rxt0: bool,
    __: bool,
    /// MDAC: an MDIC access is over.
    pub mdac: bool,
    /// RXCFG: /C/ ordered sets received, for fiber.
    pub rxcfg: bool,
    __: bool,
    /// PHYINT: the PHY interrupts.
    pub phyint: bool,
    /// GPI: general purpose inputs 6 and 7.
    #[bits(2)]
    pub gpi: u8,
    /// TXD_LOW: the transmit ring falls to `TXDCTL.lwthresh`.
    pub txd_low: bool,
    /// SRPD: a small packet was received.
    pub srpd: bool,
    #[bits(15)]
    __: u16,
}
