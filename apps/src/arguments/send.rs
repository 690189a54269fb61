//! What `pagewire send` may be told.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use pagewire_stack::IpEndpoint;

use super::machine::{Machine, MachineArguments, Nic};
use super::network::endpoint;
use crate::transfer::{Mode, NicModel, SanitizerLevel};

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
  pagewire send big.iso --nic vfio:0000:00:03.0 --ip 192.168.1.5/24 --to 192.168.1.9:5001
                                                   over a NIC in a slot; there: nc -l 5001 > big.iso
  pagewire send big.iso --cable tap:pagewire0 --ip 10.0.0.2/24 --to 10.0.0.1:5001
                                                   over an emulated NIC, to this machine's own kernel

What happens with an emulated NIC:
  Two machines are built in this process: each has smoltcp as TCP, a driver and an emulated
  NIC, and a cable joins them. The file goes from its page-cache pages into the sender's
  descriptors. The receiver hashes every byte as it arrives (XXH3-128), and the hash is
  compared with the file's.

What happens over a network:
  pagewire is the machine that --ip or --dhcp says, on a NIC in a slot through VFIO, or on an
  emulated one whose --cable ends in the kernel, and sends the file to whoever listens at --to. It
  ends well when the peer has acknowledged every byte.

Exit codes:
  0    every byte arrived and was verified (acknowledged, by a peer on a network)
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

    /// The peer, where the file goes over a network: an address and a TCP port
    #[arg(long, value_name = "HOST:PORT", value_parser = endpoint)]
    pub(crate) to: Option<IpEndpoint>,

    #[command(flatten)]
    pub(crate) machine: MachineArguments,

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

/// Which way a file goes, and that nothing was asked for which is of no use there.
#[derive(Debug)]
pub(crate) enum Way {
    /// Over emulated NICs, within this process.
    Emulated(NicModel),
    /// Over a network.
    Network(Box<NetworkSend>),
}

/// The machine that sends, and to whom.
#[derive(Debug)]
pub(crate) struct NetworkSend {
    pub(crate) machine: Machine,
    pub(crate) to: IpEndpoint,
}

impl SendArguments {
    /// Which way the file goes; what does not go together is told in a sentence.
    pub(crate) fn way(&self) -> Result<Way, String> {
        if let (Nic::Emulated(nic), None) = (self.machine.nic, &self.machine.cable) {
            if self.to.is_some() || self.machine.network.is_given() {
                return Err(
                    "--to, --ip, --gateway, --dhcp, --vlan and --wait are for a network: a NIC in a slot, --nic vfio:ADDRESS \
                     (`pagewire list` shows them), or a cable into this machine's kernel, --cable tap:NAME"
                        .into(),
                );
            }
            return Ok(Way::Emulated(nic.into()));
        }
        let on_emulated = [
            ("--output", self.output.is_some()),
            ("--virtual-time", self.virtual_time),
            ("--sanitizer", self.sanitizer != SanitizerChoice::On),
        ];
        if let Some((option, _)) = on_emulated.iter().find(|(_, given)| *given) {
            return Err(format!(
                "{option}: this is for two emulated NICs within this process; leave it out, or leave --cable and vfio: out"
            ));
        }
        let Some(to) = self.to else {
            return Err(
                "over a network a file goes to somebody: --to HOST:PORT, such as --to 192.168.1.9:5001"
                    .into(),
            );
        };
        let mut machine = self.machine.machine(self.mtu)?;
        machine.settings.stack.segmentation_offload = self.tso == Switch::On;
        Ok(Way::Network(Box::new(NetworkSend { machine, to })))
    }
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

impl ModeChoice {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ZeroCopy => "zero-copy",
            Self::Copy => "copy",
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command, NicChoice};

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
        assert_eq!(arguments.machine.nic, Nic::Emulated(NicChoice::Ixgbe));
        assert_eq!(arguments.mode, ModeChoice::ZeroCopy);
        assert_eq!(arguments.tso, Switch::On);
        assert_eq!(arguments.mtu, 1500);
        assert!(arguments.machine.wire.impairments().is_none());
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

    #[test]
    fn a_machine_on_a_network_has_an_address_and_a_peer_and_nothing_of_the_emulated_pair() {
        let slot = [
            "--nic",
            "vfio:00:03.0",
            "--ip",
            "10.0.0.1/24",
            "--to",
            "10.0.0.2:5001",
        ];
        let way = |words: &[&str]| send(words).unwrap().way();
        assert!(matches!(way(&slot), Ok(Way::Network(_))));
        let cable = [&["--cable", "tap:t"], &slot[2..]].concat();
        assert!(matches!(way(&cable), Ok(Way::Network(_))));
        assert!(matches!(way(&[]), Ok(Way::Emulated(_))));
        for (words, told) in [
            (&slot[..4], "--to"),
            (&[&slot[..2], &slot[4..]].concat(), "--ip"),
            (&[&slot[..], &["--loss", "0.1"]].concat(), "--loss"),
            (&[&slot[..], &["--virtual-time"]].concat(), "--virtual-time"),
            (&[&slot[..], &["--output", "x"]].concat(), "--output"),
            (&slot[2..4], "vfio:ADDRESS"),
            (&["--wait", "polling"], "vfio:ADDRESS"),
            (&[&slot[..], &["--cable", "tap:t"]].concat(), "--cable"),
            (&[&slot[..], &["--pcap", "x"]].concat(), "--pcap"),
            (&[&cable[..], &["--virtual-time"]].concat(), "--virtual-time"),
        ] {
            let told_of = way(words).unwrap_err();
            assert!(told_of.contains(told), "{words:?}: {told_of}");
        }
    }
}
