//! Two stations on one cable of the kernel's, each on a packet socket with rings: what one sends, frame by frame, the
//! other has, through rings that go round many times.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pagewire_emu::cable::{Attachment, Impairments, Lost};
use pagewire_emu::wire::{
    Cable, Checksums, Delivery, Inlet, IpVersion, Piece, Port, Segmentation, WireFrame,
};
use pagewire_netns::Namespace;

/// Nothing is waited for longer.
const LIMIT: Duration = Duration::from_secs(30);
/// Headers of a segment: Ethernet, IPv4, TCP.
const HEAD: usize = 54;
/// Where its TCP checksum stands.
const CHECKSUM: Range<usize> = 50..52;
/// Most payload of a segment: with its IP and TCP headers 65,535 bytes.
const MOST: usize = 65_535 - 40;
/// Most that an interface takes uncut: less than 64 KiB with all headers (`gso_max_size`).
const WHOLE: usize = 65_535 - HEAD;
const MSS: u16 = 1460;
/// The address that stations send from.
const OURS: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Slots of a receive ring, and how many of them are ours at least.
const SLOTS: u64 = 960;
const MANY: usize = 900;

/// What a station has heard.
#[derive(Debug, Default)]
struct Ears(Mutex<Vec<(Checksums, Vec<u8>)>>);

impl Port for Ears {
    fn receive(&self, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        batch(&mut Taking(&mut self.0.lock().unwrap()));
    }
}

struct Taking<'a>(&'a mut Vec<(Checksums, Vec<u8>)>);

impl Inlet for Taking<'_> {
    fn deliver(&mut self, frame: &WireFrame<'_>) -> Delivery {
        let mut bytes = Vec::new();
        frame.gather(&mut bytes).expect("the memory is there");
        // What a kernel that has IPv6 says by itself is not what is asked for.
        if bytes[6..12] == OURS {
            self.0.push((frame.checksums(), bytes));
        }
        Delivery::Accepted
    }
}

struct Station {
    name: &'static str,
    network: Arc<Namespace>,
    attachment: Attachment,
    cable: Arc<dyn Cable>,
    ears: Arc<Ears>,
}

/// Two stations that hear each other.
fn stations() -> [Station; 2] {
    let networks = [Namespace::new().unwrap(), Namespace::new().unwrap()];
    for network in &networks {
        // Then the kernel has nothing to say there by itself; where this cannot be set, it takes a slot now and then.
        let _ = network.sysctl("net.ipv6.conf.default.disable_ipv6", "1");
    }
    networks[0].veth("a", &networks[1], "b").unwrap();
    let [a, b] = networks;
    // A packet socket switches its own interface on, and the cable works once both are.
    b.up("b").unwrap();
    let stations = [("a", a), ("b", b)].map(|(name, network)| Station::on(name, &Arc::new(network)));
    let [a, b] = &stations;
    a.until_heard_by(b);
    b.until_heard_by(a);
    stations
}

impl Station {
    /// One more station on an interface.
    fn on(name: &'static str, network: &Arc<Namespace>) -> Self {
        let attachment = network.run(|| Attachment::packet(name, 1500)).unwrap();
        let ears = Arc::new(Ears::default());
        let (none, port) = (Impairments::none(), ears.clone());
        let cable = attachment.cable(port, &none, &none, None);
        Self {
            name,
            network: Arc::clone(network),
            attachment,
            cable,
            ears,
        }
    }

    /// Sends frames in one batch, and what finds no room again.
    fn send(&self, frames: &[Frame]) {
        let (end, mut sent) = (Instant::now() + LIMIT, 0);
        while sent < frames.len() {
            assert!(Instant::now() < end, "{} has no room for {LIMIT:?}", self.name);
            self.cable.carry(Duration::ZERO, &mut |inlet| {
                for frame in &frames[sent..] {
                    match frame.deliver_to(inlet) {
                        Delivery::Accepted => sent += 1,
                        Delivery::Busy => return,
                        refused => panic!("{refused:?}"),
                    }
                }
            });
        }
    }

    /// What its end of the cable has lost.
    fn lost(&self) -> Lost {
        self.attachment.lost().expect("a packet socket knows")
    }

    /// Takes in what is there.
    fn listen(&self) -> usize {
        self.cable.deliver_due(Duration::ZERO)
    }

    /// Whether nothing has come, and nothing is there now.
    fn has_heard_nothing(&self) -> bool {
        while self.listen() > 0 {}
        self.ears.0.lock().unwrap().is_empty()
    }

