//! How much there will be to do, and how long it may take: for a word ahead, and for a bar that grows evenly.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::case::Case;
use crate::summary::count;

/// Of all runs, those included that only prove.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    cases: u64,
    rounds: u32,
    bytes: f64,
    time: Duration,
}

impl Estimate {
    pub(super) fn of(cases: &[Case], rounds: u32) -> Self {
        let nothing = Self {
            cases: cases.len() as u64,
            rounds,
            bytes: 0.0,
            time: Duration::ZERO,
        };
        cases.iter().fold(nothing, |all, case| {
            let runs = case.repeats().saturating_mul(rounds).saturating_add(1);
            Self {
                bytes: all.bytes + case.bytes as f64 * f64::from(runs),
                time: all.time + of_a_run(case) * runs,
                ..all
            }
        })
    }

    pub(super) fn time(&self) -> Duration {
        self.time
    }
}

/// A run, with all that is before and after it. Machines differ, and so do ways; over all of them this is what
/// comes out on a slow one.
pub(super) fn of_a_run(case: &Case) -> Duration {
    const BESIDE_ITS_BYTES: Duration = Duration::from_millis(10);
    const NANOSECONDS_A_BYTE: u64 = 1;
    BESIDE_ITS_BYTES + Duration::from_nanos(case.bytes * NANOSECONDS_A_BYTE)
}

/// What whoever waits for it should know.
impl Display for Estimate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in {}, {:.0} GB in all: about {} where 1 GB takes a second. --quick ends within one; fewer lengths (--size), \
             methods, receivers or --rounds take less",
            count(self.cases, "case"),
            count(self.rounds.into(), "round"),
            self.bytes / 1e9,
            count(self.time.as_secs().div_ceil(60), "minute"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Cache, Choice, Path, Way};
    use pagewire_kernel_methods::Receiver;

    #[test]
    fn it_tells_how_much_and_how_long() {
        let choice = Choice {
            ways: vec![Way::ZeroCopy],
            paths: vec![Path::Pair],
            receivers: vec![Receiver::Blocking],
            caches: Cache::ALL.to_vec(),
        };
        let cases = choice.cases(&[4096, 1 << 30]);
        let estimate = Estimate::of(&cases, 5);
        // 2 caches; 41 runs of 10 ms, and 6 of 1.084 s.
        assert_eq!(estimate.time().as_secs_f64().round(), 14.0);
        let told = estimate.to_string();
        assert!(
            told.starts_with("4 cases in 5 rounds, 13 GB in all: about 1 minute where"),
            "{told}"
        );
    }
}
