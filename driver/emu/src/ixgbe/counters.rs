//! Statistics (§8.2.3.23) and interrupt causes (§8.2.3.5) of the 82599.

use pagewire_spec::Register;
use pagewire_spec::ixgbe as spec;
use spec::{Eicr, IvarByte, Srrctl};

use crate::device::Device;
use crate::receive::State;
use crate::registers::WideRows;
use crate::transmit::TxStats;

/// Octet counters in two halves.
pub(super) static WIDE: [WideRows; 8] = [
    (&spec::GORCL, &spec::GORCH),
    (&spec::GOTCL, &spec::GOTCH),
    (&spec::TORL, &spec::TORH),
    (&spec::RXNFGBCL, &spec::RXNFGBCH),
    (&spec::RXDGBCL, &spec::RXDGBCH),
    (&spec::TXDGBCL, &spec::TXDGBCH),
    (&spec::QBRC_L, &spec::QBRC_H),
    (&spec::QBTC_L, &spec::QBTC_H),
];

// Their places in the list.
const GORC: usize = 0;
const GOTC: usize = 1;
const TOR: usize = 2;
const RXNFGBC: usize = 3;
const RXDGBC: usize = 4;
const TXDGBC: usize = 5;
const QBRC: usize = 6;
const QBTC: usize = 7;

const SENT_BY_LEN: [&Register; 6] = [
    &spec::PTC64,
    &spec::PTC127,
    &spec::PTC255,
    &spec::PTC511,
    &spec::PTC1023,
    &spec::PTC1522,
];
const RECEIVED_BY_LEN: [&Register; 6] = [
    &spec::PRC64,
    &spec::PRC127,
    &spec::PRC255,
    &spec::PRC511,
    &spec::PRC1023,
    &spec::PRC1522,
];

/// The counters of a queue, by a map register of four queues each (TQSM, RQSMR).
fn mapped(device: &Device, map: &Register, queue: usize) -> u32 {
    let queue = queue as u32;
    device.registers.get(map, queue / 4) >> (queue % 4 * 8) & 0xf
}

/// The interrupt cause of a queue: its vector in IVAR, where it is valid. Byte 0 is receive of the even queue,
/// byte 1 transmit of it.
fn cause(device: &Device, queue: usize, transmit: bool) -> u32 {
    let bytes = device.registers.get(&spec::IVAR, queue as u32 / 2).to_le_bytes();
    let byte = IvarByte::from_bits(bytes[queue % 2 * 2 + usize::from(transmit)]);
    if byte.valid() {
        1 << (byte.vector() & 15)
    } else {
        0
    }
}

pub(super) fn sent(device: &Device, queue: usize, stats: &TxStats) {
    let registers = &device.registers;
    if stats.frames > 0 {
        let counters = mapped(device, &spec::TQSM, queue);
        for row in [&spec::GPTC, &spec::TPT, &spec::TXDGPC] {
            registers.count(row, 0, stats.frames);
        }
        registers.count_wide(GOTC, 0, stats.octets);
        registers.count_wide(TXDGBC, 0, stats.octets);
        registers.count(&spec::QPTC, counters, stats.frames);
        registers.count_wide(QBTC, counters, stats.octets);
        registers.count(&spec::MPTC, 0, stats.multicast);
        registers.count(&spec::BPTC, 0, stats.broadcast);
        for (row, count) in SENT_BY_LEN.into_iter().zip(stats.by_len) {
            registers.count(row, 0, count);
        }
    }
    if stats.reported {
        device.raise(cause(device, queue, true));
    }
}

pub(super) fn received(device: &Device, state: &mut State) {
    let registers = &device.registers;
    let stats = std::mem::take(&mut state.stats);
    if stats.frames > 0 {
        registers.count(&spec::GPRC, 0, stats.frames);
        registers.count_wide(GORC, 0, stats.octets);
        registers.count(&spec::RXDGPC, 0, stats.frames);
        registers.count_wide(RXDGBC, 0, stats.octets);
        registers.count(&spec::MPRC, 0, stats.multicast);
        registers.count(&spec::BPRC, 0, stats.broadcast);
        registers.count(&spec::XEC, 0, stats.bad_checksum);
        for (row, count) in RECEIVED_BY_LEN.into_iter().zip(stats.by_len) {
            registers.count(row, 0, count);
        }
    }
    for row in [&spec::TPR, &spec::RXNFGPC] {
        registers.count(row, 0, stats.seen);
    }
    registers.count_wide(TOR, 0, stats.seen_octets);
    registers.count_wide(RXNFGBC, 0, stats.seen_octets);
    registers.count(&spec::RUC, 0, stats.undersized);
    registers.count(&spec::ROC, 0, stats.oversized);
    let mut causes = 0;
    let mut touched = std::mem::take(&mut state.touched);
    while touched != 0 {
        let queue = touched.trailing_zeros() as usize;
        touched &= touched - 1;
        let counts = std::mem::take(&mut state.queues[queue]);
        let counters = mapped(device, &spec::RQSMR, queue);
        registers.count(&spec::QPRC, counters, counts.frames);
        registers.count_wide(QBRC, counters, counts.octets);
        causes |= cause(device, queue, false);
        if counts.dropped > 0 {
            // With Drop_En the queue drops; without it the packet buffer fills up and the MAC does.
            let split = Srrctl::from_bits(registers.get(&spec::SRRCTL, queue as u32));
            if split.drop_en() {
                registers.count(&spec::QPRDC, counters, counts.dropped);
            } else {
                registers.count(&spec::MPC, 0, counts.dropped);
            }
            causes |= Eicr::new().with_rx_miss(true).into_bits();
        }
    }
    device.raise(causes);
}
