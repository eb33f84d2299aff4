//! The survey as text for a terminal.

mod text;

#[cfg(test)]
mod tests;

use std::fmt::Write;

use crate::dump::moment;
use crate::header::{Header, OwnHeader};
use crate::load::Outcome;
use crate::seen::{BlockState, Damage};
use crate::survey::{DeviceSurvey, Survey, Totals};
use text::{bytes, count, list, percent};

/// Damage that is listed of one device; beyond that it is only counted.
const DAMAGE_LISTED: usize = 50;

/// How much is told of blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blocks {
    /// Their number by state.
    Counted,
    /// A line for each.
    Listed,
}

/// The whole report.
pub fn render(survey: &Survey, blocks: Blocks) -> String {
    let mut out = String::new();
    for device in &survey.devices {
        append_device(&mut out, device);
        if blocks == Blocks::Listed {
            append_blocks(&mut out, device);
        }
        out.push('\n');
    }
    append_totals(&mut out, survey);
    append_verdict(&mut out, survey);
    out
}

/// What is wrong, in a few lines.
pub fn append_verdict(out: &mut String, survey: &Survey) {
    for objection in &survey.objections {
        row(out, "not a whole set", objection);
    }
    let damaged: usize = survey.devices.iter().map(|device| device.damage.len()).sum();
    let verdict = match (damaged, survey.objections.is_empty()) {
        (0, true) => "sound: every checksum holds, and the devices are a whole set".into(),
        (0, false) => "every checksum holds; look at what is said of the set".into(),
        _ => format!("{} found, listed with the device", plural(damaged as u64, "damaged place")),
    };
    row(out, "verdict", &verdict);
}

fn row(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "  {name:<16} {value}");
}

fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

fn append_device(out: &mut String, device: &DeviceSurvey) {
    match &device.header {
        Header::Bolide(header) => append_own(out, device, header),
        Header::Aerospike(header) => {
            let (place, of) = (header.device.saturating_add(1), header.device_count);
            let _ = writeln!(
                out,
                "{}: Aerospike, namespace {}, device {place} of {of}",
                device.name, header.namespace
            );
            row(out, "set id", &format!("{:016x}", header.random));
            let pristine = match header.pristine_offset_bytes {
                0 => "unknown".into(),
                offset => format!("from byte {offset} on"),
            };
            row(out, "size", &bytes(device.size_bytes));
            row(out, "never written", &pristine);
            let flags = [
                (header.flags.trusted, "closed in order"),
                (!header.flags.trusted, "not closed in order"),
                (header.flags.strong_consistency, "strong consistency"),
                (header.flags.commit_to_device, "commit to device"),
            ];
            row(out, "state", &list(flags.iter().filter(|flag| flag.0).map(|flag| flag.1)));
        }
    }
    append_contents(out, device);
    append_damage(out, &device.damage);
}

fn append_own(out: &mut String, device: &DeviceSurvey, header: &OwnHeader) {
    if header.copies_sound == [false, false] {
        return append_headless(out, device, header);
    }
    let _ = writeln!(
        out,
        "{}: Bolide, namespace {}, device {} of {}",
        device.name, header.namespace, header.place, header.device_count
    );
    row(out, "device id", &format!("{}, set {}", header.device_id, header.device_set_id));
    let blocks = plural(header.block_count.into(), "block");
    let block_bytes = bytes(header.block_bytes.into());
    row(out, "size", &format!("{}: {blocks} of {block_bytes}", bytes(device.size_bytes)));
    let copies = match header.copies_sound {
        [true, true] => "both copies sound",
        [true, false] => "first copy sound, second damaged",
        _ => "first copy damaged, second sound",
    };
    row(out, "header", &format!("{copies}, version {}", header.version));
    let closed = match (header.clean, header.has_image) {
        (true, true) => "closed in order, with an image of the index",
        (true, false) => "closed in order",
        (false, _) => "not closed in order: in use, or its server ended",
    };
    row(out, "state", &format!("opened {}, {closed}", plural(header.opens, "time")));
    if header.evict_void_time != 0 {
        let before = moment(u64::from(header.evict_void_time) * 1000).unwrap_or_default();
        row(out, "evicted", &format!("what would have expired before {before}"));
    }
    if header.truncate_lut != 0 {
        let before = moment(header.truncate_lut).unwrap_or_default();
        row(out, "truncated", &format!("everything written before {before}"));
    }
    for (set, lut) in &header.set_truncate_luts {
        let before = moment(*lut).unwrap_or_default();
        row(out, "truncated", &format!("set {set}: what was written before {before}"));
    }
    if header.is_encrypted {
        row(out, "encryption", "on: contents and sets of encrypted records are not shown");
    }
}

