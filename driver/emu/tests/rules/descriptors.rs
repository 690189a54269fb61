//! Descriptors: what is published, what stands in them, and that it stays.

use pagewire_bus::{Bar, Direction};
use pagewire_emu::Model;
use pagewire_emu::sanitizer::Rule;
use pagewire_spec::{e1000, ixgbe};

use crate::raw::{MAC_B, MODELS, Memory, Offload, Raw, SLOTS, frame, headers, pair};
use crate::{assert_goes_on, assert_only};

#[test]
fn fetch_outside_head_tail() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        for part in 0..2 {
            a.out.write(part * 128, &frame(MAC_B, 100));
            let words = a.data(a.out.iova + part as u64 * 128, 100, true, None, 100);
            a.put(words);
        }
        a.ring();
        // Backwards, over what is published: nearly a whole ring more would be fetched, of which nothing is.
        a.bar.write32(a.tx.tail, 1);
        assert_eq!(a.step(), 2);
        assert_only(&a, Rule::FetchOutsideHeadTail, "overtakes the head");
        assert_goes_on(&mut a, &b, 2);
    }
}

#[test]
fn fetch_outside_head_tail_by_moving_the_head() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        let head = if model == Model::Ixgbe {
            ixgbe::RDH.at(0)
        } else {
            e1000::RDH.offset
        };
        b.bar.write32(head, 5);
        assert_only(&b, Rule::FetchOutsideHeadTail, "RDH");
        assert_goes_on(&mut a, &b, 0);
    }
}

#[test]
fn doorbell_beyond_ring() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        a.bar.write32(a.tx.tail, SLOTS);
        assert_eq!(a.step(), 0);
        assert_only(&a, Rule::DoorbellBeyondRing, "the ring has 64");
        assert_goes_on(&mut a, &b, 0);
    }
}

#[test]
fn frame_posted_twice() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        a.out.write(0, &frame(MAC_B, 100));
        for _ in 0..2 {
            let words = a.data(a.out.iova, 100, true, None, 100);
            a.put(words);
        }
        a.ring();
        a.step();
        assert_only(&a, Rule::FramePostedTwice, "TX queue 0, descriptor 1");
        assert!(b.received(1).is_some());
        // When it is done it may be sent again.
        a.send(0, 100);
        assert_eq!(a.count(Rule::FramePostedTwice), 1);
    }
}

#[test]
fn frame_posted_twice_to_receive() {
    for model in MODELS {
        let (_a, mut b) = pair(model);
        for slot in 0..2 {
            b.rx.memory
                .set_words(slot, [b.inn.iova + u64::from(slot) * 1024, 0]);
        }
        b.bar.write32(b.rx.tail, 2);
        assert_only(&b, Rule::FramePostedTwice, "RX queue 0, descriptor 1");
        b.rx.next = 2;
    }
}

#[test]
fn file_pages_may_be_posted_twice() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        let pages = Memory::new(&a.nic, 4096, Direction::ToDevice);
        pages.write(0, &frame(MAC_B, 100));
        for _ in 0..2 {
            let words = a.data(pages.iova, 100, true, None, 100);
            a.put(words);
        }
        a.ring();
        a.step();
        a.assert_clean();
    }
}

#[test]
fn descriptor_changed_after_doorbell() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        a.out.write(0, &frame(MAC_B, 100));
        let words = a.data(a.out.iova, 100, true, None, 100);
        let slot = a.put(words);
        a.ring();
        a.tx.memory.set_words(slot, [words[0] + 8, words[1]]);
        a.step();
        assert_only(
            &a,
            Rule::DescriptorChangedAfterDoorbell,
            "TX queue 0, descriptor 0",
        );
    }
}

#[test]
fn descriptor_changed_after_doorbell_to_receive() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        b.rx.memory.set_words(0, [b.inn.iova + 32 * 2048, 0]);
        a.out.write(0, &frame(MAC_B, 100));
        a.send(0, 100);
        assert_only(
            &b,
            Rule::DescriptorChangedAfterDoorbell,
            "RX queue 0, descriptor 0",
        );
    }
}

#[test]
fn malformed_descriptor() {
    let plain: fn(&Raw) -> Vec<[u64; 2]> = |a| vec![a.data(a.out.iova, 0, true, None, 0)];
    let too_long: fn(&Raw) -> Vec<[u64; 2]> = |a| vec![a.data(a.out.iova, 17_000, true, None, 17_000)];
    let no_context: fn(&Raw) -> Vec<[u64; 2]> = |a| {
        vec![a.data(
            a.out.iova,
            9_000,
            true,
            Some(Offload { v4: true, mss: 1460 }),
            8_946,
        )]
    };
    let only_header: fn(&Raw) -> Vec<[u64; 2]> = |a| {
        let offload = Offload { v4: true, mss: 1460 };
        vec![
            a.context(offload, 0),
            a.data(a.out.iova, 54, true, Some(offload), 0),
        ]
    };
    let reserved: fn(&Raw) -> Vec<[u64; 2]> = |a| {
        let [iova, word] = a.data(a.out.iova, 100, true, None, 100);
        vec![[iova, word | 0xf << 20]]
    };
    for model in MODELS {
        for (words, descriptors) in [
            ("0 bytes", plain),
            ("more than 16", too_long),
            ("without a context", no_context),
            ("no longer than its headers", only_header),
            ("reserved", reserved),
        ] {
            let (mut a, mut b) = pair(model);
            b.post(8);
            let mut last = 0;
            for words in descriptors(&a) {
                last = a.put(words);
            }
            a.ring();
            a.step();
            assert!(a.is_sent(last), "{model:?}: {words}");
            assert_only(&a, Rule::MalformedDescriptor, words);
            assert_goes_on(&mut a, &b, 0);
        }
    }
}

#[test]
fn a_header_that_does_not_fit_its_context_is_malformed() {
    for model in MODELS {
        let (mut a, _b) = pair(model);
        let offload = Offload { v4: true, mss: 1000 };
        // IPv6 headers under an IPv4 context.
        a.out.write(0, &headers(MAC_B, false, None, 1));
        let context = a.context(offload, 5_000);
        a.put(context);
        let words = a.data(a.out.iova, 5_054, true, Some(offload), 5_000);
        a.put(words);
        a.ring();
        a.step();
        assert_eq!(a.nic.wire_counters().frames, 0);
    }
}

#[test]
fn a_full_ring_without_an_end_does_not_stand_still() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        for index in 0..SLOTS - 1 {
            let words = a.data(a.out.iova + u64::from(index) * 128, 100, false, None, 6_300);
            a.put(words);
        }
        a.ring();
        a.step();
        assert_only(&a, Rule::MalformedDescriptor, "no descriptor ends a packet");
        assert_goes_on(&mut a, &b, 0);
    }
}
