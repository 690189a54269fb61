use std::io::pipe;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use pagewire_bus::{InterruptKind, Unmask};
use rustix::event::{EventfdFlags, eventfd};

use super::*;
use crate::port::{Delay, Link, NicError, Statistics, TxLimits};

/// A NIC of which only the interrupt works. It notes in which order it is asked for what.
#[derive(Default)]
struct Fake {
    calls: Arc<Mutex<Vec<&'static str>>>,
    event: Option<OwnedFd>,
    fires_when_armed: bool,
    says: Causes,
    unmasks: Arc<Unmasks>,
}

#[derive(Default)]
struct Unmasks(AtomicU32);

impl Unmask for Unmasks {
    fn unmask(&self) -> Result<(), BusError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Fake {
    fn new() -> Self {
        Self::default()
    }

    fn waiter(&mut self) -> Waiter {
        let event = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap();
        self.event = Some(event.try_clone().unwrap());
        let line = Arc::clone(&self.unmasks) as Arc<dyn Unmask>;
        Waiter::new(Some(Interrupt::new(InterruptKind::Intx, event, Some(line))))
    }

    fn fire(&self) {
        rustix::io::write(self.event.as_ref().unwrap(), &1_u64.to_ne_bytes()).unwrap();
    }

    fn note(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }

    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn unmasked(&self) -> u32 {
        self.unmasks.0.load(Ordering::Relaxed)
    }
}

impl Nic for Fake {
    fn mac(&self) -> [u8; 6] {
        unreachable!("nobody asks")
    }

    fn is_present(&self) -> bool {
        true
    }

    fn read_link(&self) -> Link {
        unreachable!("nobody asks")
    }

    fn read_statistics(&mut self) -> Statistics {
        unreachable!("nobody asks")
    }

    fn limits(&self) -> TxLimits {
        unreachable!("nobody asks")
    }

    fn enable_interrupt(&mut self) -> Result<Option<Interrupt>, NicError> {
        unreachable!("nobody asks")
    }

    fn arm(&self) {
        self.note("arm");
        if self.fires_when_armed {
            self.fire();
        }
    }

    fn disarm(&self) -> Causes {
        self.note("disarm");
        self.says
    }

