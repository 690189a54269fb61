//! Frames through every model, by a raw driver: what arrives, and what is counted.

mod raw;

use pagewire_emu::Model;
use pagewire_spec::{e1000, ixgbe};
use raw::{MAC_A, MAC_B, MODELS, Setup, frame, pair, pair_of};

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
