//! Our side of the rings, with a test in the kernel's place: it reaches the same memory by reads and writes of a memfd, and a
//! kick is an empty datagram. Packets of the real kernel's are in the tests of what crosses crates.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::{pread, pwrite};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};

use super::slots::{BLOCK, LEN, MAC, SLOT, SLOTS_PER_BLOCK, SNAPLEN, VLAN_TCI, VLAN_TPID};
use super::*;
use crate::cable::kernel::Attachment;
use crate::cable::testing::{Answer, TestPort, number_of, numbered};
use crate::cable::{Impairments, Way, lay};
use crate::offload::checksum::{Verdict, pseudo_header, verify};
use crate::offload::headers::{IpPacket, TCP};
use crate::offload::samples::Sample;
use crate::wire::{Checksums, IpVersion, Piece, Segmentation};

const MTU: u32 = 1500;
/// Slots of either ring here.
const SLOTS: usize = SLOTS_PER_BLOCK;
/// Where the kernel puts a packet that came with an Ethernet header.
const KERNELS_MAC: usize = 76;

/// The kernel's side.
struct Kernel {
    memory: OwnedFd,
    socket: OwnedFd,
    filled: usize,
    sent: usize,
}

/// A ring of one block in each direction, and who is behind it.
fn ring() -> (Arc<Ring>, Kernel) {
    let memory = memfd_create("rings", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&memory, 2 * BLOCK as u64).unwrap();
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (ours, socket) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, flags, None).unwrap();
    let slots = Slots::map(memory.as_fd(), [1, 1]).unwrap();
    let ring = Ring::new(Socket::standing_for(ours), slots, MTU);
    let kernel = Kernel {
        memory,
        socket,
        filled: 0,
        sent: 0,
    };
    (Arc::new(ring), kernel)
}

impl Kernel {
    fn read(&self, at: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        assert_eq!(pread(&self.memory, &mut bytes[..], at as u64), Ok(len));
        bytes
    }

    fn write(&self, at: usize, bytes: &[u8]) {
        assert_eq!(pwrite(&self.memory, bytes, at as u64), Ok(bytes.len()));
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.read(at, 4).try_into().unwrap())
    }

    /// The next slot of the receive ring, if it is the kernel's.
    fn free_slot(&mut self) -> Option<usize> {
        let slot = self.filled * SLOT;
        (self.word(slot) == libc::TP_STATUS_KERNEL).then(|| {
            self.filled = (self.filled + 1) % SLOTS;
            slot
        })
    }

    /// Puts a packet into the receive ring, as the kernel does. `false` where it has no slot.
    fn put(&mut self, header: [u8; vnet::HEADER], frame: &[u8]) -> bool {
        let Some(slot) = self.free_slot() else {
            return false;
        };
        self.write(slot + KERNELS_MAC - vnet::HEADER, &header);
        self.write(slot + KERNELS_MAC, frame);
        self.tell(slot, KERNELS_MAC, frame.len(), frame.len());
        self.write(slot, &libc::TP_STATUS_USER.to_ne_bytes());
        true
    }

    /// Writes the fields of a slot.
    fn tell(&self, slot: usize, mac: usize, len: usize, captured: usize) {
        self.write(slot + LEN, &(len as u32).to_ne_bytes());
        self.write(slot + SNAPLEN, &(captured as u32).to_ne_bytes());
        self.write(slot + MAC, &(mac as u16).to_ne_bytes());
    }

    /// What one of its calls finds in the transmit ring, as far as `most`: virtio-net headers and packets. Each slot is left
    /// with the status `then`.
    fn send(&mut self, most: usize, then: u32) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        while packets.len() < most {
            let slot = BLOCK + self.sent * SLOT;
            if self.word(slot) != libc::TP_STATUS_SEND_REQUEST {
                break;
            }
            let len = self.word(slot + LEN) as usize;
            packets.push(self.read(slot + HEADER, len));
            self.write(slot, &then.to_ne_bytes());
            self.sent = (self.sent + 1) % SLOTS;
        }
        packets
    }

    /// The device is done with slot `index` of the transmit ring.
    fn done(&self, index: usize) {
        self.write(BLOCK + index * SLOT, &libc::TP_STATUS_AVAILABLE.to_ne_bytes());
    }

    /// How many kicks there were since this was last asked.
    fn kicks(&self) -> usize {
        std::iter::from_fn(|| recv(&self.socket, &mut [0; 8][..], RecvFlags::empty()).ok()).count()
    }
}

