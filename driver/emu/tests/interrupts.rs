//! When a device signals, and when it does not: lines are levels, messages are edges.

mod raw;

use pagewire_bus::{Bar, BusError, Function, Interrupt, InterruptKind};
use pagewire_emu::{EmulatedBar, EmulatedNic, Model, Options, connect};
use pagewire_spec::{Register, e1000, e1000e, ixgbe};
use proptest::prelude::*;
use raw::{MAC_A, MAC_B, frame, pair};

use InterruptKind::{Intx, Msi, MsiX};

/// The registers of causes of one family.
struct Rows {
    causes: &'static Register,
    set: &'static Register,
    mask: &'static Register,
    unmask: &'static Register,
}

const E1000: Rows = Rows {
    causes: &e1000::ICR,
    set: &e1000::ICS,
    mask: &e1000::IMC,
    unmask: &e1000::IMS,
};
const IXGBE: Rows = Rows {
    causes: &ixgbe::EICR,
    set: &ixgbe::EICS,
    mask: &ixgbe::EIMC,
    unmask: &ixgbe::EIMS,
};

/// A device, one of its vectors, and its registers.
struct Wired {
    nic: EmulatedNic,
    bar: EmulatedBar,
    rows: Rows,
    interrupt: Interrupt,
}

impl Wired {
    fn new(model: Model, kind: InterruptKind) -> Self {
        let nic = EmulatedNic::new(&Options::new(model, MAC_A));
        nic.set_bus_master(true).expect("bus master");
        let mut vectors = nic.enable_interrupts(kind, 1).expect("offered");
        Self {
            bar: nic.bar(0).expect("BAR 0"),
            rows: if model == Model::Ixgbe { IXGBE } else { E1000 },
            interrupt: vectors.remove(0),
            nic,
        }
    }

    fn raise(&self, causes: u32) {
        self.bar.write32(self.rows.set.offset, causes);
    }

    fn unmask(&self, causes: u32) {
        self.bar.write32(self.rows.unmask.offset, causes);
    }

    fn mask(&self, causes: u32) {
        self.bar.write32(self.rows.mask.offset, causes);
    }

    fn read_causes(&self) -> u32 {
        self.bar.read32(self.rows.causes.offset)
    }

    fn clear(&self, causes: u32) {
        self.bar.write32(self.rows.causes.offset, causes);
    }

    fn fired(&self) -> u64 {
        self.interrupt.take().expect("an eventfd")
    }
}

const KINDS: [(Model, InterruptKind); 6] = [
    (Model::E1000, Intx),
    (Model::E1000e, Intx),
    (Model::E1000e, Msi),
    (Model::Ixgbe, Intx),
    (Model::Ixgbe, Msi),
    (Model::Ixgbe, MsiX),
];

#[test]
fn each_model_offers_what_the_silicon_has() {
    let kinds = |model| {
        let offers = EmulatedNic::new(&Options::new(model, MAC_A)).interrupts();
        offers
            .iter()
            .map(|offer| (offer.kind, offer.vectors))
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(Model::E1000), [(Intx, 1)]);
    assert_eq!(kinds(Model::E1000e), [(MsiX, 5), (Msi, 1), (Intx, 1)]);
    assert_eq!(kinds(Model::Ixgbe), [(MsiX, 64), (Msi, 1), (Intx, 1)]);
}

#[test]
fn what_is_not_offered_is_refused_and_turns_everything_off() {
    for (model, kind, vectors) in [
        (Model::E1000, Msi, 1),
        (Model::E1000, Intx, 2),
        (Model::E1000e, MsiX, 6),
        (Model::Ixgbe, MsiX, 65),
        (Model::Ixgbe, Msi, 0),
    ] {
        let wired = Wired::new(model, Intx);
        let refused = wired.nic.enable_interrupts(kind, vectors).expect_err("refused");
        assert!(matches!(refused, BusError::NoInterrupt { .. }), "{refused}");
        wired.unmask(1);
        wired.raise(1);
        assert_eq!(wired.fired(), 0);
    }
}

