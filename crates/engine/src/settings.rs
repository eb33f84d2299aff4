//! Settings that every request looks at, at hand as plain values.
//!
//! The whole configuration stands behind a shared pointer, and taking hold of it costs a hundred
//! instructions. These few are copied out of it whenever it changes; reading one is a load. Each is
//! read by itself: no request relies on two of them having changed together.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use config::{Namespace as NamespaceConfig, Set as SetConfig, SetOverride};
use record::ttl::TtlRules;

/// Of a namespace.
#[derive(Debug, Default)]
pub(crate) struct NamespaceSettings {
    reject_xdr_writes: AtomicBool,
    reject_non_xdr_writes: AtomicBool,
    disallow_null_setname: AtomicBool,
    expiry_allowed: AtomicBool,
    default_ttl_seconds: AtomicU32,
    default_read_touch_ttl_pct: AtomicU32,
    max_record_size_bytes: AtomicU32,
    data_size_bytes: AtomicU64,
}

impl NamespaceSettings {
    /// Takes over what changed.
    pub fn update(&self, config: &NamespaceConfig) {
        let expiry_allowed = config.nsup_period_seconds != 0 || config.allow_ttl_without_nsup;
        for (setting, value) in [
            (&self.reject_xdr_writes, config.reject_xdr_writes),
            (&self.reject_non_xdr_writes, config.reject_non_xdr_writes),
            (&self.disallow_null_setname, config.disallow_null_setname),
            (&self.expiry_allowed, expiry_allowed),
        ] {
            setting.store(value, Ordering::Relaxed);
        }
        for (setting, value) in [
            (&self.default_ttl_seconds, config.default_ttl_seconds),
            (&self.default_read_touch_ttl_pct, config.default_read_touch_ttl_pct),
            (&self.max_record_size_bytes, config.max_record_size_bytes),
        ] {
            setting.store(value, Ordering::Relaxed);
        }
        self.data_size_bytes.store(config.storage_engine.data_size_bytes, Ordering::Relaxed);
    }

    /// Whether a write is refused for where it comes from: shipping, or a client.
    pub fn rejects_origin(&self, shipped: bool) -> bool {
        let rejects = if shipped { &self.reject_xdr_writes } else { &self.reject_non_xdr_writes };
        rejects.load(Ordering::Relaxed)
    }

    /// Whether a write must name a set.
    pub fn demands_set(&self) -> bool {
        self.disallow_null_setname.load(Ordering::Relaxed)
    }

    /// Largest record in bytes.
    pub fn record_size_bytes_max(&self) -> usize {
        self.max_record_size_bytes.load(Ordering::Relaxed) as usize
    }

    /// Space for records in bytes; 0: no limit.
    pub fn data_size_bytes(&self) -> u64 {
        self.data_size_bytes.load(Ordering::Relaxed)
    }

    /// Rules for time to live in a set.
    pub fn ttl_rules(&self, set: Option<&SetSettings>) -> TtlRules {
        let of_set = set.map_or(INHERIT, |set| set.default_ttl.load(Ordering::Relaxed));
        TtlRules {
            default_ttl_seconds: resolve(of_set, &self.default_ttl_seconds),
            expiry_allowed: self.expiry_allowed.load(Ordering::Relaxed),
        }
    }

    /// `default-read-touch-ttl-pct` in a set.
    pub fn read_touch_pct(&self, set: Option<&SetSettings>) -> u32 {
        let of_set =
            set.map_or(INHERIT, |set| set.default_read_touch_ttl_pct.load(Ordering::Relaxed));
        resolve(of_set, &self.default_read_touch_ttl_pct)
    }
}

/// Of a set.
#[derive(Debug, Default)]
pub(crate) struct SetSettings {
    default_ttl: AtomicU32,
    default_read_touch_ttl_pct: AtomicU32,
    disable_eviction: AtomicBool,
    stop_writes_count: AtomicU64,
    stop_writes_size_bytes: AtomicU64,
}

impl SetSettings {
    /// Takes over what changed.
    pub fn update(&self, config: &SetConfig) {
        let read_touch = config.default_read_touch_ttl_pct;
        self.default_ttl.store(packed(config.default_ttl), Ordering::Relaxed);
        self.default_read_touch_ttl_pct.store(packed(read_touch), Ordering::Relaxed);
        self.disable_eviction.store(config.disable_eviction, Ordering::Relaxed);
        self.stop_writes_count.store(config.stop_writes_count, Ordering::Relaxed);
        self.stop_writes_size_bytes.store(config.stop_writes_size_bytes, Ordering::Relaxed);
    }

    /// Whether eviction spares the set's records.
    pub fn is_spared(&self) -> bool {
        self.disable_eviction.load(Ordering::Relaxed)
    }

    /// With so many records the set takes no new ones; 0: no limit.
    pub fn stop_writes_count(&self) -> u64 {
        self.stop_writes_count.load(Ordering::Relaxed)
    }

    /// With more data the set takes no writes; 0: no limit.
    pub fn stop_writes_size_bytes(&self) -> u64 {
        self.stop_writes_size_bytes.load(Ordering::Relaxed)
    }
}

/// A set's override in one number, as the original keeps it.
const INHERIT: u32 = 0;
const NEVER: u32 = u32::MAX;

fn packed(of_set: SetOverride) -> u32 {
    match of_set {
        SetOverride::Inherit => INHERIT,
        SetOverride::Never => NEVER,
        SetOverride::Value(value) => value,
    }
}

/// What a set's override and the namespace's value come to.
fn resolve(of_set: u32, of_namespace: &AtomicU32) -> u32 {
    match of_set {
        INHERIT => of_namespace.load(Ordering::Relaxed),
        NEVER => 0,
        value => value,
    }
}
