//! Statistics (§8.2.3.23). They clear when read.
//!
//! The MAC's octet counters have 36 bits in two registers: read the low one, then the high one, which clears
//! both.

registers! {
    CRCERRS         @ 0x4000, rc = 0, "8.2.3.23.1", "Frames with a bad CRC";
    ILLERRC         @ 0x4004, rc = 0, "8.2.3.23.2", "Frames with illegal bytes";
    ERRBC           @ 0x4008, rc = 0, "8.2.3.23.3", "Error bytes";
    MSPDC           @ 0x4010, rc = 0, "8.2.3.23.69", "MAC short frames discarded";
    MBSDC           @ 0x4018, rc = 0, "8.2.3.23", "Bad SFD frames";
    MPC[8]          @ 0x3fa0 + 4, rc = 0, "8.2.3.23.4", "Frames missed: no room in a packet buffer";
    MLFC            @ 0x4034, rc = 0, "8.2.3.23.5", "MAC local faults";
    MRFC            @ 0x4038, rc = 0, "8.2.3.23.6", "MAC remote faults";
    RLEC            @ 0x4040, rc = 0, "8.2.3.23.7", "Receive length errors";
    LXONTXC         @ 0x3f60, rc = 0, "8.2.3.23", "Link XON frames sent";
    LXOFFTXC        @ 0x3f68, rc = 0, "8.2.3.23", "Link XOFF frames sent";
    LXONRXCNT       @ 0x41a4, rc = 0, "8.2.3.23", "Link XON frames received";
    LXOFFRXCNT      @ 0x41a8, rc = 0, "8.2.3.23", "Link XOFF frames received";
    PXONTXC[8]      @ 0x3f00 + 4, rc = 0, "8.2.3.23", "Priority XON frames sent";
    PXOFFTXC[8]     @ 0x3f20 + 4, rc = 0, "8.2.3.23", "Priority XOFF frames sent";
    PXONRXCNT[8]    @ 0x4140 + 4, rc = 0, "8.2.3.23", "Priority XON frames received";
    PXOFFRXCNT[8]   @ 0x4160 + 4, rc = 0, "8.2.3.23", "Priority XOFF frames received";
    PXON2OFFCNT[8]  @ 0x3240 + 4, rc = 0, "8.2.3.23", "Priority XON to XOFF transitions";
    PRC64           @ 0x405c, rc = 0, "8.2.3.23", "Frames received of 64 bytes";
    PRC127          @ 0x4060, rc = 0, "8.2.3.23", "Frames received of 65 to 127 bytes";
    PRC255          @ 0x4064, rc = 0, "8.2.3.23", "Frames received of 128 to 255 bytes";
    PRC511          @ 0x4068, rc = 0, "8.2.3.23", "Frames received of 256 to 511 bytes";
    PRC1023         @ 0x406c, rc = 0, "8.2.3.23", "Frames received of 512 to 1023 bytes";
    PRC1522         @ 0x4070, rc = 0, "8.2.3.23", "Frames received of 1024 bytes and more";
    GPRC            @ 0x4074, rc = 0, "8.2.3.23.26", "Good frames received";
    BPRC            @ 0x4078, rc = 0, "8.2.3.23", "Broadcast frames received";
    MPRC            @ 0x407c, rc = 0, "8.2.3.23", "Multicast frames received";
    GPTC            @ 0x4080, rc = 0, "8.2.3.23.44", "Good frames sent";
    GORCL           @ 0x4088, ro = 0, "8.2.3.23", "Good octets received, low 32 of 36 bits; cleared by reading GORCH";
    GORCH           @ 0x408c, rc = 0, "8.2.3.23", "Good octets received, high 4 bits";
    GOTCL           @ 0x4090, ro = 0, "8.2.3.23", "Good octets sent, low 32 of 36 bits; cleared by reading GOTCH";
    GOTCH           @ 0x4094, rc = 0, "8.2.3.23", "Good octets sent, high 4 bits";
    RUC             @ 0x40a4, rc = 0, "8.2.3.23.50", "Undersized frames with a good CRC received";
    RFC             @ 0x40a8, rc = 0, "8.2.3.23.51", "Fragments received: undersized with a bad CRC";
    ROC             @ 0x40ac, rc = 0, "8.2.3.23.52", "Oversized frames with a good CRC received";
    RJC             @ 0x40b0, rc = 0, "8.2.3.23.53", "Jabbers received: oversized with a bad CRC";
    MNGPRC          @ 0x40b4, rc = 0, "8.2.3.23", "Management frames received";
    MNGPDC          @ 0x40b8, rc = 0, "8.2.3.23", "Management frames dropped";
    MNGPTC          @ 0xcf90, rc = 0, "8.2.3.23", "Management frames sent";
    TORL            @ 0x40c0, ro = 0, "8.2.3.23", "Total octets received, low 32 of 36 bits; cleared by reading TORH";
    TORH            @ 0x40c4, rc = 0, "8.2.3.23", "Total octets received, high 4 bits";
    TPR             @ 0x40d0, rc = 0, "8.2.3.23.59", "Total frames received";
    TPT             @ 0x40d4, rc = 0, "8.2.3.23.60", "Total frames sent";
    PTC64           @ 0x40d8, rc = 0, "8.2.3.23", "Frames sent of 64 bytes";
    PTC127          @ 0x40dc, rc = 0, "8.2.3.23", "Frames sent of 65 to 127 bytes";
    PTC255          @ 0x40e0, rc = 0, "8.2.3.23", "Frames sent of 128 to 255 bytes";
    PTC511          @ 0x40e4, rc = 0, "8.2.3.23", "Frames sent of 256 to 511 bytes";
    PTC1023         @ 0x40e8, rc = 0, "8.2.3.23", "Frames sent of 512 to 1023 bytes";
    PTC1522         @ 0x40ec, rc = 0, "8.2.3.23", "Frames sent of 1024 bytes and more";
    MPTC            @ 0x40f0, rc = 0, "8.2.3.23", "Multicast frames sent";
    BPTC            @ 0x40f4, rc = 0, "8.2.3.23", "Broadcast frames sent";
    XEC             @ 0x4120, rc = 0, "8.2.3.23", "Receive checksum errors";
    RXNFGPC         @ 0x41b0, rc = 0, "8.2.3.23", "Good frames received before filtering";
    RXNFGBCL        @ 0x41b4, ro = 0, "8.2.3.23", "Good octets received before filtering, low; cleared by reading RXNFGBCH";
    RXNFGBCH        @ 0x41b8, rc = 0, "8.2.3.23", "Good octets received before filtering, high";

    RXDSTATCTRL     @ 0x2f40, rw(0x0000_001f) = 0, "8.2.3.23", "Which queues the receive DMA counters count";
    RXDGPC          @ 0x2f50, rc = 0, "8.2.3.23.32", "DMA: good frames received";
    RXDGBCL         @ 0x2f54, ro = 0, "8.2.3.23", "DMA: good octets received, low; cleared by reading RXDGBCH";
    RXDGBCH         @ 0x2f58, rc = 0, "8.2.3.23", "DMA: good octets received, high";
    RXDDGPC         @ 0x2f5c, rc = 0, "8.2.3.23", "DMA: duplicated good frames received";
    RXDDGBCL        @ 0x2f60, ro = 0, "8.2.3.23", "DMA: duplicated good octets received, low; cleared by reading RXDDGBCH";
    RXDDGBCH        @ 0x2f64, rc = 0, "8.2.3.23", "DMA: duplicated good octets received, high";
    RXLPBKGPC       @ 0x2f68, rc = 0, "8.2.3.23", "DMA: good loopback frames received";
    RXLPBKGBCL      @ 0x2f6c, ro = 0, "8.2.3.23", "DMA: good loopback octets received, low; cleared by reading RXLPBKGBCH";
    RXLPBKGBCH      @ 0x2f70, rc = 0, "8.2.3.23", "DMA: good loopback octets received, high";
    RXDLPBKGPC      @ 0x2f74, rc = 0, "8.2.3.23", "DMA: duplicated loopback frames received";
    RXDLPBKGBCL     @ 0x2f78, ro = 0, "8.2.3.23", "DMA: duplicated loopback octets received, low; cleared by reading RXDLPBKGBCH";
    RXDLPBKGBCH     @ 0x2f7c, rc = 0, "8.2.3.23", "DMA: duplicated loopback octets received, high";
    TXDGPC          @ 0x87a0, rc = 0, "8.2.3.23.47", "DMA: good frames sent";
    TXDGBCL         @ 0x87a4, ro = 0, "8.2.3.23", "DMA: good octets sent, low; cleared by reading TXDGBCH";
    TXDGBCH         @ 0x87a8, rc = 0, "8.2.3.23", "DMA: good octets sent, high";
    SSVPC           @ 0x8780, rc = 0, "8.2.3.23", "Frames dropped by anti-spoofing";

    RQSMR[32]       @ 0x2300 + 4, rw(0x0f0f_0f0f) = 0, "8.2.3.23", "Counters of four receive queues each";
    TQSM[32]        @ 0x8600 + 4, rw(0x0f0f_0f0f) = 0, "8.2.3.23", "Counters of four transmit queues each";
    QPRC[16]        @ 0x1030 + 0x40, rc = 0, "8.2.3.23", "Frames received, of mapped queues";
    QBRC_L[16]      @ 0x1034 + 0x40, rc = 0, "8.2.3.23", "Octets received, of mapped queues, low 32 of 36 bits";
    QBRC_H[16]      @ 0x1038 + 0x40, rc = 0, "8.2.3.23", "Octets received, of mapped queues, high 4 bits";
    QPRDC[16]       @ 0x1430 + 0x40, rc = 0, "8.2.3.23", "Frames dropped for lack of descriptors, of mapped queues";
    QPTC[16]        @ 0x6030 + 0x40, rc = 0, "8.2.3.23", "Frames sent, of mapped queues";
    QPTC_ALIAS[16]  @ 0x8680 + 4 & QPTC, rc = 0, "8.2.3.23", "Frames sent, of mapped queues, second address";
    QBTC_L[16]      @ 0x8700 + 8, rc = 0, "8.2.3.23", "Octets sent, of mapped queues, low 32 of 36 bits";
    QBTC_H[16]      @ 0x8704 + 8, rc = 0, "8.2.3.23", "Octets sent, of mapped queues, high 4 bits";

    FCCRC           @ 0x5118, rc = 0, "8.2.3.23", "FCoE frames with a bad FC CRC";
    FCOERPDC        @ 0x241c, rc = 0, "8.2.3.23", "FCoE frames dropped";
    FCLAST          @ 0x2424, rc = 0, "8.2.3.23", "FCoE last errors";
    FCOEPRC         @ 0x2428, rc = 0, "8.2.3.23", "FCoE frames received";
    FCOEDWRC        @ 0x242c, rc = 0, "8.2.3.23", "FCoE double words received";
    FCOEPTC         @ 0x8784, rc = 0, "8.2.3.23", "FCoE frames sent";
    FCOEDWTC        @ 0x8788, rc = 0, "8.2.3.23", "FCoE double words sent";
}
