//! The reset of the 82574L: no DMA on the way, the PHY's registers ours, the EEPROM read again.

use pagewire_bus::Bar;
use pagewire_spec::e1000e::{self as spec, Ctrl, Eecd, ExtcnfCtrl, Status};

use crate::e1000::init;
use crate::e1000::registers::Registers;
use crate::port::{Delay, NicError};
use crate::wait::Wait;

/// The last DMA ends when its completion has come, or has not in time.
const DMA: Wait = Wait {
    step: "waiting for DMA to end",
    register: "STATUS",
    limit_us: 80_000,
    every_us: 100,
};
/// Firmware gives the PHY's registers away between two accesses of its own.
const OWNERSHIP: Wait = Wait {
    step: "asking for the PHY's registers",
    register: "EXTCNF_CTRL",
    limit_us: 20_000,
    every_us: 2_000,
};
/// The device reads its settings from the EEPROM.
const EEPROM: Wait = Wait {
    step: "waiting for the EEPROM to be read",
    register: "EECD",
    limit_us: 20_000,
    every_us: 1_000,
};
/// The PHY gets its settings from the EEPROM when the device has its own; nothing tells when.
const PHY_SETTINGS_US: u32 = 25_000;

/// Ends DMA, resets, waits until the device has its settings.
pub(super) fn reset<B: Bar>(registers: &Registers<B>, delay: &mut dyn Delay) -> Result<(), NicError> {
    let ctrl = Ctrl::from_bits(registers.read(&spec::CTRL)).with_gio_master_disable(true);
    registers.write(&spec::CTRL, ctrl.into());
    let status = || registers.read(&spec::STATUS);
    // A request that hangs on is one more reason for the reset.
    unless_late(DMA.until(delay, status, |status| {
        !Status::from_bits(status).gio_master_enable()
    }))?;

    // A reset in the middle of an access of the firmware's leaves the PHY in a state that nobody asked for. A
    // firmware that gives nothing away does not keep us from it.
    let control = || registers.read(&spec::EXTCNF_CTRL);
    let asked = ExtcnfCtrl::from_bits(control()).with_mdio_sw_ownership(true);
    registers.write(&spec::EXTCNF_CTRL, asked.into());
    unless_late(OWNERSHIP.until(delay, control, |value| {
        ExtcnfCtrl::from_bits(value).mdio_sw_ownership()
    }))?;

    init::reset(registers, delay)?;
    let given_back = ExtcnfCtrl::from_bits(control()).with_mdio_sw_ownership(false);
    registers.write(&spec::EXTCNF_CTRL, given_back.into());
    EEPROM.until(
        delay,
        || registers.read(&spec::EECD),
        |value| Eecd::from_bits(value).auto_rd(),
    )?;
    delay.delay_us(PHY_SETTINGS_US);
    Ok(())
}

/// Lets a wait go by that was too short.
fn unless_late(waited: Result<u32, NicError>) -> Result<(), NicError> {
    match waited {
        Ok(_) | Err(NicError::Timeout { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
