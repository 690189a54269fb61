//! One end of the wire: an emulated NIC, its driver, and a stack.

use std::sync::Arc;

use pagewire_bus::Function;
use pagewire_emu::sanitizer::Level;
use pagewire_emu::{EmulatedNic, Model, Options};
use pagewire_nic::port::{Nic, NicConfig, NicError, Opened, RxQueue, SleepDelay, TxQueue};
use pagewire_nic::{e1000, e1000e, ixgbe};
use pagewire_stack::{
    CongestionControl, Instant, IpAddress, IpCidr, ReceiveRing, SocketSizes, Stack, StackConfig,
};

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

/// A NIC with its queues, or why it did not start.
type OpenResult<F> = Result<Opened<<F as Family>::Nic, <F as Family>::Tx, <F as Family>::Rx>, NicError>;

/// A NIC family, as a type: the whole engine is compiled once for each.
pub(super) trait Family: Sized {
    const NAME: &'static str;
    const MODEL: Model;
    type Nic: Nic;
    type Tx: TxQueue + 'static;
    type Rx: RxQueue + 'static;

    fn open(device: &EmulatedNic, config: &NicConfig) -> OpenResult<Self>;
}

/// The 82540EM.
pub(super) struct E1000;

impl Family for E1000 {
    const NAME: &'static str = "e1000";
    const MODEL: Model = Model::E1000;
    type Nic = e1000::E1000<EmulatedNic>;
    type Tx = e1000::E1000Tx<EmulatedNic>;
    type Rx = e1000::E1000Rx<EmulatedNic>;

    fn open(device: &EmulatedNic, config: &NicConfig) -> OpenResult<Self> {
        e1000::open(Arc::new(device.clone()), config, &mut SleepDelay)
    }
}

/// The 82574L.
pub(super) struct E1000e;

impl Family for E1000e {
    const NAME: &'static str = "e1000e";
    const MODEL: Model = Model::E1000e;
    type Nic = e1000e::E1000e<EmulatedNic>;
    type Tx = e1000e::E1000eTx<EmulatedNic>;
    type Rx = e1000e::E1000eRx<EmulatedNic>;

    fn open(device: &EmulatedNic, config: &NicConfig) -> OpenResult<Self> {
        e1000e::open(Arc::new(device.clone()), config, &mut SleepDelay)
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

    fn open(device: &EmulatedNic, config: &NicConfig) -> OpenResult<Self> {
        ixgbe::open(Arc::new(device.clone()), config, &mut SleepDelay)
    }
}

/// One end of the wire.
pub(super) struct Machine<F: Family> {
    pub(super) device: EmulatedNic,
    pub(super) nic: F::Nic,
    pub(super) stack: Stack<F::Tx, F::Rx>,
}

/// Bytes in flight at most: what a sender's ring holds. A mebibyte measured fastest: less leaves the sender waiting for
/// acknowledgments, more pushes what the device writes out of the cache before the stack reads it.
const IN_FLIGHT: usize = 1 << 20;

/// Receive buffers and their length in bytes, where whole segments arrive.
const WHOLE_BUFFERS: (u16, u32) = (256, 16 << 10);
/// The same where frames do.
const FRAME_BUFFERS: (u16, u32) = (1024, 2048);

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
            // More than is ever in flight, so that no segment is cut at the window's edge.
            receive: 2 * IN_FLIGHT,
            transmit: plan.in_flight(),
        };
        stack_config.receive = match end {
            End::Sender => ReceiveRing::Real,
            End::Receiver => ReceiveRing::Phantom,
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

/// The driver's settings.
fn nic_config(plan: &Plan, end: End) -> NicConfig {
    let whole = plan.takes_whole_segments() && end == End::Receiver;
    let (rx_descriptors, rx_buffer) = if whole { WHOLE_BUFFERS } else { FRAME_BUFFERS };
    NicConfig {
        tx_descriptors: 1024,
        rx_descriptors,
        rx_buffer,
        // The stack gives each frame back in the round that took it, or in the next: more than a ring's worth would
        // only be more memory to pass through, and out of the cache.
        rx_frames: rx_descriptors.into(),
        max_frame: plan.mtu + 14,
        coalesce: whole,
        ..NicConfig::default()
    }
}

impl Plan {
    /// Bytes in flight at most: no more than the receiver has buffers for, so that none is missed.
    pub(super) fn in_flight(&self) -> usize {
        if self.takes_whole_segments() {
            return IN_FLIGHT;
        }
        let (buffers, len) = FRAME_BUFFERS;
        let buffers_a_frame = (u32::from(self.mtu) + 14).div_ceil(len) as usize;
        // A sixteenth is left for what is not payload: acknowledgments, address resolution.
        let frames = usize::from(buffers - buffers / 16) / buffers_a_frame;
        IN_FLIGHT.min(frames * (usize::from(self.mtu) - 40))
    }

    /// Whether TSO segments cross the wire uncut: where nothing on the wire has to see frames.
    pub(super) fn takes_whole_segments(&self) -> bool {
        self.tso && self.impairments.is_none()
    }

    /// Where one end's random numbers start.
    fn seed(&self, end: End) -> u64 {
        self.impairments.seed ^ if end == End::Sender { 0x5e4d } else { 0x4ecf }
    }
}
