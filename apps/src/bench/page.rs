//! The report as a page: one file that a browser shows without a network.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use pagewire_kernel_methods::Receiver;

use super::case::{Cache, Way};
use super::explain::{Hop, explain};
use super::plot::{Bar, Line, Undrawn, bars, lines};
use super::report::{BenchReport, Missing, reasons};
use super::row::Row;
use super::table::{COLUMNS, groups, heading};

const STYLE: &str = "
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2430; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #d8dde6; }
.on { color: #5b6472; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .6rem; text-align: right; white-space: pre; vertical-align: bottom; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
th { border-bottom: 2px solid #1f2430; } tr.ours { background: #eaf2ff; font-weight: 600; }
.scroll { overflow-x: auto; } svg { max-width: 100%; height: auto; }
li b { display: inline-block; min-width: 5rem; }
.way { display: grid; grid-template-columns: minmax(18rem, 1fr) auto; gap: 0 1.5rem; align-items: center; margin: 1.2rem 0; }
.way h3 { grid-column: 1 / -1; margin: 0; font-size: 15px; } .way p { margin: 0; }
@media (max-width: 60rem) { .way { grid-template-columns: 1fr; } }
";

/// The whole page.
pub(super) fn page(report: &BenchReport) -> Result<String, Undrawn> {
    let groups = groups(report);
    let plots = plots(&groups)?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "pagewire bench" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "The ways to send a file" }
                p.on {
                    (report.file) ", on " (report.machine.cpu) ", " (report.machine.cores) " cores, " (report.machine.kernel)
                }
                (how_to_read())
                @if !report.comparisons.is_empty() {
                    h2 { "In short" }
                    ul {
                        @for comparison in &report.comparisons {
                            li { b { (format!("{:.2} ×", comparison.ratio)) } " " (comparison.what) }
                        }
                    }
                }
                h2 { "Plots" }
                p { "The line on a bar goes from the smallest value to the largest; the bar is the median." }
                @for plot in &plots {
                    figure { (PreEscaped(plot)) }
                }
                h2 { "Tables" }
                @for group in &groups {
                    h3 { (heading(group)) }
                    div.scroll { (table(group)) }
                }
                (missing("Not available here", &report.not_available))
                (missing("Cut short", &report.cut_short))
                h2 { "How each works" }
                @for way in Way::all().into_iter().filter(|way| report.rows.iter().any(|row| row.case.way == *way)) {
                    (explained(way))
                }
            }
        }
    };
    Ok(page.into_string())
}

fn how_to_read() -> Markup {
    html! {
        p {
            "The same file went by every method to the same kind of receiver, in turn, round after round. "
            "GB are 10⁹ bytes. The clock runs from the connect to the last byte at the receiver. "
            "Sender CPU is the sending thread's; over loopback and veth that includes work that the kernel does there for the receiver, "
            "so total CPU stands beside it: everybody's. "
            "Of pagewire, sender CPU is stack and driver alone: the emulated device stands apart, since its memcpy stands for the DMA of a "
            "real one; total CPU has it all."
        }
        p {
            "A blocking receiver sleeps until bytes are there and copies them; a spinning one asks again and again; one that discards has "
            "the kernel throw the bytes away, so that nobody ever reads them."
        }
    }
}

/// Those of the longest file for each cache and receiver, and of all lengths.
fn plots(groups: &[Vec<&Row>]) -> Result<Vec<String>, Undrawn> {
    let longest = groups.iter().map(|group| group[0].case.bytes).max().unwrap_or(0);
    let mut plots = Vec::new();
    for group in groups.iter().filter(|group| group[0].case.bytes == longest) {
        let of = heading(group);
        let drawn: Vec<Bar> = group.iter().map(|row| Bar::rate(row)).collect();
        plots.push(bars(&format!("Bytes a second: {of}"), "GB/s", &drawn)?);
        if group[0].case.cache == Cache::Warm && group[0].case.receiver == Receiver::Blocking {
            for (what, bar) in [
                ("Sender CPU", Bar::sender_cpu as fn(&Row) -> Bar),
                ("Total CPU", Bar::total_cpu),
            ] {
                let mut drawn: Vec<&&Row> = group.iter().collect();
                drawn.sort_by(|one, other| bar(one).cmp_value(&bar(other)));
                let drawn: Vec<Bar> = drawn.into_iter().map(|row| bar(row)).collect();
                plots.push(bars(
                    &format!("{what}: {of}"),
                    "CPU s/GB, less is better",
                    &drawn,
                )?);
            }
        }
    }
    let by_length = by_length(groups);
    if by_length.iter().any(|line| line.points.len() > 1) {
        plots.push(lines(
            "Bytes a second by length of the file: warm, blocking receiver",
            &by_length,
        )?);
    }
    Ok(plots)
}

