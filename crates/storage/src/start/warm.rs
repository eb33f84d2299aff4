//! A warm start: the index comes back from its image.
//!
//! After a stop in order the image says all, and no block is read. After anything else, the headers of
//! all blocks are read; an entry counts if its block still lives the life in which the image knew it full.
//! All other blocks in use were filled since the image was begun, and are read as in a cold start: the
//! latest version of each record is in one or the other.

use std::path::Path;

use index::{Entry, Marks, OutOfMemory};
use record::{RecordMeta, SetId};

use super::cold::{self, Sight};
use super::image::Image;
use super::{Fate, OpenError, Progress, Report, Rules, Setup, Way, share_out};
use crate::engine::Engine;
use crate::log::DeviceLocation;
use crate::records::Records;
use crate::volume::Volume;

/// Brings the index back from the image at this path. `Ok(false)`, and why in the report, if that
/// is not to be trusted: then nothing has been changed.
pub(super) fn load(
    records: &Records,
    path: &Path,
    setup: &Setup,
    rules: &Rules<'_>,
    progress: &Progress,
    report: &mut Report,
) -> Result<bool, OpenError> {
    let image = match open(records, path, setup.threads) {
        Ok(image) => image,
        Err(why) => {
            report.image_refused = Some(why);
            return Ok(false);
        }
    };
    if let Some(log) = records.engine.log() {
        log.order.note(image.directory.latest_place);
    }
    let is_clean = records.headers.lock().devices.iter().all(|(_, header)| header.clean);
    let to_read = if is_clean {
        adopt_blocks(records, &image);
        Vec::new()
    } else {
        let is_known = |volume: &Volume, block, life| image.life_of(volume, block) == Some(life);
        cold::survey(records, setup, is_known, report)?
    };
    load_entries(records, &image, (rules, is_clean), setup.threads)?;
    cold::read_blocks(records, setup, rules, (&to_read, Sight::Partial), progress, report)?;
    report.way = Way::Warm { rescanned_blocks: to_read.len() as u64 };
    Ok(true)
}

/// Opens the image and sees whether it is that of these devices, and sound.
fn open(records: &Records, path: &Path, threads: usize) -> Result<Image, String> {
    let image = Image::open(path)?;
    let headers = records.headers.lock();
    if headers.devices.iter().any(|(_, header)| header.image != image.directory.id) {
        return Err("the devices do not know of it".to_owned());
    }
    let devices = image.directory.devices.iter().map(|device| (device.device, device.full.len()));
    let volumes = records.volumes().iter();
    if !devices.eq(volumes.map(|volume| (volume.id, volume.geometry.block_count as usize))) {
        return Err("it is that of other devices".to_owned());
    }
    let chunks: Vec<usize> = (0..image.chunk_count()).collect();
    let verify = |sound: &mut bool, &chunk: &usize| {
        *sound &= image.is_sound(chunk);
        Ok(())
    };
    match share_out(&chunks, threads, || true, verify) {
        Ok(sound) if sound.iter().all(|&sound| sound) => Ok(image),
        _ => Err("it is damaged".to_owned()),
    }
}

/// After a stop in order all blocks are as the image says.
fn adopt_blocks(records: &Records, image: &Image) {
    for (volume, device) in records.volumes().iter().zip(&image.directory.devices) {
        for (block, &life) in volume.geometry.blocks().zip(&device.full) {
            if life != 0 {
                volume.adopt(block, life);
            }
        }
        volume.note_sequence(device.next_sequence);
    }
}

fn load_entries(
    records: &Records,
    image: &Image,
    (rules, is_clean): (&Rules<'_>, bool),
    threads: usize,
) -> Result<(), OpenError> {
    let sets: Vec<(SetId, SetId)> = image
        .directory
        .sets
        .iter()
        .filter_map(|(id, name)| Some((SetId(*id), (rules.set_id)(name)?)))
        .collect();
    let set_now = |set: SetId| match set {
        SetId::NONE => Some(SetId::NONE),
        _ => sets.iter().find(|(before, _)| *before == set).map(|(_, now)| *now),
    };
    let chunks: Vec<usize> = (0..image.chunk_count()).collect();
    let load = |(): &mut (), &chunk: &usize| {
        for (digest, entry) in image.entries(chunk) {
            let Some(set) = set_now(entry.meta.set) else { continue };
            let meta = RecordMeta { set, ..entry.meta };
            // The image of a running server does not know all copies.
            let sole = is_clean && entry.marks.contains(Marks::SOLE);
            let marks = entry.marks.with(Marks::SOLE, sole).with(Marks::CANDIDATE, false);
            let entry = Entry { meta, marks, ..entry };
            let readopted = records.readopt(&digest, entry, image, rules);
            readopted.map_err(|OutOfMemory| OpenError::OutOfMemory)?;
        }
        Ok(())
    };
    share_out(&chunks, threads, || (), load).map(|_| ())
}

impl Image {
    /// In which life a block was full when the image was begun; `None` if it was not, or is no block.
    fn life_of(&self, volume: &Volume, block: u32) -> Option<u64> {
        let device = self.directory.devices.get(usize::from(volume.number))?;
        device.full.get(block.checked_sub(1)? as usize).copied().filter(|&life| life != 0)
    }
}

impl Records {
    /// Puts an entry back as it was, if its block is still the one that it was in.
    fn readopt(
        &self,
        digest: &wire::Digest,
        entry: Entry,
        image: &Image,
        rules: &Rules<'_>,
    ) -> Result<(), OutOfMemory> {
        let Engine::Device(log) = &self.engine else { return Ok(()) };
        let location = DeviceLocation(entry.location.0);
        let Some(volume) = log.volumes.get(location.volume()) else { return Ok(()) };
        let block = volume.geometry.block_of(location.offset_bytes());
        // A block that has begun another life holds other records.
        let life = image.life_of(volume, block);
        if !volume.is_in_use(block) || life != Some(volume.table.sequence(block)) {
            return Ok(());
        }
        volume.count_live(location);
        let fate = if entry.is_grave() { Fate::Lives } else { (rules.fate)(&entry.meta) };
        let is_gone = matches!(fate, Fate::Truncated { .. });
        let entry = if is_gone { self.engine.bury(&entry) } else { entry };
        self.index.write(digest).insert(entry).map(|_| ())
    }
}
