//! The 82540EM's counters (§13.7). They clear when they are read, and stick at their largest value: read them
//! more often than every half minute at full rate.

use pagewire_bus::Bar;
use pagewire_spec::e1000 as spec;

use super::registers::Registers;
use crate::port::Statistics;
use crate::wait::ALL_ONES;

/// Adds what was counted since the last time. A removed device adds nothing.
pub(super) fn add<B: Bar>(registers: &Registers<B>, sum: &mut Statistics) {
    if u32::from(registers.status()) == ALL_ONES {
        return;
    }
    let read = |register| u64::from(registers.read(register));
    // The low half first: reading the high half clears both.
    let wide = |low, high| read(low) | read(high) << 32;
    sum.rx_packets += read(&spec::GPRC);
    sum.rx_bytes += wide(&spec::GORCL, &spec::GORCH);
    sum.rx_missed += read(&spec::MPC);
    sum.rx_crc_errors += read(&spec::CRCERRS);
    sum.rx_length_errors += read(&spec::RLEC)
        + [&spec::RUC, &spec::RFC, &spec::ROC, &spec::RJC]
            .into_iter()
            .map(read)
            .sum::<u64>();
    sum.tx_packets += read(&spec::GPTC);
    sum.tx_bytes += wide(&spec::GOTCL, &spec::GOTCH);
}
