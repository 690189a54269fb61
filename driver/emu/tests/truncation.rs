//! A file that is truncated under its mapping: the frame is dropped, and nobody dies.

mod raw;

use std::io::Write;

use pagewire_emu::Model;
use raw::{MAC_A, MAC_B, MODELS, Memory, Offload, Setup, frame, headers, pair, pair_of};

fn file(len: usize) -> std::fs::File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(&vec![7; len]).expect("written");
    file
}

#[test]
fn a_page_that_is_gone_drops_its_frame_and_no_other() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        let file = file(16_384);
        let pages = Memory::of_file(&a.nic, &file, 16_384);
        a.out.write(0, &frame(MAC_B, 54));
        file.set_len(4_096).expect("truncated");
        // A header of its own and payload of the gone page: dropped, but the descriptors come back.
        let words = a.data(a.out.iova, 54, false, None, 1_054);
        a.put(words);
        let words = a.data(pages.iova + 8_192, 1_000, true, None, 1_054);
        let slot = a.put(words);
        a.ring();
        a.step();
        assert!(a.is_sent(slot));
        assert!(b.received(0).is_none(), "no padding on the wire");
        assert_eq!(a.nic.dma_faults(), 1);
        // Other memory still goes.
        a.send(0, 54);
        assert!(b.received(0).is_some());
        a.assert_clean();
        b.assert_clean();
        pages.unmap(&a.nic);
    }
}

#[test]
fn a_whole_segment_with_a_gone_page_uses_no_receive_descriptor() {
    for (model, whole) in MODELS
        .into_iter()
        .flat_map(|model| [(model, true), (model, false)])
    {
        let mut far = Setup::new(model, MAC_B);
        far.coalesce = true;
        far.options.whole_segments = whole;
        far.buffer_len = 16_384;
        far.coalesce = whole;
        let (mut a, mut b) = pair_of(&Setup::new(model, MAC_A), &far);
        b.post(16);
        let file = file(65_536);
        let pages = Memory::of_file(&a.nic, &file, 65_536);
        file.set_len(40_000).expect("truncated");
        let header = headers(MAC_B, true, None, 1);
        a.out.write(0, &header);
        let offload = Offload { v4: true, mss: 8_000 };
        for round in 0..2 {
            let context = a.context(offload, 60_000);
            a.put(context);
            let words = a.data(a.out.iova, 54, false, Some(offload), 60_000);
            a.put(words);
            for part in 0..5 {
                let words = a.data(
                    pages.iova + part * 12_000,
                    12_000,
                    part == 4,
                    Some(offload),
                    60_000,
                );
                a.put(words);
            }
            a.ring();
            a.step();
            assert_eq!(a.nic.dma_faults(), round + 1);
        }
        for slot in 0..10 {
            if let Some((got, _)) = b.received(slot) {
                assert!(!whole);
                assert!(
                    got[54..].iter().all(|byte| *byte == 7),
                    "only whole frames of real bytes"
                );
            }
        }
        a.assert_clean();
        b.assert_clean();
    }
}

#[test]
fn a_file_that_grows_again_stays_lost() {
    let (mut a, mut b) = pair(Model::Ixgbe);
    b.post(8);
    let file = file(8_192);
    let pages = Memory::of_file(&a.nic, &file, 8_192);
    file.set_len(0).expect("truncated");
    for _ in 0..2 {
        let words = a.data(pages.iova, 1_000, true, None, 1_000);
        a.put(words);
        a.ring();
        a.step();
        file.set_len(8_192).expect("grown");
    }
    assert_eq!(a.nic.dma_faults(), 2);
    assert!(b.received(0).is_none());
}
