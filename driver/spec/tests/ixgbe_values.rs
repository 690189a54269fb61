//! The bits of the 82599's register values (331520, §8.2.3).

mod layout;

use pagewire_spec::ixgbe::*;

layout!(ctrl, Ctrl, u32 {
    master_disable with_master_disable @ 2 : 1, lrst with_lrst @ 3 : 1, rst with_rst @ 26 : 1,
});

layout!(status, Status, u32 {
    lan_id with_lan_id @ 2 : 2, link_up with_link_up @ 7 : 1, num_vfs with_num_vfs @ 10 : 8,
    iov_active with_iov_active @ 18 : 1, master_enable with_master_enable @ 19 : 1,
});

layout!(ctrl_ext, CtrlExt, u32 {
    pfrstd with_pfrstd @ 14 : 1, ns_dis with_ns_dis @ 16 : 1, ro_dis with_ro_dis @ 17 : 1,
    extended_vlan with_extended_vlan @ 26 : 1, drv_load with_drv_load @ 28 : 1,
});

layout!(esdp, Esdp, u32 {
    data with_data @ 0 : 8, direction with_direction @ 8 : 8, native with_native @ 16 : 8,
    function with_function @ 26 : 6,
});

layout!(i2cctl, I2cCtl, u32 {
    clk_in with_clk_in @ 0 : 1, clk_out with_clk_out @ 1 : 1, data_in with_data_in @ 2 : 1,
    data_out with_data_out @ 3 : 1,
});

layout!(eec, Eec, u32 {
    ee_sk with_ee_sk @ 0 : 1, ee_cs with_ee_cs @ 1 : 1, ee_di with_ee_di @ 2 : 1, ee_do with_ee_do @ 3 : 1,
    fwe with_fwe @ 4 : 2, ee_req with_ee_req @ 6 : 1, ee_gnt with_ee_gnt @ 7 : 1,
    ee_pres with_ee_pres @ 8 : 1, auto_rd with_auto_rd @ 9 : 1, ee_size with_ee_size @ 11 : 4,
});

layout!(eerd, Eerd, u32 {
    start with_start @ 0 : 1, done with_done @ 1 : 1, addr with_addr @ 2 : 14, data with_data @ 16 : 16,
});

layout!(swsm, Swsm, u32 {
    smbi with_smbi @ 0 : 1, swesmbi with_swesmbi @ 1 : 1,
});

layout!(sw_fw_sync, SwFwSync, u32 {
    sw_eep with_sw_eep @ 0 : 1, sw_phy0 with_sw_phy0 @ 1 : 1, sw_phy1 with_sw_phy1 @ 2 : 1,
    sw_mac_csr with_sw_mac_csr @ 3 : 1, sw_flash with_sw_flash @ 4 : 1, fw with_fw @ 5 : 5,
    sw_mng with_sw_mng @ 10 : 1,
});

layout!(eicr, Eicr, u32 {
    rtxq with_rtxq @ 0 : 16, flow_director with_flow_director @ 16 : 1, rx_miss with_rx_miss @ 17 : 1,
    pci_exception with_pci_exception @ 18 : 1, mailbox with_mailbox @ 19 : 1, lsc with_lsc @ 20 : 1,
    linksec with_linksec @ 21 : 1, mng with_mng @ 22 : 1, gpi_sdp with_gpi_sdp @ 24 : 4,
    ecc with_ecc @ 28 : 1, tcp_timer with_tcp_timer @ 30 : 1,
});

layout!(gpie, Gpie, u32 {
    sdp_gpien with_sdp_gpien @ 0 : 4, multiple_msix with_multiple_msix @ 4 : 1, ocd with_ocd @ 5 : 1,
    eimen with_eimen @ 6 : 1, ll_interval with_ll_interval @ 7 : 4, rsc_delay with_rsc_delay @ 11 : 3,
    vt_mode with_vt_mode @ 14 : 2, eiame with_eiame @ 30 : 1, pba_support with_pba_support @ 31 : 1,
});

