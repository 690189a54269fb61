//! Formats of the line's descriptors (§3.2.3, §3.3.3, §3.3.6, §3.3.7).

use pagewire_spec::e1000 as spec;
use spec::{RxWriteBack, TxContext0, TxContext1, TxData, TxKind, TxLegacy};

use crate::family::{Context, Data, Family, Insertion, Received, Transmit};
use crate::offload::checksum::{Field, Verdict};
use crate::offload::headers::UDP;
use crate::wire::{IpVersion, Segmentation};

/// The line's formats.
#[derive(Debug)]
pub(super) struct E1000;

impl Family for E1000 {
    /// The manual sets no limit: a ring is one.
    const MAX_DESCRIPTORS: usize = usize::MAX;
    const MAX_FRAME: usize = spec::MAX_FRAME as usize - 4;

    #[inline]
    fn transmit(words: [u64; 2]) -> Transmit {
        match TxKind::of(words[1]) {
            TxKind::Data => data(words[0], TxData::from_bits(words[1])),
            TxKind::Context => context(TxContext0::from_bits(words[0]), TxContext1::from_bits(words[1])),
            TxKind::Legacy => legacy(words[0], TxLegacy::from_bits(words[1])),
            TxKind::Reserved(_) => {
                let data = TxData::from_bits(words[1]);
                malformed("a reserved descriptor type", data.eop(), data.rs())
            }
        }
    }

    #[inline]
    fn transmitted(word: u64) -> u64 {
        TxData::from_bits(word).with_dd(true).into_bits()
    }

    #[inline]
    fn transmit_extent(words: [u64; 2], _buffer_len: u32) -> Option<(u64, usize)> {
        let len = match TxKind::of(words[1]) {
            TxKind::Data => TxData::from_bits(words[1]).dtalen() as usize,
            TxKind::Legacy => TxLegacy::from_bits(words[1]).length().into(),
            TxKind::Context | TxKind::Reserved(_) => 0,
        };
        (len > 0).then_some((words[0], len))
    }

    #[inline]
    fn received(slot: &Received<'_>) -> [u64; 2] {
        let mut second = RxWriteBack::new().with_dd(true).with_length(slot.len);
        if slot.end {
            let (ip, l4) = (slot.verdicts.ip, slot.verdicts.l4);
            let is_udp = slot.packet.is_some_and(|packet| packet.protocol == UDP);
            second = second
                .with_eop(true)
                .with_pif(slot.inexact)
                .with_rxe(slot.error)
                .with_ixsm(ip == Verdict::Unchecked && l4 == Verdict::Unchecked)
                .with_ipcs(ip != Verdict::Unchecked)
                .with_ipe(ip == Verdict::Bad)
                .with_tcpcs(l4 != Verdict::Unchecked)
                .with_udpcs(l4 != Verdict::Unchecked && is_udp)
                .with_tcpe(l4 == Verdict::Bad);
        }
        [slot.address, second.into_bits()]
    }
}

const fn malformed(why: &'static str, end: bool, report: bool) -> Transmit {
    Transmit::Malformed { why, end, report }
}

#[inline]
fn data(iova: u64, data: TxData) -> Transmit {
    let why = if data.dtalen() == 0 {
        "a data descriptor of 0 bytes"
    } else if data.dtalen() > spec::MAX_DATA_PER_DESCRIPTOR {
        "a data descriptor of more than 16288 bytes"
    } else if !data.ifcs() && data.eop() {
        "a packet without IFCS: the FCS would be software's"
    } else if data.vle() {
        "VLAN insertion is not modelled"
    } else if data.dd() {
        "DD is set before the device is done"
    } else {
        return Transmit::Data(Data {
            iova,
            len: data.dtalen() as usize,
            end: data.eop(),
            report: data.rs(),
            segment: data.tse(),
            ip: data.ixsm(),
            l4: data.txsm(),
            context: 0,
            own_insertion: None,
            declared_len: None,
        });
    };
    malformed(why, data.eop(), data.rs())
}

fn legacy(iova: u64, data: TxLegacy) -> Transmit {
    let why = if data.length() == 0 {
        "a descriptor of 0 bytes"
    } else if u32::from(data.length()) > spec::MAX_DATA_PER_DESCRIPTOR {
        "a descriptor of more than 16288 bytes"
    } else if !data.ifcs() && data.eop() {
        "a packet without IFCS: the FCS would be software's"
    } else if data.vle() {
        "VLAN insertion is not modelled"
    } else if data.dd() {
        "DD is set before the device is done"
    } else {
        // The protocol is not known here: no checksum of 0 is turned round.
        let own = Insertion {
            start: data.css().into(),
            end: None,
            at: data.cso().into(),
            field: Field::Tcp,
        };
        return Transmit::Data(Data {
            iova,
            len: data.length().into(),
            end: data.eop(),
            report: data.rs(),
            segment: false,
            ip: false,
            l4: false,
            context: 0,
            own_insertion: data.ic().then_some(own),
            declared_len: None,
        });
    };
    malformed(why, data.eop(), data.rs())
}

/// There is one context, for checksums and segmentation alike.
fn context(first: TxContext0, second: TxContext1) -> Transmit {
    let end = |last: u16| (last > 0).then(|| usize::from(last) + 1);
    let (ip, l4, headers) = (
        usize::from(first.ipcss()),
        usize::from(first.tucss()),
        usize::from(second.hdrlen()),
    );
    let segmentation = Segmentation {
        mss: second.mss(),
        l2_len: first.ipcss(),
        l3_len: l4.saturating_sub(ip) as u16,
        l4_len: headers.saturating_sub(l4) as u8,
        ip: if second.ip() { IpVersion::V4 } else { IpVersion::V6 },
    };
    let good = second.tse()
        && second.tcp()
        && second.mss() > 0
        && ip >= 14
        && segmentation.l3_len >= 20
        && segmentation.l4_len >= 20;
    let field = if second.tcp() { Field::Tcp } else { Field::Udp };
    let context = Context {
        ip: Insertion {
            start: ip,
            end: end(first.ipcse()),
            at: first.ipcso().into(),
            field: Field::Ipv4Header,
        },
        l4: Some(Insertion {
            start: l4,
            end: end(first.tucse()),
            at: first.tucso().into(),
            field,
        }),
        segmentation: good.then_some(segmentation),
        payload_len: Some(second.paylen() as usize),
    };
    Transmit::Context(0, context)
}
