//! A packet socket with rings on an interface of the kernel's, and what it has heard.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pagewire_emu::cable::{Attachment, Impairments, Lost};
use pagewire_emu::wire::{Cable, Checksums, Delivery, Inlet, Port, WireFrame};
use pagewire_netns::Namespace;

use super::frame::{Frame, OURS};

/// Nothing is waited for longer.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

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

pub(super) struct Station {
    pub(super) name: &'static str,
    pub(super) network: Arc<Namespace>,
    pub(super) attachment: Attachment,
    cable: Arc<dyn Cable>,
    ears: Arc<Ears>,
}

/// Two stations that hear each other.
pub(super) fn stations() -> [Station; 2] {
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
    pub(super) fn on(name: &'static str, network: &Arc<Namespace>) -> Self {
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
    pub(super) fn send(&self, frames: &[Frame]) {
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
    pub(super) fn lost(&self) -> Lost {
        self.attachment.lost().expect("a packet socket knows")
    }

    /// Takes in what is there.
    fn listen(&self) -> usize {
        self.cable.deliver_due(Duration::ZERO)
    }

    /// Whether nothing has come, and nothing is there now.
    pub(super) fn has_heard_nothing(&self) -> bool {
        while self.listen() > 0 {}
        self.ears.0.lock().unwrap().is_empty()
    }

    /// Takes in so many frames, and what they are.
    pub(super) fn hear(&self, frames: usize) -> Vec<(Checksums, Vec<u8>)> {
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
    pub(super) fn until_heard_by(&self, other: &Self) {
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
