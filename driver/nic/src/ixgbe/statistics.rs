//! The 82599's counters (§8.2.3.23). They clear when they are read.

use pagewire_bus::Bar;
use pagewire_spec::Register;
use pagewire_spec::ixgbe as spec;

use super::registers::Registers;
use crate::port::Statistics;
use crate::wait::ALL_ONES;

/// Adds what was counted since the last time. A removed device adds nothing.
pub(super) fn add<B: Bar>(registers: &Registers<B>, sum: &mut Statistics) {
    if u32::from(registers.status()) == ALL_ONES {
        return;
    }
    let read = |register: &Register| -> u64 {
        (0..register.count)
            .map(|index| u64::from(registers.read_at(register, index)))
            .sum()
    };
    // The low half first: reading the high half clears both.
    let wide = |low, high| read(low) | read(high) << 32;
    sum.rx_packets += read(&spec::GPRC);
    sum.rx_bytes += wide(&spec::GORCL, &spec::GORCH);
    // Lost in the packet buffers, and lost for want of a descriptor in a queue that may drop.
    sum.rx_missed += read(&spec::MPC) + read(&spec::QPRDC);
    sum.rx_crc_errors += read(&spec::CRCERRS);
    sum.rx_length_errors += [&spec::RLEC, &spec::RUC, &spec::RFC, &spec::ROC, &spec::RJC]
        .into_iter()
        .map(read)
        .sum::<u64>();
    sum.rx_checksum_errors += read(&spec::XEC);
    sum.tx_packets += read(&spec::GPTC);
    sum.tx_bytes += wide(&spec::GOTCL, &spec::GOTCH);
}