#[test]
fn a_cause_fires_only_while_it_is_unmasked_and_at_once_when_it_becomes_so() {
    for (model, kind) in KINDS {
        let wired = Wired::new(model, kind);
        wired.raise(1);
        assert_eq!(wired.fired(), 0, "masked");
        wired.unmask(1);
        assert_eq!(wired.fired(), 1, "{model:?} {kind:?}");
        wired.mask(1);
        wired.raise(1);
        assert_eq!(wired.fired(), 0);
    }
}

#[test]
fn a_line_fires_once_and_again_after_each_unmask_for_as_long_as_it_is_up() {
    for model in [Model::E1000, Model::Ixgbe] {
        let wired = Wired::new(model, Intx);
        wired.unmask(3);
        wired.raise(1);
        wired.raise(2);
        assert_eq!(wired.fired(), 1, "masked by the bus as it fired");
        wired.interrupt.unmask().expect("unmasked");
        wired.interrupt.unmask().expect("unmasked");
        assert_eq!(wired.fired(), 2, "nothing was cleared");
        assert_eq!(wired.read_causes(), 3);
        wired.interrupt.unmask().expect("unmasked");
        assert_eq!(wired.fired(), 0, "the read has cleared all");
        wired.raise(1);
        assert_eq!(wired.fired(), 1);
    }
}

#[test]
fn a_message_is_sent_for_each_cause_that_begins_to_count() {
    for kind in [Msi, MsiX] {
        let wired = Wired::new(Model::Ixgbe, kind);
        wired.unmask(3);
        wired.raise(1);
        wired.raise(1);
        assert_eq!(wired.fired(), 1, "it was pending already");
        wired.raise(2);
        assert_eq!(wired.fired(), 1, "another one");
        wired.clear(1);
        assert_eq!(wired.fired(), 0);
        wired.raise(1);
        assert_eq!(wired.fired(), 1, "cleared, and back");
        wired.mask(3);
        wired.unmask(3);
        assert_eq!(wired.fired(), 1, "both were pending: one message");
    }
}

#[test]
fn messages_wait_for_bus_mastering_and_a_line_does_not() {
    for (model, kind) in KINDS {
        let wired = Wired::new(model, kind);
        wired.nic.set_bus_master(false).expect("off");
        wired.unmask(1);
        wired.raise(1);
        assert_eq!(wired.fired(), u64::from(kind == Intx));
        wired.nic.set_bus_master(true).expect("on");
        assert_eq!(wired.fired(), u64::from(kind != Intx));
    }
}

#[test]
fn what_was_turned_off_stays_quiet_and_cannot_unmask_its_successor() {
    let wired = Wired::new(Model::E1000, Intx);
    wired.unmask(1);
    let successor = wired.nic.enable_interrupts(Intx, 1).expect("offered").remove(0);
    wired.raise(1);
    assert_eq!((wired.fired(), successor.take().expect("eventfd")), (0, 1));
    wired.interrupt.unmask().expect("no effect");
    assert_eq!(successor.take().expect("eventfd"), 0);
    wired.nic.disable_interrupts().expect("off");
    successor.unmask().expect("no effect");
    wired.read_causes();
    wired.raise(1);
    assert_eq!(successor.take().expect("eventfd"), 0);
}

#[test]
fn a_reset_takes_the_line_down() {
    let wired = Wired::new(Model::E1000, Intx);
    wired.unmask(1);
    wired.raise(1);
    assert_eq!(wired.fired(), 1);
    wired
        .bar
        .write32(e1000::CTRL.offset, e1000::Ctrl::new().with_rst(true).into_bits());
    wired.interrupt.unmask().expect("unmasked");
    assert_eq!(wired.fired(), 0);
}

