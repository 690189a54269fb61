//! Payload, which the strict level looks at: it stays as it is until it is sent, and is not read before it has come.

use pagewire_bus::{Bar, Direction};
use pagewire_emu::Model;
use pagewire_emu::sanitizer::{Level, Rule};
use pagewire_spec::{e1000, ixgbe};

use crate::raw::{MAC_A, MAC_B, MODELS, Memory, Setup, frame, pair, pair_of};
use crate::{assert_goes_on, assert_only};

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
