//! Three charts over the same time, one below the other.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::record::{Record, Series, thinned};

const SIZE: (u32, u32) = (1_100, 960);
/// More points than this side by side are not to be told apart.
const COLUMNS: usize = 900;
const BLUE: RGBColor = RGBColor(30, 110, 190);
const ORANGE: RGBColor = RGBColor(214, 96, 10);
const GREEN: RGBColor = RGBColor(20, 140, 60);
const GRAY: RGBColor = RGBColor(150, 150, 150);

/// A line of a chart.
struct Line<'a> {
    name: &'a str,
    series: &'a Series,
    color: RGBColor,
}

/// The picture as SVG, whose text the reader's own fonts draw.
pub(crate) fn picture(record: &Record, name: &str, seconds: u64) -> Result<String> {
    let mut svg = String::new();
    draw(&mut svg, record, name, seconds as f64).map_err(|error| anyhow!("{name}: {error}"))?;
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(svg: &mut String, record: &Record, name: &str, seconds: f64) -> Drawn {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let parts = area.split_evenly((3, 1));
    let title = format!("{name}: octets of the stream, 10^6");
    let lines = [
        Line { name: "sent", series: &record.sent, color: BLUE },
        Line { name: "acknowledged", series: &record.acked, color: GREEN },
    ];
    chart(
        &parts[0],
        &title,
        seconds,
        &lines,
        Some(&Line { name: "sent again", series: &record.again, color: ORANGE }),
    )?;
    let lines = [
        Line { name: "in flight", series: &record.flight, color: GRAY },
        Line { name: "slow start threshold", series: &record.threshold, color: ORANGE },
        Line { name: "congestion window", series: &record.window, color: BLUE },
    ];
    chart(&parts[1], "Windows, segments", seconds, &lines, None)?;
    let lines = [Line { name: "smoothed", series: &record.round_trip, color: BLUE }];
    chart(&parts[2], "Round trip, ms, over seconds", seconds, &lines, None)?;
    area.present()?;
    Ok(())
}

fn chart(area: &Area<'_>, title: &str, seconds: f64, lines: &[Line<'_>], points: Option<&Line<'_>>) -> Drawn {
    let all = lines.iter().chain(points).flat_map(|line| line.series);
    let top = all.fold(0.0, |top: f64, point| top.max(point.1)).max(1e-3) * 1.05;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(28)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..seconds, 0.0..top)?;
    chart.configure_mesh().light_line_style(TRANSPARENT).draw()?;
    for Line { name, series, color } in lines {
        let (thin, color) = (thinned(series, seconds, COLUMNS), *color);
        chart
            .draw_series(LineSeries::new(thin, color.stroke_width(1)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    if let Some(Line { name, series, color }) = points {
        let (thin, color) = (thinned(series, seconds, COLUMNS), *color);
        chart
            .draw_series(thin.into_iter().map(|point| Circle::new(point, 2, color.filled())))?
            .label(*name)
            .legend(move |(x, y)| Circle::new((x + 8, y), 3, color.filled()));
    }
    chart
        .configure_series_labels()
        .label_font(("sans-serif", 12))
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK)
        .position(SeriesLabelPosition::LowerRight)
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_its_three_charts_and_stays_small_however_much_was_seen() {
        let wave: Series = (0..100_000).map(|i| (f64::from(i) / 1e5, f64::from(i % 77))).collect();
        let record = Record { sent: wave.clone(), again: wave.clone(), window: wave, ..Record::default() };
        let svg = picture(&record, "here", 1).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for text in ["here: octets", "sent again", "congestion window", "Round trip"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(svg.len() < 256 << 10, "{}", svg.len());
    }
}
