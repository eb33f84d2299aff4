//! The report as one page that needs nothing else: style, charts and script are in it.

use std::fmt::Write;

use super::chart::{Axis, Chart, Series};
use super::text::{number, thousands, time};
use super::{Comparison, Footprint, Ratio, Report, Scenario, Spread, TargetReport};
use crate::measure::Second;

/// The whole page.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>bolide-bench</title><style>{}</style></head><body>\n",
        include_str!("page.css")
    );
    append_head(&mut out, report);
    for scenario in &report.scenarios {
        append_scenario(&mut out, scenario);
    }
    append_footprints(&mut out, &report.footprints);
    let _ = writeln!(out, "<script>{}</script></body></html>", include_str!("page.js"));
    out
}

/// Text as it must stand between tags or in a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(letter),
        }
    }
    out
}

fn append_head(out: &mut String, report: &Report) {
    let machine = &report.machine;
    let _ = writeln!(
        out,
        "<header><h1>bolide-bench <small>{}</small></h1><p><code>{}</code></p>\
         <p class=\"faint\">{}, {} cores, Linux {} · <time data-unix=\"{}\"></time></p></header>",
        report.version,
        escape(&report.command),
        escape(&machine.processor),
        machine.cores,
        escape(&machine.kernel),
        report.started_unix_s,
    );
}

fn append_scenario(out: &mut String, scenario: &Scenario) {
    let _ = write!(out, "<section><h2>{}</h2><p class=\"settings\">", escape(&scenario.name));
    for (name, value) in &scenario.settings {
        let _ = write!(out, "<span>{} <b>{}</b></span>", escape(name), escape(value));
    }
    out.push_str("</p>\n");
    for (color, target) in scenario.targets.iter().enumerate() {
        append_tiles(out, target, color);
    }
    for comparison in &scenario.comparisons {
        append_comparison(out, comparison);
    }
    out.push_str("<div class=\"charts\">\n");
    for chart in charts(&scenario.targets) {
        chart.append_to(out);
    }
    out.push_str("</div>\n");
    append_kinds(out, &scenario.targets);
    out.push_str("</section>\n");
}

fn append_tiles(out: &mut String, target: &TargetReport, color: usize) {
    out.push_str("<div class=\"tiles\">");
    let mut tile = |name: &str, value: String, note: String| {
        let _ = write!(
            out,
            "<div class=\"tile\"><span>{name}</span><b>{value}</b><small>{note}</small></div>"
        );
    };
    tile(
        &format!("<i class=\"c{color}\"></i>{}", escape(&target.label)),
        thousands(target.ops as f64),
        format!(
            "operations in {:.1} s, {} failed",
            target.seconds,
            thousands(target.errors as f64)
        ),
    );
    if let Some(rate) = &target.ops_per_s {
        tile("operations/s", thousands(rate.median), range(rate, 0));
    }
    if let Some(rate) = target.rows_per_s.filter(|_| target.rows > target.ops) {
        tile("records/s", thousands(rate.median), range(&rate, 0));
    }
    let latency = &target.latency;
    tile("p50", time(latency.p50_us), format!("mean {}", time(latency.mean_us)));
    tile("p99", time(latency.p99_us), format!("p90 {}", time(latency.p90_us)));
    tile("p99.9", time(latency.p999_us), format!("max {}", time(latency.max_us)));
    if let Some(server) = &target.server {
        let (user, system) = (server.user_us_per_op.median, server.system_us_per_op.median);
        let note = format!("user {user:.2} · system {system:.2}");
        tile("server CPU/op", format!("{:.2} µs", server.us_per_op.median), note);
        let rate = &server.ops_per_cpu_s;
        tile("ops/server-CPU-s", thousands(rate.median), range(rate, 0));
    }
    out.push_str("</div>\n");
}

/// The least and the greatest of several rounds; nothing for one round.
fn range(spread: &Spread, digits: usize) -> String {
    if spread.min < spread.max {
        format!("{} – {}", number(spread.min, digits), number(spread.max, digits))
    } else {
        String::new()
    }
}

fn append_comparison(out: &mut String, comparison: &Comparison) {
    let _ = write!(
        out,
        "<table><thead><tr><th></th><th>{}</th><th>{}</th><th>ratio</th><th>min – max</th></tr>\
         </thead><tbody>",
        escape(&comparison.first),
        escape(&comparison.second),
    );
    for ratio in &comparison.ratios {
        let digits = if ratio.first.median < 1_000.0 { 2 } else { 0 };
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"{}\">{:.3}</td><td>{}</td></tr>",
            escape(ratio.measure),
            number(ratio.first.median, digits),
            number(ratio.second.median, digits),
            verdict(ratio),
            ratio.ratio.median,
            range(&ratio.ratio, 3),
        );
    }
    out.push_str("</tbody></table>\n");
}

