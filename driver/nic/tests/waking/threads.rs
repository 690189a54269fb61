//! Threads that sleep whenever they can, on real time: they answer every frame, and cost next to nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pagewire_bus::InterruptKind;
use pagewire_emu::Model;
use pagewire_emu::schedule::Threaded;
use pagewire_nic::idle::{IdleCounters, POLL_FOR, Waiter};
use pagewire_nic::port::{Nic, Opened, RxQueue, TxOffload, TxQueue};
use pagewire_nic::{e1000, e1000e, ixgbe};

use crate::emulated::{IxgbeEnd, NoDelay, device, open_ixgbe, pattern, plug};
use crate::fate::Fated;
use crate::near::Near;
use crate::{KINDS, promiscuous};

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
