//! The interrupts (§10.2.4), all causes on one vector.

use pagewire_bus::{Bar, InterruptKind};
use pagewire_spec::e1000e::{self as spec, CtrlExt, Icr, Ivar};

use crate::e1000::CauseBits;
use crate::e1000::registers::Registers;

/// With MSI-X the queues have causes of their own, and all else comes as OTHER, with its own bit beside it. To
/// clear OTHER clears those: so it counts as the link's, whose causes are kept until they are told.
pub(super) const CAUSES: CauseBits = CauseBits {
    receive: Icr::new()
        .with_rxt0(true)
        .with_rxdmt0(true)
        .with_rxo(true)
        .with_rxq0(true)
        .into_bits(),
    transmit: Icr::new().with_txdw(true).with_txq0(true).into_bits(),
    link: Icr::new().with_lsc(true).with_other(true).into_bits(),
};

/// §10.2.4.9: with MSI-X every cause goes to the one vector. ICR stays as it is until software clears it: nothing
/// is cleared or masked by the message itself, and nothing is throttled.
pub(super) fn set_up<B: Bar>(registers: &Registers<B>, kind: InterruptKind) {
    let is_msix = kind == InterruptKind::MsiX;
    let vectors = Ivar::new()
        .with_rxq0_valid(is_msix)
        .with_txq0_valid(is_msix)
        .with_other_valid(is_msix);
    registers.write(&spec::IVAR, vectors.into());
    let extended = CtrlExt::from_bits(registers.read(&spec::CTRL_EXT)).with_pba_clr(is_msix);
    registers.write(&spec::CTRL_EXT, extended.into());
    registers.write(&spec::EIAC, 0);
    registers.write(&spec::IAM, 0);
    registers.write(&spec::ITR, 0);
    registers.write(&spec::EITR, 0);
}

/// With MSI-X reading clears nothing, otherwise it does: what was read is written back in any case. A cause that
/// comes between the two and is lost is one of those that are told.
pub(super) fn take_causes<B: Bar>(registers: &Registers<B>) -> u32 {
    let causes = registers.read(&spec::ICR);
    registers.write(&spec::ICR, causes);
    causes
}
