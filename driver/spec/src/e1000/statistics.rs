//! The 82540EM's statistics (§13.7), which its descendants kept.
//!
//! They clear when read and stick at all ones. The low halves of the 64-bit octet counters do not clear when
//! read; reading the high half clears both.

registers! {
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
}
