//! One thread, on which everything happens at every moment of a wait.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_bus::Interrupt;
use pagewire_emu::Model;
use pagewire_nic::idle::{POLL_FOR, Waiter};
use pagewire_nic::port::{Nic, Opened, RxQueue, TxQueue};
use pagewire_nic::{e1000, e1000e, ixgbe};

use crate::emulated::{NoDelay, device, open_ixgbe, plug};
use crate::fate::{EVENTS, Event, Fate, Fated, World, lock};
use crate::near::Near;
use crate::{KINDS, promiscuous};

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