layout!(eitr, Eitr, u32 {
    interval with_interval @ 3 : 9, lli_en with_lli_en @ 15 : 1, lli_credit with_lli_credit @ 16 : 5,
    counter with_counter @ 21 : 7, cnt_wdis with_cnt_wdis @ 31 : 1,
});

layout!(ivar_byte, IvarByte, u8 {
    vector with_vector @ 0 : 6, valid with_valid @ 7 : 1,
});

layout!(hlreg0, Hlreg0, u32 {
    txcrcen with_txcrcen @ 0 : 1, rxcrcstrp with_rxcrcstrp @ 1 : 1, jumboen with_jumboen @ 2 : 1,
    txpaden with_txpaden @ 10 : 1, lpbk with_lpbk @ 15 : 1, mdcspd with_mdcspd @ 16 : 1,
    contmdc with_contmdc @ 17 : 1, prepend with_prepend @ 20 : 4, rxlngtherren with_rxlngtherren @ 27 : 1,
    rxpadstripen with_rxpadstripen @ 28 : 1,
});

layout!(maxfrs, Maxfrs, u32 {
    mfs with_mfs @ 16 : 16,
});

layout!(links, Links, u32 {
    link_status with_link_status @ 7 : 1, link_speed with_link_speed @ 28 : 2,
    link_up with_link_up @ 30 : 1, autoneg_complete with_autoneg_complete @ 31 : 1,
});

layout!(autoc, Autoc, u32 {
    flu with_flu @ 0 : 1, anack2 with_anack2 @ 1 : 1, ansf with_ansf @ 2 : 5,
    pma_10g_parallel with_pma_10g_parallel @ 7 : 2, pma_1g with_pma_1g @ 9 : 1,
    d10gmp with_d10gmp @ 10 : 1, ratd with_ratd @ 11 : 1, restart_an with_restart_an @ 12 : 1,
    lms with_lms @ 13 : 3, kr_support with_kr_support @ 16 : 1, fecr with_fecr @ 17 : 1,
    feca with_feca @ 18 : 1, kx_support with_kx_support @ 30 : 1, kx4_support with_kx4_support @ 31 : 1,
});

layout!(autoc2, Autoc2, u32 {
    pma_10g_serial with_pma_10g_serial @ 16 : 2,
});

layout!(msca, Msca, u32 {
    mdiadd with_mdiadd @ 0 : 16, devadd with_devadd @ 16 : 5, phyadd with_phyadd @ 21 : 5,
    opcode with_opcode @ 26 : 2, stcode with_stcode @ 28 : 2, mdicmd with_mdicmd @ 30 : 1,
});

layout!(mflcn, Mflcn, u32 {
    pmcf with_pmcf @ 0 : 1, dpf with_dpf @ 1 : 1, rpfce with_rpfce @ 2 : 1, rfce with_rfce @ 3 : 1,
});

layout!(fccfg, Fccfg, u32 {
    tfce with_tfce @ 3 : 2,
});

layout!(fcrtl, Fcrtl, u32 {
    rtl with_rtl @ 5 : 14, xone with_xone @ 31 : 1,
});

layout!(fcrth, Fcrth, u32 {
    rth with_rth @ 5 : 14, fcen with_fcen @ 31 : 1,
});

layout!(fctrl, Fctrl, u32 {
    sbp with_sbp @ 1 : 1, mpe with_mpe @ 8 : 1, upe with_upe @ 9 : 1, bam with_bam @ 10 : 1,
});

layout!(vlnctrl, Vlnctrl, u32 {
    vet with_vet @ 0 : 16, cfi with_cfi @ 28 : 1, cfien with_cfien @ 29 : 1, vfe with_vfe @ 30 : 1,
});

layout!(mcstctrl, Mcstctrl, u32 {
    mo with_mo @ 0 : 2, mfe with_mfe @ 2 : 1,
});

