//! TCP segments through both drivers over every kind of cable: what a driver is told to be good holds the bytes that
//! the other driver was given by reference, whatever happened on the wire.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use pagewire_bus::Function;
use pagewire_emu::cable::Impairments;
use pagewire_emu::sanitizer::Level;
use pagewire_emu::wire::WireCounters;
use pagewire_emu::{EmulatedNic, Model, Options, connect};
use pagewire_nic::dma::{FramePool, GatherSlice, Region, ToDevice};
use pagewire_nic::port::{
    Delay, IpVersion, L4, Nic, NicConfig, NicError, Opened, PacketLayout, Received, RxQueue, SleepDelay,
    TxOffload, TxQueue, Verdict,
};
use pagewire_nic::{e1000, e1000e, ixgbe};

/// Fits an IPv6 packet with TCP timestamps into 1500 bytes.
const MSS: u16 = 1428;
const PATTERN: usize = 1 << 20;
/// Lengths of the segments that are sent one after the other: one byte, around the MSS, and the longest.
const LENGTHS: [usize; 8] = [1, 1427, 1428, 1429, 4096, 10_000, 33_333, 65_000];
const ROUNDS: usize = 20;

/// What arrived.
#[derive(Debug, Default, PartialEq, Eq)]
struct Arrived {
    packets: usize,
    good: usize,
    bad: usize,
    unchecked: usize,
    /// Payload bytes in good packets, each of which was compared.
    payload: usize,
}

/// A byte of the pattern, which does not repeat within any distance of a segment.
fn pattern_at(at: usize) -> u8 {
    ((at as u32).wrapping_mul(0x9e37_79b1) >> 23) as u8
}

/// A VLAN's tag, as a stack puts it in; every other run of segments has one.
const TAG: [u8; 4] = [0x81, 0x00, 0x00, 0x2a];

fn layout(ip: IpVersion, tagged: bool) -> PacketLayout {
    let l3_len = if ip == IpVersion::V4 { 20 } else { 40 };
    PacketLayout {
        l2_len: if tagged { 18 } else { 14 },
        l3_len,
        l4_len: 32,
        ip,
        l4: L4::Tcp,
    }
}

/// Headers as a stack emits them: lengths and checksums are what the driver and the device fill in.
fn header(ip: IpVersion, tagged: bool, sequence: u32, payload: usize) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    if tagged {
        bytes.extend(TAG);
    }
    let transport = 32 + payload as u16;
    match ip {
        IpVersion::V4 => {
            bytes.extend([0x08, 0x00, 0x45, 0x00]);
            bytes.extend((20 + transport).to_be_bytes());
            bytes.extend([0x12, 0x34, 0x40, 0x00, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        }
        IpVersion::V6 => {
            bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            bytes.extend(transport.to_be_bytes());
            bytes.extend([6, 64]);
            for end in [1, 2] {
                bytes.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, end]);
            }
        }
    }
    bytes.extend([0x9c, 0x40, 0x00, 0x50]);
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0x80, 0x18, 0x10, 0x00, 0, 0, 0, 0]);
    bytes.extend([1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9]);
    bytes
}

/// Compares a good packet's payload with the pattern and returns its length.
fn checked_payload(packet: &[u8]) -> usize {
    let tagged = packet[12..14] == TAG[..2];
    let packet = if tagged { &packet[4..] } else { packet };
    let (tcp, end) = match packet[12..14] {
        [0x08, 0x00] => (34, 14 + usize::from(u16::from_be_bytes([packet[16], packet[17]]))),
        [0x86, 0xdd] => (54, 54 + usize::from(u16::from_be_bytes([packet[18], packet[19]]))),
        _ => panic!("a good verdict on something that is not IP"),
    };
    let sequence = u32::from_be_bytes([packet[tcp + 4], packet[tcp + 5], packet[tcp + 6], packet[tcp + 7]]);
    let payload = &packet[tcp + 32..end];
    for (at, &byte) in payload.iter().enumerate() {
        assert_eq!(
            byte,
            pattern_at(sequence as usize + at),
            "byte {at} of the packet at {sequence}"
        );
    }
    payload.len()
}

