//! What the 82599's registers do.

use pagewire_bus::{Identity, InterruptKind, InterruptSupport};
use pagewire_spec::ixgbe as spec;
use pagewire_spec::{Register, VENDOR_ID};
use parking_lot::MutexGuard;
use spec::{
    Autoc, Ctrl, Dmatxctl, Eec, Eerd, Eicr, Gpie, Hlreg0, IvarByte, Links, Msca, Rah, Rfctl, Rscctl, Rxctrl,
    Rxdctl, Srrctl, Status,
};
use spec::{Swsm, Tdwbal, Txdctl};

use super::descriptors::Ixgbe;
use super::{counters, settings};
use crate::base::Side;
use crate::device::{Device, Model};
use crate::family::{Family, RingRows};
use crate::interrupt::CauseRows;
use crate::receive::State;
use crate::receive::filter::Settings;
use crate::receive::intake::MAX_QUEUES;
use crate::receive::steer::Rss;
use crate::registers::{Layout, Written};
use crate::transmit::{Engine, TxStats};
use crate::wire::Inlet;

/// The 82599.
#[derive(Debug)]
pub(crate) struct Model82599;

pub(crate) static MODEL: Model82599 = Model82599;

static LAYOUT: Layout = Layout {
    rows: spec::REGISTERS,
    lookup: spec::lookup,
    len: spec::BAR0_LEN,
    partners: &[
        (&spec::EIMC, &spec::EIMS),
        (&spec::EICS, &spec::EICR),
        (&spec::EIMC_EX, &spec::EIMS_EX),
    ],
    wide: &counters::WIDE,
};

static CAUSES: CauseRows = CauseRows {
    causes: &spec::EICR,
    mask: &spec::EIMS,
};

static INTERRUPTS: [InterruptSupport; 3] = [
    InterruptSupport {
        kind: InterruptKind::MsiX,
        vectors: spec::MSIX_VECTORS,
    },
    InterruptSupport {
        kind: InterruptKind::Msi,
        vectors: 1,
    },
    InterruptSupport {
        kind: InterruptKind::Intx,
        vectors: 1,
    },
];

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

/// A receive queue's descriptor names its packet buffer.
fn receive_extent(words: [u64; 2], buffer_len: u32) -> Option<(u64, usize)> {
    Some((words[0], buffer_len as usize))
}

impl Model for Model82599 {
    fn identity(&self) -> Identity {
        Identity {
            vendor: VENDOR_ID,
            device: spec::DEVICE_ID,
            revision: 1,
        }
    }

