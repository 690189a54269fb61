//! Register semantics, by the spec's tables: what is stored, what clears, what is reported, and what resets and cables
//! change.

mod raw;

use pagewire_bus::{Bar, Function};
use pagewire_emu::sanitizer::Rule;
use pagewire_emu::{EmulatedNic, Model, Options};
use pagewire_spec::{Access, Register, e1000, e1000e, ixgbe};
use raw::{MAC_A, MAC_B, MODELS, Raw, frame, pair};

const TABLES: [(Model, &[Register]); 3] = [
    (Model::E1000, e1000::REGISTERS),
    (Model::E1000e, e1000e::REGISTERS),
    (Model::Ixgbe, ixgbe::REGISTERS),
];

/// Registers whose writes do more than store.
const ACTIVE: [&str; 16] = [
    "CTRL",
    "CTRL_ALIAS",
    "EECD",
    "EEC",
    "EERD",
    "MDIC",
    "AUTOC",
    "MSCA",
    "TXDCTL",
    "RXDCTL",
    "RCTL",
    "TCTL",
    "SWSM",
    "RSCCTL",
    "TDWBAL",
    "RXCTRL",
];

#[test]
fn every_plain_register_keeps_exactly_its_writable_bits() {
    for (model, rows) in TABLES {
        let nic = EmulatedNic::new(&Options::new(model, MAC_A));
        let bar = nic.bar(0).expect("BAR 0");
        for row in rows
            .iter()
            .filter(|row| row.access == Access::ReadWrite && !ACTIVE.contains(&row.name))
        {
            for index in [0, row.count - 1] {
                let before = bar.read32(row.at(index));
                for pattern in [0xffff_ffff, 0x5555_5555, 0] {
                    bar.write32(row.at(index), pattern & row.writable);
                    let expected = before & !row.writable | pattern & row.writable;
                    assert_eq!(bar.read32(row.at(index)), expected, "{}[{index}]", row.name);
                }
            }
        }
        assert!(nic.report().is_clean(), "{}", nic.report());
    }
}

#[test]
fn every_write_to_a_read_only_register_is_reported_and_changes_nothing() {
    for (model, rows) in TABLES {
        let nic = EmulatedNic::new(&Options::new(model, MAC_A));
        let bar = nic.bar(0).expect("BAR 0");
        let mut reported = 0;
        for row in rows.iter().filter(|row| row.access == Access::ReadOnly) {
            let before = bar.read32(row.at(0));
            bar.write32(row.at(0), !before);
            reported += 1;
            assert_eq!(nic.report().count(Rule::RegisterMisuse), reported, "{}", row.name);
            assert_eq!(bar.read32(row.at(0)), before, "{}", row.name);
        }
        assert!(reported > 0);
    }
}