    fn stop(self, _: &mut dyn Delay) -> Result<(), NicError> {
        unreachable!("nobody asks")
    }
}

/// A time at which the waiter was idle for long, if it was at [`Duration::ZERO`].
const LATER: Duration = Duration::from_millis(100);
const SHORT: Duration = Duration::from_millis(2);

/// A waiter that was idle for long.
fn idle(waiter: &mut Waiter, nic: &Fake) {
    let rest = waiter.wait(nic, Duration::ZERO, None, &[], || panic!("too early to look"));
    assert_eq!(rest.unwrap(), Rest::default());
}

#[test]
fn a_thread_that_was_busy_a_moment_ago_goes_on_polling_and_touches_nothing() {
    let mut nic = Fake::new();
    let mut waiter = nic.waiter();
    for round in 0..10_u32 {
        let now = LATER * round;
        idle_for(&mut waiter, &nic, now, now + POLL_FOR - Duration::from_nanos(1));
        waiter.worked();
    }
    assert!(nic.calls().is_empty());
    assert_eq!(waiter.counters(), IdleCounters::default());

    fn idle_for(waiter: &mut Waiter, nic: &Fake, from: Duration, to: Duration) {
        for now in [from, to] {
            let rest = waiter.wait(nic, now, None, &[], || panic!("too early to look"));
            assert!(!rest.unwrap().slept);
        }
    }
}

#[test]
fn the_rings_are_looked_at_after_arming_and_what_is_there_prevents_the_sleep() {
    let mut nic = Fake::new();
    let mut waiter = nic.waiter();
    idle(&mut waiter, &nic);
    let began = Instant::now();
    let look = || {
        nic.note("look");
        true
    };
    let rest = waiter.wait(&nic, LATER, None, &[], look).unwrap();
    assert!(!rest.slept && began.elapsed() < LONGEST_SLEEP);
    assert_eq!(nic.calls(), ["arm", "look", "disarm"]);
    assert_eq!(waiter.counters(), IdleCounters::default());
    // It was work: polling begins anew.
    let rest = waiter.wait(&nic, 2 * LATER, None, &[], || panic!("too early to look"));
    assert!(!rest.unwrap().slept);
}

#[test]
fn a_signal_between_arming_and_sleeping_ends_the_sleep_at_once() {
    let mut nic = Fake::new();
    let mut waiter = nic.waiter();
    (nic.fires_when_armed, nic.says.receive) = (true, true);
    idle(&mut waiter, &nic);
    let began = Instant::now();
    let rest = waiter.wait(&nic, LATER, None, &[], || false).unwrap();
    assert!(began.elapsed() < LONGEST_SLEEP);
    assert!(rest.slept && rest.causes.receive && !rest.others);
    assert_eq!(nic.calls(), ["arm", "disarm"]);
    assert_eq!(nic.unmasked(), 1);
    let counters = waiter.counters();
    assert_eq!(
        (counters.sleeps, counters.interrupts, counters.wake_ups),
        (1, 1, 1)
    );
}

#[test]
fn a_signal_that_came_while_work_was_found_is_taken_and_the_line_unmasked() {
    let mut nic = Fake::new();
    let mut waiter = nic.waiter();
    nic.fires_when_armed = true;
    idle(&mut waiter, &nic);
    assert!(!waiter.wait(&nic, LATER, None, &[], || true).unwrap().slept);
    assert_eq!((nic.unmasked(), waiter.counters().interrupts), (1, 1));
    // Nothing is left of it to end the next sleep.
    nic.fires_when_armed = false;
    idle(&mut waiter, &nic);
    let rest = waiter.wait(&nic, LATER, Some(LATER + SHORT), &[], || false);
    assert!(rest.unwrap().slept);
    assert_eq!(waiter.counters().wake_ups, 0);
}

#[test]
fn a_sleep_ends_when_the_callers_time_has_come_and_is_none_where_it_is_over() {
    let mut nic = Fake::new();
    let mut waiter = nic.waiter();
    idle(&mut waiter, &nic);
    let began = Instant::now();
    let rest = waiter.wait(&nic, LATER, Some(LATER + SHORT), &[], || false);
    assert_eq!(
        rest.unwrap(),
        Rest {
            slept: true,
            ..Rest::default()
        }
    );
    assert!((SHORT..LONGEST_SLEEP).contains(&began.elapsed()));
    assert_eq!(nic.unmasked(), 0, "it has not fired");
    nic.calls();
    for until in [LATER, Duration::ZERO] {
        let rest = waiter.wait(&nic, LATER, Some(until), &[], || panic!("no time"));
        assert!(!rest.unwrap().slept);
    }
    assert!(nic.calls().is_empty());
}

#[test]
fn a_descriptor_of_the_caller_ends_a_sleep_and_a_nap() {
    let (reader, writer) = pipe().unwrap();
    drop(writer);
    let mut nic = Fake::new();
    for mut waiter in [nic.waiter(), Waiter::new(None)] {
        idle(&mut waiter, &nic);
        let rest = waiter
            .wait(&nic, LATER, None, &[reader.as_fd()], || false)
            .unwrap();
        assert!(rest.slept && rest.others && !rest.causes.any());
        assert_eq!(waiter.counters().wake_ups, 0);
    }
}

#[test]
fn a_wake_up_with_nothing_to_do_is_counted_as_spurious() {
    let mut nic = Fake::new();
    let mut waiter = nic.waiter();
    nic.fires_when_armed = true;
    idle(&mut waiter, &nic);
    waiter.wait(&nic, LATER, None, &[], || false).unwrap();
    waiter.worked();
    assert_eq!(waiter.counters().spurious, 0);
    idle(&mut waiter, &nic);
    for _ in 0..3 {
        waiter.wait(&nic, LATER, None, &[], || false).unwrap();
    }
    assert_eq!(waiter.counters().spurious, 2, "the last one is not known yet");
    // A change of the link is reason enough.
    nic.says.link = true;
    waiter.worked();
    idle(&mut waiter, &nic);
    waiter.wait(&nic, LATER, None, &[], || false).unwrap();
    idle(&mut waiter, &nic);
    assert_eq!(waiter.counters().spurious, 2);
}

#[test]
fn without_an_interrupt_naps_grow_with_the_time_nothing_came() {
    assert_eq!(nap(POLL_FOR), NAPS.0);
    assert_eq!(nap(Duration::from_millis(8)), Duration::from_millis(1));
    assert_eq!(nap(Duration::from_secs(1)), NAPS.1);
    let nic = Fake::new();
    let mut waiter = Waiter::new(None);
    idle(&mut waiter, &nic);
    let began = Instant::now();
    let rest = waiter.wait(&nic, 8 * NAPS.1, None, &[], || panic!("nothing was armed"));
    assert!(rest.unwrap().slept && began.elapsed() >= NAPS.1);
    assert!(nic.calls().is_empty());
    assert_eq!(waiter.counters().sleeps, 1);
}
