//! The 82599's advanced transmit descriptors (§7.2.3.2) and a transmit queue's registers.

use pagewire_bus::Bar;
use pagewire_spec::ixgbe::{self as spec, TxContext0, TxContext1, TxData, TxKind, TxWriteBack};

use super::registers::Registers;
use crate::port::{IpVersion, L4, PacketLayout, TxLimits, TxOffload};
use crate::ring::{SplitRule, TxDevice};
use crate::settings::MAX_FRAME;
use crate::wait::reads_until;

/// The most reads of TXDCTL for a queue to say that it is off; about 10 ms on a real bus.
const DISABLE_READS: u32 = 10_000;

/// A queue as the ring engine sees it.
#[derive(Debug)]
pub struct TransmitSide<B: Bar> {
    registers: Registers<B>,
    queue: u32,
    /// Offset of the queue's tail register.
    tail: u32,
}

impl<B: Bar> TransmitSide<B> {
    pub(super) fn new(registers: &Registers<B>, queue: u32) -> Self {
        Self {
            registers: registers.clone(),
            queue,
            tail: spec::TDT.at(queue),
        }
    }
}

impl<B: Bar> TxDevice for TransmitSide<B> {
    const LIMITS: TxLimits = TxLimits {
        max_frame: MAX_FRAME as u32,
        max_tso: spec::MAX_TSO_PAYLOAD,
        max_tso_header: 255,
        // §7.2.1: 40 - WTHRESH - 2, and WTHRESH is 0 here.
        max_descriptors: spec::max_descriptors_per_packet(0) as u16,
        max_descriptor_bytes: Self::SPLIT.max_bytes,
    };

    const SPLIT: SplitRule = SplitRule {
        max_bytes: spec::MAX_DATA_PER_DESCRIPTOR,
        boundary: 0,
        sentinel: 0,
    };

    const DONE: u64 = TxWriteBack::from_bits(0).with_dd(true).into_bits();
    const REPORT: u64 = TxData::from_bits(0).with_rs(true).into_bits();
    const END: u64 = TxData::from_bits(0).with_eop(true).with_ifcs(true).into_bits();

    fn accepts(layout: &PacketLayout) -> bool {
        // MACLEN has 7 bits, IPLEN 9 (§7.2.3.2.3).
        layout.l2_len < 128 && (20..512).contains(&layout.l3_len)
    }

    fn context(offload: &TxOffload, _len: u32) -> Option<[u64; 2]> {
        let layout = offload.layout()?;
        let l4t = match layout.l4 {
            L4::Tcp => TxContext1::TCP,
            L4::Udp => TxContext1::UDP,
        };
        let first = TxContext0::new()
            .with_maclen(layout.l2_len)
            .with_iplen(layout.l3_len);
        let second = TxContext1::new()
            .with_dtyp(TxKind::DTYP_CONTEXT)
            .with_dext(true)
            .with_ipv4(layout.ip == IpVersion::V4)
            .with_l4t(l4t);
        // L4LEN and MSS matter to segmentation only (§7.2.3.2.3): left out, contexts are more often equal.
        let second = match offload {
            TxOffload::Segment(_, mss) => second.with_l4len(layout.l4_len).with_mss(mss.get()),
            _ => second,
        };
        Some([first.into(), second.into()])
    }

    #[inline]
    fn data(offload: &TxOffload, len: u32) -> u64 {
        let plain = const { TxData::new().with_dtyp(TxKind::DTYP_DATA).with_dext(true) };
        let word = match offload {
            TxOffload::None => plain,
            TxOffload::Checksum(layout) => plain.with_ixsm(layout.ip == IpVersion::V4).with_txsm(true),
            TxOffload::Segment(layout, _) => plain
                .with_tse(true)
                .with_ixsm(layout.ip == IpVersion::V4)
                .with_txsm(true),
        };
        word.with_paylen(len).into()
    }

    #[inline]
    fn write_tail(&self, slot: u32) {
        self.registers.0.write32(self.tail, slot);
    }

    /// §4.6.8.1: clear TXDCTL.ENABLE; the queue is off when it reads as 0.
    fn disable(&mut self) -> bool {
        self.registers
            .set_txdctl(self.queue, self.registers.txdctl(self.queue).with_enable(false));
        let read = || self.registers.txdctl(self.queue).into();
        reads_until(DISABLE_READS, read, |value| {
            !spec::Txdctl::from_bits(value).enable()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    /// A register space that is never touched.
    #[derive(Clone)]
    struct NoBar;

    impl Bar for NoBar {
        fn read32(&self, _: u32) -> u32 {
            unreachable!()
        }

        fn write32(&self, _: u32, _: u32) {
            unreachable!()
        }
    }

    type Side = TransmitSide<NoBar>;

    fn layout(ip: IpVersion, l4: L4) -> PacketLayout {
        PacketLayout {
            l2_len: 14,
            l3_len: if ip == IpVersion::V4 { 20 } else { 40 },
            l4_len: if l4 == L4::Tcp { 32 } else { 8 },
            ip,
            l4,
        }
    }

    #[test]
    fn the_bits_that_the_engine_adds_are_those_and_no_others() {
        assert_eq!(Side::DONE, 1 << 32);
        assert_eq!(Side::REPORT, 1 << 27);
        assert_eq!(Side::END, 1 << 24 | 1 << 25);
        // DTYP 3, DEXT, PAYLEN.
        assert_eq!(Side::data(&TxOffload::None, 60), 3 << 20 | 1 << 29 | 60 << 46);
    }

    #[test]
    fn checksum_contexts_of_equal_headers_are_equal() {
        let offload = TxOffload::Checksum(layout(IpVersion::V4, L4::Tcp));
        // IPLEN 20, MACLEN 14; DTYP 2, DEXT, IPv4, TCP.
        let words = [20 | 14 << 9, 2 << 20 | 1 << 29 | 1 << 10 | 1 << 11];
        assert_eq!(Side::context(&offload, 100), Some(words));
        let options = PacketLayout {
            l4_len: 40,
            ..layout(IpVersion::V4, L4::Tcp)
        };
        assert_eq!(Side::context(&TxOffload::Checksum(options), 900), Some(words));
        // IXSM and TXSM.
        assert_eq!(
            Side::data(&offload, 100),
            3 << 20 | 1 << 29 | 0b11 << 40 | 100 << 46
        );
    }

    #[test]
    fn a_segmentation_context_has_header_length_and_mss_and_the_packet_counts_payload() {
        let offload = TxOffload::Segment(layout(IpVersion::V6, L4::Tcp), NonZeroU16::new(1440).unwrap());
        let second = 2 << 20 | 1 << 29 | 1 << 11 | 32 << 40 | 1440 << 48;
        assert_eq!(Side::context(&offload, 60_000), Some([40 | 14 << 9, second]));
        assert_eq!(
            Side::data(&offload, 60_000),
            3 << 20 | 1 << 29 | 1 << 31 | 1 << 41 | 60_000 << 46
        );
    }

    #[test]
    fn lengths_beyond_their_fields_are_not_accepted() {
        let fits = PacketLayout {
            l2_len: 127,
            l3_len: 511,
            ..layout(IpVersion::V6, L4::Tcp)
        };
        assert!(Side::accepts(&fits));
        assert!(!Side::accepts(&PacketLayout { l2_len: 128, ..fits }));
        assert!(!Side::accepts(&PacketLayout { l3_len: 512, ..fits }));
    }
}
