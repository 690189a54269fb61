//! The 82540EM: 1 Gb/s, one transmit and one receive queue.
//!
//! Sections (§) are those of the *PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's
//! Manual*, Intel
//! 317453. [`open`] is the way in; `init` is what the manual's §14 asks for, step by step.
//!
//! What this device lacks: RSS and a second queue pair; receive coalescing (with
//! [`coalesce`](crate::port::NicConfig::coalesce) it merely takes packets of any length, over as many buffers
//! as they need); and a way to ask whether one queue has stopped, so that a queue's memory waits for the
//! reset of the device.

mod init;
mod receive;
mod registers;
mod statistics;
mod transmit;

use std::sync::Arc;

use pagewire_bus::Function;
use pagewire_spec::e1000::Status;

pub use init::open;
pub use receive::ReceiveSide;
pub use transmit::TransmitSide;

use crate::life::Life;
use crate::port::{Delay, Link, Nic, NicError, Opened, SleepDelay, Statistics, TxLimits};
use crate::ring::{Receiver, Transmitter, TxDevice};
use crate::wait::ALL_ONES;
use registers::Registers;

/// The transmit queue of an 82540EM on the bus of `F`.
pub type E1000Tx<F> = Transmitter<TransmitSide<<F as Function>::Bar>>;
/// Its receive queue.
pub type E1000Rx<F> = Receiver<ReceiveSide<<F as Function>::Bar>>;

/// What [`open`] returns.
pub type E1000Opened<F> = Opened<E1000<F>, E1000Tx<F>, E1000Rx<F>>;

/// An open 82540EM.
#[derive(Debug)]
pub struct E1000<F: Function> {
    function: Arc<F>,
    registers: Registers<F::Bar>,
    mac: [u8; 6],
    statistics: Statistics,
    life: Arc<Life>,
}

impl<F: Function> Nic for E1000<F> {
    fn mac(&self) -> [u8; 6] {
        self.mac
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
        <TransmitSide<F::Bar> as TxDevice>::LIMITS
    }

    fn stop(self, delay: &mut dyn Delay) -> Result<(), NicError> {
        self.shut_down(delay)
    }
}

impl<F: Function> E1000<F> {
    /// Ends all DMA; whether that was confirmed decides what becomes of the queues' memory.
    fn shut_down(&self, delay: &mut dyn Delay) -> Result<(), NicError> {
        let ended = init::quiesce(&self.registers, delay)
            .and_then(|()| self.function.set_bus_master(false).map_err(NicError::from));
        self.life.end(ended.is_ok());
        ended
    }
}

impl<F: Function> Drop for E1000<F> {
    fn drop(&mut self) {
        if self.life.is_running()
            && let Err(error) = self.shut_down(&mut SleepDelay)
        {
            tracing::error!("stopping the network card: {error}");
        }
    }
}
