//! The line's transmit descriptors (§3.3) and its transmit queue's two registers.

use std::marker::PhantomData;

use pagewire_bus::Bar;
use pagewire_spec::e1000::{self as spec, TxContext0, TxContext1, TxData, TxKind};

use super::Chip;
use super::registers::Registers;
use crate::port::{IpVersion, L4, PacketLayout, TxLimits, TxOffload};
use crate::ring::{SplitRule, TxDevice};
use crate::settings::MAX_FRAME;

/// The queue as the ring engine sees it.
#[derive(Debug)]
pub struct TransmitSide<B: Bar, C: Chip> {
    registers: Registers<B>,
    chip: PhantomData<C>,
}

impl<B: Bar, C: Chip> TransmitSide<B, C> {
    pub(super) fn new(registers: Registers<B>) -> Self {
        Self {
            registers,
            chip: PhantomData,
        }
    }
}

impl<B: Bar, C: Chip> TxDevice for TransmitSide<B, C> {
    const LIMITS: TxLimits = TxLimits {
        max_frame: MAX_FRAME as u32,
        max_tso: 65_495,
        max_tso_header: spec::MAX_TSO_HEADER as u16,
        // The device names no limit; this many are on chip at a time (§3.4: 64 descriptors), less a context.
        max_descriptors: 63,
        max_descriptor_bytes: Self::SPLIT.max_bytes,
    };

    const SPLIT: SplitRule = C::SPLIT;

    const DONE: u64 = TxData::from_bits(0).with_dd(true).into_bits();
    const REPORT: u64 = TxData::from_bits(0).with_rs(true).into_bits();
    const END: u64 = TxData::from_bits(0).with_eop(true).with_ifcs(true).into_bits();

    fn accepts(layout: &PacketLayout) -> bool {
        // The context counts in bytes of 8 bits: the end of all headers has to fit (§3.3.6).
        layout.l3_len >= 20 && layout.header_len() <= spec::MAX_TSO_HEADER as usize
    }

    fn context(offload: &TxOffload, len: u32) -> Option<[u64; 2]> {
        let layout = offload.layout()?;
        let v4 = layout.ip == IpVersion::V4;
        let ip = layout.l2_len;
        let above = ip + layout.l3_len as u8;
        let field = if layout.l4 == L4::Tcp { 16 } else { 6 };
        // §3.3.6: starts and places of the two checksums, counted from the packet's first byte. An end of 0
        // is the packet's.
        let first = TxContext0::new()
            .with_ipcss(ip)
            .with_ipcso(if v4 { ip + 10 } else { 0 })
            .with_ipcse(if v4 { u16::from(above) - 1 } else { 0 })
            .with_tucss(above)
            .with_tucso(above + field);
        let second = TxContext1::new()
            .with_dtyp(TxKind::DTYP_CONTEXT)
            .with_dext(true)
            .with_ip(v4)
            .with_tcp(layout.l4 == L4::Tcp);
        let second = match offload {
            TxOffload::Segment(_, mss) => second
                .with_tse(true)
                .with_paylen(len)
                .with_hdrlen(layout.header_len() as u8)
                .with_mss(mss.get()),
            _ => second,
        };
        Some([first.into(), second.into()])
    }

    #[inline]
    fn data(offload: &TxOffload, _len: u32) -> u64 {
        match offload {
            // A legacy descriptor: nothing but the buffer (§3.3.3).
            TxOffload::None => 0,
            TxOffload::Checksum(layout) => data_descriptor(layout).into(),
            TxOffload::Segment(layout, _) => data_descriptor(layout).with_tse(true).into(),
        }
    }

    #[inline]
    fn write_tail(&self, slot: u32) {
        self.registers.set_tdt(slot);
    }

    /// TCTL.EN stops the queue after the packet that is under way (§13.4.33). Nothing tells when that is, so
    /// the queue's memory waits for the device's reset.
    fn disable(&mut self) -> bool {
        self.registers.set_tctl(self.registers.tctl().with_en(false));
        false
    }
}

/// A data descriptor that asks for checksums (§3.3.7).
fn data_descriptor(layout: &PacketLayout) -> TxData {
    TxData::new()
        .with_dtyp(TxKind::DTYP_DATA)
        .with_dext(true)
        .with_ixsm(layout.ip == IpVersion::V4)
        .with_txsm(true)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::super::Chip82540;
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

    type Side = TransmitSide<NoBar, Chip82540>;

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
        assert_eq!(Side::data(&TxOffload::None, 60), 0, "a legacy descriptor");
    }

    #[test]
    fn a_context_says_where_both_checksums_start_lie_and_end() {
        let offload = TxOffload::Checksum(layout(IpVersion::V4, L4::Udp));
        // IPCSS 14, IPCSO 24, IPCSE 33; TUCSS 34, TUCSO 40, TUCSE 0.
        let first = 14 | 24 << 8 | 33 << 16 | 34 << 32 | 40 << 40;
        // DEXT, IP; UDP; nothing of segmentation.
        assert_eq!(Side::context(&offload, 100), Some([first, 1 << 29 | 1 << 25]));
        assert_eq!(Side::data(&offload, 100), 1 << 29 | 1 << 20 | 0b11 << 40);
    }

    #[test]
    fn a_segmentation_context_counts_payload_and_headers() {
        let offload = TxOffload::Segment(layout(IpVersion::V6, L4::Tcp), NonZeroU16::new(1440).unwrap());
        let first = 14 | 54 << 32 | 70 << 40;
        // PAYLEN; TCP, TSE, DEXT, not IPv4; HDRLEN 86, MSS 1440.
        let second = 60_000 | 1 << 24 | 1 << 26 | 1 << 29 | 86 << 40 | 1440 << 48;
        assert_eq!(Side::context(&offload, 60_000), Some([first, second]));
        // DTYP 1, TSE, DEXT, TXSM.
        assert_eq!(
            Side::data(&offload, 60_000),
            1 << 20 | 1 << 26 | 1 << 29 | 1 << 41
        );
    }

    #[test]
    fn headers_beyond_what_eight_bits_count_are_not_accepted() {
        let fits = PacketLayout {
            l3_len: 209,
            ..layout(IpVersion::V6, L4::Tcp)
        };
        assert!(Side::accepts(&fits));
        assert!(!Side::accepts(&PacketLayout { l3_len: 210, ..fits }));
        assert!(!Side::accepts(&PacketLayout { l3_len: 19, ..fits }));
    }
}
