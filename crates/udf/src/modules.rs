//! Modules, and the Lua states that have them loaded.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};

use crate::host::Host;
use crate::state::{State, log_unloadable};

/// Idle states that are kept for each module.
const IDLE_STATES_MAX: usize = 128;
/// Longest message of a compile error, in bytes.
const MESSAGE_BYTES_MAX: usize = 1023;
/// Longest message that does not say where in the file it is about, in bytes.
const UNPLACED_MESSAGE_BYTES_MAX: usize = 256;

/// What all states have in common.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Where files would lie in the original: scripts and clients see it in error messages.
    pub user_path: String,
    /// Memory of one state: once for what Lua holds, once for lists, maps and bytes.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { user_path: "/opt/aerospike/usr/udf/lua".to_owned(), memory_bytes: 64 << 20 }
    }
}

/// All sources at one time.
pub(crate) struct Sources {
    /// Grows with each change.
    pub version: u64,
    user_path: String,
    files: BTreeMap<String, Arc<[u8]>>,
}

impl Sources {
    /// The source that a name without extension stands for. A dot in it would lead into a folder,
    /// and there are none.
    pub fn of_module(&self, module: &str) -> Option<&[u8]> {
        if module.contains('.') {
            return None;
        }
        self.files.get(&format!("{module}.lua")).map(|source| &**source)
    }

    /// The path that messages name.
    pub fn path(&self, module: &str) -> String {
        format!("{}/{}.lua", self.user_path, module.replace('.', "/"))
    }
}

/// Why a file cannot be a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// The file; empty when the message does not say where it is about.
    pub file: String,
    /// Its line, from 1; 0 when the message does not say.
    pub line: u32,
    /// What is wrong.
    pub message: Vec<u8>,
}

impl CompileError {
    /// Takes apart what Lua says: `[string "FILE"]:LINE: MESSAGE`.
    fn parse(said: &[u8]) -> Self {
        let placed = || {
            let text = said.strip_prefix(b"[string \"")?;
            let quote = text.iter().position(|&byte| byte == b'"')?;
            let (file, rest) = text.split_at(quote);
            let rest = rest.strip_prefix(b"\"]:")?;
            let colon = rest.iter().position(|&byte| byte == b':')?;
            let line = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
            let message = rest.get(colon + 2..)?;
            let message = message[..message.len().min(MESSAGE_BYTES_MAX)].to_vec();
            Some(Self { file: String::from_utf8_lossy(file).into_owned(), line, message })
        };
        placed().unwrap_or_else(|| {
            let line = said.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let message = line[..line.len().min(UNPLACED_MESSAGE_BYTES_MAX)].to_vec();
            Self { file: String::new(), line: 0, message }
        })
    }
}

/// The modules of a node. Shared by all threads: states move between them.
pub struct Modules {
    limits: Limits,
    sources: RwLock<Arc<Sources>>,
    idle: Mutex<HashMap<String, Vec<State>>>,
    is_cache_enabled: AtomicBool,
}

impl Modules {
    /// No modules yet.
    pub fn new(limits: Limits) -> Self {
        let sources =
            Sources { version: 0, user_path: limits.user_path.clone(), files: BTreeMap::new() };
        Self {
            limits,
            sources: RwLock::new(Arc::new(sources)),
            idle: Mutex::new(HashMap::new()),
            is_cache_enabled: AtomicBool::new(true),
        }
    }

    /// Whether a file can be a module: compiles it and runs it once, with everything that scripts
    /// see.
    ///
    /// # Errors
    /// Where it fails, and why.
    pub fn check(
        &self,
        file: &str,
        source: &[u8],
        host: Arc<dyn Host>,
    ) -> Result<(), CompileError> {
        let sources = self.sources.read().clone();
        let state = State::new(&sources, self.limits.memory_bytes, host)
            .map_err(|error| CompileError::parse(error.to_string().as_bytes()))?;
        let result = state.run(source, file);
        result.map_err(|said| CompileError::parse(&said))
    }

    /// Adds a file, or replaces it. All idle states are dropped, because modules require others.
    pub fn put(&self, file: &str, source: &[u8]) {
        self.change(|files| {
            files.insert(file.to_owned(), source.into());
        });
    }

    /// Removes a file; says whether it was there.
    pub fn remove(&self, file: &str) -> bool {
        let mut was_there = false;
        self.change(|files| was_there = files.remove(file).is_some());
        was_there
    }

    /// A file's source.
    pub fn get(&self, file: &str) -> Option<Arc<[u8]>> {
        self.sources.read().files.get(file).cloned()
    }

    /// The names of all files, ascending.
    pub fn files(&self) -> Vec<String> {
        self.sources.read().files.keys().cloned().collect()
    }

    /// Drops all idle states.
    pub fn clear_cache(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }

    /// Whether states are used again. Otherwise each call gets a fresh one.
    pub fn set_cache_enabled(&self, is_enabled: bool) {
        self.is_cache_enabled.store(is_enabled, Relaxed);
        if !is_enabled {
            self.clear_cache();
        }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Arc<[u8]>>)) {
        let mut sources = self.sources.write();
        let mut files = sources.files.clone();
        change(&mut files);
        let user_path = sources.user_path.clone();
        *sources = Arc::new(Sources { version: sources.version + 1, user_path, files });
        drop(sources);
        self.clear_cache();
    }

    /// A state with the module loaded, watched over by `host`; `None` if it cannot be.
    pub(crate) fn take(&self, module: &str, host: &Arc<dyn Host>) -> Option<State> {
        let sources = self.sources.read().clone();
        while let Some(state) = self.pop(module) {
            if state.version == sources.version {
                state.shared.enter(host.clone());
                return Some(state);
            }
        }
        // Not worth a state: most often a name that was never there.
        sources.of_module(module)?;
        let state = State::new(&sources, self.limits.memory_bytes, host.clone()).ok()?;
        match state.require(module) {
            Ok(()) => Some(state),
            Err(reason) => {
                log_unloadable(&**host, &sources.path(module), &reason);
                None
            }
        }
    }

    fn pop(&self, module: &str) -> Option<State> {
        self.idle.lock().get_mut(module)?.pop()
    }

    /// Takes a state back after a call.
    pub(crate) fn give_back(&self, module: &str, state: State) {
        let is_usable = state.leave()
            && self.is_cache_enabled.load(Relaxed)
            && state.version == self.sources.read().version;
        if !is_usable {
            return;
        }
        let mut idle = self.idle.lock();
        if let Some(states) = idle.get_mut(module) {
            if states.len() < IDLE_STATES_MAX {
                states.push(state);
            }
        } else {
            idle.insert(module.to_owned(), vec![state]);
        }
    }
}
