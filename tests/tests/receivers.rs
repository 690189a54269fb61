//! Receivers of every kind: whatever one acknowledges and offers, it gets the stream, and nothing beyond its window.

use pagewire_stack::headers::TcpHeaders;
use pagewire_stack::source::Bytes;
use pagewire_stack::{ConnectionId, Duration, State};
use pagewire_tests::peer::segments;
use pagewire_tests::{Alone, Peer};
use proptest::prelude::*;

const PEER: Peer = Peer { host: 2, port: 4_000 };

/// The byte of the stream at `offset`.
fn byte(offset: usize) -> u8 {
    (offset * 7 + (offset >> 8) * 13) as u8
}

/// A receiver written by hand, and what it has of the stream.
struct Receiver {
    alone: Alone,
    id: ConnectionId,
    /// The number of our first byte.
    first: u32,
    scale: u8,
    arrived: Vec<bool>,
    /// Up to where everything has arrived.
    whole: usize,
    acknowledged: usize,
    /// The end of the largest window that it ever offered.
    edge: usize,
    finished: bool,
}

impl Receiver {
    /// One that is to be sent so many bytes, promised in pieces of these lengths, over and over.
    fn of(len: usize, pieces: &[usize], mss: Option<u16>, scale: Option<u8>, window: u16) -> Self {
        let mut alone = Alone::listening();
        let (id, first) = PEER.connect(&mut alone, &PEER.syn(mss, scale, window), 0);
        let stack = &mut alone.machine.stack;
        let mut pieces = pieces.iter().cycle();
        let mut from = 0;
        while from < len {
            let to = (from + pieces.next().unwrap()).min(len);
            let bytes: Vec<_> = (from..to).map(byte).collect();
            if bytes.len() < 1000 {
                stack.send_bytes(id, &bytes).unwrap();
            } else {
                let source = Bytes::copy(stack.mapper(), &bytes).unwrap();
                stack.send(id, Box::new(source));
            }
            from = to;
        }
        stack.finish(id);
        Self {
            alone,
            id,
            first,
            scale: scale.unwrap_or(0),
            arrived: vec![false; len],
            whole: 0,
            acknowledged: 0,
            edge: window.into(),
            finished: false,
        }
    }

    /// What leaves in the next `time`.
    fn next(&mut self, time: Duration) -> Vec<(TcpHeaders, Vec<u8>)> {
        let frames = self.alone.sent_within(time);
        let owned = |(headers, payload): (_, &[u8])| (headers, payload.to_vec());
        segments(&frames).into_iter().map(owned).collect()
    }

    /// Takes a segment: its bytes are the stream's, and none of them lies beyond the window, unless it asks with one whether
    /// there is one.
    fn take(&mut self, (headers, payload): &(TcpHeaders, Vec<u8>)) {
        let start = headers.sequence.wrapping_sub(self.first) as usize;
        let end = start + payload.len();
        let probe = payload.len() == 1 && self.edge == self.acknowledged;
        assert!(
            end <= self.edge || probe,
            "{start}..{end}, the window ends at {}",
            self.edge
        );
        for (offset, &value) in (start..end).zip(payload) {
            assert_eq!(value, byte(offset), "byte {offset}");
            self.arrived[offset] = true;
        }
        while self.arrived.get(self.whole) == Some(&true) {
            self.whole += 1;
        }
        self.finished |= headers.flags.fin() && end == self.arrived.len() && self.whole == end;
    }

    /// Acknowledges all before `offset`, or what it has acknowledged already, and offers about `window` bytes, but no less than
    /// it has offered before.
    fn acknowledge(&mut self, offset: usize, window: usize) {
        self.acknowledged = self.acknowledged.max(offset.min(self.whole));
        let offered = window.max(self.edge.saturating_sub(self.acknowledged));
        let field = u16::try_from(offered.div_ceil(1 << self.scale)).unwrap_or(u16::MAX);
        self.edge = self
            .edge
            .max(self.acknowledged + (usize::from(field) << self.scale));
        let fin = usize::from(self.finished && self.acknowledged == self.arrived.len());
        let number = self.first.wrapping_add((self.acknowledged + fin) as u32);
        self.alone.send(&PEER.frame(&PEER.says(1, number, field)));
    }

