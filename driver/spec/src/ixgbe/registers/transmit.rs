//! The transmit path: queues, DMA, segmentation, packet buffers, DCB.

registers! {
    DTXMXSZRQ       @ 0x8100, rw(0x0000_0fff) = 0x0000_0010, "8.2.3.9.1", "Bytes that may be requested at a time, in 256";
    DMATXCTL        @ 0x4a80, rw(0xffff_0009) = 0x8100_0000, "8.2.3.9.2", "Transmit DMA control: enable";
    DTXTCPFLGL      @ 0x4a88, rw(0x0fff_0fff) = 0x0f76_0ff6, "8.2.3.9.3", "TCP flags kept in the first and in middle segments";
    DTXTCPFLGH      @ 0x4a8c, rw(0x0000_0fff) = 0x0000_0f7f, "8.2.3.9.4", "TCP flags kept in the last segment";
    TDBAL[128]      @ 0x6000 + 0x40, rw(0xffff_ff80) = 0, "8.2.3.9.5", "Transmit ring base, low";
    TDBAH[128]      @ 0x6004 + 0x40, rw(0xffff_ffff) = 0, "8.2.3.9.6", "Transmit ring base, high";
    TDLEN[128]      @ 0x6008 + 0x40, rw(0x000f_ff80) = 0, "8.2.3.9.7", "Transmit ring length in bytes";
    DCA_TXCTRL[128] @ 0x600c + 0x40, rw(0xff00_2a20) = 0x0000_2a00, "8.2.3.11.2", "Transmit DCA and relaxed ordering";
    TDH[128]        @ 0x6010 + 0x40, rw(0x0000_ffff) = 0, "8.2.3.9.8", "Transmit ring head; the device's, but for a write of 0 while disabled";
    TDT[128]        @ 0x6018 + 0x40, rw(0x0000_ffff) = 0, "8.2.3.9.9", "Transmit ring tail";
    TXDCTL[128]     @ 0x6028 + 0x40, rw(0x067f_7f7f) = 0, "8.2.3.9.10", "Transmit descriptor control: enable, thresholds";
    TDWBAL[128]     @ 0x6038 + 0x40, rw(0xffff_fffd) = 0, "8.2.3.9.11", "Head write-back address, low, and enable";
    TDWBAH[128]     @ 0x603c + 0x40, rw(0xffff_ffff) = 0, "8.2.3.9.12", "Head write-back address, high";
    TXPBSIZE[8]     @ 0xcc00 + 4, rw(0x000f_fc00) = 0x0002_8000 .. 0, "8.2.3.9.13", "Transmit packet buffer sizes in KiB, in bits 19:10";
    MNGTXMAP        @ 0xcd10, rw(0x0000_0007) = 0, "8.2.3.9.14", "Traffic class of manageability";
    MTQC            @ 0x8120, rw(0x0000_000f) = 0, "8.2.3.9.15", "Multiple transmit queues: mode";
    TXPBTHRESH[8]   @ 0x4950 + 4, rw(0x0000_03ff) = 0x0000_0096 .. 0, "8.2.3.9.16", "Transmit packet buffer thresholds in KiB";
    TIPG            @ 0xcb00, rw(0xffff_ffff) = 0, "8.2.3.9", "Transmit inter-packet gap";

    RTTDCS          @ 0x4900, rw(0x80c0_0053) = 0x00c0_0000, "8.2.3.10.2", "DCB transmit descriptor plane control: arbiter disable";
    RTTPCS          @ 0xcd00, rw(0xffff_ffff) = 0, "8.2.3.10.3", "DCB transmit packet plane control";
    RTTUP2TC        @ 0xc800, rw(0x00ff_ffff) = 0, "8.2.3.10.5", "DCB transmit user priority to traffic class";
    TXLLQ[4]        @ 0x82e0 + 4, rw(0xffff_ffff) = 0, "8.2.3.10", "Strict low latency transmit queues";
    RTTDQSEL        @ 0x4904, rw(0x0000_007f) = 0, "8.2.3.10.13", "DCB transmit queue select, for RTTDT1C and RTTBCNRC";
    RTTDT1C         @ 0x4908, rw(0x0000_3fff) = 0, "8.2.3.10.14", "DCB transmit descriptor plane T1 credits";
    RTTDT1S         @ 0x490c, ro = 0, "8.2.3.10", "DCB transmit descriptor plane T1 status";
    RTTDT2C[8]      @ 0x4910 + 4, rw(0xffff_ffff) = 0, "8.2.3.10", "DCB transmit descriptor plane T2 credits";
    RTTDT2S[8]      @ 0x4930 + 4, ro = 0, "8.2.3.10", "DCB transmit descriptor plane T2 status";
    RTTBCNRM        @ 0x4980, rw(0xffff_ffff) = 0, "8.2.3.10", "DCB transmit rate scheduler memory window";
    RTTBCNRC        @ 0x4984, rw(0x80ff_ffff) = 0, "8.2.3.10.16", "DCB transmit rate scheduler of the queue selected";
    RTTBCNRS        @ 0x498c, rw(0xffff_ffff) = 0, "8.2.3.10", "DCB transmit rate scheduler status";
    RTTPT2C[8]      @ 0xcd20 + 4, rw(0xffff_ffff) = 0, "8.2.3.10", "DCB transmit packet plane T2 credits";
    RTTPT2S[8]      @ 0xcd40 + 4, ro = 0, "8.2.3.10", "DCB transmit packet plane T2 status";

    PFVMVIR[64]     @ 0x8000 + 4, rw(0xffff_ffff) = 0, "8.2.3.27", "VLAN inserted for a pool";
    PFVFTE[2]       @ 0x8110 + 4, rw(0xffff_ffff) = 0, "8.2.3.27", "Virtual function transmit enable";
    PFVFSPOOF[8]    @ 0x8200 + 4, rw(0x0000_ffff) = 0, "8.2.3.27", "Anti-spoofing of pools";
    PFDTXGSWC       @ 0x8220, rw(0x0000_0001) = 0, "8.2.3.27", "Local loopback of the switch";
    PFVMECM[2]      @ 0x8790 + 4, rw(0xffff_ffff) = 0, "8.2.3.27", "Anti-spoof counter mask";
}
