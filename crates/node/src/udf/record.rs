//! A loaded record, as functions see it.

use ::udf::{RecordAccess, RecordInfo, Request};
use engine::Namespace;
use engine::udf::Loaded;
use record::{LastUpdateTime, Medium};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wire::{ParticleType, ResultCode};

/// See the module.
pub(super) struct LoadedRecord {
    pub loaded: Loaded,
    pub namespace: Arc<Namespace>,
    pub now: LastUpdateTime,
}

impl RecordAccess for LoadedRecord {
    fn exists(&self) -> bool {
        self.loaded.meta.is_some()
    }

    fn info(&self) -> RecordInfo {
        let Some(meta) = &self.loaded.meta else { return RecordInfo::default() };
        let size_bytes = self.loaded.size_bytes as u64;
        let of = |is_there: bool| if is_there { size_bytes } else { 0 };
        RecordInfo {
            ttl_seconds: meta.void_time.0.saturating_sub(self.now.seconds().0),
            generation: meta.generation.0,
            last_update_time_ms: meta.last_update_time.0,
            size_bytes,
            memory_size_bytes: of(self.loaded.medium != Medium::Device),
            device_size_bytes: of(self.loaded.medium != Medium::Memory),
        }
    }

    fn digest(&self) -> [u8; 20] {
        self.loaded.digest.0
    }

    fn set_name(&self) -> Option<&[u8]> {
        Some(&*self.loaded.set_name).filter(|name| !name.is_empty())
    }

    fn key(&self) -> Option<(ParticleType, &[u8])> {
        let (kind, value) = self.loaded.body().key()?.split_first()?;
        Some((ParticleType(*kind), value))
    }

    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])> {
        let bin = self.loaded.body().bin(name)?;
        Some((bin.particle_type, bin.value))
    }

    fn bin_names(&self) -> Vec<&[u8]> {
        self.loaded.body().bins().map(|bin| bin.name).collect()
    }

    fn admit(&mut self, request: Request<'_>) -> Result<(), ResultCode> {
        let stops = self.namespace.gauges.stop_writes.load(Ordering::Relaxed);
        match request {
            Request::Create(_) | Request::Update(_) if stops => Err(ResultCode::OUT_OF_SPACE),
            _ => Ok(()),
        }
    }
}