layout!(psrtype, Psrtype, u32 {
    nfs with_nfs @ 1 : 1, tcp with_tcp @ 4 : 1, udp with_udp @ 5 : 1, ipv4 with_ipv4 @ 8 : 1,
    ipv6 with_ipv6 @ 9 : 1, l2 with_l2 @ 12 : 1, rqpl with_rqpl @ 29 : 3,
});

layout!(rxcsum, Rxcsum, u32 {
    ippcse with_ippcse @ 12 : 1, pcsd with_pcsd @ 13 : 1,
});

layout!(rfctl, Rfctl, u32 {
    rsc_dis with_rsc_dis @ 5 : 1, nfsw_dis with_nfsw_dis @ 6 : 1, nfsr_dis with_nfsr_dis @ 7 : 1,
    nfs_ver with_nfs_ver @ 8 : 2, ipv6_dis with_ipv6_dis @ 10 : 1, ipfrsp_dis with_ipfrsp_dis @ 14 : 1,
});

layout!(rah, Rah, u32 {
    address with_address @ 0 : 16, av with_av @ 31 : 1,
});

layout!(mrqc, Mrqc, u32 {
    mrqe with_mrqe @ 0 : 4, tcp_ipv4 with_tcp_ipv4 @ 16 : 1, ipv4 with_ipv4 @ 17 : 1,
    ipv6 with_ipv6 @ 20 : 1, tcp_ipv6 with_tcp_ipv6 @ 21 : 1, udp_ipv4 with_udp_ipv4 @ 22 : 1,
    udp_ipv6 with_udp_ipv6 @ 23 : 1,
});

layout!(rxctrl, Rxctrl, u32 {
    rxen with_rxen @ 0 : 1,
});

layout!(rxdctl, Rxdctl, u32 {
    enable with_enable @ 25 : 1, swflsh with_swflsh @ 26 : 1, vme with_vme @ 30 : 1,
});

layout!(srrctl, Srrctl, u32 {
    bsizepacket with_bsizepacket @ 0 : 5, bsizeheader with_bsizeheader @ 8 : 6, rdmts with_rdmts @ 22 : 3,
    desctype with_desctype @ 25 : 3, drop_en with_drop_en @ 28 : 1,
});

layout!(rscctl, Rscctl, u32 {
    rscen with_rscen @ 0 : 1, maxdesc with_maxdesc @ 2 : 2,
});

layout!(rdrxctl, Rdrxctl, u32 {
    crcstrip with_crcstrip @ 1 : 1, dmaidone with_dmaidone @ 3 : 1, rscfrstsize with_rscfrstsize @ 17 : 5,
    rscackc with_rscackc @ 25 : 1, fcoe_wrfix with_fcoe_wrfix @ 26 : 1,
});

layout!(packet_buffer, PacketBuffer, u32 {
    kib with_kib @ 10 : 10,
});

layout!(rscdbu, Rscdbu, u32 {
    rscsmaldis with_rscsmaldis @ 0 : 7, rscackdis with_rscackdis @ 7 : 1,
});

layout!(dca_rxctrl, DcaRxctrl, u32 {
    desc_dca with_desc_dca @ 5 : 1, head_dca with_head_dca @ 6 : 1, data_dca with_data_dca @ 7 : 1,
    desc_read_ro with_desc_read_ro @ 9 : 1, reserved_12 with_reserved_12 @ 12 : 1,
    data_write_ro with_data_write_ro @ 13 : 1, head_write_ro with_head_write_ro @ 15 : 1,
    cpuid with_cpuid @ 24 : 8,
});

layout!(dmatxctl, Dmatxctl, u32 {
    te with_te @ 0 : 1, gdv with_gdv @ 3 : 1, vt with_vt @ 16 : 16,
});

layout!(dtxmxszrq, Dtxmxszrq, u32 {
    max_bytes with_max_bytes @ 0 : 12,
});

