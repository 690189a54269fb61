//! Frames as smoltcp writes them, read back; and frames that nobody should write.

use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, IpProtocol, IpRepr, Ipv4Packet, Ipv6Packet,
};
use smoltcp::wire::{TcpControl, TcpPacket, TcpRepr, TcpSeqNumber};

use super::*;

fn addresses(v6: bool) -> (IpAddress, IpAddress) {
    if v6 {
        (
            IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 1),
            IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2),
        )
    } else {
        (IpAddress::v4(10, 0, 0, 1), IpAddress::v4(10, 0, 0, 2))
    }
}

/// A frame as smoltcp emits it.
fn frame(v6: bool, control: TcpControl, sequence: u32, ack: Option<u32>, window: u16, len: usize) -> Vec<u8> {
    let syn = control == TcpControl::Syn;
    let payload = vec![0x5a; len];
    let tcp = TcpRepr {
        src_port: 4000,
        dst_port: 80,
        control,
        seq_number: TcpSeqNumber(sequence as i32),
        ack_number: ack.map(|ack| TcpSeqNumber(ack as i32)),
        window_len: window,
        window_scale: syn.then_some(7),
        max_seg_size: syn.then_some(1460),
        sack_permitted: syn,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &payload,
    };
    let (source, destination) = addresses(v6);
    let ip = IpRepr::new(source, destination, IpProtocol::Tcp, tcp.buffer_len(), 64);
    let mut frame = vec![0; ETHERNET_LEN + ip.buffer_len()];
    let mut ethernet = EthernetFrame::new_unchecked(&mut frame[..]);
    ethernet.set_src_addr(EthernetAddress([2, 0, 0, 0, 0, 1]));
    ethernet.set_dst_addr(EthernetAddress([2, 0, 0, 0, 0, 2]));
    ethernet.set_ethertype(if v6 {
        EthernetProtocol::Ipv6
    } else {
        EthernetProtocol::Ipv4
    });
    let checksums = ChecksumCapabilities::default();
    ip.emit(&mut frame[ETHERNET_LEN..], &checksums);
    let segment = &mut frame[ETHERNET_LEN + ip.header_len()..];
    tcp.emit(
        &mut TcpPacket::new_unchecked(segment),
        &source,
        &destination,
        &checksums,
    );
    frame
}

fn tcp(frame: &[u8]) -> TcpHeaders {
    let Peek::Tcp(headers) = peek(frame) else {
        panic!("{:?}", peek(frame))
    };
    headers
}

