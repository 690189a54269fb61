//! The line's registers as the driver uses them: one line each, made from the facts in
//! [`pagewire_spec::e1000`].

use pagewire_bus::{Bar, Iova};
use pagewire_spec::Register;
use pagewire_spec::e1000::{self as spec, Ctrl, Rah, Rctl, Rxcsum, Rxdctl, Status, Tctl, Tipg};

/// Typed access to the register space.
#[derive(Clone, Debug)]
pub struct Registers<B>(pub(crate) B);

#[rustfmt::skip]
impl<B: Bar> Registers<B> {
    /// Reads any register.
    pub(crate) fn read(&self, register: &Register) -> u32 { self.0.read32(register.offset) }
    /// Writes any register.
    pub(crate) fn write(&self, register: &Register, value: u32) { self.0.write32(register.offset, value); }

    pub(crate) fn ctrl(&self) -> Ctrl { self.read(&spec::CTRL).into() }
    pub(crate) fn set_ctrl(&self, value: Ctrl) { self.write(&spec::CTRL, value.into()); }
    pub(crate) fn status(&self) -> Status { self.read(&spec::STATUS).into() }
    pub(crate) fn mask_interrupts(&self) { self.write(&spec::IMC, u32::MAX); }

    pub(crate) fn rctl(&self) -> Rctl { self.read(&spec::RCTL).into() }
    pub(crate) fn set_rctl(&self, value: Rctl) { self.write(&spec::RCTL, value.into()); }
    pub(crate) fn set_rxcsum(&self, value: Rxcsum) { self.write(&spec::RXCSUM, value.into()); }
    pub(crate) fn set_rxdctl(&self, value: Rxdctl) { self.write(&spec::RXDCTL, value.into()); }
    pub(crate) fn set_rdtr(&self, value: u32) { self.write(&spec::RDTR, value); }
    pub(crate) fn set_mta(&self, index: u32, value: u32) { self.0.write32(spec::MTA.at(index), value); }
    pub(crate) fn set_ral(&self, index: u32, value: u32) { self.0.write32(spec::RAL.at(index), value); }
    pub(crate) fn set_rah(&self, index: u32, value: Rah) { self.0.write32(spec::RAH.at(index), value.into()); }
    pub(crate) fn set_rdt(&self, slot: u32) { self.write(&spec::RDT, slot); }

    pub(crate) fn tctl(&self) -> Tctl { self.read(&spec::TCTL).into() }
    pub(crate) fn set_tctl(&self, value: Tctl) { self.write(&spec::TCTL, value.into()); }
    pub(crate) fn set_tipg(&self, value: Tipg) { self.write(&spec::TIPG, value.into()); }
    pub(crate) fn set_txdctl(&self, value: u32) { self.write(&spec::TXDCTL, value); }
    pub(crate) fn set_tdt(&self, slot: u32) { self.write(&spec::TDT, slot); }

    /// Flow control frames: address, type, timer.
    pub(crate) fn set_flow_control(&self, address_low: u32, address_high: u32, kind: u32, timer: u32) {
        self.write(&spec::FCAL, address_low);
        self.write(&spec::FCAH, address_high);
        self.write(&spec::FCT, kind);
        self.write(&spec::FCTTV, timer);
    }

    /// The receive ring: base, length, an empty head and tail.
    pub(crate) fn set_receive_ring(&self, base: Iova, bytes: u32) {
        self.write(&spec::RDBAL, base.0 as u32);
        self.write(&spec::RDBAH, (base.0 >> 32) as u32);
        self.write(&spec::RDLEN, bytes);
        self.write(&spec::RDH, 0);
        self.write(&spec::RDT, 0);
    }

    /// The transmit ring, likewise.
    pub(crate) fn set_transmit_ring(&self, base: Iova, bytes: u32) {
        self.write(&spec::TDBAL, base.0 as u32);
        self.write(&spec::TDBAH, (base.0 >> 32) as u32);
        self.write(&spec::TDLEN, bytes);
        self.write(&spec::TDH, 0);
        self.write(&spec::TDT, 0);
    }
}
