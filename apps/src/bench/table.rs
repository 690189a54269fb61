//! The report as tables in a terminal: one for each length, cache and receiver, the fastest row first.

use std::fmt::{self, Display, Formatter};

use comfy_table::{Cell, CellAlignment, LineStyle, Table, presets};

use super::report::{BenchReport, reasons};
use super::row::Row;
use crate::summary::count;

/// A heading, and what stands under it.
type Column = (&'static str, fn(&Row) -> String);

pub(super) const COLUMNS: [Column; 12] = [
    ("method", |row| row.case.way.name().to_string()),
    ("path", |row| row.case.path.name().to_string()),
    ("GB/s", |row| format!("{:.2}", row.gb_per_s)),
    ("min-max", |row| {
        format!("{:.2}-{:.2}", row.gb_per_s_min, row.gb_per_s_max)
    }),
    ("sender\nCPU s/GB", |row| {
        format!("{:.4}", row.sender_cpu_s_per_gb)
    }),
    ("total\nCPU s/GB", |row| format!("{:.3}", row.total_cpu_s_per_gb)),
    ("device\nCPU s/GB", |row| match row.device_cpu_s_per_gb {
        0.0 => "-".to_string(),
        cpu => format!("{cpu:.3}"),
    }),
    ("copies\nsend/recv", |row| {
        format!(
            "{:.0}/{:.0}",
            row.sender_copies_per_byte, row.receiver_copies_per_byte
        )
    }),
    ("said to\nbe copied", |row| match row.reported_copied {
        Some(share) => format!("{:.0} %", 100.0 * share),
        None => "-".to_string(),
    }),
    ("context\nswitches", |row| format!("{:.0}", row.context_switches)),
    ("system\ncalls", |row| format!("{:.0}", row.system_calls)),
    ("memory a byte\nin flight", |row| {
        format!("{:.2}", row.extra_memory_per_byte_in_flight)
    }),
];

/// The rows that belong together, in the order in which they were measured; the fastest first in each.
pub(super) fn groups(report: &BenchReport) -> Vec<Vec<&Row>> {
    let key = |row: &Row| (row.case.bytes, row.case.cache, row.case.receiver);
    let mut rows: Vec<&Row> = report.rows.iter().collect();
    rows.sort_by(|one, other| {
        let fastest_first = other.gb_per_s.total_cmp(&one.gb_per_s);
        key(one).cmp(&key(other)).then(fastest_first)
    });
    rows.chunk_by(|one, other| key(one) == key(other))
        .map(<[&Row]>::to_vec)
        .collect()
}

/// What the rows of a group, of which there is one at least, have in common, in words.
pub(super) fn heading(group: &[&Row]) -> String {
    let row = group[0];
    let runs = || group.iter().map(|row| row.runs);
    let (fewest, most) = (runs().min().unwrap_or(0), runs().max().unwrap_or(0));
    let medians = if fewest == most {
        format!("median of {}", count(most, "run"))
    } else {
        format!("medians of {fewest} to {most} runs")
    };
    format!(
        "{}, {} page cache ({:.0} % resident), {} receiver, {medians}",
        length(row.case.bytes),
        row.case.cache.name(),
        100.0 * row.resident,
        row.case.receiver.name(),
    )
}

/// `4 KiB`, `1 GiB`, `1,234 bytes`
pub(super) fn length(bytes: u64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes >= 1 << shift && bytes.is_multiple_of(1 << shift) {
            return format!("{} {unit}", bytes >> shift);
        }
    }
    count(bytes, "byte")
}

impl Display for BenchReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {}, {} cores, {}\n",
            self.file, self.machine.cpu, self.machine.cores, self.machine.kernel
        )?;
        for group in groups(self) {
            writeln!(f, "{}\n{}\n", heading(&group), table(&group))?;
        }
        for comparison in &self.comparisons {
            writeln!(f, "{:>8.2} x  {}", comparison.ratio, comparison.what)?;
        }
        for (how, missing) in [
            ("not available", &self.not_available),
            ("cut short", &self.cut_short),
        ] {
            for (what, why) in reasons(missing) {
                writeln!(f, "{how}: {what}: {why}")?;
            }
        }
        Ok(())
    }
}

fn table(rows: &[&Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    table.set_header(COLUMNS.map(|(heading, _)| heading));
    for row in rows {
        table.add_row(COLUMNS.map(|(_, value)| Cell::new(value(row))));
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::report;

    #[test]
    fn the_fastest_stands_first_and_what_is_missing_is_told_with_its_reason() {
        let words = report().to_string();
        let place = |word: &str| {
            words
                .find(word)
                .unwrap_or_else(|| panic!("no '{word}' in: {words}"))
        };
        assert!(place("pair") < place("tap") && place("tap") < place("loopback"));
        assert!(
            words.contains(
                "4.00 x  bytes a second: pagewire-zero-copy over pair beside sendfile over loopback"
            )
        );
        assert!(words.contains("not available: io-uring-send over veth: io_uring is forbidden here"));
        assert!(words.lines().all(|line| line.chars().count() <= 150), "{words}");
    }

    #[test]
    fn lengths_read_as_people_say_them() {
        assert_eq!(length(4096), "4 KiB");
        assert_eq!(length(1 << 30), "1 GiB");
        assert_eq!(length(1_000_000), "1,000,000 bytes");
    }
}
