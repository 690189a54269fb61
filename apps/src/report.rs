//! What a transfer was and what it cost, as one object: `--json` prints it, the summary tells it in words.
//!
//! Names and meanings are a promise to scripts: fields may be added, none renamed. GB are 10⁹ bytes. A rate for a file
//! of no bytes is 0.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use crate::hash::Sha256Sum;
use crate::input::Input;
use crate::transfer::{Impairments, Mode, NicModel, Outcome, SanitizerLevel};

/// One transfer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// The file, as it was named on the command line.
    pub(crate) file: String,
    /// Bytes that arrived.
    pub(crate) bytes: u64,
    /// Of the output where `--output` keeps it, else of the file.
    pub(crate) sha256: String,
    /// Whether every byte that was announced arrived and is the file's, by XXH3-128.
    pub(crate) verified: bool,
    /// XXH3-128 of the bytes as they arrived.
    pub(crate) xxh3_128: String,
    /// `ixgbe` or `e1000`.
    pub(crate) nic: &'static str,
    /// What is behind the driver: `emulated`.
    pub(crate) backend: &'static str,
    /// `zero-copy` or `copy`.
    pub(crate) mode: &'static str,
    pub(crate) mtu: u16,
    pub(crate) tso: bool,
    pub(crate) loss: f64,
    pub(crate) duplicate: f64,
    pub(crate) reorder: f64,
    pub(crate) corrupt: f64,
    pub(crate) seed: u64,
    /// `on` or `full`.
    pub(crate) sanitizer: &'static str,
    /// Wall-clock time of the transfer alone.
    pub(crate) seconds: f64,
    /// Wall-clock time before it: NICs started, memory allocated, the file mapped for the device.
    pub(crate) setup_seconds: f64,
    /// Simulated time of the transfer under `--virtual-time`, else null.
    pub(crate) virtual_seconds: Option<f64>,
    pub(crate) gb_per_s: f64,
    /// Stack and driver of the sender, without polls that found nothing.
    pub(crate) sender_cpu_s_per_gb: f64,
    /// Those polls.
    pub(crate) idle_poll_cpu_s_per_gb: f64,
    /// The emulated devices, whose work silicon would do.
    pub(crate) device_cpu_s_per_gb: f64,
    /// Driver, stack and hash of the receiver.
    pub(crate) receiver_cpu_s_per_gb: f64,
    /// Counted where a copy is made.
    pub(crate) payload_bytes_copied_by_sender_cpu: u64,
    pub(crate) tx_segments: u64,
    pub(crate) tx_descriptors: u64,
    pub(crate) tx_doorbells: u64,
    pub(crate) retransmitted_bytes: u64,
    pub(crate) frames_lost_on_wire: u64,
    /// Rules of the sanitizer that were broken, the IOMMU's among them.
    pub(crate) iommu_violations: u64,
    /// One sentence for each.
    pub(crate) violations: Vec<String>,
    /// One thread, DRAM to DRAM, in 64 KiB calls, measured in this run; null where it could not be.
    pub(crate) memcpy_gb_per_s: Option<f64>,
}

/// How the transfer was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) nic: NicModel,
    pub(crate) mode: Mode,
    pub(crate) mtu: u16,
    pub(crate) tso: bool,
    pub(crate) impairments: Impairments,
    pub(crate) sanitizer: SanitizerLevel,
}

/// What the hashes say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof {
    pub(crate) arrived: u128,
    pub(crate) sha256: Sha256Sum,
    pub(crate) verified: bool,
}

