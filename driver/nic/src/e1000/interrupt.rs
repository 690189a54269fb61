//! The interrupt (§13.4.17 to §13.4.21): causes in ICR, those that count in IMS.

use pagewire_bus::Bar;
use pagewire_spec::e1000 as spec;

use super::chip::Chip;
use super::registers::Registers;
use crate::port::Causes;
use crate::wait::ALL_ONES;

/// Which causes say what.
#[derive(Clone, Copy, Debug)]
pub struct CauseBits {
    /// Frames arrived, or were lost for want of descriptors.
    pub receive: u32,
    /// Descriptors were written back.
    pub transmit: u32,
    /// The link changed.
    pub link: u32,
}

/// Of the causes that are pending only the link's is kept: rings can be looked at, a link that went down and
/// came up again cannot.
pub(super) fn arm<B: Bar, C: Chip>(registers: &Registers<B>) {
    let CauseBits {
        receive,
        transmit,
        link,
    } = C::CAUSES;
    registers.write(&spec::ICR, receive | transmit);
    registers.write(&spec::IMS, receive | transmit | link);
}

/// The read of ICR also brings in what the device wrote to memory before.
pub(super) fn disarm<B: Bar, C: Chip>(registers: &Registers<B>) -> Causes {
    registers.mask_interrupts();
    let causes = C::take_causes(registers);
    if causes == ALL_ONES {
        return Causes::default();
    }
    let has = |bits: u32| causes & bits != 0;
    Causes {
        receive: has(C::CAUSES.receive),
        transmit: has(C::CAUSES.transmit),
        link: has(C::CAUSES.link),
    }
}