/// Sends all segments over one cable with one family's driver at both ends.
fn exchange<N: Nic, T: TxQueue, R: RxQueue>(
    model: Model,
    open: impl Fn(Arc<EmulatedNic>, &NicConfig, &mut dyn Delay) -> Result<Opened<N, T, R>, NicError>,
    impairments: &Impairments,
    whole_segments: bool,
) -> (Arrived, WireCounters) {
    let nic = |end| {
        let options = Options::new(model, [2, 0, 0, 0, 0, end]);
        EmulatedNic::new(&Options {
            sanitizer: Level::Full,
            whole_segments,
            ..options
        })
    };
    let (a, b) = (nic(1), nic(2));
    connect(&a, &b, impairments, &Impairments::none(), None);
    let config = NicConfig {
        coalesce: whole_segments,
        max_frame: 1518,
        ..NicConfig::default()
    };
    let start = |nic: &EmulatedNic| open(Arc::new(nic.clone()), &config, &mut SleepDelay).expect("it opens");
    let (mut near, mut far) = (start(&a), start(&b));
    let mut headers = FramePool::new(&a.mapper(), 16, 256).expect("memory");
    let mut region = Region::<ToDevice>::allocate(&a.mapper(), PATTERN).expect("memory");
    region
        .fill(0, &(0..PATTERN).map(pattern_at).collect::<Vec<_>>())
        .expect("it fits");
    let region = Arc::new(region);

    let (tx, _) = &mut near.queues[0];
    let (_, rx) = &mut far.queues[0];
    let (mut arrived, mut freed, mut now) = (Arrived::default(), Vec::new(), Duration::ZERO);
    let mut offset = 0;
    for (number, len) in LENGTHS.iter().cycle().take(LENGTHS.len() * ROUNDS).enumerate() {
        let ip = if number % 2 == 0 {
            IpVersion::V4
        } else {
            IpVersion::V6
        };
        let tagged = number / LENGTHS.len() % 2 == 1;
        offset = if offset + len > PATTERN { number } else { offset };
        let mut frame = headers.take().expect("frames come back");
        let bytes = header(ip, tagged, offset as u32, *len);
        frame.set_len(bytes.len()).expect("it fits");
        frame.bytes_mut().copy_from_slice(&bytes);
        // Slices at odd places: sums and copies have to cope.
        let cut = len / 3;
        let mut payload: Vec<_> = [(offset, cut), (offset + cut, len - cut)]
            .into_iter()
            .filter(|(_, len)| *len > 0)
            .map(|(at, len)| GatherSlice::new(region.clone(), at, len).expect("in the region"))
            .collect();
        let offload = TxOffload::Segment(layout(ip, tagged), NonZeroU16::new(MSS).expect("not 0"));
        tx.post_gather(frame, &mut payload, offload)
            .expect("there is room");
        tx.doorbell();
        offset += len;
        now += Duration::from_micros(10);
        a.step(now);
        tx.reap(&mut freed);
        for frame in freed.drain(..) {
            headers.give(frame).expect("its own pool");
        }
        collect(rx, &mut arrived);
    }
    while let Some(next) = a.next_event() {
        a.step(next);
        collect(rx, &mut arrived);
    }
    let wire = a.wire_counters();
    near.queues.clear();
    far.queues.clear();
    near.nic.stop(&mut SleepDelay).expect("the near NIC stops");
    far.nic.stop(&mut SleepDelay).expect("the far NIC stops");
    for report in [a.report(), b.report()] {
        assert_eq!(report.total(), 0, "rules were broken: {report:?}");
    }
    let WireCounters {
        frames,
        duplicated,
        delivered,
        refused,
        no_buffer,
        lost,
        queue_full,
        in_flight,
        ..
    } = wire;
    assert_eq!(
        frames + duplicated,
        delivered + refused + no_buffer + lost + queue_full + in_flight
    );
    assert_eq!((in_flight, no_buffer, queue_full), (0, 0, 0));
    assert_eq!(delivered as usize, arrived.packets);
    (arrived, wire)
}

