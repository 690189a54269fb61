//! A NIC with a stack on it: how it is set up, started and stopped.

use std::time::Duration as WallDuration;

use pagewire_bus::Interrupt;
use pagewire_nic::idle::Waiter;
use pagewire_nic::port::{Nic, NicConfig, NicError, Opened, RxQueue, SleepDelay, TxQueue};
use pagewire_stack::{Duration, Instant, SetupError, Stack};

use super::engine::{Parts, wall};
use super::{DOUBT, Driver, LiveError, Notice, Observer, OnCable, Settings, Waiting};

/// Descriptors of each ring.
const DESCRIPTORS: u16 = 1024;

/// How long the last packets may take to leave before the NIC is stopped.
const FLUSH: Duration = Duration::from_millis(100);

/// A NIC with a stack on it.
pub(super) struct Machine<'c, N, T, R> {
    pub(super) driver: Driver,
    /// Where the device is one that somebody must step: its NIC and cable.
    pub(super) cable: Option<&'c OnCable>,
    pub(super) nic: N,
    pub(super) stack: Stack<T, R>,
    pub(super) waiter: Waiter,
}

/// Receive buffers and their length in bytes where frames arrive, and where whole segments do: over a cable from the
/// kernel.
const FRAME_BUFFERS: (u16, u32) = (DESCRIPTORS, 2048);
const SEGMENT_BUFFERS: (u16, u32) = (128, 16 << 10);

/// The driver's settings.
pub(super) fn nic_config(settings: &Settings, cable: Option<&OnCable>) -> NicConfig {
    let coalesce = cable.is_some_and(|cable| cable.whole_segments);
    let (rx_descriptors, rx_buffer) = if coalesce { SEGMENT_BUFFERS } else { FRAME_BUFFERS };
    NicConfig {
        tx_descriptors: DESCRIPTORS,
        rx_descriptors,
        rx_buffer,
        // The stack gives each frame back in the round that took it, or in the next.
        rx_frames: rx_descriptors.into(),
        max_frame: u16::try_from(settings.stack.longest_frame()).unwrap_or(u16::MAX),
        coalesce,
        ..NicConfig::default()
    }
}

/// Adds what the driver does not know: its name, and that memory has a remedy of its own.
pub(super) fn explain(driver: Driver, error: NicError) -> LiveError {
    match error {
        NicError::Dma(cause) => LiveError::Memory {
            cause: cause.to_string(),
        },
        source => LiveError::Nic {
            driver: driver.name(),
            source,
        },
    }
}

impl<'c, N: Nic, T: TxQueue, R: RxQueue> Machine<'c, N, T, R> {
    /// A stack on the first queue pair of an open NIC, and what wakes its thread.
    pub(super) fn start(
        parts: Parts<'c>,
        opened: Opened<N, T, R>,
        settings: &Settings,
        observer: &Observer<'_>,
        now: Instant,
    ) -> Result<Self, LiveError> {
        let Parts {
            driver,
            mapper,
            cable,
        } = parts;
        let Opened { mut nic, queues } = opened;
        let Some((tx, rx)) = queues.into_iter().next() else {
            return Err(LiveError::Memory {
                cause: "the NIC has no queues".to_string(),
            });
        };
        let config = settings.stack.clone();
        let stack =
            Stack::new(config, nic.mac(), tx, rx, nic.limits(), mapper, now).map_err(
                |error| match error {
                    SetupError::Memory(cause) => LiveError::Memory {
                        cause: cause.to_string(),
                    },
                    other => LiveError::Setup(other),
                },
            )?;
        let waiter = Waiter::new(match settings.waiting {
            Waiting::Interrupts => interrupt(&mut nic, observer),
            Waiting::Naps => None,
        });
        Ok(Self {
            driver,
            cable,
            nic,
            stack,
            waiter,
        })
    }

    /// How long an emulated NIC has spent in doorbells so far; a card's cost a write each.
    pub(super) fn doorbell_time(&self) -> WallDuration {
        self.cable
            .map_or(WallDuration::ZERO, |cable| cable.nic().doorbell_time())
    }

    /// Lets what was posted leave, within a limit: a FIN's acknowledgment, a RST. Where a peer `may_ask` whether that was meant,
    /// it stays to answer for as long as one may, which is longer.
    pub(super) fn flush(&mut self, may_ask: bool, clock: impl Fn() -> Instant) {
        let until = clock() + if may_ask { DOUBT } else { FLUSH };
        loop {
            let now = clock();
            self.stack.poll(now);
            if let Some(cable) = self.cable {
                cable.step(wall(now));
            }
            let left = self.stack.tx().posted() == 0;
            if now >= until || (left && !may_ask) {
                return;
            }
            std::thread::sleep(WallDuration::from_micros(100));
        }
    }

    /// Stops the NIC: after this the device touches no memory, and all of it can be freed.
    pub(super) fn stop(self) -> Result<(), LiveError> {
        let Self {
            driver, nic, stack, ..
        } = self;
        debug_assert!(stack.conserves_frames(), "a frame was lost");
        drop(stack);
        nic.stop(&mut SleepDelay).map_err(|error| explain(driver, error))
    }
}

/// The NIC's interrupt; without one the machine works too.
fn interrupt<N: Nic>(nic: &mut N, observer: &Observer<'_>) -> Option<Interrupt> {
    let reason = match nic.enable_interrupt() {
        Ok(Some(interrupt)) => return Some(interrupt),
        Ok(None) => "it has none here".to_string(),
        Err(error) => error.to_string(),
    };
    (observer.tell)(Notice::NoInterrupts { reason });
    None
}
