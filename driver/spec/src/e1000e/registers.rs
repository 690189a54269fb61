//! The 82574L's registers (§10.2).
//!
//! Reset values of fields that the EEPROM decides are those of a plain adapter.

use crate::e1000::statistics as line;
use crate::table::{self, Register};

registers! {
    CTRL        @ 0x0000, rw(0xdcdc_1b65) = 0x0014_0241, "10.2.2.1", "Device control: reset, link, speed, duplex, flow control, DMA";
    STATUS      @ 0x0008, ro = 0x0008_0383, "10.2.2.2", "Device status: link, speed, duplex, DMA";
    EECD        @ 0x0010, rw(0x0000_0077) = 0x0000_0310, "10.2.2.3", "EEPROM control, bit by bit; the datasheet's EEC";
    EERD        @ 0x0014, rw(0x0000_fffd) = 0x0000_0002, "10.2.2.4", "EEPROM read, a word at a time";
    CTRL_EXT    @ 0x0018, rw(0xb9da_b000) = 0, "10.2.2.5", "Extended device control";
    FLA         @ 0x001c, rw(0x0000_007f) = 0, "10.2.2.6", "Flash access, bit by bit";
    MDIC        @ 0x0020, rw(0x2fff_ffff) = 0, "10.2.2.7", "PHY register access";
    FCAL        @ 0x0028, rw(0xffff_ffff) = 0, "10.2.2", "Flow control address, low";
    FCAH        @ 0x002c, rw(0x0000_ffff) = 0, "10.2.2", "Flow control address, high";
    FCT         @ 0x0030, rw(0x0000_ffff) = 0, "10.2.2", "Flow control type";
    VET         @ 0x0038, rw(0x0000_ffff) = 0x0000_8100, "10.2.2", "VLAN ether type";
    FCTTV       @ 0x0170, rw(0x0000_ffff) = 0, "10.2.2", "Flow control transmit timer";
    FCRTV       @ 0x5f40, rw(0x0000_ffff) = 0, "10.2.2", "Flow control refresh threshold";
    LEDCTL      @ 0x0e00, rw(0xefef_efef) = 0x0006_8302, "10.2.2", "LED control";
    EXTCNF_CTRL @ 0x0f00, rw(0x0000_0020) = 0x0000_0008, "10.2.2", "Extended configuration control: who owns the PHY's registers";
    PBA         @ 0x1000, rw(0x0000_ffff) = 0x0014_0014, "10.2.2", "Packet buffer allocation in KiB: receive low, transmit high";
    EEWR        @ 0x102c, rw(0xffff_fffd) = 0x0000_0002, "10.2.2", "EEPROM write, a word at a time";

    GCR         @ 0x5b00, rw(0xf97f_ffff) = 0x0680_0200, "10.2.3", "PCIe control";
    GCR2        @ 0x5b64, rw(0x0000_0001) = 0, "10.2.3", "PCIe control, second part";
    PBACLR      @ 0x5b68, rw(0x0000_001f) = 0, "10.2.3", "MSI-X pending bits: ones clear them";

    ICR         @ 0x00c0, rc(0x01f7_82d7) = 0, "10.2.4.1", "Interrupt causes; cleared bit by bit by writing ones, and by reading where MSI-X is off";
    ITR         @ 0x00c4, rw(0x0000_ffff) = 0, "10.2.4.2", "Interrupt throttling interval in 256 ns";
    ICS         @ 0x00c8, w1s(0x01f7_82d7) = 0, "10.2.4", "Interrupt cause set: ones set causes in ICR";
    IMS         @ 0x00d0, w1s(0x01f7_82d7) = 0, "10.2.4", "Interrupt mask: ones enable causes; reads back the mask";
    IMC         @ 0x00d8, w1c(0xffff_ffff) = 0, "10.2.4", "Interrupt mask clear: ones disable causes in IMS";
    EIAC        @ 0x00dc, rw(0x01f0_0000) = 0, "10.2.4", "Causes that clear themselves when their MSI-X message is sent";
    IAM         @ 0x00e0, rw(0x01f7_82d7) = 0, "10.2.4", "Causes that an acknowledged interrupt masks";
    IVAR        @ 0x00e4, rw(0x800f_ffff) = 0, "10.2.4.9", "Which MSI-X vector each cause uses";
    EITR[5]     @ 0x00e8 + 4, rw(0x0000_ffff) = 0, "10.2.4", "Throttling interval of an MSI-X vector in 256 ns";

    RCTL        @ 0x0100, rw(0x7edf_bffe) = 0, "10.2.5.1", "Receive control";
    FCRTL       @ 0x2160, rw(0x8000_fff8) = 0, "10.2.5", "Flow control receive threshold, low";
    FCRTH       @ 0x2168, rw(0x0000_fff8) = 0, "10.2.5", "Flow control receive threshold, high";
    PSRCTL      @ 0x2170, rw(0x3f3f_3f7f) = 0x0004_0402, "10.2.5", "Buffer sizes of split packets";
    RDFH        @ 0x2410, rw(0x0000_1fff) = 0, "10.2.5", "Receive data FIFO head";
    RDFT        @ 0x2418, rw(0x0000_1fff) = 0, "10.2.5", "Receive data FIFO tail";
    RDFHS       @ 0x2420, rw(0x0000_1fff) = 0, "10.2.5", "Receive data FIFO head, saved";
    RDFTS       @ 0x2428, rw(0x0000_1fff) = 0, "10.2.5", "Receive data FIFO tail, saved";
    RDFPC       @ 0x2430, rw(0x0000_1fff) = 0, "10.2.5", "Receive data FIFO packet count";
    RDBAL[2]    @ 0x2800 + 0x100, rw(0xffff_fff0) = 0, "10.2.5", "Receive ring base, low";
    RDBAH[2]    @ 0x2804 + 0x100, rw(0xffff_ffff) = 0, "10.2.5", "Receive ring base, high";
    RDLEN[2]    @ 0x2808 + 0x100, rw(0x000f_ff80) = 0, "10.2.5", "Receive ring length in bytes";
    RDH[2]      @ 0x2810 + 0x100, rw(0x0000_ffff) = 0, "10.2.5", "Receive ring head; software writes it only while disabled";
    RDT[2]      @ 0x2818 + 0x100, rw(0x0000_ffff) = 0, "10.2.5", "Receive ring tail";
    RDTR        @ 0x2820, rw(0x8000_ffff) = 0, "10.2.5", "Receive interrupt delay in 1.024 us; bit 31 flushes";
    RXDCTL[2]   @ 0x2828 + 0x100, rw(0x013f_3f3f) = 0x0001_0000, "10.2.5.11", "Receive descriptor control; element 1 takes what is written to element 0";
    RADV        @ 0x282c, rw(0x0000_ffff) = 0, "10.2.5", "Receive interrupt absolute delay in 1.024 us";
    RSRPD       @ 0x2c00, rw(0x0000_0fff) = 0, "10.2.5", "Receive small packet detect length";
    RAID        @ 0x2c08, rw(0x0000_ffff) = 0, "10.2.5", "Receive acknowledgment interrupt delay in 1.024 us";
    RXCSUM      @ 0x5000, rw(0x0000_33ff) = 0x0000_0300, "10.2.5", "Receive checksum control";
    RFCTL       @ 0x5008, rw(0x0003_ffff) = 0, "10.2.5", "Receive filter control, and the format of receive descriptors";
    MTA[128]    @ 0x5200 + 4, rw(0xffff_ffff) = 0, "10.2.5", "Multicast table: 4096 bits by a hash of the address";
    RAL[16]     @ 0x5400 + 8, rw(0xffff_ffff) = 0, "10.2.5", "Receive address, low; element 0 is loaded from the EEPROM";
    RAH[16]     @ 0x5404 + 8, rw(0x8003_ffff) = 0, "10.2.5", "Receive address, high, and address valid";
    VFTA[128]   @ 0x5600 + 4, rw(0xffff_ffff) = 0, "10.2.5", "VLAN filter table: 4096 bits by VLAN id";
    MRQC        @ 0x5818, rw(0x001f_0003) = 0, "10.2.5", "Multiple receive queues: RSS and what it hashes";
    RETA[32]    @ 0x5c00 + 4, rw(0x8080_8080) = 0, "10.2.5", "RSS redirection: 128 entries, bit 7 of each is the queue";
    RSSRK[10]   @ 0x5c80 + 4, rw(0xffff_ffff) = 0, "10.2.5", "RSS key";

    TCTL        @ 0x0400, rw(0x7fff_fffa) = 0x3003_f0f8, "10.2.6.1", "Transmit control";
    TIPG        @ 0x0410, rw(0x3fff_ffff) = 0x0060_2008, "10.2.6", "Transmit inter-packet gap";
    AIT         @ 0x0458, rw(0x0000_ffff) = 0, "10.2.6", "Adaptive inter-frame spacing throttle";
    TDFH        @ 0x3410, rw(0x0000_1fff) = 0x0000_0600, "10.2.6", "Transmit data FIFO head";
    TDFT        @ 0x3418, rw(0x0000_1fff) = 0x0000_0600, "10.2.6", "Transmit data FIFO tail";
    TDFHS       @ 0x3420, rw(0x0000_1fff) = 0x0000_0600, "10.2.6", "Transmit data FIFO head, saved";
    TDFTS       @ 0x3428, rw(0x0000_1fff) = 0x0000_0600, "10.2.6", "Transmit data FIFO tail, saved";
    TDFPC       @ 0x3430, rw(0x0000_1fff) = 0, "10.2.6", "Transmit data FIFO packet count";
    TDBAL[2]    @ 0x3800 + 0x100, rw(0xffff_fff0) = 0, "10.2.6", "Transmit ring base, low";
    TDBAH[2]    @ 0x3804 + 0x100, rw(0xffff_ffff) = 0, "10.2.6", "Transmit ring base, high";
    TDLEN[2]    @ 0x3808 + 0x100, rw(0x000f_ff80) = 0, "10.2.6", "Transmit ring length in bytes";
    TDH[2]      @ 0x3810 + 0x100, rw(0x0000_ffff) = 0, "10.2.6", "Transmit ring head; software writes it only while disabled";
    TDT[2]      @ 0x3818 + 0x100, rw(0x0000_ffff) = 0, "10.2.6", "Transmit ring tail";
    TIDV        @ 0x3820, rw(0x8000_ffff) = 0, "10.2.6", "Transmit interrupt delay in 1.024 us, for descriptors with IDE; bit 31 flushes";
    TXDCTL[2]   @ 0x3828 + 0x100, rw(0xff7f_3f3f) = 0, "10.2.6.11", "Transmit descriptor control";
    TADV        @ 0x382c, rw(0x0000_ffff) = 0, "10.2.6", "Transmit interrupt absolute delay in 1.024 us";
    TARC[2]     @ 0x3840 + 0x100, rw(0x7c00_07ff) = 0x0000_0403, "10.2.6", "Transmit arbitration between the queues";

    IAC         @ 0x4100, rc = 0, "10.2.7", "Interrupts asserted";
    ICRXPTC     @ 0x4104, rc = 0, "10.2.7", "Interrupts of the receive packet timer";
    ICRXATC     @ 0x4108, rc = 0, "10.2.7", "Interrupts of the receive absolute timer";
    ICTXPTC     @ 0x410c, rc = 0, "10.2.7", "Interrupts of the transmit packet timer";
    ICTXATC     @ 0x4110, rc = 0, "10.2.7", "Interrupts of the transmit absolute timer";
    ICTXQEC     @ 0x4118, rc = 0, "10.2.7", "Interrupts of an empty transmit queue";
    ICTXQMTC    @ 0x411c, rc = 0, "10.2.7", "Interrupts of a transmit queue at its low threshold";
    ICRXDMTC    @ 0x4120, rc = 0, "10.2.7", "Interrupts of a receive queue at its low threshold";
    ICRXOC      @ 0x4124, rc = 0, "10.2.7", "Interrupts of a receiver overrun";

    WUC         @ 0x5800, rw(0x0000_000f) = 0, "10.2.8", "Wake-up control";
    WUFC        @ 0x5808, rw(0x000f_80ff) = 0, "10.2.8", "Wake-up filter control";
    WUS         @ 0x5810, w1c(0xffff_ffff) = 0, "10.2.8", "Wake-up status";
    IPAV        @ 0x5838, rw(0x0001_000f) = 0, "10.2.8", "IP addresses valid";
    IP4AT[4]    @ 0x5840 + 8, rw(0xffff_ffff) = 0, "10.2.8", "IPv4 addresses for wake-up";
    IP6AT[4]    @ 0x5880 + 4, rw(0xffff_ffff) = 0, "10.2.8", "IPv6 address for wake-up";
    WUPL        @ 0x5900, ro = 0, "10.2.8", "Wake-up packet length";
    WUPM[32]    @ 0x5a00 + 4, ro = 0, "10.2.8", "Wake-up packet memory";
    FFLT[4]     @ 0x5f00 + 8, rw(0x0000_07ff) = 0, "10.2.8", "Flexible filter lengths";
}

/// The statistics of the line.
const STATISTICS: [Register; line::ROWS.len()] = table::kept(line::ROWS, "10.2.7");

static TABLE: [Register; ROWS.len() + STATISTICS.len()] = table::sorted(&[ROWS, &STATISTICS]);
static WORDS: [u16; 0x1800] = table::index_of_words(&TABLE);

/// Every register of the 82574L that this crate knows, sorted by offset.
pub static REGISTERS: &[Register] = &TABLE;

/// The row and the element at `offset` in BAR 0, in constant time.
#[inline]
pub fn lookup(offset: u32) -> Option<(&'static Register, u32)> {
    table::find(&TABLE, &WORDS, offset)
}
