//! Why a transfer did not run to its end.

use std::io;

/// Why a transfer did not run to its end. Each is one sentence with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// Rings, frames or maps could not be had.
    #[error(
        "could not get memory for the NIC's rings and buffers ({cause}); free some memory or raise the limit (ulimit -v, ulimit -l)"
    )]
    Memory {
        /// What was asked for and what the system said.
        cause: String,
    },
    /// The NIC did not come up.
    #[error("the {nic} NIC did not start: {cause}")]
    Device {
        /// The NIC's name.
        nic: &'static str,
        /// What the driver found.
        cause: String,
    },
    /// The file could not be read or mapped, or is no longer what it was.
    #[error("the file could not be sent: {cause}")]
    Source {
        /// What was found.
        cause: String,
    },
    /// The connection was reset before the last byte.
    #[error("the connection was reset after {received} of {declared} bytes: {cause}")]
    Reset {
        /// Bytes that had arrived.
        received: u64,
        /// Bytes that were announced.
        declared: u64,
        /// Who reset it and why.
        cause: String,
    },
    /// The receiver could not keep what arrived.
    #[error("the received bytes could not be kept: {0}")]
    Sink(#[source] io::Error),
    /// The capture could not be written.
    #[error("the capture could not be written: {0}; free some space or leave --pcap out")]
    Pcap(#[source] io::Error),
    /// The stop flag was raised.
    #[error("interrupted")]
    Interrupted,
    /// Nothing has moved for too long.
    #[error(
        "no byte arrived for {seconds} s ({received} of {declared} had arrived); the wire may be too lossy: lower --loss or --corrupt"
    )]
    Stalled {
        /// How long nothing arrived, on the transfer's own clock.
        seconds: u64,
        /// Bytes that had arrived.
        received: u64,
        /// Bytes that were announced.
        declared: u64,
    },
}
