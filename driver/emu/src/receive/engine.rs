//! A batch of arriving frames.

use parking_lot::{MutexGuard, RwLockReadGuard};

use super::filter::{Settings, Taken};
use super::place::{self, Placed};
use super::steer::Rss;
use crate::base::Core;
use crate::family::Family;
use crate::memory::Reach;
use crate::offload::checksum::{Verdict, Verdicts, verify};
use crate::offload::headers::IpPacket;
use crate::queue::{Live, Queue};
use crate::transmit::len_class;
use crate::wire::{Checksums, Delivery, Inlet, IpVersion, WireFrame};

/// Most receive queues of a device.
pub(crate) const MAX_QUEUES: usize = 64;

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

/// A batch: the receiver's inlet.
pub(crate) struct Batch<'b, F> {
    core: &'b Core,
    pub(crate) state: MutexGuard<'b, State>,
    reach: Reach<'b>,
    queues: &'b [Queue],
    /// Whether segments are taken whole by a queue.
    coalesces: &'b dyn Fn(usize) -> bool,
    live: [Option<RwLockReadGuard<'b, Option<Live>>>; MAX_QUEUES],
    family: std::marker::PhantomData<F>,
}

impl<'b, F: Family> Batch<'b, F> {
    pub(crate) fn new(
        core: &'b Core,
        state: MutexGuard<'b, State>,
        queues: &'b [Queue],
        coalesces: &'b dyn Fn(usize) -> bool,
    ) -> Self {
        let reach = core.iommu.hold_nested();
        let live = [const { None }; MAX_QUEUES];
        Self {
            core,
            state,
            reach,
            queues,
            coalesces,
            live,
            family: std::marker::PhantomData,
        }
    }

    fn judge(&self, frame: &WireFrame<'_>, packet: Option<&IpPacket>) -> Verdicts {
        let settings = &self.state.settings;
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
}

impl<F: Family> Inlet for Batch<'_, F> {
    fn deliver(&mut self, frame: &WireFrame<'_>) -> Delivery {
        let whole = frame.segmentation().is_some();
        let octets = frame.len() as u64 + 4;
        let state = &mut *self.state;
        if !state.settings.on || !self.core.may_master(&self.reach) {
            return Delivery::Filtered;
        }
        if whole && (!state.settings.whole_segments || state.settings.keep_fcs) {
            return Delivery::CutFirst;
        }
        if frame.len() < 60 || !whole && frame.len() > state.settings.max_frame {
            *(if frame.len() < 60 {
                &mut state.stats.undersized
            } else {
                &mut state.stats.oversized
            }) += 1;
            return Delivery::BadLength;
        }
        let Some(destination) = frame.head().first_chunk::<6>() else {
            return Delivery::BadLength;
        };
        let Some(taken) = state.settings.takes(destination) else {
            state.stats.seen += 1;
            state.stats.seen_octets += octets;
            return Delivery::Filtered;
        };
        let packet = IpPacket::parse(frame.head());
        let (number, hash) = match &state.rss {
            Some(rss) => rss.steer(packet.as_ref(), frame.head()),
            None => (0, None),
        };
        if whole && !(self.coalesces)(number) {
            return Delivery::CutFirst;
        }
        let verdicts = self.judge(frame, packet.as_ref());
        let placed = match self.queues.get(number) {
            Some(queue) => {
                let live = self.live[number].get_or_insert_with(|| queue.live.read_recursive());
                let info = place::Info {
                    verdicts,
                    packet: packet.as_ref(),
                    hash,
                    inexact: taken == Taken::Multicast { inexact: true },
                    keep_fcs: self.state.settings.keep_fcs,
                };
                match live.as_ref() {
                    Some(live) => place::place::<F>(self.core, queue, live, &self.reach, frame, &info),
                    None => Placed::NoDescriptors,
                }
            }
            None => Placed::NoDescriptors,
        };
        let state = &mut *self.state;
        state.stats.seen += 1;
        state.stats.seen_octets += octets;
        let number = number.min(MAX_QUEUES - 1);
        let queue = &mut state.queues[number];
        state.touched |= 1 << number;
        match placed {
            Placed::SourceFault => return Delivery::SourceFault,
            Placed::NoDescriptors => {
                queue.dropped += 1;
                state.stats.no_descriptors += 1;
                return Delivery::NoBuffer;
            }
            Placed::Done => {}
        }
        queue.frames += 1;
        queue.octets += octets;
        let stats = &mut state.stats;
        stats.frames += 1;
        stats.octets += octets;
        stats.by_len[len_class(octets)] += 1;
        match taken {
            Taken::Exactly => {}
            Taken::Broadcast => stats.broadcast += 1,
            Taken::Multicast { .. } => stats.multicast += 1,
        }
        if verdicts.ip == Verdict::Bad || verdicts.l4 == Verdict::Bad {
            stats.bad_checksum += 1;
        }
        Delivery::Accepted
    }

    /// Asks every queue that a packet may be steered to. A queue with all its descriptors free takes what it can:
    /// there will never be more of them.
    fn has_room(&mut self, frames: usize, len: usize) -> bool {
        let steered = if self.state.rss.is_some() {
            self.queues.len()
        } else {
            1
        };
        let queues = self.queues.iter().zip(&mut self.live).take(steered);
        queues
            .filter_map(|(queue, held)| held.get_or_insert_with(|| queue.live.read_recursive()).as_ref())
            .all(|live| {
                let free = live.distance(live.head(), live.tail());
                let needed = frames.max(len.div_ceil(live.buffer_len.max(1) as usize));
                free as usize >= needed || free + 1 == live.slots
            })
    }
}
