//! One end of the wire: an emulated NIC, its driver, and a stack.

use std::sync::Arc;

use pagewire_bus::Function;
use pagewire_emu::sanitizer::Level;
use pagewire_emu::{EmulatedNic, Model, Options};
use pagewire_nic::port::{Nic, NicConfig, NicError, Opened, RxQueue, SleepDelay, TxQueue};
use pagewire_nic::{e1000, ixgbe};
use pagewire_stack::{CongestionControl, Instant, IpAddress, IpCidr, SocketSizes, Stack, StackConfig};

use super::{Plan, SanitizerLevel, TransferError};

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Sender,
    Receiver,
}

impl End {
    fn mac(self) -> [u8; 6] {
        // Locally administered (IEEE 802): bit 1 of the first byte.
        [0x02, 0, 0, 0, 0, if self == Self::Sender { 1 } else { 2 }]
    }

    pub(super) fn address(self) -> IpAddress {
        IpAddress::v4(10, 0, 0, if self == Self::Sender { 1 } else { 2 })
    }
}

/// A NIC family, as a type: the whole engine is compiled once for each.
pub(super) trait Family {
    const NAME: &'static str;
    const MODEL: Model;
    type Nic: Nic;
    type Tx: TxQueue + 'static;
    type Rx: RxQueue + 'static;

    fn open(
        device: &EmulatedNic,
        config: &NicConfig,
    ) -> Result<Opened<Self::Nic, Self::Tx, Self::Rx>, NicError>;
}

/// The 82540EM.
pub(super) struct E1000;

impl Family for E1000 {
    const NAME: &'static str = "e1000";
    const MODEL: Model = Model::E1000;
    type Nic = e1000::E1000<EmulatedNic>;
    type Tx = e1000::E1000Tx<EmulatedNic>;
    type Rx = e1000::E1000Rx<EmulatedNic>;

    fn open(
        device: &EmulatedNic,
        config: &NicConfig,
    ) -> Result<Opened<Self::Nic, Self::Tx, Self::Rx>, NicError> {
        e1000::open(Arc::new(device.clone()), config, &mut SleepDelay)
    }
}

/// The 82599.
pub(super) struct Ixgbe;

impl Family for Ixgbe {
    const NAME: &'static str = "ixgbe";
    const MODEL: Model = Model::Ixgbe;
    type Nic = ixgbe::Ixgbe<EmulatedNic>;
    type Tx = ixgbe::IxgbeTx<EmulatedNic>;
    type Rx = ixgbe::IxgbeRx<EmulatedNic>;

    fn open(
        device: &EmulatedNic,
        config: &NicConfig,
    ) -> Result<Opened<Self::Nic, Self::Tx, Self::Rx>, NicError> {
        ixgbe::open(Arc::new(device.clone()), config, &mut SleepDelay)
    }
}

/// One end of the wire.
pub(super) struct Machine<F: Family> {
    pub(super) device: EmulatedNic,
    pub(super) nic: F::Nic,
    pub(super) stack: Stack<F::Tx, F::Rx>,
}

/// Bytes in flight at most: the window a receiver offers, and the ring a sender fills. Small enough that
/// what the device writes is still in the cache when the stack reads it.
const WINDOW: usize = 512 << 10;

impl<F: Family> Machine<F> {
    /// An emulated device of the family, not yet plugged to anything.
    pub(super) fn device(plan: &Plan, end: End) -> EmulatedNic {
        EmulatedNic::new(&Options {
            sanitizer: match plan.sanitizer {
                SanitizerLevel::On => Level::On,
                SanitizerLevel::Full => Level::Full,
            },
            whole_segments: plan.takes_whole_segments(),
            ..Options::new(F::MODEL, end.mac())
        })
    }

    /// Starts the driver and the stack on `device`.
    pub(super) fn start(
        device: EmulatedNic,
        plan: &Plan,
        end: End,
        now: Instant,
    ) -> Result<Self, TransferError> {
        let config = nic_config(plan, end);
        let opened = F::open(&device, &config).map_err(|error| match error {
            NicError::Dma(cause) => TransferError::Memory {
                cause: cause.to_string(),
            },
            other => TransferError::Device {
                nic: F::NAME,
                cause: other.to_string(),
            },
        })?;
        let Opened { nic, queues } = opened;
        let Some((tx, rx)) = queues.into_iter().next() else {
            return Err(TransferError::Device {
                nic: F::NAME,
                cause: "it has no queues".to_string(),
            });
        };
        let mut stack_config = StackConfig::new(IpCidr::new(end.address(), 24), plan.seed(end));
        stack_config.mtu = usize::from(plan.mtu);
        stack_config.segmentation_offload = plan.tso;
        stack_config.sockets = SocketSizes {
            receive: WINDOW,
            transmit: WINDOW,
        };
        stack_config.congestion = if plan.impairments.is_none() {
            CongestionControl::None
        } else {
            CongestionControl::Cubic
        };
        let mapper = device.mapper();
        let stack =
            Stack::new(stack_config, nic.mac(), tx, rx, nic.limits(), mapper, now).map_err(|cause| {
                TransferError::Memory {
                    cause: cause.to_string(),
                }
            })?;
        Ok(Self { device, nic, stack })
    }

    /// Stops the NIC: after this the device touches no memory, and all of it can be freed.
    pub(super) fn stop(self) -> Result<(), TransferError> {
        debug_assert!(self.stack.conserves_frames(), "a frame was lost");
        drop(self.stack);
        self.nic
            .stop(&mut SleepDelay)
            .map_err(|cause| TransferError::Device {
                nic: F::NAME,
                cause: cause.to_string(),
            })
    }
}

/// The driver's settings. The receiver's ring holds more than a window, so that the window is what limits a
/// sender and no frame is missed.
fn nic_config(plan: &Plan, end: End) -> NicConfig {
    let whole = plan.takes_whole_segments() && end == End::Receiver;
    let (rx_descriptors, rx_buffer) = if whole { (64, 16 << 10) } else { (1024, 2048) };
    NicConfig {
        tx_descriptors: 1024,
        rx_descriptors,
        rx_buffer,
        max_frame: plan.mtu + 14,
        coalesce: whole,
        ..NicConfig::default()
    }
}

impl Plan {
    /// Whether TSO segments cross the wire uncut: where nothing on the wire has to see frames.
    pub(super) fn takes_whole_segments(&self) -> bool {
        self.tso && self.impairments.is_none()
    }

    /// Where one end's random numbers start.
    fn seed(&self, end: End) -> u64 {
        self.impairments.seed ^ if end == End::Sender { 0x5e4d } else { 0x4ecf }
    }
}
