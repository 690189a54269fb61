//! A NIC with a stack on it: how it is set up, started and stopped.

use std::sync::Arc;
use std::time::Duration;

use pagewire_bus::DmaMapper;
use pagewire_nic::port::{Nic, NicConfig, NicError, Opened, RxQueue, SleepDelay, TxQueue};
use pagewire_stack::{Instant, Stack, StackConfig};

use super::{Driver, LiveError, Settings};

/// Descriptors of each ring.
const DESCRIPTORS: u16 = 1024;

/// How long the last packets may take to leave before the NIC is stopped.
const FLUSH: Duration = Duration::from_millis(100);

/// A NIC with a stack on it.
pub(super) struct Machine<N, T, R> {
    pub(super) driver: Driver,
    pub(super) nic: N,
    pub(super) stack: Stack<T, R>,
}

/// The driver's settings.
pub(super) fn nic_config(settings: &Settings) -> NicConfig {
    NicConfig {
        tx_descriptors: DESCRIPTORS,
        rx_descriptors: DESCRIPTORS,
        // The stack gives each frame back in the round that took it.
        rx_frames: DESCRIPTORS.into(),
        max_frame: settings.network.mtu + 14,
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

impl<N: Nic, T: TxQueue, R: RxQueue> Machine<N, T, R> {
    /// A stack on the first queue pair of an open NIC.
    pub(super) fn start(
        driver: Driver,
        opened: Opened<N, T, R>,
        mapper: Arc<dyn DmaMapper>,
        settings: &Settings,
        now: Instant,
    ) -> Result<Self, LiveError> {
        let Opened { nic, queues } = opened;
        let memory = |cause: &dyn std::fmt::Display| LiveError::Memory {
            cause: cause.to_string(),
        };
        let Some((tx, rx)) = queues.into_iter().next() else {
            return Err(memory(&"the NIC has no queues"));
        };
        let config = StackConfig {
            addresses: settings.network.addresses.clone(),
            gateways: settings.network.gateways.clone(),
            mtu: settings.network.mtu.into(),
            segmentation_offload: settings.tso,
            ..StackConfig::new(settings.network.addresses[0], settings.seed)
        };
        let stack = Stack::new(config, nic.mac(), tx, rx, nic.limits(), mapper, now)
            .map_err(|cause| memory(&cause))?;
        Ok(Self { driver, nic, stack })
    }

    /// Lets what was posted leave, within a limit: a FIN's acknowledgment, a RST.
    pub(super) fn flush(&mut self, clock: impl Fn() -> Instant) {
        let end = clock() + FLUSH.into();
        loop {
            let now = clock();
            self.stack.poll(now);
            if self.stack.tx().posted() == 0 || now >= end {
                return;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Stops the NIC: after this the device touches no memory, and all of it can be freed.
    pub(super) fn stop(self) -> Result<(), LiveError> {
        let Self { driver, nic, stack } = self;
        debug_assert!(stack.conserves_frames(), "a frame was lost");
        drop(stack);
        nic.stop(&mut SleepDelay).map_err(|error| explain(driver, error))
    }
}
