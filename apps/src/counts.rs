//! What a machine on a network counts, as scripts see it: part of the reports, and what `stats` shows.
//!
//! Names and meanings are a promise: fields may be added, none renamed.

use std::fmt::{self, Formatter};

use pagewire::live::Counters;
use serde::{Deserialize, Serialize};

use crate::summary::{count, line};

/// Counts since the NIC was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// The driver: `e1000`, `e1000e` or `ixgbe`.
    pub(crate) nic: String,
    /// Whether it sleeps until the NIC interrupts; else it looks again and again.
    pub(crate) waits_for_interrupts: bool,
    pub(crate) link_up: bool,
    /// Mbit/s.
    pub(crate) link_mbps: u32,
    /// Frames and bytes that the NIC has sent and received, by its own registers.
    pub(crate) tx_packets: u64,
    pub(crate) tx_bytes: u64,
    pub(crate) rx_packets: u64,
    pub(crate) rx_bytes: u64,
    /// Frames lost for want of a buffer.
    pub(crate) rx_missed: u64,
    /// Frames with a wrong checksum of Ethernet, IP, TCP or UDP, or of a wrong length.
    pub(crate) rx_errors: u64,
    /// Segmentation requests, descriptors and tail writes of the transmit queue.
    pub(crate) tx_segments: u64,
    pub(crate) tx_descriptors: u64,
    pub(crate) tx_doorbells: u64,
    /// Payload bytes sent by reference, copied by the CPU, and sent more than once.
    pub(crate) gathered_bytes: u64,
    pub(crate) payload_bytes_copied: u64,
    pub(crate) retransmitted_bytes: u64,
    /// Packets that were kept from TCP, because they could only do harm.
    pub(crate) guarded_packets: u64,
    /// Memory mapped for the device.
    pub(crate) maps: u64,
    pub(crate) unmaps: u64,
    pub(crate) mappings: u64,
    pub(crate) pinned_bytes: u64,
    pub(crate) pinned_bytes_peak: u64,
    /// What the thread did that had nothing to do.
    pub(crate) sleeps: u64,
    pub(crate) interrupts: u64,
    pub(crate) wake_ups: u64,
    pub(crate) spurious_wake_ups: u64,
}

impl From<&Counters> for Counts {
    fn from(counters: &Counters) -> Self {
        let Counters {
            nic,
            tx,
            stack,
            mapper,
            idle,
            ..
        } = counters;
        Self {
            nic: counters.driver.name().to_owned(),
            waits_for_interrupts: counters.interrupts,
            link_up: counters.link.up,
            link_mbps: counters.link.mbps,
            tx_packets: nic.tx_packets,
            tx_bytes: nic.tx_bytes,
            rx_packets: nic.rx_packets,
            rx_bytes: nic.rx_bytes,
            rx_missed: nic.rx_missed,
            rx_errors: nic.rx_crc_errors + nic.rx_length_errors + nic.rx_checksum_errors,
            tx_segments: tx.segments,
            tx_descriptors: tx.descriptors,
            tx_doorbells: tx.doorbells,
            gathered_bytes: stack.egress.gathered_bytes,
            payload_bytes_copied: stack.payload_bytes_copied,
            retransmitted_bytes: stack.retransmitted_bytes,
            guarded_packets: stack.guarded,
            maps: mapper.maps,
            unmaps: mapper.unmaps,
            mappings: mapper.mappings as u64,
            pinned_bytes: mapper.pinned_bytes,
            pinned_bytes_peak: mapper.pinned_bytes_peak,
            sleeps: idle.sleeps,
            interrupts: idle.interrupts,
            wake_ups: idle.wake_ups,
            spurious_wake_ups: idle.spurious,
        }
    }
}

impl Counts {
    /// The lines that every summary has.
    pub(crate) fn memory_and_waits(&self, f: &mut Formatter<'_>) -> fmt::Result {
        line(
            f,
            "memory",
            format_args!(
                "{}, {}; {} pinned at most",
                count(self.maps, "map"),
                count(self.unmaps, "unmap"),
                count(self.pinned_bytes_peak, "byte")
            ),
        )?;
        let (sleeps, wake_ups) = (count(self.sleeps, "sleep"), count(self.wake_ups, "wake-up"));
        let how = if self.waits_for_interrupts {
            "interrupts"
        } else {
            "polling"
        };
        line(
            f,
            "waited by",
            format_args!(
                "{how}: {sleeps}, {wake_ups}, {}",
                count(self.interrupts, "interrupt")
            ),
        )
    }
}