#[test]
fn several_vectors_get_what_ivar_says() {
    let wired = Wired::new(Model::Ixgbe, Msi);
    let vectors = wired.nic.enable_interrupts(MsiX, 8).expect("offered");
    let taken = || {
        vectors
            .iter()
            .map(|vector| vector.take().expect("eventfd"))
            .collect::<Vec<_>>()
    };
    let gpie = ixgbe::Gpie::new().with_multiple_msix(true);
    wired.bar.write32(ixgbe::GPIE.offset, gpie.into_bits());
    // The timer on vector 6, all others on vector 5.
    wired.bar.write32(ixgbe::IVAR_MISC.offset, 0x8586);
    wired.unmask(0x7fff_ffff);
    wired.raise(1 << 3);
    assert_eq!(taken(), [0, 0, 0, 1, 0, 0, 0, 0]);
    wired.raise(1 << 20);
    assert_eq!(taken(), [0, 0, 0, 0, 0, 1, 0, 0]);
    wired.raise(1 << 30 | 1 << 1);
    assert_eq!(taken(), [0, 1, 0, 0, 0, 0, 1, 0]);
    wired.raise(1 << 12);
    assert_eq!(taken(), [0; 8], "a vector that was not enabled");
}

#[test]
fn a_vector_can_clear_and_mask_its_own_cause() {
    let wired = Wired::new(Model::Ixgbe, MsiX);
    wired.bar.write32(ixgbe::EIAC.offset, 1);
    wired.unmask(3);
    for _ in 0..3 {
        wired.raise(1);
        assert_eq!((wired.fired(), wired.read_causes()), (1, 0));
    }
    let gpie = ixgbe::Gpie::new().with_eiame(true);
    wired.bar.write32(ixgbe::GPIE.offset, gpie.into_bits());
    wired.bar.write32(ixgbe::EIAM.offset, 1);
    wired.raise(1);
    assert_eq!(wired.fired(), 1);
    wired.raise(1);
    assert_eq!(wired.fired(), 0, "masked by its own message");
    wired.unmask(1);
    assert_eq!(wired.fired(), 1);
}

#[test]
fn causes_of_an_82574l_go_where_ivar_says_and_stay_until_ones_are_written() {
    let (mut a, mut b) = pair(Model::E1000e);
    b.post(8);
    b.read(&e1000e::ICR);
    let vectors = b.nic.enable_interrupts(MsiX, 3).expect("offered");
    let taken = || [0, 1, 2].map(|vector: usize| vectors[vector].take().expect("eventfd"));
    let ivar = e1000e::Ivar::new()
        .with_rxq0(1)
        .with_rxq0_valid(true)
        .with_other(2)
        .with_other_valid(true);
    b.bar.write32(e1000e::IVAR.offset, ivar.into_bits());
    b.bar.write32(e1000e::IMS.offset, e1000e::IMS.writable);
    a.out.write(0, &frame(MAC_B, 100));
    a.send(0, 100);
    assert_eq!(taken(), [0, 1, 0], "not RXT0, which has no vector");
    let received = e1000e::Icr::new().with_rxq0(true);
    for _ in 0..2 {
        assert_eq!(
            b.read(&e1000e::ICR),
            received.into_bits(),
            "a read clears nothing"
        );
    }
    a.send(0, 100);
    assert_eq!(taken(), [0; 3], "it is pending still");
    b.bar.write32(e1000e::ICR.offset, received.into_bits());
    a.send(0, 100);
    assert_eq!(taken(), [0, 1, 0]);

    b.nic.plug(None);
    assert_eq!(taken(), [0, 0, 1]);
    let causes = e1000e::Icr::from_bits(b.read(&e1000e::ICR));
    assert!(causes.lsc() && causes.other());
    let other = e1000e::Icr::new().with_other(true);
    b.bar.write32(e1000e::ICR.offset, other.into_bits());
    assert!(
        !e1000e::Icr::from_bits(b.read(&e1000e::ICR)).lsc(),
        "cleared with OTHER"
    );
    b.assert_clean();
}

