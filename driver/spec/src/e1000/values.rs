//! Bits of the 82540EM's register values.

use bitfield_struct::bitfield;

/// Value of [`CTRL`](super::CTRL), device control (§13.4.1).
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
    /// RST: reset of everything but the PHY and the PCI configuration. Clears itself; wait 1 µs before any access.
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

/// Value of [`STATUS`](super::STATUS), device status (§13.4.2).
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

/// Value of [`EECD`](super::EECD), EEPROM control (§13.4.3).
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

/// Value of [`EERD`](super::EERD), EEPROM read (§13.4.4). The 82599's has other positions.
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

/// Value of [`CTRL_EXT`](super::CTRL_EXT), extended device control (§13.4.6): the bits software has use for.
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

/// Value of [`MDIC`](super::MDIC), PHY register access (§13.4.7).
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

/// Interrupt causes: values of [`ICR`](super::ICR), [`ICS`](super::ICS), [`IMS`](super::IMS) and
/// [`IMC`](super::IMC) (§13.4.17).
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

/// Value of [`RCTL`](super::RCTL), receive control (§13.4.22).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rctl {
    __: bool,
    /// EN: receive. Set it when ring and filters are ready.
    pub en: bool,
    /// SBP: store bad packets.
    pub sbp: bool,
    /// UPE: unicast promiscuous.
    pub upe: bool,
    /// MPE: multicast promiscuous.
    pub mpe: bool,
    /// LPE: long packets, over 1522 bytes with FCS; a frame longer than its buffers spans descriptors.
    pub lpe: bool,
    /// LBM: loopback mode; 0 is none.
    #[bits(2)]
    pub lbm: u8,
    /// RDMTS: RXDMT0 when this part of the ring is free: 0 half, 1 a quarter, 2 an eighth.
    #[bits(2)]
    pub rdmts: u8,
    #[bits(2)]
    __: u8,
    /// MO: which 12 bits of the address index MTA: 0 is 47:36, 1 is 46:35, 2 is 45:34, 3 is 43:32.
    #[bits(2)]
    pub mo: u8,
    __: bool,
    /// BAM: accept broadcasts.
    pub bam: bool,
    /// BSIZE: receive buffer size: 2048, 1024, 512, 256 bytes; with `bsex` reserved, 16384, 8192, 4096.
    #[bits(2)]
    pub bsize: u8,
    /// VFE: VLAN filter on.
    pub vfe: bool,
    /// CFIEN: compare the CFI bit.
    pub cfien: bool,
    /// CFI: the value to compare with.
    pub cfi: bool,
    __: bool,
    /// DPF: discard pause frames.
    pub dpf: bool,
    /// PMCF: pass MAC control frames.
    pub pmcf: bool,
    __: bool,
    /// BSEX: buffer size extension: sizes of `bsize` times 16.
    pub bsex: bool,
    /// SECRC: strip the FCS.
    pub secrc: bool,
    #[bits(5)]
    __: u8,
}

impl Rctl {
    /// Receive buffer size in bytes, or `None` for the reserved code.
    pub const fn buffer_len(self) -> Option<u32> {
        match (self.bsex(), self.bsize()) {
            (true, 0) => None,
            (extended, code) => Some((2048 >> code) * if extended { 16 } else { 1 }),
        }
    }

    /// With the code of a buffer of `len` bytes, or `None` if there is no such size.
    pub const fn with_buffer_len(self, len: u32) -> Option<Self> {
        let (extended, code) = match len {
            256 => (false, 3),
            512 => (false, 2),
            1024 => (false, 1),
            2048 => (false, 0),
            4096 => (true, 3),
            8192 => (true, 2),
            16384 => (true, 1),
            _ => return None,
        };
        Some(self.with_bsex(extended).with_bsize(code))
    }
}

/// Value of [`TCTL`](super::TCTL), transmit control (§13.4.33).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Tctl {
    __: bool,
    /// EN: transmit.
    pub en: bool,
    __: bool,
    /// PSP: pad short packets to 64 bytes.
    pub psp: bool,
    /// CT: collision threshold; 0x0f is recommended.
    pub ct: u8,
    /// COLD: collision distance; 0x40 for full duplex, 0x200 for half duplex.
    #[bits(10)]
    pub cold: u16,
    /// SWXOFF: send an XOFF frame; clears itself.
    pub swxoff: bool,
    __: bool,
    /// RTLC: retransmit on late collision.
    pub rtlc: bool,
    /// NRTU: no retransmit on underrun (82544 only).
    pub nrtu: bool,
    #[bits(6)]
    __: u8,
}

/// Value of [`TIPG`](super::TIPG), inter-packet gap (§13.4.34). Recommended for copper: 10, 8, 6.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Tipg {
    /// IPGT: gap between back-to-back frames.
    #[bits(10)]
    pub ipgt: u16,
    /// IPGR1: first part of the gap, half duplex.
    #[bits(10)]
    pub ipgr1: u16,
    /// IPGR2: whole gap, half duplex.
    #[bits(10)]
    pub ipgr2: u16,
    #[bits(2)]
    __: u8,
}

/// Value of [`RXDCTL`](super::RXDCTL), receive descriptor control.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rxdctl {
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
    /// WTHRESH: write back when this many are done.
    #[bits(6)]
    pub wthresh: u8,
    #[bits(2)]
    __: u8,
    /// GRAN: thresholds count descriptors (1) or cache lines (0).
    pub gran: bool,
    #[bits(7)]
    __: u8,
}

/// Value of [`TXDCTL`](super::TXDCTL), transmit descriptor control.
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
    #[bits(2)]
    __: u8,
    /// GRAN: thresholds count descriptors (1) or cache lines (0).
    pub gran: bool,
    /// LWTHRESH: TXD_LOW interrupt at this many times 8 descriptors left.
    #[bits(7)]
    pub lwthresh: u8,
}

/// Value of [`RXCSUM`](super::RXCSUM), receive checksum control.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rxcsum {
    /// PCSS: where the packet checksum starts.
    pub pcss: u8,
    /// IPOFL: check IPv4 header checksums.
    pub ipofl: bool,
    /// TUOFL: check TCP and UDP checksums.
    pub tuofl: bool,
    /// IPV6OFL: check over IPv6, too. The 82540EM itself checks only over IPv4.
    pub ipv6ofl: bool,
    #[bits(21)]
    __: u32,
}

/// Value of [`RAH`](super::RAH), the high part of a receive address (§13.5.3).
///
/// The six bytes of the address are RAL's four, low byte first, then these two. Write RAL before RAH.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Rah {
    /// RAH: bytes 4 and 5 of the address, byte 4 low.
    pub address: u16,
    /// AS: 0 compares with destinations, 1 with sources.
    #[bits(2)]
    pub select: u8,
    #[bits(13)]
    __: u16,
    /// AV: the address takes part in filtering.
    pub av: bool,
}
