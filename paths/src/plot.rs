//! The pictures: goodput and ratios by cell, as SVG, whose text the reader's own fonts draw.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::plan::PAIRINGS;
use crate::report::{Measured, Report};

const SIZE: (u32, u32) = (1_100, 560);
const COLORS: [RGBColor; 4] =
    [RGBColor(90, 90, 90), RGBColor(214, 96, 10), RGBColor(30, 110, 190), RGBColor(20, 140, 60)];

/// What is drawn of a cell and a pairing: a point, and a line from the least to the most.
type Drawn = Option<(f64, f64, f64)>;

/// Medians and spreads in Mbit/s.
pub(crate) fn goodput(report: &Report, file: &Path) -> Result<()> {
    let value = |cell: &Measured, pairing| -> Drawn {
        let spread = cell.spread(pairing)?;
        Some((spread.median, spread.least, spread.most))
    };
    draw(report, file, "Goodput, Mbit/s (median, least to most)", 0.1..1_200.0, 0, value)
}

/// Medians as parts of Linux's.
pub(crate) fn ratios(report: &Report, file: &Path) -> Result<()> {
    let value = |cell: &Measured, pairing| cell.ratio(pairing).map(|ratio| (ratio, 1.0, ratio));
    draw(report, file, "Medians as parts of Linux to Linux", 0.01..100.0, 1, value)
}

/// Cells from left to right, the pairings from the first on side by side.
fn draw(
    report: &Report,
    file: &Path,
    title: &str,
    range: std::ops::Range<f64>,
    first: usize,
    value: impl Fn(&Measured, usize) -> Drawn,
) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", file.display());
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(130)
        .y_label_area_size(60)
        .build_cartesian_2d(-0.5..report.cells.len() as f64 - 0.5, range.clone().log_scale())
        .map_err(|error| failed(&error))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(0)
        .draw()
        .map_err(|error| failed(&error))?;
    let clamp = |value: f64| value.clamp(range.start, range.end);
    for (pairing, color) in COLORS.iter().enumerate().skip(first) {
        let mut shapes = Vec::new();
        let mut points = Vec::new();
        for (at, cell) in report.cells.iter().enumerate() {
            let x = at as f64 + (pairing as f64 - 1.5) * 0.18;
            let Some((middle, least, most)) = value(cell, pairing) else { continue };
            shapes.push(PathElement::new(vec![(x, clamp(least)), (x, clamp(most))], color.stroke_width(2)));
            points.push(Circle::new((x, clamp(middle)), 4, color.filled()));
        }
        chart.draw_series(shapes).map_err(|error| failed(&error))?;
        let series = chart.draw_series(points).map_err(|error| failed(&error))?;
        series
            .label(PAIRINGS[pairing].to_string())
            .legend(move |(x, y)| Circle::new((x + 8, y), 4, color.filled()));
    }
    let font = ("sans-serif", 13).into_font().transform(FontTransform::Rotate90);
    let style = TextStyle::from(font).pos(Pos::new(HPos::Left, VPos::Center));
    for (at, cell) in report.cells.iter().enumerate() {
        let (x, y) = chart.backend_coord(&(at as f64, range.start));
        area.draw_text(&cell.cell.to_string(), &style, (x, y + 8)).map_err(|error| failed(&error))?;
    }
    chart
        .configure_series_labels()
        .label_font(("sans-serif", 13))
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK)
        .position(SeriesLabelPosition::UpperLeft)
        .draw()
        .map_err(|error| failed(&error))?;
    area.present().map_err(|error| failed(&error))
}
