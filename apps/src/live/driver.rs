//! Which driver a device gets. Everything above is compiled once for each of them.

use std::sync::Arc;

use pagewire_bus::{Function, Identity};
use pagewire_nic::port::SleepDelay;
use pagewire_nic::{e1000, e1000e, ixgbe};

use super::{Application, LiveError, Observer, OnCable, Outcome, Settings, engine, machine};

/// A driver of this project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// For the 82540EM.
    E1000,
    /// For the 82574L.
    E1000e,
    /// For the 82599.
    Ixgbe,
}

/// Vendor, device, and who drives it.
const KNOWN: [(u16, u16, Driver); 3] = [
    (
        pagewire_spec::VENDOR_ID,
        pagewire_spec::e1000::DEVICE_ID,
        Driver::E1000,
    ),
    (
        pagewire_spec::VENDOR_ID,
        pagewire_spec::e1000e::DEVICE_ID,
        Driver::E1000e,
    ),
    (
        pagewire_spec::VENDOR_ID,
        pagewire_spec::ixgbe::DEVICE_ID,
        Driver::Ixgbe,
    ),
];

impl Driver {
    /// The one for a device, if there is one.
    #[must_use]
    pub fn of(identity: Identity) -> Option<Self> {
        let known = KNOWN
            .iter()
            .find(|(vendor, device, _)| (*vendor, *device) == (identity.vendor, identity.device));
        known.map(|(_, _, driver)| *driver)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::E1000 => "e1000",
            Self::E1000e => "e1000e",
            Self::Ixgbe => "ixgbe",
        }
    }

    /// What all of them drive, in words.
    pub(super) fn names() -> String {
        let names =
            KNOWN.map(|(vendor, device, driver)| format!("{vendor:04x}:{device:04x} ({})", driver.name()));
        names.join(", ")
    }
}

/// Opens the NIC with the driver for it, and lets `application` run there.
pub(super) fn run<F: Function, A: Application>(
    function: Arc<F>,
    cable: Option<&OnCable>,
    settings: &Settings,
    application: &mut A,
    observer: &Observer<'_>,
) -> Result<Outcome, LiveError> {
    let identity = function.identity();
    let Some(driver) = Driver::of(identity) else {
        return Err(LiveError::UnknownNic {
            vendor: identity.vendor,
            device: identity.device,
        });
    };
    let parts = engine::Parts {
        driver,
        mapper: function.mapper(),
        cable,
    };
    let config = machine::nic_config(settings, cable);
    let delay = &mut SleepDelay;
    let refused = |error| machine::explain(driver, error);
    match driver {
        Driver::E1000 => {
            let opened = e1000::open(function, &config, delay).map_err(refused)?;
            engine::run(parts, opened, settings, application, observer)
        }
        Driver::E1000e => {
            let opened = e1000e::open(function, &config, delay).map_err(refused)?;
            engine::run(parts, opened, settings, application, observer)
        }
        Driver::Ixgbe => {
            let opened = ixgbe::open(function, &config, delay).map_err(refused)?;
            engine::run(parts, opened, settings, application, observer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_nobody_drives_gets_no_driver_and_the_error_names_those_that_do() {
        let unknown = Identity {
            vendor: 0x8086,
            device: 0x1572,
            revision: 1,
        };
        assert_eq!(Driver::of(unknown), None);
        let known = Identity {
            device: 0x100e,
            ..unknown
        };
        assert_eq!(Driver::of(known), Some(Driver::E1000));
        let error = LiveError::UnknownNic {
            vendor: 0x8086,
            device: 0x1572,
        }
        .to_string();
        assert!(
            error.contains("8086:1572") && error.contains("8086:10fb (ixgbe)"),
            "{error}"
        );
    }
}