layout!(txdctl, Txdctl, u32 {
    pthresh with_pthresh @ 0 : 7, hthresh with_hthresh @ 8 : 7, wthresh with_wthresh @ 16 : 7,
    enable with_enable @ 25 : 1, swflsh with_swflsh @ 26 : 1,
});

layout!(tdwbal, Tdwbal, u32 {
    head_wb_en with_head_wb_en @ 0 : 1, address_quarter with_address_quarter @ 2 : 30,
});

layout!(mtqc, Mtqc, u32 {
    rt_ena with_rt_ena @ 0 : 1, vt_ena with_vt_ena @ 1 : 1, num_tc_or_q with_num_tc_or_q @ 2 : 2,
});

layout!(rttdcs, Rttdcs, u32 {
    tdpac with_tdpac @ 0 : 1, vmpac with_vmpac @ 1 : 1, tdrm with_tdrm @ 4 : 1, arbdis with_arbdis @ 6 : 1,
    lttdesc with_lttdesc @ 17 : 3, bdpm with_bdpm @ 22 : 1, bpbfsm with_bpbfsm @ 23 : 1,
    speed_chg with_speed_chg @ 31 : 1,
});

layout!(dca_txctrl, DcaTxctrl, u32 {
    desc_dca with_desc_dca @ 5 : 1, desc_read_ro with_desc_read_ro @ 9 : 1,
    desc_write_ro with_desc_write_ro @ 11 : 1, data_read_ro with_data_read_ro @ 13 : 1,
    cpuid with_cpuid @ 24 : 8,
});

#[test]
fn a_new_value_keeps_the_reserved_bits_that_must_be_one() {
    assert_eq!(Hlreg0::new().into_bits(), 1 << 3 | 1 << 11 | 1 << 13);
    assert_eq!(Rdrxctl::new().into_bits(), 1 << 11 | 1 << 15);
    assert_eq!(Dmatxctl::new().vt(), 0x8100);
}

#[test]
fn the_reset_values_mean_what_the_datasheet_says() {
    let hlreg0 = Hlreg0::from_bits(HLREG0.reset);
    assert!(hlreg0.txcrcen() && hlreg0.rxcrcstrp() && hlreg0.txpaden() && !hlreg0.jumboen());
    assert_eq!(Maxfrs::from_bits(MAXFRS.reset).mfs(), 1518);
    assert_eq!(Srrctl::from_bits(SRRCTL.reset).bsizepacket(), 2);
    assert_eq!(PacketBuffer::from_bits(RXPBSIZE.reset_at(0)).kib(), 512);
    assert_eq!(PacketBuffer::from_bits(TXPBSIZE.reset_at(0)).kib(), 160);
    assert_eq!(PacketBuffer::from_bits(TXPBSIZE.reset_at(1)).kib(), 0);
    assert_eq!(Dmatxctl::from_bits(DMATXCTL.reset), Dmatxctl::new());
    assert_eq!(Autoc::from_bits(AUTOC.reset).lms(), Autoc::LMS_10G_SERIAL);
    assert_eq!(Rdrxctl::from_bits(RDRXCTL.reset).rscfrstsize(), 8);
}

#[test]
fn a_link_speed_is_told_in_megabits() {
    let speeds = [0, 1, 2, 3].map(|code| Links::new().with_link_speed(code).mbps());
    assert_eq!(speeds, [0, 100, 1_000, 10_000]);
}

#[test]
fn coalescing_takes_1_4_8_or_16_descriptors() {
    let most = [0, 1, 2, 3].map(|code| Rscctl::new().with_maxdesc(code).max_descriptors());
    assert_eq!(most, [1, 4, 8, 16]);
}

#[test]
fn a_packet_may_have_40_descriptors_less_the_write_back_threshold_less_2() {
    assert_eq!(max_descriptors_per_packet(0), 38);
    assert_eq!(max_descriptors_per_packet(8), 30);
}