impl Report {
    /// Puts the parts together.
    pub(crate) fn new(
        input: &Input,
        setup: &Setup,
        outcome: Outcome,
        proof: &Proof,
        memcpy_gb_per_s: Option<f64>,
    ) -> Self {
        let gigabytes = outcome.bytes_received as f64 / 1e9;
        let Impairments {
            loss,
            duplicate,
            reorder,
            corrupt,
            seed,
        } = setup.impairments;
        Self {
            file: input.path.display().to_string(),
            bytes: outcome.bytes_received,
            sha256: proof.sha256.to_string(),
            verified: proof.verified,
            xxh3_128: format!("{:032x}", proof.arrived),
            nic: match setup.nic {
                NicModel::Ixgbe => "ixgbe",
                NicModel::E1000 => "e1000",
                NicModel::E1000e => "e1000e",
            },
            backend: "emulated",
            mode: match setup.mode {
                Mode::ZeroCopy => "zero-copy",
                Mode::Copy => "copy",
            },
            mtu: setup.mtu,
            tso: setup.tso,
            loss,
            duplicate,
            reorder,
            corrupt,
            seed,
            sanitizer: match setup.sanitizer {
                SanitizerLevel::On => "on",
                SanitizerLevel::Full => "full",
            },
            seconds: outcome.seconds,
            setup_seconds: outcome.setup_seconds,
            virtual_seconds: outcome.virtual_seconds,
            gb_per_s: ratio(gigabytes, outcome.seconds),
            sender_cpu_s_per_gb: ratio(outcome.sender_cpu_s, gigabytes),
            idle_poll_cpu_s_per_gb: ratio(outcome.idle_poll_cpu_s, gigabytes),
            device_cpu_s_per_gb: ratio(outcome.device_cpu_s, gigabytes),
            receiver_cpu_s_per_gb: ratio(outcome.receiver_cpu_s, gigabytes),
            payload_bytes_copied_by_sender_cpu: outcome.payload_bytes_copied,
            tx_segments: outcome.tx_segments,
            tx_descriptors: outcome.tx_descriptors,
            tx_doorbells: outcome.tx_doorbells,
            retransmitted_bytes: outcome.retransmitted_bytes,
            frames_lost_on_wire: outcome.frames_lost_on_wire,
            iommu_violations: outcome.iommu_violations,
            violations: outcome.violations,
            memcpy_gb_per_s,
        }
    }
}

/// Prints a report, in words or as one JSON object; on stderr where standard output is taken. A reader that went away
/// (`| head`) is no reason for a panic.
pub(crate) fn print(
    words: &impl Display,
    object: &impl Serialize,
    json: bool,
    to_stderr: bool,
) -> io::Result<()> {
    let text = if json {
        let mut text = serde_json::to_string_pretty(object).map_err(io::Error::other)?;
        text.push('\n');
        text
    } else {
        words.to_string()
    };
    if to_stderr {
        return io::stderr().write_all(text.as_bytes());
    }
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// `amount` by `per`; 0 where that is nothing.
pub(crate) fn ratio(amount: f64, per: f64) -> f64 {
    if per > 0.0 { amount / per } else { 0.0 }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::hash;
    use crate::interrupt::Interrupt;
    use std::sync::atomic::AtomicU64;

    pub(crate) fn example(bytes: u64) -> Report {
        let file = tempfile::NamedTempFile::new().unwrap();
        let input = Input::open(file.path()).unwrap();
        let sha = hash::of_file(&input.file, 0, true, &AtomicU64::new(0), &Interrupt::default())
            .unwrap()
            .1;
        let impairments = Impairments {
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            corrupt: 0.0,
            seed: 1,
        };
        let setup = Setup {
            nic: NicModel::Ixgbe,
            mode: Mode::ZeroCopy,
            mtu: 1500,
            tso: true,
            impairments,
            sanitizer: SanitizerLevel::On,
        };
        let outcome = Outcome {
            bytes_received: bytes,
            seconds: 0.5,
            sender_cpu_s: 0.03,
            tx_descriptors: 1234,
            ..Outcome::default()
        };
        let proof = Proof {
            arrived: 0xabc,
            sha256: sha.unwrap(),
            verified: true,
        };
        Report::new(&input, &setup, outcome, &proof, Some(7.5))
    }

    #[test]
    fn rates_are_by_10_to_the_9_bytes() {
        let report = example(2_000_000_000);
        assert_eq!(report.gb_per_s, 4.0);
        assert_eq!(report.sender_cpu_s_per_gb, 0.015);
        assert_eq!(report.xxh3_128.len(), 32);
    }

    #[test]
    fn a_file_of_no_bytes_has_numbers_everywhere() {
        let json = serde_json::to_value(example(0)).unwrap();
        assert_eq!(json["sender_cpu_s_per_gb"], 0.0);
        assert_eq!(json["gb_per_s"], 0.0);
    }

    #[test]
    fn every_promised_field_is_there() {
        let json = serde_json::to_value(example(1)).unwrap();
        let promised = "bytes sha256 verified nic backend mode seconds gb_per_s sender_cpu_s_per_gb \
            device_cpu_s_per_gb receiver_cpu_s_per_gb payload_bytes_copied_by_sender_cpu tx_segments tx_descriptors \
            tx_doorbells retransmitted_bytes frames_lost_on_wire iommu_violations memcpy_gb_per_s";
        for field in promised.split_whitespace() {
            assert!(!json[field].is_null(), "{field}");
        }
    }
}
