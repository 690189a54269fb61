//! What was measured, as a table and as JSON.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};

use serde::Serialize;

use crate::load::{Load, Sample};
use crate::{Arguments, CrowdError};

/// A case: the server's private memory, and a sample of each load.
pub(crate) type Case = (u64, [Sample; 2]);

/// Both cases, one after the other.
pub(crate) struct Round {
    pub(crate) alone: Case,
    pub(crate) among: Case,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    active: u32,
    idle: u32,
    rounds: u32,
    seconds: u32,
    file_bytes: u32,
    /// Private memory of the server for each idle connection: the most of the rounds.
    private_bytes_per_idle: f64,
    loads: Vec<Compared>,
}

/// A load in both cases.
#[derive(Debug, Serialize)]
struct Compared {
    load: String,
    alone: Row,
    among_idle: Row,
    /// The 99th percentile among idle connections, as a multiple of that without them: the medians of the rounds.
    p99_ratio: f64,
}

/// Medians of the rounds.
#[derive(Debug, Serialize)]
struct Row {
    requests_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    server_cpu_us_per_request: f64,
    /// The 99th percentile of each round.
    p99_us_rounds: Vec<f64>,
}

impl Report {
    pub(crate) fn new(arguments: &Arguments, rounds: &[Round]) -> Self {
        let idle = f64::from(arguments.idle);
        let grown = rounds
            .iter()
            .map(|Round { alone, among }| (among.0 as f64 - alone.0 as f64) / idle);
        let loads = Load::both(arguments.rate)
            .into_iter()
            .enumerate()
            .map(|(place, load)| {
                let row =
                    |case: fn(&Round) -> &Case| Row::new(rounds.iter().map(|round| &case(round).1[place]));
                let alone = row(|round| &round.alone);
                let among_idle = row(|round| &round.among);
                Compared {
                    load: load.to_string(),
                    p99_ratio: among_idle.p99_us / alone.p99_us,
                    alone,
                    among_idle,
                }
            });
        Self {
            active: arguments.active,
            idle: arguments.idle,
            rounds: arguments.rounds,
            seconds: arguments.seconds,
            file_bytes: arguments.file,
            private_bytes_per_idle: grown.fold(f64::MIN, f64::max),
            loads: loads.collect(),
        }
    }

    pub(crate) fn print(&self, json: bool) -> Result<(), CrowdError> {
        let text = if json {
            serde_json::to_string_pretty(self).map_err(CrowdError::system("printing"))? + "\n"
        } else {
            self.to_string()
        };
        io::stdout()
            .write_all(text.as_bytes())
            .map_err(CrowdError::system("printing"))
    }
}

impl Row {
    fn new<'a>(samples: impl Iterator<Item = &'a Sample> + Clone) -> Self {
        let each = |of: &dyn Fn(&Sample) -> f64| samples.clone().map(of).collect::<Vec<_>>();
        let micros = |share: f64| each(&|sample| sample.percentile(share).as_secs_f64() * 1e6);
        Self {
            requests_per_s: median(each(&Sample::rate)),
            p50_us: median(micros(0.5)),
            p99_us: median(micros(0.99)),
            p999_us: median(micros(0.999)),
            server_cpu_us_per_request: median(each(&Sample::cpu_us)),
            p99_us_rounds: micros(0.99),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (middle, odd) = (values.len() / 2, values.len() % 2 == 1);
    if odd {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} active connections, {} idle; {} rounds of {} s, a file of {} bytes",
            self.active, self.idle, self.rounds, self.seconds, self.file_bytes
        )?;
        writeln!(
            f,
            "{:<22} {:<14} {:>11} {:>8} {:>8} {:>9} {:>9}",
            "load", "case", "requests/s", "p50 µs", "p99 µs", "p99.9 µs", "CPU µs"
        )?;
        for Compared {
            load,
            alone,
            among_idle,
            p99_ratio,
        } in &self.loads
        {
            for (case, row) in [("alone", alone), ("among the idle", among_idle)] {
                writeln!(
                    f,
                    "{load:<22} {case:<14} {:>11.0} {:>8.0} {:>8.0} {:>9.0} {:>9.2}",
                    row.requests_per_s, row.p50_us, row.p99_us, row.p999_us, row.server_cpu_us_per_request
                )?;
            }
            writeln!(f, "{load:<22} p99 is {p99_ratio:.2} times that alone")?;
        }
        writeln!(
            f,
            "an idle connection takes {:.0} bytes of private memory",
            self.private_bytes_per_idle
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
    }
}
