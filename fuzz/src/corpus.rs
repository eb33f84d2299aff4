//! What mutations start from: recorded traffic and the files that other tests use.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value;
use wire::proto::{ProtoHeader, ProtoType};

/// Of the recorded cases, one in so many is taken: their kinds repeat.
const CASES_APART: usize = 25;

/// Inputs by what they are.
#[derive(Debug, Default)]
pub struct Corpus {
    /// Bodies of record requests.
    pub requests: Vec<Vec<u8>>,
    /// Bodies of record replies.
    pub replies: Vec<Vec<u8>>,
    /// Bodies of info requests.
    pub info: Vec<Vec<u8>>,
    /// Whole frames of both.
    pub frames: Vec<Vec<u8>>,
    /// Configuration files in the original's notation.
    pub conf: Vec<Vec<u8>>,
    /// Configuration files in YAML.
    pub yaml: Vec<Vec<u8>>,
}

impl Corpus {
    /// Reads what lies in this tree.
    ///
    /// # Errors
    /// When a file is missing or not what it should be.
    pub fn load() -> Result<Self> {
        let mut corpus = Self::default();
        for area in ["record", "list", "map", "batch", "udf", "info"] {
            let file = format!("crates/tests/testdata/golden/{area}.jsonl.gz");
            corpus.read_transcript(&tree(&file))?;
        }
        let files = tree("crates/config/testdata");
        corpus.conf.push(fs::read(files.join("every-setting.conf"))?);
        corpus.conf.push(fs::read(files.join("golden.conf"))?);
        corpus.conf.push(fs::read(tree("crates/tests/testdata/golden.conf"))?);
        let bad_files = fs::read_to_string(files.join("bad-files.txt"))?;
        corpus.conf.extend(bad_files.split("===").map(|file| file.as_bytes().to_vec()));
        corpus.yaml.push(fs::read(files.join("every-setting.yaml"))?);
        Ok(corpus)
    }

    fn read_transcript(&mut self, path: &Path) -> Result<()> {
        let name = || path.display().to_string();
        let lines = BufReader::new(GzDecoder::new(File::open(path).with_context(name)?)).lines();
        for line in lines.step_by(CASES_APART) {
            let line: Value = serde_json::from_str(&line?).with_context(name)?;
            let steps = line["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
            for step in steps {
                if let Some((kind, frame)) = frame_of(&step["req"]) {
                    let body = frame[ProtoHeader::SIZE..].to_vec();
                    match kind {
                        ProtoType::Info => self.info.push(body),
                        _ => self.requests.push(body),
                    }
                    self.frames.push(frame);
                }
                if let Some((ProtoType::Message, frame)) = frame_of(&step["reply"]) {
                    self.replies.push(frame[ProtoHeader::SIZE..].to_vec());
                }
            }
        }
        Ok(())
    }
}

/// A recorded frame; `None` where there was none, but a closed connection.
fn frame_of(recorded: &Value) -> Option<(ProtoType, Vec<u8>)> {
    let frame = STANDARD.decode(recorded.as_str()?).ok()?;
    let header = ProtoHeader::parse(*frame.first_chunk()?).ok()?;
    Some((header.kind, frame))
}

/// A place in this tree.
fn tree(path: &str) -> PathBuf {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    fuzz.parent().map_or_else(|| path.into(), |root| root.join(path))
}
