//! What a driver leaves to the device: checksums, and the cutting of segments or their passing whole.

mod raw;

use pagewire_emu::Model;
use pagewire_spec::{e1000, ixgbe};
use raw::{MAC_A, MAC_B, MODELS, Offload, Raw, Setup, checksums_hold, headers, pair, pair_of};

/// Posts a TCP packet of header and payload; the payload lies in pieces of 5000 bytes.
fn post_tcp(a: &mut Raw, v4: bool, mss: u16, payload: usize) -> Vec<u8> {
    let header = headers(MAC_B, v4, if mss > 0 { None } else { Some(payload) }, 4000);
    let bytes: Vec<u8> = (0..payload).map(|at| (at * 13 + at / 257) as u8).collect();
    a.out.write(0, &header);
    a.out.write(4096, &bytes);
    let offload = Offload { v4, mss };
    let context = a.context(offload, payload);
    a.put(context);
    let total = if mss > 0 { payload } else { payload + header.len() };
    let words = a.data(a.out.iova, header.len(), payload == 0, Some(offload), total);
    a.put(words);
    for offset in (0..payload).step_by(5000) {
        let len = (payload - offset).min(5000);
        let end = offset + len == payload;
        let words = a.data(a.out.iova + 4096 + offset as u64, len, end, Some(offload), total);
        a.put(words);
    }
    a.ring();
    a.step();
    bytes
}

#[test]
fn checksums_are_inserted_and_judged() {
    for model in MODELS {
        for v4 in [true, false] {
            let (mut a, mut b) = pair(model);
            b.post(8);
            let payload = post_tcp(&mut a, v4, 0, 1001);
            let (got, word) = b.received(0).expect("arrived");
            assert!(checksums_hold(&got), "{model:?} {v4}");
            assert_eq!(got[got.len() - 1001..], payload);
            assert_eq!(verdict(model, word), (v4.then_some(true), Some(true)));
            a.assert_clean();
            b.assert_clean();
        }
    }
}

/// Verdicts on IPv4 header and TCP: good or bad, if checked.
fn verdict(model: Model, word: u64) -> (Option<bool>, Option<bool>) {
    match model {
        Model::E1000 | Model::E1000e => {
            let word = e1000::RxWriteBack::from_bits(word);
            (
                word.ipcs().then_some(!word.ipe()),
                word.tcpcs().then_some(!word.tcpe()),
            )
        }
        Model::Ixgbe => {
            let word = ixgbe::RxWriteBack1::from_bits(word);
            (
                word.ipcs().then_some(!word.ipe()),
                word.l4cs().then_some(!word.l4e()),
            )
        }
    }
}

#[test]
fn a_wrong_checksum_is_seen() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        let mut sent = headers(MAC_B, true, Some(100), 4000);
        sent.extend([7; 100]);
        a.out.write(0, &sent);
        a.send(0, sent.len());
        let (_, word) = b.received(0).expect("arrived");
        assert_eq!(verdict(model, word), (Some(false), Some(false)), "{model:?}");
    }
}

#[test]
fn a_segment_is_cut_for_a_receiver_that_takes_no_whole_ones() {
    for model in MODELS {
        for v4 in [true, false] {
            let mut far = Setup::new(model, MAC_B);
            far.options.whole_segments = false;
            let (mut a, mut b) = pair_of(&Setup::new(model, MAC_A), &far);
            b.post(60);
            let payload = post_tcp(&mut a, v4, 1460, 40_000);
            let (mut joined, mut slot) = (Vec::<u8>::new(), 0);
            while let Some((got, word)) = b.received(slot) {
                assert!(checksums_hold(&got), "{model:?} {v4} {slot}");
                assert_eq!(verdict(model, word).1, Some(true));
                let header = if v4 { 54 } else { 74 };
                let sequence = u32::from_be_bytes(got[header - 16..header - 12].try_into().expect("4"));
                assert_eq!(sequence as usize, 9 + joined.len());
                joined.extend(&got[header..]);
                slot += 1;
            }
            assert_eq!(slot, 28);
            assert!(joined == payload);
            a.assert_clean();
            b.assert_clean();
        }
    }
}

