//! Everything that a bench has found, as one object: `--json` prints it, [`table`](super::table) shows it to people.

use std::fs;

use rustix::system::uname;
use serde::Serialize;

use super::case::{Cache, Case, Path, Way};
use super::row::Row;
use crate::summary::count;
use pagewire_kernel_methods::{Method, Receiver};

/// What was measured, and on what.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BenchReport {
    /// The file that was sent, as it was named.
    pub(crate) file: String,
    pub(crate) machine: Machine,
    pub(crate) rows: Vec<Row>,
    /// What was asked for and cannot be measured here.
    pub(crate) not_available: Vec<Missing>,
    /// What could be measured at first, and not to the end: its row is of the runs before.
    pub(crate) cut_short: Vec<Missing>,
    /// What people ask first.
    pub(crate) comparisons: Vec<Comparison>,
}

/// The machine that it was measured on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
}

impl Machine {
    fn here() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
        let cpu = model.map(|model| model.trim_start_matches([' ', '\t', ':']).to_string());
        let kernel = uname();
        Self {
            cpu: cpu.unwrap_or_else(|| "unknown".to_string()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: format!(
                "{} {}",
                kernel.sysname().to_string_lossy(),
                kernel.release().to_string_lossy()
            ),
        }
    }
}

/// A case without all of its runs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Missing {
    #[serde(flatten)]
    pub(crate) case: Case,
    pub(crate) why: String,
}

/// One way beside another, with the longest file from a warm cache.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Comparison {
    /// In words.
    pub(crate) what: String,
    pub(crate) ratio: f64,
}

impl BenchReport {
    pub(crate) fn new(
        file: String,
        rows: Vec<Row>,
        not_available: Vec<Missing>,
        cut_short: Vec<Missing>,
    ) -> Self {
        let comparisons = compare(&rows);
        Self {
            file,
            machine: Machine::here(),
            rows,
            not_available,
            cut_short,
            comparisons,
        }
    }
}

/// Why something is missing: each reason once, with the first that it holds for, and how many more there are.
pub(crate) fn reasons(all: &[Missing]) -> Vec<(String, &str)> {
    let mut told: Vec<(&Missing, u64)> = Vec::new();
    for missing in all {
        match told.iter_mut().find(|(first, _)| first.why == missing.why) {
            Some((_, more)) => *more += 1,
            None => told.push((missing, 0)),
        }
    }
    let what = |first: &Missing, more| match more {
        0 => first.case.to_string(),
        more => format!("{} and {}", first.case, count(more, "more case")),
    };
    let told = told.into_iter();
    told.map(|(first, more)| (what(first, more), first.why.as_str()))
        .collect()
}

const SENDFILE: Way = Way::Kernel(Method::Sendfile);

fn compare(rows: &[Row]) -> Vec<Comparison> {
    let longest = rows.iter().map(|row| row.case.bytes).max().unwrap_or(0);
    let among = |receiver| {
        let fits = move |row: &&Row| {
            (row.case.bytes, row.case.cache, row.case.receiver) == (longest, Cache::Warm, receiver)
        };
        rows.iter().filter(fits)
    };
    let find = |receiver, way, path| among(receiver).find(|row| (row.case.way, row.case.path) == (way, path));
    let blocking = Receiver::Blocking;
    let mut comparisons = Vec::new();
    let mut tell = |what: String, ratio: f64| comparisons.push(Comparison { what, ratio });

    for (ours, theirs) in [(Path::Tap, Path::Veth), (Path::Pair, Path::Loopback)] {
        let ours = find(blocking, Way::ZeroCopy, ours);
        let theirs = find(blocking, SENDFILE, theirs);
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            tell(
                format!("bytes a second: {} beside {}", ours.case, theirs.case),
                ours.gb_per_s / theirs.gb_per_s,
            );
            tell(
                format!("sender's CPU time a byte: {} beside {}", theirs.case, ours.case),
                theirs.sender_cpu_s_per_gb / ours.sender_cpu_s_per_gb,
            );
        }
    }
    for receiver in Receiver::ALL {
        let best = |ours: bool| {
            let of = among(receiver).filter(|row| row.case.way.is_ours() == ours);
            of.max_by(|one, other| one.gb_per_s.total_cmp(&other.gb_per_s))
        };
        if let (Some(ours), Some(theirs)) = (best(true), best(false)) {
            let whom = receiver.name();
            let (first, second) = if ours.gb_per_s >= theirs.gb_per_s {
                (ours, theirs)
            } else {
                (theirs, ours)
            };
            tell(
                format!(
                    "bytes a second, {whom} receiver: the fastest, {}, beside {}",
                    first.case, second.case
                ),
                first.gb_per_s / second.gb_per_s,
            );
        }
    }
    comparisons
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bench::row::tests::example;

    pub(crate) fn report() -> BenchReport {
        let rows = vec![
            example(SENDFILE, Path::Loopback, 2.0),
            example(SENDFILE, Path::Veth, 1.0),
            example(Way::ZeroCopy, Path::Tap, 3.0),
            example(Way::ZeroCopy, Path::Pair, 8.0),
        ];
        let missing = Missing {
            case: Case {
                bytes: 1_000_000_000,
                cache: Cache::Warm,
                receiver: Receiver::Blocking,
                way: Way::Kernel(Method::UringSend),
                path: Path::Veth,
            },
            why: "io_uring is forbidden here".into(),
        };
        BenchReport::new("big.bin".into(), rows, vec![missing], Vec::new())
    }

    #[test]
    fn ours_stand_beside_sendfile_and_beside_the_fastest() {
        let report = report();
        let told: Vec<(&str, f64)> = report
            .comparisons
            .iter()
            .map(|comparison| (comparison.what.as_str(), comparison.ratio))
            .collect();
        assert!(told.contains(&(
            "bytes a second: pagewire-zero-copy over tap beside sendfile over veth",
            3.0
        )));
        assert!(told.contains(&(
            "bytes a second: pagewire-zero-copy over pair beside sendfile over loopback",
            4.0
        )));
        assert!(told.iter().any(
            |(what, ratio)| what.contains("the fastest, pagewire-zero-copy over pair") && *ratio == 4.0
        ));
    }

    #[test]
    fn a_reason_stands_once_with_the_number_of_cases_that_it_holds_for() {
        let [missing] = &report().not_available[..] else {
            panic!("one is missing");
        };
        let other = Missing {
            why: "no networks here".into(),
            ..missing.clone()
        };
        let all = [missing.clone(), other, missing.clone(), missing.clone()];
        let told = [
            (
                "io-uring-send over veth and 2 more cases".to_string(),
                "io_uring is forbidden here",
            ),
            ("io-uring-send over veth".to_string(), "no networks here"),
        ];
        assert_eq!(reasons(&all), told);
    }

    #[test]
    fn where_the_kernel_is_faster_it_says_so() {
        let rows = vec![
            example(SENDFILE, Path::Loopback, 9.0),
            example(Way::ZeroCopy, Path::Tap, 3.0),
        ];
        let report = BenchReport::new("big.bin".into(), rows, Vec::new(), Vec::new());
        assert_eq!(report.comparisons.len(), 1);
        let comparison = &report.comparisons[0];
        assert!(
            comparison
                .what
                .contains("the fastest, sendfile over loopback, beside pagewire-zero-copy over tap")
        );
        assert_eq!(comparison.ratio, 3.0);
    }
}
