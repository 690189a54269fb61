//! What the 82574L does in its own way (317694, §10.2).

use pagewire_bus::{InterruptKind, InterruptSupport};
use pagewire_spec::e1000e as spec;
use pagewire_spec::{Register, e1000 as line};
use spec::{Ctrl, Eerd, Rfctl, Status, Tarc, Txdctl};

use super::interrupt;
use crate::device::Device;
use crate::e1000::control::eeprom_word;
use crate::e1000::{Controller, counters};
use crate::registers::{Layout, Written};

/// The 82574L.
#[derive(Debug)]
pub(crate) struct L82574;

static LAYOUT: Layout = Layout {
    rows: spec::REGISTERS,
    lookup: spec::lookup,
    len: spec::BAR0_LEN,
    partners: &[(&spec::IMC, &spec::IMS), (&spec::ICS, &spec::ICR)],
    wide: &counters::WIDE,
};

impl Controller for L82574 {
    const DEVICE_ID: u16 = spec::DEVICE_ID;
    const REVISION: u8 = 0;
    const PHY_ID: u16 = 0x0cb1;

    fn layout() -> &'static Layout {
        &LAYOUT
    }

    fn interrupts() -> &'static [InterruptSupport] {
        &interrupt::KINDS
    }

    fn causes(device: &Device, causes: line::Icr) -> u32 {
        interrupt::causes(device, causes)
    }

    fn vectors(device: &Device, kind: InterruptKind, causes: u32) -> u64 {
        interrupt::vectors(device, kind, causes)
    }

    fn signalled(device: &Device, kind: InterruptKind, causes: u32) {
        interrupt::signalled(device, kind, causes);
    }

    fn written(device: &Device, write: &Written) {
        let registers = &device.registers;
        if write.is(&spec::EERD) {
            let request = Eerd::from_bits(write.new);
            if request.start() {
                let data = eeprom_word(device.mac, Self::DEVICE_ID, request.addr());
                let done = request.with_start(false).with_done(true).with_data(data);
                registers.set(&spec::EERD, 0, done.into_bits());
            }
        } else if write.is(&spec::CTRL) {
            // DMA ends at once: none is under way while registers are written.
            let ended = Ctrl::from_bits(write.new).gio_master_disable();
            let status = Status::from_bits(registers.get(&spec::STATUS, 0));
            registers.set(
                &spec::STATUS,
                0,
                status.with_gio_master_enable(!ended).into_bits(),
            );
        } else if write.is(&spec::RXDCTL) && write.index == 0 {
            // §10.2.5.11.
            registers.set(&spec::RXDCTL, 1, write.new);
        } else if write.is(&spec::TCTL) && line::Tctl::from_bits(write.new).en() {
            let control = Txdctl::from_bits(registers.get(&spec::TXDCTL, 0));
            if !control.count_desc() {
                device.misuse(|| "TCTL.EN while bit 22 of TXDCTL is 0".into());
            }
        } else if write.is(&spec::RCTL) && line::Rctl::from_bits(write.new).en() {
            check_receive_formats(device);
        } else if write.is(&spec::ICR) {
            interrupt::acknowledged(device, write.old & !write.new);
        }
    }

    fn read(device: &Device, row: &'static Register) -> Option<u32> {
        (row.offset == spec::ICR.offset)
            .then(|| interrupt::read(device))
            .flatten()
    }

    fn may_master(device: &Device) -> bool {
        !Ctrl::from_bits(device.registers.get(&spec::CTRL, 0)).gio_master_disable()
    }

    fn arbitrates(device: &Device) -> bool {
        Tarc::from_bits(device.registers.get(&spec::TARC, 0)).enable()
    }
}

/// What a receiver must not have been asked for when it goes on.
fn check_receive_formats(device: &Device) {
    let filters = Rfctl::from_bits(device.registers.get(&spec::RFCTL, 0));
    if filters.exsten() {
        device.misuse(|| "RCTL.EN with RFCTL.EXSTEN: extended receive descriptors are not modelled".into());
    }
    if device.registers.get(&spec::MRQC, 0) != 0 {
        device.misuse(|| "RCTL.EN with RSS in MRQC, which is not modelled".into());
    }
}
