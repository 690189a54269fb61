//! Frames through both models, by a raw driver: what arrives, and what the registers say.

mod raw;

use pagewire_bus::Bar;
use pagewire_emu::Model;
use pagewire_emu::sanitizer::Level;
use pagewire_spec::{e1000, ixgbe};
use raw::{MAC_A, MAC_B, Offload, Setup, checksums_hold, frame, headers, pair, pair_of};

const MODELS: [Model; 3] = [Model::E1000, Model::E1000e, Model::Ixgbe];

#[test]
fn a_frame_arrives_as_it_was_sent() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        for (index, len) in [60, 61, 777, 1514].into_iter().enumerate() {
            let sent = frame(MAC_B, len);
            a.out.write(0, &sent);
            let slot = a.send(0, len);
            assert!(a.is_sent(slot));
            let (got, _) = b.received(index as u32).expect("arrived");
            assert_eq!(got, sent, "{model:?} {len}");
        }
        a.assert_clean();
        b.assert_clean();
    }
}

#[test]
fn a_short_frame_is_padded() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        a.out.write(0, &frame(MAC_B, 42));
        a.send(0, 42);
        let (got, _) = b.received(0).expect("arrived");
        assert_eq!(got.len(), 60);
        assert_eq!(got[..42], frame(MAC_B, 42));
        assert_eq!(got[42..], [0; 18]);
    }
}

#[test]
fn a_jumbo_frame_spans_descriptors_at_both_ends() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        let sent = frame(MAC_B, 9018);
        a.out.write(0, &sent);
        let cuts = [0, 54, 4096, 4097, 9018];
        let mut slot = 0;
        for cut in cuts.windows(2) {
            let end = cut[1] == 9018;
            let words = a.data(a.out.iova + cut[0] as u64, cut[1] - cut[0], end, None, 9018);
            slot = a.put(words);
        }
        a.ring();
        a.step();
        assert!(a.is_sent(slot));
        assert!(!a.is_sent(0), "no RS, no done bit");
        let (got, _) = b.received(0).expect("arrived");
        assert_eq!(got, sent);
        a.assert_clean();
        b.assert_clean();
    }
}

/// Posts a TCP packet of header and payload; the payload lies in pieces of 5000 bytes.
fn post_tcp(a: &mut raw::Raw, v4: bool, mss: u16, payload: usize) -> Vec<u8> {
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
fn a_frame_without_descriptors_is_dropped_and_counted() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(2);
        a.out.write(0, &frame(MAC_B, 100));
        for _ in 0..5 {
            a.send(0, 100);
        }
        let dropped = match model {
            Model::E1000 | Model::E1000e => {
                assert_eq!(b.read(&e1000::RNBC), 3);
                b.read(&e1000::MPC)
            }
            Model::Ixgbe => b.read(&ixgbe::QPRDC),
        };
        assert_eq!(dropped, 3);
        assert_eq!(a.nic.wire_counters().no_buffer, 3);
        b.post(2);
        a.send(0, 100);
        assert!(b.received(2).is_some(), "the queue goes on");
        a.assert_clean();
        b.assert_clean();
    }
}

#[test]
fn an_oversized_frame_is_dropped_and_counted() {
    for model in MODELS {
        let mut far = Setup::new(model, MAC_B);
        far.jumbo = false;
        let (mut a, mut b) = pair_of(&Setup::new(model, MAC_A), &far);
        b.post(8);
        a.out.write(0, &frame(MAC_B, 2000));
        a.send(0, 2000);
        assert!(b.received(0).is_none());
        let row = if model == Model::Ixgbe {
            &ixgbe::ROC
        } else {
            &e1000::ROC
        };
        assert_eq!(
            (b.read(row), b.read(row)),
            (1, 0),
            "counted, and cleared by reading"
        );
    }
}

#[test]
fn frames_for_others_are_filtered() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        for to in [[2, 0, 0, 0, 0, 0xc], [1, 0, 0x5e, 0, 0, 1]] {
            a.out.write(0, &frame(to, 100));
            a.send(0, 100);
        }
        assert!(b.received(0).is_none());
        a.out.write(0, &frame([0xff; 6], 100));
        a.send(0, 100);
        assert!(b.received(0).is_some());
        let row = if model == Model::Ixgbe {
            &ixgbe::BPRC
        } else {
            &e1000::BPRC
        };
        assert_eq!(b.read(row), 1);
    }
}

