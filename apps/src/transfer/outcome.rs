//! What a transfer has cost.

use crate::meter::Spent;

/// What a transfer that ran to its end has cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Bytes handed to the sink.
    pub bytes_received: u64,
    /// Wall-clock seconds from the first SYN to the last byte in the sink.
    pub seconds: f64,
    /// Wall-clock seconds before that: NICs started, memory allocated, the file mapped for the device.
    pub setup_seconds: f64,
    /// Simulated seconds of the same, where time was virtual.
    pub virtual_seconds: Option<f64>,
    /// CPU seconds of the sender's stack and driver, without the emulated device and without polls that found nothing.
    pub sender_cpu_s: f64,
    /// CPU seconds the sender spent in polls that found nothing.
    pub idle_poll_cpu_s: f64,
    /// CPU seconds of the emulated devices: what silicon would do.
    pub device_cpu_s: f64,
    /// CPU seconds of the receiver: driver, stack and sink.
    pub receiver_cpu_s: f64,
    /// CPU seconds of everybody meanwhile, the kernel's part included.
    pub total_cpu_s: f64,
    /// Of the seconds before, those in which the connection was opened and the file mapped: where it is not in memory, that is
    /// when it is read.
    pub mapping_seconds: f64,
    /// CPU seconds of the same.
    pub mapping_cpu_s: f64,
    /// How often the sender's thread gave up its core, or had to.
    pub sender_switches: u64,
    /// How often the receiver's did.
    pub receiver_switches: u64,
    /// System calls of the sender's thread: its rests, and reads of the file where it is copied.
    pub sender_system_calls: u64,
    /// System calls of the receiver's: its rests.
    pub receiver_system_calls: u64,
    /// Bytes that may be in flight.
    pub in_flight_limit: u64,
    /// Payload bytes that the sender's CPU copied, counted where a copy is made.
    pub payload_bytes_copied: u64,
    /// Segmentation requests handed to the sender's NIC.
    pub tx_segments: u64,
    /// Descriptors the sender's driver wrote.
    pub tx_descriptors: u64,
    /// Tail writes of the sender's driver.
    pub tx_doorbells: u64,
    /// Payload bytes sent more than once.
    pub retransmitted_bytes: u64,
    /// Frames that the cable lost, both ways.
    pub frames_lost_on_wire: u64,
    /// Sanitizer rules broken, counted over both machines.
    pub iommu_violations: u64,
    /// One sentence for each broken rule.
    pub violations: Vec<String>,
}

impl Outcome {
    /// What the two ends have spent in `seconds`; all that the machines have counted is still missing.
    pub(super) fn of(seconds: f64, sender: Spent, receiver: Spent) -> Self {
        Self {
            seconds,
            sender_cpu_s: sender.host.as_secs_f64(),
            idle_poll_cpu_s: sender.idle.as_secs_f64(),
            device_cpu_s: (sender.device + receiver.device).as_secs_f64(),
            receiver_cpu_s: receiver.host.as_secs_f64(),
            sender_switches: sender.switches.all(),
            receiver_switches: receiver.switches.all(),
            sender_system_calls: sender.rests,
            receiver_system_calls: receiver.rests,
            ..Self::default()
        }
    }
}
