//! `pagewire-guest`: a guest to look around in, or one that runs a script.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io};

use clap::{Args, Parser, Subcommand, ValueEnum};
use pagewire_guest::boot::Step;
use pagewire_guest::packages::Kernel;
use pagewire_guest::{Console, GuestError, Report, Setup, boot, prepare};

const EXAMPLES: &str = "\
Examples:
  cargo run -p pagewire-guest -- shell                     look around: the NIC is 0000:00:03.0
  cargo run -p pagewire-guest -- shell --nic e1000         with an 82540EM instead
  cargo run -p pagewire-guest -- run step.sh               run a script, print its log, power off
  cargo run -p pagewire-guest -- run a.sh b.sh --kernel full --module e1000e
                                                           two, with Linux's own driver loaded

In the guest:
  /bin has busybox, pagewire and far-end; /data is ext4 with files to send; $FAR is Linux's NIC at
  the other end of the wire, 10.0.0.2 and fd00::2; what lies in /results ends up on this machine.";

/// A Linux guest under QEMU, with a NIC for pagewire, an IOMMU, and Linux's own TCP at the other end of the wire.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch the packages and build the programs that guests are made of, so that the first boot need not wait
    Prepare,
    /// Boot to a shell on this terminal; `exit` powers off, Ctrl-A X ends QEMU
    Shell(Machine),
    /// Boot, run scripts one after the other under `sh -eux`, print their logs, power off
    Run {
        /// The scripts
        #[arg(required = true)]
        scripts: Vec<PathBuf>,
        #[command(flatten)]
        machine: Machine,
    },
}

#[derive(Args, Debug)]
struct Machine {
    /// The NIC under test, as QEMU calls it
    #[arg(long, default_value = "e1000e")]
    nic: String,
    /// Which of Debian's kernels: the full one has Linux's own drivers for Intel's NICs
    #[arg(long, value_enum, default_value_t = KernelChoice::Cloud)]
    kernel: KernelChoice,
    /// One more module to load, with what it needs; may be given again
    #[arg(long, value_name = "NAME")]
    module: Vec<String>,
    /// One more of QEMU's devices, with its options; may be given again
    #[arg(long, value_name = "DEVICE")]
    device: Vec<String>,
    /// Seconds after which the guest is ended
    #[arg(long, default_value_t = 3600)]
    limit: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KernelChoice {
    Cloud,
    Full,
}

fn main() -> ExitCode {
    match dispatch(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pagewire-guest: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<bool, GuestError> {
    match command {
        Command::Prepare => prepare().map(|()| true),
        Command::Shell(machine) => {
            let mut setup = setup(machine, "shell");
            setup.console = Console::Terminal;
            boot(&setup)?;
            Ok(true)
        }
        Command::Run { scripts, machine } => {
            let limit = machine.limit;
            let mut setup = setup(machine, "run");
            for path in scripts {
                let name = path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let script = fs::read_to_string(&path)
                    .map_err(|source: io::Error| GuestError::File { path, source })?;
                setup.steps.push(Step { name, script, limit });
            }
            let report = boot(&setup)?;
            Ok(print(&setup, &report))
        }
    }
}

fn setup(machine: Machine, name: &str) -> Setup {
    Setup {
        kernel: match machine.kernel {
            KernelChoice::Cloud => Kernel::Cloud,
            KernelChoice::Full => Kernel::Full,
        },
        modules: machine.module,
        devices: machine.device,
        limit: Duration::from_secs(machine.limit.into()),
        ..Setup::new(name, &machine.nic)
    }
}

/// The log of every script, and whether all went well.
fn print(setup: &Setup, report: &Report) -> bool {
    let mut good = true;
    for Step { name, .. } in &setup.steps {
        print!("{}", report.text(&format!("{name}.log")));
        match report.check(name) {
            Ok(()) => println!("{name}: ok"),
            Err(_) => {
                println!("{name}: FAILED");
                good = false;
            }
        }
    }
    if let Some(why) = &report.cut_short {
        println!("the guest {why}");
    }
    println!("its files: {}", report.folder.display());
    good
}
