//! The 82540EM's registers (§13.4 to §13.8).
//!
//! Reset values of fields that the EEPROM decides are those of a plain adapter. The statistics have a
//! [listing](super::statistics) of their own.

use super::statistics;
use crate::table::{self, Register};

registers! {
    CTRL        @ 0x0000, rw(0xdcfc_1be9) = 0x0014_0240, "13.4.1", "Device control: reset, link, speed, duplex, flow control";
    STATUS      @ 0x0008, ro = 0x0000_0783, "13.4.2", "Device status: link, speed, duplex";
    EECD        @ 0x0010, rw(0x0000_0077) = 0x0000_0110, "13.4.3", "EEPROM control, bit by bit";
    EERD        @ 0x0014, rw(0x0000_ff01) = 0, "13.4.4", "EEPROM read, a word at a time";
    CTRL_EXT    @ 0x0018, rw(0x00d2_ffff) = 0, "13.4.6", "Extended device control";
    FLA         @ 0x001c, rw(0x0000_007f) = 0, "13.4.5", "Flash access, bit by bit";
    MDIC        @ 0x0020, rw(0x2fff_ffff) = 0, "13.4.7", "PHY register access";
    FCAL        @ 0x0028, rw(0xffff_ffff) = 0, "13.4.8", "Flow control address, low";
    FCAH        @ 0x002c, rw(0x0000_ffff) = 0, "13.4.9", "Flow control address, high";
    FCT         @ 0x0030, rw(0x0000_ffff) = 0, "13.4.10", "Flow control type";
    VET         @ 0x0038, rw(0x0000_ffff) = 0x0000_8100, "13.4.11", "VLAN ether type";
    ICR         @ 0x00c0, rc(0x0001_fedf) = 0, "13.4.17", "Interrupt causes; cleared by reading, or bit by bit by writing ones";
    ITR         @ 0x00c4, rw(0x0000_ffff) = 0, "13.4.18", "Interrupt throttling interval in 256 ns";
    ICS         @ 0x00c8, w1s(0x0001_fedf) = 0, "13.4.19", "Interrupt cause set: ones set causes in ICR";
    IMS         @ 0x00d0, w1s(0x0001_fedf) = 0, "13.4.20", "Interrupt mask: ones enable causes; reads back the mask";
    IMC         @ 0x00d8, w1c(0xffff_ffff) = 0, "13.4.21", "Interrupt mask clear: ones disable causes in IMS";
    RCTL        @ 0x0100, rw(0x06df_b3fe) = 0, "13.4.22", "Receive control";
    FCTTV       @ 0x0170, rw(0x0000_ffff) = 0, "13.4.12", "Flow control transmit timer";
    TXCW        @ 0x0178, rw(0xc000_ffff) = 0, "13.4.13", "Transmit configuration word, for fiber";
    RXCW        @ 0x0180, ro = 0, "13.4.14", "Receive configuration word, for fiber";
    TCTL        @ 0x0400, rw(0x03ff_fffa) = 0, "13.4.33", "Transmit control";
    TIPG        @ 0x0410, rw(0x3fff_ffff) = 0, "13.4.34", "Transmit inter-packet gap";
    AIT         @ 0x0458, rw(0x0000_ffff) = 0, "13.4.35", "Adaptive inter-frame spacing throttle";
    LEDCTL      @ 0x0e00, rw(0xefef_efef) = 0x0000_0602, "13.4.15", "LED control";
    PBA         @ 0x1000, rw(0x0000_ffff) = 0x0010_0030, "13.4.16", "Packet buffer allocation in KiB: receive low, transmit high";
    FCRTL       @ 0x2160, rw(0x8000_fff8) = 0, "13.4.23", "Flow control receive threshold, low";
    FCRTH       @ 0x2168, rw(0x8000_fff8) = 0, "13.4.24", "Flow control receive threshold, high";
    RDFH        @ 0x2410, rw(0x0000_1fff) = 0, "13.8.1", "Receive data FIFO head";
    RDFT        @ 0x2418, rw(0x0000_1fff) = 0, "13.8.2", "Receive data FIFO tail";
    RDFHS       @ 0x2420, rw(0x0000_1fff) = 0, "13.8.3", "Receive data FIFO head, saved";
    RDFTS       @ 0x2428, rw(0x0000_1fff) = 0, "13.8.4", "Receive data FIFO tail, saved";
    RDFPC       @ 0x2430, rw(0x0000_1fff) = 0, "13.8.5", "Receive data FIFO packet count";
    RDBAL       @ 0x2800, rw(0xffff_fff0) = 0, "13.4.25", "Receive ring base, low";
    RDBAH       @ 0x2804, rw(0xffff_ffff) = 0, "13.4.26", "Receive ring base, high";
    RDLEN       @ 0x2808, rw(0x000f_ff80) = 0, "13.4.27", "Receive ring length in bytes";
    RDH         @ 0x2810, rw(0x0000_ffff) = 0, "13.4.28", "Receive ring head; software writes it only while disabled";
    RDT         @ 0x2818, rw(0x0000_ffff) = 0, "13.4.29", "Receive ring tail";
    RDTR        @ 0x2820, rw(0x8000_ffff) = 0, "13.4.30", "Receive interrupt delay in 1.024 us; bit 31 flushes";
    RXDCTL      @ 0x2828, rw(0x013f_3f3f) = 0x0101_0000, "13.4.46", "Receive descriptor control";
    RADV        @ 0x282c, rw(0x0000_ffff) = 0, "13.4.31", "Receive interrupt absolute delay in 1.024 us";
    RSRPD       @ 0x2c00, rw(0x0000_0fff) = 0, "13.4.32", "Receive small packet detect length";
    TXDMAC      @ 0x3000, rw(0x0000_0001) = 0, "13.4.42", "Transmit DMA control";
    TDFH        @ 0x3410, rw(0x0000_07ff) = 0, "13.8.6", "Transmit data FIFO head";
    TDFT        @ 0x3418, rw(0x0000_07ff) = 0, "13.8.7", "Transmit data FIFO tail";
    TDFHS       @ 0x3420, rw(0x0000_1fff) = 0, "13.8.8", "Transmit data FIFO head, saved";
    TDFTS       @ 0x3428, rw(0x0000_1fff) = 0, "13.8.9", "Transmit data FIFO tail, saved";
    TDFPC       @ 0x3430, rw(0x0000_1fff) = 0, "13.8.10", "Transmit data FIFO packet count";
    TDBAL       @ 0x3800, rw(0xffff_fff0) = 0, "13.4.36", "Transmit ring base, low";
    TDBAH       @ 0x3804, rw(0xffff_ffff) = 0, "13.4.37", "Transmit ring base, high";
    TDLEN       @ 0x3808, rw(0x000f_ff80) = 0, "13.4.38", "Transmit ring length in bytes";
    TDH         @ 0x3810, rw(0x0000_ffff) = 0, "13.4.39", "Transmit ring head; software writes it only while disabled";
    TDT         @ 0x3818, rw(0x0000_ffff) = 0, "13.4.40", "Transmit ring tail";
    TIDV        @ 0x3820, rw(0x8000_ffff) = 0, "13.4.41", "Transmit interrupt delay in 1.024 us; bit 31 flushes";
    TXDCTL      @ 0x3828, rw(0xff3f_3f3f) = 0, "13.4.43", "Transmit descriptor control";
    TADV        @ 0x382c, rw(0x0000_ffff) = 0, "13.4.44", "Transmit interrupt absolute delay in 1.024 us";
    TSPMT       @ 0x3830, rw(0xffff_ffff) = 0x0100_0400, "13.4.45", "TCP segmentation pad and minimum threshold";

    RXCSUM      @ 0x5000, rw(0x0000_07ff) = 0, "13.4.47", "Receive checksum control";
    MTA[128]    @ 0x5200 + 4, rw(0xffff_ffff) = 0, "13.5.1", "Multicast table: 4096 bits by a hash of the address";
    RAL[16]     @ 0x5400 + 8, rw(0xffff_ffff) = 0, "13.5.2", "Receive address, low; element 0 is loaded from the EEPROM";
    RAH[16]     @ 0x5404 + 8, rw(0x8003_ffff) = 0, "13.5.3", "Receive address, high, and address valid";
    VFTA[128]   @ 0x5600 + 4, rw(0xffff_ffff) = 0, "13.5.4", "VLAN filter table: 4096 bits by VLAN id";
    WUC         @ 0x5800, rw(0x0000_000f) = 0, "13.6", "Wake-up control";
    WUFC        @ 0x5808, rw(0x000f_80ff) = 0, "13.6", "Wake-up filter control";
    WUS         @ 0x5810, w1c(0xffff_ffff) = 0, "13.6", "Wake-up status";
    MANC        @ 0x5820, rw(0xffff_ffff) = 0x0022_2300, "13.4", "Management control";
    IPAV        @ 0x5838, rw(0x0001_000f) = 0, "13.6", "IP addresses valid for wake-up";
    IP4AT[4]    @ 0x5840 + 8, rw(0xffff_ffff) = 0, "13.6", "IPv4 addresses for wake-up";
    IP6AT[4]    @ 0x5880 + 4, rw(0xffff_ffff) = 0, "13.6", "IPv6 address for wake-up";
    WUPL        @ 0x5900, ro = 0, "13.6", "Wake-up packet length";
    WUPM[32]    @ 0x5a00 + 4, ro = 0, "13.6", "Wake-up packet memory";
    FFLT[4]     @ 0x5f00 + 8, rw(0x0000_07ff) = 0, "13.6", "Flexible filter lengths";
}

static TABLE: [Register; ROWS.len() + statistics::ROWS.len()] = table::sorted(&[ROWS, statistics::ROWS]);
static WORDS: [u16; 0x1800] = table::index_of_words(&TABLE);

/// Every register of the 82540EM that this crate knows, sorted by offset.
pub static REGISTERS: &[Register] = &TABLE;

/// The row and the element at `offset` in BAR 0, in constant time.
#[inline]
pub fn lookup(offset: u32) -> Option<(&'static Register, u32)> {
    table::find(&TABLE, &WORDS, offset)
}