/// Class of a ratio's cell: a difference counts if all rounds agree on its direction.
fn verdict(ratio: &Ratio) -> &'static str {
    let more = ratio.ratio.min > 1.0;
    let less = ratio.ratio.max < 1.0;
    match ratio.more_is_better {
        true if more => "better",
        true if less => "worse",
        false if more => "worse",
        false if less => "better",
        _ => "",
    }
}

/// Throughput and latency over time, latency by percentile.
fn charts(targets: &[TargetReport]) -> Vec<Chart> {
    let over_time = |number: fn(&Second) -> f64, name: &str, dashed| {
        let series = targets.iter().enumerate().map(move |(color, target)| Series {
            name: format!("{} {name}", target.label).trim_end().to_owned(),
            color,
            dashed,
            points: target.timeline.iter().map(|second| (second.at_s, number(second))).collect(),
        });
        series.collect::<Vec<_>>()
    };
    let mut latencies = over_time(|second| second.latency.p50_us, "p50", true);
    latencies.extend(over_time(|second| second.latency.p99_us, "p99", false));
    let curves = targets.iter().enumerate().map(|(color, target)| Series {
        name: target.label.clone(),
        color,
        dashed: false,
        points: target.curve.clone(),
    });
    let mut charts = vec![
        Chart {
            title: "Operations per second",
            x: Axis::Seconds,
            y: Axis::Count,
            series: over_time(|second| second.ops_per_s, "", false),
        },
        Chart {
            title: "Latency over time",
            x: Axis::Seconds,
            y: Axis::LogMicros,
            series: latencies,
        },
        Chart {
            title: "Latency by percentile",
            x: Axis::Nines,
            y: Axis::LogMicros,
            series: curves.collect(),
        },
    ];
    // A line needs two points.
    charts.retain(|chart| chart.series.iter().any(|series| series.points.len() > 1));
    charts
}

fn append_kinds(out: &mut String, targets: &[TargetReport]) {
    out.push_str(
        "<table class=\"kinds\"><thead><tr><th></th><th>kind</th><th>operations</th><th>mean</th><th>p50</th>\
         <th>p90</th><th>p99</th><th>p99.9</th><th>p99.99</th><th>max</th><th>results</th></tr>\
         </thead><tbody>",
    );
    for target in targets {
        for kind in &target.kinds {
            let _ = write!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{}</td>",
                escape(&target.label),
                kind.kind,
                thousands(kind.ops as f64)
            );
            for us in kind.latency.columns_us() {
                let _ = write!(out, "<td>{}</td>", time(us));
            }
            let results = kind.results.iter();
            let mut results: Vec<String> = results
                .map(|(code, count)| format!("{} {}", escape(code), thousands(*count as f64)))
                .collect();
            if kind.lost > 0 {
                results.push(format!("never answered {}", thousands(kind.lost as f64)));
            }
            let _ = write!(out, "<td>{}</td></tr>", results.join("<br>"));
        }
        if target.unstarted > 0 {
            let _ = write!(
                out,
                "<tr><td>{}</td><td colspan=\"10\" class=\"worse\">the rate was not reached: {} \
                 operations were never started</td></tr>",
                escape(&target.label),
                thousands(target.unstarted as f64)
            );
        }
    }
    out.push_str("</tbody></table>\n");
}

fn append_footprints(out: &mut String, footprints: &[Footprint]) {
    if footprints.is_empty() {
        return;
    }
    out.push_str(
        "<section><h2>Bytes per record</h2><table><thead><tr><th></th><th>records</th>\
         <th>value</th><th>resident</th><th>index</th><th>data</th></tr></thead><tbody>",
    );
    for footprint in footprints {
        let bytes = |bytes: Option<f64>| bytes.map_or("–".into(), |bytes| format!("{bytes:.1}"));
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{:.1}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&footprint.label),
            thousands(footprint.records as f64),
            footprint.value_bytes_per_record,
            bytes(footprint.rss_bytes_per_record),
            bytes(footprint.index_bytes_per_record),
            bytes(footprint.data_bytes_per_record),
        );
    }
    out.push_str("</tbody></table></section>\n");
}
