//! Line charts as SVG. They show without any script; the page's script adds a read-out at the pointer.

use std::fmt::Write;

use serde::Serialize;

use super::html::escape;
use super::text;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 40.0;

/// Colours that the style sheet has for series.
const COLORS: usize = 6;

/// How numbers become places on an axis, and what is written there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Axis {
    /// Seconds, from the least to the greatest.
    Seconds,
    /// Counts, from zero.
    Count,
    /// Microseconds, logarithmic.
    LogMicros,
    /// Nines of a percentile: 1 is the 90th, 3 the 99.9th.
    Nines,
}

/// Points joined by a line.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Which of the style sheet's colours, taken round the end.
    pub color: usize,
    /// Whether the line is broken, for what is of second rank.
    pub dashed: bool,
    /// Points by rising x.
    pub points: Vec<(f64, f64)>,
}

/// A chart with one or more series.
#[derive(Clone, PartialEq, Debug)]
pub struct Chart {
    /// What it shows.
    pub title: &'static str,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
}

/// What the script needs of a series: places in the drawing with a text for each.
#[derive(Serialize)]
struct ReadOut<'a> {
    name: &'a str,
    color: usize,
    points: Vec<(f64, f64, String)>,
}

impl Chart {
    /// Appends the chart as an HTML figure. Nothing is appended if there is nothing to draw.
    pub fn append_to(&self, out: &mut String) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let (Some(x), Some(y)) = (
            Range::of(self.x, points().map(|point| point.0)),
            Range::of(self.y, points().map(|point| point.1)),
        ) else {
            return;
        };
        let place = |&(px, py): &(f64, f64)| {
            let across = LEFT + x.share(px) * (WIDTH - LEFT - RIGHT);
            let down = HEIGHT - BOTTOM - y.share(py) * (HEIGHT - TOP - BOTTOM);
            (round(across), round(down))
        };
        let read_outs: Vec<ReadOut<'_>> = self
            .series
            .iter()
            .map(|series| {
                let point = |point: &(f64, f64)| {
                    let (across, down) = place(point);
                    let label = format!("{}: {}", self.x.label(point.0), self.y.label(point.1));
                    (across, down, label)
                };
                let points = series.points.iter().map(point).collect();
                ReadOut { name: &series.name, color: series.color % COLORS, points }
            })
            .collect();
        // Numbers and text always make JSON.
        let data = serde_json::to_string(&read_outs).unwrap_or_default();
        let _ = write!(
            out,
            "<figure class=\"chart\" data-series=\"{}\"><figcaption>{}</figcaption>\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escape(&data),
            escape(self.title),
            escape(self.title),
        );
        self.append_grid(out, &x, &y);
        for series in &self.series {
            append_line(out, series, series.points.iter().map(place));
        }
        out.push_str("<g class=\"cursor\"></g></svg>");
        self.append_legend(out);
        out.push_str("</figure>\n");
    }

    fn append_grid(&self, out: &mut String, x: &Range, y: &Range) {
        let bottom = HEIGHT - BOTTOM;
        for tick in y.ticks() {
            let down = round(bottom - y.share(tick) * (HEIGHT - TOP - BOTTOM));
            let _ = write!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{down}\" y2=\"{down}\"/>\
                 <text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                down + 4.0,
                self.y.label(tick),
            );
        }
        for tick in x.ticks() {
            let across = round(LEFT + x.share(tick) * (WIDTH - LEFT - RIGHT));
            let _ = write!(
                out,
                "<line class=\"grid\" x1=\"{across}\" x2=\"{across}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text class=\"tick\" x=\"{across}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 20.0,
                self.x.label(tick),
            );
        }
    }

    fn append_legend(&self, out: &mut String) {
        out.push_str("<div class=\"legend\">");
        for series in &self.series {
            let _ = write!(
                out,
                "<span><i class=\"c{}{}\"></i>{}</span>",
                series.color % COLORS,
                if series.dashed { " dashed" } else { "" },
                escape(&series.name),
            );
        }
        out.push_str("</div>");
    }
}

fn append_line(out: &mut String, series: &Series, places: impl Iterator<Item = (f64, f64)>) {
    let class = if series.dashed { " dashed" } else { "" };
    let _ = write!(
        out,
        "<polyline class=\"line c{}{class}\" fill=\"none\" points=\"",
        series.color % COLORS
    );
    for (across, down) in places {
        let _ = write!(out, "{across},{down} ");
    }
    out.push_str("\"/>");
}

fn round(place: f64) -> f64 {
    (place * 10.0).round() / 10.0
}

impl Axis {
    /// A number as text.
    fn label(self, number: f64) -> String {
        match self {
            Self::Seconds => format!("{} s", (number * 10.0).round() / 10.0),
            Self::Count => text::thousands(number),
            Self::LogMicros => short_time(number),
            Self::Nines => percentile(number),
        }
    }
}

