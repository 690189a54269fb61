//! Every rule of the sanitizer on one planted fault, and what the device does then: it refuses, gives the
//! descriptor back, and goes on.

mod raw;

use pagewire_bus::{Bar, BusError, Direction, Function, Iova};
use pagewire_emu::Model;
use pagewire_emu::sanitizer::{Level, Rule};
use pagewire_spec::{e1000, ixgbe};
use raw::{MAC_A, MAC_B, MODELS, Memory, Offload, Raw, Setup, frame, headers, pair, pair_of};

/// The report names `rule` and no other, and the named words are in it.
#[track_caller]
fn assert_only(raw: &Raw, rule: Rule, words: &str) {
    let report = raw.nic.report();
    assert_eq!(report.violations.len(), 1, "{report}");
    assert_eq!(report.violations[0].rule, rule, "{report}");
    assert!(report.to_string().starts_with(rule.name()), "{report}");
    assert!(report.violations[0].first.contains(words), "{report}");
}

/// Sends 100 bytes from `iova`; the descriptor comes back whatever happens, and nothing else is sent.
#[track_caller]
fn send_from(a: &mut Raw, iova: u64) {
    let words = a.data(iova, 100, true, None, 100);
    let slot = a.put(words);
    a.ring();
    a.step();
    assert!(a.is_sent(slot), "the descriptor comes back");
}

/// The device still works.
#[track_caller]
fn assert_goes_on(a: &mut Raw, b: &Raw, slot: u32) {
    a.out.write(0, &frame(MAC_B, 100));
    a.send(0, 100);
    assert_eq!(b.received(slot).expect("arrived").0, frame(MAC_B, 100));
}

#[test]
fn unmapped_address() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        send_from(&mut a, 0x1234_5000);
        assert_goes_on(&mut a, &b, 0);
        assert_only(
            &a,
            Rule::UnmappedAddress,
            "TX queue 0, descriptor 0: 100 bytes at iova 0x12345000",
        );
        b.assert_clean();
    }
}

#[test]
fn unmapped_address_of_a_receive_buffer() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.rx.memory.set_words(0, [0x5000, 0]);
        b.rx.next = 1;
        b.post(7);
        a.out.write(0, &frame(MAC_B, 100));
        a.send(0, 100);
        assert_only(&b, Rule::UnmappedAddress, "RX queue 0, descriptor 0");
        assert_goes_on(&mut a, &b, 1);
    }
}

#[test]
fn wrong_direction_to_send() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        let iova = a.inn.iova;
        send_from(&mut a, iova);
        assert_goes_on(&mut a, &b, 0);
        assert_only(&a, Rule::WrongDirection, "TX queue 0");
    }
}

#[test]
fn wrong_direction_to_receive() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        let readable = Memory::new(&b.nic, 4096, Direction::ToDevice);
        b.rx.memory.set_words(0, [readable.iova, 0]);
        b.rx.next = 1;
        b.post(7);
        a.out.write(0, &frame(MAC_B, 100));
        a.send(0, 100);
        assert_eq!(readable.read(0, 100), [0; 100], "nothing was written");
        assert_only(&b, Rule::WrongDirection, "RX queue 0");
        assert_goes_on(&mut a, &b, 1);
    }
}

#[test]
fn crosses_mapping_end() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        let iova = a.out.iova + a.out.len as u64 - 99;
        send_from(&mut a, iova);
        assert_goes_on(&mut a, &b, 0);
        assert_only(&a, Rule::CrossesMappingEnd, "100 bytes");
    }
}

#[test]
fn access_after_unmap() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        let gone = Memory::new(&a.nic, 4096, Direction::ToDevice);
        gone.unmap(&a.nic);
        send_from(&mut a, gone.iova + 8);
        assert_goes_on(&mut a, &b, 0);
        assert_only(&a, Rule::AccessAfterUnmap, "TX queue 0");
    }
}

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
        a.bar.write32(a.tx.tail, raw::SLOTS);
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
fn payload_changed_before_done() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        a.out.write(0, &frame(MAC_B, 100));
        let words = a.data(a.out.iova, 100, true, None, 100);
        a.put(words);
        a.ring();
        a.out.write(99, &[0]);
        a.step();
        assert_only(&a, Rule::PayloadChangedBeforeDone, "TX queue 0, descriptor 0");
    }
}