#[test]
fn a_segment_passes_whole_with_its_ip_length() {
    for model in MODELS {
        for v4 in [true, false] {
            let mut far = Setup::new(model, MAC_B);
            far.coalesce = true;
            far.buffer_len = if model == Model::Ixgbe { 8192 } else { 16384 };
            let (mut a, mut b) = pair_of(&Setup::new(model, MAC_A), &far);
            b.post(16);
            let payload = post_tcp(&mut a, v4, 1460, 60_000);
            let (got, word) = b.received(0).expect("arrived");
            let header = if v4 { 54 } else { 74 };
            assert_eq!(got.len(), header + 60_000);
            assert!(got[header..] == payload);
            let length = if v4 { &got[16..18] } else { &got[18..20] };
            assert_eq!(
                usize::from(u16::from_be_bytes([length[0], length[1]])),
                60_020 + if v4 { 20 } else { 0 }
            );
            assert_eq!(verdict(model, word), (v4.then_some(true), Some(true)));
            assert_eq!(a.nic.wire_counters().frames, 1);
            a.assert_clean();
            b.assert_clean();
        }
    }
}

/// The 82599 segments up to 256 KiB, and a receiver that coalesces makes packets of at most 64 KiB.
#[test]
fn a_segment_longer_than_a_packet_arrives_in_parts_of_whole_frames() {
    let mut far = Setup::new(Model::Ixgbe, MAC_B);
    far.coalesce = true;
    far.buffer_len = 8192;
    for v4 in [true, false] {
        let (mut a, mut b) = pair_of(&Setup::new(Model::Ixgbe, MAC_A), &far);
        b.post(40);
        let payload = post_tcp(&mut a, v4, 1460, 180_000);
        let header = if v4 { 54 } else { 74 };
        let whole = (65_535 - header + 14) / 1460 * 1460;
        let (mut joined, mut slot) = (Vec::<u8>::new(), 0);
        while let Some((got, word)) = b.received(slot) {
            let part = whole.min(180_000 - joined.len());
            assert_eq!(got.len(), header + part);
            let length = if v4 { &got[16..18] } else { &got[18..20] };
            let ip = if v4 { got.len() - 14 } else { got.len() - 54 };
            assert_eq!(usize::from(u16::from_be_bytes([length[0], length[1]])), ip);
            let sequence = u32::from_be_bytes(got[header - 16..header - 12].try_into().expect("4"));
            assert_eq!(sequence as usize, 9 + joined.len());
            let pushes = got[header - 7] & 8 != 0;
            joined.extend(&got[header..]);
            assert_eq!(pushes, joined.len() == 180_000, "PSH is the last one's");
            assert_eq!(verdict(Model::Ixgbe, word), (v4.then_some(true), Some(true)));
            slot += got.len().div_ceil(8192) as u32;
        }
        assert!(joined == payload);
        assert_eq!(a.nic.wire_counters().frames, 3);
        a.assert_clean();
        b.assert_clean();
    }
}

#[test]
fn whole_segments_go_only_to_a_queue_that_coalesces() {
    let (mut a, mut b) = pair(Model::Ixgbe);
    b.post(60);
    post_tcp(&mut a, true, 1460, 10_000);
    let (got, _) = b.received(0).expect("arrived");
    assert_eq!(got.len(), 1514);
}

#[test]
fn a_legacy_descriptor_inserts_one_checksum() {
    let (mut a, mut b) = pair(Model::E1000);
    b.post(8);
    let mut sent = headers(MAC_B, true, Some(100), 4000);
    sent.extend([7; 100]);
    a.out.write(0, &sent);
    // Software summed the IPv4 header; the device sums from the TCP header on.
    let sum = sent[14..34]
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum::<u32>();
    a.out
        .write(24, &(!((sum >> 16) + (sum & 0xffff)) as u16).to_be_bytes());
    let word = e1000::TxLegacy::new()
        .with_length(154)
        .with_css(34)
        .with_cso(50)
        .with_ic(true)
        .with_eop(true)
        .with_ifcs(true)
        .with_rs(true);
    let slot = a.put([a.out.iova, word.into_bits()]);
    a.ring();
    a.step();
    assert!(a.is_sent(slot));
    let (got, word) = b.received(0).expect("arrived");
    assert!(checksums_hold(&got));
    assert_eq!(verdict(Model::E1000, word), (Some(true), Some(true)));
    a.assert_clean();
}
