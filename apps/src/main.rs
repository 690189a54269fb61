//! The `pagewire` command: a file goes from its pages onto a wire, and arrives whole.
//!
//! `arguments` says what may be asked, `send` does it: `input`, `output` and `capture` open the files, `transfer`
//! carries the bytes, `hash` proves them, `report` and `summary` tell what it cost. `admin` has the commands that make a
//! machine ready for real NICs, `network` those that drive one, `bench` measures every way to send, and `stats` shows what those count. Every failure ends here, as one sentence and an exit code.

mod admin;
mod arguments;
mod bench;
mod capture;
mod counts;
mod hash;
mod input;
mod interrupt;
mod losses;
mod memcpy;
mod network;
mod output;
mod progress;
mod proof;
mod report;
mod send;
mod stats;
mod summary;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::panic;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use pagewire::transfer;
use serde::Serialize;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use admin::{AdminError, System};
use arguments::{Arguments, BindArguments, Command, DoctorArguments, ListArguments, UnbindArguments, Way};
use interrupt::Interrupt;

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;
const FAULT: u8 = 70;

/// Bytes in the largest IP packet of an ordinary Ethernet.
const ORDINARY_MTU: u16 = 1500;

fn main() -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        complain(&format_args!(
            "a fault in pagewire itself ({}); please report it, with what you were doing",
            panic.to_string().replace('\n', " ")
        ));
    }));
    // The hook has told about it; unwinding has freed everything and removed what was half written.
    let code = panic::catch_unwind(|| dispatch(Arguments::parse())).unwrap_or(FAULT);
    ExitCode::from(code)
}

fn dispatch(arguments: Arguments) -> u8 {
    if let Err(complaint) = start_log(arguments.verbose) {
        return complain_with(WRONG_USAGE, &complaint);
    }
    match arguments.command {
        Command::Send(arguments) => {
            let way = match arguments.way() {
                Ok(way) => way,
                Err(complaint) => return complain_with(WRONG_USAGE, &complaint),
            };
            until_interrupted(|interrupt| match way {
                Way::Emulated(nic) => conclude(send::run(&arguments, nic, interrupt), interrupt),
                Way::Network(sending) => conclude(network::send(&arguments, &sending, interrupt), interrupt),
            })
        }
        Command::Recv(arguments) => match arguments.machine() {
            Ok(machine) => until_interrupted(|interrupt| {
                conclude(network::recv(&arguments, &machine, interrupt), interrupt)
            }),
            Err(complaint) => complain_with(WRONG_USAGE, &complaint),
        },
        Command::Serve(arguments) => match arguments.machine() {
            Ok(machine) => {
                until_interrupted(
                    |interrupt| match network::serve(&arguments, &machine, interrupt) {
                        // A server that was asked to end has done what it was asked.
                        Ok(()) => 0,
                        Err(error) => complain_with(FAILED, &error),
                    },
                )
            }
            Err(complaint) => complain_with(WRONG_USAGE, &complaint),
        },
        Command::Ping(arguments) => match arguments.machine.machine(ORDINARY_MTU) {
            Ok(machine) => until_interrupted(|interrupt| {
                conclude(network::ping(&arguments, &machine, interrupt), interrupt)
            }),
            Err(complaint) => complain_with(WRONG_USAGE, &complaint),
        },
        Command::Bench(arguments) => {
            bench::enter_own_networks();
            until_interrupted(|interrupt| conclude(bench::run(&arguments, interrupt), interrupt))
        }
        Command::Stats(arguments) => {
            until_interrupted(|interrupt| conclude(stats::run(&arguments, interrupt), interrupt))
        }
        Command::Bind(BindArguments { address, force }) => {
            report(admin::bind(&System::here(), address, force).map(|bound| bound.to_string()))
        }
        Command::Unbind(UnbindArguments { address }) => {
            report(admin::unbind(&System::here(), address).map(|unbound| unbound.to_string()))
        }
        Command::List(ListArguments { all, json }) => {
            let list = admin::list(&System::here(), all);
            report(in_words_or_json(&list, json))
        }
        Command::Doctor(DoctorArguments { json }) => {
            let diagnosis = admin::doctor(&System::here());
            match report(in_words_or_json(&diagnosis, json)) {
                0 => diagnosis
                    .verdict()
                    .map_or_else(|error| complain_with(FAILED, &error), |()| 0),
                failed => failed,
            }
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "pagewire", &mut script);
            print(&script)
        }
        Command::Memcpy => match memcpy::measure() {
            Ok(rate) => print(format!("{rate:.3}\n").as_bytes()),
            Err(error) => complain_with(FAILED, &format_args!("memcpy could not be measured: {error}")),
        },
    }
}

/// Runs what Ctrl-C can end in good order.
fn until_interrupted(command: impl FnOnce(&Interrupt) -> u8) -> u8 {
    match Interrupt::install() {
        Ok(interrupt) => command(&interrupt),
        Err(error) => complain_with(FAILED, &format_args!("cannot watch for Ctrl-C: {error}")),
    }
}

/// The exit code of such a command: after a signal, that of the signal.
fn conclude(result: Result<(), impl Display>, interrupt: &Interrupt) -> u8 {
    match result {
        Ok(()) => 0,
        Err(error) if interrupt.raised() => complain_with(interrupt.exit_code(), &error),
        Err(error) => complain_with(FAILED, &error),
    }
}

/// What a command has to say, on stdout; or why it failed, on stderr.
fn report(said: Result<String, AdminError>) -> u8 {
    match said {
        Ok(words) => print(words.as_bytes()),
        Err(error) => complain_with(FAILED, &error),
    }
}

fn in_words_or_json<T: Display + Serialize>(result: &T, json: bool) -> Result<String, AdminError> {
    if !json {
        return Ok(result.to_string());
    }
    let object = serde_json::to_string_pretty(result).map_err(|cause| AdminError::Print(cause.into()))?;
    Ok(object + "\n")
}

/// `PAGEWIRE_LOG` says what to log, in the words of tracing's filters; `-v` says it in short.
fn start_log(verbose: u8) -> Result<(), String> {
    let wish = std::env::var("PAGEWIRE_LOG").unwrap_or_default();
    let filter = match (wish.as_str(), verbose) {
        ("", 0) => "warn",
        ("", 1) => "info",
        ("", 2) => "debug",
        ("", _) => "trace",
        (wish, _) => wish,
    };
    let filter = filter.parse::<Targets>().map_err(|error| {
        format!("PAGEWIRE_LOG='{wish}' is no filter ({error}); try PAGEWIRE_LOG=info or PAGEWIRE_LOG=pagewire_stack=debug")
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .without_time()
        .with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(filter).with(lines).init();
    Ok(())
}

fn print(bytes: &[u8]) -> u8 {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => 0,
        // Whoever has read enough may go.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => complain_with(
            FAILED,
            &format_args!("standard output could not be written: {error}"),
        ),
    }
}

fn complain_with(code: u8, sentence: &dyn Display) -> u8 {
    complain(sentence);
    code
}

/// One sentence on stderr. If even that cannot be written, the exit code must say it.
fn complain(sentence: &dyn Display) {
    let _ = writeln!(io::stderr().lock(), "pagewire: {sentence}");
}
