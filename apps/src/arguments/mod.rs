//! What may be written after `pagewire`, and the help that explains it: the commands here, the options of each in a
//! file of its own.

mod admin;
mod bench;
mod machine;
mod network;
mod random;
mod send;
mod serve;
mod slot;
mod wire;

use clap::{ArgAction, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use admin::{BindArguments, DoctorArguments, ListArguments, UnbindArguments};
pub(crate) use bench::BenchArguments;
pub(crate) use machine::{Cable, Machine, NicChoice, Place};
pub(crate) use random::seed as unguessable;
pub(crate) use send::{NetworkSend, SendArguments, Switch, Way};
pub(crate) use serve::ServeArguments;
pub(crate) use slot::{PingArguments, RecvArguments, StatsArguments};

const EXAMPLES: &str = "\
Examples:
  pagewire send README.md                      send a file, check every byte, print what it cost
  pagewire send README.md --pcap wire.pcap     record the frames, for Wireshark or tshark
  pagewire send README.md --nic vfio:0000:00:03.0 --ip 192.168.1.5/24 --to 192.168.1.9:5001
                                               send it over a real NIC, to anybody's TCP
  pagewire recv --nic vfio:0000:00:03.0 --ip 192.168.1.5/24 --listen 5001 --output FILE
                                               receive a file
  pagewire recv --cable tap:pagewire0 --ip 10.0.0.2/24 --listen 5001 --output FILE
                                               the same on an emulated NIC, from this machine's own kernel
  pagewire serve DIR --cable tap:pagewire0 --ip 10.0.0.2/24
                                               serve files over HTTP
  pagewire send --help                         every option, with examples
  pagewire bench --quick                       how fast the kernel's ways to send a file are here, and ours
  pagewire doctor                              what this machine lacks for real NICs
  pagewire list                                its NICs, and how to use each
  pagewire completions bash > pagewire.bash    completions for your shell

Exit codes:
  0    it is done; for a transfer: every byte arrived and was verified
  1    something failed: one sentence on stderr says what and what to do
  2    the command line is wrong
  70   a fault in pagewire itself
  130  stopped by Ctrl-C (128 + the signal's number)";

/// A user-space network stack: file pages go straight into a NIC's descriptors.
#[derive(Debug, Parser)]
#[command(name = "pagewire", version, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Arguments {
    /// Say more on stderr (-v progress of the parts, -vv details, -vvv everything); PAGEWIRE_LOG=FILTER is finer
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send a file: over emulated NICs to an embedded receiver, or over a network to anybody
    #[command(after_help = send::EXAMPLES)]
    Send(SendArguments),

    /// Receive a file over a network, from anybody's TCP
    #[command(after_help = slot::RECV_EXAMPLES)]
    Recv(RecvArguments),

    /// Serve the files of a folder over HTTP, to anybody
    #[command(after_help = serve::EXAMPLES)]
    Serve(ServeArguments),

    /// Ask a host for echoes
    #[command(after_help = slot::PING_EXAMPLES)]
    Ping(PingArguments),

    /// Measure every way to send a file, the kernel's and ours, in one run
    #[command(after_help = bench::EXAMPLES)]
    Bench(BenchArguments),

    /// Show what a running pagewire has counted on its NIC
    #[command(after_help = slot::STATS_EXAMPLES)]
    Stats(StatsArguments),

    /// Take a NIC from the kernel's driver, for pagewire (vfio-pci)
    #[command(after_help = admin::BIND_EXAMPLES)]
    Bind(BindArguments),

    /// Give a NIC back to the driver that it had before `bind`
    Unbind(UnbindArguments),

    /// Show the NICs: who drives each, and what pagewire can do with it
    #[command(after_help = admin::LIST_EXAMPLES)]
    List(ListArguments),

    /// Find what stands between this machine and a NIC of its own; change nothing
    #[command(after_help = admin::DOCTOR_EXAMPLES)]
    Doctor(DoctorArguments),

    /// Print completions for a shell
    #[command(after_help = "Examples:\n  \
        pagewire completions bash > ~/.local/share/bash-completion/completions/pagewire\n  \
        pagewire completions zsh > ~/.zfunc/_pagewire\n  \
        pagewire completions fish > ~/.config/fish/completions/pagewire.fish")]
    Completions {
        /// The shell to complete for
        shell: Shell,
    },

    /// Print this machine's memcpy rate in GB/s (what `send` compares itself with)
    #[command(hide = true)]
    Memcpy,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_help_names_no_command_that_is_not_there() {
        let mut command = Arguments::command();
        command.build();
        let help = command.render_long_help().to_string();
        let words = help
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("pagewire "));
        let named: Vec<&str> = words.filter_map(|line| line.split_whitespace().next()).collect();
        assert!(named.contains(&"send"), "{help}");
        for name in named {
            assert!(command.find_subcommand(name).is_some(), "there is no `{name}`");
        }
    }
}