    fn is_done(&self) -> bool {
        self.acknowledged == self.arrived.len()
    }

    /// The end: our FIN is acknowledged.
    fn finish(mut self) {
        for _ in 0..20 {
            self.next(Duration::from_secs(1))
                .iter()
                .for_each(|segment| self.take(segment));
            self.acknowledge(usize::MAX, 10_000);
        }
        self.alone.sent();
        let status = self.alone.machine.stack.status(self.id).unwrap();
        assert_eq!(status.state, State::FinWait2);
        assert!(status.failure.is_none());
        self.alone.finish();
    }
}

/// How a receiver behaves: what is lost, how much of what has arrived it acknowledges, and which windows it offers.
#[derive(Clone, Debug)]
struct Manner {
    losses: Vec<bool>,
    shares: Vec<f64>,
    windows: Vec<usize>,
}

fn manners() -> impl Strategy<Value = Manner> {
    let window =
        prop_oneof![1 => Just(0_usize), 2 => 1_usize..60, 4 => 60_usize..4_000, 8 => 4_000_usize..200_000];
    (
        prop::collection::vec(prop::bool::weighted(0.05), 1..60),
        prop::collection::vec(prop_oneof![3 => Just(1.0), 1 => 0.0..1.0], 1..20),
        prop::collection::vec(window, 1..20),
    )
        .prop_map(|(losses, shares, windows)| Manner {
            losses,
            shares,
            windows,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_receiver_gets_the_stream_whatever_it_acknowledges_and_offers(
        len in 1_usize..150_000,
        pieces in prop::collection::vec(prop_oneof![1_usize..100, 100_usize..40_000], 1..6),
        window in prop_oneof![1 => 0_u16..3_000, 3 => Just(60_000)],
        mss in prop_oneof![Just(Some(1460)), Just(Some(8960)), Just(None), (1_u16..2000).prop_map(Some)],
        scale in prop_oneof![Just(None), (0_u8..=14).prop_map(Some)],
        manner in manners(),
    ) {
        let mut receiver = Receiver::of(len, &pieces, mss, scale, window);
        let mut losses = manner.losses.iter().cycle();
        let (mut shares, mut windows) = (manner.shares.iter().cycle(), manner.windows.iter().cycle());
        receiver.acknowledge(0, *windows.next().unwrap());
        for round in 0.. {
            // Long enough now and then for what was lost to be sent again.
            let time = if round % 4 == 3 { Duration::from_secs(70) } else { Duration::from_millis(20) };
            for segment in receiver.next(time) {
                if !losses.next().unwrap() {
                    receiver.take(&segment);
                }
            }
            let news = receiver.whole - receiver.acknowledged;
            let offset = receiver.acknowledged + (news as f64 * shares.next().unwrap()) as usize;
            receiver.acknowledge(offset, *windows.next().unwrap());
            if receiver.is_done() {
                break;
            }
            // One that lets little come, and loses it, takes long; in the end it behaves.
            if round == 200 {
                (losses, shares, windows) = ([false].iter().cycle(), [1.0].iter().cycle(), [60_000].iter().cycle());
            }
            prop_assert!(round < 5_000, "{} of {len} bytes", receiver.whole);
        }
        receiver.finish();
    }
}

/// A peer that misses one frame and tells so three times gets it at once.
#[test]
fn a_frame_that_is_lost_comes_again_before_the_timer_does() {
    // Responses of a head and a page each: frames begin and end at any byte.
    let mut receiver = Receiver::of(120_000, &[211, 4096], Some(1460), Some(7), 60_000);
    receiver.acknowledge(0, 500_000);
    let began = receiver.alone.now;
    let mut lost = false;
    for _ in 0..200 {
        for segment in receiver.next(Duration::from_millis(1)) {
            if !lost && receiver.whole > 60_000 && segment.1.len() > 100 {
                lost = true;
                continue;
            }
            receiver.take(&segment);
            receiver.acknowledge(usize::MAX, 500_000);
        }
        if receiver.is_done() {
            break;
        }
    }
    assert!(lost && receiver.is_done(), "{} bytes", receiver.whole);
    let took = receiver.alone.now - began;
    assert!(took < Duration::from_millis(200), "{took}");
    receiver.finish();
}
