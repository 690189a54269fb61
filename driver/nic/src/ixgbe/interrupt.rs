//! The 82599's interrupts (§7.3, §8.2.3.5), all causes of all queues on one vector: bit 0 of EICR is that of the
//! queues.

use pagewire_bus::{Bar, InterruptKind};
use pagewire_spec::ixgbe::{Eicr, IvarByte};

use super::registers::Registers;
use crate::port::Causes;
use crate::wait::ALL_ONES;

/// The vector, and its bit.
const VECTOR: u8 = 0;
const QUEUES: u32 = Eicr::new().with_rtxq(1 << VECTOR).into_bits();
/// A packet buffer ran over.
const MISSED: u32 = Eicr::new().with_rx_miss(true).into_bits();
const LINK: u32 = Eicr::new().with_lsc(true).into_bits();

/// §7.3.4.1: every queue's two directions, and all other causes, go to the one vector. EICR stays as it is until
/// software reads it: nothing is cleared or masked by the message itself.
pub(super) fn set_up<B: Bar>(registers: &Registers<B>, kind: InterruptKind, queues: u16) {
    let is_msix = kind == InterruptKind::MsiX;
    registers.set_gpie(
        registers
            .gpie()
            .with_multiple_msix(is_msix)
            .with_pba_support(is_msix)
            .with_eiame(false)
            .with_ocd(false),
    );
    let vector = IvarByte::new().with_vector(VECTOR).with_valid(true);
    for queue in 0..u32::from(queues) {
        registers.set_receive_ivar(queue, vector);
        registers.set_transmit_ivar(queue, vector);
    }
    registers.set_other_ivar(vector);
}

/// Of the causes that are pending only the link's is kept: rings can be looked at, a link that went down and
/// came up again cannot.
pub(super) fn arm<B: Bar>(registers: &Registers<B>) {
    registers.clear_interrupts((QUEUES | MISSED).into());
    registers.unmask_interrupts((QUEUES | MISSED | LINK).into());
}

/// EICR clears as it is read; the read also brings in what the device wrote to memory before. Which direction of
/// a queue it was, EICR does not say.
pub(super) fn disarm<B: Bar>(registers: &Registers<B>) -> Causes {
    registers.mask_interrupts();
    let causes = u32::from(registers.take_interrupts());
    if causes == ALL_ONES {
        return Causes::default();
    }
    Causes {
        receive: causes & (QUEUES | MISSED) != 0,
        transmit: causes & QUEUES != 0,
        link: causes & LINK != 0,
    }
}