fn by_length(groups: &[Vec<&Row>]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let warm = groups
        .iter()
        .filter(|group| (group[0].case.cache, group[0].case.receiver) == (Cache::Warm, Receiver::Blocking));
    for row in warm.flatten() {
        let label = format!("{} · {}", row.case.way.name(), row.case.path.name());
        let point = (row.case.bytes as f64, row.gb_per_s);
        match lines.iter_mut().find(|line| line.label == label) {
            Some(line) => line.points.push(point),
            None => lines.push(Line {
                label,
                path: row.case.path,
                ours: row.case.way.is_ours(),
                points: vec![point],
            }),
        }
    }
    lines
}

fn table(rows: &[&Row]) -> Markup {
    html! {
        table {
            thead { tr { @for (heading, _) in COLUMNS { th { (heading) } } } }
            tbody {
                @for row in rows {
                    tr.ours[row.case.way.is_ours()] {
                        @for (_, value) in COLUMNS { td { (value(row)) } }
                    }
                }
            }
        }
    }
}

fn missing(how: &str, all: &[Missing]) -> Markup {
    html! {
        @if !all.is_empty() {
            h2 { (how) }
            ul {
                @for (what, why) in reasons(all) {
                    li { (what) ": " (why) }
                }
            }
        }
    }
}

/// Two sentences, and the way of a byte.
fn explained(way: Way) -> Markup {
    let explanation = explain(way);
    html! {
        section.way {
            h3 { (way.name()) }
            p { (explanation.words) }
            (way_of_a_byte(explanation.hops))
        }
    }
}

/// Boxes with arrows between them.
fn way_of_a_byte(hops: &[(Hop, &str)]) -> Markup {
    const BOX: usize = 88;
    const ARROW: usize = 74;
    let width = BOX + hops.len() * (BOX + ARROW) + 2;
    let places = std::iter::once("page cache").chain(hops.iter().map(|(_, place)| *place));
    html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height="46" viewBox=(format!("0 0 {width} 46")) role="img" {
            @for (index, place) in places.enumerate() {
                @let x = 1 + index * (BOX + ARROW);
                rect x=(x) y="10" width=(BOX) height="28" rx="4" fill="#f4f6fa" stroke="#5b6472" {}
                text x=(x + BOX / 2) y="28" text-anchor="middle" font-size="12" { (place) }
            }
            @for (index, (hop, _)) in hops.iter().enumerate() {
                @let x = 1 + BOX + index * (BOX + ARROW);
                @let colour = colour(*hop);
                @let dashes = if *hop == Hop::Referenced { "4 3" } else { "none" };
                path d=(format!("M{} 24 h{}", x + 3, ARROW - 12)) stroke=(colour) stroke-width="2" stroke-dasharray=(dashes) fill="none" {}
                path d=(format!("M{} 19 l8 5 l-8 5 z", x + ARROW - 10)) fill=(colour) {}
                text x=(x + ARROW / 2 - 2) y="17" text-anchor="middle" font-size="11" fill=(colour) { (hop.name()) }
            }
        }
    }
}

fn colour(hop: Hop) -> &'static str {
    match hop {
        Hop::Copied => "#c2410c",
        Hop::Referenced => "#15803d",
        Hop::Fetched => "#2563eb",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::report;

    #[test]
    fn the_page_is_whole_by_itself() {
        let page = page(&report()).unwrap();
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
        for part in [
            "In short",
            "pagewire-zero-copy · pair",
            "by reference",
            "io_uring is forbidden here",
            "median of 1 run",
        ] {
            assert!(page.contains(part), "no '{part}'");
        }
        for elsewhere in ["src=", "href=", "@import", "url("] {
            assert!(
                !page.contains(elsewhere),
                "it asks for something elsewhere: {elsewhere}"
            );
        }
    }

    #[test]
    fn names_of_files_are_no_markup() {
        let report = BenchReport {
            file: "<script>alert(1)</script>".into(),
            ..report()
        };
        assert!(!page(&report).unwrap().contains("<script>"));
    }
}
