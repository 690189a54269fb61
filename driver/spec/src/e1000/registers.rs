//! The 82540EM's registers (§13.4 to §13.8).
//!
//! Reset values of fields that the EEPROM decides are those of a plain adapter. The low halves of the 64-bit
//! octet counters do not clear when read; reading the high half clears both.

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

    CRCERRS     @ 0x4000, rc = 0, "13.7.1", "Frames with a bad CRC";
    ALGNERRC    @ 0x4004, rc = 0, "13.7.2", "Frames with an alignment error";
    SYMERRS     @ 0x4008, rc = 0, "13.7.3", "Symbol errors";
    RXERRC      @ 0x400c, rc = 0, "13.7.4", "Frames with RX_ER asserted";
    MPC         @ 0x4010, rc = 0, "13.7.5", "Frames missed: no room in the packet buffer";
    SCC         @ 0x4014, rc = 0, "13.7.6", "Single collisions";
    ECOL        @ 0x4018, rc = 0, "13.7.7", "Excessive collisions";
    MCC         @ 0x401c, rc = 0, "13.7.8", "Multiple collisions";
    LATECOL     @ 0x4020, rc = 0, "13.7.9", "Late collisions";
    COLC        @ 0x4028, rc = 0, "13.7.10", "Collisions";
    DC          @ 0x4030, rc = 0, "13.7.11", "Deferrals";
    TNCRS       @ 0x4034, rc = 0, "13.7.12", "Transmits without carrier sense";
    SEC         @ 0x4038, rc = 0, "13.7.13", "Sequence errors";
    CEXTERR     @ 0x403c, rc = 0, "13.7.14", "Carrier extension errors";
    RLEC        @ 0x4040, rc = 0, "13.7.15", "Receive length errors";
    XONRXC      @ 0x4048, rc = 0, "13.7.16", "XON frames received";
    XONTXC      @ 0x404c, rc = 0, "13.7.17", "XON frames sent";
    XOFFRXC     @ 0x4050, rc = 0, "13.7.18", "XOFF frames received";
    XOFFTXC     @ 0x4054, rc = 0, "13.7.19", "XOFF frames sent";
    FCRUC       @ 0x4058, rc = 0, "13.7.20", "Unsupported flow control frames received";
    PRC64       @ 0x405c, rc = 0, "13.7.21", "Frames received of 64 bytes";
    PRC127      @ 0x4060, rc = 0, "13.7.22", "Frames received of 65 to 127 bytes";
    PRC255      @ 0x4064, rc = 0, "13.7.23", "Frames received of 128 to 255 bytes";
    PRC511      @ 0x4068, rc = 0, "13.7.24", "Frames received of 256 to 511 bytes";
    PRC1023     @ 0x406c, rc = 0, "13.7.25", "Frames received of 512 to 1023 bytes";
    PRC1522     @ 0x4070, rc = 0, "13.7.26", "Frames received of 1024 bytes and more";
    GPRC        @ 0x4074, rc = 0, "13.7.27", "Good frames received";
    BPRC        @ 0x4078, rc = 0, "13.7.28", "Broadcast frames received";
    MPRC        @ 0x407c, rc = 0, "13.7.29", "Multicast frames received";
    GPTC        @ 0x4080, rc = 0, "13.7.30", "Good frames sent";
    GORCL       @ 0x4088, ro = 0, "13.7.31", "Good octets received, low; cleared by reading GORCH";
    GORCH       @ 0x408c, rc = 0, "13.7.31", "Good octets received, high";
    GOTCL       @ 0x4090, ro = 0, "13.7.32", "Good octets sent, low; cleared by reading GOTCH";
    GOTCH       @ 0x4094, rc = 0, "13.7.32", "Good octets sent, high";
    RNBC        @ 0x40a0, rc = 0, "13.7.33", "Frames received while no receive buffer was free";
    RUC         @ 0x40a4, rc = 0, "13.7.34", "Undersized frames with a good CRC received";
    RFC         @ 0x40a8, rc = 0, "13.7.35", "Fragments received: undersized with a bad CRC";
    ROC         @ 0x40ac, rc = 0, "13.7.36", "Oversized frames with a good CRC received";
    RJC         @ 0x40b0, rc = 0, "13.7.37", "Jabbers received: oversized with a bad CRC";
    MGTPRC      @ 0x40b4, rc = 0, "13.7.38", "Management frames received";
    MGTPDC      @ 0x40b8, rc = 0, "13.7.39", "Management frames dropped";
    MGTPTC      @ 0x40bc, rc = 0, "13.7.40", "Management frames sent";
    TORL        @ 0x40c0, ro = 0, "13.7.41", "Total octets received, low; cleared by reading TORH";
    TORH        @ 0x40c4, rc = 0, "13.7.41", "Total octets received, high";
    TOTL        @ 0x40c8, ro = 0, "13.7.42", "Total octets sent, low; cleared by reading TOTH";
    TOTH        @ 0x40cc, rc = 0, "13.7.42", "Total octets sent, high";
    TPR         @ 0x40d0, rc = 0, "13.7.43", "Total frames received";
    TPT         @ 0x40d4, rc = 0, "13.7.44", "Total frames sent";
    PTC64       @ 0x40d8, rc = 0, "13.7.45", "Frames sent of 64 bytes";
    PTC127      @ 0x40dc, rc = 0, "13.7.46", "Frames sent of 65 to 127 bytes";
    PTC255      @ 0x40e0, rc = 0, "13.7.47", "Frames sent of 128 to 255 bytes";
    PTC511      @ 0x40e4, rc = 0, "13.7.48", "Frames sent of 256 to 511 bytes";
    PTC1023     @ 0x40e8, rc = 0, "13.7.49", "Frames sent of 512 to 1023 bytes";
    PTC1522     @ 0x40ec, rc = 0, "13.7.50", "Frames sent of 1024 bytes and more";
    MPTC        @ 0x40f0, rc = 0, "13.7.51", "Multicast frames sent";
    BPTC        @ 0x40f4, rc = 0, "13.7.52", "Broadcast frames sent";
    TSCTC       @ 0x40f8, rc = 0, "13.7.53", "Segmentation requests sent";
    TSCTFC      @ 0x40fc, rc = 0, "13.7.54", "Segmentation requests that failed";

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

static TABLE: [Register; ROWS.len()] = table::sorted(&[ROWS]);
static WORDS: [u16; 0x1800] = table::index_of_words(&TABLE);

/// Every register of the 82540EM that this crate knows, sorted by offset.
pub static REGISTERS: &[Register] = &TABLE;

/// The row and the element at `offset` in BAR 0, in constant time.
#[inline]
pub fn lookup(offset: u32) -> Option<(&'static Register, u32)> {
    table::find(&TABLE, &WORDS, offset)
}
