//! The text files of the tree, read once for all rules.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Folders that hold no text of ours.
const SKIPPED_FOLDERS: &[&str] = &["target", "node_modules", "__pycache__"];

/// Endings of the files that rules look at.
const ENDINGS: &[&str] = &[
    "rs", "md", "toml", "txt", "conf", "sh", "py", "js", "go", "java", "xml", "json", "yaml",
    "html", "css", "ts",
];

/// One text file.
pub struct File {
    /// Relative to the root, with `/` between folders.
    pub path: String,
    pub text: String,
}

/// All text files below the root.
pub struct Tree {
    pub files: Vec<File>,
    /// Every file, also those whose text no rule reads.
    pub paths: Vec<String>,
}

impl Tree {
    pub fn load(root: &Path) -> Result<Self> {
        let mut tree = Self { files: Vec::new(), paths: Vec::new() };
        tree.load_folder(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    fn load_folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if entry.file_type()?.is_dir() {
                let hidden = name.starts_with('.') && name != ".ci";
                if !hidden && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                    self.load_folder(&entry.path(), &format!("{path}/"))?;
                }
                continue;
            }
            if has_text(&name) {
                let text =
                    fs::read_to_string(entry.path()).with_context(|| format!("reading {path}"))?;
                self.files.push(File { path: path.clone(), text });
            }
            self.paths.push(path);
        }
        Ok(())
    }
}

fn has_text(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}
