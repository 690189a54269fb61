//! What `pagewire recv`, `ping` and `stats` may be told.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use pagewire_bus::PciAddress;
use pagewire_stack::{IpAddress, ReceiveRing};

use super::machine::{Cable, Machine, MachineArguments};
use super::network::address;

/// The end of `recv`'s help.
pub(super) const RECV_EXAMPLES: &str = "\
Examples:
  pagewire recv --nic vfio:0000:00:03.0 --ip 192.168.1.5/24 --listen 5001 --output big.iso
  pagewire recv --nic vfio:0000:00:03.0 --dhcp --listen 5001 --output big.iso --json
  pagewire recv --cable tap:pagewire0 --ip 10.0.0.2/24 --listen 5001 --output big.iso
  pagewire recv --cable tap:pagewire0 --ip 10.0.0.2/24 --listen 5001 --output big.iso --pcap wire.pcap

  At the other end:  nc -N 192.168.1.5 5001 < big.iso
                or:  pagewire send big.iso --nic vfio:0000:00:04.0 --ip 192.168.1.6/24 --to 192.168.1.5:5001

What happens:
  The first that connects sends one stream; it ends with the peer's FIN, and the file appears under
  its name only then. A connection that is reset leaves no file behind.";

/// The end of `ping`'s help.
pub(super) const PING_EXAMPLES: &str = "\
Examples:
  pagewire ping 192.168.1.1 --nic vfio:0000:00:03.0 --ip 192.168.1.5/24
  pagewire ping fd00::1 --nic vfio:0000:00:03.0 --ip fd00::5/64 --count 10
  pagewire ping 10.0.0.1 --cable tap:pagewire0 --ip 10.0.0.2/24

Exit codes:
  0    somebody answered
  1    nobody did, or something failed: one sentence on stderr says what and what to do
  2    the command line is wrong
  130  stopped by Ctrl-C (128 + the signal's number)";

/// The end of `stats`'s help.
pub(super) const STATS_EXAMPLES: &str = "\
Examples:
  pagewire stats                        every NIC that a running pagewire drives
  pagewire stats 0000:00:03.0 --watch   one of them, once a second
  pagewire stats --json                 one JSON object a line, for scripts";

/// What `pagewire recv` is told.
#[derive(Args, Debug)]
pub(crate) struct RecvArguments {
    #[command(flatten)]
    pub(crate) machine: MachineArguments,

    /// The TCP port to listen on
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) listen: u16,

    /// Keep what arrives in this file; it appears under its name only once all of it is there
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,

    /// Bytes in the largest IP packet, 576 to 9000
    #[arg(long, value_name = "N", default_value_t = 1500, value_parser = clap::value_parser!(u16).range(576..=9000))]
    pub(crate) mtu: u16,

    /// Print one JSON object on stdout in place of the summary in words
    #[arg(long)]
    pub(crate) json: bool,
}

impl RecvArguments {
    /// The machine that receives. What arrives is hashed and written from where the NIC has put it.
    pub(crate) fn machine(&self) -> Result<Machine, String> {
        let mut machine = self.machine.machine(self.mtu)?;
        machine.settings.stack.receive = ReceiveRing::Phantom;
        Ok(machine)
    }
}

/// What `pagewire ping` is told.
#[derive(Args, Debug)]
pub(crate) struct PingArguments {
    /// Whom to ask
    #[arg(value_name = "HOST", value_parser = address)]
    pub(crate) host: IpAddress,

    #[command(flatten)]
    pub(crate) machine: MachineArguments,

    /// How many times to ask, once a second
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) count: u16,

    /// Bytes of payload in each request
    #[arg(long, value_name = "N", default_value_t = 56)]
    pub(crate) size: u16,
}

/// What `pagewire stats` is told.
#[derive(Args, Debug)]
pub(crate) struct StatsArguments {
    /// The NIC or cable (0000:00:03.0, tap:pagewire0); without it, all that a running pagewire drives
    #[arg(value_name = "ADDRESS", value_parser = place_name)]
    pub(crate) address: Option<String>,

    /// Once a second, until it ends or Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,

    /// Print JSON, one object a line, in place of words
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a report names the place where a machine stands.
fn place_name(words: &str) -> Result<String, String> {
    match words.parse::<Cable>() {
        Ok(cable) => Ok(cable.to_string()),
        Err(_) => words
            .parse::<PciAddress>()
            .map(|address| address.to_string())
            .map_err(|bad| bad.to_string()),
    }
}
