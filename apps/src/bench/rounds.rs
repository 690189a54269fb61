//! All cases, in turn, and what their runs come to.

use std::time::{Duration, Instant};

use super::case::Case;
use super::course::{Course, Missed};
use super::error::BenchError;
use super::estimate;
use super::report::{BenchReport, Missing};
use super::row::Row;
use super::sample::Sample;
use super::subject::Subject;
use crate::progress::Progress;
use crate::summary::count;

/// What is said of a case whose turn did not come.
const NO_TIME: &str =
    "a quick run had no time left for it: leave --quick out, or name fewer methods or a shorter --size";

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
pub(super) struct Rounds<'a> {
    pub(super) course: Course<'a>,
    /// One of each case's length.
    pub(super) subjects: Vec<Subject>,
    pub(super) cases: Vec<Case>,
    /// How many rounds.
    pub(super) count: u32,
    /// What they may take, for the bar.
    pub(super) expected: Duration,
    /// When nothing more is begun.
    pub(super) deadline: Option<Instant>,
}

impl Rounds<'_> {
    /// Runs all of them; `file` is the name that the report has.
    pub(super) fn run(&self, file: String) -> Result<BenchReport, BenchError> {
        tracing::info!("measuring {}", count(self.cases.len() as u64, "case"));
        let progress = Progress::of_work("measuring", self.expected);
        let mut runners: Vec<Runner> = self.cases.iter().copied().map(Runner::new).collect();
        for round in 0..self.count {
            let mut turns: Vec<&mut Runner> = runners.iter_mut().collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for runner in turns {
                let runs = self.turn(runner, round == 0)?;
                progress.add(estimate::of_a_run(&runner.case) * runs);
            }
        }
        report(file, &runners)
    }

    /// A turn of one case. Returns how many runs of it are done with.
    fn turn(&self, runner: &mut Runner, first: bool) -> Result<u32, BenchError> {
        if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            if runner.samples.is_empty() {
                runner.missed.get_or_insert_with(|| NO_TIME.to_string());
            }
            return Ok(0);
        }
        let case = runner.case;
        let subject = self
            .subjects
            .iter()
            .find(|subject| subject.bytes == case.bytes)
            .expect("there is a subject of each case's length");
        if first {
            runner.missed = missed(self.course.prove(case, subject))?.err();
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
        Ok(case.repeats() + u32::from(first))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::case::{Cache, Path, Way};
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
