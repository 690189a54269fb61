//! Receive side scaling (§7.1.2.8): which queue a received packet goes to, so that each connection stays on
//! one.

use pagewire_bus::Bar;
use pagewire_spec::ixgbe::{self as spec, Mrqc};

use super::registers::Registers;

/// Spreads packets over `queues` by the Toeplitz hash of their addresses and ports. One queue gets all, and
/// the hash is still reported.
pub(super) fn set_up<B: Bar>(registers: &Registers<B>, queues: u16, key: &[u8; spec::RSS_KEY_LEN]) {
    for (index, word) in (0..).zip(key.chunks_exact(4)) {
        registers.set_rssrk(index, u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    }
    for (index, word) in (0..).zip(redirection(queues).chunks_exact(4)) {
        registers.set_reta(index, u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    }
    let mrqc = Mrqc::new()
        .with_mrqe(Mrqc::RSS)
        .with_ipv4(true)
        .with_tcp_ipv4(true)
        .with_udp_ipv4(true)
        .with_ipv6(true)
        .with_tcp_ipv6(true)
        .with_udp_ipv6(true);
    registers.set_mrqc(mrqc);
}

/// The redirection table: the queues in turn.
fn redirection(queues: u16) -> [u8; spec::RETA_ENTRIES] {
    let queues = queues.clamp(1, spec::RSS_QUEUES as u16);
    std::array::from_fn(|entry| (entry % usize::from(queues)) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_each_queue_about_equally_often_and_no_other() {
        for queues in 1..=16u16 {
            let table = redirection(queues);
            for queue in 0..queues {
                let entries = table.iter().filter(|entry| u16::from(**entry) == queue).count();
                assert!((128 / usize::from(queues)..=128usize.div_ceil(queues.into())).contains(&entries));
            }
            assert!(table.iter().all(|entry| u16::from(*entry) < queues));
        }
    }
}
