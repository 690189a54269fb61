//! What the line's registers do.

use pagewire_bus::{Identity, InterruptKind, InterruptSupport};
use pagewire_spec::e1000 as spec;
use pagewire_spec::{Register, VENDOR_ID};
use parking_lot::MutexGuard;
use spec::{Ctrl, Eecd, Icr, Mdic, Rah, Rctl, Status, Tctl};

use super::descriptors::E1000;
use super::{Controller, counters, settings};
use crate::base::Side;
use crate::device::{Device, Model};
use crate::family::{Family, RingRows};
use crate::interrupt::CauseRows;
use crate::receive::State;
use crate::receive::filter::Settings;
use crate::receive::steer::Rss;
use crate::registers::{Layout, Written};
use crate::transmit::{Engine, TxStats};
use crate::wire::Inlet;

/// A controller of the line.
#[derive(Debug)]
pub(crate) struct Line<C>(pub(crate) C);

static CAUSES: CauseRows = CauseRows {
    causes: &spec::ICR,
    mask: &spec::IMS,
};

static RINGS: [RingRows; 2] = [
    RingRows {
        side: Side::Transmit,
        base_low: &spec::TDBAL,
        base_high: &spec::TDBAH,
        len: &spec::TDLEN,
        head: &spec::TDH,
        tail: &spec::TDT,
    },
    RingRows {
        side: Side::Receive,
        base_low: &spec::RDBAL,
        base_high: &spec::RDBAH,
        len: &spec::RDLEN,
        head: &spec::RDH,
        tail: &spec::RDT,
    },
];

/// PHY registers by number (IEEE 802.3 clause 22): control, status, identifiers.
const PHY_CONTROL: usize = 0;
const PHY_STATUS: usize = 1;
const PHY_ADDRESS: u8 = 1;
/// Reset, which clears itself.
const PHY_RESET: u16 = 1 << 15;
/// Restart of auto-negotiation, which clears itself.
const PHY_RESTART: u16 = 1 << 9;
/// Extended status, all 10 and 100 modes, negotiation able.
const PHY_ABLE: u16 = 0x7949;
/// Negotiation complete, link up.
const PHY_LINKED: u16 = 1 << 5 | 1 << 2;
/// Specific status of this PHY: resolved, 1000 Mb/s, full duplex, link.
const PHY_SPECIFIC: usize = 17;
const PHY_SPECIFIC_UP: u16 = 0xac08;

/// The receive buffer of a descriptor.
fn receive_extent(words: [u64; 2], buffer_len: u32) -> Option<(u64, usize)> {
    Some((words[0], buffer_len as usize))
}

impl<C: Controller> Model for Line<C> {
    fn identity(&self) -> Identity {
        Identity {
            vendor: VENDOR_ID,
            device: C::DEVICE_ID,
            revision: C::REVISION,
        }
    }

