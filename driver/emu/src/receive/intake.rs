//! Whether a frame comes in, to which queue, and what is counted of it.

use std::cell::OnceCell;

use parking_lot::{MutexGuard, RwLockReadGuard};

use super::filter::{Settings, Taken};
use super::place::{Filling, Info};
use super::steer::Rss;
use crate::family::Family;
use crate::offload::checksum::{Verdict, Verdicts, verify};
use crate::offload::headers::IpPacket;
use crate::queue::{Live, Queue};
use crate::transmit::len_class;
use crate::wire::{Checksums, Delivery, IpVersion, WireFrame};

/// Most receive queues of a device.
pub(crate) const MAX_QUEUES: usize = 64;

/// The shortest frame on a wire, without FCS.
const SHORTEST: usize = 60;

/// What has been received since the statistics registers were last told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RxStats {
    pub(crate) frames: u64,
    /// Octets, FCS included.
    pub(crate) octets: u64,
    pub(crate) multicast: u64,
    pub(crate) broadcast: u64,
    pub(crate) by_len: [u64; 6],
    pub(crate) undersized: u64,
    pub(crate) oversized: u64,
    /// Frames with a wrong checksum.
    pub(crate) bad_checksum: u64,
    /// Frames that found no descriptors.
    pub(crate) no_descriptors: u64,
    /// Frames that reached the port, taken or not.
    pub(crate) seen: u64,
    pub(crate) seen_octets: u64,
}

/// Per queue, since the registers were last told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct QueueStats {
    pub(crate) frames: u64,
    pub(crate) octets: u64,
    pub(crate) dropped: u64,
}

/// What a receiver keeps from batch to batch.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) rss: Option<Box<Rss>>,
    /// The register file's count of changes when the settings were taken.
    pub(crate) as_of: u64,
    pub(crate) stats: RxStats,
    pub(crate) queues: [QueueStats; MAX_QUEUES],
    /// Queues with something to tell, one bit each.
    pub(crate) touched: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            rss: None,
            as_of: 0,
            stats: RxStats::default(),
            queues: [QueueStats::default(); MAX_QUEUES],
            touched: 0,
        }
    }
}

/// The queues, each of them held from its first frame on.
pub(super) struct Held<'b> {
    queues: &'b [Queue],
    live: [OnceCell<RwLockReadGuard<'b, Option<Live>>>; MAX_QUEUES],
}

impl<'b> Held<'b> {
    pub(super) fn new(queues: &'b [Queue]) -> Self {
        Self {
            queues,
            live: [const { OnceCell::new() }; MAX_QUEUES],
        }
    }

    /// A queue that is on.
    #[inline]
    pub(super) fn get(&self, number: usize) -> Option<(&'b Queue, &Live)> {
        let queue = self.queues.get(number)?;
        let live = self.live.get(number)?.get_or_init(|| queue.live.read_recursive());
        Some((queue, live.as_ref()?))
    }

    pub(super) fn count(&self) -> usize {
        self.queues.len()
    }
}

/// A frame that comes in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    pub(super) queue: usize,
    pub(super) info: Info,
    taken: Taken,
}

/// Decides and counts.
pub(crate) struct Intake<'b> {
    pub(crate) state: MutexGuard<'b, State>,
    /// The receiver is on and may do DMA, for as long as the batch lasts.
    on: bool,
    /// Whether segments are taken whole by a queue.
    coalesces: &'b dyn Fn(usize) -> bool,
}

impl<'b> Intake<'b> {
    pub(super) fn new(state: MutexGuard<'b, State>, on: bool, coalesces: &'b dyn Fn(usize) -> bool) -> Self {
        Self { state, on, coalesces }
    }

