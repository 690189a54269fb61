//! Packets from one emulated NIC to another, for each pair of families.

mod emulated;

use emulated::{checksums_are_right, packet, pattern, segment};
use pagewire_nic::dma::GatherSlice;
use pagewire_nic::port::{IpVersion, L4, Nic, NicConfig, RxQueue, TxOffload, TxQueue, Verdict};

const KINDS: [(IpVersion, L4); 4] = [
    (IpVersion::V4, L4::Tcp),
    (IpVersion::V4, L4::Udp),
    (IpVersion::V6, L4::Tcp),
    (IpVersion::V6, L4::Udp),
];

#[test]
fn frames_arrive_whole_in_order_and_both_ways() {
    for_each_pair!(
        NicConfig {
            promiscuous: true,
            ..NicConfig::default()
        },
        true,
        |a, b| {
            for round in 0..60usize {
                let lens: Vec<usize> = (0..40)
                    .map(|index| 60 + (round * 97 + index * 41) % 1454)
                    .collect();
                for len in &lens {
                    let frame = a.frame(&pattern(*len));
                    a.queues[0].0.post(frame, TxOffload::None).unwrap();
                }
                a.flush();
                b.send(&pattern(60 + round), TxOffload::None);
                let got: Vec<Vec<u8>> = b.receive(0).into_iter().map(|packet| packet.bytes).collect();
                assert!(got.iter().map(Vec::len).eq(lens.iter().copied()));
                assert!(got.iter().all(|bytes| *bytes == pattern(bytes.len())));
                assert_eq!(a.receive(0)[0].bytes, pattern(60 + round));
            }
            let counters = a.queues[0].0.counters();
            assert_eq!((counters.packets, counters.doorbells), (2400, 60));
            assert_eq!(b.queues[0].1.counters().packets, 2400);
        }
    );
}

#[test]
fn a_short_frame_is_padded_to_60_bytes() {
    for_each_pair!(
        NicConfig {
            promiscuous: true,
            ..NicConfig::default()
        },
        true,
        |a, b| {
            a.send(&pattern(20), TxOffload::None);
            let got = b.receive(0);
            assert_eq!(got[0].bytes.len(), 60);
            assert_eq!(got[0].bytes[..20], pattern(20));
        }
    );
}

#[test]
fn a_frame_of_9018_bytes_fills_several_buffers_that_adjoin() {
    let config = NicConfig {
        promiscuous: true,
        max_frame: 9018,
        ..NicConfig::default()
    };
    for_each_pair!(config, true, |a, b| {
        let bytes = pattern(9018);
        let region = a.payload(&bytes[54..]);
        let slice = GatherSlice::new(region, 0, 9018 - 54).unwrap();
        a.send_gather(&bytes[..54], vec![slice], TxOffload::None);
        let got = b.receive(0);
        assert_eq!((got.len(), got[0].buffers), (1, 5));
        assert_eq!(got[0].bytes, bytes);
        assert!(got[0].adjacent);
    });
}

#[test]
fn a_frame_longer_than_the_receiver_takes_is_lost_and_counted() {
    let device_a = emulated::device(pagewire_emu::Model::Ixgbe, 1, true);
    let device_b = emulated::device(pagewire_emu::Model::Ixgbe, 2, true);
    emulated::plug(&device_a, &device_b);
    let mut a = emulated::open_ixgbe(
        &device_a,
        &NicConfig {
            max_frame: 9018,
            ..NicConfig::default()
        },
    );
    let mut b = emulated::open_ixgbe(
        &device_b,
        &NicConfig {
            promiscuous: true,
            ..NicConfig::default()
        },
    );
    let region = a.payload(&pattern(3000));
    let slice = GatherSlice::new(region, 0, 3000).unwrap();
    a.send_gather(&pattern(54), vec![slice], TxOffload::None);
    assert_eq!(b.receive(0), []);
    assert_eq!(b.nic.as_mut().unwrap().read_statistics().rx_length_errors, 1);
    a.finish();
    b.finish();
}

