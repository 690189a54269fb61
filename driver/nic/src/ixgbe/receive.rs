//! The 82599's advanced receive descriptors (§7.1.6) and a receive queue's registers.

use pagewire_bus::{Bar, Iova};
use pagewire_spec::ixgbe::{self as spec, RxWriteBack0, RxWriteBack1};

use super::registers::Registers;
use crate::port::Verdict;
use crate::ring::{Completion, RxDevice};
use crate::wait::reads_until;

/// The most reads of RXDCTL for a queue to say that it is off; about 10 ms on a real bus.
const DISABLE_READS: u32 = 10_000;
/// Reads that take a real device the 100 µs and more that a queue needs to finish after it said that it is
/// off.
const SETTLE_READS: u32 = 200;

/// A queue as the ring engine sees it.
#[derive(Debug)]
pub struct ReceiveSide<B: Bar> {
    registers: Registers<B>,
    queue: u32,
    /// Offset of the queue's tail register.
    tail: u32,
}

impl<B: Bar> ReceiveSide<B> {
    pub(super) fn new(registers: &Registers<B>, queue: u32) -> Self {
        Self {
            registers: registers.clone(),
            queue,
            tail: spec::RDT.at(queue),
        }
    }
}

impl<B: Bar> RxDevice for ReceiveSide<B> {
    const DONE: u64 = RxWriteBack1::from_bits(0).with_dd(true).into_bits();
    const PLAIN_MASK: u64 = Self::PLAIN | RxWriteBack1::from_bits(0).with_rxe(true).into_bits();
    const PLAIN: u64 = RxWriteBack1::from_bits(0)
        .with_dd(true)
        .with_eop(true)
        .into_bits();

    #[inline]
    fn offer(buffer: Iova) -> [u64; 2] {
        // One buffer, no header buffer; the done bit is 0 (§7.1.6.1).
        [buffer.0, 0]
    }

    #[inline]
    fn completion([first, second]: [u64; 2]) -> Completion {
        let said = RxWriteBack1::from_bits(second);
        let kind = RxWriteBack0::from_bits(first);
        Completion {
            len: said.length().into(),
            end: said.eop(),
            damaged: said.rxe(),
            next: if said.eop() { None } else { next(kind, said) },
            verdict: verdict(kind, said),
            // RXCSUM.PCSD is set: the field is the hash, or 0 where there is none.
            rss_hash: kind.rss_hash(),
        }
    }

    #[inline]
    fn write_tail(&self, slot: u32) {
        self.registers.0.write32(self.tail, slot);
    }

    /// §4.6.7.1: clear RXDCTL.ENABLE; the queue is off when it reads as 0, and 100 µs later has written all
    /// it will.
    fn disable(&mut self) -> bool {
        self.registers
            .set_rxdctl(self.queue, self.registers.rxdctl(self.queue).with_enable(false));
        let read = || self.registers.rxdctl(self.queue).into();
        let off = reads_until(DISABLE_READS, read, |value| {
            !spec::Rxdctl::from_bits(value).enable()
        });
        for _ in 0..SETTLE_READS {
            self.registers.status();
        }
        off
    }
}

/// Where a coalesced packet goes on (§7.11.5.1). A long packet that was not coalesced has neither a count nor
/// a pointer: it goes on in the following descriptor.
#[inline]
fn next(kind: RxWriteBack0, said: RxWriteBack1) -> Option<u32> {
    let next = said.next_descriptor();
    (kind.rsccnt() != 0 || next != 0).then_some(next.into())
}

/// Good where the upper checksum was checked and, for IPv4, the header's too.
#[inline]
fn verdict(kind: RxWriteBack0, said: RxWriteBack1) -> Verdict {
    if !said.l4cs() && !said.ipcs() {
        return Verdict::Unchecked;
    }
    if said.ipcs() && said.ipe() {
        return Verdict::Bad;
    }
    if said.l4cs() && said.l4e() {
        // An erratum (Linux knows it, too): a UDP datagram without a checksum may be called bad. Software has
        // to look.
        return if kind.udp() {
            Verdict::Unchecked
        } else {
            Verdict::Bad
        };
    }
    let v4 = kind.ipv4() || kind.ipv4_extensions();
    if said.l4cs() && (said.ipcs() || !v4) {
        Verdict::Good
    } else {
        Verdict::Unchecked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_good_only_where_all_checksums_were_checked() {
        let v4 = RxWriteBack0::new().with_ipv4(true).with_tcp(true);
        let v6 = RxWriteBack0::new().with_ipv6(true).with_tcp(true);
        let both = RxWriteBack1::new().with_ipcs(true).with_l4cs(true);
        let upper = RxWriteBack1::new().with_l4cs(true);
        assert_eq!(verdict(v4, both), Verdict::Good);
        assert_eq!(verdict(v6, upper), Verdict::Good);
        assert_eq!(verdict(v4, upper), Verdict::Unchecked);
        assert_eq!(verdict(v4, RxWriteBack1::new()), Verdict::Unchecked);
        assert_eq!(verdict(v4, both.with_l4e(true)), Verdict::Bad);
        assert_eq!(verdict(v4, both.with_ipe(true)), Verdict::Bad);
        assert_eq!(verdict(v6, upper.with_l4e(true)), Verdict::Bad);
        assert_eq!(
            verdict(v4, RxWriteBack1::new().with_ipcs(true)),
            Verdict::Unchecked
        );
    }

    #[test]
    fn a_udp_datagram_that_is_called_bad_is_left_to_software() {
        let udp = RxWriteBack0::new().with_ipv4(true).with_udp(true);
        let said = RxWriteBack1::new().with_ipcs(true).with_l4cs(true).with_l4e(true);
        assert_eq!(verdict(udp, said), Verdict::Unchecked);
    }

    #[test]
    fn only_a_coalesced_packet_names_where_it_goes_on() {
        let coalesced = RxWriteBack0::new().with_rsccnt(3);
        let said = RxWriteBack1::new().with_dd(true).with_next_descriptor(0);
        assert_eq!(next(coalesced, said), Some(0));
        assert_eq!(next(RxWriteBack0::new(), said), None);
        assert_eq!(next(RxWriteBack0::new(), said.with_next_descriptor(17)), Some(17));
    }
}
