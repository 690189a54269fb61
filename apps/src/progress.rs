//! The bar: on a terminal it shows how much is done, the rate and the time left; in a pipe there is none.
//!
//! Whoever moves bytes only stores a number; a thread of the bar's own looks at it ten times a second.

use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);
const LAYOUT: &str = "{msg} {wide_bar} {percent:>3} %  {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left";

/// Where nobody knows how much will come.
const LAYOUT_ENDLESS: &str = "{msg} {spinner}  {decimal_bytes}  {decimal_bytes_per_sec}";

/// Of work that is counted by the time it is expected to take.
const LAYOUT_WORK: &str = "{msg} {wide_bar} {percent:>3} %  {eta} left";

/// A bar that goes when it is dropped.
pub(crate) struct Progress {
    done: Arc<AtomicU64>,
    ticker: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Progress {
    /// Shows `length` bytes under a word such as "sending", if there is a terminal to show it on. Without a length it
    /// shows how many there are by now.
    pub(crate) fn begin(doing: &'static str, length: Option<u64>) -> Self {
        let layout = if length.is_some() { LAYOUT } else { LAYOUT_ENDLESS };
        Self::with(layout, doing, length)
    }

    /// Shows how much is done of work that is expected to take so long, and how long the rest takes at the pace so far.
    pub(crate) fn of_work(doing: &'static str, expected: Duration) -> Self {
        Self::with(LAYOUT_WORK, doing, Some(expected.as_micros() as u64))
    }

    fn with(layout: &'static str, doing: &'static str, length: Option<u64>) -> Self {
        let done = Arc::new(AtomicU64::new(0));
        let ticker = stderr()
            .is_terminal()
            .then(|| start_ticker(layout, doing, length, &done))
            .flatten();
        Self { done, ticker }
    }

    /// So much more of the expected work is done.
    pub(crate) fn add(&self, expected: Duration) {
        self.done
            .fetch_add(expected.as_micros() as u64, Ordering::Relaxed);
    }

    /// The number that the work stores its progress in.
    pub(crate) fn counter(&self) -> &AtomicU64 {
        &self.done
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, ticker)) = self.ticker.take() {
            end.store(true, Ordering::Relaxed);
            ticker.thread().unpark();
            let _ = ticker.join();
        }
    }
}

fn start_ticker(
    layout: &'static str,
    doing: &'static str,
    length: Option<u64>,
    done: &Arc<AtomicU64>,
) -> Option<(Arc<AtomicBool>, JoinHandle<()>)> {
    let end = Arc::new(AtomicBool::new(false));
    let (done, until) = (Arc::clone(done), Arc::clone(&end));
    let style = ProgressStyle::with_template(layout).ok()?.progress_chars("=> ");
    let ticker = thread::Builder::new().name("progress".into()).spawn(move || {
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        bar.set_style(style);
        bar.set_message(doing);
        while !until.load(Ordering::Relaxed) {
            bar.set_position(done.load(Ordering::Relaxed));
            thread::park_timeout(TICK);
        }
        bar.finish_and_clear();
    });
    // Without a bar the work is the same.
    Some((end, ticker.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layouts_are_ones_that_indicatif_understands() {
        for layout in [LAYOUT, LAYOUT_ENDLESS, LAYOUT_WORK] {
            assert!(ProgressStyle::with_template(layout).is_ok());
        }
    }

    #[test]
    fn a_ticker_ends_when_the_bar_is_dropped() {
        let done = Arc::new(AtomicU64::new(5));
        let ticker = start_ticker(LAYOUT, "testing", Some(10), &done);
        assert!(ticker.is_some());
        let progress = Progress { done, ticker };
        assert_eq!(progress.counter().load(Ordering::Relaxed), 5);
        drop(progress);
    }
}
