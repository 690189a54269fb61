//! Registers: what they do not hold, and what must not move while it is in use.

use pagewire_bus::{Bar, Function};
use pagewire_emu::Model;
use pagewire_emu::sanitizer::Rule;
use pagewire_spec::{e1000, ixgbe};

use crate::raw::{MODELS, pair};
use crate::{assert_goes_on, assert_only};

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
