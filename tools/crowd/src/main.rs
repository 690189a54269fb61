//! `pagewire-crowd`: what a request waits among thousands of connections that are open and idle.
//!
//! 1. [`server`] starts `pagewire serve` over a TAP, in a network of its own, with one file.
//! 2. [`client`] opens connections from the kernel's TCP, each of which is answered once and then stays.
//! 3. [`load`] lets the active ones ask, at a steady rate and as fast as they can, and notes how long each answer took.
//! 4. Round after round: the active ones alone, then among the crowd, which comes and leaves in each round.
//! 5. [`report`] tells what became of it: medians of the rounds, their ratio, and the server's memory.

mod client;
mod load;
mod report;
mod server;

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pagewire_netns::{Namespace, NetnsError, enter_user_namespace};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use load::Load;
use report::{Report, Round};
use server::{Server, TAP};

const EXAMPLES: &str = "\
Examples:
  cargo run --release -p pagewire-crowd                          10,000 connections of which 100 are active
  cargo run --release -p pagewire-crowd -- --json > crowd.json   for scripts
  cargo run --release -p pagewire-crowd -- --idle 2000 --rounds 3 --seconds 1

Two loads:
  at a rate      each active connection asks in its turn, so that all of them together ask RATE times a second. An
                 answer's time begins when its request was due, also where the connection had to wait for an earlier one
  saturating     each asks again as soon as it is answered: it is the server's throughput that sets the time

The client spins on the last core, and the server has the others. What else runs on this machine shows in the 99th percentile.";

/// Measure how long answers of `pagewire serve` take, alone and among idle connections.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
struct Arguments {
    /// Connections that make requests
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    active: u32,

    /// Connections that are open beside them, and idle
    #[arg(long, value_name = "N", default_value_t = 9_900, value_parser = clap::value_parser!(u32).range(1..=25_000))]
    idle: u32,

    /// How often each case has its turn
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=200))]
    rounds: u32,

    /// How long each load lasts in each round
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,

    /// Requests a second, of all active connections together
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,

    /// Bytes in the file that they ask for
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    file: u32,

    /// The program; without this it is built
    #[arg(long, value_name = "PROGRAM")]
    pagewire: Option<PathBuf>,

    /// Print one JSON object in place of the table
    #[arg(long)]
    json: bool,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
enum CrowdError {
    #[error(transparent)]
    Network(#[from] NetnsError),
    #[error("{needed} open files are needed, and {allowed} are allowed: ulimit -n {needed}")]
    Descriptors { needed: u64, allowed: u64 },
    #[error("`pagewire` {what}")]
    Server { what: String },
    #[error("connection {number} of {of} {what}")]
    Client { number: usize, of: usize, what: String },
    #[error("{step}: {cause}")]
    System { step: &'static str, cause: io::Error },
}

impl CrowdError {
    /// For `map_err`: what was tried.
    fn system<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> Self {
        move |cause| Self::System {
            step,
            cause: cause.into(),
        }
    }
}

/// The network that the TAP joins: the first is the server, the active clients are at the second, and each crowd has an
/// address to itself, so that no port of a crowd that has left is in its way.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 2);
const ACTIVE: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 1);
const PREFIX: u8 = 16;

/// How long the server is left alone before its memory is looked at. It gives back what connections at rest have used
/// after two seconds.
const REST: Duration = Duration::from_secs(4);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = measure(&arguments).and_then(|report| report.print(arguments.json));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pagewire-crowd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<Report, CrowdError> {
    enter_user_namespace()?;
    allow_descriptors(u64::from(arguments.active + arguments.idle) + 64)?;
    let program = match &arguments.pagewire {
        Some(program) => program.clone(),
        None => server::build()?,
    };
    let network = Namespace::new()?;
    let [ours, others] = cores()?;
    pin(others)?;
    let server = Server::start(&program, &network, arguments)?;
    pin(ours)?;
    network.address(TAP, ACTIVE.into(), PREFIX)?;
    let mut active = network.run(|| client::open(ACTIVE, arguments.active, arguments))?;
    let mut rounds = vec![];
    for number in 0..arguments.rounds {
        let from = Ipv4Addr::new(10, 7, 1, 1 + number as u8);
        network.address(TAP, from.into(), PREFIX)?;
        let mut samples = |seen: &str| -> Result<_, CrowdError> {
            let private = server.private_bytes()?;
            eprintln!("round {}: {seen}, {} KiB private", number + 1, private >> 10);
            let loads = Load::both(arguments.rate);
            let length = Duration::from_secs(arguments.seconds.into());
            let samples = loads.map(|load| load::run(load, &mut active, length, &server));
            let [at_rate, saturating] = samples;
            Ok((private, [at_rate?, saturating?]))
        };
        std::thread::sleep(REST);
        let alone = samples("alone")?;
        let crowd = network.run(|| client::open(from, arguments.idle, arguments))?;
        std::thread::sleep(REST);
        let among = samples("among the idle")?;
        client::leave(crowd)?;
        rounds.push(Round { alone, among });
    }
    drop(active);
    server.stop()?;
    Ok(Report::new(arguments, &rounds))
}

/// The core of the client, and those of the server: the scheduler's choice would be most of what is measured.
fn cores() -> Result<[CpuSet; 2], CrowdError> {
    let all = sched_getaffinity(None).map_err(CrowdError::system("asking for the cores"))?;
    let last = (0..CpuSet::MAX_CPU)
        .rev()
        .find(|core| all.is_set(*core))
        .unwrap_or(0);
    let (mut ours, mut others) = (CpuSet::new(), all);
    ours.set(last);
    if all.count() > 1 {
        others.unset(last);
    }
    Ok([ours, others])
}

/// Where this thread runs, and what it starts.
fn pin(cores: CpuSet) -> Result<(), CrowdError> {
    sched_setaffinity(None, &cores).map_err(CrowdError::system("choosing a core"))
}

/// A descriptor for each connection.
fn allow_descriptors(needed: u64) -> Result<(), CrowdError> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum: maximum.map(|maximum| maximum.max(needed)),
    };
    setrlimit(Resource::Nofile, raised).map_err(|_| CrowdError::Descriptors {
        needed,
        allowed: maximum.unwrap_or(0),
    })
}