/// A latency without needless digits.
fn short_time(us: f64) -> String {
    let (number, unit) = match us {
        us if us < 1e3 => (us, "µs"),
        us if us < 1e6 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    // Three significant digits.
    let digits = (2 - number.max(1.0).log10().floor() as i32).max(0);
    let scale = 10_f64.powi(digits);
    format!("{} {unit}", (number * scale).round() / scale)
}

/// The percentile with so many nines.
fn percentile(nines: f64) -> String {
    let digits = (nines.ceil() as usize).saturating_sub(2).min(9);
    let text = format!("{:.digits$}", 100.0 * (1.0 - 10_f64.powf(-nines)));
    format!("p{text}")
}

/// The part of an axis that is shown.
#[derive(Clone, Copy, Debug)]
struct Range {
    axis: Axis,
    low: f64,
    high: f64,
}

impl Range {
    /// The range that shows all numbers; `None` if there are none.
    fn of(axis: Axis, numbers: impl Iterator<Item = f64>) -> Option<Self> {
        let (least, greatest) =
            numbers.filter(|number| number.is_finite()).fold(None, |range, number| {
                let (low, high) = range.unwrap_or((number, number));
                Some((number.min(low), number.max(high)))
            })?;
        let (low, high) = match axis {
            Axis::Seconds => (least, greatest.max(least + 1.0)),
            Axis::Count => (0.0, (greatest * 1.08).max(1.0)),
            Axis::LogMicros => {
                let low = least.max(1.0) * 0.8;
                (low, (greatest * 1.25).max(low * 4.0))
            }
            Axis::Nines => (0.0, greatest.max(1.0)),
        };
        Some(Self { axis, low, high })
    }

    /// Where a number lies: 0 at the low end, 1 at the high end.
    fn share(&self, number: f64) -> f64 {
        let share = match self.axis {
            Axis::LogMicros => (number.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
            _ => (number - self.low) / (self.high - self.low),
        };
        share.clamp(0.0, 1.0)
    }

    /// The numbers that are written at the axis.
    fn ticks(&self) -> Vec<f64> {
        let ticks = match self.axis {
            Axis::Seconds | Axis::Count => linear_ticks(self.low, self.high),
            Axis::LogMicros => log_ticks(self.low, self.high),
            Axis::Nines => {
                let half = 2_f64.log10();
                std::iter::once(half).chain((1..=9).map(f64::from)).collect()
            }
        };
        ticks.into_iter().filter(|tick| (self.low..=self.high).contains(tick)).collect()
    }
}

/// Four to ten round numbers.
fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * magnitude);
    let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let first = (low / step).ceil();
    (0..12).map(|index| (first + f64::from(index)) * step).collect()
}

/// Powers of ten, with halves and fifths between them if the range is short.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = (high / low).log10();
    let digits: &[f64] = if decades < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let first = low.log10().floor() as i32;
    (first..first + 12)
        .flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let ticks = |axis, low, high| Range { axis, low, high }.ticks();
        assert_eq!(ticks(Axis::Count, 0.0, 108.0), [0.0, 50.0, 100.0]);
        assert_eq!(ticks(Axis::Seconds, 1.0, 11.0), [2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(Axis::LogMicros, 8.0, 120.0), [10.0, 20.0, 50.0, 100.0]);
        assert_eq!(ticks(Axis::LogMicros, 8.0, 12_000.0), [10.0, 100.0, 1_000.0, 10_000.0]);
        assert_eq!(ticks(Axis::Nines, 0.0, 3.2).len(), 4);
    }

    #[test]
    fn labels_are_short() {
        assert_eq!([0.301, 1.0, 2.0, 3.0].map(percentile), ["p50", "p90", "p99", "p99.9"]);
        let shown = [5.0, 123.4, 1_250.0, 20_000.0, 3e6].map(short_time);
        assert_eq!(shown, ["5 µs", "123 µs", "1.25 ms", "20 ms", "3 s"]);
    }

    #[test]
    fn points_keep_inside_the_frame() {
        let chart = Chart {
            title: "a < b",
            x: Axis::Nines,
            y: Axis::LogMicros,
            series: vec![Series {
                name: "\"x\" & y".into(),
                color: 0,
                dashed: false,
                points: vec![(0.0, 10.0), (1.0, 50.0), (3.0, 9_000.0)],
            }],
        };
        let mut out = String::new();
        chart.append_to(&mut out);
        assert!(out.contains("a &lt; b") && out.contains("&quot;x&quot; &amp; y"));
        let points = out.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let places: Vec<(f64, f64)> = points
            .split_whitespace()
            .map(|place| place.split_once(',').unwrap())
            .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
            .collect();
        assert_eq!(places.len(), 3);
        assert!(
            places.iter().all(|(x, y)| (0.0..=WIDTH).contains(x) && (0.0..=HEIGHT).contains(y))
        );
        assert!(places.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let chart = Chart { title: "", x: Axis::Seconds, y: Axis::Count, series: Vec::new() };
        let mut out = String::new();
        chart.append_to(&mut out);
        assert!(out.is_empty());
    }
}