    fn layout(&self) -> &'static Layout {
        &LAYOUT
    }

    fn rings(&self) -> &'static [RingRows; 2] {
        &RINGS
    }

    fn queues(&self) -> usize {
        MAX_QUEUES
    }

    /// TDT is at 0x6018 and RDT at 0x1018, each queue 0x40 further (§8.2.3.8.5, §8.2.3.9.9).
    #[inline]
    fn tail(&self, offset: u32) -> Option<(Side, usize)> {
        let number = offset as usize >> 6 & 63;
        match offset & !0xfc0 {
            0x6018 => Some((Side::Transmit, number)),
            0x1018 => Some((Side::Receive, number)),
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
        self.link_changed(device);
    }

    fn written(&self, device: &Device, write: &Written) {
        let registers = &device.registers;
        if write.is(&spec::CTRL) {
            control(device, Ctrl::from_bits(write.new));
        } else if write.is(&spec::EERD) {
            let request = Eerd::from_bits(write.new);
            if request.start() {
                let data = eeprom_word(request.addr());
                registers.set(
                    &spec::EERD,
                    0,
                    request
                        .with_start(false)
                        .with_done(true)
                        .with_data(data)
                        .into_bits(),
                );
            }
        } else if write.is(&spec::EEC) {
            let eec = Eec::from_bits(write.new);
            registers.set(&spec::EEC, 0, eec.with_ee_gnt(eec.ee_req()).into_bits());
        } else if write.is(&spec::AUTOC) {
            registers.set(
                &spec::AUTOC,
                0,
                Autoc::from_bits(write.new).with_restart_an(false).into_bits(),
            );
            self.link_changed(device);
        } else if write.is(&spec::MSCA) {
            registers.set(
                &spec::MSCA,
                0,
                Msca::from_bits(write.new).with_mdicmd(false).into_bits(),
            );
        } else if write.is(&spec::TXDCTL) {
            transmit_queue(device, write.index, Txdctl::from_bits(write.new));
        } else if write.is(&spec::RXDCTL) {
            receive_queue(device, write.index, Rxdctl::from_bits(write.new));
        } else if write.is(&spec::SRRCTL) {
            let on = device
                .rx
                .get(write.index as usize)
                .is_some_and(crate::queue::Queue::is_on);
            if on && write.new != write.old {
                device.misuse(|| format!("SRRCTL[{}] was changed while its queue is on", write.index));
            }
        } else if write.is(&spec::TDWBAL) && Tdwbal::from_bits(write.new).head_wb_en() {
            device.misuse(|| format!("TDWBAL[{}]: head write-back is not modelled", write.index));
        } else if write.is(&spec::RSCCTL) {
            coalescing(device, write.index, Rscctl::from_bits(write.new));
        } else if write.is(&spec::RXCTRL) && Rxctrl::from_bits(write.new).rxen() {
            settings::check(device);
        }
    }

    fn read(&self, device: &Device, row: &'static Register, _index: u32) -> Option<u32> {
        if row.offset == spec::SECRXSTAT.offset {
            // SECRX_RDY: a path that is stopped is empty at once.
            let stopped = device.registers.get(&spec::SECRXCTRL, 0) & settings::RX_DIS != 0;
            return Some(u32::from(stopped));
        }
        // A read returns SMBI and takes it.
        let take = Swsm::new().with_smbi(true).into_bits();
        (row.offset == spec::SWSM.offset).then(|| device.registers.fetch_or(row, take))
    }

    fn causes(&self) -> &'static CauseRows {
        &CAUSES
    }

    fn interrupts(&self) -> &'static [InterruptSupport] {
        &INTERRUPTS
    }

    fn vectors(&self, device: &Device, kind: InterruptKind, causes: u32) -> u64 {
        vectors(device, kind, causes)
    }

    /// §7.3.4.2: a MSI-X message clears the causes that EIAC names and, with GPIE.EIAME, masks those of EIAM.
    fn signalled(&self, device: &Device, kind: InterruptKind, causes: u32) {
        if kind != InterruptKind::MsiX {
            return;
        }
        let registers = &device.registers;
        registers.clear(&spec::EICR, causes & registers.get(&spec::EIAC, 0));
        if Gpie::from_bits(registers.get(&spec::GPIE, 0)).eiame() {
            registers.clear(&spec::EIMS, causes & registers.get(&spec::EIAM, 0));
        }
    }

    fn link_changed(&self, device: &Device) {
        let up = device.has_carrier();
        let before = Links::from_bits(device.registers.get(&spec::LINKS, 0));
        let links = if up {
            Links::new()
                .with_link_up(true)
                .with_link_status(true)
                .with_link_speed(Links::SPEED_10G)
        } else {
            Links::new()
        };
        device.registers.set(&spec::LINKS, 0, links.into_bits());
        let status = Status::from_bits(device.registers.get(&spec::STATUS, 0)).with_link_up(up);
        device.registers.set(&spec::STATUS, 0, status.into_bits());
        if before.link_up() != up {
            device.raise(Eicr::new().with_lsc(true).into_bits());
        }
    }

    fn settings(&self, device: &Device, old: Option<Box<Rss>>) -> (Settings, Option<Box<Rss>>) {
        settings::take(device, old)
    }

    fn may_transmit(&self, device: &Device) -> bool {
        Dmatxctl::from_bits(device.registers.get(&spec::DMATXCTL, 0)).te()
    }

    fn pads(&self, device: &Device) -> bool {
        Hlreg0::from_bits(device.registers.get(&spec::HLREG0, 0)).txpaden()
    }

    fn coalesces(&self, device: &Device, queue: usize) -> bool {
        let off = Rfctl::from_bits(device.registers.get(&spec::RFCTL, 0)).rsc_dis();
        !off && Rscctl::from_bits(device.registers.get(&spec::RSCCTL, queue as u32)).rscen()
    }

    fn sent(&self, device: &Device, queue: usize, stats: &TxStats) {
        counters::sent(device, queue, stats);
    }

    fn received(&self, device: &Device, state: &mut State) {
        counters::received(device, state);
    }

    fn run(&self, engine: &mut Engine, device: &Device, queue: usize, inlet: &mut dyn Inlet) -> usize {
        device.run_as::<Ixgbe>(engine, queue, inlet)
    }

    fn open(&self, device: &Device, state: MutexGuard<'_, State>, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        device.open_as::<Ixgbe>(state, batch);
    }
}

/// §7.3.4.1: with several vectors a queue's cause has the number of its vector, and IVAR_MISC tells those of the TCP
/// timer (bit 30) and of all other causes. Otherwise there is one.
fn vectors(device: &Device, kind: InterruptKind, causes: u32) -> u64 {
    let registers = &device.registers;
    let several = Gpie::from_bits(registers.get(&spec::GPIE, 0)).multiple_msix();
    if kind != InterruptKind::MsiX || !several {
        return 1;
    }
    let [timer, other, ..] = registers
        .get(&spec::IVAR_MISC, 0)
        .to_le_bytes()
        .map(IvarByte::from_bits);
    let to = |entry: IvarByte, causes: u32| {
        if entry.valid() && causes != 0 {
            1 << entry.vector()
        } else {
            0
        }
    };
    let queues = u64::from(causes & 0xffff);
    queues | to(other, causes & 0x3fff_0000) | to(timer, causes & 1 << 30)
}

