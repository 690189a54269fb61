//! A device: registers, queues and the two engines, behind whatever family it is.
//!
//! Locks, from the outermost in. Each is taken with those before it held at most, so no two devices that send
//! to each other can wait in a ring:
//! 1. a transmit queue's engine; 2. the queue (shared while it works); 3. the own table (shared);
//! 4. the far receiver's state; 5. its queues (shared); 6. its table (shared, nested);
//! 7. what a device signals with.
//!
//! Doorbells take only shared ones of the device's own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pagewire_bus::{
    BusError, Direction, DmaMapper, HostRange, Identity, InterruptKind, InterruptSupport, Iova,
    MapperCounters, MapperLimits, ResetOutcome,
};
use pagewire_spec::Register;
use parking_lot::{Mutex, MutexGuard};

use crate::base::{Core, Side};
use crate::family::{Family, RingRows};
use crate::function::Options;
use crate::interrupt::{CauseRows, Signals};
use crate::queue::{Extent, Held, Live, Queue, note_early_reads};
use crate::receive::State;
use crate::receive::engine::{Batch, MAX_QUEUES};
use crate::receive::filter::Settings;
use crate::receive::steer::Rss;
use crate::registers::{Layout, RegisterFile, Written, name};
use crate::sanitizer::{Report, Rule};
use crate::transmit::{Engine, TxStats};
use crate::wire::{Inlet, Port};

/// What a family's registers make its device do: everything that is not on the path of a frame.
pub(crate) trait Model: Sync + std::fmt::Debug {
    fn identity(&self) -> Identity;
    fn layout(&self) -> &'static Layout;
    /// Transmit rows, receive rows.
    fn rings(&self) -> &'static [RingRows; 2];
    /// Queue pairs.
    fn queues(&self) -> usize;
    /// Which queue's tail is at `offset`.
    fn tail(&self, offset: u32) -> Option<(Side, usize)>;
    /// Registers have their reset values: what the EEPROM and the link say comes on top.
    fn loaded(&self, device: &Device);
    /// Software has written a register.
    fn written(&self, device: &Device, write: &Written);
    /// Software reads a register: its value, where reading has effects that the tables do not know.
    fn read(&self, device: &Device, row: &'static Register, index: u32) -> Option<u32>;
    /// Causes and mask.
    fn causes(&self) -> &'static CauseRows;
    /// The ways it can interrupt, the best first.
    fn interrupts(&self) -> &'static [InterruptSupport];
    /// The vectors that messages of these causes go to, one bit each.
    fn vectors(&self, device: &Device, kind: InterruptKind, causes: u32) -> u64;
    /// Messages of these causes were sent.
    fn signalled(&self, device: &Device, kind: InterruptKind, causes: u32);
    /// A cable was plugged in or pulled.
    fn link_changed(&self, device: &Device);
    /// Receive settings, as the registers say. `old` saves expanding a key that has not changed.
    fn settings(&self, device: &Device, old: Option<Box<Rss>>) -> (Settings, Option<Box<Rss>>);
    /// Whether a queue may be sent from, beyond being on.
    fn may_transmit(&self, device: &Device) -> bool;
    /// Whether short frames are padded.
    fn pads(&self, device: &Device) -> bool;
    /// Whether a receive queue takes whole segments.
    fn coalesces(&self, device: &Device, queue: usize) -> bool;
    /// Statistics and interrupt causes of a batch that was sent.
    fn sent(&self, device: &Device, queue: usize, stats: &TxStats);
    /// Statistics and interrupt causes of a batch that was received.
    fn received(&self, device: &Device, state: &mut State);
    /// Runs a transmit batch.
    fn run(&self, engine: &mut Engine, device: &Device, queue: usize, inlet: &mut dyn Inlet) -> usize;
    /// Runs a receive batch.
    fn open(&self, device: &Device, state: MutexGuard<'_, State>, batch: &mut dyn FnMut(&mut dyn Inlet));
}

#[derive(Debug)]
pub(crate) struct TxQueue {
    queue: Queue,
    engine: Mutex<Engine>,
}

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) model: &'static dyn Model,
    pub(crate) mac: [u8; 6],
    pub(crate) whole_segments: bool,
    pub(crate) core: Core,
    pub(crate) registers: RegisterFile,
    pub(crate) signals: Signals,
    pub(crate) phy: Mutex<[u16; 32]>,
    tx: Box<[TxQueue]>,
    pub(crate) rx: Box<[Queue]>,
    /// Transmit queues whose doorbell rang, one bit each.
    rung: AtomicU64,
    /// Nanoseconds that drivers' threads have spent in doorbells.
    ringing: AtomicU64,
    receiver: Mutex<State>,
    /// Serializes writes that have effects.
    control: Mutex<()>,
}

