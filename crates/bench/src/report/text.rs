//! The report for a terminal: a line a second, tables at the end.

use std::fmt::Write;

use super::{
    Comparison, Footprint, QueryReport, Report, Scenario, Spread, StartReport, TargetReport,
};
use crate::measure::{Latency, Second};

/// The line that tells of one second.
pub fn progress(label: &str, second: &Second) -> String {
    let latency = &second.latency;
    let mut line = format!(
        "{label:>8} {:>5.0} s {:>12} ops/s   p50 {:>9}   p99 {:>9}   p99.9 {:>9}   max {:>9}",
        second.at_s + second.seconds,
        thousands(second.ops_per_s),
        time(latency.p50_us),
        time(latency.p99_us),
        time(latency.p999_us),
        time(latency.max_us),
    );
    if let Some(us) = second.server_us_per_op {
        let _ = write!(line, "   server {us:.2} µs/op");
    }
    let _ = write!(line, "   errors {}", second.errors);
    line
}

/// A whole report.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    for scenario in &report.scenarios {
        append_scenario(&mut out, scenario);
    }
    out.push_str(&footprints(&report.footprints));
    out.push_str(&starts(&report.starts));
    out
}

/// One scenario.
pub fn append_scenario(out: &mut String, scenario: &Scenario) {
    let settings: Vec<String> =
        scenario.settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let _ = writeln!(out, "\n{}\n  {}", scenario.name, settings.join(", "));
    append_targets(out, &scenario.targets);
    append_latencies(out, &scenario.targets);
    for target in &scenario.targets {
        append_remarks(out, target);
    }
    for comparison in &scenario.comparisons {
        append_comparison(out, comparison);
    }
    for note in &scenario.notes {
        let _ = writeln!(out, "  {note}");
    }
}

fn append_targets(out: &mut String, targets: &[TargetReport]) {
    let mut table = Table::new(&[
        "",
        "ops/s",
        "min",
        "max",
        "ops/CPU-s",
        "CPU µs/op",
        "user",
        "system",
        "load µs/op",
    ]);
    for target in targets {
        let whole = |spread: Option<Spread>, pick: fn(Spread) -> f64| {
            spread.map_or("-".into(), |spread| thousands(pick(spread)))
        };
        let server = |pick: fn(&super::ServerReport) -> f64| {
            target.server.as_ref().map_or("-".into(), |server| format!("{:.2}", pick(server)))
        };
        let per_cpu = target.server.as_ref().map(|server| server.ops_per_cpu_s);
        table.row([
            target.label.clone(),
            whole(target.ops_per_s, |spread| spread.median),
            whole(target.ops_per_s, |spread| spread.min),
            whole(target.ops_per_s, |spread| spread.max),
            whole(per_cpu, |spread| spread.median),
            server(|server| server.us_per_op.median),
            server(|server| server.user_us_per_op.median),
            server(|server| server.system_us_per_op.median),
            target.load_us_per_op.map_or("-".into(), |(user, system)| {
                format!("{:.2} ({user:.2}+{system:.2})", user + system)
            }),
        ]);
    }
    table.append_to(out);
}