/// Reset (§4.2.1.6) and master disable (§5.2.5.3.2).
fn control(device: &Device, ctrl: Ctrl) {
    if ctrl.rst() || ctrl.lrst() {
        device.reset_registers();
        return;
    }
    let status = Status::from_bits(device.registers.get(&spec::STATUS, 0));
    device.registers.set(
        &spec::STATUS,
        0,
        status.with_master_enable(!ctrl.master_disable()).into_bits(),
    );
}

fn transmit_queue(device: &Device, index: u32, wanted: Txdctl) {
    let number = index as usize;
    let mut on = false;
    if wanted.enable() {
        if !Dmatxctl::from_bits(device.registers.get(&spec::DMATXCTL, 0)).te() {
            device.misuse(|| format!("TXDCTL[{index}].ENABLE before DMATXCTL.TE"));
        }
        on = device.switch_on(Side::Transmit, number, 0, Ixgbe::transmit_extent);
    } else {
        device.switch_off(Side::Transmit, number);
    }
    device.registers.set(
        &spec::TXDCTL,
        index,
        wanted.with_enable(on).with_swflsh(false).into_bits(),
    );
}

fn receive_queue(device: &Device, index: u32, wanted: Rxdctl) {
    let number = index as usize;
    let mut on = false;
    if wanted.enable() {
        let split = Srrctl::from_bits(device.registers.get(&spec::SRRCTL, index));
        if split.desctype() != Srrctl::ADVANCED_ONE_BUFFER {
            device.misuse(|| {
                format!(
                    "SRRCTL[{index}].DESCTYPE is {}; only 1 is modelled",
                    split.desctype()
                )
            });
        }
        let buffer_len = u32::from(split.bsizepacket()) * 1024;
        if (1..=16).contains(&split.bsizepacket()) {
            on = device.switch_on(Side::Receive, number, buffer_len, receive_extent);
        } else {
            device.misuse(|| {
                format!(
                    "SRRCTL[{index}].BSIZEPACKET is {} KiB: 1 to 16",
                    split.bsizepacket()
                )
            });
        }
        let coalesce = Rscctl::from_bits(device.registers.get(&spec::RSCCTL, index));
        coalescing(device, index, coalesce);
    } else {
        device.switch_off(Side::Receive, number);
    }
    device.registers.set(
        &spec::RXDCTL,
        index,
        wanted.with_enable(on).with_swflsh(false).into_bits(),
    );
}

/// What §7.11.1 and §8.2.3.8.13 demand of a queue that coalesces.
fn coalescing(device: &Device, index: u32, wanted: Rscctl) {
    if !wanted.rscen() {
        return;
    }
    let split = Srrctl::from_bits(device.registers.get(&spec::SRRCTL, index));
    let most = wanted.max_descriptors() * u32::from(split.bsizepacket()) * 1024;
    if most > 65_535 {
        device
            .misuse(|| format!("RSCCTL[{index}]: MAXDESC times BSIZEPACKET is {most}, above 64 KiB less 1"));
    }
    if split.bsizeheader() == 0 {
        device.misuse(|| format!("RSCCTL[{index}].RSCEN without a header buffer size in SRRCTL"));
    }
}

/// The EEPROM: no sections, so that words 0 to 0x3f alone make the checksum (§6.3).
fn eeprom_word(address: u16) -> u16 {
    let word = |address: u16| match address {
        // Pointers to sections: none.
        0x03..=0x0e => 0xffff,
        0x2b..=0x2f => 0xffff,
        0x18 => 0x0001,
        _ => 0,
    };
    if address == spec::EEPROM_CHECKSUM_WORD {
        let sum = (0..spec::EEPROM_CHECKSUM_WORD).fold(0_u16, |sum, at| sum.wrapping_add(word(at)));
        return spec::EEPROM_SUM.wrapping_sub(sum);
    }
    word(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eeprom_adds_up() {
        let sum = (0..=spec::EEPROM_CHECKSUM_WORD).fold(0_u16, |sum, at| sum.wrapping_add(eeprom_word(at)));
        assert_eq!(sum, spec::EEPROM_SUM);
    }

    #[test]
    fn tails_are_found_without_the_table() {
        for queue in 0..MAX_QUEUES as u32 {
            assert_eq!(
                MODEL.tail(spec::TDT.at(queue)),
                Some((Side::Transmit, queue as usize))
            );
            assert_eq!(
                MODEL.tail(spec::RDT.at(queue)),
                Some((Side::Receive, queue as usize))
            );
        }
        for row in spec::REGISTERS {
            for index in 0..row.count.min(MAX_QUEUES as u32) {
                let is_tail = row.name == "TDT" || row.name == "RDT";
                assert_eq!(MODEL.tail(row.at(index)).is_some(), is_tail, "{}", row.name);
            }
        }
    }
}
