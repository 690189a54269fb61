//! What was counted, and what it cost.

use pagewire_bus::MapperCounters;
use pagewire_emu::cable::Lost;
use pagewire_emu::wire::WireCounters;
use pagewire_nic::idle::IdleCounters;
use pagewire_nic::port::{Link, Nic, RxCounters, RxQueue, Statistics, TxCounters, TxQueue};
use pagewire_stack::StackCounters;

use super::machine::Machine;
use super::{Driver, OnCable};

/// What has been counted so far, at every floor.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// Who drives the NIC.
    pub driver: Driver,
    /// Whether it interrupts; it is polled otherwise.
    pub interrupts: bool,
    /// The link.
    pub link: Link,
    /// The NIC's own counters.
    pub nic: Statistics,
    /// What became of frames on an emulated NIC's cable, in both directions; zeros with a NIC in a slot.
    pub wire: WireCounters,
    /// What was lost where a cable meets the kernel; `None` where there is no such cable, or its end does not know.
    pub cable: Option<Lost>,
    /// The driver's transmit queue.
    pub tx: TxCounters,
    /// Its receive queue.
    pub rx: RxCounters,
    /// The stack.
    pub stack: StackCounters,
    /// Memory mapped for the device.
    pub mapper: MapperCounters,
    /// Sleeps and wake-ups.
    pub idle: IdleCounters,
}

impl Counters {
    /// Reads a machine's counters, the NIC's registers among them.
    pub(super) fn read<N: Nic, T: TxQueue, R: RxQueue>(machine: &mut Machine<'_, N, T, R>) -> Self {
        Self {
            driver: machine.driver,
            interrupts: machine.waiter.has_interrupt(),
            link: machine.nic.read_link(),
            nic: machine.nic.read_statistics(),
            wire: machine.cable.map(OnCable::wire_counters).unwrap_or_default(),
            cable: machine.cable.and_then(OnCable::lost),
            tx: machine.stack.tx().counters(),
            rx: machine.stack.rx().counters(),
            stack: machine.stack.counters(),
            mapper: machine.stack.mapper().counters(),
            idle: machine.waiter.counters(),
        }
    }
}

/// What a machine's work has cost.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Seconds of the application's work, without the time before a peer was there.
    pub seconds: f64,
    /// Seconds before that: stack set up, link and peer waited for.
    pub setup_seconds: f64,
    /// Of these, those in which the application began: where a file is not in memory, that is when it is read.
    pub beginning_seconds: f64,
    /// CPU seconds of the same.
    pub beginning_cpu_s: f64,
    /// CPU seconds of stack, driver and application after that, without rounds that found nothing.
    pub cpu_s: f64,
    /// CPU seconds of those rounds.
    pub idle_poll_cpu_s: f64,
    /// CPU seconds of the emulated device, and of what the kernel did with its packets meanwhile; 0 where the device is
    /// real.
    pub device_cpu_s: f64,
    /// What was counted up to the end.
    pub counters: Counters,
}
