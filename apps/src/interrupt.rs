//! Ctrl-C: the first one asks the transfer to stop and everything to be freed, the second ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

/// Whether, and by which signal, the person wants it to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt {
    stop: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Takes over SIGINT, SIGTERM and SIGHUP.
    ///
    /// SIGXFSZ (an output beyond `ulimit -f`) gets a handler that does nothing, so that the write fails with an error
    /// that can be told.
    pub(crate) fn install() -> io::Result<Self> {
        let interrupt = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The order matters: the shutdown looks at the flag that an earlier signal has set.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&interrupt.stop))?;
            flag::register_usize(
                signal,
                Arc::clone(&interrupt.signal),
                usize::try_from(signal).unwrap_or(0),
            )?;
            flag::register(signal, Arc::clone(&interrupt.stop))?;
        }
        flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        Ok(interrupt)
    }

    /// The flag that a signal raises.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.stop
    }

    /// Whether a signal has come.
    pub(crate) fn raised(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// 128 + the signal's number: 130 for Ctrl-C.
    pub(crate) fn exit_code(&self) -> u8 {
        let signal = match self.signal.load(Ordering::Relaxed) {
            0 => SIGINT as usize,
            signal => signal,
        };
        u8::try_from(128 + signal).unwrap_or(130)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_signal_nothing_is_raised_and_the_code_is_that_of_ctrl_c() {
        let interrupt = Interrupt::default();
        assert!(!interrupt.raised());
        assert_eq!(interrupt.exit_code(), 130);
    }
}
