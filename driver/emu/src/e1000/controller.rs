//! What one controller of the line does in its own way. All else is written once, beside it.

use pagewire_bus::{InterruptKind, InterruptSupport};
use pagewire_spec::Register;
use pagewire_spec::e1000 as spec;
use spec::{Eerd, Icr};

use super::control::eeprom_word;
use super::counters;
use crate::device::Device;
use crate::registers::{Layout, Written};

/// One controller of the line.
pub(crate) trait Controller: std::fmt::Debug + Sync + 'static {
    const DEVICE_ID: u16;
    const REVISION: u8;
    /// The second word of its PHY's identifier.
    const PHY_ID: u16;

    fn layout() -> &'static Layout;
    /// The ways it can interrupt, the best first.
    fn interrupts() -> &'static [InterruptSupport];
    /// The bits of ICR that stand for causes of the line.
    fn causes(device: &Device, causes: Icr) -> u32;
    /// The vectors that messages of these causes go to, one bit each.
    fn vectors(device: &Device, kind: InterruptKind, causes: u32) -> u64;
    /// Messages of these causes were sent.
    fn signalled(device: &Device, kind: InterruptKind, causes: u32);
    /// Software has written a register; what the line makes of that comes after.
    fn written(device: &Device, write: &Written);
    /// Software reads a register: its value, where reading has effects that the tables do not know.
    fn read(device: &Device, row: &'static Register) -> Option<u32>;
    /// Whether it starts any DMA.
    fn may_master(device: &Device) -> bool;
    /// Whether the transmit queue's turn ever comes.
    fn arbitrates(device: &Device) -> bool;
}

/// The 82540EM.
#[derive(Debug)]
pub(crate) struct Em82540;

static LAYOUT: Layout = Layout {
    rows: spec::REGISTERS,
    lookup: spec::lookup,
    len: spec::BAR0_LEN,
    partners: &[(&spec::IMC, &spec::IMS), (&spec::ICS, &spec::ICR)],
    wide: &counters::WIDE,
};

/// A PCI device of 2002: one line.
static INTERRUPTS: [InterruptSupport; 1] = [InterruptSupport {
    kind: InterruptKind::Intx,
    vectors: 1,
}];

impl Controller for Em82540 {
    const DEVICE_ID: u16 = spec::DEVICE_ID;
    const REVISION: u8 = 2;
    const PHY_ID: u16 = 0x0c20;

    fn layout() -> &'static Layout {
        &LAYOUT
    }

    fn interrupts() -> &'static [InterruptSupport] {
        &INTERRUPTS
    }

    fn causes(_device: &Device, causes: Icr) -> u32 {
        causes.into_bits()
    }

    fn vectors(_device: &Device, _kind: InterruptKind, _causes: u32) -> u64 {
        1
    }

    fn signalled(_device: &Device, _kind: InterruptKind, _causes: u32) {}

    fn written(device: &Device, write: &Written) {
        let request = Eerd::from_bits(write.new);
        if write.is(&spec::EERD) && request.start() {
            let data = eeprom_word(device.mac, Self::DEVICE_ID, request.addr().into());
            let done = request.with_start(false).with_done(true).with_data(data);
            device.registers.set(&spec::EERD, 0, done.into_bits());
        }
    }

    fn read(_device: &Device, _row: &'static Register) -> Option<u32> {
        None
    }

    fn may_master(_device: &Device) -> bool {
        true
    }

    fn arbitrates(_device: &Device) -> bool {
        true
    }
}
