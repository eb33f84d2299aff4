//! The recorded file: gzip-compressed JSON lines.
//!
//! The first line describes the recording, `setup` lines are requests to send first, and each
//! `case` line is one independent sequence of requests. Frames are base64 of all their bytes.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde::Deserialize;

use super::info::InfoNorm;
use super::reply::{Kind, Reply};

/// One recorded file.
pub struct Transcript {
    /// The file's own name for what it holds, such as `record`.
    pub(super) area: String,
    /// When the set-up was recorded, in seconds since 2010-01-01 UTC.
    pub(super) setup_at: f64,
    pub(super) setup: Vec<Setup>,
    pub(super) cases: Vec<Case>,
}

/// A request to send before the cases, waiting for its reply.
pub struct Setup {
    pub request: Vec<u8>,
    pub kind: Kind,
    /// Repeat the request until its reply contains this text.
    pub until: Option<String>,
}

/// An independent sequence of requests.
pub struct Case {
    pub number: u64,
    /// When it was recorded, in seconds since 2010-01-01 UTC.
    pub at: f64,
    /// Requests whose replies do not matter: they remove the case's records.
    pub before: Vec<Vec<u8>>,
    pub steps: Vec<Step>,
}

/// One request and the reply of the original.
pub struct Step {
    pub request: Vec<u8>,
    pub kind: Kind,
    pub norm: Norm,
    pub recorded: Reply,
}

/// How the reply to a step is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// Every field.
    Exact,
    /// Texts of Lua errors without the folder of the module.
    Udf,
    /// Only the number of rows.
    RowCount,
    /// Rows as a set: an index on a collection may return a record more than once.
    Dedup,
    /// Results of an aggregation, as a set.
    Aggregation,
    /// An info reply without what differs between two servers.
    Info(InfoNorm),
}

impl Transcript {
    /// Reads a whole file.
    ///
    /// # Errors
    /// When it cannot be read, or holds a line or a norm that this program does not know.
    pub fn load(path: &Path) -> Result<Self> {
        let name = path.display();
        let file = File::open(path).with_context(|| format!("opening {name}"))?;
        Self::read(BufReader::new(GzDecoder::new(file))).with_context(|| format!("reading {name}"))
    }

    /// How many cases there are.
    pub fn case_count(&self) -> usize {
        self.cases.len()
    }

    fn read(lines: impl BufRead) -> Result<Self> {
        let mut header = None;
        let (mut setup, mut cases) = (Vec::new(), Vec::new());
        for (index, line) in lines.lines().enumerate() {
            let line =
                serde_json::from_str(&line?).with_context(|| format!("line {}", index + 1))?;
            match line {
                Line::Setup { setup: request } => setup.push(request.parse()?),
                Line::Case(case) => cases.push(case.parse()?),
                Line::Header { area, setup_at } => header = Some((area, setup_at)),
            }
        }
        let Some((area, setup_at)) = header else { bail!("no header line") };
        Ok(Self { area, setup_at, setup, cases })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Setup { setup: RawSetup },
    Case(RawCase),
    Header { area: String, setup_at: f64 },
}

#[derive(Deserialize)]
struct RawSetup {
    req: String,
    kind: String,
    until: Option<String>,
}

#[derive(Deserialize)]
struct RawCase {
    case: u64,
    at: f64,
    before: Vec<String>,
    steps: Vec<RawStep>,
}

#[derive(Deserialize)]
struct RawStep {
    req: String,
    kind: String,
    norm: Option<String>,
    reply: RawReply,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawReply {
    One(String),
    Many(Vec<String>),
}

impl RawSetup {
    fn parse(self) -> Result<Setup> {
        let kind = Kind::named(&self.kind)?;
        Ok(Setup { request: decode(&self.req)?, kind, until: self.until })
    }
}

impl RawCase {
    fn parse(self) -> Result<Case> {
        let before = self.before.iter().map(|frame| decode(frame)).collect::<Result<_>>()?;
        let steps = self.steps.into_iter().map(RawStep::parse).collect::<Result<_>>();
        let steps = steps.with_context(|| format!("case {}", self.case))?;
        Ok(Case { number: self.case, at: self.at, before, steps })
    }
}

impl RawStep {
    fn parse(self) -> Result<Step> {
        let recorded = match self.reply {
            RawReply::One(text) if text == "<connection closed>" => Reply::Closed,
            RawReply::One(text) => Reply::Frames(vec![decode(&text)?]),
            RawReply::Many(texts) => {
                Reply::Frames(texts.iter().map(|text| decode(text)).collect::<Result<_>>()?)
            }
        };
        let kind = Kind::named(&self.kind)?;
        let norm = Norm::named(self.norm.as_deref())?;
        Ok(Step { request: decode(&self.req)?, kind, norm, recorded })
    }
}

impl Norm {
    fn named(name: Option<&str>) -> Result<Self> {
        Ok(match name {
            None => Self::Exact,
            Some("udf") => Self::Udf,
            Some("count") => Self::RowCount,
            Some("dedup") => Self::Dedup,
            Some("aggr") => Self::Aggregation,
            Some(name) => {
                Self::Info(InfoNorm::named(name).with_context(|| format!("norm {name}"))?)
            }
        })
    }
}

fn decode(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).context("not base64")
}
