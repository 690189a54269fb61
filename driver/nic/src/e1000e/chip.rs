//! What the 82574L does in its own way.

use pagewire_bus::{Bar, InterruptKind};
use pagewire_spec::e1000::{Rxcsum, Tipg};
use pagewire_spec::e1000e::{self as spec, Ctrl, CtrlExt, Eerd, Gcr, Rfctl, Tarc, Txdctl};

use super::{interrupt, reset};
use crate::e1000::chip::EEPROM;
use crate::e1000::registers::Registers;
use crate::e1000::{CauseBits, Chip};
use crate::port::{Delay, NicError};
use crate::ring::SplitRule;

/// The 82574L.
#[derive(Debug)]
pub struct Chip82574;

impl Chip for Chip82574 {
    const NAME: &'static str = "e1000e";
    const DEVICE_ID: u16 = spec::DEVICE_ID;

    const SPLIT: SplitRule = SplitRule {
        max_bytes: 4096,
        // QEMU's model of this device maps the bytes of a descriptor in one piece. Behind an IOMMU a piece ends
        // with its page: it drops a packet whose descriptors go further, and reports it done all the same.
        boundary: 4096,
        // The erratum of the 82540EM is none of this device.
        sentinel: 0,
    };

    const CAUSES: CauseBits = interrupt::CAUSES;

    /// Their reset values, too (§10.2.6).
    const GAPS: Tipg = Tipg::new().with_ipgt(8).with_ipgr1(8).with_ipgr2(6);
    /// IPv6 is checked unless RFCTL says no.
    const CHECKS: Rxcsum = Rxcsum::new().with_ipofl(true).with_tuofl(true);

    fn reset<B: Bar>(registers: &Registers<B>, delay: &mut dyn Delay) -> Result<(), NicError> {
        reset::reset(registers, delay)
    }

    /// §10.2.2.4: START with the word's number; DONE says that the data is there.
    fn read_eeprom<B: Bar>(
        registers: &Registers<B>,
        word: u8,
        delay: &mut dyn Delay,
    ) -> Result<u16, NicError> {
        let request = Eerd::new().with_start(true).with_addr(word.into());
        registers.write(&spec::EERD, request.into());
        let read = || registers.read(&spec::EERD);
        let value = EEPROM.until(delay, read, |value| Eerd::from_bits(value).done())?;
        Ok(Eerd::from_bits(value).data())
    }

    /// What a reset should have set is set again: not every model's reset does, and a driver before us may have
    /// asked for another format of receive descriptors, for RSS or for delays. Bits that have no meaning in the
    /// datasheet are as all drivers set them.
    fn prepare<B: Bar>(registers: &Registers<B>) {
        let ctrl = Ctrl::from_bits(registers.read(&spec::CTRL));
        registers.write(
            &spec::CTRL,
            ctrl.with_gio_master_disable(false).with_reserved_29(false).into(),
        );
        let extended = CtrlExt::from_bits(registers.read(&spec::CTRL_EXT))
            .with_tx_ls_flow(true)
            .with_tx_ls(false)
            .with_eiame(false)
            .with_iame(false)
            .with_int_timers_clear_ena(false)
            .with_pba_clr(false)
            .with_drv_load(true);
        registers.write(&spec::CTRL_EXT, extended.into());
        let pcie = Gcr::from_bits(registers.read(&spec::GCR))
            .with_bit_22(true)
            .with_l1_act_without_l0s_rx(true);
        registers.write(&spec::GCR, pcie.into());
        // An erratum: completions may go wrong with power management on the link, and transmission hangs.
        registers.write(&spec::GCR2, 1);

        let arbitration = Tarc::from_bits(registers.read(&spec::TARC))
            .with_enable(true)
            .with_bit_26(true)
            .with_bits_27_to_30(0);
        registers.write(&spec::TARC, arbitration.into());
        registers.0.write32(spec::TXDCTL.at(1), Self::transmit_control());

        let filters = Rfctl::from_bits(registers.read(&spec::RFCTL))
            .with_exsten(false)
            .with_ack_dis(true)
            .with_ipv6_dis(false)
            .with_ipv6_xsum_dis(false);
        registers.write(&spec::RFCTL, filters.into());
        registers.write(&spec::MRQC, 0);
        registers.write(&spec::RADV, 0);
    }

    fn set_up_interrupt<B: Bar>(registers: &Registers<B>, kind: InterruptKind) {
        interrupt::set_up(registers, kind);
    }

    fn take_causes<B: Bar>(registers: &Registers<B>) -> u32 {
        interrupt::take_causes(registers)
    }

    /// GRAN and WTHRESH 1: each descriptor that asks for it is written back at once.
    fn transmit_control() -> u32 {
        Txdctl::new()
            .with_wthresh(1)
            .with_count_desc(true)
            .with_gran(true)
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transmit_descriptor_control_has_the_bit_that_must_be_set() {
        assert_eq!(Chip82574::transmit_control(), 1 << 24 | 1 << 22 | 1 << 16);
    }
}
