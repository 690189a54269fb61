//! The line's receive descriptors (§3.2.3) and its receive queue's two registers.

use pagewire_bus::{Bar, Iova};
use pagewire_spec::e1000::RxWriteBack;

use super::registers::Registers;
use crate::port::Verdict;
use crate::ring::{Completion, RxDevice};

/// The queue as the ring engine sees it.
#[derive(Debug)]
pub struct ReceiveSide<B: Bar> {
    pub(super) registers: Registers<B>,
}

/// Any of these, and the packet is damaged. They appear only where RCTL.SBP asks for bad packets.
const DAMAGE: u64 = RxWriteBack::from_bits(0)
    .with_ce(true)
    .with_se(true)
    .with_seq(true)
    .with_cxe(true)
    .with_rxe(true)
    .into_bits();

impl<B: Bar> RxDevice for ReceiveSide<B> {
    const DONE: u64 = RxWriteBack::from_bits(0).with_dd(true).into_bits();
    const PLAIN_MASK: u64 = Self::PLAIN | DAMAGE;
    const PLAIN: u64 = RxWriteBack::from_bits(0).with_dd(true).with_eop(true).into_bits();

    #[inline]
    fn offer(buffer: Iova) -> [u64; 2] {
        [buffer.0, 0]
    }

    #[inline]
    fn completion([_, second]: [u64; 2]) -> Completion {
        let said = RxWriteBack::from_bits(second);
        Completion {
            len: said.length().into(),
            end: said.eop(),
            damaged: second & DAMAGE != 0,
            next: None,
            verdict: verdict(said),
            rss_hash: 0,
        }
    }

    #[inline]
    fn write_tail(&self, slot: u32) {
        self.registers.set_rdt(slot);
    }

    /// RCTL.EN stops the queue after the packet that is under way (§13.4.22). Nothing tells when that is, so
    /// the queue's memory waits for the device's reset.
    fn disable(&mut self) -> bool {
        self.registers.set_rctl(self.registers.rctl().with_en(false));
        false
    }
}

/// With both checks on, a TCP or UDP checksum that was checked without an IPv4 header's is one over IPv6. The
/// 82574L has a bit of its own for UDP (§7.1.4 of its datasheet), which the 82540EM leaves 0.
#[inline]
fn verdict(said: RxWriteBack) -> Verdict {
    let above = said.tcpcs() || said.udpcs();
    if said.ixsm() {
        Verdict::Unchecked
    } else if (said.ipcs() && said.ipe()) || (above && said.tcpe()) {
        Verdict::Bad
    } else if above {
        Verdict::Good
    } else {
        Verdict::Unchecked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_good_only_where_the_upper_checksum_was_checked() {
        let checked = RxWriteBack::new().with_ipcs(true).with_tcpcs(true);
        assert_eq!(verdict(checked), Verdict::Good);
        assert_eq!(verdict(checked.with_tcpe(true)), Verdict::Bad);
        assert_eq!(verdict(checked.with_ipe(true)), Verdict::Bad);
        assert_eq!(verdict(checked.with_ixsm(true)), Verdict::Unchecked);
        assert_eq!(verdict(RxWriteBack::new().with_ipcs(true)), Verdict::Unchecked);
        assert_eq!(
            verdict(RxWriteBack::new().with_ipcs(true).with_ipe(true)),
            Verdict::Bad
        );
        assert_eq!(verdict(RxWriteBack::new().with_tcpe(true)), Verdict::Unchecked);
        let udp = RxWriteBack::new().with_ipcs(true).with_udpcs(true);
        assert_eq!(verdict(udp), Verdict::Good);
        assert_eq!(verdict(udp.with_tcpe(true)), Verdict::Bad);
    }
}