fn append_headless(out: &mut String, device: &DeviceSurvey, header: &OwnHeader) {
    let _ = writeln!(out, "{}: Bolide, of an unknown namespace", device.name);
    row(out, "header", "LOST: both copies are damaged");
    row(out, "read with", "an id found from the blocks; it stands for the lost one in checksums");
    let blocks = plural(header.block_count.into(), "block");
    let block_bytes = bytes(header.block_bytes.into());
    row(out, "size", &format!("{}: {blocks} of {block_bytes}", bytes(device.size_bytes)));
}

fn append_contents(out: &mut String, device: &DeviceSurvey) {
    let counts = BlockState::ALL.iter().filter_map(|state| {
        let number = device.blocks.get(state)?;
        Some(format!("{} {}", count((*number).into()), state.name()))
    });
    row(out, "blocks", &list(counts));
    let versions = &device.versions;
    let kinds = [
        (versions.records, "of records"),
        (versions.tombstones, "of tombstones"),
        (versions.graves, "of graves"),
        (versions.compressed, "compressed"),
        (versions.encrypted, "encrypted"),
        (versions.unowned, "of partitions that the node does not hold"),
        (versions.dropped, "of partitions dropped since"),
    ];
    let kinds = kinds.iter().filter(|kind| kind.0 > 0);
    let kinds = list(kinds.map(|(number, what)| format!("{} {what}", count(*number))));
    let all = plural(versions.all, "version");
    row(out, "versions", &format!("{all}, {}: {kinds}", bytes(versions.bytes)));
    row(out, "newest", &totals(&device.totals));
}

fn totals(totals: &Totals) -> String {
    let live = format!("{} live, {}", count(totals.live), bytes(totals.live_bytes));
    let gone = [
        (totals.evictable, "of them below the void-time of eviction"),
        (totals.expired, "expired"),
        (totals.truncated, "truncated"),
        (totals.tombstones, "tombstones"),
        (totals.graves, "graves"),
    ];
    let gone = gone.iter().filter(|gone| gone.0 > 0);
    let gone = gone.map(|(number, what)| format!("{} {what}", count(*number)));
    list(std::iter::once(live).chain(gone))
}

fn append_damage(out: &mut String, damage: &[Damage]) {
    for one in damage.iter().take(DAMAGE_LISTED) {
        let block = one.block.map_or_else(|| "header".into(), |block| format!("block {block}"));
        let place = format!("{block}, byte {}, {}", one.offset_bytes, bytes(one.size_bytes));
        row(out, "DAMAGE", &format!("{place}: {}", one.what));
    }
    if let Some(more) = damage.len().checked_sub(DAMAGE_LISTED).filter(|more| *more > 0) {
        row(out, "DAMAGE", &format!("{} more; --json lists all", count(more as u64)));
    }
}

fn append_blocks(out: &mut String, device: &DeviceSurvey) {
    let _ = writeln!(
        out,
        "\n  {:>8} {:>20}  {:<14} {:>9} {:>9} {:>10} {:>10} {:>6}",
        "block", "sequence", "state", "records", "live", "used", "live", "live %"
    );
    for block in &device.block_list {
        let sequence = block.sequence.map(|sequence| sequence.to_string()).unwrap_or_default();
        let _ = writeln!(
            out,
            "  {:>8} {:>20}  {:<14} {:>9} {:>9} {:>10} {:>10} {:>6}",
            block.number,
            sequence,
            block.state.name(),
            count(block.records.into()),
            count(block.live.into()),
            bytes(block.used_bytes),
            bytes(block.live_bytes),
            percent(block.live_bytes, block.used_bytes),
        );
    }
}

fn append_totals(out: &mut String, survey: &Survey) {
    let _ = writeln!(out, "{} in all", plural(survey.devices.len() as u64, "device"));
    row(out, "newest", &totals(&survey.totals));
    for set in &survey.sets {
        let name = match set.name.as_deref() {
            None => "(encrypted)",
            Some("") => "(no set)",
            Some(name) => name,
        };
        let (records, size) = (plural(set.records, "record"), bytes(set.bytes));
        row(out, "set", &format!("{name}: {records}, {size}"));
    }
}

/// What became of records that were loaded.
pub fn outcome(outcome: &Outcome) -> String {
    let mut out = String::from("\nloaded\n");
    row(&mut out, "written", &plural(outcome.written, "record"));
    for (code, meaning, number) in &outcome.failed {
        row(&mut out, "REFUSED", &format!("{}: result {code}: {meaning}", count(*number)));
    }
    for (reason, number) in &outcome.skipped {
        row(&mut out, "skipped", &format!("{}: {reason}", count(*number)));
    }
    if outcome.retried > 0 {
        row(&mut out, "retried", &format!("{}: the node was overloaded", count(outcome.retried)));
    }
    out
}
