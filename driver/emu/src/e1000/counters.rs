//! Statistics (§13.7) and interrupt causes (§13.4.17) of the line.

use pagewire_spec::Register;
use pagewire_spec::e1000 as spec;
use spec::Icr;

use super::Controller;
use crate::device::Device;
use crate::receive::State;
use crate::registers::WideRows;
use crate::transmit::TxStats;

/// Octet counters in two halves.
pub(crate) static WIDE: [WideRows; 4] = [
    (&spec::GORCL, &spec::GORCH),
    (&spec::GOTCL, &spec::GOTCH),
    (&spec::TORL, &spec::TORH),
    (&spec::TOTL, &spec::TOTH),
];

// Their places in the list.
const GORC: usize = 0;
const GOTC: usize = 1;
const TOR: usize = 2;
const TOT: usize = 3;

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

pub(super) fn sent<C: Controller>(device: &Device, stats: &TxStats) {
    let registers = &device.registers;
    if stats.frames > 0 {
        registers.count(&spec::GPTC, 0, stats.frames);
        registers.count(&spec::TPT, 0, stats.frames);
        registers.count_wide(GOTC, 0, stats.octets);
        registers.count_wide(TOT, 0, stats.octets);
        registers.count(&spec::TSCTC, 0, stats.segmented);
        registers.count(&spec::MPTC, 0, stats.multicast);
        registers.count(&spec::BPTC, 0, stats.broadcast);
        for (row, count) in SENT_BY_LEN.into_iter().zip(stats.by_len) {
            registers.count(row, 0, count);
        }
    }
    if stats.reported {
        device.raise(C::causes(device, Icr::new().with_txdw(true).with_txqe(true)));
    }
}

pub(super) fn received<C: Controller>(device: &Device, state: &mut State) {
    let registers = &device.registers;
    let stats = std::mem::take(&mut state.stats);
    (state.queues[0], state.touched) = (Default::default(), 0);
    registers.count(&spec::TPR, 0, stats.seen);
    registers.count_wide(TOR, 0, stats.seen_octets);
    registers.count(&spec::RUC, 0, stats.undersized);
    registers.count(&spec::ROC, 0, stats.oversized);
    if stats.no_descriptors > 0 {
        // No descriptor, and at once no room in the packet buffer: this model has none.
        registers.count(&spec::RNBC, 0, stats.no_descriptors);
        registers.count(&spec::MPC, 0, stats.no_descriptors);
        device.raise(C::causes(device, Icr::new().with_rxo(true)));
    }
    if stats.frames == 0 {
        return;
    }
    registers.count(&spec::GPRC, 0, stats.frames);
    registers.count_wide(GORC, 0, stats.octets);
    registers.count(&spec::MPRC, 0, stats.multicast);
    registers.count(&spec::BPRC, 0, stats.broadcast);
    for (row, count) in RECEIVED_BY_LEN.into_iter().zip(stats.by_len) {
        registers.count(row, 0, count);
    }
    device.raise(C::causes(device, Icr::new().with_rxt0(true)));
}
