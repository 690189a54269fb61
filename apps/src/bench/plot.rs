//! Plots as SVG, for the page.

use plotters::coord::ranged1d::{NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::case::Path;
use super::row::Row;
use super::table::length;

const WIDTH: u32 = 920;
/// Pixels of a bar with the gap below it.
const BAR: u32 = 24;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(40, 44, 52);

/// Why there is no plot: a fault of whoever draws.
pub(super) type Undrawn = String;

/// A colour for each path, the same in every plot.
fn colour(path: Path) -> RGBColor {
    match path {
        Path::Loopback => RGBColor(148, 163, 184),
        Path::Veth => RGBColor(100, 116, 139),
        Path::Tap => RGBColor(16, 150, 110),
        Path::Pair => RGBColor(37, 99, 235),
    }
}

/// One bar: how long, and from where to where its values went.
pub(super) struct Bar {
    label: String,
    path: Path,
    value: f64,
    min: f64,
    max: f64,
}

impl Bar {
    /// Bytes a second.
    pub(super) fn rate(row: &Row) -> Self {
        Self {
            value: row.gb_per_s,
            min: row.gb_per_s_min,
            max: row.gb_per_s_max,
            ..Self::of(row)
        }
    }

    /// The sender's CPU time for each byte.
    pub(super) fn sender_cpu(row: &Row) -> Self {
        Self {
            value: row.sender_cpu_s_per_gb,
            min: row.sender_cpu_s_per_gb_min,
            max: row.sender_cpu_s_per_gb_max,
            ..Self::of(row)
        }
    }

    /// Everybody's.
    pub(super) fn total_cpu(row: &Row) -> Self {
        Self {
            value: row.total_cpu_s_per_gb,
            min: row.total_cpu_s_per_gb_min,
            max: row.total_cpu_s_per_gb_max,
            ..Self::of(row)
        }
    }

    /// Which of two is shorter.
    pub(super) fn cmp_value(&self, other: &Self) -> std::cmp::Ordering {
        self.value.total_cmp(&other.value)
    }

    fn of(row: &Row) -> Self {
        Self {
            label: format!("{} · {}", row.case.way.name(), row.case.path.name()),
            path: row.case.path,
            value: 0.0,
            min: 0.0,
            max: 0.0,
        }
    }
}

/// Horizontal bars, in the order in which they are given, with a line from the smallest to the largest value on each.
pub(super) fn bars(title: &str, unit: &str, bars: &[Bar]) -> Result<String, Undrawn> {
    let mut svg = String::new();
    let height = 70 + BAR * bars.len() as u32;
    let longest = bars.iter().map(|bar| bar.max).fold(0.0, f64::max).max(1e-9) * 1.12;
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let rows = bars.len() as f64;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, (FONT, 15).into_font().color(&INK))
            .margin(6)
            .x_label_area_size(28)
            .y_label_area_size(210)
            .build_cartesian_2d(0.0..longest, rows..0.0)
            .map_err(told)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_labels(8)
            .x_desc(unit)
            .light_line_style(WHITE)
            .label_style((FONT, 12).into_font().color(&INK))
            .draw()
            .map_err(told)?;
        for (index, bar) in bars.iter().enumerate() {
            let (top, bottom) = (index as f64 + 0.18, index as f64 + 0.82);
            let middle = index as f64 + 0.5;
            let whole = Rectangle::new([(0.0, top), (bar.value, bottom)], colour(bar.path).filled());
            let spread = PathElement::new([(bar.min, middle), (bar.max, middle)], INK.stroke_width(1));
            chart.draw_series([whole]).map_err(told)?;
            chart.draw_series([spread]).map_err(told)?;
            let style = (FONT, 12).into_font().color(&INK);
            let value = Text::new(
                format!(" {}", number(bar.value)),
                (bar.max, index as f64 + 0.22),
                style.clone(),
            );
            chart.draw_series([value]).map_err(told)?;
            let (x, y) = chart.backend_coord(&(0.0, index as f64 + 0.22));
            let beside = style.pos(Pos::new(HPos::Right, VPos::Top));
            area.draw_text(&bar.label, &beside, (x - 8, y)).map_err(told)?;
        }
        area.present().map_err(told)?;
    }
    Ok(svg)
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value if value >= 0.1 => format!("{value:.3}"),
        value => format!("{value:.4}"),
    }
}