fn collect<R: RxQueue>(rx: &mut R, arrived: &mut Arrived) {
    let mut buffers = Vec::new();
    let mut packet = Vec::new();
    rx.receive(usize::MAX, &mut buffers);
    for Received {
        frame, end, verdict, ..
    } in buffers
    {
        packet.extend_from_slice(frame.bytes());
        rx.recycle(frame);
        if !end {
            continue;
        }
        arrived.packets += 1;
        match verdict {
            Verdict::Good => {
                arrived.good += 1;
                arrived.payload += checked_payload(&packet);
            }
            Verdict::Bad => arrived.bad += 1,
            Verdict::Unchecked => arrived.unchecked += 1,
        }
        packet.clear();
    }
    rx.refill();
}

/// Runs on all models.
fn all(impairments: &Impairments, whole: bool, check: impl Fn(Arrived, WireCounters)) {
    let (arrived, wire) = exchange(Model::E1000, e1000::open, impairments, whole);
    check(arrived, wire);
    let (arrived, wire) = exchange(Model::E1000e, e1000e::open, impairments, whole);
    check(arrived, wire);
    let (arrived, wire) = exchange(Model::Ixgbe, ixgbe::open, impairments, whole);
    check(arrived, wire);
}

fn all_payload() -> usize {
    LENGTHS.iter().sum::<usize>() * ROUNDS
}

fn all_frames() -> usize {
    LENGTHS.iter().map(|len| len.div_ceil(MSS.into())).sum::<usize>() * ROUNDS
}

#[test]
fn whole_segments_arrive_whole() {
    all(&Impairments::none(), true, |arrived, _| {
        assert_eq!(arrived.packets, LENGTHS.len() * ROUNDS);
        assert_eq!((arrived.good, arrived.payload), (arrived.packets, all_payload()));
    });
}

#[test]
fn segments_are_cut_for_a_receiver_that_does_not_take_them_whole() {
    all(&Impairments::none(), false, |arrived, wire| {
        assert_eq!(
            (arrived.packets, wire.frames as usize),
            (all_frames(), all_frames())
        );
        assert_eq!((arrived.good, arrived.payload), (arrived.packets, all_payload()));
    });
}

#[test]
fn a_slow_and_disorderly_cable_loses_and_changes_nothing() {
    let latency = Duration::from_micros(37);
    let impairments = Impairments {
        reorder: 0.2,
        duplicate: 0.1,
        seed: 1,
        latency,
        ..Impairments::none()
    };
    all(&impairments, true, |arrived, wire| {
        assert!(wire.reordered > 0 && wire.duplicated > 0);
        assert_eq!(arrived.good as u64, wire.frames + wire.duplicated);
        assert!(arrived.payload > all_payload());
    });
}

#[test]
fn a_flipped_bit_never_passes_as_good_payload() {
    for seed in 0..4 {
        let impairments = Impairments {
            corrupt: 1.0,
            seed,
            ..Impairments::none()
        };
        // The comparison with the pattern is in `collect`.
        all(&impairments, true, |arrived, wire| {
            assert_eq!(wire.corrupted, wire.frames);
            assert!(arrived.bad as f64 > 0.95 * wire.frames as f64, "{arrived:?}");
            assert!(
                wire.refused > 0,
                "a flip in the destination address is filtered: {wire:?}"
            );
        });
    }
}

#[test]
fn losses_are_what_is_missing() {
    let impairments = Impairments {
        loss: 0.1,
        seed: 5,
        ..Impairments::none()
    };
    all(&impairments, false, |arrived, wire| {
        assert!(wire.lost > 0);
        assert_eq!(arrived.good as u64 + wire.lost, wire.frames);
    });
}
