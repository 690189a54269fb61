//! The loop: a round of the stack, a turn of the application, a look around, a rest.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration as WallDuration, Instant as WallInstant};

use pagewire_bus::DmaMapper;
use pagewire_nic::port::{Nic, Opened, RxQueue, TxQueue};
use pagewire_stack::{Duration, Instant};

use super::idle::Idle;
use super::machine::Machine;
use super::{Application, Driver, LiveError, Notice, Observer, Outcome, Settings, Turn};
use crate::cpu::thread_time;

/// How long the link may take to come up. Negotiation takes 2 to 4 s with twisted pairs.
const LINK_LIMIT: WallDuration = WallDuration::from_secs(10);
/// How often the engine looks around.
const LOOK: Duration = Duration::from_millis(100);

/// The clock on the wall, from the start of the machine.
#[derive(Clone, Copy)]
struct Clock(WallInstant);

impl Clock {
    fn now(self) -> Instant {
        Instant::from_micros(self.0.elapsed().as_micros() as i64)
    }
}

/// Runs the application on an open NIC, and stops the NIC, whatever happens.
pub(super) fn run<N: Nic, T: TxQueue, R: RxQueue, A: Application>(
    driver: Driver,
    opened: Opened<N, T, R>,
    mapper: Arc<dyn DmaMapper>,
    settings: &Settings,
    application: &mut A,
    observer: &Observer<'_>,
) -> Result<Outcome, LiveError> {
    let clock = Clock(WallInstant::now());
    let mut machine = Machine::start(driver, opened, mapper, settings, clock.now())?;
    let mut meter = Meter::start();
    let ended = work(&mut machine, application, observer, clock, &mut meter);
    if ended.is_err() {
        application.abandon(&mut machine.stack);
    }
    machine.flush(|| clock.now());
    let spent = meter.finish();
    let mut outcome = Outcome::of(&mut machine);
    let stopped = machine.stop();
    ended?;
    stopped?;
    if let Some((began, done)) = application.span() {
        outcome.seconds = (done - began).total_micros() as f64 / 1e6;
        outcome.setup_seconds = began.total_micros() as f64 / 1e6;
    }
    outcome.cpu_s = spent.busy.as_secs_f64();
    outcome.idle_poll_cpu_s = spent.idle.as_secs_f64();
    Ok(outcome)
}

fn work<N: Nic, T: TxQueue, R: RxQueue, A: Application>(
    machine: &mut Machine<N, T, R>,
    application: &mut A,
    observer: &Observer<'_>,
    clock: Clock,
    meter: &mut Meter,
) -> Result<(), LiveError> {
    let mut around = Around::wait_for_link(&machine.nic, observer)?;
    application.begin(&mut machine.stack, observer, clock.now())?;
    let mut idle = Idle::default();
    loop {
        let now = clock.now();
        let progress = machine.stack.poll(now);
        let until = match application.turn(&mut machine.stack, observer, now)? {
            Turn::Going { until } => until,
            Turn::Done => return Ok(()),
        };
        if now >= around.next {
            around.look(&machine.nic, observer, now)?;
        }
        meter.round(progress.is_idle());
        if !progress.is_idle() {
            idle.busy();
            continue;
        }
        let deadlines = [machine.stack.next_deadline(now), until, Some(around.next)];
        let next = deadlines.into_iter().flatten().min().unwrap_or(now);
        // Zero where it is due already.
        let at_most = WallDuration::from_micros((next - now).total_micros());
        if next > now && idle.wait(at_most) {
            meter.skip();
        }
    }
}

/// What the engine looks at from time to time.
struct Around {
    /// When to look next.
    next: Instant,
    link_up: bool,
}

impl Around {
    /// Waits for the link, within a limit.
    fn wait_for_link<N: Nic>(nic: &N, observer: &Observer<'_>) -> Result<Self, LiveError> {
        let began = WallInstant::now();
        while !nic.read_link().up {
            if observer.stop.load(Ordering::Relaxed) {
                return Err(LiveError::Interrupted);
            }
            if began.elapsed() >= LINK_LIMIT {
                return Err(LiveError::NoLink {
                    seconds: LINK_LIMIT.as_secs(),
                });
            }
            std::thread::sleep(WallDuration::from_millis(10));
        }
        Ok(Self {
            next: Instant::ZERO,
            link_up: true,
        })
    }

    fn look<N: Nic>(&mut self, nic: &N, observer: &Observer<'_>, now: Instant) -> Result<(), LiveError> {
        self.next = now + LOOK;
        if observer.stop.load(Ordering::Relaxed) {
            return Err(LiveError::Interrupted);
        }
        let link = nic.read_link();
        if link.up != self.link_up {
            self.link_up = link.up;
            (observer.tell)(if link.up {
                Notice::LinkUp { mbps: link.mbps }
            } else {
                Notice::LinkDown
            });
        }
        Ok(())
    }
}

/// CPU time of the thread, by what it was spent on.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    busy: WallDuration,
    idle: WallDuration,
}

/// Tells how the thread's CPU time divides. Asking for CPU time is a system call, too dear for each round: the whole is
/// measured once, and the clock on the wall says in which proportion it divides.
struct Meter {
    cpu: WallDuration,
    wall: Spent,
    last: WallInstant,
}

impl Meter {
    fn start() -> Self {
        Self {
            cpu: thread_time(),
            wall: Spent::default(),
            last: WallInstant::now(),
        }
    }

    /// Notes a round that has just ended.
    fn round(&mut self, idle: bool) {
        let now = WallInstant::now();
        let took = now - std::mem::replace(&mut self.last, now);
        if idle {
            self.wall.idle += took;
        } else {
            self.wall.busy += took;
        }
    }

    /// The thread has slept: that took no CPU time.
    fn skip(&mut self) {
        self.last = WallInstant::now();
    }

    fn finish(&self) -> Spent {
        let cpu = thread_time().saturating_sub(self.cpu);
        let wall = (self.wall.busy + self.wall.idle).as_secs_f64();
        let share = |part: WallDuration| {
            if wall > 0.0 {
                cpu.mul_f64(part.as_secs_f64() / wall)
            } else {
                WallDuration::ZERO
            }
        };
        Spent {
            busy: share(self.wall.busy),
            idle: share(self.wall.idle),
        }
    }
}
