//! `pagewire send` over emulated NICs: checks, transfer, proof, report.
//!
//! 1. Everything a person can get wrong is looked at before anything is built.
//! 2. The transfer runs; each byte that arrives is hashed, and written where `--output` says.
//! 3. The file is hashed afterwards, through `pread`, outside the timed part: so a file that was changed under way does
//!    not pass. The output is read back and must hold what arrived.
//! 4. Only then does the output get its name, and the report is printed.

use std::fs::File;
use std::io;

use pagewire_nic::dma::ReadLease;

use crate::arguments::{SendArguments, Switch};
use crate::capture;
use crate::hash::{Content, Xxh3};
use crate::input::{Change, Input, InputError};
use crate::interrupt::Interrupt;
use crate::memcpy;
use crate::output::{Output, OutputError};
use crate::progress::Progress;
use crate::proof::{hash_with_bar, kept_as_arrived};
use crate::report::{self, Proof, Report, Setup};
use crate::summary::{Summary, count};
use crate::transfer::{self, NicModel, Outcome, Plan, Sink, TransferError};

/// From this many bytes on, the summary in words says what memcpy would take; `--json` always does.
const WORTH_COMPARING: u64 = 256 << 20;

/// Why `pagewire send` failed: one sentence each.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("{0}")]
    Input(#[from] InputError),
    #[error("{0}")]
    Output(#[from] OutputError),
    #[error("--json and the received bytes both go to standard output; give --output another file")]
    JsonAmongBytes,
    #[error("{0}")]
    Transfer(TransferError),
    #[error("{error}; the reason may be that of '{path}': {change}")]
    TransferOfChanged {
        error: TransferError,
        path: String,
        change: Change,
    },
    #[error("'{path}' could not be read again to verify it: {cause}")]
    Unreadable { path: String, cause: io::Error },
    #[error("what arrived is not what '{path}' holds now: {change}; send it again when nobody writes to it")]
    Changed { path: String, change: Change },
    #[error(
        "what arrived is not what '{path}' holds ({arrived} of {declared} arrived); this is a fault of pagewire: please report it with a --pcap"
    )]
    Mismatch {
        path: String,
        arrived: u64,
        declared: String,
    },
    #[error(
        "every byte arrived, but the driver broke {count} of the device ({first}); this is a fault of pagewire: please report it"
    )]
    RulesBroken { count: String, first: String },
    #[error("the report could not be printed: {0}")]
    Print(io::Error),
    #[error("interrupted; nothing was kept")]
    Interrupted,
}

/// Runs the command. `Ok` means that every byte was verified.
pub(crate) fn run(arguments: &SendArguments, nic: NicModel, interrupt: &Interrupt) -> Result<(), SendError> {
    let done = carry(arguments, nic, interrupt);
    // Whatever else went wrong after a signal, the signal is the reason.
    if interrupt.raised() {
        Err(SendError::Interrupted)
    } else {
        done
    }
}

