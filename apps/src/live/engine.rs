//! The loop: a round of the stack, a turn of the application, a look around, a rest.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration as WallDuration, Instant as WallInstant, SystemTime};

use pagewire_bus::DmaMapper;
use pagewire_cost::thread_time;
use pagewire_nic::port::{Nic, Opened, RxQueue, TxQueue};
use pagewire_stack::{Duration, Instant};

use super::leasing::Leasing;
use super::machine::Machine;
use super::{Application, Counters, Driver, LiveError, Notice, Observer, OnCable, Outcome, Settings, Turn};
use crate::meter::{Meter, Round};

/// How long the link may take to come up. Negotiation takes 2 to 4 s with twisted pairs.
const LINK_LIMIT: WallDuration = WallDuration::from_secs(10);
/// How often the engine looks around. A sleeping machine wakes for it, and the link it hears of by itself.
const LOOK: Duration = Duration::from_millis(250);
/// How often it puts its counters on the board: reading the NIC's takes some microseconds.
const PUBLISH: Duration = Duration::from_secs(1);

/// The clock on the wall, from the start of the machine.
#[derive(Clone, Copy)]
struct Clock(WallInstant);

impl Clock {
    fn now(self) -> Instant {
        Instant::from_micros(self.elapsed().as_micros() as i64)
    }

    /// The same, finer: for what is measured.
    fn elapsed(self) -> WallDuration {
        self.0.elapsed()
    }
}

/// The same time, as drivers count it.
pub(super) fn wall(time: Instant) -> WallDuration {
    WallDuration::from_micros(time.total_micros() as u64)
}

/// What a machine is made of, beside its open NIC.
pub(super) struct Parts<'c> {
    pub(super) driver: Driver,
    pub(super) mapper: Arc<dyn DmaMapper>,
    pub(super) cable: Option<&'c OnCable>,
}

/// Runs the application on an open NIC, and stops the NIC, whatever happens.
pub(super) fn run<N: Nic, T: TxQueue, R: RxQueue, A: Application>(
    parts: Parts<'_>,
    opened: Opened<N, T, R>,
    settings: &Settings,
    application: &mut A,
    observer: &Observer<'_>,
) -> Result<Outcome, LiveError> {
    let clock = Clock(WallInstant::now());
    if let Some(cable) = parts.cable {
        cable.begin(SystemTime::now());
    }
    let machine = Machine::start(parts, opened, settings, observer, clock.now())?;
    let doorbells = machine.doorbell_time();
    let mut engine = Engine {
        machine,
        observer,
        clock,
        meter: Meter::start(clock.elapsed(), doorbells),
        beginning: Beginning::default(),
        link_up: false,
        next_look: Instant::ZERO,
        next_publication: Instant::ZERO,
    };
    let ended = engine.work(settings, application);
    let may_ask = ended.is_err() && application.abandon(&mut engine.machine.stack);
    let Engine {
        mut machine,
        meter,
        beginning,
        ..
    } = engine;
    machine.flush(may_ask, || clock.now());
    let spent = meter.spent();
    let counters = Counters::read(&mut machine);
    let stopped = machine.stop();
    ended?;
    stopped?;
    let (began, done) = application.span().unwrap_or((Instant::ZERO, Instant::ZERO));
    Ok(Outcome {
        seconds: wall(done).saturating_sub(wall(began)).as_secs_f64(),
        setup_seconds: wall(began).as_secs_f64(),
        beginning_seconds: beginning.wall.as_secs_f64(),
        beginning_cpu_s: beginning.cpu.as_secs_f64(),
        cpu_s: spent.host.as_secs_f64(),
        idle_poll_cpu_s: spent.idle.as_secs_f64(),
        device_cpu_s: spent.device.as_secs_f64(),
        counters,
    })
}

/// What it took until the application had begun: its files mapped, and made ready for the device.
#[derive(Default)]
struct Beginning {
    wall: WallDuration,
    cpu: WallDuration,
}

/// A machine at work.
struct Engine<'a, N, T, R> {
    machine: Machine<'a, N, T, R>,
    observer: &'a Observer<'a>,
    clock: Clock,
    meter: Meter,
    beginning: Beginning,
    link_up: bool,
    next_look: Instant,
    next_publication: Instant,
}

