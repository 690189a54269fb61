//! The bits of the 82574L's register values that are its own (317694, §10.2).

mod layout;

use pagewire_spec::e1000e::{
    Ctrl, CtrlExt, Eecd, Eerd, ExtcnfCtrl, Gcr, Icr, Ivar, Rfctl, Status, Tarc, Txdctl,
};

layout!(ctrl, Ctrl, u32 {
    fd with_fd @ 0 : 1, gio_master_disable with_gio_master_disable @ 2 : 1, asde with_asde @ 5 : 1,
    slu with_slu @ 6 : 1, speed with_speed @ 8 : 2, frcspd with_frcspd @ 11 : 1,
    frcdplx with_frcdplx @ 12 : 1, advd3wuc with_advd3wuc @ 20 : 1, rst with_rst @ 26 : 1,
    rfce with_rfce @ 27 : 1, tfce with_tfce @ 28 : 1, reserved_29 with_reserved_29 @ 29 : 1,
    vme with_vme @ 30 : 1, phy_rst with_phy_rst @ 31 : 1,
});

layout!(status, Status, u32 {
    fd with_fd @ 0 : 1, lu with_lu @ 1 : 1, txoff with_txoff @ 4 : 1, speed with_speed @ 6 : 2,
    asdv with_asdv @ 8 : 2, phyra with_phyra @ 10 : 1, gio_master_enable with_gio_master_enable @ 19 : 1,
});

layout!(eecd, Eecd, u32 {
    sk with_sk @ 0 : 1, cs with_cs @ 1 : 1, di with_di @ 2 : 1, data_out with_data_out @ 3 : 1,
    fwe with_fwe @ 4 : 2, ee_req with_ee_req @ 6 : 1, ee_gnt with_ee_gnt @ 7 : 1,
    ee_pres with_ee_pres @ 8 : 1, auto_rd with_auto_rd @ 9 : 1,
});

layout!(eerd, Eerd, u32 {
    start with_start @ 0 : 1, done with_done @ 1 : 1, addr with_addr @ 2 : 14, data with_data @ 16 : 16,
});

layout!(ctrl_ext, CtrlExt, u32 {
    asdchk with_asdchk @ 12 : 1, ee_rst with_ee_rst @ 13 : 1, spd_byps with_spd_byps @ 15 : 1,
    ro_dis with_ro_dis @ 17 : 1, tx_ls_flow with_tx_ls_flow @ 22 : 1, tx_ls with_tx_ls @ 23 : 1,
    eiame with_eiame @ 24 : 1, iame with_iame @ 27 : 1, drv_load with_drv_load @ 28 : 1,
    int_timers_clear_ena with_int_timers_clear_ena @ 29 : 1, pba_clr with_pba_clr @ 31 : 1,
});

layout!(extcnf_ctrl, ExtcnfCtrl, u32 {
    mdio_sw_ownership with_mdio_sw_ownership @ 5 : 1,
});

layout!(icr, Icr, u32 {
    txdw with_txdw @ 0 : 1, txqe with_txqe @ 1 : 1, lsc with_lsc @ 2 : 1, rxdmt0 with_rxdmt0 @ 4 : 1,
    rxo with_rxo @ 6 : 1, rxt0 with_rxt0 @ 7 : 1, mdac with_mdac @ 9 : 1, txd_low with_txd_low @ 15 : 1,
    srpd with_srpd @ 16 : 1, ack with_ack @ 17 : 1, mng with_mng @ 18 : 1, rxq0 with_rxq0 @ 20 : 1,
    rxq1 with_rxq1 @ 21 : 1, txq0 with_txq0 @ 22 : 1, txq1 with_txq1 @ 23 : 1, other with_other @ 24 : 1,
    int_asserted with_int_asserted @ 31 : 1,
});

layout!(ivar, Ivar, u32 {
    rxq0 with_rxq0 @ 0 : 3, rxq0_valid with_rxq0_valid @ 3 : 1, rxq1 with_rxq1 @ 4 : 3,
    rxq1_valid with_rxq1_valid @ 7 : 1, txq0 with_txq0 @ 8 : 3, txq0_valid with_txq0_valid @ 11 : 1,
    txq1 with_txq1 @ 12 : 3, txq1_valid with_txq1_valid @ 15 : 1, other with_other @ 16 : 3,
    other_valid with_other_valid @ 19 : 1, every_write_back with_every_write_back @ 31 : 1,
});

layout!(rfctl, Rfctl, u32 {
    ipv6_dis with_ipv6_dis @ 10 : 1, ipv6_xsum_dis with_ipv6_xsum_dis @ 11 : 1, ack_dis with_ack_dis @ 12 : 1, exsten with_exsten @ 15 : 1,
});

layout!(txdctl, Txdctl, u32 {
    pthresh with_pthresh @ 0 : 6, hthresh with_hthresh @ 8 : 6, wthresh with_wthresh @ 16 : 6,
    count_desc with_count_desc @ 22 : 1, gran with_gran @ 24 : 1, lwthresh with_lwthresh @ 25 : 7,
});

layout!(tarc, Tarc, u32 {
    count with_count @ 0 : 7, enable with_enable @ 10 : 1, bit_26 with_bit_26 @ 26 : 1,
    bits_27_to_30 with_bits_27_to_30 @ 27 : 4,
});

layout!(gcr, Gcr, u32 {
    bit_22 with_bit_22 @ 22 : 1, l1_act_without_l0s_rx with_l1_act_without_l0s_rx @ 27 : 1,
});