fn carry(arguments: &SendArguments, nic: NicModel, interrupt: &Interrupt) -> Result<(), SendError> {
    let input = Input::open(&arguments.file)?;
    let declared = input.declared_len();
    let output = match &arguments.output {
        Some(path) => Some(Output::open(path, Some(&input.before), declared, interrupt)?),
        None => None,
    };
    if arguments.json && output.as_ref().is_some_and(Output::shares_stdout) {
        return Err(SendError::JsonAmongBytes);
    }
    let pcap = match &arguments.machine.wire.pcap {
        Some(path) => Some(capture::create(
            path,
            Some(&input.before),
            arguments.output.as_deref().map(|output| ("--output", output)),
            interrupt,
        )?),
        None => None,
    };

    let setup = setup(arguments, nic);
    let mut receiver = Receiver {
        hash: Xxh3::new(),
        output,
    };
    // Until the proof is done, so that a writer that waits for the transfer does not slip in between the two.
    let lease = ReadLease::acquire(&input.file);
    let outcome = transfer(arguments, &setup, &input, pcap, &mut receiver, interrupt)?;
    let Receiver { hash, output } = receiver;
    let (proof, failure) = prove(&input, hash.finish(), &outcome, output.as_ref(), interrupt)?;
    drop(lease);
    let print_to_stderr = output.as_ref().is_some_and(Output::shares_stdout);
    match output {
        Some(output) if proof.verified => output.commit()?,
        // Removes what was written.
        other => drop(other),
    }

    let compare = arguments.json || declared >= WORTH_COMPARING;
    let memcpy = if compare { memcpy::measure_apart() } else { None };
    let report = Report::new(&input, &setup, outcome, &proof, memcpy);
    report::print(&Summary(&report), &report, arguments.json, print_to_stderr).map_err(SendError::Print)?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

fn setup(arguments: &SendArguments, nic: NicModel) -> Setup {
    Setup {
        nic,
        mode: arguments.mode.into(),
        mtu: arguments.mtu,
        tso: arguments.tso == Switch::On,
        impairments: arguments.machine.wire.impairments(),
        sanitizer: arguments.sanitizer.into(),
    }
}

/// The timed part.
fn transfer(
    arguments: &SendArguments,
    setup: &Setup,
    input: &Input,
    pcap: Option<File>,
    receiver: &mut Receiver,
    interrupt: &Interrupt,
) -> Result<Outcome, SendError> {
    let declared_len = input.declared_len();
    let file = input.file.try_clone().map_err(|cause| InputError::Other {
        path: input.path.display().to_string(),
        cause,
    })?;
    let plan = Plan {
        file,
        declared_len,
        nic: setup.nic,
        mode: setup.mode,
        mtu: setup.mtu,
        tso: setup.tso,
        impairments: setup.impairments,
        virtual_time: arguments.virtual_time,
        sanitizer: setup.sanitizer,
        spinning_receiver: false,
        pcap,
    };
    tracing::info!(
        "sending {} of {}",
        count(declared_len, "byte"),
        input.path.display()
    );
    let progress = Progress::begin("sending", Some(declared_len));
    let result = transfer::run(plan, receiver, progress.counter(), interrupt.flag());
    drop(progress);
    tracing::info!("the transfer has ended");
    result.map_err(|error| explain(error, input, receiver))
}

/// Adds what only the command knows: the output's name, and whether the file is still what it was.
fn explain(error: TransferError, input: &Input, receiver: &Receiver) -> SendError {
    match (error, &receiver.output, input.change()) {
        (TransferError::Sink(cause), Some(output), _) => OutputError::explain(output.path(), cause).into(),
        (error @ (TransferError::Source { .. } | TransferError::Reset { .. }), _, Some(change)) => {
            let path = input.path.display().to_string();
            SendError::TransferOfChanged { error, path, change }
        }
        (error, _, _) => SendError::Transfer(error),
    }
}

/// Compares what arrived with the file, and with the output as it can be read back.
fn prove(
    input: &Input,
    arrived: Content,
    outcome: &Outcome,
    output: Option<&Output>,
    interrupt: &Interrupt,
) -> Result<(Proof, Option<SendError>), SendError> {
    let declared = input.declared_len();
    let path = || input.path.display().to_string();
    let kept = output.and_then(|output| Some((output, output.to_read_back()?)));
    let (contents, sha256) = hash_with_bar("verifying", &input.file, declared, kept.is_none(), interrupt)
        .map_err(|cause| SendError::Unreadable { path: path(), cause })?;
    let sha256 = match (sha256, kept) {
        (Some(sha256), _) => sha256,
        (None, Some((output, file))) => kept_as_arrived(output, file, arrived, interrupt)?,
        (None, None) => {
            return Err(SendError::Unreadable {
                path: path(),
                cause: io::ErrorKind::Other.into(),
            });
        }
    };

    let whole = arrived.bytes == declared && outcome.bytes_received == declared;
    let verified = whole && arrived == contents;
    let failure = match input.change() {
        Some(change) if verified => {
            tracing::warn!("'{}': {change}; the bytes declared at the start arrived", path());
            None
        }
        Some(change) if whole => Some(SendError::Changed { path: path(), change }),
        _ if !verified => {
            let declared = count(declared, "byte");
            Some(SendError::Mismatch {
                path: path(),
                arrived: arrived.bytes,
                declared,
            })
        }
        _ => None,
    };
    let failure = failure.or_else(|| rules_broken(outcome));
    Ok((
        Proof {
            arrived: arrived.xxh3,
            sha256,
            verified,
        },
        failure,
    ))
}

fn rules_broken(outcome: &Outcome) -> Option<SendError> {
    (outcome.iommu_violations > 0).then(|| SendError::RulesBroken {
        count: count(outcome.iommu_violations, "rule"),
        first: outcome
            .violations
            .first()
            .cloned()
            .unwrap_or_else(|| "no further word".into()),
    })
}

/// The far end: hashes what arrives and passes it to the output.
struct Receiver {
    hash: Xxh3,
    output: Option<Output>,
}

impl Sink for Receiver {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        match &mut self.output {
            Some(output) => output.write(bytes),
            None => Ok(()),
        }
    }
}
