//! The namespace supervisor: expiry, eviction, truncation, tombstones, thresholds, histograms.
//!
//! A state machine without a clock of its own: the host calls [`Supervisor::step`] when the time that
//! it last returned has come, or when the namespace's bell rings.

use std::fmt;
use std::sync::atomic::Ordering;

use record::{LastUpdateTime, SecondsSince2010, VoidTime};
use storage::SetIndexState;
use wire::PartitionId;

use crate::eviction::Eviction;
use crate::namespace::Namespace;
use crate::sindex::Filling;
use crate::sweep::Removal;

/// Period in ms with which thresholds are compared.
const THRESHOLDS_PERIOD_MS: u64 = 10_000;
/// Period in ms with which the index is compacted while records come and go.
const COMPACT_PERIOD_MS: u64 = 1_000;
/// Longest time in ms between two steps.
const STEP_PERIOD_MAX_MS: u64 = 60_000;
/// Period in ms with which it is estimated anew how many entries of secondary indexes are alike.
const CARDINALITY_PERIOD_MS: u64 = 3_600_000;

/// What the supervisor did, for the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A cycle of expiry, perhaps with eviction, is over.
    CycleDone {
        /// What it removed.
        removal: Removal,
        /// How long it took, in ms.
        took_ms: u64,
    },
    /// An eviction threshold is exceeded, but no record can be evicted.
    NothingToEvict,
    /// Writes are refused from now on.
    StopWrites(Breach),
    /// Writes are taken again.
    WritesResumed,
    /// Truncated records are removed.
    Truncated {
        /// How many there were.
        removed: u64,
    },
    /// Old tombstones are removed.
    TombstonesRemoved {
        /// How many there were.
        removed: u64,
    },
}

/// Which limit stops writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Breach {
    /// `stop-writes-sys-memory-pct`.
    SystemMemory,
    /// `indexes-memory-budget`.
    IndexesMemory,
    /// `stop-writes-used-pct`.
    DataUsed,
    /// `stop-writes-avail-pct`.
    DataAvailable,
    /// None: a device has failed and takes no writes.
    Device,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CycleDone { removal, took_ms } => write!(
                f,
                "nsup-done: non-expirable {} expired {} evicted {} total-ms {took_ms}",
                removal.non_expirable, removal.expired, removal.evicted
            ),
            Self::NothingToEvict => f.write_str(
                "an eviction threshold is exceeded, but no records can be evicted: give records a \
                 time to live or raise the threshold",
            ),
            Self::StopWrites(Breach::Device) => {
                f.write_str("writes are refused: a device has failed; see what was logged about it")
            }
            Self::StopWrites(breach) => write!(f, "writes are refused: {breach} is exceeded"),
            Self::WritesResumed => f.write_str("writes are accepted again"),
            Self::Truncated { removed } => write!(f, "truncated {removed} records"),
            Self::TombstonesRemoved { removed } => write!(f, "removed {removed} old tombstones"),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SystemMemory => "stop-writes-sys-memory-pct",
            Self::IndexesMemory => "indexes-memory-budget",
            Self::DataUsed => "stop-writes-used-pct",
            Self::DataAvailable => "stop-writes-avail-pct",
            Self::Device => "the failure of a device",
        })
    }
}

/// What the supervisor must know of the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct World {
    /// The time.
    pub now: LastUpdateTime,
    /// Used share of the host's memory in percent.
    pub memory_used_pct: u32,
}

/// Supervises one namespace.
#[derive(Debug, Default)]
pub struct Supervisor {
    last_cycle_ms: u64,
    last_thresholds_ms: u64,
    last_histograms_ms: u64,
    last_tomb_raid_ms: u64,
    last_compact_ms: u64,
    last_cardinality_ms: u64,
    /// Records as of the last compaction.
    last_count: u64,
    /// The threshold that the last cycle evicted up to.
    evicted_before: VoidTime,
}

impl Supervisor {
    /// A supervisor whose first cycle is due one period from now.
    pub fn new(now: LastUpdateTime) -> Self {
        Self {
            last_cycle_ms: now.0,
            last_thresholds_ms: 0,
            last_histograms_ms: 0,
            last_tomb_raid_ms: now.0,
            last_cardinality_ms: now.0,
            ..Self::default()
        }
    }

