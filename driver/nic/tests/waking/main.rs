//! No wake-up is ever lost: whatever happens between any two steps of a wait, and on threads.

#[path = "../emulated/mod.rs"]
mod emulated;
mod fate;
mod moments;
mod near;
mod threads;

use pagewire_bus::InterruptKind;
use pagewire_emu::Model;
use pagewire_nic::port::NicConfig;

/// Every way in which a model can interrupt.
const KINDS: [(Model, InterruptKind); 7] = [
    (Model::E1000, InterruptKind::Intx),
    (Model::E1000e, InterruptKind::MsiX),
    (Model::E1000e, InterruptKind::Msi),
    (Model::E1000e, InterruptKind::Intx),
    (Model::Ixgbe, InterruptKind::MsiX),
    (Model::Ixgbe, InterruptKind::Msi),
    (Model::Ixgbe, InterruptKind::Intx),
];

fn promiscuous() -> NicConfig {
    NicConfig {
        promiscuous: true,
        ..NicConfig::default()
    }
}