#[test]
fn a_message_of_an_82574l_can_clear_and_mask_its_own_cause() {
    let wired = Wired::new(Model::E1000e, MsiX);
    let (rxq0, txq0) = (
        e1000e::Icr::new().with_rxq0(true).into_bits(),
        e1000e::Icr::new().with_txq0(true).into_bits(),
    );
    let ivar = e1000e::Ivar::new().with_rxq0_valid(true).with_txq0_valid(true);
    wired.bar.write32(e1000e::IVAR.offset, ivar.into_bits());
    wired.bar.write32(e1000e::EIAC.offset, rxq0);
    wired.unmask(rxq0 | txq0);
    wired.raise(rxq0);
    assert_eq!((wired.fired(), wired.read_causes()), (1, 0));
    wired.raise(rxq0);
    assert_eq!(wired.fired(), 0, "masked by its own message");
    wired.raise(txq0);
    assert_eq!((wired.fired(), wired.read_causes()), (1, rxq0 | txq0));
}

#[test]
fn frames_and_the_link_are_causes() {
    let (mut a, mut b) = pair(Model::E1000);
    b.post(8);
    b.read(&e1000::ICR);
    let interrupt = b.nic.enable_interrupts(Intx, 1).expect("offered").remove(0);
    let causes = e1000::Icr::new().with_rxt0(true).with_lsc(true).into_bits();
    b.bar.write32(e1000::IMS.offset, causes);
    a.out.write(0, &frame(MAC_B, 100));
    a.send(0, 100);
    assert_eq!(interrupt.take().expect("eventfd"), 1);
    b.read(&e1000::ICR);
    interrupt.unmask().expect("unmasked");
    b.nic.plug(None);
    assert_eq!(interrupt.take().expect("eventfd"), 1);
    assert!(e1000::Icr::from_bits(b.read(&e1000::ICR)).lsc());
    interrupt.unmask().expect("unmasked");
    let none = pagewire_emu::cable::Impairments::none();
    connect(&a.nic, &b.nic, &none, &none, None);
    assert_eq!(interrupt.take().expect("eventfd"), 1);
    b.assert_clean();
}

/// What can happen to the causes of a device.
#[derive(Clone, Copy, Debug)]
enum Event {
    Raise(u32),
    Clear(u32),
    Read,
    Mask(u32),
    Unmask(u32),
    UnmaskLine,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let bits = 0_u32..8;
    let event = prop_oneof![
        bits.clone().prop_map(Event::Raise),
        bits.clone().prop_map(Event::Clear),
        Just(Event::Read),
        bits.clone().prop_map(Event::Mask),
        bits.prop_map(Event::Unmask),
        Just(Event::UnmaskLine),
    ];
    prop::collection::vec(event, 1..60)
}

proptest! {
    /// PCI 3.0 §2.2.6 and §6.8: a line is a level, a message an edge. Written down a second time, as simply as it goes.
    #[test]
    fn signals_follow_levels_and_edges(events in events(), which in 0..KINDS.len()) {
        let (model, kind) = KINDS[which];
        let wired = Wired::new(model, kind);
        let (mut causes, mut mask, mut before, mut line_is_masked) = (0, 0, 0, false);
        for event in events {
            match event {
                Event::Raise(bits) => { wired.raise(bits); causes |= bits; }
                Event::Clear(bits) => { wired.clear(bits); causes &= !bits; }
                Event::Read => {
                    prop_assert_eq!(wired.read_causes(), causes);
                    // An 82574L keeps its causes while any is unmasked.
                    if model != Model::E1000e || mask == 0 {
                        causes = 0;
                    }
                }
                Event::Mask(bits) => { wired.mask(bits); mask &= !bits; }
                Event::Unmask(bits) => { wired.unmask(bits); mask |= bits; }
                Event::UnmaskLine => { wired.interrupt.unmask().expect("unmasked"); line_is_masked = false; }
            }
            let now = causes & mask;
            let expected = if kind == Intx {
                let fires = now != 0 && !line_is_masked;
                line_is_masked |= fires;
                fires
            } else {
                now & !before != 0
            };
            before = now;
            prop_assert_eq!(wired.fired(), u64::from(expected), "{:?} {:?}", kind, event);
        }
    }
}