    /// The same for a namespace that has come up with a threshold of eviction: that was meant for the
    /// records of then, not for those that will be written.
    pub fn resume(namespace: &Namespace, now: LastUpdateTime) -> Self {
        let threshold = namespace.gauges.evict_void_time.load(Ordering::Relaxed);
        Self { evicted_before: VoidTime(threshold), ..Self::new(now) }
    }

    /// Does what is due, and returns when the next step is (ms since 2010).
    ///
    /// `clock` is read again to time a cycle.
    pub fn step(
        &mut self,
        namespace: &Namespace,
        world: World,
        clock: impl Fn() -> LastUpdateTime,
        events: &mut Vec<Event>,
    ) -> u64 {
        let now = world.now.0;
        let config = namespace.config();
        if namespace.is_truncating() {
            let removed = namespace.remove_truncated();
            events.push(Event::Truncated { removed });
        }
        tend_set_indexes(namespace);
        let mut agenda = Agenda { now_ms: now, next_ms: now + STEP_PERIOD_MAX_MS };
        let ms = |period_seconds: u32| u64::from(period_seconds) * 1000;
        if agenda.is_due(&mut self.last_thresholds_ms, THRESHOLDS_PERIOD_MS) {
            check_stop_writes(namespace, world, events);
        }
        self.compact(namespace, &mut agenda);
        if agenda.is_due(&mut self.last_cycle_ms, ms(config.nsup_period_seconds)) {
            self.run_cycle(namespace, world.now, &clock, events);
        }
        if agenda.is_due(&mut self.last_histograms_ms, ms(config.nsup_hist_period_seconds)) {
            collect_histograms(namespace, world.now.seconds());
        }
        if agenda.is_due(&mut self.last_tomb_raid_ms, ms(config.tomb_raider_period_seconds)) {
            let age_ms = ms(config.tomb_raider_eligible_age_seconds);
            let removed = namespace.remove_tombstones(LastUpdateTime(now.saturating_sub(age_ms)));
            if removed != 0 {
                events.push(Event::TombstonesRemoved { removed });
            }
        }
        if agenda.is_due(&mut self.last_cardinality_ms, CARDINALITY_PERIOD_MS) {
            namespace.estimate_cardinalities();
        }
        // Last, since it can take longest: then all else has its turn again.
        match namespace.fill_sindexes(&clock) {
            Filling::Unfinished => now,
            Filling::Rests => agenda.next_ms,
        }
    }

    /// Gives memory of the index back, often while records come and go.
    fn compact(&mut self, namespace: &Namespace, agenda: &mut Agenda) {
        let count = namespace.record_count();
        let busy = count != self.last_count;
        let period_ms = if busy { COMPACT_PERIOD_MS } else { THRESHOLDS_PERIOD_MS };
        if agenda.is_due(&mut self.last_compact_ms, period_ms) {
            self.last_count = count;
            namespace.records.compact_index();
            namespace.sindexes.compact();
        }
    }

    fn run_cycle(
        &mut self,
        namespace: &Namespace,
        now: LastUpdateTime,
        clock: &impl Fn() -> LastUpdateTime,
        events: &mut Vec<Event>,
    ) {
        let gauges = &namespace.gauges;
        let breached = is_eviction_due(namespace);
        gauges.hwm_breached.store(breached, Ordering::Relaxed);
        if breached {
            set_eviction_threshold(namespace, now.seconds(), events);
        }
        // An operator may have set the threshold too; each takes effect once.
        let threshold = VoidTime(gauges.evict_void_time.load(Ordering::Relaxed));
        let evict_before = Some(threshold).filter(|threshold| *threshold > self.evicted_before);
        self.evicted_before = threshold;
        let removal = namespace.remove_expired(now.seconds(), evict_before);
        let took_ms = clock().0.saturating_sub(now.0);
        gauges.non_expirable_objects.store(removal.non_expirable, Ordering::Relaxed);
        gauges.nsup_cycle_seconds.store(took_ms / 1000, Ordering::Relaxed);
        let deleted = (removal.expired + removal.evicted) * 10_000;
        let share = deleted.checked_div(removal.visited).unwrap_or(0);
        gauges.nsup_cycle_deleted_pct_hundredths.store(share, Ordering::Relaxed);
        events.push(Event::CycleDone { removal, took_ms });
    }
}

/// What is due now, and when the next is.
struct Agenda {
    now_ms: u64,
    next_ms: u64,
}