#[test]
fn payload_changed_before_done_in_memory_that_the_device_only_reads() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        let copy = Memory::new(&a.nic, 4096, Direction::ToDevice);
        let words = a.data(copy.iova, 100, true, None, 100);
        a.put(words);
        a.ring();
        copy.write(0, &[1]);
        a.step();
        assert_only(&a, Rule::PayloadChangedBeforeDone, "TX queue 0, descriptor 0");
    }
}

#[test]
fn a_file_that_others_change_is_no_fault_of_the_driver() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        let file = tempfile::tempfile().expect("a file");
        file.set_len(4096).expect("a length");
        let pages = Memory::of_file(&a.nic, &file, 4096);
        let words = a.data(pages.iova, 100, true, None, 100);
        a.put(words);
        a.ring();
        std::os::unix::fs::FileExt::write_at(&file, &frame(MAC_B, 100), 0).expect("written");
        a.step();
        assert_eq!(b.received(0).expect("arrived").0, frame(MAC_B, 100));
        a.assert_clean();
    }
}

#[test]
fn payload_changed_before_done_is_not_looked_for_at_level_on() {
    let mut setup = Setup::new(Model::Ixgbe, MAC_A);
    setup.options.sanitizer = Level::On;
    let (mut a, mut b) = pair_of(&setup, &Setup::new(Model::Ixgbe, MAC_B));
    b.post(8);
    a.out.write(0, &frame(MAC_B, 100));
    let words = a.data(a.out.iova, 100, true, None, 100);
    a.put(words);
    a.ring();
    a.out.write(99, &[0]);
    a.step();
    a.assert_clean();
}

#[test]
fn rx_read_before_done() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        // The page of buffers 2 and 3 stands wholly in posted descriptors.
        assert_eq!(b.inn.read(2 * 2048 + 100, 4), [0; 4], "the read goes through");
        assert_only(&b, Rule::RxReadBeforeDone, "posted receive descriptor");
        for slot in 0..4 {
            assert_goes_on(&mut a, &b, slot);
        }
        assert_eq!(b.count(Rule::RxReadBeforeDone), 1);
    }
}

#[test]
fn rx_memory_is_open_again_when_the_queue_is_off() {
    for model in MODELS {
        let (_a, mut b) = pair(model);
        b.post(63);
        match model {
            Model::E1000 | Model::E1000e => b.bar.write32(e1000::RCTL.offset, 0),
            Model::Ixgbe => b.bar.write32(ixgbe::RXDCTL.at(0), 0),
        }
        b.inn.read(0, b.inn.len);
        b.inn.unmap(&b.nic);
        b.rx.memory.unmap(&b.nic);
        b.assert_clean();
    }
}

#[test]
fn released_while_posted() {
    for model in MODELS {
        let (mut a, _b) = pair(model);
        let payload = Memory::new(&a.nic, 4096, Direction::ToDevice);
        let words = a.data(payload.iova, 100, true, None, 100);
        a.put(words);
        a.ring();
        payload.unmap(&a.nic);
        let report = a.nic.report();
        assert_eq!(report.count(Rule::ReleasedWhilePosted), 1, "{report}");
        a.step();
        assert_eq!(a.count(Rule::AccessAfterUnmap), 1);
    }
}

#[test]
fn released_while_posted_but_not_yet_reported_done() {
    // Sent, but the driver has not been told: it cannot know.
    let (mut a, mut b) = pair(Model::E1000);
    b.post(8);
    let payload = Memory::new(&a.nic, 4096, Direction::ToDevice);
    let words = a.data(payload.iova, 100, true, None, 100);
    let quiet = e1000::TxData::from_bits(words[1]).with_rs(false).into_bits();
    a.put([words[0], quiet]);
    a.ring();
    a.step();
    payload.unmap(&a.nic);
    assert_only(&a, Rule::ReleasedWhilePosted, "TX queue 0, descriptor 0");
}

