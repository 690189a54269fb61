//! Memory: what the device may reach, and what it still needs when it is taken away.

use pagewire_bus::{BusError, Direction, Function, Iova};
use pagewire_emu::Model;
use pagewire_emu::sanitizer::Rule;
use pagewire_spec::e1000;

use crate::raw::{MAC_B, MODELS, Memory, frame, pair};
use crate::{assert_goes_on, assert_only, send_from};

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
