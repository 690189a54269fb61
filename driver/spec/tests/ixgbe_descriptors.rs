//! The words of the 82599's advanced descriptors, bit by bit (331520, §7.1.6, §7.2.3.2).

mod layout;

use pagewire_spec::ixgbe::{
    RssType, RxRead0, RxRead1, RxWriteBack0, RxWriteBack1, TxContext0, TxContext1, TxData, TxKind,
    TxWriteBack,
};

layout!(transmit_context_word_0_7_2_3_2_3, TxContext0, u64 {
    iplen with_iplen @ 0 : 9, maclen with_maclen @ 9 : 7, vlan with_vlan @ 16 : 16,
    ipsec_sa with_ipsec_sa @ 32 : 10, fcoef with_fcoef @ 42 : 6,
});

layout!(transmit_context_word_1_7_2_3_2_3, TxContext1, u64 {
    ips_esp_len with_ips_esp_len @ 0 : 9, snap with_snap @ 9 : 1, ipv4 with_ipv4 @ 10 : 1,
    l4t with_l4t @ 11 : 2, ipsec_esp with_ipsec_esp @ 13 : 1, ipsec_encrypt with_ipsec_encrypt @ 14 : 1,
    fcoe with_fcoe @ 15 : 1, dtyp with_dtyp @ 20 : 4, dext with_dext @ 29 : 1, idx with_idx @ 36 : 3,
    l4len with_l4len @ 40 : 8, mss with_mss @ 48 : 16,
});

layout!(transmit_data_7_2_3_2_4, TxData, u64 {
    dtalen with_dtalen @ 0 : 16, linksec with_linksec @ 18 : 1, timestamp with_timestamp @ 19 : 1,
    dtyp with_dtyp @ 20 : 4, eop with_eop @ 24 : 1, ifcs with_ifcs @ 25 : 1, rs with_rs @ 27 : 1,
    dext with_dext @ 29 : 1, vle with_vle @ 30 : 1, tse with_tse @ 31 : 1, dd with_dd @ 32 : 1,
    idx with_idx @ 36 : 3, cc with_cc @ 39 : 1, ixsm with_ixsm @ 40 : 1, txsm with_txsm @ 41 : 1,
    ipsec with_ipsec @ 42 : 1, paylen with_paylen @ 46 : 18,
});

layout!(transmit_write_back_7_2_3_2_5, TxWriteBack, u64 {
    dd with_dd @ 32 : 1,
});

layout!(receive_read_word_0_7_1_6_1, RxRead0, u64 {
    packet_address with_packet_address @ 0 : 64,
});

layout!(receive_read_word_1_7_1_6_1, RxRead1, u64 {
    dd with_dd @ 0 : 1, header_address_half with_header_address_half @ 1 : 63,
});

layout!(receive_write_back_word_0_7_1_6_2, RxWriteBack0, u64 {
    rss_type with_rss_type @ 0 : 4, ipv4 with_ipv4 @ 4 : 1, ipv4_extensions with_ipv4_extensions @ 5 : 1,
    ipv6 with_ipv6 @ 6 : 1, ipv6_extensions with_ipv6_extensions @ 7 : 1, tcp with_tcp @ 8 : 1,
    udp with_udp @ 9 : 1, sctp with_sctp @ 10 : 1, nfs with_nfs @ 11 : 1,
    ipsec_esp with_ipsec_esp @ 12 : 1, ipsec_ah with_ipsec_ah @ 13 : 1, linksec with_linksec @ 14 : 1,
    l2 with_l2 @ 15 : 1, rsccnt with_rsccnt @ 17 : 4, hdr_len with_hdr_len @ 21 : 10,
    sph with_sph @ 31 : 1, rss_hash with_rss_hash @ 32 : 32,
});

layout!(receive_write_back_word_1_7_1_6_2, RxWriteBack1, u64 {
    dd with_dd @ 0 : 1, eop with_eop @ 1 : 1, flm with_flm @ 2 : 1, vp with_vp @ 3 : 1,
    udpcs with_udpcs @ 4 : 1, l4cs with_l4cs @ 5 : 1, ipcs with_ipcs @ 6 : 1, pif with_pif @ 7 : 1,
    vext with_vext @ 9 : 1, udpv with_udpv @ 10 : 1, llint with_llint @ 11 : 1, ts with_ts @ 16 : 1,
    secp with_secp @ 17 : 1, lb with_lb @ 18 : 1, fdirerr with_fdirerr @ 20 : 3, hbo with_hbo @ 23 : 1,
    secerr with_secerr @ 27 : 2, rxe with_rxe @ 29 : 1, l4e with_l4e @ 30 : 1, ipe with_ipe @ 31 : 1,
    length with_length @ 32 : 16, vlan with_vlan @ 48 : 16,
});

proptest::proptest! {
    #[test]
    fn the_next_descriptor_takes_bits_19_to_4_and_leaves_the_rest(raw: u64, index: u16) {
        let word = RxWriteBack1::from_bits(raw).with_next_descriptor(index);
        proptest::prop_assert_eq!(word.next_descriptor(), index);
        proptest::prop_assert_eq!(word.into_bits() & !0xf_fff0, raw & !0xf_fff0);
        proptest::prop_assert_eq!(word.into_bits() >> 4 & 0xffff, u64::from(index));
    }

    #[test]
    fn an_even_header_address_survives_and_never_looks_done(half: u64) {
        let word = RxRead1::for_header_buffer(half << 1);
        proptest::prop_assert_eq!(word.header_address(), half << 1);
        proptest::prop_assert_eq!(word.into_bits(), half << 1);
        proptest::prop_assert!(!word.dd());
    }
}

#[test]
fn a_new_transmit_descriptor_says_what_it_is() {
    assert_eq!(TxKind::of(TxContext1::new().into_bits()), TxKind::Context);
    assert_eq!(TxKind::of(TxData::new().into_bits()), TxKind::Data);
    assert_eq!(TxKind::of(0), TxKind::Legacy);
    assert_eq!(
        TxKind::of(TxData::new().with_dtyp(0).into_bits()),
        TxKind::Reserved(0)
    );
}

/// The words that Linux's ixgbe driver builds for a TCP segment over IPv4: 14 + 20 + 32 bytes of headers.
#[test]
fn a_segmentation_request_is_the_words_that_other_drivers_write() {
    let context0 = TxContext0::new().with_iplen(20).with_maclen(14);
    let context1 = TxContext1::new()
        .with_ipv4(true)
        .with_l4t(TxContext1::TCP)
        .with_l4len(32)
        .with_mss(1448);
    let data = TxData::new()
        .with_dtalen(66)
        .with_ifcs(true)
        .with_tse(true)
        .with_ixsm(true)
        .with_txsm(true)
        .with_paylen(65_000);
    assert_eq!(context0.into_bits(), 0x1c14);
    assert_eq!(context1.into_bits(), 0x05a8_2000_2020_0c00);
    assert_eq!(data.into_bits(), 0x3f7a_0300_a230_0042);
}

#[test]
fn the_done_bit_of_a_write_back_is_the_one_of_a_data_descriptor() {
    assert!(TxData::from_bits(TxWriteBack::new().with_dd(true).into_bits()).dd());
}

#[test]
fn an_rss_type_has_the_code_that_a_descriptor_reports() {
    for code in 0..=15 {
        if let Some(kind) = RssType::from_code(code) {
            assert_eq!(kind as u8, code);
        }
    }
    assert_eq!(RssType::from_code(1), Some(RssType::TcpIpv4));
    assert_eq!(RssType::from_code(15), None);
}
