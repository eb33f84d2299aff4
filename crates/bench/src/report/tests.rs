//! Reports from measurements made up here.

use std::time::Duration;

use wire::ResultCode;

use super::*;
use crate::metrics::{Correction, Metrics};
use crate::procfs::CpuTime;

/// A second in which `ops` reads took `latency_us` each, and one update timed out.
fn measurement(ops: u64, latency_us: u64) -> Measurement {
    let mut metrics = Metrics::default();
    for _ in 0..ops {
        metrics.answered(OpKind::Read, ResultCode::OK, latency_us * 1_000, Correction::None);
    }
    metrics.answered(OpKind::Update, ResultCode::TIMEOUT, 1_000_000, Correction::None);
    metrics.lost(OpKind::Update);
    metrics.rows(OpKind::Read, ops);
    let cpu = CpuTime { user: Duration::from_micros(2 * ops), system: Duration::from_micros(ops) };
    let mut measurement = Measurement::default();
    for from in 0..2 {
        let second = Duration::from_secs(1);
        measurement.add_second(second, &metrics, Some(cpu), cpu);
        measurement.timeline.push(Second::new(second * from, second, &metrics, Some(cpu)));
    }
    measurement
}

fn report() -> Report {
    let target = |label: &str, port: u16| Target {
        label: label.into(),
        address: SocketAddr::from(([127, 0, 0, 1], port)),
    };
    let targets = [
        (target("one", 3000), vec![measurement(2_000, 10), measurement(2_200, 10)]),
        (target("<two>", 4000), vec![measurement(1_000, 20), measurement(1_000, 30)]),
    ];
    let settings = vec![("connections".to_owned(), "16".to_owned())];
    let footprint = Footprint {
        label: "one".into(),
        records: 1_000_000,
        value_bytes_per_record: 100.0,
        rss_bytes_per_record: Some(201.5),
        index_bytes_per_record: None,
        data_bytes_per_record: Some(130.0),
    };
    let mut report = Report::new();
    report.scenarios.push(Scenario::new("reads", settings, &targets));
    report.footprints.push(footprint);
    report
}

#[test]
fn spread_takes_the_middle() {
    let spread = |numbers: &[f64]| Spread::of(numbers.iter().copied());
    assert_eq!(spread(&[]), None);
    assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
    assert_eq!(spread(&[4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
}

#[test]
fn ratios_are_those_of_the_rounds() {
    let report = report();
    let comparison = &report.scenarios[0].comparisons[0];
    assert_eq!((comparison.first.as_str(), comparison.second.as_str()), ("one", "<two>"));
    let rates = comparison.ratio("operations/s").unwrap();
    assert!((rates.ratio.min - 2_001.0 / 1_001.0).abs() < 1e-9, "{rates:?}");
    assert!((rates.ratio.max - 2_201.0 / 1_001.0).abs() < 1e-9, "{rates:?}");
    let median = comparison.ratio("p50 µs").unwrap();
    assert!((median.ratio.max - 0.5).abs() < 0.01, "{median:?}");
    assert!((median.ratio.min - 1.0 / 3.0).abs() < 0.01, "{median:?}");
    // Both use 3 µs an operation.
    let cpu = comparison.ratio("operations/server-CPU-s").unwrap();
    assert!((cpu.ratio.median - 1.0).abs() < 0.01, "{cpu:?}");
}

#[test]
fn curve_climbs_to_the_greatest_value() {
    let mut latency_ns = KindMetrics::default().latency_ns;
    for us in 1..=1_000 {
        latency_ns.record(us * 1_000).unwrap();
    }
    let points = curve(&latency_ns);
    assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
    let (nines, us) = points[10];
    assert!((nines - 1.0).abs() < 1e-9 && (us - 900.0).abs() < 2.0, "{nines} {us}");
    assert_eq!(points.last().unwrap().0, 3.0);
    assert!((points.last().unwrap().1 - 1_000.0).abs() < 1.0);
    assert!(curve(&KindMetrics::default().latency_ns).is_empty());
}

#[test]
fn text_has_the_numbers() {
    let text = text::render(&report());
    for part in [
        "connections 16",
        "one / <two>",
        "TIMEOUT(9) 4, never answered 4",
        "201.5",
        "operations/server-CPU-s",
        "2.099",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[test]
fn json_has_the_tree() {
    let json: serde_json::Value =
        serde_json::from_str(&serde_json::to_string(&report()).unwrap()).unwrap();
    let target = &json["scenarios"][0]["targets"][0];
    assert_eq!(target["kinds"][1]["results"][0], serde_json::json!(["TIMEOUT(9)", 4]));
    assert_eq!(target["ops"], 8_404);
    assert_eq!(target["timeline"].as_array().unwrap().len(), 4);
    assert_eq!(target["timeline"][3]["at_s"], 3.0);
    assert_eq!(json["footprints"][0]["index_bytes_per_record"], serde_json::Value::Null);
}

#[test]
fn page_is_whole_and_escaped() {
    let page = html::render(&report());
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert_eq!(page.matches("<figure").count(), 3);
    assert!(page.contains("&lt;two&gt;") && !page.contains("<two>"));
    // Nothing is fetched from elsewhere.
    for outside in ["src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    for tag in ["section", "table", "figure", "svg", "div", "td", "tr"] {
        let open =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}
