//! Keeps two threads that work on one thing on different cores.
//!
//! A scheduler may put a thread that has just woken beside the one that woke it. A sender and a receiver then take turns where they
//! could work at once, for as long as it takes the scheduler to notice; what is measured is that.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Which of the two a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The one that sends.
    Sender,
    /// The one that receives.
    Receiver,
}

/// The calling thread keeps to its half of the cores until this is dropped.
#[derive(Debug)]
pub struct Apart {
    before: CpuSet,
}

impl Apart {
    /// Keeps the calling thread to one half of the cores that it may use, the other end's thread having the other half. `None`
    /// where there is but one, or the system does not let it choose.
    #[must_use]
    pub fn keep(end: Half) -> Option<Self> {
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
    fn a_thread_has_all_its_cores_again_in_the_end() {
        let before = sched_getaffinity(None).unwrap();
        drop(Apart::keep(Half::Sender));
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