    /// Takes in so many frames, and what they are.
    fn hear(&self, frames: usize) -> Vec<(Checksums, Vec<u8>)> {
        let end = Instant::now() + LIMIT;
        while self.ears.0.lock().unwrap().len() < frames {
            if self.listen() == 0 {
                let heard = self.ears.0.lock().unwrap().len();
                let lost = self.lost();
                assert!(
                    Instant::now() < end,
                    "{heard} of {frames} arrived in {LIMIT:?}: {lost:?}"
                );
                thread::yield_now();
            }
        }
        std::mem::take(&mut self.ears.0.lock().unwrap())
    }

    /// Sends until the other hears: an interface that was just switched on drops for a while what it is given.
    fn until_heard_by(&self, other: &Self) {
        let end = Instant::now() + LIMIT;
        while other.has_heard_nothing() {
            assert!(Instant::now() < end, "{} is not heard", self.name);
            self.send(&[Frame::single(0)]);
            thread::sleep(Duration::from_millis(1));
        }
        // What is still on its way comes before this.
        self.send(&[Frame::single(u32::MAX)]);
        let last = Frame::single(u32::MAX).bytes;
        while !other
            .ears
            .0
            .lock()
            .unwrap()
            .iter()
            .any(|(_, bytes)| *bytes == last)
        {
            other.listen();
            assert!(Instant::now() < end, "{} is heard no more", self.name);
        }
        other.ears.0.lock().unwrap().clear();
    }
}

/// A frame with a number, whose bytes follow from it.
struct Frame {
    bytes: Vec<u8>,
    segment: Option<Segmentation>,
}

impl Frame {
    /// One Ethernet frame of 60 to 1514 bytes, of a kind that is for experiments (IEEE 802 local experimental).
    fn single(number: u32) -> Self {
        Self::with_kind(number, &[0x88, 0xb5])
    }

    /// The same with a VLAN tag.
    fn tagged(number: u32) -> Self {
        Self::with_kind(number, &[0x81, 0, 0x60, 5, 0x88, 0xb5])
    }

    fn with_kind(number: u32, kind: &[u8]) -> Self {
        let mut bytes = [&[2, 0, 0, 0, 0, 2], &OURS[..], kind, &number.to_be_bytes()].concat();
        let len = 60 + number as usize * 7 % 1455;
        bytes.extend((bytes.len()..len).map(|at| pattern(number, at)));
        Self { bytes, segment: None }
    }

    /// A TCP segment with `payload` bytes behind its headers, its number the sequence number.
    fn segment(number: u32, payload: usize) -> Self {
        let len = (payload + 40) as u16;
        let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        bytes.extend([0x45, 0]);
        bytes.extend(len.to_be_bytes());
        bytes.extend([0, 1, 0x40, 0, 64, 6, 0, 0, 10, 1, 2, 3, 10, 4, 5, 6]);
        bytes.extend([0x10, 0, 0x20, 0]);
        bytes.extend(number.to_be_bytes());
        bytes.extend([0, 0, 0, 9, 0x50, 0x10, 1, 0]);
        // The sum of the pseudo-header without the length, as a driver leaves it.
        let words = [0x0a01, 0x0203, 0x0a04, 0x0506, 6];
        bytes.extend((words.iter().sum::<u32>() as u16).to_be_bytes());
        bytes.extend([0, 0]);
        assert_eq!(bytes.len(), HEAD);
        bytes.extend((HEAD..HEAD + payload).map(|at| pattern(number, at)));
        let segment = Some(Segmentation {
            mss: MSS,
            l2_len: 14,
            l3_len: 20,
            l4_len: 20,
            ip: IpVersion::V4,
        });
        Self { bytes, segment }
    }

    fn deliver_to(&self, inlet: &mut dyn Inlet) -> Delivery {
        let Some(plan) = self.segment else {
            return inlet.deliver(&WireFrame::single(&self.bytes, Checksums::Unverified));
        };
        let (head, payload) = self.bytes.split_at(HEAD);
        // As from several pages.
        let (first, rest) = payload.split_at(payload.len() / 3);
        let pieces = [Piece::from_bytes(first), Piece::from_bytes(rest)];
        inlet.deliver(&WireFrame::whole(head, &pieces, plan))
    }
}

fn pattern(number: u32, at: usize) -> u8 {
    (number as usize * 31 + at * 7 + at / 255) as u8
}

/// The number of a frame that [`Frame::single`] made.
fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[14..18].try_into().unwrap())
}

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
