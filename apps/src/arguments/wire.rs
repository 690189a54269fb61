//! What happens to frames on an emulated wire, and where they are recorded.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::transfer::Impairments;

/// What every wire that ends in an emulated NIC may be told.
#[derive(Args, Clone, Debug)]
pub(crate) struct WireArguments {
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
}

impl WireArguments {
    /// The faults that were asked for.
    pub(crate) fn impairments(&self) -> Impairments {
        Impairments {
            loss: self.loss,
            duplicate: self.duplicate,
            reorder: self.reorder,
            corrupt: self.corrupt,
            seed: self.seed,
        }
    }

    /// What was asked for that only a wire of ours can do.
    pub(super) fn given(&self) -> Option<&'static str> {
        if self.pcap.is_some() {
            Some("--pcap")
        } else if !self.impairments().is_none() {
            Some("--loss, --duplicate, --reorder and --corrupt")
        } else {
            None
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
    use std::path::Path;

    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command, Way};

    #[test]
    fn probabilities_lie_between_0_and_1() {
        for good in ["0", "1", "0.5", "1e-9", "-0"] {
            let parsed = probability(good).unwrap();
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
            let told = probability(bad).unwrap_err();
            assert!(told.contains("from 0 (never) to 1 (always)"), "{bad}: {told}");
        }
    }

    #[test]
    fn every_command_on_a_cable_takes_a_wire_with_faults_and_a_capture() {
        for line in [
            "send FILE --to 10.0.0.1:5001",
            "recv --listen 5001 --output x",
            "serve .",
            "ping 10.0.0.1",
        ] {
            let wire = "--cable tap:t --ip 10.0.0.2/24 --pcap p --loss 0.5 --seed 7";
            let line = format!("pagewire {line} {wire}");
            let machine = match Arguments::parse_from(line.split(' ')).command {
                Command::Send(arguments) => match arguments.way() {
                    Ok(Way::Network(sending)) => Ok(sending.machine),
                    other => panic!("{other:?}"),
                },
                Command::Recv(arguments) => arguments.machine(),
                Command::Serve(arguments) => arguments.machine(),
                Command::Ping(arguments) => arguments.machine.machine(1500),
                other => panic!("{other:?}"),
            };
            let wire = machine.expect(&line).wire;
            assert_eq!(wire.pcap.as_deref(), Some(Path::new("p")), "{line}");
            let faults = wire.impairments();
            assert_eq!(
                (faults.loss, faults.corrupt, faults.seed),
                (0.5, 0.0, 7),
                "{line}"
            );
        }
    }
}