#[test]
fn statistics_count_frames_and_octets_and_clear() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        a.out.write(0, &frame(MAC_B, 96));
        for _ in 0..3 {
            a.send(0, 96);
        }
        let [sent, octets_low, octets_high, received] = match model {
            Model::E1000 | Model::E1000e => [&e1000::GPTC, &e1000::GOTCL, &e1000::GOTCH, &e1000::GPRC],
            Model::Ixgbe => [&ixgbe::GPTC, &ixgbe::GOTCL, &ixgbe::GOTCH, &ixgbe::GPRC],
        };
        assert_eq!((a.read(sent), a.read(sent)), (3, 0));
        assert_eq!((a.read(octets_low), a.read(octets_low)), (300, 300));
        assert_eq!(a.read(octets_high), 0);
        assert_eq!(a.read(octets_low), 0, "cleared by reading the high half");
        assert_eq!(b.read(received), 3);
        a.assert_clean();
        b.assert_clean();
    }
}

#[test]
fn the_link_follows_the_cable() {
    let (a, _b) = pair(Model::E1000);
    let lu = |a: &raw::Raw| e1000::Status::from_bits(a.read(&e1000::STATUS)).lu();
    assert!(lu(&a));
    a.nic.plug(None);
    assert!(!lu(&a));
    assert!(e1000::Icr::from_bits(a.read(&e1000::ICR)).lsc());
    let (a, _b) = pair(Model::Ixgbe);
    let links = |a: &raw::Raw| ixgbe::Links::from_bits(a.read(&ixgbe::LINKS));
    assert_eq!(links(&a).mbps(), 10_000);
    assert!(links(&a).link_up());
    a.nic.plug(None);
    assert!(!links(&a).link_up());
}

#[test]
fn a_reset_clears_itself_and_everything_else() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        let (ctrl, reset) = match model {
            Model::E1000 | Model::E1000e => {
                (e1000::CTRL.offset, e1000::Ctrl::new().with_rst(true).into_bits())
            }
            Model::Ixgbe => (ixgbe::CTRL.offset, ixgbe::Ctrl::new().with_rst(true).into_bits()),
        };
        b.bar.write32(ctrl, reset);
        assert_eq!(b.bar.read32(ctrl) & reset, 0);
        a.out.write(0, &frame(MAC_B, 100));
        a.send(0, 100);
        assert!(b.received(0).is_none());
        let (low, high) = match model {
            Model::E1000 | Model::E1000e => (b.read(&e1000::RAL), b.read(&e1000::RAH)),
            Model::Ixgbe => (b.read(&ixgbe::RAL), b.read(&ixgbe::RAH)),
        };
        assert_eq!(low.to_le_bytes(), MAC_B[..4]);
        assert_eq!(high, 0x8000_0b00);
        b.assert_clean();
    }
}

#[test]
fn a_packet_waits_until_its_end_is_published() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        a.out.write(0, &frame(MAC_B, 200));
        let words = a.data(a.out.iova, 100, false, None, 200);
        a.put(words);
        a.ring();
        assert_eq!(a.step(), 0);
        let words = a.data(a.out.iova + 100, 100, true, None, 200);
        a.put(words);
        a.ring();
        assert_eq!(a.step(), 1);
        assert_eq!(b.received(0).expect("arrived").0, frame(MAC_B, 200));
        a.assert_clean();
    }
}

