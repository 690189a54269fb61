//! From smoltcp's numbers to those on the wire, and back.
//!
//! smoltcp counts a stream that is sent by reference in [`Grains`], so what it says of that stream has to be
//! translated before it leaves, and what the peer says of it before smoltcp sees it:
//!
//! | | where | how |
//! |---|---|---|
//! | sequence number, payload length | what leaves | bytes that the grains stand for |
//! | acknowledgment number | what arrives | whole grains: rounded down |
//! | window, window scale, MSS | what arrives | divided by the bytes of a grain, rounded down |
//!
//! The peer's stream is counted in bytes on both sides. Everything else in the stack speaks the wire's numbers.

use crate::grains::{Grains, SHORTEST_MSS, grain_of};
use crate::headers::{Shown, SynOptions, TcpHeaders};
use crate::sequence::Extender;

/// What a peer takes that tells no MSS (RFC 9293 §3.7.1).
const DEFAULT_MSS: u16 = 536;

/// What one connection has told smoltcp in other numbers.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    grains: Grains,
    /// The offset in bytes before which everything is acknowledged, to the byte.
    acknowledged: u64,
    /// The end of all windows that the peer has offered, as an offset in bytes.
    edge: u64,
    /// The window that it has offered last, in bytes.
    offered: u32,
    /// Most bytes of payload in a frame; a whole number of grains.
    mss: usize,
    /// The window scale that smoltcp is shown.
    shift: u8,
}

impl Counting {
    pub(crate) const fn new() -> Self {
        Self {
            grains: Grains::new(),
            acknowledged: 0,
            edge: 0,
            offered: u32::MAX,
            mss: 0,
            shift: 0,
        }
    }

    pub(crate) fn grains(&self) -> &Grains {
        &self.grains
    }

    pub(crate) fn grains_mut(&mut self) -> &mut Grains {
        &mut self.grains
    }

    /// Chooses the grain by the MSS that the peer's SYN tells; our own frames have room for `local` bytes of payload, and our
    /// ring for `ring`. A peer that tells no MSS, or offers next to no window, is sent what it is by grains of a byte: smoltcp
    /// cannot be told a smaller MSS than it assumes, and the rest of a window is lost that is less than a grain.
    pub(crate) fn on_syn(&mut self, syn: &TcpHeaders, local: usize, ring: usize) {
        let SynOptions {
            mss, window_scale, ..
        } = syn.syn_options;
        let told = mss.filter(|mss| *mss > 0);
        self.mss = usize::from(told.unwrap_or(DEFAULT_MSS))
            .max(SHORTEST_MSS)
            .min(local);
        let scaled = told.is_some() && usize::from(syn.window) >= 2 * self.mss;
        self.grains.set_size(if scaled { grain_of(self.mss) } else { 1 });
        // A window longer than the ring is as good as one of its length: no more of it is rounded away than has to be.
        let grains = ring / self.grains.size();
        let shift = (grains / (1 << 16))
            .checked_ilog2()
            .map_or(0, |bits| bits as u8 + 1);
        self.shift = window_scale.map_or(0, |_| shift);
    }

    /// The stream offset that may be sent up to when all before `acknowledged` is acknowledged, as far as this is new to the
    /// network: ten full segments, and twice what has arrived (RFC 6928 §2, RFC 5681 §3.1). smoltcp's own first window is
    /// 2048 grains, and what it learns from losses holds beside this.
    pub(crate) fn slow_start(&self, acknowledged: u64) -> u64 {
        2 * acknowledged + first_window(self.mss) as u64
    }

    /// A segment of smoltcp's as it is to leave, where `sent` is the end of all that was sent. It reaches no further than the
    /// peer's windows, or asks with one byte for another: smoltcp asks with a grain, takes a window of less than that for
    /// closed, and in a fast retransmission looks at no window.
    pub(crate) fn for_wire(&self, segment: &TcpHeaders, wire: Option<&Extender>, sent: u64) -> TcpHeaders {
        let Some(wire) = wire.filter(|_| !segment.flags.syn()) else {
            return *segment;
        };
        // Both count from the SYN on, and everything that was sent.
        let counted = wire.counted_to(self.grains.grain_at(wire.frontier() as i64) as u64);
        let first = counted.offset(segment.sequence);
        if first < -1 {
            return *segment;
        }
        let mut start = self.grains.byte_at(first);
        let mut end = self.grains.byte_at(first + segment.payload_len as i64);
        let second = self.grains.byte_at(first + 1);
        let acknowledged = self.acknowledged as i64;
        if (start + 1..second).contains(&acknowledged) {
            // A part of the first grain has arrived. What leaves begins behind it, and what is sent again is as long as it was
            // to be: else the last bytes of the frame that is missing would be missing still.
            if segment.payload_len > 0 {
                end = (end + acknowledged - start).min(end.max(sent as i64));
            } else {
                end = acknowledged;
            }
            start = acknowledged;
        }
        let whole = TcpHeaders {
            sequence: wire.sequence(start),
            payload_len: (end - start) as usize,
            ..*segment
        };
        let mut fits = (self.edge as i64 - start).max(1) as usize;
        if segment.payload_len == 1 && (self.offered as usize) < self.grains.size() {
            fits = fits.min(self.offered.max(1) as usize);
        }
        whole.part(0, whole.payload_len.min(fits))
    }

    /// Takes note that the peer has acknowledged all before the stream offset `acknowledged`, to the byte, and offers so many
    /// bytes from there on: in a segment that smoltcp takes, for what it drops must change nothing.
    pub(crate) fn on_acknowledgment(&mut self, acknowledged: u64, offered: u32) {
        if acknowledged >= self.acknowledged {
            self.acknowledged = acknowledged;
            self.offered = offered;
        }
    }

    /// Takes note that the peer offers a window up to the stream offset `edge`.
    pub(crate) fn on_window(&mut self, edge: u64) {
        self.edge = self.edge.max(edge);
    }

    /// Whether `len` bytes at `offset` ask for a window (RFC 9293 §3.8.6.1), and are not sent in one.
    pub(crate) fn is_probe(&self, offset: u64, len: usize) -> bool {
        offset >= self.edge || len == 1 && self.offered == 0
    }

    /// What smoltcp is to read in a segment of the peer's that acknowledges `acknowledgment` and offers `offered` bytes.
    pub(crate) fn to_smoltcp(
        &self,
        segment: &TcpHeaders,
        acknowledgment: u32,
        wire: Option<&Extender>,
        offered: u32,
    ) -> Shown {
        let size = self.grains.size();
        if size == 1 {
            return Shown {
                acknowledgment,
                ..Shown::of(segment)
            };
        }
        // smoltcp does not scale a SYN's window either.
        let shift = if segment.flags.syn() { 0 } else { self.shift };
        let window = (offered as usize / size) >> shift;
        let acknowledgment = wire.map_or(acknowledgment, |wire| {
            wire.sequence(self.grains.grain_at(wire.offset(acknowledgment)))
        });
        let options = segment.syn_options;
        Shown {
            acknowledgment,
            window: u16::try_from(window).unwrap_or(u16::MAX),
            syn_options: SynOptions {
                mss: options.mss.map(|_| (self.mss / size) as u16),
                window_scale: options.window_scale.map(|_| self.shift),
                ..options
            },
        }
    }
}

/// The initial window in bytes, of segments of `mss` bytes (RFC 6928 §2).
fn first_window(mss: usize) -> usize {
    (10 * mss).min(14_600.max(2 * mss))
}

#[cfg(test)]
mod tests;