proptest! {
    #[test]
    fn what_smoltcp_writes_is_read_back(
        v6: bool, sequence: u32, ack: Option<u32>, window: u16, len in 0usize..2000, padding in 0usize..40,
        control in prop_oneof![Just(TcpControl::None), Just(TcpControl::Psh), Just(TcpControl::Fin), Just(TcpControl::Syn)],
    ) {
        let mut bytes = frame(v6, control, sequence, ack, window, len);
        let emitted = peek_egress(&bytes, bytes.len());
        bytes.resize(bytes.len() + padding, 0);
        prop_assert_eq!(peek(&bytes), emitted);
        let headers = tcp(&bytes);
        let (source, destination) = addresses(v6);
        prop_assert_eq!((headers.source, headers.destination), ((source, 4000).into(), (destination, 80).into()));
        prop_assert_eq!((headers.source_mac[5], headers.destination_mac[5]), (1, 2));
        prop_assert_eq!((headers.sequence, headers.acknowledgment), (sequence, ack.unwrap_or(0)));
        prop_assert_eq!((headers.window, headers.payload_len), (window, len));
        prop_assert_eq!(&bytes[headers.header_len()..][..len], &vec![0x5a; len][..]);
        let (flags, syn) = (headers.flags, control == TcpControl::Syn);
        prop_assert_eq!((flags.ack(), flags.syn(), flags.rst()), (ack.is_some(), syn, false));
        prop_assert_eq!((flags.fin(), flags.psh()), (control == TcpControl::Fin, control == TcpControl::Psh));
        prop_assert_eq!(headers.segment_len() as usize, len + usize::from(syn || flags.fin()));
        let expected = SynOptions { mss: Some(1460), window_scale: Some(7), sack_permitted: true };
        prop_assert_eq!(headers.syn_options, if syn { expected } else { SynOptions::default() });
        prop_assert_eq!(headers.ingress_tuple().remote(), headers.source);
        prop_assert_eq!(headers.egress_tuple().local(), headers.source);
    }

    #[test]
    fn no_bytes_panic_and_no_payload_reaches_beyond_the_frame(mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0..4) {
        // Let some of them get past the first checks.
        if bytes.len() > 14 && kind > 0 {
            let (ethertype, version) = if kind == 1 { ([8, 0], 0x45) } else { ([0x86, 0xdd], 0x60) };
            bytes[12..14].copy_from_slice(&ethertype);
            bytes[14] = version;
        }
        for peeked in [peek(&bytes), peek_egress(&bytes, bytes.len())] {
            if let Peek::Tcp(headers) = peeked {
                prop_assert!(headers.header_len() + headers.payload_len <= bytes.len());
                Shown::of(&headers).write(&mut bytes.clone(), &headers);
            }
        }
    }

    #[test]
    fn a_frame_cut_anywhere_is_malformed_or_shorter_never_longer(v6: bool, cut in 0usize..200) {
        let bytes = frame(v6, TcpControl::Syn, 1, None, 1, 100);
        let cut = cut.min(bytes.len() - 1);
        prop_assert_eq!(peek(&bytes[..cut]), Peek::Malformed);
    }

    #[test]
    fn what_smoltcp_is_shown_is_written_and_nothing_else(
        v6: bool, syn: bool, new in (any::<u32>(), any::<u16>(), any::<u16>(), 0_u8..=14), len in 0usize..100,
    ) {
        let control = if syn { TcpControl::Syn } else { TcpControl::None };
        let before = frame(v6, control, 9, Some(8), 7, len);
        let mut after = before.clone();
        let (headers, (acknowledgment, window, mss, scale)) = (tcp(&before), new);
        let options = SynOptions { mss: Some(mss), window_scale: Some(scale), ..headers.syn_options };
        let syn_options = if syn { options } else { headers.syn_options };
        let shown = Shown { acknowledgment, window, syn_options };
        shown.write(&mut after, &headers);
        prop_assert_eq!(tcp(&after), TcpHeaders { acknowledgment, window, syn_options, ..headers });
        Shown::of(&headers).write(&mut after, &headers);
        prop_assert_eq!(after, before);
    }
}

#[test]
fn a_super_segment_over_64_kib_is_read_on_egress_only() {
    for v6 in [false, true] {
        let bytes = frame(v6, TcpControl::None, 1, Some(2), 3, 100_000);
        let Peek::Tcp(headers) = peek_egress(&bytes, bytes.len()) else {
            panic!()
        };
        assert_eq!(headers.payload_len, 100_000);
        assert_eq!(peek(&bytes), Peek::Malformed);
    }
}

#[test]
fn fragments_are_not_tcp() {
    for flags in [0x20, 0x01] {
        let mut bytes = frame(false, TcpControl::None, 1, Some(2), 3, 100);
        bytes[ETHERNET_LEN + 6] = flags;
        assert_eq!(peek(&bytes), Peek::OtherIp { protocol: 6 });
    }
}

#[test]
fn ip_options_are_stepped_over() {
    let mut bytes = frame(false, TcpControl::None, 77, Some(2), 3, 100);
    bytes.splice(ETHERNET_LEN + IPV4_LEN..ETHERNET_LEN + IPV4_LEN, [1; 8]);
    bytes[ETHERNET_LEN] = 0x47;
    Ipv4Packet::new_unchecked(&mut bytes[ETHERNET_LEN..]).set_total_len(148);
    let headers = tcp(&bytes);
    assert_eq!(
        (headers.l3_len, headers.sequence, headers.payload_len),
        (28, 77, 100)
    );
}