impl Agenda {
    /// Whether something is due that is done once a period, and was done last at `last_ms`; then that
    /// is now. A period of 0 is never over. When the clock has gone back, a new period begins.
    fn is_due(&mut self, last_ms: &mut u64, period_ms: u64) -> bool {
        *last_ms = (*last_ms).min(self.now_ms);
        if period_ms == 0 {
            return false;
        }
        let is_due = self.now_ms >= last_ms.saturating_add(period_ms);
        if is_due {
            *last_ms = self.now_ms;
        }
        self.next_ms = self.next_ms.min(last_ms.saturating_add(period_ms));
        is_due
    }
}

/// Says which records have to go to make room.
fn set_eviction_threshold(namespace: &Namespace, now: SecondsSince2010, events: &mut Vec<Event>) {
    match namespace.eviction_threshold(now) {
        Eviction::Before(threshold) => {
            let gauges = &namespace.gauges;
            let ttl = i64::from(threshold.0) - i64::from(now.0);
            gauges.evict_ttl_seconds.store(ttl, Ordering::Relaxed);
            namespace.evict_before(threshold);
        }
        Eviction::Nothing => events.push(Event::NothingToEvict),
    }
}

/// Makes the histograms over records anew; without a record ever seen there are none.
fn collect_histograms(namespace: &Namespace, now: SecondsSince2010) {
    if namespace.record_count() != 0 || namespace.size_histograms().namespace.is_some() {
        namespace.collect_size_histograms(now);
    }
}

/// Memory of all indexes in percent of their budget, if they have one.
fn indexes_used_pct(namespace: &Namespace) -> Option<u64> {
    let budget = namespace.config().indexes_memory_budget_bytes;
    let sindexes = namespace.sindexes.used_bytes();
    let used = namespace.index_used_bytes() + namespace.set_index_used_bytes() + sindexes;
    (used * 100).checked_div(budget)
}

fn is_eviction_due(namespace: &Namespace) -> bool {
    let config = namespace.config();
    let indexes = config.evict_indexes_memory_pct;
    let data = config.storage_engine.evict_used_pct;
    (indexes != 0 && indexes_used_pct(namespace).is_some_and(|used| used >= u64::from(indexes)))
        || (data != 0 && namespace.data_used_pct() >= u64::from(data))
}

fn breached_limit(namespace: &Namespace, world: World) -> Option<Breach> {
    let config = namespace.config();
    let (memory, storage) = (config.stop_writes_sys_memory_pct, &config.storage_engine);
    if namespace.space().is_some_and(|space| space.has_failed) {
        return Some(Breach::Device);
    }
    if memory != 0 && world.memory_used_pct > memory {
        return Some(Breach::SystemMemory);
    }
    if indexes_used_pct(namespace).is_some_and(|used| used > 100) {
        return Some(Breach::IndexesMemory);
    }
    let used = namespace.data_used_pct();
    if storage.stop_writes_used_pct != 0 && used >= u64::from(storage.stop_writes_used_pct) {
        return Some(Breach::DataUsed);
    }
    (namespace.data_avail_pct() < u64::from(storage.stop_writes_avail_pct))
        .then_some(Breach::DataAvailable)
}

fn check_stop_writes(namespace: &Namespace, world: World, events: &mut Vec<Event>) {
    let breach = breached_limit(namespace, world);
    let before = namespace.gauges.stop_writes.swap(breach.is_some(), Ordering::Relaxed);
    match (before, breach) {
        (false, Some(breach)) => events.push(Event::StopWrites(breach)),
        (true, None) => events.push(Event::WritesResumed),
        _ => {}
    }
}

/// Builds the indexes of sets that shall have one, and drops the others.
fn tend_set_indexes(namespace: &Namespace) {
    for set in namespace.sets.iter() {
        let wanted = set.config.load().enable_index;
        let state = namespace.records.set_index_state(set.id);
        if !wanted && state != SetIndexState::Absent {
            namespace.records.disable_set_index(set.id);
        }
        if wanted && state == SetIndexState::Absent {
            namespace.records.enable_set_index(set.id);
            let out_of_memory = PartitionId::all()
                .any(|partition| namespace.records.populate_set_index(set.id, partition).is_err());
            if out_of_memory {
                namespace.records.disable_set_index(set.id);
            }
        }
    }
}
