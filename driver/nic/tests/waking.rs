//! No wake-up is ever lost: whatever happens between any two steps of a wait, and on threads.

mod emulated;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use emulated::{IxgbeEnd, NoDelay, device, open_ixgbe, pattern, plug};
use pagewire_bus::{
    Bar, BusError, DmaMapper, Function, Identity, Interrupt, InterruptKind, InterruptSupport, ResetOutcome,
    Unmask,
};
use pagewire_emu::schedule::Threaded;
use pagewire_emu::{EmulatedBar, EmulatedNic, Model};
use pagewire_nic::dma::FramePool;
use pagewire_nic::idle::{IdleCounters, POLL_FOR, Waiter};
use pagewire_nic::port::{Nic, NicConfig, Opened, RxQueue, TxOffload, TxQueue};
use pagewire_nic::{e1000, e1000e, ixgbe};

/// Every way in which a model can interrupt.
const KINDS: [(Model, InterruptKind); 7] = [
    (Model::E1000, InterruptKind::Intx),
    (Model::E1000e, InterruptKind::MsiX),
    (Model::E1000e, InterruptKind::Msi),
    (Model::E1000e, InterruptKind::Intx),
    (Model::Ixgbe, InterruptKind::MsiX),
    (Model::Ixgbe, InterruptKind::Msi),
    (Model::Ixgbe, InterruptKind::Intx),
];

/// What can happen to a NIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// A frame arrives.
    Arrival,
    /// What was posted leaves.
    Departure,
    /// The cable is pulled, and plugged in again.
    Link,
}

const EVENTS: [Event; 3] = [Event::Arrival, Event::Departure, Event::Link];

/// Lets things happen at a moment. Moments are counted: there is one at each register access, each unmask of a line,
/// before each wait, and at begin and end of the caller's look.
#[derive(Default)]
struct Fate {
    moment: AtomicUsize,
    planned: Mutex<Vec<(usize, Event)>>,
    world: Mutex<Option<World>>,
    arrivals: AtomicUsize,
    departures: AtomicUsize,
    links: AtomicUsize,
}

/// The far end, and the near one's device.
struct World {
    far: IxgbeEnd,
    near: EmulatedNic,
}