    fn layout(&self) -> &'static Layout {
        C::layout()
    }

    fn rings(&self) -> &'static [RingRows; 2] {
        &RINGS
    }

    fn queues(&self) -> usize {
        1
    }

    #[inline]
    fn tail(&self, offset: u32) -> Option<(Side, usize)> {
        const TRANSMIT: u32 = spec::TDT.offset;
        const RECEIVE: u32 = spec::RDT.offset;
        match offset {
            TRANSMIT => Some((Side::Transmit, 0)),
            RECEIVE => Some((Side::Receive, 0)),
            _ => None,
        }
    }

    fn loaded(&self, device: &Device) {
        let [a, b, c, d, e, f] = device.mac;
        device
            .registers
            .set(&spec::RAL, 0, u32::from_le_bytes([a, b, c, d]));
        let high = Rah::new().with_address(u16::from_le_bytes([e, f])).with_av(true);
        device.registers.set(&spec::RAH, 0, high.into_bits());
        let status = Status::from_bits(device.registers.get(&spec::STATUS, 0)).with_lu(false);
        device.registers.set(&spec::STATUS, 0, status.into_bits());
        let mut phy = [0; 32];
        // Auto-negotiation on, full duplex, 1000 Mb/s.
        (phy[PHY_CONTROL], phy[2], phy[3]) = (0x1140, 0x0141, C::PHY_ID);
        *device.phy.lock() = phy;
        self.link_changed(device);
    }

    fn written(&self, device: &Device, write: &Written) {
        let registers = &device.registers;
        C::written(device, write);
        if write.is(&spec::CTRL) {
            let ctrl = Ctrl::from_bits(write.new);
            if ctrl.rst() {
                device.reset_registers();
            } else {
                registers.set(&spec::CTRL, 0, ctrl.with_phy_rst(false).into_bits());
                self.link_changed(device);
            }
        } else if write.is(&spec::EECD) {
            let eecd = Eecd::from_bits(write.new);
            registers.set(&spec::EECD, 0, eecd.with_ee_gnt(eecd.ee_req()).into_bits());
        } else if write.is(&spec::MDIC) {
            let done = phy_access(&mut device.phy.lock(), Mdic::from_bits(write.new));
            registers.set(&spec::MDIC, 0, done.into_bits());
            if done.interrupt() {
                device.raise(C::causes(device, Icr::new().with_mdac(true)));
            }
        } else if write.is(&spec::TCTL) {
            if Tctl::from_bits(write.new).en() {
                device.switch_on(Side::Transmit, 0, 0, E1000::transmit_extent);
            } else {
                device.switch_off(Side::Transmit, 0);
            }
        } else if write.is(&spec::RCTL) {
            receive_control(device, Rctl::from_bits(write.old), Rctl::from_bits(write.new));
        }
    }

    fn read(&self, device: &Device, row: &'static Register, _index: u32) -> Option<u32> {
        C::read(device, row)
    }

    fn causes(&self) -> &'static CauseRows {
        &CAUSES
    }

    fn interrupts(&self) -> &'static [InterruptSupport] {
        C::interrupts()
    }

    fn vectors(&self, device: &Device, kind: InterruptKind, causes: u32) -> u64 {
        C::vectors(device, kind, causes)
    }

    fn signalled(&self, device: &Device, kind: InterruptKind, causes: u32) {
        C::signalled(device, kind, causes);
    }

    /// The link is up with a cable plugged in and CTRL.SLU set.
    fn link_changed(&self, device: &Device) {
        let registers = &device.registers;
        let plugged = device.has_carrier();
        let up = plugged && Ctrl::from_bits(registers.get(&spec::CTRL, 0)).slu();
        let status = Status::from_bits(registers.get(&spec::STATUS, 0));
        registers.set(&spec::STATUS, 0, status.with_lu(up).into_bits());
        let mut phy = device.phy.lock();
        phy[PHY_STATUS] = PHY_ABLE | if plugged { PHY_LINKED } else { 0 };
        phy[PHY_SPECIFIC] = if plugged { PHY_SPECIFIC_UP } else { 0 };
        if status.lu() != up {
            drop(phy);
            device.raise(C::causes(device, Icr::new().with_lsc(true)));
        }
    }

    fn settings(&self, device: &Device, _old: Option<Box<Rss>>) -> (Settings, Option<Box<Rss>>) {
        let mut settings = settings::take(device);
        settings.on &= C::may_master(device);
        (settings, None)
    }

    fn may_transmit(&self, device: &Device) -> bool {
        let on = Tctl::from_bits(device.registers.get(&spec::TCTL, 0)).en();
        on && C::may_master(device) && C::arbitrates(device)
    }

    fn pads(&self, device: &Device) -> bool {
        Tctl::from_bits(device.registers.get(&spec::TCTL, 0)).psp()
    }

    /// It has no coalescing; a receiver that takes long packets takes these.
    fn coalesces(&self, device: &Device, _queue: usize) -> bool {
        Rctl::from_bits(device.registers.get(&spec::RCTL, 0)).lpe()
    }

    fn sent(&self, device: &Device, _queue: usize, stats: &TxStats) {
        counters::sent::<C>(device, stats);
    }

    fn received(&self, device: &Device, state: &mut State) {
        counters::received::<C>(device, state);
    }

    fn run(&self, engine: &mut Engine, device: &Device, queue: usize, inlet: &mut dyn Inlet) -> usize {
        device.run_as::<E1000>(engine, queue, inlet)
    }

    fn open(&self, device: &Device, state: MutexGuard<'_, State>, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        device.open_as::<E1000>(state, batch);
    }
}

