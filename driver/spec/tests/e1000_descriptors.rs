//! The words of the 82540EM's descriptors, bit by bit (317453, §3.2.3, §3.3.3, §3.3.6, §3.3.7).

mod layout;

use pagewire_spec::e1000::{RxWriteBack, TxContext0, TxContext1, TxData, TxKind, TxLegacy};

layout!(transmit_legacy_3_3_3, TxLegacy, u64 {
    length with_length @ 0 : 16, cso with_cso @ 16 : 8, eop with_eop @ 24 : 1, ifcs with_ifcs @ 25 : 1,
    ic with_ic @ 26 : 1, rs with_rs @ 27 : 1, rps with_rps @ 28 : 1, dext with_dext @ 29 : 1,
    vle with_vle @ 30 : 1, ide with_ide @ 31 : 1, dd with_dd @ 32 : 1, ec with_ec @ 33 : 1,
    lc with_lc @ 34 : 1, tu with_tu @ 35 : 1, css with_css @ 40 : 8, special with_special @ 48 : 16,
});

layout!(transmit_context_word_0_3_3_6, TxContext0, u64 {
    ipcss with_ipcss @ 0 : 8, ipcso with_ipcso @ 8 : 8, ipcse with_ipcse @ 16 : 16,
    tucss with_tucss @ 32 : 8, tucso with_tucso @ 40 : 8, tucse with_tucse @ 48 : 16,
});

layout!(transmit_context_word_1_3_3_6, TxContext1, u64 {
    paylen with_paylen @ 0 : 20, dtyp with_dtyp @ 20 : 4, tcp with_tcp @ 24 : 1, ip with_ip @ 25 : 1,
    tse with_tse @ 26 : 1, rs with_rs @ 27 : 1, dext with_dext @ 29 : 1, ide with_ide @ 31 : 1,
    dd with_dd @ 32 : 1, hdrlen with_hdrlen @ 40 : 8, mss with_mss @ 48 : 16,
});

layout!(transmit_data_3_3_7, TxData, u64 {
    dtalen with_dtalen @ 0 : 20, dtyp with_dtyp @ 20 : 4, eop with_eop @ 24 : 1, ifcs with_ifcs @ 25 : 1,
    tse with_tse @ 26 : 1, rs with_rs @ 27 : 1, rps with_rps @ 28 : 1, dext with_dext @ 29 : 1,
    vle with_vle @ 30 : 1, ide with_ide @ 31 : 1, dd with_dd @ 32 : 1, ec with_ec @ 33 : 1,
    lc with_lc @ 34 : 1, tu with_tu @ 35 : 1, ixsm with_ixsm @ 40 : 1, txsm with_txsm @ 41 : 1,
    special with_special @ 48 : 16,
});

layout!(receive_write_back_3_2_3, RxWriteBack, u64 {
    length with_length @ 0 : 16, checksum with_checksum @ 16 : 16, dd with_dd @ 32 : 1,
    eop with_eop @ 33 : 1, ixsm with_ixsm @ 34 : 1, vp with_vp @ 35 : 1, udpcs with_udpcs @ 36 : 1,
    tcpcs with_tcpcs @ 37 : 1, ipcs with_ipcs @ 38 : 1, pif with_pif @ 39 : 1, ce with_ce @ 40 : 1,
    se with_se @ 41 : 1, seq with_seq @ 42 : 1, cxe with_cxe @ 44 : 1, tcpe with_tcpe @ 45 : 1,
    ipe with_ipe @ 46 : 1, rxe with_rxe @ 47 : 1, special with_special @ 48 : 16,
});

#[test]
fn a_new_extended_descriptor_says_what_it_is() {
    assert_eq!(TxKind::of(TxContext1::new().into_bits()), TxKind::Context);
    assert_eq!(TxKind::of(TxData::new().into_bits()), TxKind::Data);
    assert_eq!(TxKind::of(TxLegacy::new().into_bits()), TxKind::Legacy);
    assert_eq!(
        TxKind::of(TxData::new().with_dtyp(7).into_bits()),
        TxKind::Reserved(7)
    );
}

#[test]
fn a_legacy_descriptor_stays_one_whatever_lies_in_its_other_bits() {
    assert_eq!(TxKind::of(!(1 << 29)), TxKind::Legacy);
}

/// The words that Linux's e1000 driver builds for a 64 KiB TCP segment over IPv4: 14 + 20 + 32 bytes of headers.
#[test]
fn a_segmentation_context_is_the_word_that_other_drivers_write() {
    let word0 = TxContext0::new()
        .with_ipcss(14)
        .with_ipcso(14 + 10)
        .with_ipcse(14 + 20 - 1)
        .with_tucss(34)
        .with_tucso(34 + 16);
    let word1 = TxContext1::new()
        .with_paylen(65_000)
        .with_tcp(true)
        .with_ip(true)
        .with_tse(true)
        .with_hdrlen(66)
        .with_mss(1448);
    assert_eq!(word0.into_bits(), 0x0000_3222_0021_180e);
    assert_eq!(word1.into_bits(), 0x05a8_4200_2700_fde8);
}
