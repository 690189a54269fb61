//! The cable's own work, with a pair of datagram sockets in the kernel's place: a packet is a datagram there too.

use std::sync::Arc;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

use super::*;
use crate::cable::testing::{Answer, TestPort, numbered};
use crate::cable::{Impairments, Way, lay};
use crate::offload::checksum::{Sum, Verdict, verify};
use crate::offload::headers::{IpPacket, TCP, UDP};
use crate::offload::samples::Sample;
use crate::wire::{Checksums, IpVersion, LONGEST_IP, Piece, Segmentation};

/// A stream and the socket that stands for the kernel.
fn attached() -> (Stream, OwnedFd) {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (ours, kernel) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, flags, None).unwrap();
    (Stream::new(ours, LONGEST_IP), kernel)
}

fn deliver(stream: &Stream, frame: &WireFrame<'_>) -> Delivery {
    let mut delivery = Delivery::Filtered;
    stream.receive(&mut |inlet| delivery = inlet.deliver(frame));
    delivery
}

fn taken(kernel: &OwnedFd) -> Vec<u8> {
    let mut bytes = vec![0; 70_000];
    let (len, _) = recv(kernel, &mut bytes[..], RecvFlags::empty()).expect("a packet");
    bytes.truncate(len);
    bytes
}

/// A segment's header as a driver leaves it but for the IP header, which is that of the whole; how to cut it; its payload.
fn segment_of(v6: bool, len: usize) -> (Vec<u8>, Segmentation, Vec<u8>) {
    let sample = if v6 { Sample::v6(TCP) } else { Sample::v4(TCP) };
    let payload: Vec<u8> = (0..len).map(|at| (at * 7 + at / 255) as u8).collect();
    let plan = Segmentation {
        mss: 1000,
        l2_len: 14,
        l3_len: sample.l3_len() as u16,
        l4_len: 20,
        ip: if v6 { IpVersion::V6 } else { IpVersion::V4 },
    };
    let mut header = sample.build(&payload);
    header.truncate(plan.header_len());
    (header, plan, payload)
}

/// A packet of the kernel's with `header` in front of `frame`.
fn put(kernel: &OwnedFd, header: [u8; vnet::HEADER], frame: &[u8]) {
    send(kernel, &[&header[..], frame].concat(), SendFlags::empty()).unwrap();
}

fn header(flags: u8, kind: u8, sizes: [u16; 4]) -> [u8; vnet::HEADER] {
    let mut header = [0; vnet::HEADER];
    header[..2].copy_from_slice(&[flags, kind]);
    for (to, size) in header[2..].chunks_exact_mut(2).zip(sizes) {
        to.copy_from_slice(&size.to_ne_bytes());
    }
    header
}

/// What a step brings to a port.
fn take_in(stream: &Stream, port: &Arc<TestPort>) -> usize {
    let back = lay(port.clone(), &Impairments::none(), Way::Back, None);
    stream.take_in(Duration::ZERO, &*back)
}

#[test]
fn a_segment_goes_out_whole_with_the_checksum_that_the_kernel_expects() {
    for v6 in [false, true] {
        let (stream, kernel) = attached();
        let (mut head, plan, payload) = segment_of(v6, 5_000);
        // The driver's sum: without the length.
        let addresses = if v6 { 22..54 } else { 26..34 };
        let left = crate::offload::checksum::pseudo_header(&head[addresses], TCP, 0).folded();
        let tcp = 14 + sample_l3(v6);
        head[tcp + 16..tcp + 18].copy_from_slice(&left.to_be_bytes());
        let pieces = [
            Piece::from_bytes(&payload[..1234]),
            Piece::from_bytes(&payload[1234..]),
        ];
        let frame = WireFrame::whole(&head, &pieces, plan);
        assert_eq!(deliver(&stream, &frame), Delivery::Accepted);
        let packet = taken(&kernel);
        let (told, bytes) = packet.split_at(vnet::HEADER);
        let kind = if v6 { 4 } else { 1 };
        assert_eq!(
            told,
            header(1, kind, [plan.header_len() as u16, 1000, tcp as u16, 16])
        );
        assert_eq!(bytes[plan.header_len()..], payload);
        // As the kernel would finish it: the sum from `csum_start` on, with what stands in the field.
        let mut finished = bytes.to_vec();
        let mut sum = Sum::default();
        sum.add(&bytes[tcp..]);
        finished[tcp + 16..tcp + 18].copy_from_slice(&sum.checksum().to_be_bytes());
        let verdicts = verify(IpPacket::parse(&finished).as_ref(), &finished, &[]);
        assert_eq!(verdicts.l4, Verdict::Good);
    }
}

fn sample_l3(v6: bool) -> usize {
    if v6 { 40 } else { 20 }
}