fn append_latencies(out: &mut String, targets: &[TargetReport]) {
    let mut table =
        Table::new(&["", "kind", "ops", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"]);
    let mut row = |label: &str, kind: &str, ops: u64, latency: &Latency| {
        let times = latency.columns_us();
        let head = [label.to_owned(), kind.to_owned(), thousands(ops as f64)];
        table.row(head.into_iter().chain(times.into_iter().map(time)));
    };
    for target in targets {
        for kind in &target.kinds {
            row(&target.label, kind.kind.name(), kind.ops, &kind.latency);
        }
        if target.kinds.len() > 1 {
            row(&target.label, "all", target.ops, &target.latency);
        }
    }
    table.append_to(out);
}

/// What a reader of the tables must know besides.
fn append_remarks(out: &mut String, target: &TargetReport) {
    if let Some(rows) = target.rows_per_s.filter(|_| target.rows > target.ops) {
        let per_row = target.rows as f64 / target.ops.max(1) as f64;
        let _ = write!(out, "  {}: {} records/s", target.label, thousands(rows.median));
        if let Some(server) = &target.server {
            let _ = write!(out, ", server {:.3} µs/record", server.us_per_op.median / per_row);
        }
        out.push('\n');
    }
    for kind in &target.kinds {
        let others = kind.results.iter().filter(|(code, _)| code != "OK(0)");
        let mut results: Vec<String> =
            others.map(|(code, count)| format!("{code} {}", thousands(*count as f64))).collect();
        if kind.lost > 0 {
            results.push(format!("never answered {}", thousands(kind.lost as f64)));
        }
        if !results.is_empty() {
            let _ = writeln!(out, "  {} {}: {}", target.label, kind.kind, results.join(", "));
        }
    }
    if target.unstarted > 0 {
        let _ = writeln!(
            out,
            "  {}: the rate was not reached, {} operations were never started",
            target.label,
            thousands(target.unstarted as f64)
        );
    }
}

fn append_comparison(out: &mut String, comparison: &Comparison) {
    let (first, second) = (comparison.first.as_str(), comparison.second.as_str());
    let title = format!("{first} / {second}");
    let mut table = Table::new(&[&title, first, second, "ratio", "min", "max"]);
    for ratio in &comparison.ratios {
        let digits = if ratio.first.median < 1_000.0 { 2 } else { 0 };
        table.row([
            ratio.measure.to_owned(),
            number(ratio.first.median, digits),
            number(ratio.second.median, digits),
            format!("{:.3}", ratio.ratio.median),
            format!("{:.3}", ratio.ratio.min),
            format!("{:.3}", ratio.ratio.max),
        ]);
    }
    table.append_to(out);
}

/// Memory of records; nothing if none was measured.
pub fn footprints(footprints: &[Footprint]) -> String {
    if footprints.is_empty() {
        return String::new();
    }
    let mut out = "\nbytes per record\n".to_owned();
    let mut table = Table::new(&["", "records", "value", "resident", "index", "data"]);
    for footprint in footprints {
        let bytes = |bytes: Option<f64>| bytes.map_or("-".into(), |bytes| format!("{bytes:.1}"));
        table.row([
            footprint.label.clone(),
            thousands(footprint.records as f64),
            bytes(Some(footprint.value_bytes_per_record)),
            bytes(footprint.rss_bytes_per_record),
            bytes(footprint.index_bytes_per_record),
            bytes(footprint.data_bytes_per_record),
        ]);
    }
    table.append_to(&mut out);
    out
}

/// Starts from devices; nothing if there were none.
pub fn starts(starts: &[StartReport]) -> String {
    if starts.is_empty() {
        return String::new();
    }
    let mut out = "\nstarts\n".to_owned();
    let mut table = Table::new(&[
        "",
        "records",
        "MB",
        "took ms",
        "min",
        "max",
        "ready ms",
        "CPU ms",
        "records/s",
        "MB/s",
        "plain MB/s",
        "of plain",
    ]);
    for start in starts {
        let megabytes = start.bytes as f64 / 1e6;
        let per_second = |amount: f64, ms: f64| if ms > 0.0 { amount * 1e3 / ms } else { 0.0 };
        let took = start.took_ms.median;
        let plain = start.plain_ms.map(|plain| plain.median);
        table.row([
            start.way.clone(),
            thousands(start.records as f64),
            thousands(megabytes),
            thousands(took),
            thousands(start.took_ms.min),
            thousands(start.took_ms.max),
            thousands(start.ready_ms.median),
            thousands(start.cpu_ms.median),
            thousands(per_second(start.records as f64, took)),
            thousands(per_second(megabytes, took)),
            plain.map_or("-".into(), |ms| thousands(per_second(megabytes, ms))),
            plain.map_or("-".into(), |ms| format!("{:.2}", ms / took.max(1.0))),
        ]);
    }
    table.append_to(&mut out);
    out
}

/// What touches many records, and functions.
pub fn queries(queries: &[QueryReport]) -> String {
    let mut out = "\nqueries, one after the other\n".to_owned();
    let mut table = Table::new(&["", "µs each", "min", "max", "server CPU µs", "a CPU-second"]);
    for QueryReport { name, took_us, cpu_us } in queries {
        table.row([
            name.clone(),
            format!("{:.3}", took_us.median),
            format!("{:.3}", took_us.min),
            format!("{:.3}", took_us.max),
            format!("{:.3}", cpu_us.median),
            thousands(1e6 / cpu_us.median.max(1e-9)),
        ]);
    }
    table.append_to(&mut out);
    out
}

/// Columns as wide as their widest cell; the first one to the left, the others to the right.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|&cell| cell.to_owned()).collect()] }
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn append_to(&self, out: &mut String) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let _ = match column {
                    0 => write!(out, "  {cell:<width$}"),
                    _ => write!(out, "  {cell:>width$}"),
                };
            }
            out.push('\n');
        }
    }
}

/// A latency with a fitting unit.
pub fn time(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.1} µs"),
        us if us < 1_000_000.0 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// A whole number with commas.
pub fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < -0.5 { format!("-{out}") } else { out }
}

/// A number with so many digits behind the point; commas if there are none.
pub fn number(number: f64, digits: usize) -> String {
    if digits == 0 { thousands(number) } else { format!("{number:.digits$}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let shown = [0.0, 7.4, 999.6, 1_234_567.0, -1_000.0].map(thousands);
        assert_eq!(shown, ["0", "7", "1,000", "1,234,567", "-1,000"]);
        let shown = [0.5, 999.0, 1_500.0, 2_000_000.0].map(time);
        assert_eq!(shown, ["0.5 µs", "999.0 µs", "1.50 ms", "2.00 s"]);
        assert_eq!([number(1.234, 2), number(1234.0, 0)], ["1.23", "1,234"]);
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["", "µs"]);
        table.row(["name".to_owned(), "1,000".to_owned()]);
        let mut out = String::new();
        table.append_to(&mut out);
        assert_eq!(out, "           µs\n  name  1,000\n");
    }
}
