//! `pagewire bench`: the same file, sent in every way there is, in one interleaved run.
//!
//! 1. The file, or one that is made, is brought to each length that is asked for ([`subject`]); networks are made ([`paths`]).
//!    How long it may take ([`estimate`]) is said before that.
//! 2. The [`rounds`]: each case has its turn in each of them ([`course`]), in one order and then in the other, so that a machine that
//!    grows slower under way is unkind to all alike.
//! 3. The first turn of a case begins with its proof: what arrives is hashed, and nothing is measured. What cannot be measured
//!    here is noted with its reason, and left out; what fails in a later run keeps the runs before it.
//! 4. Medians and extremes ([`row`]) are printed as tables ([`table`]) or JSON, and drawn on a page ([`page`], [`plot`]) beside how
//!    each way works ([`explain`]).

mod case;
mod course;
mod error;
mod estimate;
mod explain;
mod page;
mod pair;
mod paths;
mod plot;
mod report;
mod rounds;
mod row;
mod sample;
mod subject;
mod table;
mod tap;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::arguments::BenchArguments;
use crate::input::Input;
use crate::interrupt::Interrupt;
use crate::output::{Output, OutputError};
use crate::report::print;

pub(crate) use case::{Cache, Choice, Path, Way};
pub(crate) use error::BenchError;

use course::Course;
use estimate::Estimate;
use paths::Paths;
use rounds::Rounds;
use subject::{Origin, Subject};

/// Lengths that are sent if nobody asks for others.
const LENGTHS: [u64; 6] = [4 << 10, 64 << 10, 1 << 20, 16 << 20, 256 << 20, subject::LONGEST];

/// What takes longer than this says so ahead.
const WORTH_A_WORD: Duration = Duration::from_secs(60);

/// What is sent in a quick run, and when nothing more is begun there.
const QUICK_LENGTH: u64 = 256 << 20;
const QUICK_LIMIT: Duration = Duration::from_secs(40);

/// Sees to it that networks can be made. Belongs at the beginning, before there are threads; where it cannot be, each path that
/// needs a network says so by itself.
pub(crate) fn enter_own_networks() {
    if let Err(error) = pagewire_netns::enter_user_namespace() {
        tracing::info!("no networks of our own: {error}");
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &BenchArguments, interrupt: &Interrupt) -> Result<(), BenchError> {
    let done = measure(arguments, interrupt);
    // Whatever else went wrong after a signal, the signal is the reason.
    if interrupt.raised() {
        Err(BenchError::Interrupted)
    } else {
        done
    }
}

fn measure(arguments: &BenchArguments, interrupt: &Interrupt) -> Result<(), BenchError> {
    let began = Instant::now();
    let origin = match &arguments.file {
        Some(path) => Origin::Given(Input::open(path)?),
        None => Origin::Made,
    };
    let lengths = lengths(arguments, &origin)?;
    let cases = arguments.choice().cases(&lengths);
    if cases.is_empty() {
        return Err(BenchError::NothingToMeasure);
    }
    let page = match &arguments.html {
        Some(path) => {
            let input = match &origin {
                Origin::Given(input) => Some(&input.before),
                Origin::Made => None,
            };
            Some(Output::open(path, input, 0, interrupt)?)
        }
        None => None,
    };
    if arguments.json && page.as_ref().is_some_and(Output::shares_stdout) {
        return Err(BenchError::JsonAmongHtml);
    }

    let estimate = Estimate::of(&cases, arguments.rounds());
    if !arguments.quick && estimate.time() > WORTH_A_WORD {
        // Not for the log: it is what everybody who is about to wait should know.
        let _ = writeln!(io::stderr(), "pagewire: {estimate}");
    }
    let subjects = lengths.iter().map(|&bytes| origin.subject(bytes, interrupt));
    let subjects: Vec<Subject> = subjects.collect::<Result<_, _>>()?;
    let wanted: Vec<Path> = cases.iter().map(|case| case.path).collect();
    let paths = Paths::new(&wanted);
    let course = Course {
        paths: &paths,
        interrupt,
    };
    let rounds = Rounds {
        course,
        subjects,
        cases,
        count: arguments.rounds(),
        expected: estimate.time(),
        deadline: arguments.quick.then(|| began + QUICK_LIMIT),
    };
    let report = rounds.run(origin.name())?;

    let to_stderr = page.as_ref().is_some_and(Output::shares_stdout);
    if let Some(mut page) = page {
        let drawn = page::page(&report).map_err(BenchError::Page)?;
        let kept = page.write(drawn.as_bytes());
        kept.map_err(|cause| OutputError::explain(page.path(), cause))?;
        page.commit()?;
    }
    print(&report, &report, arguments.json, to_stderr).map_err(BenchError::Print)
}

/// The lengths of the files: those asked for, or all that the file is long enough for, and its own.
fn lengths(arguments: &BenchArguments, origin: &Origin) -> Result<Vec<u64>, BenchError> {
    let longest = origin.longest();
    if longest == 0 {
        return Err(BenchError::Empty { path: origin.name() });
    }
    if let Some(&size) = arguments.size.iter().find(|size| **size > longest) {
        return Err(BenchError::TooShort {
            path: origin.name(),
            size,
            bytes: longest,
        });
    }
    let mut lengths = match (arguments.size.as_slice(), arguments.quick) {
        ([], true) => vec![longest.min(QUICK_LENGTH)],
        ([], false) => {
            let shorter = LENGTHS.into_iter().filter(|length| *length < longest);
            shorter.chain([longest]).collect()
        }
        (sizes, ..) => sizes.to_vec(),
    };
    lengths.sort_unstable();
    lengths.dedup();
    Ok(lengths)
}