impl<N: Nic, T: TxQueue, R: RxQueue> Engine<'_, N, T, R> {
    fn work<A: Application>(&mut self, settings: &Settings, application: &mut A) -> Result<(), LiveError> {
        self.wait_for_link()?;
        if settings.stack.dhcp {
            self.drive(&mut Leasing::default())?;
        }
        self.drive(application)
    }

    /// Waits for the link, within a limit.
    fn wait_for_link(&mut self) -> Result<(), LiveError> {
        let began = WallInstant::now();
        while !self.machine.nic.read_link().up {
            self.heed()?;
            if began.elapsed() >= LINK_LIMIT {
                return Err(LiveError::NoLink {
                    seconds: LINK_LIMIT.as_secs(),
                });
            }
            std::thread::sleep(WallDuration::from_millis(10));
        }
        self.link_up = true;
        Ok(())
    }

    /// Goes on until the application is done.
    fn drive<A: Application>(&mut self, application: &mut A) -> Result<(), LiveError> {
        self.begin(application)?;
        loop {
            let now = self.clock.now();
            let progress = self.machine.stack.poll(now);
            let until = match application.turn(&mut self.machine.stack, self.observer, now)? {
                Turn::Going { until } => until,
                Turn::Done => return Ok(()),
            };
            if now >= self.next_look {
                self.look_around(now)?;
            }
            let done = self.clock.elapsed();
            let (moved, stepped) = match self.machine.cable {
                Some(cable) => (cable.step(done), self.clock.elapsed()),
                None => (0, done),
            };
            let idle = progress.is_idle() && moved == 0;
            self.meter.round(Round {
                host: done,
                device: stepped,
                doorbells: self.machine.doorbell_time(),
                idle,
            });
            if idle {
                self.rest(now, until)?;
            } else {
                self.machine.waiter.worked();
            }
        }
    }

    /// Lets the application begin, and measures that apart from what comes after.
    fn begin<A: Application>(&mut self, application: &mut A) -> Result<(), LiveError> {
        let (began, cpu) = (self.clock.elapsed(), thread_time());
        application.begin(&mut self.machine.stack, self.observer, self.clock.now())?;
        if let Some(cable) = self.machine.cable {
            cable.warm_up();
        }
        let now = self.clock.elapsed();
        self.beginning = Beginning {
            wall: now.saturating_sub(began),
            cpu: thread_time().saturating_sub(cpu),
        };
        self.meter = Meter::start(now, self.machine.doorbell_time());
        Ok(())
    }

    /// A round has found nothing: polls on, or sleeps until something happens or is due.
    fn rest(&mut self, now: Instant, until: Option<Instant>) -> Result<(), LiveError> {
        let Machine {
            nic,
            stack,
            waiter,
            cable,
            ..
        } = &mut self.machine;
        let deadlines = [stack.next_deadline(now), until, Some(self.next_look)];
        let due = cable.and_then(OnCable::next_event);
        let until = deadlines.into_iter().flatten().map(wall).chain(due).min();
        let clock = self.clock;
        let look = || {
            let moved = cable.map_or(0, |cable| cable.step(clock.elapsed()));
            !stack.poll(clock.now()).is_idle() || moved > 0
        };
        let others = cable.map(OnCable::descriptor);
        let rest = waiter
            .wait(nic, wall(now), until, others.as_slice(), look)
            .map_err(LiveError::Wait)?;
        if rest.slept {
            self.meter.skip_to(self.clock.elapsed());
        }
        if rest.causes.link {
            self.next_look = now;
        }
        Ok(())
    }

    /// Whether it may go on at all.
    fn heed(&self) -> Result<(), LiveError> {
        if self.observer.stop.load(Ordering::Relaxed) {
            return Err(LiveError::Interrupted);
        }
        if !self.machine.nic.is_present() {
            return Err(LiveError::Removed {
                cause: "its registers read as ones",
            });
        }
        if self.machine.cable.is_some_and(OnCable::is_gone) {
            return Err(LiveError::CableGone);
        }
        if (self.observer.wanted_back)() {
            return Err(LiveError::Removed {
                cause: "the system has asked for it back",
            });
        }
        Ok(())
    }

    fn look_around(&mut self, now: Instant) -> Result<(), LiveError> {
        self.next_look = now + LOOK;
        self.heed()?;
        if let Some(cable) = self.machine.cable {
            cable.write_out();
        }
        let link = self.machine.nic.read_link();
        if link.up != self.link_up {
            self.link_up = link.up;
            (self.observer.tell)(if link.up {
                Notice::LinkUp { mbps: link.mbps }
            } else {
                Notice::LinkDown
            });
        }
        if now >= self.next_publication {
            self.next_publication = now + PUBLISH;
            let counters = Counters::read(&mut self.machine);
            *self.observer.board.lock().unwrap_or_else(PoisonError::into_inner) = Some(counters);
        }
        Ok(())
    }
}
