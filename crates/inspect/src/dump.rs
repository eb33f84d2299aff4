//! Records as lines of JSON.

#[cfg(test)]
mod tests;

use std::io::Write;

use jiff::Timestamp;
use record::meta::EPOCH_UNIX_SECONDS;
use serde::{Serialize, Serializer};
use serde_json::Value;
use storage::format::flat::Kind;

use crate::content::{self, Content, Hidden, Room};
use crate::device::Device;
use crate::json;
use crate::seen::{Seen, Visitor};
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
        let mut line = Line::new(seen, &content);
        if self.selection == Selection::AllVersions {
            line.state = Some(fate.map_or("superseded", Fate::name));
            line.place = Some(place(self.survey, seen));
        }
        serde_json::to_writer(&mut *self.out, &line)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }
}

fn place<'s>(survey: &'s Survey, seen: &Seen<'_>) -> Place<'s> {
    let location = seen.location;
    let device = survey.devices.get(usize::from(location.device));
    Place {
        device: device.map_or("", |device| &device.name),
        block: location.block,
        at: location.at,
        size_bytes: seen.size_bytes,
    }
}

/// A record as it is printed.
#[derive(Serialize)]
struct Line<'r> {
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// `None` for none, and for that of an encrypted record.
    set: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Value>,
    generation: u16,
    void_time: u32,
    expires: Option<String>,
    last_update_time: u64,
    last_update: Option<String>,
    tombstone: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bins: Option<Bins<'r>>,
    #[serde(skip_serializing_if = "is_false")]
    encrypted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place<'r>>,
}

/// Where a version lies.
#[derive(Serialize)]
struct Place<'r> {
    device: &'r str,
    block: u32,
    at: u32,
    size_bytes: u32,
}

/// Bins as an object whose members stand in their order.
struct Bins<'r>(&'r [content::Bin<'r>]);

impl Serialize for Bins<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|bin| {
            let value = json::particle(bin.particle_type, &bin.value);
            (String::from_utf8_lossy(bin.name), value)
        }))
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

impl<'r> Line<'r> {
    fn new(seen: &Seen<'_>, content: &'r Result<Content<'r>, Hidden>) -> Self {
        let version = &seen.version;
        let known = content.as_ref().ok();
        let set = known.map(|content| content.set).filter(|set| !set.is_empty());
        let void_time_ms = (version.void_time != 0).then(|| u64::from(version.void_time) * 1000);
        let unreadable = match content {
            Err(hidden @ Hidden::Malformed(_)) => Some(hidden.to_string()),
            _ => None,
        };
        Self {
            digest: seen.digest.to_string(),
            state: None,
            set: set.map(json::text),
            key: known.and_then(|content| content.key).map(json::key),
            generation: version.generation,
            void_time: version.void_time,
            expires: void_time_ms.and_then(moment),
            last_update_time: version.last_update_time,
            last_update: moment(version.last_update_time),
            tombstone: seen.kind == Kind::Tombstone,
            bins: known.map(|content| Bins(&content.bins)),
            encrypted: matches!(content, Err(Hidden::Encrypted)),
            unreadable,
            place: None,
        }
    }
}

/// A moment given in ms since 2010, as RFC 3339 writes it.
pub fn moment(ms_since_2010: u64) -> Option<String> {
    let unix_ms = ms_since_2010.checked_add(EPOCH_UNIX_SECONDS * 1000)?;
    let timestamp = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
    Some(timestamp.to_string())
}
