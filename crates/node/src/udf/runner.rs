//! The modules of a node, and the surroundings in which their functions run.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::udf::{
    Call, CompileError, Level, Limits, Modules, Outcome, RecordAccess, Sink, Source, StreamFailure,
};

use super::module::Stored;
use crate::host::Host;
use crate::metadata::{Acceptor, Item, Occasion};

/// Time that a module has for being loaded once, when it is stored.
const CHECK_TIME: Duration = Duration::from_secs(1);

/// The unix time of the year 2010, in ms.
const EPOCH_MS: u64 = 1_262_304_000_000;

/// Runs functions of modules.
pub struct Runner {
    modules: Modules,
    host: Arc<dyn Host>,
}

impl Runner {
    /// No modules yet.
    pub fn new(settings: &config::ModLua, host: Arc<dyn Host>) -> Self {
        let limits = Limits { user_path: settings.user_path.clone(), ..Limits::default() };
        let modules = Modules::new(limits);
        modules.set_cache_enabled(settings.cache_enabled);
        Self { modules, host }
    }

    /// Whether a module can be loaded.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, file: &str, source: &[u8]) -> Result<(), CompileError> {
        let deadline = self.host.monotonic() + CHECK_TIME;
        self.modules.check(file, source, self.watch(deadline))
    }

    /// Forgets states that were kept for the next call.
    pub fn clear_cache(&self) {
        self.modules.clear_cache();
    }

    /// Runs a function on a record, until a time of the monotonic clock at most.
    pub(super) fn apply(
        &self,
        call: Call<'_>,
        record: Box<dyn RecordAccess>,
        deadline: Duration,
    ) -> Outcome {
        self.modules.apply(call, record, self.watch(deadline))
    }

    /// Runs a function over records.
    ///
    /// # Errors
    /// What the client is told.
    pub(crate) fn aggregate(
        &self,
        call: Call<'_>,
        source: &mut Source<'_>,
        sink: &mut Sink<'_>,
        deadline: Duration,
    ) -> Result<(), StreamFailure> {
        self.modules.aggregate(call, source, sink, self.watch(deadline))
    }

    fn watch(&self, deadline: Duration) -> Arc<dyn ::udf::Host> {
        let (begun, begun_us) = (self.host.monotonic(), (self.host.now().0 + EPOCH_MS) * 1000);
        Arc::new(Watch { host: Arc::clone(&self.host), deadline, begun, begun_us })
    }
}

impl Acceptor for Runner {
    fn accept(&self, item: &Item, _: Occasion) -> io::Result<()> {
        let Ok(name) = std::str::from_utf8(&item.key) else { return Ok(()) };
        match &item.value {
            None => _ = self.modules.remove(name),
            Some(value) => {
                let source = Stored::of_value(value).and_then(|stored| stored.source());
                let source = source.ok_or(io::ErrorKind::InvalidData)?;
                self.modules.put(name, &source);
            }
        }
        Ok(())
    }
}

/// What a function has of the outside world.
struct Watch {
    host: Arc<dyn Host>,
    deadline: Duration,
    /// The beginning of the call, by the monotonic clock and in µs of the unix time.
    begun: Duration,
    begun_us: u64,
}

impl ::udf::Host for Watch {
    fn log(&self, level: Level, file: &str, line: usize, text: &[u8]) {
        // The log of a node has one level for what others say.
        if matches!(level, Level::Critical | Level::Warning | Level::Info) {
            let text = String::from_utf8_lossy(text);
            self.host.log().message(&format!("({file}:{line}) {text}"));
        }
    }

    fn now_us(&self) -> u64 {
        let elapsed = self.host.monotonic().saturating_sub(self.begun);
        self.begun_us + elapsed.as_micros() as u64
    }

    fn is_overdue(&self) -> bool {
        self.host.monotonic() >= self.deadline
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("files", &self.modules.files()).finish_non_exhaustive()
    }
}