#[test]
fn a_segment_of_the_kernel_is_whole_to_who_takes_it_and_right_frames_to_who_does_not() {
    for v6 in [false, true] {
        let (stream, kernel) = attached();
        let (head, plan, payload) = segment_of(v6, 4_500);
        let kind = if v6 { 4 } else { 1 };
        let sizes = [plan.header_len() as u16, 1000, 14 + plan.l3_len, 16];
        let port = TestPort::new();
        put(&kernel, header(1, kind, sizes), &[&head[..], &payload].concat());
        assert_eq!(take_in(&stream, &port), 1);
        let (checksums, bytes) = port.frames().remove(0);
        assert_eq!(
            (checksums, bytes.len()),
            (Checksums::Owed, plan.header_len() + 4_500)
        );
        port.clear();

        // Where bits may flip on the way, frames are cut, each with its checksums.
        let faults = Impairments {
            latency: Duration::from_nanos(1),
            ..Impairments::none()
        };
        let back = lay(port.clone(), &faults, Way::Back, None);
        put(&kernel, header(1, kind, sizes), &[&head[..], &payload].concat());
        assert_eq!(stream.take_in(Duration::ZERO, &*back), 1);
        assert_eq!(back.deliver_due(Duration::from_secs(1)), 5);
        let mut arrived = Vec::new();
        for (_, frame) in port.frames() {
            let verdicts = verify(IpPacket::parse(&frame).as_ref(), &frame, &[]);
            assert_eq!(verdicts.l4, Verdict::Good);
            assert!(v6 || verdicts.ip == Verdict::Good);
            arrived.extend_from_slice(&frame[plan.header_len()..]);
        }
        assert_eq!(arrived, payload);
    }
}

#[test]
fn a_checksum_that_the_kernel_has_left_unfinished_is_finished() {
    for (protocol, offset) in [(TCP, 16), (UDP, 6)] {
        let (stream, kernel) = attached();
        let sample = Sample::v4(protocol);
        let mut frame = sample.build(b"some bytes of payload");
        let l4 = 14 + sample.l3_len();
        let len = (frame.len() - l4) as u32;
        let left = crate::offload::checksum::pseudo_header(&frame[26..34], protocol, len).folded();
        frame[l4 + offset..l4 + offset + 2].copy_from_slice(&left.to_be_bytes());
        put(&kernel, header(1, 0, [0, 0, l4 as u16, offset as u16]), &frame);
        let port = TestPort::new();
        take_in(&stream, &port);
        let (checksums, arrived) = port.frames().remove(0);
        assert_eq!(checksums, Checksums::Inserted);
        let verdicts = verify(IpPacket::parse(&arrived).as_ref(), &arrived, &[]);
        assert_eq!(verdicts.l4, Verdict::Good);
        assert!(arrived.len() >= 60, "it is padded");
    }
}

#[test]
fn what_makes_no_sense_is_dropped_and_the_next_packet_comes() {
    let (stream, kernel) = attached();
    let (head, _, payload) = segment_of(false, 100);
    let whole = [&head[..], &payload].concat();
    put(&kernel, header(0, 0, [0; 4]), &[]);
    put(&kernel, header(1, 0, [0, 0, 60_000, 16]), &numbered(1));
    put(&kernel, header(1, 3, [54, 1000, 34, 16]), &whole);
    put(&kernel, header(1, 1, [54, 0, 34, 16]), &whole);
    put(&kernel, header(1, 4, [54, 1000, 34, 16]), &whole);
    put(&kernel, header(0, 0, [0; 4]), &numbered(7));
    let port = TestPort::new();
    take_in(&stream, &port);
    assert_eq!(port.numbers(), [7]);
}

#[test]
fn a_full_kernel_is_busy_and_nothing_is_lost() {
    let (stream, kernel) = attached();
    let frame = numbered(1);
    let frame = WireFrame::single(&frame, Checksums::Unverified);
    let mut sent = 0;
    while deliver(&stream, &frame) == Delivery::Accepted {
        sent += 1;
        assert!(sent < 100_000, "a socket has a limit");
    }
    assert!(stream.is_busy());
    taken(&kernel);
    assert_eq!(deliver(&stream, &frame), Delivery::Accepted);
    assert!(!stream.is_busy());
}

#[test]
fn a_packet_waits_for_room_and_those_behind_it_wait_in_the_kernel() {
    let (stream, kernel) = attached();
    let port = TestPort::new();
    for number in 0..5 {
        put(&kernel, header(0, 0, [0; 4]), &numbered(number));
    }
    port.answer(Answer::Room(2));
    assert_eq!(take_in(&stream, &port), 2);
    assert_eq!(take_in(&stream, &port), 0);
    port.answer(Answer::Room(9));
    assert_eq!(take_in(&stream, &port), 3);
    assert_eq!(port.numbers(), [0, 1, 2, 3, 4]);
}