/// Offers frames in one batch; what is said to each.
fn offer(ring: &Ring, frames: &[WireFrame<'_>]) -> Vec<Delivery> {
    let mut said = Vec::new();
    ring.receive(&mut |inlet| said.extend(frames.iter().map(|frame| inlet.deliver(frame))));
    said
}

fn single(bytes: &[u8]) -> WireFrame<'_> {
    WireFrame::single(bytes, Checksums::Unverified)
}

fn numbers(packets: &[Vec<u8>]) -> Vec<u32> {
    packets
        .iter()
        .map(|packet| number_of(&packet[vnet::HEADER..]))
        .collect()
}

/// What a step brings to a port.
fn take_in(ring: &Ring, port: &Arc<TestPort>) -> usize {
    let back = lay(port.clone(), &Impairments::none(), Way::Back, None);
    ring.take_in(Duration::ZERO, &*back)
}

fn plan(mss: u16) -> Segmentation {
    Segmentation {
        mss,
        l2_len: 14,
        l3_len: 20,
        l4_len: 20,
        ip: IpVersion::V4,
    }
}

#[test]
fn batches_go_out_in_order_round_the_ring_with_one_kick_each() {
    let (ring, mut kernel) = ring();
    let (mut next, mut arrived) = (0, Vec::new());
    for size in (1..=SLOTS).cycle().take(20 * SLOTS) {
        let frames: Vec<_> = (0..size as u32).map(|number| numbered(next + number)).collect();
        let offered: Vec<_> = frames.iter().map(|frame| single(frame)).collect();
        assert!(
            offer(&ring, &offered)
                .iter()
                .all(|said| *said == Delivery::Accepted)
        );
        assert_eq!(kernel.kicks(), 1);
        arrived.extend(numbers(&kernel.send(usize::MAX, libc::TP_STATUS_AVAILABLE)));
        next += size as u32;
    }
    assert!(arrived.iter().copied().eq(0..next), "all, in order, once");
    assert!(offer(&ring, &[]).is_empty());
    assert_eq!(kernel.kicks(), 1, "what was last given was not known to be gone");
    offer(&ring, &[]);
    assert_eq!(kernel.kicks(), 0, "nothing waits");
}

#[test]
fn a_full_ring_is_busy_and_nothing_is_lost() {
    let (ring, mut kernel) = ring();
    let frames: Vec<_> = (0..SLOTS as u32 + 3).map(numbered).collect();
    let offered: Vec<_> = frames.iter().map(|frame| single(frame)).collect();
    let said = offer(&ring, &offered);
    assert!(said[..SLOTS].iter().all(|said| *said == Delivery::Accepted));
    assert!(said[SLOTS..].iter().all(|said| *said == Delivery::Busy));
    assert!(ring.is_busy());
    // What a device has in its hands is neither sent nor free.
    let mut sent = kernel.send(2, libc::TP_STATUS_SENDING);
    assert_eq!(offer(&ring, &offered[SLOTS..=SLOTS]), [Delivery::Busy]);
    kernel.done(0);
    kernel.done(1);
    let rest = [Delivery::Accepted, Delivery::Accepted, Delivery::Busy];
    assert_eq!(offer(&ring, &offered[SLOTS..]), rest);
    sent.extend(kernel.send(usize::MAX, libc::TP_STATUS_AVAILABLE));
    assert_eq!(
        offer(&ring, &offered[SLOTS + 2..]),
        [Delivery::Accepted],
        "there is room again"
    );
    sent.extend(kernel.send(usize::MAX, libc::TP_STATUS_AVAILABLE));
    assert!(numbers(&sent).into_iter().eq(0..SLOTS as u32 + 3));
    ring.push_on();
    assert!(!ring.is_busy(), "the kernel has it all");
}