#[test]
fn every_register_has_its_reset_value_after_a_reset() {
    for (model, rows) in TABLES {
        let nic = EmulatedNic::new(&Options::new(model, MAC_A));
        let bar = nic.bar(0).expect("BAR 0");
        let plain = |row: &&Register| {
            let loaded = ["RAL", "RAL_ALIAS", "RAH", "RAH_ALIAS", "STATUS", "SWSM"];
            row.access == Access::ReadWrite && !loaded.contains(&row.name)
        };
        for row in rows
            .iter()
            .filter(plain)
            .filter(|row| !ACTIVE.contains(&row.name))
        {
            bar.write32(row.at(row.count - 1), row.writable);
        }
        let reset = match model {
            Model::E1000 | Model::E1000e => e1000::Ctrl::new().with_rst(true).into_bits(),
            Model::Ixgbe => ixgbe::Ctrl::new().with_rst(true).into_bits(),
        };
        bar.write32(0, reset);
        for row in rows.iter().filter(plain) {
            for index in 0..row.count {
                assert_eq!(
                    bar.read32(row.at(index)),
                    row.canonical().reset_at(index),
                    "{}[{index}]",
                    row.name
                );
            }
        }
    }
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
fn the_link_follows_the_cable() {
    let (a, _b) = pair(Model::E1000);
    let lu = |a: &Raw| e1000::Status::from_bits(a.read(&e1000::STATUS)).lu();
    assert!(lu(&a));
    a.nic.plug(None);
    assert!(!lu(&a));
    assert!(e1000::Icr::from_bits(a.read(&e1000::ICR)).lsc());
    let (a, _b) = pair(Model::Ixgbe);
    let links = |a: &Raw| ixgbe::Links::from_bits(a.read(&ixgbe::LINKS));
    assert_eq!(links(&a).mbps(), 10_000);
    assert!(links(&a).link_up());
    a.nic.plug(None);
    assert!(!links(&a).link_up());
}

#[test]
fn the_eeprom_is_read_word_by_word() {
    let nic = EmulatedNic::new(&Options::new(Model::E1000, MAC_A));
    let bar = nic.bar(0).expect("BAR 0");
    let mut words = Vec::new();
    for address in 0..=e1000::EEPROM_CHECKSUM_WORD {
        bar.write32(
            e1000::EERD.offset,
            e1000::Eerd::new().with_start(true).with_addr(address).into_bits(),
        );
        let answer = e1000::Eerd::from_bits(bar.read32(e1000::EERD.offset));
        assert!(answer.done());
        words.push(answer.data());
    }
    let mac: Vec<u8> = words[..3].iter().flat_map(|word| word.to_le_bytes()).collect();
    assert_eq!(mac, MAC_A);
    assert_eq!(
        words.iter().fold(0_u16, |sum, word| sum.wrapping_add(*word)),
        e1000::EEPROM_SUM
    );

    let nic = EmulatedNic::new(&Options::new(Model::Ixgbe, MAC_A));
    let bar = nic.bar(0).expect("BAR 0");
    assert!(ixgbe::Eec::from_bits(bar.read32(ixgbe::EEC.offset)).auto_rd());
    bar.write32(
        ixgbe::EERD.offset,
        ixgbe::Eerd::new().with_start(true).with_addr(0x3f).into_bits(),
    );
    assert!(ixgbe::Eerd::from_bits(bar.read32(ixgbe::EERD.offset)).done());
    assert!(ixgbe::Rdrxctl::from_bits(bar.read32(ixgbe::RDRXCTL.offset)).dmaidone());
}

#[test]
fn the_82574l_reads_its_eeprom_at_reset_and_word_by_word() {
    let nic = EmulatedNic::new(&Options::new(Model::E1000e, MAC_A));
    let bar = nic.bar(0).expect("BAR 0");
    assert!(e1000e::Eecd::from_bits(bar.read32(e1000e::EECD.offset)).auto_rd());
    let mut sum = 0_u16;
    for address in 0..=u16::from(e1000e::EEPROM_CHECKSUM_WORD) {
        let request = e1000e::Eerd::new().with_start(true).with_addr(address);
        bar.write32(e1000e::EERD.offset, request.into_bits());
        let answer = e1000e::Eerd::from_bits(bar.read32(e1000e::EERD.offset));
        assert!(answer.done() && answer.addr() == address);
        sum = sum.wrapping_add(answer.data());
    }
    assert_eq!(sum, e1000e::EEPROM_SUM);
    assert!(nic.report().is_clean(), "{}", nic.report());
}

#[test]
fn an_82574l_that_may_not_master_sends_and_takes_nothing_until_it_may() {
    let (mut a, mut b) = pair(Model::E1000e);
    b.post(8);
    a.out.write(0, &frame(MAC_B, 100));
    let gio = |raw: &Raw| e1000e::Status::from_bits(raw.read(&e1000e::STATUS)).gio_master_enable();
    let disable = |raw: &Raw, off| {
        let ctrl = e1000e::Ctrl::from_bits(raw.read(&e1000e::CTRL));
        raw.bar
            .write32(e1000e::CTRL.offset, ctrl.with_gio_master_disable(off).into_bits());
    };
    assert!(gio(&a) && gio(&b));
    disable(&a, true);
    assert!(!gio(&a));
    let slot = a.send(0, 100);
    assert!(!a.is_sent(slot));
    disable(&a, false);
    disable(&b, true);
    a.step();
    assert!(a.is_sent(slot));
    assert!(b.received(0).is_none());
    disable(&b, false);
    a.send(0, 100);
    assert!(b.received(0).is_some());
    a.assert_clean();
    b.assert_clean();
}

#[test]
fn what_an_82574l_must_be_told_before_its_queues_go_on() {
    let switched_on = |row: &Register, value: u32, control: &Register, on: u32| {
        let nic = EmulatedNic::new(&Options::new(Model::E1000e, MAC_A));
        let bar = nic.bar(0).expect("BAR 0");
        bar.write32(e1000e::TDLEN.offset, 128);
        bar.write32(e1000e::RDLEN.offset, 128);
        bar.write32(row.offset, value);
        bar.write32(control.offset, on);
        nic.report().to_string()
    };
    let tctl = e1000::Tctl::new().with_en(true).into_bits();
    let rctl = e1000::Rctl::new().with_en(true).into_bits();
    let extended = e1000e::Rfctl::new().with_exsten(true).into_bits();
    assert!(switched_on(&e1000e::TXDCTL, 0, &e1000e::TCTL, tctl).contains("bit 22 of TXDCTL"));
    assert!(switched_on(&e1000e::RFCTL, extended, &e1000e::RCTL, rctl).contains("RFCTL.EXSTEN"));
    assert!(switched_on(&e1000e::MRQC, 1, &e1000e::RCTL, rctl).contains("RSS"));
}

#[test]
fn the_phy_answers_through_mdic() {
    let (a, _b) = pair(Model::E1000);
    let read = e1000::Mdic::new()
        .with_op(e1000::Mdic::READ)
        .with_phyadd(1)
        .with_regadd(1);
    a.bar.write32(e1000::MDIC.offset, read.into_bits());
    let answer = e1000::Mdic::from_bits(a.read(&e1000::MDIC));
    assert!(answer.ready() && !answer.error());
    assert_eq!(answer.data() & 1 << 2, 1 << 2, "link");
    a.assert_clean();
}

#[test]
fn a_semaphore_is_taken_by_reading_it() {
    let nic = EmulatedNic::new(&Options::new(Model::Ixgbe, MAC_A));
    let bar = nic.bar(0).expect("BAR 0");
    let smbi = || ixgbe::Swsm::from_bits(bar.read32(ixgbe::SWSM.offset)).smbi();
    assert!(!smbi());
    assert!(smbi());
    bar.write32(ixgbe::SWSM.offset, 0);
    assert!(!smbi());
}

#[test]
fn the_second_receive_queue_of_an_82574l_takes_the_control_of_the_first() {
    let nic = EmulatedNic::new(&Options::new(Model::E1000e, MAC_A));
    let bar = nic.bar(0).expect("BAR 0");
    bar.write32(e1000e::RXDCTL.at(0), 0x0101_0203);
    assert_eq!(bar.read32(e1000e::RXDCTL.at(1)), 0x0101_0203);
    bar.write32(e1000e::RXDCTL.at(1), 0);
    assert_eq!(bar.read32(e1000e::RXDCTL.at(0)), 0x0101_0203);
}

#[test]
fn causes_are_raised_cleared_by_reading_and_masked_in_pairs() {
    let (mut a, mut b) = pair(Model::E1000);
    b.post(8);
    a.read(&e1000::ICR);
    b.read(&e1000::ICR);
    a.out.write(0, &frame(MAC_B, 100));
    a.send(0, 100);
    assert!(e1000::Icr::from_bits(a.read(&e1000::ICR)).txdw());
    assert!(e1000::Icr::from_bits(b.read(&e1000::ICR)).rxt0());
    assert_eq!(b.read(&e1000::ICR), 0);
    b.bar.write32(e1000::IMS.offset, 0x90);
    b.bar.write32(e1000::IMC.offset, 0x10);
    assert_eq!(b.read(&e1000::IMS), 0x80);
    b.bar.write32(e1000::ICS.offset, 0x80);
    assert_eq!(b.read(&e1000::ICR), 0x80);

    let (mut a, mut b) = pair(Model::Ixgbe);
    b.post(8);
    b.read(&ixgbe::EICR);
    // Receive of queue 0 on vector 3.
    b.bar.write32(ixgbe::IVAR.at(0), 0x83);
    a.out.write(0, &frame(MAC_B, 100));
    a.send(0, 100);
    assert_eq!(b.read(&ixgbe::EICR), 1 << 3);
    assert_eq!(b.read(&ixgbe::EICR), 0);
    b.assert_clean();
}

#[test]
fn the_check_sequence_goes_to_memory_when_it_is_not_stripped() {
    let (mut a, mut b) = pair(Model::E1000);
    let receive = e1000::Rctl::from_bits(b.read(&e1000::RCTL)).with_secrc(false);
    b.bar.write32(e1000::RCTL.offset, receive.into_bits());
    b.post(8);
    // With its check sequence this frame is one byte longer than a buffer.
    let sent = frame(MAC_B, 2045);
    a.out.write(0, &sent);
    a.send(0, 2045);
    let (got, _) = b.received(0).expect("arrived");
    assert_eq!(got.len(), 2049);
    assert_eq!(got[..2045], sent);
    assert_ne!(got[2045..], [0; 4]);
    b.assert_clean();
}

#[test]
fn a_device_that_may_not_pad_sends_short_frames_that_nobody_takes() {
    let (mut a, mut b) = pair(Model::E1000);
    b.post(8);
    a.bar
        .write32(e1000::TCTL.offset, e1000::Tctl::new().with_en(true).into_bits());
    a.out.write(0, &frame(MAC_B, 42));
    a.send(0, 42);
    assert!(b.received(0).is_none());
    assert_eq!(b.read(&e1000::RUC), 1);
}
