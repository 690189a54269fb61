//! What `pagewire send` may be told.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::transfer::{Impairments, Mode, NicModel, SanitizerLevel};

/// The end of its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  pagewire send big.iso                            zero-copy over an emulated 82599
  pagewire send big.iso --mode copy                the same with payload copied, to compare
  pagewire send big.iso --nic e1000 --tso off      frames cut by the stack, not by the NIC
  pagewire send big.iso --loss 0.01 --seed 7       a bad wire; the same seed, the same faults
  pagewire send big.iso --loss 0.01 --virtual-time the same without waiting for time-outs
  pagewire send README.md --pcap wire.pcap         then: tshark -r wire.pcap
  pagewire send big.iso --output copy.iso          keep what arrived, once it is verified
  pagewire send big.iso --json                     one JSON object on stdout, for scripts

What happens:
  Two machines are built in this process: each has smoltcp as TCP, a driver and an emulated
  NIC, and a cable joins them. The file goes from its page-cache pages into the sender's
  descriptors. The receiver hashes every byte as it arrives (XXH3-128), and the hash is
  compared with the file's.

Exit codes:
  0    every byte arrived and was verified, and the device saw no rule broken
  1    something failed: one sentence on stderr says what and what to do
  2    the command line is wrong
  70   a fault in pagewire itself
  130  stopped by Ctrl-C (128 + the signal's number)";

/// What `pagewire send` is told.
#[derive(Args, Debug)]
pub(crate) struct SendArguments {
    /// The file to send: a regular file that you may read
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// The NIC at both ends: ixgbe is Intel's 82599 (10 Gbit/s), e1000 the 82540EM (1 Gbit/s)
    #[arg(long, value_enum, default_value_t = NicChoice::Ixgbe)]
    pub(crate) nic: NicChoice,

    /// How payload reaches the NIC: zero-copy names the file's pages, copy reads and copies as others do
    #[arg(long, value_enum, default_value_t = ModeChoice::ZeroCopy)]
    pub(crate) mode: ModeChoice,

    /// Bytes in the largest IP packet, 576 to 9000
    #[arg(long, value_name = "N", default_value_t = 1500, value_parser = clap::value_parser!(u16).range(576..=9000))]
    pub(crate) mtu: u16,

    /// Whether the NIC cuts large segments (TCP segmentation offload)
    #[arg(long, value_enum, default_value_t = Switch::On)]
    pub(crate) tso: Switch,

    /// Keep what arrives in this file; it appears under its name only once it is verified
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Record the frames of both directions in this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) pcap: Option<PathBuf>,

    /// Probability that a frame is lost, 0 to 1
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability, allow_negative_numbers = true)]
    pub(crate) loss: f64,

    /// Probability that a frame arrives twice
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability, allow_negative_numbers = true)]
    pub(crate) duplicate: f64,

    /// Probability that a frame is overtaken by later ones
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability, allow_negative_numbers = true)]
    pub(crate) reorder: f64,

    /// Probability that one bit of a frame flips
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability, allow_negative_numbers = true)]
    pub(crate) corrupt: f64,

    /// Where the faults' random numbers start: the same seed, the same faults
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    pub(crate) seed: u64,

    /// Run on a simulated clock: nothing waits, and a run repeats bit for bit
    #[arg(long)]
    pub(crate) virtual_time: bool,

    /// How closely the emulated NIC watches the driver; full checks payload too, and is slower
    #[arg(long, value_enum, default_value_t = SanitizerChoice::On)]
    pub(crate) sanitizer: SanitizerChoice,

    /// Print one JSON object on stdout in place of the summary in words
    #[arg(long)]
    pub(crate) json: bool,
}

impl SendArguments {
    /// The wire that was asked for.
    pub(crate) fn impairments(&self) -> Impairments {
        Impairments {
            loss: self.loss,
            duplicate: self.duplicate,
            reorder: self.reorder,
            corrupt: self.corrupt,
            seed: self.seed,
        }
    }
}

/// `--nic`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NicChoice {
    /// Intel 82599, 10 Gbit/s
    Ixgbe,
    /// Intel 82540EM, 1 Gbit/s
    E1000,
}

/// `--mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeChoice {
    /// The NIC reads the file's own pages
    ZeroCopy,
    /// The CPU copies the payload through the TCP socket
    Copy,
}

/// `--tso`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

/// `--sanitizer`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SanitizerChoice {
    /// Every rule that need not read payload
    On,
    /// The rules that read payload too
    Full,
}

impl From<NicChoice> for NicModel {
    fn from(choice: NicChoice) -> Self {
        match choice {
            NicChoice::Ixgbe => NicModel::Ixgbe,
            NicChoice::E1000 => NicModel::E1000,
        }
    }
}

impl From<ModeChoice> for Mode {
    fn from(choice: ModeChoice) -> Self {
        match choice {
            ModeChoice::ZeroCopy => Mode::ZeroCopy,
            ModeChoice::Copy => Mode::Copy,
        }
    }
}

impl From<SanitizerChoice> for SanitizerLevel {
    fn from(choice: SanitizerChoice) -> Self {
        match choice {
            SanitizerChoice::On => SanitizerLevel::On,
            SanitizerChoice::Full => SanitizerLevel::Full,
        }
    }
}

/// A number from 0 to 1; infinities and NaN are none.
fn probability(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        // `-0` is a number too, and would print as one.
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number.abs()),
        _ => Err(
            "a probability is a number from 0 (never) to 1 (always); 0.01 is one frame in a hundred".into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn send(words: &[&str]) -> Result<SendArguments, clap::Error> {
        let line = ["pagewire", "send", "FILE"].iter().chain(words);
        match Arguments::try_parse_from(line)?.command {
            Command::Send(arguments) => Ok(arguments),
            other => panic!("not send: {other:?}"),
        }
    }

    #[test]
    fn the_defaults_are_the_fast_path_on_a_perfect_wire() {
        let arguments = send(&[]).unwrap();
        assert_eq!(arguments.nic, NicChoice::Ixgbe);
        assert_eq!(arguments.mode, ModeChoice::ZeroCopy);
        assert_eq!(arguments.tso, Switch::On);
        assert_eq!(arguments.mtu, 1500);
        assert!(arguments.impairments().is_none());
    }

    #[test]
    fn probabilities_lie_between_0_and_1() {
        for good in ["0", "1", "0.5", "1e-9", "-0"] {
            let parsed = send(&["--loss", good]).unwrap().loss;
            assert!(
                (0.0..=1.0).contains(&parsed) && parsed.is_sign_positive(),
                "{good}"
            );
        }
        for bad in [
            "-0.1",
            "1.0000001",
            "NaN",
            "inf",
            "-inf",
            "1%",
            "much",
            "",
            "0,1",
            "1e400",
        ] {
            let error = send(&[&format!("--corrupt={bad}")]).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{bad}");
            assert!(
                error.to_string().contains("from 0 (never) to 1 (always)"),
                "{bad}: {error}"
            );
        }
    }

    #[test]
    fn the_mtu_lies_between_576_and_9000() {
        for good in ["576", "1280", "9000"] {
            assert!(send(&["--mtu", good]).is_ok());
        }
        for bad in ["0", "575", "9001", "65536", "-1", "1500.0"] {
            assert_eq!(send(&["--mtu", bad]).unwrap_err().exit_code(), 2, "{bad}");
        }
    }
}