#[test]
fn released_while_the_ring_is_on() {
    for model in MODELS {
        let (a, _b) = pair(model);
        a.tx.memory.unmap(&a.nic);
        assert_only(&a, Rule::ReleasedWhilePosted, "its ring was unmapped");
    }
}

#[test]
fn an_unmap_that_is_refused_releases_nothing() {
    for model in MODELS {
        let (a, _b) = pair(model);
        let ring = &a.tx.memory;
        let refused = a.nic.mapper().unmap(Iova(ring.iova), ring.len / 2);
        assert!(matches!(refused, Err(BusError::NotMapped { .. })), "{refused:?}");
        a.assert_clean();
    }
}

#[test]
fn register_misuse_reserved_bits() {
    let (a, _b) = pair(Model::Ixgbe);
    a.bar.write32(ixgbe::FCTRL.offset, 1 << 31);
    assert_only(&a, Rule::RegisterMisuse, "FCTRL sets reserved bits 0x80000000");
    let (a, _b) = pair(Model::E1000);
    a.bar.write32(e1000::TIPG.offset, 1 << 31);
    assert_only(&a, Rule::RegisterMisuse, "TIPG sets reserved bits 0x80000000");
}

#[test]
fn register_misuse_write_to_a_read_only_register() {
    let (a, _b) = pair(Model::Ixgbe);
    a.bar.write32(ixgbe::LINKS.offset, 0);
    assert_only(&a, Rule::RegisterMisuse, "LINKS, which is read-only");
    let (a, _b) = pair(Model::E1000);
    a.bar.write32(e1000::STATUS.offset, 0);
    assert_only(&a, Rule::RegisterMisuse, "STATUS, which is read-only");
}

#[test]
fn register_misuse_base_moved_while_on() {
    for model in MODELS {
        let (mut a, mut b) = pair(model);
        b.post(8);
        let base = if model == Model::Ixgbe {
            ixgbe::TDBAL.at(0)
        } else {
            e1000::TDBAL.offset
        };
        a.bar.write32(base, 0x8000);
        assert_only(&a, Rule::RegisterMisuse, "TDBAL");
        assert_goes_on(&mut a, &b, 0);
    }
}

#[test]
fn register_misuse_alignment() {
    let (a, _b) = pair(Model::Ixgbe);
    a.bar.write32(ixgbe::RDBAL.at(5), 0x1040);
    assert_only(&a, Rule::RegisterMisuse, "RDBAL[5] sets reserved bits 0x40");
}

#[test]
fn register_misuse_no_register_and_bus_mastering_off() {
    let (a, _b) = pair(Model::Ixgbe);
    a.bar.read32(0x1_2346);
    assert_only(&a, Rule::RegisterMisuse, "no register");
    let (mut a, _b) = pair(Model::Ixgbe);
    a.nic.set_bus_master(false).expect("off");
    let slot = {
        let words = a.data(a.out.iova, 100, true, None, 100);
        let slot = a.put(words);
        a.ring();
        a.step();
        slot
    };
    assert!(!a.is_sent(slot), "no DMA");
    assert_only(&a, Rule::RegisterMisuse, "bus mastering is off");
    a.nic.set_bus_master(true).expect("on");
    a.step();
    assert!(a.is_sent(slot), "it waited");
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
        for index in 0..raw::SLOTS - 1 {
            let words = a.data(a.out.iova + u64::from(index) * 128, 100, false, None, 6_300);
            a.put(words);
        }
        a.ring();
        a.step();
        assert_only(&a, Rule::MalformedDescriptor, "no descriptor ends a packet");
        assert_goes_on(&mut a, &b, 0);
    }
}

#[test]
fn every_rule_has_a_planted_fault_here() {
    let here = include_str!("rules.rs");
    for rule in Rule::ALL {
        let test = format!("fn {}", rule.name().replace('-', "_"));
        assert!(here.contains(&test), "{rule}");
    }
}
