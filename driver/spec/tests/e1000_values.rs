//! The bits of the 82540EM's register values (317453, §13.4 and §13.5).

mod layout;

use pagewire_spec::e1000::{
    Ctrl, CtrlExt, Eecd, Eerd, Icr, Mdic, Rah, Rctl, Rxcsum, Rxdctl, Status, Tctl, Tipg, Txdctl,
};

layout!(ctrl, Ctrl, u32 {
    fd with_fd @ 0 : 1, lrst with_lrst @ 3 : 1, asde with_asde @ 5 : 1, slu with_slu @ 6 : 1,
    ilos with_ilos @ 7 : 1, speed with_speed @ 8 : 2, frcspd with_frcspd @ 11 : 1,
    frcdplx with_frcdplx @ 12 : 1, sdp0_data with_sdp0_data @ 18 : 1, sdp1_data with_sdp1_data @ 19 : 1,
    advd3wuc with_advd3wuc @ 20 : 1, en_phy_pwr_mgmt with_en_phy_pwr_mgmt @ 21 : 1,
    sdp0_iodir with_sdp0_iodir @ 22 : 1, sdp1_iodir with_sdp1_iodir @ 23 : 1, rst with_rst @ 26 : 1,
    rfce with_rfce @ 27 : 1, tfce with_tfce @ 28 : 1, vme with_vme @ 30 : 1, phy_rst with_phy_rst @ 31 : 1,
});

layout!(status, Status, u32 {
    fd with_fd @ 0 : 1, lu with_lu @ 1 : 1, function_id with_function_id @ 2 : 2, txoff with_txoff @ 4 : 1,
    tbimode with_tbimode @ 5 : 1, speed with_speed @ 6 : 2, asdv with_asdv @ 8 : 2,
    mtxckok with_mtxckok @ 10 : 1, pci66 with_pci66 @ 11 : 1, bus64 with_bus64 @ 12 : 1,
    pcix_mode with_pcix_mode @ 13 : 1, pcixspd with_pcixspd @ 14 : 2,
});

layout!(eecd, Eecd, u32 {
    sk with_sk @ 0 : 1, cs with_cs @ 1 : 1, di with_di @ 2 : 1, data_out with_data_out @ 3 : 1,
    fwe with_fwe @ 4 : 2, ee_req with_ee_req @ 6 : 1, ee_gnt with_ee_gnt @ 7 : 1,
    ee_pres with_ee_pres @ 8 : 1, ee_size with_ee_size @ 9 : 1,
});

layout!(eerd, Eerd, u32 {
    start with_start @ 0 : 1, done with_done @ 4 : 1, addr with_addr @ 8 : 8, data with_data @ 16 : 16,
});

layout!(ctrl_ext, CtrlExt, u32 {
    asdchk with_asdchk @ 12 : 1, ee_rst with_ee_rst @ 13 : 1, spd_byps with_spd_byps @ 15 : 1,
    ro_dis with_ro_dis @ 17 : 1, link_mode with_link_mode @ 22 : 2,
});

layout!(mdic, Mdic, u32 {
    data with_data @ 0 : 16, regadd with_regadd @ 16 : 5, phyadd with_phyadd @ 21 : 5, op with_op @ 26 : 2,
    ready with_ready @ 28 : 1, interrupt with_interrupt @ 29 : 1, error with_error @ 30 : 1,
});

layout!(icr, Icr, u32 {
    txdw with_txdw @ 0 : 1, txqe with_txqe @ 1 : 1, lsc with_lsc @ 2 : 1, rxseq with_rxseq @ 3 : 1,
    rxdmt0 with_rxdmt0 @ 4 : 1, rxo with_rxo @ 6 : 1, rxt0 with_rxt0 @ 7 : 1, mdac with_mdac @ 9 : 1,
    rxcfg with_rxcfg @ 10 : 1, phyint with_phyint @ 12 : 1, gpi with_gpi @ 13 : 2,
    txd_low with_txd_low @ 15 : 1, srpd with_srpd @ 16 : 1,
});

layout!(rctl, Rctl, u32 {
    en with_en @ 1 : 1, sbp with_sbp @ 2 : 1, upe with_upe @ 3 : 1, mpe with_mpe @ 4 : 1,
    lpe with_lpe @ 5 : 1, lbm with_lbm @ 6 : 2, rdmts with_rdmts @ 8 : 2, mo with_mo @ 12 : 2,
    bam with_bam @ 15 : 1, bsize with_bsize @ 16 : 2, vfe with_vfe @ 18 : 1, cfien with_cfien @ 19 : 1,
    cfi with_cfi @ 20 : 1, dpf with_dpf @ 22 : 1, pmcf with_pmcf @ 23 : 1, bsex with_bsex @ 25 : 1,
    secrc with_secrc @ 26 : 1,
});

layout!(tctl, Tctl, u32 {
    en with_en @ 1 : 1, psp with_psp @ 3 : 1, ct with_ct @ 4 : 8, cold with_cold @ 12 : 10,
    swxoff with_swxoff @ 22 : 1, rtlc with_rtlc @ 24 : 1, nrtu with_nrtu @ 25 : 1,
});

layout!(tipg, Tipg, u32 {
    ipgt with_ipgt @ 0 : 10, ipgr1 with_ipgr1 @ 10 : 10, ipgr2 with_ipgr2 @ 20 : 10,
});

layout!(rxdctl, Rxdctl, u32 {
    pthresh with_pthresh @ 0 : 6, hthresh with_hthresh @ 8 : 6, wthresh with_wthresh @ 16 : 6,
    gran with_gran @ 24 : 1,
});

layout!(txdctl, Txdctl, u32 {
    pthresh with_pthresh @ 0 : 6, hthresh with_hthresh @ 8 : 6, wthresh with_wthresh @ 16 : 6,
    gran with_gran @ 24 : 1, lwthresh with_lwthresh @ 25 : 7,
});

layout!(rxcsum, Rxcsum, u32 {
    pcss with_pcss @ 0 : 8, ipofl with_ipofl @ 8 : 1, tuofl with_tuofl @ 9 : 1,
    ipv6ofl with_ipv6ofl @ 10 : 1,
});

layout!(rah, Rah, u32 {
    address with_address @ 0 : 16, select with_select @ 16 : 2, av with_av @ 31 : 1,
});

#[test]
fn every_receive_buffer_length_has_a_code_that_means_it() {
    for len in [256, 512, 1024, 2048, 4096, 8192, 16384] {
        let rctl = Rctl::new()
            .with_buffer_len(len)
            .expect("a length of the datasheet");
        assert_eq!(rctl.buffer_len(), Some(len));
    }
    assert_eq!(Rctl::new().with_buffer_len(1500), None);
    assert_eq!(
        Rctl::new().with_bsex(true).buffer_len(),
        None,
        "BSIZE 0 is reserved with BSEX"
    );
}

#[test]
fn a_link_speed_is_told_in_megabits() {
    let speeds = [0, 1, 2, 3].map(|code| Status::new().with_speed(code).mbps());
    assert_eq!(speeds, [10, 100, 1000, 1000]);
}
