//! Control of the device: general, EEPROM, semaphores, PCIe, interrupts, MAC and link, flow control,
//! security, time sync, wake-up.

registers! {
    CTRL            @ 0x0000, rw(0x0400_000c) = 0, "8.2.3.1.1", "Device control: reset, link reset, master disable";
    CTRL_ALIAS      @ 0x0004 & CTRL, rw(0x0400_000c) = 0, "8.2.3.1.1", "Device control, second address";
    STATUS          @ 0x0008, ro = 0x0008_0000, "8.2.3.1.2", "Device status: port, master enable";
    CTRL_EXT        @ 0x0018, rw(0x1403_4000) = 0, "8.2.3.1.3", "Extended device control";
    ESDP            @ 0x0020, rw(0xfcff_ffff) = 0, "8.2.3.1.4", "Software-definable pins";
    I2CCTL          @ 0x0028, rw(0x0000_000a) = 0x0000_000f, "8.2.3.1.5", "I2C bus to the SFP+ module, bit by bit";
    FRTIMER         @ 0x0048, ro = 0, "8.2.3", "Free-running timer";
    TCPTIMER        @ 0x004c, rw(0x0000_0fff) = 0, "8.2.3.19.1", "TCP timer";
    LEDCTL          @ 0x0200, rw(0xcfcf_cfef) = 0, "8.2.3.1.6", "LED control";
    CORESPARE       @ 0x0600, rw(0xffff_ffff) = 0, "8.2.3", "Spare bits of the core";
    EXVET           @ 0x5078, rw(0xffff_0000) = 0x8100_0000, "8.2.3.1.7", "Ether type of the outer VLAN tag";

    EEC             @ 0x10010, rw(0x0080_0077) = 0x0000_3b10, "8.2.3.2.1", "EEPROM and flash control; auto-read done";
    EERD            @ 0x10014, rw(0x0000_fffd) = 0, "8.2.3.2.2", "EEPROM read, a word at a time";
    EEWR            @ 0x10018, rw(0xffff_fffd) = 0, "8.2.3.2", "EEPROM write, a word at a time";
    FLA             @ 0x1001c, rw(0x8000_0017) = 0, "8.2.3.2.3", "Flash access, bit by bit";
    EEMNGCTL        @ 0x10110, rw(0x0001_ffff) = 0x0004_0000, "8.2.3.2.4", "Manageability EEPROM control; configuration done";
    EEMNGDATA       @ 0x10114, rw(0x0000_ffff) = 0, "8.2.3.2.5", "Manageability EEPROM data";
    FLMNGCTL        @ 0x10118, rw(0x07ff_ffff) = 0, "8.2.3.2.6", "Manageability flash control";
    FLMNGDATA       @ 0x1011c, rw(0xffff_ffff) = 0, "8.2.3.2.7", "Manageability flash data";
    FLOP            @ 0x1013c, rw(0x0000_ffff) = 0, "8.2.3.2.8", "Flash opcodes";
    GRC             @ 0x10200, rw(0x0000_0002) = 0, "8.2.3.2.9", "General receive control: APM";

    SWSM            @ 0x10140, rw(0x0000_0003) = 0, "8.2.3.4.9", "Software semaphore; a read of SMBI as 0 takes it";
    FWSM            @ 0x10148, ro = 0, "8.2.3.4.10", "Firmware semaphore and mode";
    FACTPS          @ 0x10150, ro = 0, "8.2.3.4.6", "Function active and power state";
    SW_FW_SYNC      @ 0x10160, rw(0x0000_041f) = 0, "8.2.3.4.11", "Resources owned by software and by firmware; also GSSR";
    GCR             @ 0x11000, rw(0xffff_ffff) = 0, "8.2.3.4.1", "PCIe control";
    GSCL_1          @ 0x11010, rw(0xffff_ffff) = 0, "8.2.3.4.2", "PCIe statistics control 1";
    GSCL_2          @ 0x11014, rw(0xffff_ffff) = 0, "8.2.3.4.3", "PCIe statistics control 2";
    GSCN[4]         @ 0x11020 + 4, ro = 0, "8.2.3.4.5", "PCIe statistics";
    GSCL_5_8[4]     @ 0x11030 + 4, rw(0xffff_ffff) = 0, "8.2.3.4.4", "PCIe statistics thresholds";
    GCR_EXT         @ 0x11050, rw(0xc000_0013) = 0, "8.2.3.4.12", "PCIe control, extended: flush buffers, virtualization";
    MREVID          @ 0x11064, ro = 0x0000_0001, "8.2.3.4.13", "Mirrored revision id";
    DCA_ID          @ 0x11070, ro = 0, "8.2.3.11.3", "DCA requester id";
    DCA_CTRL        @ 0x11074, rw(0x0000_001f) = 0x0000_0001, "8.2.3.11.4", "DCA control";
    PICAUSE         @ 0x110b0, w1c(0x0000_001f) = 0, "8.2.3.4.14", "PCIe interrupt causes";
    PIENA           @ 0x110b8, rw(0x0000_001f) = 0, "8.2.3.4.15", "PCIe interrupt enable";
    PBACL[8]        @ 0x110c0 + 4, w1c(0xffff_ffff) = 0, "8.2.3.6.1", "MSI-X pending bit clear";
    CORECTL         @ 0x14f00, rw(0x0001_ffff) = 0, "8.2.3.22.32", "Core analog configuration";
    HICR            @ 0x15f00, rw(0x0000_0082) = 0, "8.2.3", "Host interface control, to the firmware";
    FWSTS           @ 0x15f0c, rw(0x0000_0200) = 0, "8.2.3", "Firmware status";

    EICR            @ 0x0800, rc(0x7fff_ffff) = 0, "8.2.3.5.1", "Interrupt causes; cleared by reading while GPIE.OCD is 0, or by writing ones";
    EICS            @ 0x0808, w1s(0x7fff_ffff) = 0, "8.2.3.5.2", "Interrupt cause set: ones set causes in EICR";
    EIAC            @ 0x0810, rw(0x4000_ffff) = 0, "8.2.3.5.5", "Interrupt auto clear: causes that a MSI-X message clears";
    EITR[129]       @ 0x0820 + 4 | 24 @ 0x12300, rw(0x8fff_8ff8) = 0, "8.2.3.5.12", "Interrupt throttle of a vector";
    EIMS            @ 0x0880, w1s(0x7fff_ffff) = 0, "8.2.3.5.3", "Interrupt mask: ones enable causes; reads back the mask";
    EIMC            @ 0x0888, w1c(0xffff_ffff) = 0, "8.2.3.5.4", "Interrupt mask clear: ones disable causes in EIMS";
    EIAM            @ 0x0890, rw(0x7fff_ffff) = 0, "8.2.3.5.6", "Interrupt auto mask";
    EITRSEL         @ 0x0894, rw(0xffff_ffff) = 0, "8.2.3.5.11", "Whose throttle a virtual function uses";
    GPIE            @ 0x0898, rw(0xc000_fff7) = 0, "8.2.3.5.18", "General purpose interrupt enable: MSI-X mode, auto mask";
    IVAR[64]        @ 0x0900 + 4, rw(0xbfbf_bfbf) = 0, "8.2.3.5.16", "Vectors of two queues: receive, transmit, receive, transmit";
    IVAR_MISC       @ 0x0a00, rw(0x0000_ffff) = 0, "8.2.3.5.17", "Vectors of the TCP timer and of all other causes";
    EICS_EX[2]      @ 0x0a90 + 4, w1s(0xffff_ffff) = 0, "8.2.3.5.7", "Interrupt cause set, vectors 0 to 63";
    EIMS_EX[2]      @ 0x0aa0 + 4, w1s(0xffff_ffff) = 0, "8.2.3.5.8", "Interrupt mask, vectors 0 to 63";
    EIMC_EX[2]      @ 0x0ab0 + 4, w1c(0xffff_ffff) = 0, "8.2.3.5.9", "Interrupt mask clear, vectors 0 to 63";
    EIAM_EX[2]      @ 0x0ad0 + 4, rw(0xffff_ffff) = 0, "8.2.3.5.10", "Interrupt auto mask, vectors 0 to 63";

    PCS1GCFIG       @ 0x4200, rw(0x4000_0000) = 0, "8.2.3.22.1", "1G PCS configuration";
    PCS1GLCTL       @ 0x4208, rw(0x0207_0061) = 0, "8.2.3.22.2", "1G PCS link control";
    PCS1GLSTA       @ 0x420c, ro = 0, "8.2.3.22.3", "1G PCS link status";
    PCS1GANA        @ 0x4218, rw(0x0000_b1a0) = 0x0000_0020, "8.2.3.22.4", "1G auto-negotiation advertisement";
    PCS1GANLP       @ 0x421c, ro = 0, "8.2.3.22.5", "1G auto-negotiation link partner";
    HLREG0          @ 0x4240, rw(0x18f3_ac0f) = 0x0801_2c0b, "8.2.3.22.8", "MAC control: CRC, padding, jumbo, loopback";
    HLREG1          @ 0x4244, rc = 0, "8.2.3.22.9", "MAC status: faults and lengths";
    PAP             @ 0x4248, rw(0x000f_0000) = 0, "8.2.3.22.10", "Pause and pace";
    MSCA            @ 0x425c, rw(0x7fff_ffff) = 0, "8.2.3.22.11", "MDIO command and address";
    MSRWD           @ 0x4260, rw(0x0000_ffff) = 0, "8.2.3.22.12", "MDIO data: write low, read high";
    MAXFRS          @ 0x4268, rw(0xffff_0000) = 0x05ee_0000, "8.2.3.22.13", "Longest frame accepted, in bits 31:16";
    MFLCN           @ 0x4294, rw(0x0000_000f) = 0, "8.2.3.22.34", "MAC flow control";
    SERDESC         @ 0x4298, rw(0xffff_ffff) = 0, "8.2.3.22.17", "SerDes interface control";
    MACS            @ 0x429c, rw(0xffff_ffff) = 0, "8.2.3.22.18", "FIFO status and control";
    AUTOC           @ 0x42a0, rw(0xffff_ffff) = 0xc09c_6004, "8.2.3.22.19", "Auto-negotiation control and link mode";
    LINKS           @ 0x42a4, ro = 0, "8.2.3.22.20", "Link status and speed";
    AUTOC2          @ 0x42a8, rw(0xffff_0000) = 0x0002_0000, "8.2.3.22.22", "Auto-negotiation control 2";
    AUTOC3          @ 0x42ac, rw(0xffff_ffff) = 0, "8.2.3.22", "Auto-negotiation control 3";
    ANLP1           @ 0x42b0, ro = 0, "8.2.3.22.23", "Link partner's control word 1, and negotiation state";
    ANLP2           @ 0x42b4, ro = 0, "8.2.3.22.24", "Link partner's control word 2";
    MMNGC           @ 0x42d0, ro = 0, "8.2.3.22.25", "MAC manageability control: veto";
    LINKS2          @ 0x4324, ro = 0, "8.2.3.22.21", "Link status 2";
    MACC            @ 0x4330, rw(0xffff_ffff) = 0, "8.2.3.22", "MAC control: forced link and speed";

    PFCTOP          @ 0x3008, rw(0xffff_ffff) = 0x0001_8808, "8.2.3.3.1", "Ether type and opcode of priority flow control";
    FCTTV[4]        @ 0x3200 + 4, rw(0xffff_ffff) = 0, "8.2.3.3.2", "Flow control transmit timers";
    FCRTL[8]        @ 0x3220 + 4, rw(0x8007_ffe0) = 0, "8.2.3.3.3", "Flow control receive threshold, low";
    FCRTH[8]        @ 0x3260 + 4, rw(0x8007_ffe0) = 0, "8.2.3.3.4", "Flow control receive threshold, high";
    FCRTV           @ 0x32a0, rw(0x0000_ffff) = 0, "8.2.3.3.5", "Flow control refresh threshold";
    FCCFG           @ 0x3d00, rw(0x0000_0018) = 0, "8.2.3.3.7", "Flow control configuration";
    TFCS            @ 0xce00, ro = 0, "8.2.3.3.6", "Transmit flow control status";

    SECTXCTRL       @ 0x8800, rw(0x0000_0007) = 0x0000_0001, "8.2.3.12.1", "Security transmit control";
    SECTXSTAT       @ 0x8804, ro = 0, "8.2.3.12.2", "Security transmit status";
    SECTXBUFFAF     @ 0x8808, rw(0x0000_03ff) = 0x0000_0250, "8.2.3.12.3", "Security transmit buffer almost full";
    SECTXMINIFG     @ 0x8810, rw(0x0003_ff0f) = 0x0000_0001, "8.2.3.12.4", "Security transmit inter-frame gap";
    IPSTXIDX        @ 0x8900, rw(0xe000_1fff) = 0, "8.2.3.14", "IPsec transmit index";
    IPSTXSALT       @ 0x8904, rw(0xffff_ffff) = 0, "8.2.3.14", "IPsec transmit salt";
    IPSTXKEY[4]     @ 0x8908 + 4, rw(0xffff_ffff) = 0, "8.2.3.14", "IPsec transmit key";
    SECRXCTRL       @ 0x8d00, rw(0x0000_0003) = 0x0000_0001, "8.2.3.12.5", "Security receive control; stops the receive path";
    SECRXSTAT       @ 0x8d04, ro = 0, "8.2.3.12.6", "Security receive status; the receive path is empty";
    IPSRXIDX        @ 0x8e00, rw(0xe000_1fff) = 0, "8.2.3.14", "IPsec receive index";
    IPSRXIPADDR[4]  @ 0x8e04 + 4, rw(0xffff_ffff) = 0, "8.2.3.14", "IPsec receive address";
    IPSRXSPI        @ 0x8e14, rw(0xffff_ffff) = 0, "8.2.3.14", "IPsec receive SPI";
    IPSRXIPIDX      @ 0x8e18, rw(0x0000_007f) = 0, "8.2.3.14", "IPsec receive address index";
    IPSRXKEY[4]     @ 0x8e1c + 4, rw(0xffff_ffff) = 0, "8.2.3.14", "IPsec receive key";
    IPSRXSALT       @ 0x8e2c, rw(0xffff_ffff) = 0, "8.2.3.14", "IPsec receive salt";
    IPSRXMOD        @ 0x8e30, rw(0x0000_001f) = 0, "8.2.3.14", "IPsec receive mode";

    RXMTRL          @ 0x5120, rw(0xffff_ffff) = 0x319f_0000, "8.2.3.26", "Time sync: message types received";
    TSYNCRXCTL      @ 0x5188, rw(0x0000_001e) = 0, "8.2.3.26", "Time sync: receive control";
    RXSATRL         @ 0x51a0, ro = 0, "8.2.3.26", "Time sync: receive source address, low";
    RXSTMPH         @ 0x51a4, ro = 0, "8.2.3.26", "Time sync: receive time stamp, high; a read unlocks";
    RXSATRH         @ 0x51a8, ro = 0, "8.2.3.26", "Time sync: receive source address, high, and sequence";
    RXSTMPL         @ 0x51e8, ro = 0, "8.2.3.26", "Time sync: receive time stamp, low";
    TSYNCTXCTL      @ 0x8c00, rw(0x0000_0010) = 0, "8.2.3.26", "Time sync: transmit control";
    TXSTMPL         @ 0x8c04, ro = 0, "8.2.3.26", "Time sync: transmit time stamp, low";
    TXSTMPH         @ 0x8c08, ro = 0, "8.2.3.26", "Time sync: transmit time stamp, high; a read unlocks";
    SYSTIML         @ 0x8c0c, rw(0xffff_ffff) = 0, "8.2.3.26", "Time sync: system time, low";
    SYSTIMH         @ 0x8c10, rw(0xffff_ffff) = 0, "8.2.3.26", "Time sync: system time, high";
    TIMINCA         @ 0x8c14, rw(0xffff_ffff) = 0, "8.2.3.26", "Time sync: increment";
    TIMADJL         @ 0x8c18, rw(0xffff_ffff) = 0, "8.2.3.26", "Time sync: adjustment, low";
    TIMADJH         @ 0x8c1c, rw(0xffff_ffff) = 0, "8.2.3.26", "Time sync: adjustment, high";
    TSAUXC          @ 0x8c20, rw(0xffff_ffff) = 0, "8.2.3.26", "Time sync: auxiliary control";

    WUC             @ 0x5800, rw(0x0000_0016) = 0, "8.2.3.24", "Wake-up control";
    WUFC            @ 0x5808, rw(0x003f_81ff) = 0, "8.2.3.24", "Wake-up filter control";
    WUS             @ 0x5810, w1c(0xffff_ffff) = 0, "8.2.3.24", "Wake-up status";
    MANC            @ 0x5820, rw(0x07fa_0000) = 0, "8.2.3.25.4", "Management control";
    FHFT[256]       @ 0x9000 + 4, rw(0xffff_ffff) = 0, "8.2.3.24.9", "Flexible host filters 0 to 3, 256 bytes each";
    FHFT_EXT[128]   @ 0x9800 + 4, rw(0xffff_ffff) = 0, "8.2.3.24.9", "Flexible host filters 4 and 5, 256 bytes each";
}
