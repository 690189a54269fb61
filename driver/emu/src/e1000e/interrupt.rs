//! The 82574L's interrupts (317694, §10.2.4): with MSI-X its causes are others than without.

use pagewire_bus::{InterruptKind, InterruptSupport};
use pagewire_spec::e1000 as line;
use pagewire_spec::e1000e as spec;
use spec::{CtrlExt, Icr, Ivar};

use crate::device::Device;

pub(super) static KINDS: [InterruptSupport; 3] = [
    InterruptSupport {
        kind: InterruptKind::MsiX,
        vectors: spec::MSIX_VECTORS,
    },
    InterruptSupport {
        kind: InterruptKind::Msi,
        vectors: 1,
    },
    InterruptSupport {
        kind: InterruptKind::Intx,
        vectors: 1,
    },
];

/// Causes that come as OTHER with MSI-X.
const OTHERS: Icr = Icr::new()
    .with_lsc(true)
    .with_rxo(true)
    .with_mdac(true)
    .with_srpd(true)
    .with_ack(true)
    .with_mng(true);

/// With MSI-X queues have causes of their own, and the rest comes with OTHER.
pub(super) fn causes(device: &Device, causes: line::Icr) -> u32 {
    let bits = causes.into_bits();
    if !device.has_msix() {
        return bits;
    }
    let others = bits & OTHERS.into_bits();
    let queues = Icr::new()
        .with_rxq0(causes.rxt0())
        .with_txq0(causes.txdw())
        .with_other(others != 0);
    queues.into_bits() | others
}

/// IVAR says which vector each of the five causes goes to (§10.2.4.9).
pub(super) fn vectors(device: &Device, kind: InterruptKind, causes: u32) -> u64 {
    if kind != InterruptKind::MsiX {
        return 1;
    }
    let (causes, ivar) = (
        Icr::from_bits(causes),
        Ivar::from_bits(device.registers.get(&spec::IVAR, 0)),
    );
    let entries = [
        (causes.rxq0(), ivar.rxq0_valid(), ivar.rxq0()),
        (causes.rxq1(), ivar.rxq1_valid(), ivar.rxq1()),
        (causes.txq0(), ivar.txq0_valid(), ivar.txq0()),
        (causes.txq1(), ivar.txq1_valid(), ivar.txq1()),
        (causes.other(), ivar.other_valid(), ivar.other()),
    ];
    entries
        .into_iter()
        .filter(|(counts, valid, _)| *counts && *valid)
        .fold(0, |vectors, (.., vector)| vectors | 1 << vector)
}

/// A MSI-X message clears the causes that EIAC names, in ICR and, unless CTRL_EXT.IAME says no, in the mask.
pub(super) fn signalled(device: &Device, kind: InterruptKind, causes: u32) {
    if kind != InterruptKind::MsiX {
        return;
    }
    let registers = &device.registers;
    let cleared = causes & registers.get(&spec::EIAC, 0);
    registers.clear(&spec::ICR, cleared);
    if !CtrlExt::from_bits(registers.get(&spec::CTRL_EXT, 0)).iame() {
        registers.clear(&spec::IMS, cleared);
    }
}

/// With MSI-X, or while anything is unmasked, a read clears nothing (§10.2.4.1). `None` where it clears.
pub(super) fn read(device: &Device) -> Option<u32> {
    let registers = &device.registers;
    let keeps = device.has_msix() || registers.get(&spec::IMS, 0) != 0;
    keeps.then(|| registers.get(&spec::ICR, 0))
}

/// Who clears OTHER clears what it stands for.
pub(super) fn acknowledged(device: &Device, cleared: u32) {
    if Icr::from_bits(cleared).other() {
        device.change_causes(|| device.registers.clear(&spec::ICR, OTHERS.into_bits()));
    }
}
