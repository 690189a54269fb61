//! What work has cost: CPU time of a thread, of a process and of everybody, memory, and how often a thread gave up its core. And what
//! keeps two threads that are measured from sharing one.

mod apart;
mod process;

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

pub use apart::at_both_ends;
pub use process::{PrivateMemory, private_memory, threads_time};
use rustix::time::{ClockId, clock_gettime};

use process::runtime;

/// CPU time that the calling thread has used since it began.
#[must_use]
pub fn thread_time() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

fn clock(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// CPU time of all that works for this process: its own threads, with whatever the kernel does in their name, and the kernel's
/// ksoftirqd threads, which take over the network's work where there is too much of it. Others who use the network at the
/// same time are counted in.
#[derive(Clone, Copy, Debug)]
pub struct Total(Duration);

impl Total {
    /// Since this process, and the kernel, began.
    #[must_use]
    pub fn now() -> Self {
        let softirq = softirq_threads()
            .iter()
            .map(|thread| runtime(thread).unwrap_or_default());
        Self(clock(ClockId::ProcessCPUTime) + softirq.sum())
    }

    /// Since an earlier one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The folder of each ksoftirqd; none where other processes cannot be seen.
fn softirq_threads() -> &'static [PathBuf] {
    static THREADS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    THREADS.get_or_init(|| {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let softirq = processes.map(|entry| entry.path()).filter(|path| {
            fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("ksoftirqd/"))
        });
        softirq.collect()
    })
}

/// How often a thread gave up its core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// Because it had to wait.
    pub voluntary: u64,
    /// Because somebody else's turn came.
    pub involuntary: u64,
}

impl Switches {
    /// Both kinds.
    #[must_use]
    pub fn all(self) -> u64 {
        self.voluntary + self.involuntary
    }

    /// Since an earlier one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            voluntary: self.voluntary.saturating_sub(earlier.voluntary),
            involuntary: self.involuntary.saturating_sub(earlier.involuntary),
        }
    }
}

/// Those of the calling thread since it began; none where /proc is not there.
#[must_use]
pub fn switches() -> Switches {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    Switches {
        voluntary: field("voluntary_ctxt_switches:"),
        involuntary: field("nonvoluntary_ctxt_switches:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn sleep_costs_no_cpu_and_work_does() {
        let before = thread_time();
        std::thread::sleep(Duration::from_millis(50));
        let slept = thread_time() - before;
        assert!(slept < Duration::from_millis(25), "{slept:?}");

        let wall = Instant::now();
        let before = thread_time();
        let mut sum = 0u64;
        // Bounded by wall time, so that a stalled clock fails the test instead of hanging it.
        while thread_time() - before < Duration::from_millis(5) && wall.elapsed() < Duration::from_secs(10) {
            sum = std::hint::black_box(sum.wrapping_mul(31) + 1);
        }
        assert!(thread_time() - before >= Duration::from_millis(5));
    }

    #[test]
    fn a_thread_that_sleeps_gives_up_its_core() {
        let before = switches();
        (0..5).for_each(|_| std::thread::sleep(Duration::from_millis(1)));
        let since = switches().since(before);
        // One whose core is taken while it is about to sleep may find its time over when it has it again.
        assert!(since.voluntary > 0 && since.all() >= 5, "{since:?}");
    }

    #[test]
    fn the_total_has_what_every_thread_used() {
        let before = Total::now();
        let worked = std::thread::spawn(|| {
            while thread_time() < Duration::from_millis(20) {
                std::hint::black_box(thread_time());
            }
        });
        worked.join().unwrap();
        assert!(Total::now().since(before) >= Duration::from_millis(20));
    }
}