    /// Which queue a frame goes to, or why to none.
    #[inline]
    pub(super) fn admit(&mut self, frame: &WireFrame<'_>) -> Result<Admitted, Delivery> {
        let whole = frame.segmentation().is_some();
        let state = &mut *self.state;
        if !self.on {
            return Err(Delivery::Filtered);
        }
        if whole && (!state.settings.whole_segments || state.settings.keep_fcs) {
            return Err(Delivery::CutFirst);
        }
        if !whole && frame.len() < SHORTEST {
            state.stats.undersized += 1;
            return Err(Delivery::BadLength);
        }
        if !whole && frame.len() > state.settings.max_frame {
            state.stats.oversized += 1;
            return Err(Delivery::BadLength);
        }
        let Some(destination) = frame.head().first_chunk::<6>() else {
            return Err(Delivery::BadLength);
        };
        let Some(taken) = state.settings.takes(destination) else {
            state.stats.seen += 1;
            state.stats.seen_octets += octets(frame);
            return Err(Delivery::Filtered);
        };
        let packet = IpPacket::parse(frame.head());
        let (queue, hash) = match &state.rss {
            Some(rss) => rss.steer(packet.as_ref(), frame.head()),
            None => (0, None),
        };
        if whole && !(self.coalesces)(queue) {
            return Err(Delivery::CutFirst);
        }
        Ok(Admitted {
            queue,
            info: Info {
                verdicts: judge(&state.settings, frame, packet.as_ref()),
                packet,
                hash,
                inexact: taken == Taken::Multicast { inexact: true },
                keep_fcs: state.settings.keep_fcs,
            },
            taken,
        })
    }

    /// There are not enough descriptors for a frame.
    pub(super) fn no_buffer(&mut self, admitted: &Admitted, frame: &WireFrame<'_>) -> Delivery {
        self.saw(admitted, frame).dropped += 1;
        self.state.stats.no_descriptors += 1;
        Delivery::NoBuffer
    }

    /// Writes back a frame whose bytes have been copied. Where the sender's pages were gone, the descriptors stay as
    /// they were.
    #[inline]
    pub(super) fn settle<F: Family>(
        &mut self,
        filling: &Filling<'_>,
        admitted: &Admitted,
        frame: &WireFrame<'_>,
    ) -> Delivery {
        if !filling.is_spoiled() && !filling.is_real() {
            self.saw(admitted, frame);
            return Delivery::SourceFault;
        }
        filling.write_back::<F>(&admitted.info);
        if filling.is_spoiled() {
            return self.no_buffer(admitted, frame);
        }
        let octets = octets(frame);
        let queue = self.saw(admitted, frame);
        queue.frames += 1;
        queue.octets += octets;
        let stats = &mut self.state.stats;
        stats.frames += 1;
        stats.octets += octets;
        stats.by_len[len_class(octets)] += 1;
        match admitted.taken {
            Taken::Exactly => {}
            Taken::Broadcast => stats.broadcast += 1,
            Taken::Multicast { .. } => stats.multicast += 1,
        }
        let verdicts = admitted.info.verdicts;
        if verdicts.ip == Verdict::Bad || verdicts.l4 == Verdict::Bad {
            stats.bad_checksum += 1;
        }
        Delivery::Accepted
    }

    #[inline]
    fn saw(&mut self, admitted: &Admitted, frame: &WireFrame<'_>) -> &mut QueueStats {
        let state = &mut *self.state;
        state.stats.seen += 1;
        state.stats.seen_octets += octets(frame);
        let number = admitted.queue.min(MAX_QUEUES - 1);
        state.touched |= 1 << number;
        &mut state.queues[number]
    }
}

/// Length with the frame check sequence.
fn octets(frame: &WireFrame<'_>) -> u64 {
    frame.len() as u64 + 4
}

fn judge(settings: &Settings, frame: &WireFrame<'_>, packet: Option<&IpPacket>) -> Verdicts {
    let Some(packet) = packet.filter(|_| settings.check_ip || settings.check_l4) else {
        return Verdicts::UNCHECKED;
    };
    let mut verdicts = match frame.checksums() {
        Checksums::Unverified => verify(Some(packet), frame.head(), &[]),
        Checksums::Inserted | Checksums::Owed => {
            let ip = if packet.version == IpVersion::V4 {
                Verdict::Good
            } else {
                Verdict::Unchecked
            };
            Verdicts {
                ip,
                l4: Verdict::Good,
            }
        }
    };
    if !settings.check_ip {
        verdicts.ip = Verdict::Unchecked;
    }
    if !settings.check_l4 {
        verdicts.l4 = Verdict::Unchecked;
    }
    verdicts
}
