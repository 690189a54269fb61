//! The 82540EM and what its descendants kept: 1 Gb/s, one transmit and one receive queue.
//!
//! Sections (§) are those of the *PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's
//! Manual*, Intel 317453. [`open`] is the way in; `init` is what the manual's §14 asks for, step by step.
//! Registers and descriptors of the line stayed where they were, so the driver is written once, over a
//! `Chip`: what a controller does in its own way. `chip` has the 82540EM's, [`e1000e`](crate::e1000e) that of
//! the 82574L.
//!
//! What these devices lack, or the driver leaves alone: RSS and a second queue pair; receive coalescing (with
//! [`coalesce`](crate::port::NicConfig::coalesce) they merely take packets of any length, over as many buffers
//! as they need); and a way to ask whether one queue has stopped, so that a queue's memory waits for the
//! reset of the device.

pub(crate) mod chip;
pub(crate) mod init;
mod interrupt;
mod receive;
pub(crate) mod registers;
mod statistics;
mod transmit;

use std::marker::PhantomData;
use std::sync::Arc;

use pagewire_bus::{Function, Interrupt};
use pagewire_spec::e1000::Status;

pub use chip::{Chip, Chip82540};
pub use interrupt::CauseBits;
pub use receive::ReceiveSide;
pub use transmit::TransmitSide;

use crate::life::Life;
use crate::port::{Causes, Delay, Link, Nic, NicConfig, NicError, Opened, SleepDelay, Statistics, TxLimits};
use crate::ring::{Receiver, Transmitter, TxDevice};
use crate::wait::ALL_ONES;
use registers::Registers;

/// The transmit queue of a controller `C` on the bus of `F`.
pub type E1000Tx<F, C = Chip82540> = Transmitter<TransmitSide<<F as Function>::Bar, C>>;
/// Its receive queue.
pub type E1000Rx<F> = Receiver<ReceiveSide<<F as Function>::Bar>>;

/// What [`open`] returns.
pub type E1000Opened<F, C = Chip82540> = Opened<E1000<F, C>, E1000Tx<F, C>, E1000Rx<F>>;

/// An open 82540EM, or another controller `C` of its line.
#[derive(Debug)]
pub struct E1000<F: Function, C: Chip = Chip82540> {
    function: Arc<F>,
    registers: Registers<F::Bar>,
    mac: [u8; 6],
    statistics: Statistics,
    life: Arc<Life>,
    chip: PhantomData<C>,
}

/// Opens an 82540EM: reset, station address, rings, link. It receives when this returns, whether the link is
/// up already or not.
///
/// # Errors
/// [`NicError`] says which step failed. The device is stopped then, as far as it answers, and nothing of it
/// is left.
pub fn open<F: Function>(
    function: Arc<F>,
    config: &NicConfig,
    delay: &mut dyn Delay,
) -> Result<E1000Opened<F>, NicError> {
    init::open(function, config, delay)
}

impl<F: Function, C: Chip> Nic for E1000<F, C> {
    fn mac(&self) -> [u8; 6] {
        self.mac
    }

    fn is_present(&self) -> bool {
        u32::from(self.registers.status()) != ALL_ONES
    }

    fn read_link(&self) -> Link {
        let status: Status = self.registers.status();
        if !status.lu() || u32::from(status) == ALL_ONES {
            return Link::default();
        }
        Link {
            up: true,
            mbps: status.mbps(),
            full_duplex: status.fd(),
        }
    }

    fn read_statistics(&mut self) -> Statistics {
        statistics::add(&self.registers, &mut self.statistics);
        self.statistics
    }

    fn limits(&self) -> TxLimits {
        <TransmitSide<F::Bar, C> as TxDevice>::LIMITS
    }

    fn enable_interrupt(&mut self) -> Result<Option<Interrupt>, NicError> {
        let interrupt = crate::interrupt::enable(&*self.function)?;
        if let Some(interrupt) = &interrupt {
            C::set_up_interrupt(&self.registers, interrupt.kind());
        }
        Ok(interrupt)
    }

    fn arm(&self) {
        interrupt::arm::<_, C>(&self.registers);
    }

    fn disarm(&self) -> Causes {
        interrupt::disarm::<_, C>(&self.registers)
    }

    fn stop(self, delay: &mut dyn Delay) -> Result<(), NicError> {
        self.shut_down(delay)
    }
}

impl<F: Function, C: Chip> E1000<F, C> {
    /// Ends all DMA; whether that was confirmed decides what becomes of the queues' memory.
    fn shut_down(&self, delay: &mut dyn Delay) -> Result<(), NicError> {
        let ended = init::quiesce::<_, C>(&self.registers, delay)
            .and_then(|()| self.function.set_bus_master(false).map_err(NicError::from));
        let silenced = self.function.disable_interrupts();
        self.life.end(ended.is_ok());
        ended.and_then(|()| silenced.map_err(NicError::from))
    }
}

impl<F: Function, C: Chip> Drop for E1000<F, C> {
    fn drop(&mut self) {
        if self.life.is_running()
            && let Err(error) = self.shut_down(&mut SleepDelay)
        {
            tracing::error!("stopping the network card: {error}");
        }
    }
}
