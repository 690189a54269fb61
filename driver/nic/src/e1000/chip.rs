//! What one controller of the line does in its own way. All else is written once, here beside it.

use pagewire_bus::{Bar, InterruptKind};
use pagewire_spec::e1000::{self as spec, Eerd, Icr, Rxcsum, Tipg, Txdctl};

use super::init::reset;
use super::interrupt::CauseBits;
use super::registers::Registers;
use crate::port::{Delay, NicError};
use crate::ring::SplitRule;
use crate::wait::Wait;

/// One controller of the line.
pub trait Chip: std::fmt::Debug + Send + Sync + 'static {
    /// The driver's name.
    const NAME: &'static str;
    /// PCI device ID.
    const DEVICE_ID: u16;
    /// How transmit buffers are cut into descriptors.
    const SPLIT: SplitRule;
    /// Which bits of ICR and IMS say what.
    const CAUSES: CauseBits;
    /// Gaps between frames, on copper.
    const GAPS: Tipg;
    /// The checksums that it checks on receipt.
    const CHECKS: Rxcsum;

    /// Resets the device through its registers. Interrupts and both directions are off, but DMA may still be
    /// under way.
    ///
    /// # Errors
    /// [`NicError::Timeout`] or [`NicError::Removed`]: nothing is known of the device then.
    fn reset<B: Bar>(registers: &Registers<B>, delay: &mut dyn Delay) -> Result<(), NicError>;

    /// Reads a word of the EEPROM.
    ///
    /// # Errors
    /// As for [`reset`](Self::reset).
    fn read_eeprom<B: Bar>(
        registers: &Registers<B>,
        word: u8,
        delay: &mut dyn Delay,
    ) -> Result<u16, NicError>;

    /// Sets what has to be set after a reset and before rings, link and filters are.
    fn prepare<B: Bar>(registers: &Registers<B>);

    /// Transmit descriptor control.
    fn transmit_control() -> u32;

    /// Makes all of [`CAUSES`](Self::CAUSES) signal with the one vector that the bus granted.
    fn set_up_interrupt<B: Bar>(registers: &Registers<B>, kind: InterruptKind);

    /// Reads ICR, and clears what it returns. All causes are masked.
    fn take_causes<B: Bar>(registers: &Registers<B>) -> u32;
}

/// The 82540EM.
#[derive(Debug)]
pub struct Chip82540;

/// A word takes 50 µs or so from a serial EEPROM.
pub(crate) const EEPROM: Wait = Wait {
    step: "reading the EEPROM",
    register: "EERD",
    limit_us: 10_000,
    every_us: 10,
};

impl Chip for Chip82540 {
    const NAME: &'static str = "e1000";
    const DEVICE_ID: u16 = spec::DEVICE_ID;

    const SPLIT: SplitRule = SplitRule {
        // The manual allows 16,288 (§3.3.3). Pages of a file are 4,096 bytes anyway, and a descriptor that
        // stays within one is the least that any model or revision of this device was asked for.
        max_bytes: 4096,
        boundary: 0,
        // An erratum: the device can report a segmentation request, or the packet after it, done while it
        // still reads the last descriptor's data. Four bytes of a descriptor of their own close that gap (as
        // Linux does).
        sentinel: 4,
    };

    /// §13.4.17: frames arrived, few descriptors are left, none was left; a descriptor that asked for it was
    /// written back.
    const CAUSES: CauseBits = CauseBits {
        receive: Icr::new()
            .with_rxt0(true)
            .with_rxdmt0(true)
            .with_rxo(true)
            .into_bits(),
        transmit: Icr::new().with_txdw(true).into_bits(),
        link: Icr::new().with_lsc(true).into_bits(),
    };
    const GAPS: Tipg = Tipg::new().with_ipgt(10).with_ipgr1(8).with_ipgr2(6);
    const CHECKS: Rxcsum = Rxcsum::new().with_ipofl(true).with_tuofl(true).with_ipv6ofl(true);

    fn reset<B: Bar>(registers: &Registers<B>, delay: &mut dyn Delay) -> Result<(), NicError> {
        reset(registers, delay)
    }

    /// §13.4.4: START with the word's number; DONE says that the data is there.
    fn read_eeprom<B: Bar>(
        registers: &Registers<B>,
        word: u8,
        delay: &mut dyn Delay,
    ) -> Result<u16, NicError> {
        registers.write(&spec::EERD, Eerd::new().with_start(true).with_addr(word).into());
        let read = || registers.read(&spec::EERD);
        let value = EEPROM.until(delay, read, |value| Eerd::from_bits(value).done())?;
        Ok(Eerd::from_bits(value).data())
    }

    fn prepare<B: Bar>(_: &Registers<B>) {}

    /// WTHRESH 0: each descriptor that asks for it is written back at once. GRAN: thresholds count
    /// descriptors.
    fn transmit_control() -> u32 {
        Txdctl::new().with_gran(true).into()
    }

    /// It has one line, and nothing to choose.
    fn set_up_interrupt<B: Bar>(_registers: &Registers<B>, _kind: InterruptKind) {}

    /// ICR clears as it is read.
    fn take_causes<B: Bar>(registers: &Registers<B>) -> u32 {
        registers.read(&spec::ICR)
    }
}
