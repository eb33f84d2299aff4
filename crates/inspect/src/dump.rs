//! Records as lines of JSON.

#[cfg(test)]
mod tests;

use std::io::Write;

use jiff::Timestamp;
use record::meta::EPOCH_UNIX_SECONDS;
use serde_json::{Value, json};
use storage::format::flat::Kind;

use crate::content::{self, Content, Hidden, Room};
use crate::device::Device;
use crate::json;
use crate::seen::{Raw, Seen, Visitor};
use crate::survey::{Fate, Survey};

/// Which records are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selection {
    /// Live ones.
    Live,
    /// Every sound version, with what became of it.
    AllVersions,
}

/// Prints records, a line each.
///
/// # Errors
/// If `out` cannot be written to.
pub fn dump(
    devices: &[Device],
    survey: &Survey,
    selection: Selection,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut dump = Dump { survey, selection, out, room: Room::default() };
    for (number, device) in devices.iter().enumerate() {
        device.walk(number as u16, &mut dump)?;
    }
    Ok(out.flush()?)
}

struct Dump<'d> {
    survey: &'d Survey,
    selection: Selection,
    out: &'d mut dyn Write,
    room: Room,
}

impl Visitor for Dump<'_> {
    fn record(&mut self, seen: &Seen<'_>) -> anyhow::Result<()> {
        let fate = self.survey.fate(seen);
        if self.selection == Selection::Live && fate != Some(Fate::Live) {
            return Ok(());
        }
        let content = content::read(&seen.raw, &mut self.room);
        let mut line = line(seen, &content);
        if self.selection == Selection::AllVersions {
            self.add_place(&mut line, seen, fate);
        }
        serde_json::to_writer(&mut *self.out, &line)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }
}

impl Dump<'_> {
    fn add_place(&self, line: &mut Value, seen: &Seen<'_>, fate: Option<Fate>) {
        let location = seen.location;
        let device = self.survey.devices.get(usize::from(location.device));
        line["state"] = fate.map_or_else(|| json!("superseded"), |fate| json!(fate));
        line["place"] = json!({
            "device": device.map(|device| &device.name),
            "block": location.block,
            "at": location.at,
            "size_bytes": seen.size_bytes,
        });
    }
}

fn line(seen: &Seen<'_>, content: &Result<Content<'_>, Hidden>) -> Value {
    let version = &seen.version;
    let mut line = json!({
        "digest": seen.digest.to_string(),
        "generation": version.generation,
        "void_time": version.void_time,
        "expires": moment(u64::from(version.void_time) * 1000).filter(|_| version.void_time != 0),
        "last_update_time": version.last_update_time,
        "last_update": moment(version.last_update_time),
        "tombstone": seen.kind != Kind::Record,
    });
    match content {
        Ok(content) => {
            line["set"] =
                if content.set.is_empty() { Value::Null } else { json::text(content.set) };
            if let Some(key) = content.key {
                line["key"] = json::key(key);
            }
            let value = |bin: &content::Bin<'_>| {
                let name = String::from_utf8_lossy(bin.name).into_owned();
                (name, json::particle(bin.particle_type, &bin.value))
            };
            let bins: serde_json::Map<_, _> = content.bins.iter().map(value).collect();
            line["bins"] = bins.into();
        }
        Err(Hidden::Encrypted) => line["encrypted"] = true.into(),
        Err(hidden) => line["unreadable"] = hidden.to_string().into(),
    }
    if let (Err(_), Raw::Own(found)) = (content, &seen.raw) {
        line["payload_bytes"] = found.payload.len().into();
    }
    line
}

/// A moment given in ms since 2010, as RFC 3339 writes it.
pub fn moment(ms_since_2010: u64) -> Option<String> {
    let unix_ms = ms_since_2010.checked_add(EPOCH_UNIX_SECONDS * 1000)?;
    let timestamp = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
    Some(timestamp.to_string())
}