#[test]
fn other_protocols_are_named() {
    let mut bytes = frame(false, TcpControl::None, 1, Some(2), 3, 100);
    bytes[ETHERNET_LEN + 9] = 17;
    assert_eq!(peek(&bytes), Peek::OtherIp { protocol: 17 });
    let mut bytes = frame(true, TcpControl::None, 1, Some(2), 3, 100);
    Ipv6Packet::new_unchecked(&mut bytes[ETHERNET_LEN..]).set_next_header(IpProtocol::Icmpv6);
    assert_eq!(peek(&bytes), Peek::OtherIp { protocol: 58 });
    bytes[12..14].copy_from_slice(&[8, 6]);
    assert_eq!(peek(&bytes), Peek::Arp);
    bytes[12..14].copy_from_slice(&[0x81, 0]);
    assert_eq!(peek(&bytes), Peek::Other { ethertype: 0x8100 });
}

#[test]
fn lengths_that_contradict_the_frame_are_malformed() {
    let good = frame(false, TcpControl::None, 1, Some(2), 3, 100);
    // version, header length, total length below the header, beyond the frame, data offset below 5, beyond the segment
    for (at, value) in [(14, 0x65), (14, 0x44), (17, 19), (17, 141), (46, 0x40)] {
        let mut bad = good.clone();
        bad[at] = value;
        assert_eq!(peek(&bad), Peek::Malformed, "byte {at} = {value:#x}");
    }
    let mut bad = frame(false, TcpControl::None, 1, Some(2), 3, 39);
    bad[46] = 0xf0;
    assert_eq!(peek(&bad), Peek::Malformed);
}

#[test]
fn options_of_a_syn_are_read_up_to_the_first_that_makes_no_sense() {
    let read = super::syn_options;
    let all = SynOptions {
        mss: Some(0x0102),
        window_scale: Some(14),
        sack_permitted: true,
    };
    assert_eq!(read(&[1, 2, 4, 1, 2, 1, 3, 3, 200, 8, 3, 9, 4, 2, 0]), all);
    assert_eq!(read(&[0, 2, 4, 1, 2]), SynOptions::default());
    for cut in [&[2u8][..], &[2, 4, 1], &[2, 0, 1, 2], &[2, 1], &[3, 255]] {
        assert_eq!(read(cut), SynOptions::default(), "{cut:?}");
    }
}

#[test]
fn a_part_has_the_headers_of_a_segment_of_its_own() {
    let mut packet = [0; 54];
    packet[12..14].copy_from_slice(&[8, 0]);
    packet[14..24].copy_from_slice(&[0x45, 0, 0xff, 0xff, 0, 0, 0, 0, 64, 6]);
    packet[26..34].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    let flags = TcpFlags::ACK | TcpFlags::PSH | TcpFlags::FIN;
    packet[34..54].copy_from_slice(&[
        0,
        80,
        1,
        0,
        0xff,
        0xff,
        0xff,
        0xfe,
        0,
        0,
        0,
        9,
        0x50,
        flags.bits(),
        1,
        0,
        0,
        0,
        0,
        0,
    ]);
    let Peek::Tcp(whole) = peek_egress(&packet, 54 + 3000) else {
        panic!("no TCP")
    };
    for (offset, len, sequence, flags) in [
        (0, 1000, 0xffff_fffe, TcpFlags::ACK),
        (1000, 1500, 998, TcpFlags::ACK),
        (2500, 500, 2498, flags),
    ] {
        let part = whole.part(offset, len);
        let mut own = packet.to_vec();
        rewrite_segment(&mut own, &part);
        own.resize(54 + len, 0);
        let Peek::Tcp(seen) = peek(&own) else {
            panic!("no TCP")
        };
        assert_eq!(
            (seen.sequence, seen.payload_len, seen.flags),
            (sequence, len, flags)
        );
        assert_eq!(seen, part);
    }
}
