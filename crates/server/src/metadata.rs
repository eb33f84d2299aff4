//! The files of the system metadata: `smd/<module>.smd` in the work directory.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use node::host::MetadataFiles;

/// The files in a folder; none if there is no such folder.
#[derive(Debug)]
pub struct Files {
    folder: Option<PathBuf>,
}

impl Files {
    /// Those below a work directory.
    pub fn below(work_directory: &Path) -> Self {
        Self { folder: Some(folder_in(work_directory)) }
    }

    /// Nothing is kept, and nothing found.
    pub fn none() -> Self {
        Self { folder: None }
    }
}

/// Where a work directory has them.
pub fn folder_in(work_directory: &Path) -> PathBuf {
    work_directory.join("smd")
}

fn path(folder: &Path, module: &str) -> PathBuf {
    folder.join(format!("{module}.smd"))
}

impl MetadataFiles for Files {
    fn save(&self, module: &str, bytes: &[u8]) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let path = path(folder, module);
        // Whoever finds this name finds a file that may be cut short; nobody looks.
        let draft = path.with_extension("smd.save");
        let written = replace(folder, &draft, &path, bytes);
        if written.is_err() {
            // It may not be there.
            let _ = fs::remove_file(&draft);
        }
        written
    }

    fn load(&self, module: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        match fs::read(path(folder, module)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn place(&self, module: &str) -> String {
        match &self.folder {
            Some(folder) => path(folder, module).display().to_string(),
            None => module.to_owned(),
        }
    }
}

/// Writes a draft and puts it in the place of a file. Both, the file and its name, are on the disk then.
fn replace(folder: &Path, draft: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(draft, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_last_is_loaded() {
        let folder = std::env::temp_dir().join(format!("bolide-smd-{}", fastrand::u64(..)));
        let files = Files::below(&folder);
        assert_eq!(files.load("UDF").unwrap(), None);
        assert!(files.save("UDF", b"[]").is_err(), "there is no folder");
        fs::create_dir_all(folder_in(&folder)).unwrap();
        files.save("UDF", b"first").unwrap();
        files.save("UDF", b"second").unwrap();
        files.save("evict", b"other").unwrap();
        assert_eq!(files.load("UDF").unwrap().as_deref(), Some(&b"second"[..]));
        assert!(files.place("UDF").ends_with("smd/UDF.smd"));
        let names = fs::read_dir(folder_in(&folder)).unwrap();
        assert_eq!(names.count(), 2, "drafts are gone");

        // What cannot be replaced stays, without a draft beside it.
        fs::create_dir_all(folder_in(&folder).join("roster.smd/full")).unwrap();
        assert!(files.save("roster", b"new").is_err());
        assert!(files.load("roster").is_err());
        assert!(!folder_in(&folder).join("roster.smd.save").exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn without_a_folder_nothing_is_kept() {
        let files = Files::none();
        files.save("UDF", b"[]").unwrap();
        assert_eq!(files.load("UDF").unwrap(), None);
    }
}
