//! Formats of the 82599's descriptors (§7.1.6, §7.2.3.2). Legacy formats are not modelled.

use pagewire_spec::ixgbe as spec;
use spec::{RxWriteBack0, RxWriteBack1, TxContext0, TxContext1, TxData, TxKind, TxWriteBack};

use crate::family::{Context, Data, Family, Insertion, Received, Transmit};
use crate::offload::checksum::{Field, Verdict};
use crate::offload::headers::{TCP, UDP};
use crate::wire::{IpVersion, Segmentation};

/// The 82599's formats.
#[derive(Debug)]
pub(super) struct Ixgbe;

impl Family for Ixgbe {
    const MAX_DESCRIPTORS: usize = spec::max_descriptors_per_packet(0) as usize;
    const MAX_FRAME: usize = spec::MAX_FRAME as usize - 4;

    #[inline]
    fn transmit(words: [u64; 2]) -> Transmit {
        match TxKind::of(words[1]) {
            TxKind::Data => data(words[0], TxData::from_bits(words[1])),
            TxKind::Context => context(TxContext0::from_bits(words[0]), TxContext1::from_bits(words[1])),
            TxKind::Legacy => malformed(words[1], "a legacy descriptor"),
            TxKind::Reserved(_) => malformed(words[1], "a reserved descriptor type"),
        }
    }

    #[inline]
    fn transmitted(_word: u64) -> u64 {
        TxWriteBack::new().with_dd(true).into_bits()
    }

    #[inline]
    fn transmit_extent(words: [u64; 2], _buffer_len: u32) -> Option<(u64, usize)> {
        let data = TxData::from_bits(words[1]);
        let is_data = data.dext() && data.dtyp() == TxKind::DTYP_DATA;
        (is_data && data.dtalen() > 0).then_some((words[0], data.dtalen().into()))
    }

    #[inline]
    fn received(slot: &Received<'_>) -> [u64; 2] {
        let mut second = RxWriteBack1::new().with_dd(true).with_length(slot.len);
        if !slot.end {
            if slot.coalesced {
                // Rings have at most 65,528 descriptors.
                second = second.with_next_descriptor(slot.next as u16);
            }
            return [first_word(slot), second.into_bits()];
        }
        let l4 = slot.verdicts.l4;
        let is_udp = slot.packet.is_some_and(|packet| packet.protocol == UDP);
        second = second
            .with_eop(true)
            .with_pif(slot.inexact)
            .with_rxe(slot.error)
            .with_ipcs(slot.verdicts.ip != Verdict::Unchecked)
            .with_ipe(slot.verdicts.ip == Verdict::Bad)
            .with_l4cs(l4 != Verdict::Unchecked)
            .with_udpcs(l4 != Verdict::Unchecked && is_udp)
            .with_l4e(l4 == Verdict::Bad);
        [first_word(slot), second.into_bits()]
    }
}

fn first_word(slot: &Received<'_>) -> u64 {
    let mut first = RxWriteBack0::new();
    if slot.coalesced {
        first = first.with_rsccnt(1);
    }
    if let Some((kind, hash)) = slot.hash {
        first = first.with_rss_type(kind as u8).with_rss_hash(hash);
    }
    let Some(packet) = slot.packet else {
        return first.into_bits();
    };
    let whole = !packet.fragment;
    first = first
        .with_tcp(whole && packet.protocol == TCP)
        .with_udp(whole && packet.protocol == UDP);
    match packet.version {
        IpVersion::V4 => first
            .with_ipv4(true)
            .with_ipv4_extensions(packet.l4 - packet.start > 20),
        IpVersion::V6 => first.with_ipv6(true).with_ipv6_extensions(packet.extended),
    }
    .into_bits()
}

fn malformed(word: u64, why: &'static str) -> Transmit {
    let data = TxData::from_bits(word);
    Transmit::Malformed {
        why,
        end: data.eop(),
        report: data.rs(),
    }
}

#[inline]
fn data(iova: u64, data: TxData) -> Transmit {
    let why = if data.dtalen() == 0 {
        "a data descriptor of 0 bytes"
    } else if u32::from(data.dtalen()) > spec::MAX_DATA_PER_DESCRIPTOR {
        "a data descriptor of more than 16 KiB"
    } else if data.rs() && !data.eop() {
        "RS without EOP"
    } else if !data.ifcs() && data.eop() {
        "a packet without IFCS: the FCS would be software's"
    } else if data.vle() || data.linksec() || data.ipsec() || data.timestamp() {
        "VLAN insertion, LinkSec, IPsec and time stamps are not modelled"
    } else if data.dd() {
        "DD is set before the device is done"
    } else if data.tse() && !data.txsm() {
        "TSE without TXSM"
    } else {
        return Transmit::Data(Data {
            iova,
            len: data.dtalen().into(),
            end: data.eop(),
            report: data.rs(),
            segment: data.tse(),
            ip: data.ixsm(),
            l4: data.txsm(),
            context: data.idx().into(),
            own_insertion: None,
            declared_len: Some(data.paylen() as usize),
        });
    };
    Transmit::Malformed {
        why,
        end: data.eop(),
        report: data.rs(),
    }
}

fn context(first: TxContext0, second: TxContext1) -> Transmit {
    if second.idx() > 1 {
        return Transmit::Malformed {
            why: "a context index above 1",
            end: false,
            report: false,
        };
    }
    let (l2, l3) = (usize::from(first.maclen()), usize::from(first.iplen()));
    let l4 = match second.l4t() {
        TxContext1::TCP => Some((16, Field::Tcp)),
        TxContext1::UDP => Some((6, Field::Udp)),
        _ => None,
    };
    let segmentation = Segmentation {
        mss: second.mss(),
        l2_len: first.maclen(),
        l3_len: first.iplen(),
        l4_len: second.l4len(),
        ip: if second.ipv4() {
            IpVersion::V4
        } else {
            IpVersion::V6
        },
    };
    let good =
        second.mss() > 0 && l2 >= 14 && l3 >= 20 && second.l4len() >= 20 && second.l4t() == TxContext1::TCP;
    let context = Context {
        ip: Insertion {
            start: l2,
            end: Some(l2 + l3),
            at: l2 + 10,
            field: Field::Ipv4Header,
        },
        l4: l4.map(|(at, field)| Insertion {
            start: l2 + l3,
            end: None,
            at: l2 + l3 + at,
            field,
        }),
        segmentation: good.then_some(segmentation),
        payload_len: None,
    };
    Transmit::Context(second.idx().into(), context)
}