#[test]
fn the_longest_segment_fits_a_slot_whole() {
    let (ring, mut kernel) = ring();
    let payload: Vec<u8> = (0..LONGEST - 54).map(|at| (at * 7 + at / 255) as u8).collect();
    let mut head = Sample::v4(TCP).build(b"");
    head.truncate(54);
    let pieces = [
        Piece::from_bytes(&payload[..4321]),
        Piece::from_bytes(&payload[4321..]),
    ];
    let frame = WireFrame::whole(&head, &pieces, plan(1460));
    assert_eq!(offer(&ring, &[frame]), [Delivery::Accepted]);
    let sent = kernel.send(1, libc::TP_STATUS_AVAILABLE).remove(0);
    assert_eq!(sent.len(), vnet::HEADER + LONGEST);
    assert_eq!(
        sent[..2],
        [1, 1],
        "a checksum is owed, and TCP over IPv4 is to be cut"
    );
    assert_eq!(sent[vnet::HEADER + 54..], payload);

    let back = TestPort::new();
    let header = [1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0];
    assert!(kernel.put(header, &sent[vnet::HEADER..]));
    assert_eq!(take_in(&ring, &back), 1);
    let (checksums, bytes) = back.frames().remove(0);
    assert_eq!((checksums, bytes.len()), (Checksums::Owed, LONGEST));
    assert_eq!(bytes[54..], payload);
}

#[test]
fn what_is_too_long_for_the_interface_or_a_slot_is_refused_and_counted() {
    let (ring, mut kernel) = ring();
    let end: Arc<dyn Port> = ring.clone();
    let out = lay(end, &Impairments::none(), Way::Forth, None);
    let fits = MTU as usize + 14;
    let mut tagged = vec![0; fits + 4];
    tagged[12..14].copy_from_slice(&[0x81, 0]);
    let long = vec![5; LONGEST];
    let pieces = [Piece::from_bytes(&long)];
    let refused = [
        single(&long[..fits + 1]),
        single(&long[..fits + 4]),
        single(&long[..13]),
        WireFrame::whole(&long[..54], &pieces, plan(1460)),
        WireFrame::whole(&long[..54], &pieces[..], plan(1461)),
    ];
    let accepted = [
        single(&tagged),
        single(&long[..fits]),
        single(&long[..14]),
        WireFrame::single(&tagged[..fits], Checksums::Inserted),
    ];
    out.carry(Duration::ZERO, &mut |inlet| {
        for frame in &refused {
            assert_eq!(inlet.deliver(frame), Delivery::BadLength, "{}", frame.len());
        }
        for frame in &accepted {
            assert_eq!(inlet.deliver(frame), Delivery::Accepted, "{}", frame.len());
        }
    });
    let counters = out.counters();
    assert_eq!((counters.refused, counters.delivered), (5, 4));
    assert_eq!(kernel.send(9, libc::TP_STATUS_AVAILABLE).len(), 4);
}

#[test]
fn packets_come_in_order_round_the_ring_and_slots_go_back() {
    let (ring, mut kernel) = ring();
    let port = TestPort::new();
    let mut next = 0;
    for size in (1..=SLOTS).cycle().take(20 * SLOTS) {
        for _ in 0..size {
            assert!(kernel.put([0; vnet::HEADER], &numbered(next)));
            next += 1;
        }
        assert_eq!(take_in(&ring, &port), size);
    }
    assert!(port.numbers().into_iter().eq(0..next));
    assert_eq!(
        ring.system_calls(),
        0,
        "a packet takes no call, and neither does a batch"
    );
}

#[test]
fn a_packet_waits_for_room_in_its_slot_and_those_behind_it_in_theirs() {
    let (ring, mut kernel) = ring();
    let port = TestPort::new();
    let put = (0..20).filter(|number| kernel.put([0; vnet::HEADER], &numbered(*number)));
    assert_eq!(put.count(), SLOTS, "the kernel has no more slots");
    port.answer(Answer::Room(2));
    assert_eq!(take_in(&ring, &port), 2);
    assert_eq!(take_in(&ring, &port), 0);
    assert!(
        kernel.put([0; vnet::HEADER], &numbered(15)),
        "two slots went back"
    );
    port.answer(Answer::Room(99));
    assert_eq!(take_in(&ring, &port), SLOTS - 1);
    assert!(port.numbers().into_iter().eq(0..16));
}