/// One line: a way over a path, from the shortest file to the longest.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) path: Path,
    pub(super) ours: bool,
    /// Bytes, and GB/s.
    pub(super) points: Vec<(f64, f64)>,
}

/// Lengths of files on an axis: their logarithms, labelled as people say them.
struct Lengths {
    from: f64,
    to: f64,
    at: Vec<f64>,
}

impl Ranged for Lengths {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value.log2() - self.from.log2()) / (self.to.log2() - self.from.log2());
        limit.0 + (f64::from(limit.1 - limit.0) * share) as i32
    }

    fn key_points<H: plotters::coord::ranged1d::KeyPointHint>(&self, _hint: H) -> Vec<f64> {
        self.at.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Lengths {
    fn format(value: &f64) -> String {
        length(*value as u64)
    }
}

/// Bytes a second over the length of the file.
pub(super) fn lines(title: &str, lines: &[Line]) -> Result<String, Undrawn> {
    let mut svg = String::new();
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let highest = points().map(|point| point.1).fold(0.0, f64::max).max(1e-9) * 1.08;
    let mut at: Vec<f64> = points().map(|point| point.0).collect();
    at.sort_by(f64::total_cmp);
    at.dedup();
    let (Some(&from), Some(&to)) = (at.first(), at.last()) else {
        return Ok(svg);
    };
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, 460)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .caption(title, (FONT, 15).into_font().color(&INK))
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(48)
            .right_y_label_area_size(230)
            .build_cartesian_2d(Lengths { from, to, at }, 0.0..highest)
            .map_err(told)?;
        chart
            .configure_mesh()
            .y_desc("GB/s")
            .light_line_style(WHITE)
            .label_style((FONT, 12).into_font().color(&INK))
            .draw()
            .map_err(told)?;
        // Names stand beside the ends of their lines, as far apart as they are high.
        let mut ends: Vec<(f64, &Line)> = Vec::new();
        for line in lines {
            let style = colour(line.path).stroke_width(if line.ours { 3 } else { 1 });
            let drawn = LineSeries::new(line.points.iter().copied(), style);
            chart.draw_series(drawn).map_err(told)?;
            if let Some(last) = line.points.last() {
                ends.push((last.1, line));
            }
        }
        ends.sort_by(|one, other| other.0.total_cmp(&one.0));
        let mut free = 0;
        for (rate, line) in ends {
            let (x, y) = chart.backend_coord(&(to, rate));
            let y = (y - 7).max(free);
            free = y + 14;
            let style = (FONT, 12).into_font().color(&colour(line.path));
            area.draw_text(&line.label, &style, (x + 8, y)).map_err(told)?;
        }
        area.present().map_err(told)?;
    }
    Ok(svg)
}

fn told(error: impl std::fmt::Display) -> Undrawn {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::report;

    #[test]
    fn each_row_has_a_bar_with_its_name_and_its_value() {
        let report = report();
        let drawn: Vec<Bar> = report.rows.iter().map(Bar::rate).collect();
        let svg = bars("Bytes a second", "GB/s", &drawn).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for part in [
            "sendfile · veth",
            "pagewire-zero-copy · pair",
            "8.00",
            "Bytes a second",
        ] {
            assert!(svg.contains(part), "no '{part}' in: {svg}");
        }
    }

    #[test]
    fn lengths_are_told_as_people_say_them() {
        let line = Line {
            label: "sendfile · veth".into(),
            path: Path::Veth,
            ours: false,
            points: vec![(4096.0, 0.1), (1048576.0, 1.0), (1073741824.0, 2.0)],
        };
        let svg = lines("Bytes a second", &[line]).unwrap();
        for part in ["4 KiB", "1 MiB", "1 GiB", "sendfile · veth"] {
            assert!(svg.contains(part), "no '{part}' in: {svg}");
        }
        assert_eq!(lines("nothing", &[]).unwrap(), "");
    }
}