impl Device {
    pub(crate) fn new(model: &'static dyn Model, options: &Options) -> Self {
        let queues = model.queues().min(MAX_QUEUES);
        let device = Self {
            model,
            mac: options.mac,
            whole_segments: options.whole_segments,
            core: Core::new(options.sanitizer, options.max_mappings),
            registers: RegisterFile::new(model.layout()),
            signals: Signals::default(),
            phy: Mutex::new([0; 32]),
            tx: (0..queues)
                .map(|number| TxQueue {
                    queue: Queue::new(Side::Transmit, number),
                    engine: Mutex::new(Engine::default()),
                })
                .collect(),
            rx: (0..queues)
                .map(|number| Queue::new(Side::Receive, number))
                .collect(),
            rung: AtomicU64::new(0),
            ringing: AtomicU64::new(0),
            receiver: Mutex::new(State::default()),
            control: Mutex::new(()),
        };
        model.loaded(&device);
        device
    }

    pub(crate) fn queue(&self, side: Side, number: usize) -> Option<&Queue> {
        match side {
            Side::Transmit => self.tx.get(number).map(|tx| &tx.queue),
            Side::Receive => self.rx.get(number),
        }
    }

    fn rows(&self, side: Side) -> &'static RingRows {
        let [transmit, receive] = self.model.rings();
        match side {
            Side::Transmit => transmit,
            Side::Receive => receive,
        }
    }

    /// A register write by software. Tails come first: they are the hot ones.
    #[inline]
    pub(crate) fn write(&self, offset: u32, value: u32) {
        if let Some((side, number)) = self.model.tail(offset)
            && self.ring_doorbell(side, number, value)
        {
            return;
        }
        self.write_other(offset, value);
    }

    /// Returns false if the queue is off: the tail is then a register like any other.
    #[inline]
    fn ring_doorbell(&self, side: Side, number: usize, value: u32) -> bool {
        let Some(queue) = self.queue(side, number) else {
            return false;
        };
        let began = Instant::now();
        let rung = queue.doorbell(&self.core, value);
        self.ringing
            .fetch_add(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
        if rung && side == Side::Transmit {
            self.rung.fetch_or(1 << number, Ordering::Release);
        }
        rung
    }

    /// How long drivers' threads have been in doorbells. Nothing depends on it.
    pub(crate) fn doorbell_time(&self) -> Duration {
        Duration::from_nanos(self.ringing.load(Ordering::Relaxed))
    }

    #[cold]
    fn write_other(&self, offset: u32, value: u32) {
        let _guard = self.control.lock();
        if let Some((row, index)) = (self.model.layout().lookup)(offset)
            && self.is_ring_at_work(row.canonical(), index)
        {
            return;
        }
        let write = || self.registers.write(offset, value, &self.core.sanitizer);
        if let Some(written) = self.change_causes(write) {
            self.model.written(self, &written);
        }
    }

    /// Whether a write would move a ring that is on: refused and reported.
    fn is_ring_at_work(&self, row: &Register, index: u32) -> bool {
        for rows in self.model.rings() {
            let is_head = rows.head.offset == row.offset;
            if !is_head && !rows.is_fixed(row) {
                continue;
            }
            let Some(queue) = self
                .queue(rows.side, index as usize)
                .filter(|queue| queue.is_on())
            else {
                return false;
            };
            let rule = if is_head {
                Rule::FetchOutsideHeadTail
            } else {
                Rule::RegisterMisuse
            };
            self.core.sanitizer.record(rule, || {
                format!(
                    "{} was written while {:?} queue {} is on",
                    name(row, index),
                    queue.side,
                    queue.number
                )
            });
            return true;
        }
        false
    }

    /// A register read by software.
    pub(crate) fn read(&self, offset: u32) -> u32 {
        if let Some((row, index)) = (self.model.layout().lookup)(offset) {
            let row = row.canonical();
            for rows in self.model.rings() {
                let (is_head, is_tail) = (rows.head.offset == row.offset, rows.tail.offset == row.offset);
                if (is_head || is_tail)
                    && let Some(queue) = self.queue(rows.side, index as usize)
                    && let Some(live) = queue.live.read_recursive().as_ref()
                {
                    return if is_head { live.tell_head() } else { live.tail() };
                }
            }
            if let Some(value) = self.model.read(self, row, index) {
                return value;
            }
        }
        self.change_causes(|| self.registers.read(offset, &self.core.sanitizer))
    }

    /// Switches a queue on with the ring that its registers name. Reports and returns false where they name
    /// none.
    pub(crate) fn switch_on(&self, side: Side, number: usize, buffer_len: u32, extent: Extent) -> bool {
        let (rows, index) = (self.rows(side), number as u32);
        let Some(queue) = self.queue(side, number) else {
            self.misuse(|| {
                format!(
                    "{side:?} queue {number} was switched on; this model has {}",
                    self.rx.len()
                )
            });
            return false;
        };
        if queue.is_on() {
            return true;
        }
        let get = |row: &Register| self.registers.get(row, index);
        let slots = get(rows.len) / 16;
        if slots == 0 {
            self.misuse(|| format!("{side:?} queue {number} was switched on with a ring of no descriptors"));
            return false;
        }
        let base = u64::from(get(rows.base_high)) << 32 | u64::from(get(rows.base_low));
        let live = Live::new(&self.core, base, slots, get(rows.head), buffer_len, extent);
        if let Some(tx) = self.tx.get(number).filter(|_| side == Side::Transmit) {
            tx.engine.lock().restart();
        }
        *queue.live.write() = Some(live);
        let tail = get(rows.tail);
        if tail != get(rows.head) {
            self.ring_doorbell(side, number, tail);
        }
        true
    }

    /// Switches a queue off, and waits until the engine has left it.
    pub(crate) fn switch_off(&self, side: Side, number: usize) {
        let (rows, index) = (self.rows(side), number as u32);
        let Some(queue) = self.queue(side, number) else {
            return;
        };
        let tail = queue.live.read_recursive().as_ref().map(Live::tail);
        if let (Some(head), Some(tail)) = (queue.switch_off(&self.core), tail) {
            self.registers.set(rows.head, index, head);
            self.registers.set(rows.tail, index, tail);
        }
    }

    /// Puts everything to its reset state; memory mappings and the cable stay.
    pub(crate) fn reset_registers(&self) {
        for number in 0..self.rx.len() {
            self.switch_off(Side::Transmit, number);
            self.switch_off(Side::Receive, number);
        }
        self.rung.store(0, Ordering::Relaxed);
        self.change_causes(|| self.registers.reset());
        self.model.loaded(self);
    }

    pub(crate) fn misuse(&self, words: impl FnOnce() -> String) {
        self.core.sanitizer.record(Rule::RegisterMisuse, words);
    }

    /// Queues whose doorbell rang since the last call.
    #[inline]
    pub(crate) fn take_rung(&self) -> u64 {
        if self.rung.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.rung.swap(0, Ordering::Acquire)
    }

    /// As [`take_rung`](Self::take_rung), for one queue.
    #[inline]
    pub(crate) fn take_rung_of(&self, number: usize) -> bool {
        let bit = 1_u64.checked_shl(number as u32).unwrap_or(0);
        self.rung.load(Ordering::Relaxed) & bit != 0
            && self.rung.fetch_and(!bit, Ordering::Acquire) & bit != 0
    }

    /// Sends what queue `number` has published. Returns the number of packets.
    pub(crate) fn transmit(&self, number: usize, inlet: &mut dyn Inlet) -> usize {
        let Some(tx) = self.tx.get(number) else { return 0 };
        let mut engine = tx.engine.lock();
        let packets = self.model.run(&mut engine, self, number, inlet);
        let stats = std::mem::take(&mut engine.stats);
        self.model.sent(self, number, &stats);
        packets
    }

    /// The part of a transmit batch that knows the family.
    pub(crate) fn run_as<F: Family>(
        &self,
        engine: &mut Engine,
        number: usize,
        inlet: &mut dyn Inlet,
    ) -> usize {
        let Some(queue) = self.queue(Side::Transmit, number) else {
            return 0;
        };
        let live = queue.live.read();
        let Some(live) = live.as_ref() else { return 0 };
        let reach = self.core.iommu.hold();
        if !self.core.may_master(&reach) || !self.model.may_transmit(self) {
            // What is published waits until it may be sent.
            self.rung.fetch_or(1 << number, Ordering::Release);
            return 0;
        }
        engine.builder.pads = self.model.pads(self);
        let packets = engine.run::<F>(&self.core, queue, live, &reach, inlet);
        if engine.held_up {
            self.rung.fetch_or(1 << number, Ordering::Release);
        }
        packets
    }

    /// The part of a receive batch that knows the family.
    pub(crate) fn open_as<F: Family>(
        &self,
        state: MutexGuard<'_, State>,
        batch: &mut dyn FnMut(&mut dyn Inlet),
    ) {
        let coalesces = |queue| self.model.coalesces(self, queue);
        let mut inlet = Batch::<F>::new(&self.core, state, &self.rx, &coalesces);
        batch(&mut inlet);
        self.model.received(self, &mut inlet.state);
    }

    pub(crate) fn plug(&self, carrier: bool) {
        self.core.carrier.store(carrier, Ordering::Release);
        self.model.link_changed(self);
        self.registers.changed();
    }

    pub(crate) fn has_carrier(&self) -> bool {
        self.core.carrier.load(Ordering::Acquire)
    }

    pub(crate) fn set_bus_master(&self, on: bool) {
        self.core.bus_master.store(on, Ordering::Release);
        if on {
            self.change_causes(|| ());
        } else {
            self.core.iommu.settle();
        }
    }

    pub(crate) fn reset_function(&self, outcome: ResetOutcome) -> ResetOutcome {
        if outcome == ResetOutcome::Done {
            let _guard = self.control.lock();
            self.reset_registers();
        }
        outcome
    }

    pub(crate) fn report(&self) -> Report {
        if self.core.strict {
            let reach = self.core.iommu.hold();
            for early in reach.early_touches() {
                note_early_reads(&self.core, Some(early));
            }
        }
        self.core.sanitizer.report()
    }

    /// What of this device lies in `[start, end)`: noted when software takes the memory away.
    fn note_released(&self, start: u64, end: u64) {
        for queue in self.tx.iter().map(|tx| &tx.queue).chain(&self.rx) {
            let Some(held) = queue
                .live
                .read_recursive()
                .as_ref()
                .and_then(|live| live.holds(start, end))
            else {
                continue;
            };
            self.core
                .sanitizer
                .record(Rule::ReleasedWhilePosted, || match held {
                    Held::Ring => format!(
                        "{:?} queue {} is on, and its ring was unmapped",
                        queue.side, queue.number
                    ),
                    Held::Descriptor(index) => {
                        format!(
                            "{} names memory of {start:#x}..{end:#x}, which was unmapped",
                            queue.place(index)
                        )
                    }
                });
        }
    }
}

impl Port for Device {
    fn receive(&self, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        let mut state = self.receiver.lock();
        let changes = self.registers.changes();
        if state.as_of != changes {
            let old = state.rss.take();
            (state.settings, state.rss) = self.model.settings(self, old);
            state.settings.on &= self.has_carrier();
            state.settings.whole_segments &= self.whole_segments;
            state.as_of = changes;
        }
        self.model.open(self, state, batch);
    }
}

impl DmaMapper for Device {
    #[allow(
        unsafe_code,
        reason = "implements the trait's unsafe method; the contract passes through"
    )]
    unsafe fn map(&self, memory: HostRange, direction: Direction) -> Result<Iova, BusError> {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { self.core.iommu.map(memory, direction) }
    }

    fn unmap(&self, iova: Iova, len: usize) -> Result<(), BusError> {
        self.note_released(iova.0, iova.0.saturating_add(len as u64));
        self.core.iommu.unmap(iova, len)
    }

    fn counters(&self) -> MapperCounters {
        self.core.iommu.counters()
    }

    fn limits(&self) -> MapperLimits {
        self.core.iommu.limits()
    }
}