#[test]
fn a_packet_of_many_pieces_is_gathered_in_order() {
    for_each_pair!(
        NicConfig {
            promiscuous: true,
            ..NicConfig::default()
        },
        true,
        |a, b| {
            let bytes = pattern(1400);
            let region = a.payload(&bytes);
            let pieces = [(60usize, 1usize), (61, 2), (63, 100), (163, 37), (200, 1200)];
            let slices = pieces
                .iter()
                .map(|(offset, len)| GatherSlice::new(region.clone(), *offset, *len).unwrap())
                .collect();
            a.send_gather(&bytes[..60], slices, TxOffload::None);
            assert_eq!(b.receive(0)[0].bytes, bytes);
        }
    );
}

#[test]
fn checksums_are_inserted_and_found_right() {
    for_each_pair!(NicConfig::default(), true, |a, b| {
        for (ip, l4) in KINDS {
            for len in [0, 1, 2, 999, 1000] {
                let (bytes, layout) = packet(ip, l4, (1000, 2000), &pattern(len));
                a.send(&bytes, TxOffload::Checksum(layout));
                let got = b.receive(0);
                let unpadded = &got[0].bytes[..bytes.len()];
                assert!(checksums_are_right(unpadded, &layout), "{ip:?} {l4:?} {len}");
                assert_eq!(got[0].verdict, Verdict::Good, "{ip:?} {l4:?} {len}");
            }
        }
    });
}

#[test]
fn wrong_checksums_are_called_bad_and_other_frames_unchecked() {
    for_each_pair!(
        NicConfig {
            promiscuous: true,
            ..NicConfig::default()
        },
        true,
        |a, b| {
            for (ip, l4) in KINDS {
                let (mut bytes, layout) = packet(ip, l4, (1000, 2000), &pattern(100));
                if ip == IpVersion::V4 {
                    a.send(&bytes, TxOffload::None);
                    assert_eq!(b.receive(0)[0].verdict, Verdict::Bad, "a wrong header checksum");
                }
                // Right first, then one bit wrong.
                a.send(&bytes, TxOffload::Checksum(layout));
                bytes = b.receive(0).remove(0).bytes;
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                a.send(&bytes, TxOffload::None);
                // The 82599's driver leaves UDP to software: the device may be wrong about it.
                let verdict = b.receive(0)[0].verdict;
                assert!(verdict == Verdict::Bad || (l4 == L4::Udp && verdict == Verdict::Unchecked));
            }
            a.send(&pattern(100), TxOffload::None);
            assert_eq!(b.receive(0)[0].verdict, Verdict::Unchecked);
        }
    );
}

#[test]
fn segmentation_cuts_the_payload_into_packets_with_headers_of_their_own() {
    for_each_pair!(NicConfig::default(), false, |a, b| {
        for ip in [IpVersion::V4, IpVersion::V6] {
            for (len, mss) in [
                (1, 1440),
                (1440, 1440),
                (1441, 1440),
                (30_000, 1428),
                (65_000, 536),
            ] {
                let bytes = pattern(len);
                let (header, layout) = packet(ip, L4::Tcp, (1000, 2000), &[]);
                let region = a.payload(&bytes);
                let slice = GatherSlice::new(region, 0, len).unwrap();
                a.send_gather(&header, vec![slice], segment(layout, mss));
                let got = b.receive(0);
                assert_eq!(
                    got.len(),
                    len.div_ceil(mss.into()),
                    "{ip:?} {len} {mss}: {}",
                    a.device.report()
                );
                let mut payload = Vec::new();
                for (index, packet) in got.iter().enumerate() {
                    let start = layout.header_len();
                    let size = (len - index * usize::from(mss)).min(mss.into());
                    let unpadded = &packet.bytes[..start + size];
                    assert!(
                        checksums_are_right(unpadded, &layout),
                        "{ip:?} {len} {mss} {index}"
                    );
                    assert_eq!(packet.verdict, Verdict::Good);
                    let sequence = u32::from_be_bytes(unpadded[start - 16..start - 12].try_into().unwrap());
                    assert_eq!(sequence, 0x1000 + payload.len() as u32);
                    payload.extend_from_slice(&unpadded[start..]);
                }
                assert_eq!(payload, bytes);
            }
        }
    });
}

