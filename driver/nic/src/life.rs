//! What a NIC and the handles of its queues share: whether the device runs, and memory that waits for its
//! end.
//!
//! A queue that is dropped turns itself off and asks the device to confirm that. Where the device confirms,
//! the queue's memory goes at once. Where it cannot (the 82540EM has nothing to ask) or does not, the memory
//! is *retired*: it waits here for the reset of the whole device. A confirmed reset frees it; an unconfirmed
//! one leaks it, because a device that still writes must not write into memory that belongs to somebody else
//! by now.

use std::any::Any;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

/// The device may read and write memory.
const RUNNING: u8 = 0;
/// A reset was confirmed: the device touches no memory any more.
const STOPPED: u8 = 1;
/// The device did not confirm its reset: nobody knows what it still touches.
const LOST: u8 = 2;

/// Shared by the handles of one opened device.
pub(crate) struct Life {
    state: AtomicU8,
    retired: Mutex<Vec<Box<dyn Any + Send>>>,
}

impl Life {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU8::new(RUNNING),
            retired: Mutex::new(Vec::new()),
        }
    }

    /// Whether the queues may touch the device.
    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.state.load(Ordering::Relaxed) == RUNNING
    }

    /// Takes the memory of a queue that ended. `confirmed`: the device said that it is done with it.
    pub(crate) fn retire(&self, memory: impl Any + Send, confirmed: bool) {
        let mut retired = self.lock();
        match self.state.load(Ordering::Relaxed) {
            _ if confirmed => drop(memory),
            RUNNING => retired.push(Box::new(memory)),
            STOPPED => drop(memory),
            _ => std::mem::forget(memory),
        }
    }

    /// The device as a whole was stopped, or was not to be stopped.
    pub(crate) fn end(&self, confirmed: bool) {
        let mut retired = self.lock();
        self.state
            .store(if confirmed { STOPPED } else { LOST }, Ordering::Relaxed);
        let memory = std::mem::take(&mut *retired);
        if !confirmed {
            tracing::error!(
                queues = memory.len(),
                "the network card did not confirm that it stopped: memory that it may still reach is never freed"
            );
            std::mem::forget(memory);
        }
    }

    /// Retired memory is a plain list: it is whole even after a panic elsewhere.
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Box<dyn Any + Send>>> {
        self.retired
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Life {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.state.load(Ordering::Relaxed) {
            RUNNING => "running",
            STOPPED => "stopped",
            _ => "lost",
        };
        write!(f, "Life({state})")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn memory_of_an_unconfirmed_queue_waits_for_the_reset() {
        let life = Life::new();
        let memory = Arc::new(());
        life.retire(Arc::clone(&memory), true);
        assert_eq!(Arc::strong_count(&memory), 1);
        life.retire(Arc::clone(&memory), false);
        assert_eq!(Arc::strong_count(&memory), 2);
        life.end(true);
        assert_eq!(Arc::strong_count(&memory), 1);
        life.retire(Arc::clone(&memory), false);
        assert_eq!(Arc::strong_count(&memory), 1);
        assert!(!life.is_running());
    }

    #[test]
    fn memory_of_a_device_that_cannot_be_stopped_is_leaked() {
        let life = Life::new();
        let memory = Arc::new(());
        life.retire(Arc::clone(&memory), false);
        life.end(false);
        life.retire(Arc::clone(&memory), false);
        assert_eq!(Arc::strong_count(&memory), 3);
    }
}
