//! The 82599: 10 Gb/s, up to 16 transmit and 16 receive queues here, over which RSS spreads what arrives.
//!
//! Sections (§) are those of the *82599 10 GbE Controller Datasheet*, Intel 331520. [`open`] is the way in;
//! `init` is what §4.6 asks for, step by step.
//!
//! Packets over several buffers come in two ways: a long frame in consecutive descriptors, and, with
//! [`coalesce`](crate::port::NicConfig::coalesce), TCP segments that the device joins (RSC, §7.11), whose
//! descriptors name their successors. A queue can be asked whether it has stopped, so a queue handle that is
//! dropped gives its memory back at once.

mod init;
mod interrupt;
mod receive;
mod registers;
mod rss;
mod statistics;
mod transmit;

use std::sync::Arc;

use pagewire_bus::{Function, Interrupt};

pub use init::open;
pub use receive::ReceiveSide;
pub use transmit::TransmitSide;

use crate::life::Life;
use crate::port::{Causes, Delay, Link, Nic, NicError, Opened, SleepDelay, Statistics, TxLimits};
use crate::ring::{Receiver, Transmitter, TxDevice};
use crate::wait::ALL_ONES;
use registers::Registers;

/// A transmit queue of an 82599 on the bus of `F`.
pub type IxgbeTx<F> = Transmitter<TransmitSide<<F as Function>::Bar>>;
/// A receive queue.
pub type IxgbeRx<F> = Receiver<ReceiveSide<<F as Function>::Bar>>;

/// What [`open`] returns.
pub type IxgbeOpened<F> = Opened<Ixgbe<F>, IxgbeTx<F>, IxgbeRx<F>>;

/// An open 82599.
#[derive(Debug)]
pub struct Ixgbe<F: Function> {
    function: Arc<F>,
    registers: Registers<F::Bar>,
    mac: [u8; 6],
    queues: u16,
    statistics: Statistics,
    life: Arc<Life>,
}

impl<F: Function> Nic for Ixgbe<F> {
    fn mac(&self) -> [u8; 6] {
        self.mac
    }

    fn is_present(&self) -> bool {
        u32::from(self.registers.status()) != ALL_ONES
    }

    fn read_link(&self) -> Link {
        let links = self.registers.links();
        if !links.link_up() || u32::from(links) == ALL_ONES {
            return Link::default();
        }
        Link {
            up: true,
            mbps: links.mbps(),
            full_duplex: true,
        }
    }

    fn read_statistics(&mut self) -> Statistics {
        statistics::add(&self.registers, &mut self.statistics);
        self.statistics
    }

    fn limits(&self) -> TxLimits {
        <TransmitSide<F::Bar> as TxDevice>::LIMITS
    }

    fn enable_interrupt(&mut self) -> Result<Option<Interrupt>, NicError> {
        let interrupt = crate::interrupt::enable(&*self.function)?;
        if let Some(interrupt) = &interrupt {
            interrupt::set_up(&self.registers, interrupt.kind(), self.queues);
        }
        Ok(interrupt)
    }

    fn arm(&self) {
        interrupt::arm(&self.registers);
    }

    fn disarm(&self) -> Causes {
        interrupt::disarm(&self.registers)
    }

    fn stop(self, delay: &mut dyn Delay) -> Result<(), NicError> {
        self.shut_down(delay)
    }
}

impl<F: Function> Ixgbe<F> {
    /// Ends all DMA; whether that was confirmed decides what becomes of the queues' memory.
    fn shut_down(&self, delay: &mut dyn Delay) -> Result<(), NicError> {
        let ended = init::quiesce(&self.registers, delay)
            .and_then(|()| self.function.set_bus_master(false).map_err(NicError::from));
        let silenced = self.function.disable_interrupts();
        self.life.end(ended.is_ok());
        ended.and_then(|()| silenced.map_err(NicError::from))
    }
}

impl<F: Function> Drop for Ixgbe<F> {
    fn drop(&mut self) {
        if self.life.is_running()
            && let Err(error) = self.shut_down(&mut SleepDelay)
        {
            tracing::error!("stopping the network card: {error}");
        }
    }
}