#[test]
fn a_coalesced_segment_of_64_kib_arrives_as_one_packet() {
    for rx_buffer in [2048, 4096, 16384] {
        let config = NicConfig {
            coalesce: true,
            rx_buffer,
            ..NicConfig::default()
        };
        for_each_pair!(config.clone(), true, |a, b| {
            for ip in [IpVersion::V4, IpVersion::V6] {
                let bytes = pattern(65_000);
                let (header, layout) = packet(ip, L4::Tcp, (1000, 2000), &[]);
                let region = a.payload(&bytes);
                let pieces = bytes.len().div_ceil(9000);
                let slices = (0..pieces).map(|piece| {
                    let offset = piece * 9000;
                    GatherSlice::new(region.clone(), offset, 9000.min(bytes.len() - offset)).unwrap()
                });
                a.send_gather(&header, slices.collect(), segment(layout, 1460));
                let got = b.receive(0);
                assert_eq!(got.len(), 1);
                assert_eq!(got[0].bytes[layout.header_len()..], bytes);
                assert_eq!(got[0].verdict, Verdict::Good);
                assert_eq!(
                    got[0].buffers,
                    (65_000 + layout.header_len()).div_ceil(rx_buffer as usize)
                );
            }
        });
    }
}

#[test]
fn a_full_ring_returns_the_frame_and_goes_on_after_a_reap() {
    let config = NicConfig {
        tx_descriptors: 8,
        promiscuous: true,
        ..NicConfig::default()
    };
    for_each_pair!(config, true, |a, b| {
        for _ in 0..3 {
            let mut posted = 0;
            let refused = loop {
                let frame = a.frame(&pattern(100));
                match a.queues[0].0.post(frame, TxOffload::None) {
                    Ok(()) => posted += 1,
                    Err(full) => break full.0,
                }
            };
            assert_eq!(posted, 7);
            assert_eq!(refused.bytes(), pattern(100));
            a.pool.give(refused).unwrap();
            a.flush();
            assert_eq!(b.receive(0).len(), 7);
        }
        assert_eq!(a.pool.available(), 512);
    });
}

#[test]
fn packets_that_find_no_buffer_are_lost_and_counted_and_the_queue_goes_on() {
    let config = NicConfig {
        rx_descriptors: 8,
        rx_frames: 8,
        promiscuous: true,
        ..NicConfig::default()
    };
    for_each_pair!(config, true, |a, b| {
        for _ in 0..20 {
            let frame = a.frame(&pattern(100));
            a.queues[0].0.post(frame, TxOffload::None).unwrap();
        }
        a.flush();
        assert_eq!(b.receive(0).len(), 7);
        let statistics = b.nic.as_mut().unwrap().read_statistics();
        assert_eq!(statistics.rx_missed, 13);
        a.send(&pattern(77), TxOffload::None);
        assert_eq!(b.receive(0)[0].bytes, pattern(77));
    });
}

#[test]
fn frames_for_other_stations_are_taken_only_where_that_is_wanted() {
    for promiscuous in [false, true] {
        for_each_pair!(
            NicConfig {
                promiscuous,
                ..NicConfig::default()
            },
            true,
            |a, b| {
                let mut bytes = pattern(100);
                bytes[..6].copy_from_slice(&[2, 9, 9, 9, 9, 9]);
                a.send(&bytes, TxOffload::None);
                bytes[..6].copy_from_slice(&[0xff; 6]);
                a.send(&bytes, TxOffload::None);
                bytes[..6].copy_from_slice(&emulated::mac(2));
                a.send(&bytes, TxOffload::None);
                assert_eq!(b.receive(0).len(), if promiscuous { 3 } else { 2 });
            }
        );
    }
}