#[test]
fn the_kernels_word_is_checked_and_the_next_packet_comes() {
    let (ring, mut kernel) = ring();
    // Where the packet begins, how long it was, and how much of it is there.
    let nonsense = [
        (0, 60, 60),
        (HEADER + vnet::HEADER - 1, 60, 60),
        (u16::MAX.into(), 60, SLOT),
        (KERNELS_MAC, SLOT - KERNELS_MAC + 1, SLOT - KERNELS_MAC + 1),
        (KERNELS_MAC, u32::MAX as usize, u32::MAX as usize),
        (KERNELS_MAC, 13, 13),
    ];
    let cut_off = [(KERNELS_MAC, 61, 60), (KERNELS_MAC, 1 << 20, SLOT - KERNELS_MAC)];
    for (mac, len, captured) in nonsense.into_iter().chain(cut_off) {
        let slot = kernel.free_slot().unwrap();
        kernel.tell(slot, mac, len, captured);
        kernel.write(slot, &libc::TP_STATUS_USER.to_ne_bytes());
    }
    assert!(kernel.put([0; vnet::HEADER], &numbered(7)));
    let port = TestPort::new();
    assert_eq!(take_in(&ring, &port), 9);
    assert_eq!(port.numbers(), [7]);
    let lost = ring.lost().unwrap();
    assert_eq!((lost.malformed, lost.too_long), (6, 2));
}

#[test]
fn a_vlan_tag_that_the_kernel_put_aside_is_back_in_its_place() {
    let (ring, mut kernel) = ring();
    let port = TestPort::new();
    let mut tagged = Sample::v4(TCP);
    tagged.tags = 1;
    let wanted = tagged.build(b"some bytes of payload");
    // As the kernel has it: no tag in the frame, and the checksum unfinished.
    let mut frame = [&wanted[..12], &wanted[16..]].concat();
    let sum = pseudo_header(&frame[26..34], TCP, (frame.len() - 34) as u32).folded();
    frame[50..52].copy_from_slice(&sum.to_be_bytes());
    for known in [false, true] {
        let slot = kernel.filled * SLOT;
        assert!(kernel.put([1, 0, 0, 0, 0, 0, 34, 0, 16, 0], &frame));
        kernel.write(slot + VLAN_TCI, &5u16.to_ne_bytes());
        let mut status = libc::TP_STATUS_USER | libc::TP_STATUS_VLAN_VALID;
        if known {
            kernel.write(slot + VLAN_TPID, &0x8100u16.to_ne_bytes());
            status |= libc::TP_STATUS_VLAN_TPID_VALID;
        }
        kernel.write(slot, &status.to_ne_bytes());
        // One that waits is looked at twice.
        port.answer(Answer::Room(0));
        assert_eq!(take_in(&ring, &port), 0);
        port.answer(Answer::Room(1));
        assert_eq!(take_in(&ring, &port), 1);
    }
    for (_, arrived) in port.frames() {
        assert_eq!(arrived, wanted);
        let verdicts = verify(IpPacket::parse(&arrived).as_ref(), &arrived, &[]);
        assert_eq!(verdicts.l4, Verdict::Good);
    }
}

#[test]
fn who_sleeps_on_the_descriptor_is_asked_after_now_and_then() {
    let (ring, _kernel) = ring();
    let back = lay(TestPort::new(), &Impairments::none(), Way::Back, None);
    for millisecond in 0..100 {
        ring.take_in(Duration::from_millis(millisecond), &*back);
    }
    assert_eq!(ring.system_calls(), 10, "one look in 10 ms");
}

#[test]
fn what_waits_in_its_slot_is_offered_again_after_a_while() {
    let (ring, mut kernel) = ring();
    let attachment = Attachment { end: ring };
    let none = Impairments::none();
    let cable = attachment.cable(TestPort::new(), &none, &none, None);
    let at = Duration::from_micros;
    let frame = numbered(1);
    cable.carry(at(100), &mut |inlet| {
        assert_eq!(inlet.deliver(&single(&frame)), Delivery::Accepted);
    });
    assert_eq!((kernel.kicks(), cable.next_event()), (1, Some(at(150))));
    cable.deliver_due(at(149));
    assert_eq!(kernel.kicks(), 0);
    cable.deliver_due(at(150));
    assert_eq!((kernel.kicks(), cable.next_event()), (1, Some(at(200))));
    assert_eq!(kernel.send(9, libc::TP_STATUS_AVAILABLE).len(), 1);
    cable.deliver_due(at(200));
    assert_eq!(cable.next_event(), None);
}
