//! How much CPU time a thread has used.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time that the calling thread has used since it began.
pub fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
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
}
