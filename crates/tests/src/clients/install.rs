//! Installing what the programs of a language need, once.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Language, Places, Sources};

/// Installs, unless that was done from these very sources. Several tests may ask for it at a time.
pub(super) fn once(language: &Language, places: &Places) -> Result<()> {
    fs::create_dir_all(&places.folder)?;
    let lock = fs::File::create(places.folder.join("lock"))?;
    lock.lock().context("another test installs")?;
    let wanted = match language.changes_with {
        Sources::List(file) => fs::read(places.source.join(file))?,
        Sources::All => all_of(&places.source)?,
        Sources::Cargo => return Ok(()),
    };
    let stamp = places.folder.join("installed");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    (language.install)(places)?;
    Ok(fs::write(stamp, wanted)?)
}

/// Names and contents of all files in a folder.
fn all_of(folder: &Path) -> Result<Vec<u8>> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut all = Vec::new();
    for entry in entries {
        all.extend(entry.file_name().as_encoded_bytes());
        let path = entry.path();
        all.extend(if path.is_dir() { all_of(&path)? } else { fs::read(path)? });
    }
    Ok(all)
}

/// A command with arguments.
pub(super) fn command<I: IntoIterator<Item: AsRef<OsStr>>>(
    program: impl AsRef<OsStr>,
    arguments: I,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Running a command for its success alone.
pub(super) trait Run {
    fn run(&mut self) -> Result<()>;
}

impl Run for Command {
    fn run(&mut self) -> Result<()> {
        let output = self.output().with_context(|| format!("{self:?}"))?;
        let text = [output.stdout, output.stderr].concat();
        ensure!(output.status.success(), "{self:?}:\n{}", String::from_utf8_lossy(&text));
        Ok(())
    }
}
