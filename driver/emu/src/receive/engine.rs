//! A batch of arriving frames.

use std::marker::PhantomData;

use parking_lot::MutexGuard;

use super::burst;
use super::intake::{Admitted, Held, Intake, State};
use super::place::Filling;
use crate::base::Core;
use crate::family::Family;
use crate::memory::{Poster, Reach};
use crate::queue::Queue;
use crate::wire::{BURST, Delivery, Inlet, WireFrame};

/// Where frames go.
pub(super) struct Target<'b> {
    core: &'b Core,
    held: Held<'b>,
    reach: Reach<'b>,
}

impl Target<'_> {
    /// Finds a frame's descriptors: from `start` on, or the queue's first. `None` where there are not enough of them.
    #[inline]
    pub(super) fn begin<'f>(
        &'f self,
        admitted: &Admitted,
        frame: &'f WireFrame<'f>,
        start: Option<u32>,
    ) -> Option<Filling<'f>> {
        let Self { core, held, reach } = self;
        let (queue, live) = held.get(admitted.queue)?;
        let start = start.unwrap_or_else(|| live.head());
        Filling::new(core, queue, live, reach, frame, admitted.info.keep_fcs, start)
    }
}

/// A batch: the receiver's inlet.
pub(crate) struct Batch<'b, F> {
    pub(crate) intake: Intake<'b>,
    target: Target<'b>,
    poster: MutexGuard<'b, Poster>,
    family: PhantomData<F>,
}

impl<'b, F: Family> Batch<'b, F> {
    pub(crate) fn new(
        core: &'b Core,
        state: MutexGuard<'b, State>,
        queues: &'b [Queue],
        coalesces: &'b dyn Fn(usize) -> bool,
        poster: MutexGuard<'b, Poster>,
    ) -> Self {
        let reach = core.iommu.hold_nested();
        let on = state.settings.on && core.may_master(&reach);
        Self {
            intake: Intake::new(state, on, coalesces),
            target: Target {
                core,
                held: Held::new(queues),
                reach,
            },
            poster,
            family: PhantomData,
        }
    }
}

impl<F: Family> Inlet for Batch<'_, F> {
    fn deliver(&mut self, frame: &WireFrame<'_>) -> Delivery {
        let Self { intake, target, .. } = self;
        let admitted = match intake.admit(frame) {
            Ok(admitted) => admitted,
            Err(refusal) => return refusal,
        };
        let Some(mut filling) = target.begin(&admitted, frame, None) else {
            return intake.no_buffer(&admitted, frame);
        };
        while filling.next(None) {}
        intake.settle::<F>(&filling, &admitted, frame)
    }

    fn deliver_all(
        &mut self,
        frames: &[WireFrame<'_>],
        fate: &mut dyn FnMut(&WireFrame<'_>, Delivery),
    ) -> Delivery {
        let mut last = Delivery::Accepted;
        for frames in frames.chunks(BURST) {
            last = burst::deliver::<F>(&self.target, &mut self.intake, &mut self.poster, frames, fate);
            if last.stops() {
                break;
            }
        }
        last
    }

    /// Asks every queue that a packet may be steered to. A queue with all its descriptors free takes what it can:
    /// there will never be more of them.
    fn has_room(&mut self, frames: usize, len: usize) -> bool {
        let steered = if self.intake.state.rss.is_some() {
            self.target.held.count()
        } else {
            1
        };
        (0..steered)
            .filter_map(|number| self.target.held.get(number))
            .all(|(_, live)| {
                let free = live.distance(live.head(), live.tail());
                let needed = frames.max(len.div_ceil(live.buffer_len.max(1) as usize));
                free as usize >= needed || free + 1 == live.slots
            })
    }
}