impl Fate {
    /// Another moment has come.
    fn tick(&self) {
        let now = self.moment.fetch_add(1, Ordering::Relaxed);
        let due: Vec<_> = lock(&self.planned)
            .extract_if(.., |(moment, _)| *moment <= now)
            .collect();
        for (_, event) in due {
            let mut world = lock(&self.world);
            let world = world.as_mut().expect("plans are made for a world");
            let happened = match event {
                Event::Arrival => {
                    world.far.send(&pattern(100), TxOffload::None);
                    &self.arrivals
                }
                Event::Departure => {
                    world.near.step(Duration::ZERO);
                    &self.departures
                }
                Event::Link => {
                    world.near.plug(None);
                    plug(&world.far.device, &world.near);
                    &self.links
                }
            };
            happened.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn plan(&self, events: &[(usize, Event)]) {
        for count in [&self.arrivals, &self.departures, &self.links, &self.moment] {
            count.store(0, Ordering::Relaxed);
        }
        *lock(&self.planned) = events.to_vec();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic under a lock")
}

/// An emulated NIC that interrupts in one way, and for which each access is a moment.
struct Fated {
    nic: EmulatedNic,
    kind: InterruptKind,
    fate: Arc<Fate>,
}

impl Fated {
    fn new(nic: &EmulatedNic, kind: InterruptKind) -> Arc<Self> {
        Arc::new(Self {
            nic: nic.clone(),
            kind,
            fate: Arc::default(),
        })
    }
}

#[derive(Clone)]
struct FatedBar {
    inner: EmulatedBar,
    fate: Arc<Fate>,
}

impl Bar for FatedBar {
    fn read32(&self, offset: u32) -> u32 {
        self.fate.tick();
        let value = self.inner.read32(offset);
        self.fate.tick();
        value
    }

    fn write32(&self, offset: u32, value: u32) {
        self.fate.tick();
        self.inner.write32(offset, value);
    }
}

struct FatedLine {
    inner: Interrupt,
    fate: Arc<Fate>,
}

impl Unmask for FatedLine {
    fn unmask(&self) -> Result<(), BusError> {
        self.fate.tick();
        self.inner.unmask()?;
        self.fate.tick();
        Ok(())
    }
}

impl Function for Fated {
    type Bar = FatedBar;

    fn identity(&self) -> Identity {
        self.nic.identity()
    }

    fn bar(&self, index: u8) -> Result<FatedBar, BusError> {
        Ok(FatedBar {
            inner: self.nic.bar(index)?,
            fate: Arc::clone(&self.fate),
        })
    }

    fn mapper(&self) -> Arc<dyn DmaMapper> {
        self.nic.mapper()
    }

    fn set_bus_master(&self, on: bool) -> Result<(), BusError> {
        self.nic.set_bus_master(on)
    }

    fn reset(&self) -> Result<ResetOutcome, BusError> {
        self.nic.reset()
    }

    fn interrupts(&self) -> Vec<InterruptSupport> {
        let mut offers = self.nic.interrupts();
        offers.retain(|offer| offer.kind == self.kind);
        offers
    }

    fn enable_interrupts(&self, kind: InterruptKind, vectors: u16) -> Result<Vec<Interrupt>, BusError> {
        let interrupts = self.nic.enable_interrupts(kind, vectors)?;
        let fated = |inner: Interrupt| {
            let event = std::os::fd::AsFd::as_fd(&inner)
                .try_clone_to_owned()
                .expect("a descriptor");
            let fate = Arc::clone(&self.fate);
            Interrupt::new(kind, event, Some(Arc::new(FatedLine { inner, fate })))
        };
        Ok(interrupts.into_iter().map(fated).collect())
    }

    fn disable_interrupts(&self) -> Result<(), BusError> {
        self.nic.disable_interrupts()
    }
}

fn promiscuous() -> NicConfig {
    NicConfig {
        promiscuous: true,
        ..NicConfig::default()
    }
}

/// The near end's thread: its rings, and what it has seen of what happened.
struct Near<T, R> {
    tx: T,
    rx: R,
    pool: FramePool,
    posted: usize,
    arrivals: usize,
    departures: usize,
    links: usize,
}

impl<T: TxQueue, R: RxQueue> Near<T, R> {
    fn new(function: &Fated, (tx, rx): (T, R)) -> Self {
        Self {
            tx,
            rx,
            pool: FramePool::new(&function.mapper(), 64, 2048).unwrap(),
            posted: 0,
            arrivals: 0,
            departures: 0,
            links: 0,
        }
    }

    /// Posts a frame, if there is one.
    fn post(&mut self) {
        let Some(mut frame) = self.pool.take() else { return };
        frame.set_len(100).unwrap();
        frame.bytes_mut().copy_from_slice(&pattern(100));
        self.tx.post(frame, TxOffload::None).unwrap();
        self.tx.doorbell();
        self.posted += 1;
    }

    /// Empties the rings. Returns whether something was there.
    fn drain(&mut self) -> bool {
        let (mut out, mut freed) = (Vec::new(), Vec::new());
        let received = self.rx.receive(usize::MAX, &mut out);
        out.drain(..).for_each(|got| self.rx.recycle(got.frame));
        self.rx.refill();
        self.tx.reap(&mut freed);
        let reaped = freed.len();
        freed.drain(..).for_each(|frame| self.pool.give(frame).unwrap());
        self.arrivals += received;
        self.departures += reaped;
        received + reaped > 0
    }

    /// Whether something has happened that was not seen.
    fn is_behind(&self, fate: &Fate) -> bool {
        fate.arrivals.load(Ordering::Relaxed) > self.arrivals
            || fate.departures.load(Ordering::Relaxed) > 0 && self.posted > self.departures
            || fate.links.load(Ordering::Relaxed) > self.links
    }
}

/// Works and waits while `events` happen, until all was seen. Returns how many moments that took.
fn live_through<N: Nic, T: TxQueue, R: RxQueue>(
    nic: &N,
    near: &mut Near<T, R>,
    waiter: &mut Waiter,
    fate: &Fate,
    events: &[(usize, Event)],
) -> usize {
    (near.posted, near.arrivals, near.departures, near.links) = (0, 0, 0, 0);
    if events.iter().any(|(_, event)| *event == Event::Departure) {
        near.post();
    }
    fate.plan(events);
    waiter.worked();
    for round in 0..40_u32 {
        if lock(&fate.planned).is_empty() && !near.is_behind(fate) {
            return fate.moment.load(Ordering::Relaxed);
        }
        // Far enough apart that there is nothing left to poll for.
        let now = 2 * POLL_FOR * round;
        if near.drain() {
            continue;
        }
        let woken = waiter.counters().wake_ups;
        fate.tick();
        let mut was_behind = near.is_behind(fate);
        let look = || {
            fate.tick();
            let found = near.drain();
            fate.tick();
            was_behind = near.is_behind(fate);
            found
        };
        let rest = waiter.wait(nic, now, Some(now + POLL_FOR), &[], look).unwrap();
        if rest.causes.link {
            // Told of a change, one reads the link: what happened up to now is seen by that.
            near.links = fate.links.load(Ordering::Relaxed);
        }
        if rest.slept && waiter.counters().wake_ups == woken {
            assert!(!was_behind, "{events:?}: slept in spite of it");
        }
    }
    panic!("{events:?}: not all was seen")
}

/// Lets each two events happen at each two moments of a few waits. Returns how many moments these were.
fn try_all<N: Nic, T: TxQueue, R: RxQueue>(function: &Fated, opened: Opened<N, T, R>) -> usize {
    let Opened { mut nic, queues } = opened;
    let mut near = Near::new(function, queues.into_iter().next().unwrap());
    let interrupt = nic.enable_interrupt().unwrap();
    assert_eq!(
        interrupt.as_ref().map(Interrupt::kind),
        Some(function.kind),
        "the one that is offered"
    );
    let mut waiter = Waiter::new(interrupt);
    let mut moments = 0;
    for first in EVENTS {
        for second in EVENTS {
            for at in 0..24 {
                for after in 0..14 {
                    let events = [(at, first), (at + after, second)];
                    let took = live_through(&nic, &mut near, &mut waiter, &function.fate, &events);
                    moments = moments.max(took);
                }
            }
        }
    }
    nic.stop(&mut NoDelay).unwrap();
    moments
}

#[test]
fn whatever_happens_between_two_steps_of_a_wait_is_seen_before_a_sleep_or_ends_it() {
    for (model, kind) in KINDS {
        let (nic, far) = (device(model, 1, true), device(Model::Ixgbe, 2, true));
        plug(&far, &nic);
        let function = Fated::new(&nic, kind);
        let fate = &function.fate;
        *lock(&fate.world) = Some(World {
            far: open_ixgbe(&far, &promiscuous()),
            near: nic.clone(),
        });
        let moments = match model {
            Model::E1000 => try_all(
                &function,
                e1000::open(Arc::clone(&function), &promiscuous(), &mut NoDelay).unwrap(),
            ),
            Model::E1000e => try_all(
                &function,
                e1000e::open(Arc::clone(&function), &promiscuous(), &mut NoDelay).unwrap(),
            ),
            Model::Ixgbe => try_all(
                &function,
                ixgbe::open(Arc::clone(&function), &promiscuous(), &mut NoDelay).unwrap(),
            ),
        };
        assert!(
            moments > 36,
            "{model:?} {kind:?}: the last moments were never reached"
        );
        drop(lock(&fate.world).take());
        let report = nic.report();
        assert!(report.is_clean(), "{report}");
    }
}

/// What one thread says to the other.
#[derive(Default)]
struct Talk {
    /// The waiting thread is there.
    ready: AtomicBool,
    /// Frames that the waiting thread has received.
    received: AtomicUsize,
    over: AtomicBool,
}

/// Frames that go back and forth in one stress.
const TURNS: usize = 2_000;
const LIMIT: Duration = Duration::from_secs(20);

/// Receives, sends an answer to each frame, and sleeps as soon as there is nothing to do. Returns how often it slept
/// through something.
fn answer<N: Nic, T: TxQueue, R: RxQueue>(
    function: &Fated,
    opened: Opened<N, T, R>,
    talk: &Talk,
) -> (usize, IdleCounters) {
    let Opened { mut nic, queues } = opened;
    let mut near = Near::new(function, queues.into_iter().next().unwrap());
    let mut waiter = Waiter::new(nic.enable_interrupt().unwrap());
    let mut late = 0;
    let mut now = Duration::ZERO;
    // An answer leaves by the device's own thread.
    let turn = |near: &mut Near<T, R>| {
        let before = near.arrivals;
        let found = near.drain();
        (before..near.arrivals).for_each(|_| near.post());
        talk.received.store(near.arrivals, Ordering::Release);
        found
    };
    let began = Instant::now();
    // Until all answers have left, too: the device's thread may be slow.
    while !talk.over.load(Ordering::Acquire) || near.departures < near.posted {
        assert!(
            began.elapsed() < 2 * LIMIT,
            "{} of {} answers left",
            near.departures,
            near.posted
        );
        talk.ready.store(true, Ordering::Release);
        if turn(&mut near) {
            waiter.worked();
            continue;
        }
        now += 2 * POLL_FOR;
        let woken = waiter.counters().wake_ups;
        let rest = waiter.wait(&nic, now, None, &[], || turn(&mut near)).unwrap();
        if rest.slept && waiter.counters().wake_ups == woken && turn(&mut near) {
            late += 1;
        }
    }
    assert!(near.departures > 0, "answers leave");
    nic.stop(&mut NoDelay).unwrap();
    (late, waiter.counters())
}

/// Sends a frame, waits until it has arrived, lets some time pass, and so on. The number of the frame that never
/// arrived is the error.
fn ask(far: &mut IxgbeEnd, talk: &Talk) -> Result<(), usize> {
    let began = Instant::now();
    // Any sequence that visits all of the moments in which a thread goes to sleep (Knuth's MMIX).
    let mut random = 1_u64;
    while !talk.ready.load(Ordering::Acquire) && began.elapsed() < LIMIT {
        thread::yield_now();
    }
    for sent in 1..=TURNS {
        far.send(&pattern(100), TxOffload::None);
        while talk.received.load(Ordering::Acquire) < sent {
            if began.elapsed() > LIMIT {
                return Err(sent);
            }
            thread::yield_now();
        }
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let pause = Instant::now();
        while pause.elapsed() < Duration::from_nanos(random >> 48) {
            std::hint::spin_loop();
        }
        far.receive(0);
    }
    Ok(())
}

#[test]
fn a_thread_that_sleeps_whenever_it_can_answers_every_frame_at_once() {
    for (model, kind) in KINDS {
        let (nic, far) = (device(model, 1, true), device(Model::Ixgbe, 2, true));
        plug(&far, &nic);
        let (function, talk) = (Fated::new(&nic, kind), Talk::default());
        let began = Instant::now();
        let device = Threaded::start(nic.clone(), move || began.elapsed()).unwrap();
        let (late, counters) = thread::scope(|scope| {
            let near = scope.spawn(|| match model {
                Model::E1000 => {
                    let opened = e1000::open(Arc::clone(&function), &promiscuous(), &mut NoDelay);
                    answer(&function, opened.unwrap(), &talk)
                }
                Model::E1000e => {
                    let opened = e1000e::open(Arc::clone(&function), &promiscuous(), &mut NoDelay);
                    answer(&function, opened.unwrap(), &talk)
                }
                Model::Ixgbe => {
                    let opened = ixgbe::open(Arc::clone(&function), &promiscuous(), &mut NoDelay);
                    answer(&function, opened.unwrap(), &talk)
                }
            });
            let asked = ask(&mut open_ixgbe(&far, &promiscuous()), &talk);
            talk.over.store(true, Ordering::Release);
            asked.unwrap_or_else(|sent| panic!("{model:?} {kind:?}: frame {sent} was never seen"));
            near.join().unwrap()
        });
        drop(device);
        // One frame may arrive just after a sleep that had its full length.
        assert!(late <= 1, "{model:?} {kind:?}: {late} times, {counters:?}");
        assert!(counters.wake_ups > 0, "{counters:?}");
        let report = nic.report();
        assert!(report.is_clean(), "{report}");
    }
}

/// CPU time of this thread, as its scheduler counts it.
fn cpu() -> Duration {
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a kernel that counts");
    let first = counts.split_whitespace().next().expect("a number");
    Duration::from_nanos(first.parse().expect("a number"))
}

#[test]
fn an_idle_thread_takes_less_than_two_percent_of_a_core_with_interrupts_and_without() {
    let nic = device(Model::Ixgbe, 1, true);
    let function = Fated::new(&nic, InterruptKind::MsiX);
    let Opened { mut nic, queues } =
        ixgbe::open(Arc::clone(&function), &promiscuous(), &mut NoDelay).unwrap();
    let mut near = Near::new(&function, queues.into_iter().next().unwrap());
    for interrupt in [nic.enable_interrupt().unwrap(), None] {
        let mut waiter = Waiter::new(interrupt);
        let (began, spent) = (Instant::now(), cpu());
        while began.elapsed() < Duration::from_secs(1) {
            assert!(!near.drain());
            waiter
                .wait(&nic, began.elapsed(), None, &[], || near.drain())
                .unwrap();
        }
        let share = (cpu() - spent).as_secs_f64() / began.elapsed().as_secs_f64();
        assert!(share < 0.02, "{:.1} %: {:?}", share * 100.0, waiter.counters());
    }
    nic.stop(&mut NoDelay).unwrap();
}