#[test]
fn receive_side_scaling_keeps_a_flow_in_its_queue() {
    let mut far = Setup::new(Model::Ixgbe, MAC_B);
    far.options.sanitizer = Level::On;
    let (mut a, b) = pair_of(&Setup::new(Model::Ixgbe, MAC_A), &far);
    // Four queues, each with a ring of its own; the verification suite's key.
    let key: [u8; 40] = std::array::from_fn(|index| (index * 11 + 3) as u8);
    for (index, word) in key.chunks(4).enumerate() {
        b.bar.write32(
            ixgbe::RSSRK.at(index as u32),
            u32::from_le_bytes(word.try_into().expect("4")),
        );
    }
    for index in 0..32 {
        b.bar.write32(ixgbe::RETA.at(index), 0x0302_0100);
    }
    b.bar.write32(
        ixgbe::RXCSUM.offset,
        ixgbe::Rxcsum::new().with_pcsd(true).into_bits(),
    );
    let mode = ixgbe::Mrqc::new().with_mrqe(ixgbe::Mrqc::RSS).with_tcp_ipv4(true);
    b.bar.write32(ixgbe::MRQC.offset, mode.into_bits());
    let mut rings = Vec::new();
    for queue in 1..4 {
        let ring = raw::Memory::new(&b.nic, 4096, pagewire_bus::Direction::Bidirectional);
        let buffers = raw::Memory::new(&b.nic, 64 * 2048, pagewire_bus::Direction::FromDevice);
        b.bar.write32(ixgbe::RDBAL.at(queue), ring.iova as u32);
        b.bar.write32(ixgbe::RDBAH.at(queue), (ring.iova >> 32) as u32);
        b.bar.write32(ixgbe::RDLEN.at(queue), 64 * 16);
        b.bar
            .write32(ixgbe::SRRCTL.at(queue), b.bar.read32(ixgbe::SRRCTL.at(0)));
        b.bar.write32(
            ixgbe::RXDCTL.at(queue),
            ixgbe::Rxdctl::new().with_enable(true).into_bits(),
        );
        assert!(ixgbe::Rxdctl::from_bits(b.bar.read32(ixgbe::RXDCTL.at(queue))).enable());
        for slot in 0..63 {
            ring.set_words(slot, [buffers.iova + u64::from(slot) * 2048, 0]);
        }
        b.bar.write32(ixgbe::RDT.at(queue), 63);
        rings.push((ring, buffers));
    }
    let mut b = b;
    b.post(63);
    for port in 1000..1032 {
        for _ in 0..2 {
            let sent = headers(MAC_B, true, Some(10), port);
            a.out.write(0, &[sent, vec![0; 10]].concat());
            a.send(0, 64);
        }
    }
    let mut total = 0;
    for queue in 0..4 {
        let ring = if queue == 0 {
            &b.rx.memory
        } else {
            &rings[queue - 1].0
        };
        let done: Vec<_> = (0..64)
            .map(|slot| ring.words(slot))
            .take_while(|words| words[1] & 1 == 1)
            .collect();
        assert!(
            !done.is_empty() && done.len() % 2 == 0,
            "queue {queue}: {}",
            done.len()
        );
        total += done.len();
        for words in done {
            let first = ixgbe::RxWriteBack0::from_bits(words[0]);
            assert_eq!(first.rss_type(), ixgbe::RssType::TcpIpv4 as u8);
            assert_eq!(first.rss_hash() & 3, queue as u32);
        }
    }
    assert_eq!(total, 64);
    b.assert_clean();
}

#[test]
fn a_nic_may_be_connected_to_itself() {
    for model in MODELS {
        let mut a = raw::Raw::new(&Setup::new(model, MAC_A));
        let none = pagewire_emu::cable::Impairments::none();
        pagewire_emu::connect(&a.nic, &a.nic, &none, &none, None);
        a.post(8);
        a.out.write(0, &frame(MAC_A, 100));
        a.send(0, 100);
        assert_eq!(a.received(0).expect("arrived").0, frame(MAC_A, 100));
        a.assert_clean();
    }
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

#[test]
fn transmit_queues_are_stepped_one_by_one() {
    let (a, mut b) = pair(Model::Ixgbe);
    b.post(8);
    let queue = 5;
    let ring = raw::Memory::new(&a.nic, 1024, pagewire_bus::Direction::Bidirectional);
    a.bar.write32(ixgbe::TDBAL.at(queue), ring.iova as u32);
    a.bar.write32(ixgbe::TDBAH.at(queue), (ring.iova >> 32) as u32);
    a.bar.write32(ixgbe::TDLEN.at(queue), 1024);
    a.bar.write32(
        ixgbe::TXDCTL.at(queue),
        ixgbe::Txdctl::new().with_enable(true).into_bits(),
    );
    a.bar.write32(ixgbe::TQSM.at(queue / 4), 0x0000_0700);
    a.out.write(0, &frame(MAC_B, 100));
    ring.set_words(0, a.data(a.out.iova, 100, true, None, 100));
    a.bar.write32(ixgbe::TDT.at(queue), 1);
    assert_eq!(a.nic.step_queue(0, std::time::Duration::ZERO), 0);
    assert!(b.received(0).is_none());
    assert_eq!(a.nic.step_queue(5, std::time::Duration::ZERO), 1);
    assert!(b.received(0).is_some());
    assert_eq!(a.bar.read32(ixgbe::TDH.at(queue)), 1);
    assert_eq!(a.bar.read32(ixgbe::QPTC.at(7)), 1, "counted where TQSM says");
    a.assert_clean();
}
