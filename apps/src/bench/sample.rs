//! What one run has shown.

use pagewire_kernel_methods::Measured;

use super::case::Cache;
use crate::transfer::{Mode, Outcome};

/// One run, in seconds, bytes and counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) bytes: f64,
    pub(crate) seconds: f64,
    /// Before the clock started: NICs, memory, the file's pages mapped for the device.
    pub(crate) ready_seconds: f64,
    pub(crate) sender_cpu: f64,
    pub(crate) idle_poll_cpu: f64,
    /// The emulated devices'.
    pub(crate) device_cpu: f64,
    pub(crate) receiver_cpu: f64,
    pub(crate) total_cpu: f64,
    pub(crate) sender_copied: f64,
    /// By what stands for a device's DMA.
    pub(crate) device_copied: f64,
    pub(crate) receiver_copied: f64,
    pub(crate) switches: f64,
    pub(crate) system_calls: f64,
    pub(crate) in_flight: f64,
    /// Memory beside the file's own pages that the bytes in flight took.
    pub(crate) extra_memory: f64,
    /// Bytes of which the kernel reported that it has copied them after all.
    pub(crate) reported_copied: Option<f64>,
    /// The share of the file that was in memory before.
    pub(crate) resident: f64,
}

impl Sample {
    /// Of a method of the kernel's.
    pub(crate) fn of_kernel(measured: &Measured, resident: f64) -> Self {
        let bytes = measured.bytes as f64;
        let in_flight = measured.in_flight as f64;
        Self {
            bytes,
            seconds: measured.elapsed.as_secs_f64(),
            sender_cpu: measured.sender_cpu.as_secs_f64(),
            receiver_cpu: measured.receiver.cpu.as_secs_f64(),
            total_cpu: measured.total_cpu.as_secs_f64(),
            sender_copied: measured.sender_copied as f64,
            receiver_copied: measured.receiver.copied as f64,
            switches: (measured.sender_switches.all() + measured.receiver.switches.all()) as f64,
            system_calls: (measured.sender_system_calls + measured.receiver.system_calls) as f64,
            in_flight,
            extra_memory: in_flight * (measured.held_copies as f64 / bytes) + measured.own_buffers as f64,
            reported_copied: measured.reported_copied.map(|copied| copied as f64),
            resident,
            ..Self::default()
        }
    }

    /// Of a transfer over the emulated pair.
    pub(crate) fn of_pair(
        outcome: &Outcome,
        receiver_copied: u64,
        mode: Mode,
        cache: Cache,
        resident: f64,
    ) -> Self {
        let bytes = outcome.bytes_received as f64;
        let in_flight = outcome.in_flight_limit as f64;
        // The process's clock lags behind its threads' by a tick now and then.
        let parts =
            outcome.sender_cpu_s + outcome.idle_poll_cpu_s + outcome.device_cpu_s + outcome.receiver_cpu_s;
        let (waited, worked) = counted(cache, mode, outcome.mapping_seconds, outcome.mapping_cpu_s);
        Self {
            bytes,
            seconds: outcome.seconds + waited,
            ready_seconds: outcome.setup_seconds - waited,
            sender_cpu: outcome.sender_cpu_s + worked,
            idle_poll_cpu: outcome.idle_poll_cpu_s,
            device_cpu: outcome.device_cpu_s,
            receiver_cpu: outcome.receiver_cpu_s,
            total_cpu: outcome.total_cpu_s.max(parts) + worked,
            sender_copied: outcome.payload_bytes_copied as f64,
            device_copied: bytes,
            receiver_copied: receiver_copied as f64,
            switches: (outcome.sender_switches + outcome.receiver_switches) as f64,
            system_calls: (outcome.sender_system_calls + outcome.receiver_system_calls) as f64,
            in_flight: in_flight.min(bytes),
            extra_memory: in_flight.min(bytes) * (outcome.payload_bytes_copied as f64 / bytes),
            reported_copied: None,
            resident,
        }
    }
}

/// What counts of the seconds that mapping the file took, and of the CPU's. That is where its pages are read from disk: when they
/// are not in memory, it counts. The NIC and its memory are there before, as the kernel's are.
pub(crate) fn counted(cache: Cache, mode: Mode, waited: f64, worked: f64) -> (f64, f64) {
    match (cache, mode) {
        (Cache::Cold, Mode::ZeroCopy) => (waited, worked),
        _ => (0.0, 0.0),
    }
}
