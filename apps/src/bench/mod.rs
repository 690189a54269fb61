//! `pagewire bench`: the same file, sent in every way there is, in one interleaved run.
//!
//! 1. The file, or one that is made, is brought to each length that is asked for ([`subject`]); networks are made ([`paths`]).
//!    How long it may take ([`estimate`]) is said before that.
//! 2. The rounds: each case has its turn in each of them ([`course`]), in one order and then in the other, so that a machine that
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
use crate::progress::Progress;
use crate::report::print;
use crate::summary::count;

pub(crate) use case::{Cache, Choice, Path, Way};
pub(crate) use error::BenchError;

use case::Case;
use course::{Course, Missed};
use estimate::Estimate;
use paths::Paths;
use report::{BenchReport, Missing};
use row::Row;
use sample::Sample;
use subject::{Origin, Subject};

/// Lengths that are sent if nobody asks for others.
const LENGTHS: [u64; 6] = [4 << 10, 64 << 10, 1 << 20, 16 << 20, 256 << 20, subject::LONGEST];

/// What is said of a case whose turn did not come.
const NO_TIME: &str =
    "a quick run had no time left for it: leave --quick out, or name fewer methods or a shorter --size";

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
    let mut rounds = Rounds {
        course,
        subjects,
        runners: cases.into_iter().map(Runner::new).collect(),
        count: arguments.rounds(),
        expected: estimate.time(),
        deadline: arguments.quick.then(|| began + QUICK_LIMIT),
    };
    rounds.run()?;

    let to_stderr = page.as_ref().is_some_and(Output::shares_stdout);
    let report = report(origin.name(), &rounds.runners)?;
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

/// A case with what its runs have shown.
struct Runner {
    case: Case,
    samples: Vec<Sample>,
    /// Why there will be no more.
    missed: Option<String>,
}

impl Runner {
    fn new(case: Case) -> Self {
        Self {
            case,
            samples: Vec::new(),
            missed: None,
        }
    }
}

/// All cases, in turn.
struct Rounds<'a> {
    course: Course<'a>,
    subjects: Vec<Subject>,
    runners: Vec<Runner>,
    count: u32,
    expected: Duration,
    deadline: Option<Instant>,
}

impl Rounds<'_> {
    fn run(&mut self) -> Result<(), BenchError> {
        tracing::info!("measuring {}", count(self.runners.len() as u64, "case"));
        let progress = Progress::of_work("measuring", self.expected);
        let done = |case: &Case, runs| progress.add(estimate::of_a_run(case) * runs);
        for round in 0..self.count {
            let mut turns: Vec<&mut Runner> = self.runners.iter_mut().collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for runner in turns {
                let case = runner.case;
                let subject = subject(&self.subjects, case);
                if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
                    if runner.samples.is_empty() {
                        runner.missed.get_or_insert_with(|| NO_TIME.to_string());
                    }
                    continue;
                }
                if round == 0 {
                    runner.missed = missed(self.course.prove(case, subject))?.err();
                    done(&case, 1);
                }
                for _ in 0..case.repeats() {
                    if runner.missed.is_some() {
                        break;
                    }
                    match missed(self.course.measure(case, subject))? {
                        Ok(sample) => runner.samples.push(sample),
                        Err(why) => runner.missed = Some(why),
                    }
                }
                done(&case, case.repeats());
            }
        }
        Ok(())
    }
}

/// What the runs have come to. A case that was measured before it failed has its row all the same.
fn report(file: String, runners: &[Runner]) -> Result<BenchReport, BenchError> {
    let mut rows = Vec::new();
    let (mut not_available, mut cut_short) = (Vec::new(), Vec::new());
    for Runner {
        case,
        samples,
        missed,
    } in runners
    {
        let among = if samples.is_empty() {
            &mut not_available
        } else {
            rows.push(Row::of(*case, samples));
            &mut cut_short
        };
        among.extend(missed.clone().map(|why| Missing { case: *case, why }));
    }
    match not_available.first() {
        Some(Missing { why, .. }) if rows.is_empty() => {
            let why = why.clone();
            Err(BenchError::NothingMeasured { why })
        }
        _ => Ok(BenchReport::new(file, rows, not_available, cut_short)),
    }
}

/// What cannot be measured is one thing, what ends the bench another.
fn missed<T>(result: Result<T, Missed>) -> Result<Result<T, String>, BenchError> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Missed::NotAvailable(why)) => Ok(Err(why)),
        Err(Missed::Ends(error)) => Err(error),
    }
}

fn subject(subjects: &[Subject], case: Case) -> &Subject {
    subjects
        .iter()
        .find(|subject| subject.bytes == case.bytes)
        .expect("there is a subject of each case's length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pagewire_kernel_methods::Receiver;

    fn runner(path: Path, runs: usize, missed: Option<&str>) -> Runner {
        let sample = Sample {
            bytes: 4096.0,
            seconds: 1.0,
            ..Sample::default()
        };
        Runner {
            case: Case {
                bytes: 4096,
                cache: Cache::Warm,
                receiver: Receiver::Blocking,
                way: Way::ZeroCopy,
                path,
            },
            samples: vec![sample; runs],
            missed: missed.map(str::to_string),
        }
    }

    #[test]
    fn a_case_that_fails_in_a_late_round_keeps_its_runs_and_says_why_there_are_no_more() {
        let runners = [
            runner(Path::Pair, 5, None),
            runner(Path::Tap, 3, Some("the TAP was taken away")),
            runner(Path::Veth, 0, Some("no networks here")),
        ];
        let report = report("file".to_string(), &runners).unwrap();
        let runs = report.rows.iter().map(|row| (row.case.path, row.runs));
        assert_eq!(runs.collect::<Vec<_>>(), [(Path::Pair, 5), (Path::Tap, 3)]);
        let whys = |missing: &[Missing]| missing.iter().map(|one| one.why.clone()).collect::<Vec<_>>();
        assert_eq!(whys(&report.cut_short), ["the TAP was taken away"]);
        assert_eq!(whys(&report.not_available), ["no networks here"]);
        let words = report.to_string();
        for told in [
            "medians of 3 to 5 runs",
            "cut short: pagewire-zero-copy over tap: the TAP was taken away",
            "not available: pagewire-zero-copy over veth: no networks here",
        ] {
            assert!(words.contains(told), "no '{told}' in: {words}");
        }
    }

    #[test]
    fn without_any_row_the_first_reason_is_the_error() {
        let runners = [runner(Path::Tap, 0, Some("no networks here"))];
        let error = report("file".to_string(), &runners).unwrap_err().to_string();
        assert!(error.contains("no networks here"), "{error}");
    }
}