fn receive_control(device: &Device, old: Rctl, new: Rctl) {
    if !new.en() {
        device.switch_off(Side::Receive, 0);
        return;
    }
    if old.en() && (old.bsize(), old.bsex()) != (new.bsize(), new.bsex()) {
        device.misuse(|| "RCTL: the buffer size was changed while the receiver is on".into());
    }
    match new.buffer_len() {
        Some(len) => {
            device.switch_on(Side::Receive, 0, len, receive_extent);
        }
        None => device.misuse(|| "RCTL: BSIZE 0 with BSEX is reserved".into()),
    }
}

/// The EEPROM: the address, and a checksum (§5.6).
pub(crate) fn eeprom_word(mac: [u8; 6], device_id: u16, address: u16) -> u16 {
    let word = |address: u16| match address {
        0..=2 => {
            let at = usize::from(address + u16::from(spec::EEPROM_MAC_WORD)) * 2;
            u16::from_le_bytes([mac[at], mac[at + 1]])
        }
        // Initialization control, subsystem and device ids.
        0x0a => 0x640a,
        0x0b | 0x0d => device_id,
        0x0c | 0x0e => VENDOR_ID,
        _ => 0,
    };
    if address == u16::from(spec::EEPROM_CHECKSUM_WORD) {
        let sum = (0..address).fold(0_u16, |sum, at| sum.wrapping_add(word(at)));
        return spec::EEPROM_SUM.wrapping_sub(sum);
    }
    word(address)
}

/// An MDIO access (§13.4.7): over at once.
fn phy_access(phy: &mut [u16; 32], access: Mdic) -> Mdic {
    let number = usize::from(access.regadd()) & 31;
    let done = access.with_ready(true);
    if access.phyadd() != PHY_ADDRESS {
        return done.with_error(true);
    }
    match access.op() {
        Mdic::READ => done.with_data(phy[number]),
        Mdic::WRITE => {
            let is_fixed = matches!(number, PHY_STATUS | 2 | 3 | PHY_SPECIFIC);
            let self_clearing = if number == PHY_CONTROL {
                PHY_RESET | PHY_RESTART
            } else {
                0
            };
            if !is_fixed {
                phy[number] = access.data() & !self_clearing;
            }
            done
        }
        _ => done.with_error(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eeprom_holds_the_address_and_adds_up() {
        let mac = [2, 3, 4, 5, 6, 7];
        let word = |address| eeprom_word(mac, spec::DEVICE_ID, address);
        assert_eq!(word(0), 0x0302);
        assert_eq!(word(2), 0x0706);
        let sum =
            (0..=u16::from(spec::EEPROM_CHECKSUM_WORD)).fold(0_u16, |sum, at| sum.wrapping_add(word(at)));
        assert_eq!(sum, spec::EEPROM_SUM);
    }

    #[test]
    fn a_phy_reset_clears_itself_and_its_identifiers_stay() {
        let mut phy = [0; 32];
        phy[2] = 0x0141;
        let write = |register, data| {
            Mdic::new()
                .with_phyadd(1)
                .with_op(Mdic::WRITE)
                .with_regadd(register)
                .with_data(data)
        };
        assert!(phy_access(&mut phy, write(0, 0x9140)).ready());
        assert_eq!(phy[0], 0x1140);
        phy_access(&mut phy, write(2, 7));
        assert_eq!(phy[2], 0x0141);
        assert!(phy_access(&mut phy, write(0, 0).with_phyadd(2)).error());
    }
}
