//! Keeps two threads that work on one thing on different cores.
//!
//! A scheduler may put a thread that has just woken beside the one that woke it. A sender and a receiver then take turns where they
//! could work at once, for as long as it takes the scheduler to notice; what is measured is that.

use std::io;
use std::panic::resume_unwind;
use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Runs the two ends of a transfer at once: `send` on a thread named "sender", `receive` on the calling one, each with its
/// half of the cores, where there are two to choose from. Returns what both have returned when both have; the calling
/// thread may use all its cores again then. A panic of either end goes on in the caller, once the other end is done.
///
/// # Errors
/// There is no thread for the sender; nothing was run.
pub fn at_both_ends<S: Send, R>(
    send: impl FnOnce() -> S + Send,
    receive: impl FnOnce() -> R,
) -> io::Result<(S, R)> {
    thread::scope(|scope| {
        let sender = thread::Builder::new()
            .name("sender".into())
            .spawn_scoped(scope, || {
                let _apart = Apart::keep(Half::Sender);
                send()
            })?;
        let apart = Apart::keep(Half::Receiver);
        let received = receive();
        drop(apart);
        let sent = sender.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok((sent, received))
    })
}

/// Which of the two a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Sender,
    Receiver,
}

/// The calling thread keeps to its half of the cores until this is dropped.
#[derive(Debug)]
struct Apart {
    before: CpuSet,
}

impl Apart {
    /// Keeps the calling thread to one half of the cores that it may use, the other end's thread having the other half. `None`
    /// where there is but one, or the system does not let it choose.
    fn keep(end: Half) -> Option<Self> {
        let before = sched_getaffinity(None).ok()?;
        sched_setaffinity(None, &half_of(&before, end)?).ok()?;
        Some(Self { before })
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // It was allowed before.
        let _ = sched_setaffinity(None, &self.before);
    }
}

/// One half of the cores; the receiver has the one more of an odd number.
fn half_of(all: &CpuSet, end: Half) -> Option<CpuSet> {
    let count = all.count() as usize;
    if count < 2 {
        return None;
    }
    let mut half = CpuSet::new();
    let cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
    for (number, core) in cores.enumerate() {
        let receives = number < count.div_ceil(2);
        if receives == (end == Half::Receiver) {
            half.set(core);
        }
    }
    Some(half)
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::sync::Barrier;

    use super::*;

    fn cores(numbers: &[usize]) -> CpuSet {
        let mut set = CpuSet::new();
        numbers.iter().for_each(|number| set.set(*number));
        set
    }

    #[test]
    fn the_halves_have_every_core_once() {
        for all in [&[0, 1][..], &[2, 5, 7], &[0, 1, 2, 3, 64, 65]] {
            let halves = [Half::Receiver, Half::Sender].map(|end| half_of(&cores(all), end).unwrap());
            for core in 0..CpuSet::MAX_CPU {
                let has = halves.iter().filter(|half| half.is_set(core)).count();
                assert_eq!(has, usize::from(all.contains(&core)), "core {core} of {all:?}");
            }
            assert!(halves.iter().all(|half| half.count() > 0), "{all:?}");
        }
        assert_eq!(half_of(&cores(&[3]), Half::Sender), None);
    }

    #[test]
    fn both_ends_run_at_once_on_cores_of_their_own() {
        let both = Barrier::new(2);
        let cores = || {
            both.wait();
            sched_getaffinity(None).unwrap()
        };
        let before = sched_getaffinity(None).unwrap();
        let (sender, receiver) = at_both_ends(cores, cores).unwrap();
        if before.count() > 1 {
            assert_eq!(Some(sender), half_of(&before, Half::Sender));
            assert_eq!(Some(receiver), half_of(&before, Half::Receiver));
        }
        assert_eq!(sched_getaffinity(None).unwrap(), before, "afterwards");
    }

    #[test]
    fn a_panic_of_the_sender_reaches_the_caller_as_it_is() {
        let caught = catch_unwind(|| at_both_ends(|| panic!("no more paper"), || ()));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"no more paper"));
    }
}
