//! Two stations on one cable of the kernel's, each on a packet socket with rings: what one sends, frame by frame, the
//! other has, through rings that go round many times.

mod frame;
mod station;

use std::thread;
use std::time::Instant;

use pagewire_emu::cable::Lost;
use pagewire_emu::wire::Checksums;

use frame::{CHECKSUM, Frame, HEAD, MSS, number};
use station::{LIMIT, Station, stations};

/// Most payload of a segment: with its IP and TCP headers 65,535 bytes.
const MOST: usize = 65_535 - 40;
/// Most that an interface takes uncut: less than 64 KiB with all headers (`gso_max_size`).
const WHOLE: usize = 65_535 - HEAD;
/// Slots of a receive ring, and how many of them are ours at least.
const SLOTS: u64 = 960;
const MANY: usize = 900;

pub(crate) fn segments_of_64_kib_and_frames_pass_both_ways_in_order_round_both_rings() {
    let [a, b] = stations();
    for (from, to) in [(&a, &b), (&b, &a)] {
        let calls = from.attachment.system_calls();
        for batch in 0..50 {
            let frames: Vec<_> = (batch * 50..(batch + 1) * 50)
                .map(|number| match number % 5 {
                    0 => Frame::single(number),
                    1 => Frame::tagged(number),
                    2 => Frame::segment(number, 6 + number as usize * 11 % (WHOLE - 5)),
                    _ => Frame::segment(number, WHOLE),
                })
                .collect();
            from.send(&frames);
            let heard = to.hear(frames.len());
            for (sent, (checksums, arrived)) in frames.iter().zip(&heard) {
                // A segment that fits a frame is one by now, and its checksum is finished.
                let whole = sent.bytes.len() > HEAD + usize::from(MSS);
                let owed = whole && sent.segment.is_some();
                let about = (batch, sent.bytes.len(), arrived.len());
                assert_eq!(*checksums == Checksums::Owed, owed, "{about:?}");
                let mut arrived = arrived.clone();
                if sent.segment.is_some() && !whole {
                    arrived[CHECKSUM].copy_from_slice(&sent.bytes[CHECKSUM]);
                }
                assert!(arrived == sent.bytes, "in batch {batch}: {} bytes", arrived.len());
            }
            assert_eq!(heard.len(), frames.len());
        }
        let calls = from.attachment.system_calls() - calls;
        assert!(calls < 2500 / 4, "{calls} calls for 2500 packets");
    }
    for station in [a, b] {
        assert_eq!(station.lost(), Lost::default());
    }
}

pub(crate) fn a_segment_passes_an_interface_that_cannot_cut_it() {
    let [a, b] = stations();
    for number in 0..20 {
        // At first it could, but for the length.
        if number == 10 {
            a.network.scatter_gather(a.name, false).unwrap();
        }
        let len = if number < 10 { MOST } else { WHOLE };
        let sent = Frame::segment(number << 16, len);
        a.send(std::slice::from_ref(&sent));
        let heard = b.hear(len.div_ceil(MSS.into()));
        let arrived: Vec<u8> = heard
            .iter()
            .flat_map(|(_, frame)| &frame[HEAD..])
            .copied()
            .collect();
        assert!(arrived == sent.bytes[HEAD..], "segment {number}");
    }
}

pub(crate) fn a_full_receive_ring_loses_and_says_how_many() {
    let [a, b] = stations();
    for number in 0..1000 {
        a.send(&[Frame::single(number)]);
    }
    let end = Instant::now() + LIMIT;
    // Each has found a slot or none: then all have passed.
    while b.lost().no_slot < 1000 - SLOTS {
        assert!(Instant::now() < end, "{:?}", b.lost());
        thread::yield_now();
    }
    let mut heard = b.hear(MANY);
    while heard.len() as u64 + b.lost().no_slot < 1000 {
        heard.extend(b.hear(1));
    }
    assert!(heard.len() as u64 <= SLOTS, "{}", heard.len());
    assert!(
        heard[..MANY]
            .iter()
            .map(|(_, frame)| number(frame))
            .eq(0..MANY as u32)
    );
    // And it goes on.
    a.send(&[Frame::single(1000)]);
    assert_eq!(number(&b.hear(1)[0].1), 1000);
}

pub(crate) fn what_others_send_through_the_same_interface_is_not_heard() {
    let [a, b] = stations();
    let beside = Station::on(a.name, &a.network);
    for number in 0..100 {
        beside.send(&[Frame::single(number)]);
        assert_eq!(self::number(&b.hear(1)[0].1), number);
    }
    assert!(a.has_heard_nothing());
    // What comes in, both hear.
    b.send(&[Frame::single(7)]);
    for station in [&a, &beside] {
        assert_eq!(number(&station.hear(1)[0].1), 7);
    }
}

pub(crate) fn a_packet_that_the_kernel_refuses_holds_up_none_behind_it() {
    let [a, b] = stations();
    let mut bad = Frame::segment(7, 3000);
    // Pieces of no bytes: no kernel cuts that.
    bad.segment.as_mut().unwrap().mss = 0;
    for round in 0..100 {
        a.send(&[Frame::single(2 * round)]);
        let refused = a.lost().refused;
        a.send(std::slice::from_ref(&bad));
        assert_eq!(a.lost().refused, refused + 1);
        a.send(&[Frame::single(2 * round + 1)]);
        let heard = b.hear(2);
        assert!(
            heard
                .iter()
                .map(|(_, frame)| number(frame))
                .eq([2 * round, 2 * round + 1])
        );
    }
}

pub(crate) fn what_waits_for_an_interface_that_is_down_is_given_up_and_it_goes_on() {
    let [a, b] = stations();
    a.network.down(a.name).unwrap();
    let frames: Vec<_> = (0..10).map(Frame::single).collect();
    a.send(&frames);
    a.send(&frames);
    assert_eq!(a.lost().withdrawn, 20);
    assert!(!a.attachment.is_gone(), "down is not gone");
    a.network.up(a.name).unwrap();
    a.until_heard_by(&b);
    let frames: Vec<_> = (0..200).map(Frame::single).collect();
    a.send(&frames);
    let heard = b.hear(frames.len());
    assert!(heard.iter().map(|(_, frame)| number(frame)).eq(0..200));
}
