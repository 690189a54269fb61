//! What `pagewire serve` may be told.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use pagewire::serve::Limits;
use pagewire::serve::files::Symlinks;
use pagewire_stack::Duration;
use pagewire_stack::listener::ListenerConfig;

use super::machine::{Machine, MachineArguments};

/// The end of its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  pagewire serve /srv/www --cable tap:pagewire0 --ip 10.0.0.2/24      to this machine's own kernel
  pagewire serve /srv/www --nic vfio:0000:00:03.0 --ip 192.168.1.5/24 to a network
  pagewire serve . --cable tap:pagewire0 --ip 10.0.0.2/24 --port 8080 --listing --log access.log
  pagewire serve . --cable tap:pagewire0 --ip 10.0.0.2/24 --pcap wire.pcap          then: tshark -r wire.pcap

  At the other end:  curl http://10.0.0.2/

What happens:
  GET and HEAD are answered over HTTP/1.1, with ranges and conditions; a folder with its index.html. Nothing outside
  of DIR is ever opened. The first Ctrl-C lets answers under way finish, for 10 s; the second ends at once.";

/// What `pagewire serve` is told.
#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    /// The folder whose files are served
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,

    #[command(flatten)]
    machine: MachineArguments,

    /// The TCP port to listen on
    #[arg(long, value_name = "PORT", default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,

    /// Bytes in the largest IP packet, 576 to 9000
    #[arg(long, value_name = "N", default_value_t = 1500, value_parser = clap::value_parser!(u16).range(576..=9000))]
    pub(crate) mtu: u16,

    /// Answer for a folder without an index.html with a list of its names
    #[arg(long)]
    pub(crate) listing: bool,

    /// Follow symbolic links that lead to something in DIR; without this, none is followed
    #[arg(long)]
    follow_symlinks: bool,

    /// Append a line for each answer to this file, in the common log format
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) log: Option<PathBuf>,

    /// Clients at a time; more wait until somebody leaves
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    clients: u32,

    /// How long a client may stay without a request, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    idle: u32,

    /// Print one JSON object on stdout at the end in place of the summary in words
    #[arg(long)]
    pub(crate) json: bool,
}

impl ServeArguments {
    /// What clients may do.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            clients: self.clients as usize,
            idle: Duration::from_secs(self.idle.into()),
            ..Limits::default()
        }
    }

    /// What becomes of symbolic links.
    pub(crate) fn symlinks(&self) -> Symlinks {
        if self.follow_symlinks {
            Symlinks::Inside
        } else {
            Symlinks::Refused
        }
    }

    /// The machine that it runs on, with a server's sockets.
    pub(crate) fn machine(&self) -> Result<Machine, String> {
        let mut machine = self.machine.machine(self.mtu)?;
        let stack = &mut machine.settings.stack;
        stack.sockets = Limits::SOCKETS;
        // Whoever has not been accepted yet needs a place as well.
        let ListenerConfig {
            backlog, half_open, ..
        } = ListenerConfig::default();
        stack.max_connections = self.clients as usize + backlog + half_open;
        Ok(machine)
    }
}
