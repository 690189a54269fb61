//! What it cost.

use pagewire_nic::port::{Link, Nic, RxQueue, Statistics, TxQueue};

use super::Driver;
use super::machine::Machine;

/// What a machine's work has cost, counted up to its end.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Who drove the NIC.
    pub driver: Driver,
    /// The link at the end.
    pub link: Link,
    /// Seconds of the application's work, without the time before a peer was there.
    pub seconds: f64,
    /// Seconds before that: NIC started, memory allocated, link waited for.
    pub setup_seconds: f64,
    /// CPU seconds of stack, driver and application, without rounds that found nothing.
    pub cpu_s: f64,
    /// CPU seconds of those rounds.
    pub idle_poll_cpu_s: f64,
    /// Payload bytes that the CPU copied on their way out, counted where a copy is made.
    pub payload_bytes_copied: u64,
    /// Segmentation requests handed to the NIC.
    pub tx_segments: u64,
    /// Descriptors written.
    pub tx_descriptors: u64,
    /// Tail writes.
    pub tx_doorbells: u64,
    /// Payload bytes sent more than once.
    pub retransmitted_bytes: u64,
    /// The NIC's own counters.
    pub statistics: Statistics,
}

impl Outcome {
    /// What is known of a machine now; times are the caller's to fill in.
    pub(super) fn of<N: Nic, T: TxQueue, R: RxQueue>(machine: &mut Machine<N, T, R>) -> Self {
        let counters = machine.stack.counters();
        let queue = machine.stack.tx().counters();
        Self {
            driver: machine.driver,
            link: machine.nic.read_link(),
            seconds: 0.0,
            setup_seconds: 0.0,
            cpu_s: 0.0,
            idle_poll_cpu_s: 0.0,
            payload_bytes_copied: counters.payload_bytes_copied,
            tx_segments: queue.segments,
            tx_descriptors: queue.descriptors,
            tx_doorbells: queue.doorbells,
            retransmitted_bytes: counters.retransmitted_bytes,
            statistics: machine.nic.read_statistics(),
        }
    }
}
