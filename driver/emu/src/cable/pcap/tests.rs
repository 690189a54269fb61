//! What stands in the file, read back by the crate and judged by smoltcp's parsers.

use std::fs;
use std::io::Cursor;

use pcap_file::pcap::PcapReader;
use smoltcp::wire::{EthernetFrame, IpAddress, Ipv4Packet, Ipv6Packet, TcpPacket};

use super::super::testing::{Answer, TestPort, numbered};
use super::super::{Impairments, Way, lay};
use super::*;
use crate::offload::headers::TCP;
use crate::offload::samples::Sample;
use crate::wire::{Delivery, IpVersion, Piece, Segmentation};

/// A writer whose bytes the test sees, and which is full after so many.
#[derive(Clone, Debug)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    size: usize,
}

impl Disk {
    fn new(size: usize) -> Self {
        Self {
            bytes: Arc::default(),
            size,
        }
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.bytes.lock();
        let len = bytes.len().min(self.size - written.len());
        if len == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        written.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn packets(file: &[u8]) -> Vec<(Duration, Vec<u8>)> {
    let mut reader = PcapReader::new(Cursor::new(file)).expect("a pcap file");
    let header = reader.header();
    assert_eq!(header.datalink, DataLink::ETHERNET);
    assert_eq!(header.ts_resolution, TsResolution::NanoSecond);
    assert_eq!(header.snaplen, 262_144);
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("a packet");
        assert_eq!(packet.orig_len as usize, packet.data.len());
        packets.push((packet.timestamp, packet.data.into_owned()));
    }
    packets
}

/// A segment as it travels whole: the pseudo-header's sum in the checksum field, IP fields of the whole.
fn whole(v6: bool, payload: usize) -> (Vec<u8>, Segmentation) {
    let sample = if v6 { Sample::v6(TCP) } else { Sample::v4(TCP) };
    let mut header = sample.build(b"");
    let ip = if v6 { IpVersion::V6 } else { IpVersion::V4 };
    let plan = Segmentation {
        mss: 1448,
        l2_len: 14,
        l3_len: sample.l3_len() as u16,
        l4_len: 20,
        ip,
    };
    let addresses = if v6 { 22..54 } else { 26..34 };
    let sum = crate::offload::checksum::pseudo_header(&header[addresses], TCP, 0).folded();
    let field = 14 + sample.l3_len() + 16;
    header[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    if !v6 {
        header[24..26].fill(0);
    }
    segment::complete_whole(&mut header, &plan, payload).expect("a good header");
    (header, plan)
}

fn checksums_hold(frame: &[u8], v6: bool) -> bool {
    let ether = EthernetFrame::new_checked(frame).expect("a frame");
    let tcp = |segment: &[u8], from: IpAddress, to: IpAddress| {
        TcpPacket::new_checked(segment)
            .expect("TCP")
            .verify_checksum(&from, &to)
    };
    if v6 {
        let ip = Ipv6Packet::new_checked(ether.payload()).expect("IPv6");
        assert_eq!(ip.total_len(), ether.payload().len());
        tcp(ip.payload(), ip.src_addr().into(), ip.dst_addr().into())
    } else {
        let ip = Ipv4Packet::new_checked(ether.payload()).expect("IPv4");
        assert_eq!(usize::from(ip.total_len()), ether.payload().len());
        ip.verify_checksum() && tcp(ip.payload(), ip.src_addr().into(), ip.dst_addr().into())
    }
}

#[test]
fn both_directions_are_recorded_with_their_time_in_nanoseconds() {
    let disk = Disk::new(usize::MAX);
    let tap = PcapTap::new(Box::new(disk.clone())).expect("a tap");
    let bad = Impairments {
        loss: 1.0,
        ..Impairments::none()
    };
    let forth = lay(
        TestPort::new(),
        &Impairments::none(),
        Way::Forth,
        Some(tap.clone()),
    );
    let back = lay(TestPort::new(), &bad, Way::Back, Some(tap.clone()));
    let times = [
        Duration::from_nanos(123),
        Duration::new(4_000_000_000, 999_999_999),
    ];
    for (number, (cable, now)) in [forth, back].iter().zip(times).enumerate() {
        cable.carry(now, &mut |inlet| {
            let _ = inlet.deliver(&WireFrame::single(&numbered(number as u32), Checksums::Inserted));
        });
    }
    tap.finish().expect("a whole file");
    // What an impaired cable loses was sent all the same.
    let expected: Vec<_> = times.into_iter().zip([numbered(0), numbered(1)]).collect();
    assert_eq!(packets(&disk.bytes.lock()), expected);
    assert_eq!(tap.frames(), 2);
}

#[test]
fn times_count_from_the_moment_that_was_told() {
    let disk = Disk::new(usize::MAX);
    let tap = PcapTap::new(Box::new(disk.clone())).expect("a tap");
    tap.count_from(Duration::from_secs(784_111_777));
    let cable = lay(
        TestPort::new(),
        &Impairments::none(),
        Way::Forth,
        Some(tap.clone()),
    );
    cable.carry(Duration::from_nanos(5), &mut |inlet| {
        let _ = inlet.deliver(&WireFrame::single(&numbered(0), Checksums::Inserted));
    });
    tap.finish().expect("a whole file");
    let times: Vec<_> = packets(&disk.bytes.lock())
        .into_iter()
        .map(|(time, _)| time)
        .collect();
    assert_eq!(times, [Duration::new(784_111_777, 5)]);
}

#[test]
fn a_whole_segment_is_recorded_with_its_checksums_filled_in() {
    let disk = Disk::new(usize::MAX);
    let tap = PcapTap::new(Box::new(disk.clone())).expect("a tap");
    let port = TestPort::new();
    let cable = lay(port.clone(), &Impairments::none(), Way::Forth, Some(tap.clone()));
    let payload: Vec<u8> = (0..65_001_u32).map(|at| ((at * 7) >> 3) as u8).collect();
    for v6 in [false, true] {
        let (header, plan) = whole(v6, payload.len());
        let pieces = [
            Piece::from_bytes(&payload[..33_333]),
            Piece::from_bytes(&payload[33_333..]),
        ];
        cable.carry(Duration::ZERO, &mut |inlet| {
            let _ = inlet.deliver(&WireFrame::whole(&header, &pieces, plan));
        });
    }
    tap.finish().expect("a whole file");
    let recorded = packets(&disk.bytes.lock());
    assert!(checksums_hold(&recorded[0].1, false) && checksums_hold(&recorded[1].1, true));
    // The frame that was delivered still owes them.
    assert!(!checksums_hold(&port.frames()[0].1, false));
}

#[test]
fn what_was_not_on_the_wire_is_not_recorded() {
    let tap = PcapTap::new(Box::new(Disk::new(usize::MAX))).expect("a tap");
    let port = TestPort::new();
    let cable = lay(port.clone(), &Impairments::none(), Way::Forth, Some(tap.clone()));
    for (delivery, recorded) in [
        (Delivery::CutFirst, 0),
        (Delivery::SourceFault, 0),
        (Delivery::NoBuffer, 1),
    ] {
        port.answer(Answer::Always(delivery));
        cable.carry(Duration::ZERO, &mut |inlet| {
            let _ = inlet.deliver(&WireFrame::single(&numbered(0), Checksums::Inserted));
        });
        assert_eq!(tap.frames(), recorded);
    }
}

#[test]
fn a_full_disk_is_reported_at_the_end_and_frames_go_on() {
    let disk = Disk::new(500_000);
    let tap = PcapTap::new(Box::new(disk.clone())).expect("a tap");
    let port = TestPort::new();
    let cable = lay(port.clone(), &Impairments::none(), Way::Forth, Some(tap.clone()));
    cable.carry(Duration::ZERO, &mut |inlet| {
        for number in 0..20_000 {
            let delivery = inlet.deliver(&WireFrame::single(&numbered(number), Checksums::Inserted));
            assert_eq!(delivery, Delivery::Accepted);
        }
    });
    assert_eq!(port.frames().len(), 20_000);
    let error = tap.finish().expect_err("the disk is full");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(tap.frames() < 20_000);
    assert!(tap.finish().is_ok(), "it is reported once");
}

#[test]
fn what_was_written_out_can_be_read_before_the_end() {
    let disk = Disk::new(usize::MAX);
    let tap = PcapTap::new(Box::new(disk.clone())).expect("a tap");
    let cable = lay(
        TestPort::new(),
        &Impairments::none(),
        Way::Forth,
        Some(tap.clone()),
    );
    for number in 0..2 {
        cable.carry(Duration::ZERO, &mut |inlet| {
            let _ = inlet.deliver(&WireFrame::single(&numbered(number), Checksums::Inserted));
        });
        tap.write_out();
        assert_eq!(packets(&disk.bytes.lock()).len(), number as usize + 1);
    }
    let written = disk.bytes.lock().len();
    tap.finish().expect("a whole file");
    assert_eq!(disk.bytes.lock().len(), written, "nothing is written twice");
}

#[test]
fn a_disk_that_is_full_when_it_is_written_out_is_reported_at_the_end() {
    let tap = PcapTap::new(Box::new(Disk::new(0))).expect("the header is buffered");
    tap.write_out();
    tap.write_out();
    let error = tap.finish().expect_err("the disk is full");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_disk_that_fills_up_with_the_last_bytes_is_reported_too() {
    let tap = PcapTap::new(Box::new(Disk::new(30))).expect("the header is buffered");
    let cable = lay(
        TestPort::new(),
        &Impairments::none(),
        Way::Forth,
        Some(tap.clone()),
    );
    cable.carry(Duration::ZERO, &mut |inlet| {
        let _ = inlet.deliver(&WireFrame::single(&numbered(0), Checksums::Inserted));
    });
    assert!(tap.finish().is_err());
}

#[test]
fn a_path_that_cannot_be_created_is_an_error_at_once() {
    assert!(PcapTap::create(Path::new("/nonexistent/trace.pcap")).is_err());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.pcap");
    let tap = PcapTap::create(&path).expect("a tap");
    tap.finish().expect("an empty trace");
    assert!(packets(&fs::read(&path).expect("the file")).is_empty());
}
