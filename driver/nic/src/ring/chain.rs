//! Packets over several buffers, until their last one is there.
//!
//! The buffers of a long packet come in consecutive descriptors, and one packet ends before the next begins.
//! Not so where the device coalesces TCP segments (82599 §7.11): it works on several connections at a time,
//! their buffers interleave, and each descriptor but the last names the one that continues it. What has
//! arrived of a packet is kept under the slot where it goes on.

use crate::port::Received;

/// Packets that are not complete yet.
#[derive(Debug)]
pub(crate) struct Chains {
    /// The packet that goes on in the next descriptor.
    consecutive: Vec<Received>,
    /// Under the slot where each goes on; empty where the device does not coalesce.
    linked: Box<[Vec<Received>]>,
    /// Buffers in `linked`.
    waiting: usize,
}

impl Chains {
    /// For a ring of `slots` descriptors whose device may link them.
    pub(crate) fn new(slots: usize, links: bool) -> Self {
        let linked = if links {
            (0..slots).map(|_| Vec::new()).collect()
        } else {
            Box::default()
        };
        Self {
            consecutive: Vec::new(),
            linked,
            waiting: 0,
        }
    }

    /// Whether any packet is incomplete.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.waiting != 0 || !self.consecutive.is_empty()
    }

    /// How many buffers are kept here.
    pub(crate) fn buffers(&self) -> usize {
        self.waiting + self.consecutive.len()
    }

    /// Keeps a buffer that came in `slot` and is not its packet's last; the packet goes on in slot `next`, or
    /// in the following one. Returns the buffers of a packet that this makes impossible: two cannot go on in
    /// one slot.
    pub(crate) fn keep(&mut self, slot: usize, next: Option<usize>, buffer: Received) -> Vec<Received> {
        if self.linked.is_empty() {
            self.consecutive.push(buffer);
            return Vec::new();
        }
        let next = next.unwrap_or((slot + 1) % self.linked.len());
        let mut chain = self.take(slot);
        chain.push(buffer);
        match self.linked.get_mut(next) {
            Some(place) => {
                self.waiting += chain.len();
                let displaced = std::mem::replace(place, chain);
                self.waiting -= displaced.len();
                displaced
            }
            // The device names a slot that does not exist: there is no end to wait for.
            None => chain,
        }
    }

    /// The buffers that come before the one in `slot`, in order.
    pub(crate) fn take(&mut self, slot: usize) -> Vec<Received> {
        match self.linked.get_mut(slot) {
            Some(chain) if !chain.is_empty() => {
                self.waiting -= chain.len();
                std::mem::take(chain)
            }
            _ => std::mem::take(&mut self.consecutive),
        }
    }

    /// Gives the empty list back, so that its memory is used again.
    pub(crate) fn put_back(&mut self, emptied: Vec<Received>) {
        if emptied.is_empty() && self.consecutive.capacity() == 0 {
            self.consecutive = emptied;
        }
    }

    /// All buffers, of whatever packet: for the end of the queue.
    pub(crate) fn drain(&mut self) -> Vec<Received> {
        let mut all = std::mem::take(&mut self.consecutive);
        self.linked.iter_mut().for_each(|chain| all.append(chain));
        self.waiting = 0;
        all
    }
}
