//! A namespace with a clock that tests move, and requests made short.

use crate::copies::Written;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use config::{DevicePath, Namespace as NamespaceConfig};
use record::{LastUpdateTime, RecordMeta, SetId, VoidTime};
use storage::device::ram::RamDevice;
use storage::format::BLOCK_BYTES;
use storage::{Fetch, Fetched, Pledges};
use wire::client::{Reply, RequestBuilder};
use wire::reply::ReplyWriter;
use wire::{
    Digest, Info1, Info2, OpCode, ParticleType, PartitionId, ProtoHeader, Request, ResultCode,
};

use super::sindex::check_sindexes;
use crate::counters::Stripe;
use crate::devices::{DevicePlan, NamespaceOpening};
use crate::namespace::{Inspected, Namespace, Turn};
use crate::stats::NamespaceCounter;
use crate::supervisor::{Event, Supervisor, World};

/// Where the clock of a fixture stands first, in seconds since 2010.
pub(crate) const START_SECONDS: u32 = 500_000_000;

/// A namespace `test`, its supervisor, and the time.
pub(crate) struct Fixture {
    pub namespace: Namespace,
    pub supervisor: Supervisor,
    pub now: LastUpdateTime,
    scratch: Vec<u8>,
}

/// A reply: how the request ended, what it says of the record, and the bins by name and value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub result: ResultCode,
    pub generation: u32,
    pub void_time: u32,
    pub bins: Vec<(String, Vec<u8>)>,
}

impl Answer {
    /// The value of a bin as text.
    pub fn text(&self, bin: &str) -> Option<String> {
        let found = self.bins.iter().find(|(name, _)| name == bin);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }
}

impl Fixture {
    /// A namespace with the default settings and expiry allowed.
    pub fn new() -> Self {
        Self::with(|config| config.nsup_period_seconds = 120)
    }

    /// A namespace with the default settings but for what `change` does to them.
    pub fn with(change: impl FnOnce(&mut NamespaceConfig)) -> Self {
        let mut config = NamespaceConfig::named("test");
        change(&mut config);
        let now = LastUpdateTime(u64::from(START_SECONDS) * 1000);
        Self::over(Namespace::new(config, 1), now)
    }

    /// This namespace at this time.
    pub fn over(namespace: Namespace, now: LastUpdateTime) -> Self {
        Self { namespace, supervisor: Supervisor::new(now), now, scratch: Vec::new() }
    }

    /// A namespace as [`Self::with`] makes it, that keeps its records on a device as well.
    pub fn on(device: Arc<RamDevice>, change: impl FnOnce(&mut NamespaceConfig)) -> Self {
        let mut fixture = Self::with(change);
        fixture.restart_on(device);
        fixture
    }

    /// Puts what is on a device in the namespace's place.
    pub fn restart_on(&mut self, device: Arc<RamDevice>) {
        let mut config = NamespaceConfig::clone(&self.namespace.config());
        config.storage_engine.devices = vec![DevicePath { path: "ram".into(), shadow: None }];
        let plan = DevicePlan {
            devices: vec![device],
            image: None,
            block_bytes: BLOCK_BYTES,
            encryption: None,
            threads: 1,
            random: || fastrand::u64(1..),
        };
        let opening = NamespaceOpening::begin(config, 1, plan).unwrap();
        self.namespace = opening.finish(self.now.seconds()).unwrap().0;
    }

    /// Changes settings while the namespace runs.
    pub fn configure(&self, change: impl FnOnce(&mut NamespaceConfig)) {
        let mut config = NamespaceConfig::clone(&self.namespace.config());
        change(&mut config);
        self.namespace.configure(config);
    }

    /// Changes the settings of a set.
    pub fn configure_set(&self, name: &str, change: impl FnOnce(&mut config::Set)) {
        self.configure(|config| {
            let set = config.sets.iter_mut().position(|set| set.name == name);
            let place = set.unwrap_or_else(|| {
                config.sets.push(config::Set { name: name.into(), ..Default::default() });
                config.sets.len() - 1
            });
            change(&mut config.sets[place]);
        });
    }

    pub fn pass_ms(&mut self, ms: u64) {
        self.now.0 += ms;
    }

    pub fn pass_seconds(&mut self, seconds: u32) {
        self.pass_ms(u64::from(seconds) * 1000);
    }

    /// Sends a request on the record with this key.
    pub fn send(&mut self, key: u32, request: RequestBuilder) -> Answer {
        send(&self.namespace, self.now, &mut self.scratch, &digest(key), &request.into_body())
    }

    /// Sends a request of which only the result counts.
    pub fn result(&mut self, key: u32, request: RequestBuilder) -> ResultCode {
        self.send(key, request).result
    }

    /// Writes a bin `a` and expects success.
    pub fn create(&mut self, key: u32) {
        self.do_ok(key, put("a", "1"));
    }

    /// Sends a request and expects success.
    pub fn do_ok(&mut self, key: u32, request: RequestBuilder) -> Answer {
        let answer = self.send(key, request);
        assert_eq!(answer.result, ResultCode::OK);
        answer
    }

    /// Whether a client can see the record.
    pub fn is_there(&mut self, key: u32) -> bool {
        self.result(key, exists()) == ResultCode::OK
    }

    /// What the index holds of a record, live or not.
    pub fn meta(&self, key: u32) -> Option<RecordMeta> {
        self.namespace.inspect(&digest(key), |record| record.meta)
    }

    /// Sets the generation of a record that is there.
    pub fn set_generation(&self, key: u32, generation: u16) {
        let mut guard = self.namespace.records.write(&digest(key));
        let mut meta = guard.find().unwrap().meta;
        meta.generation.0 = generation;
        guard.set_meta(meta, b"", Fetched::NONE, &mut Pledges::default()).unwrap();
    }

    /// Lets the supervisor do what is due; returns what it reports and when it wants to be called
    /// again.
    pub fn supervise(&mut self) -> (Vec<Event>, u64) {
        let (now, mut events) = (self.now, Vec::new());
        let world = World { now, memory_used_pct: 10 };
        let next = self.supervisor.step(&self.namespace, world, || now, &mut events);
        self.check_statistics();
        (events, next)
    }

    pub fn count_of(&self, counter: NamespaceCounter) -> u64 {
        self.namespace.counters.sum(counter)
    }

    /// All statistics that are kept in step equal those computed from scratch.
    pub fn check_statistics(&self) {
        check_statistics(&self.namespace);
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check_statistics();
        }
    }
}

/// Sends a request's body to a namespace, and lets it wait for what it has to.
pub(crate) fn send(
    namespace: &Namespace,
    now: LastUpdateTime,
    scratch: &mut Vec<u8>,
    digest: &Digest,
    body: &[u8],
) -> Answer {
    let request = Request::parse(body).unwrap();
    let mut out = Vec::new();
    let result = run(namespace, &request, now, scratch, digest, &mut out);
    let (reply, rest) = Reply::parse(&out[ProtoHeader::SIZE..]).unwrap();
    assert!(rest.is_empty(), "one request, one reply");
    assert_eq!(reply.header.result, result);
    let bins =
        reply.ops().map(|op| (String::from_utf8(op.name.into()).unwrap(), op.value.to_vec()));
    Answer {
        result,
        generation: reply.header.generation,
        void_time: reply.header.record_ttl,
        bins: bins.collect(),
    }
}

/// Runs a request, again and again if it has to wait for reads. Whether devices do what they still
/// have to is not looked at.
pub(crate) fn run(
    namespace: &Namespace,
    request: &Request<'_>,
    now: LastUpdateTime,
    scratch: &mut Vec<u8>,
    digest: &Digest,
    out: &mut Vec<u8>,
) -> ResultCode {
    let (mut fetched, mut pledges) = (Fetched::default(), Pledges::default());
    let stripe = Stripe::SHARED;
    loop {
        let pledges = &mut pledges;
        let mut turn =
            Turn { now, stripe, scratch, fetched: &fetched, pledges, written: Written::Nothing };
        match dispatch(namespace, request, digest, &mut turn, out) {
            Ok(result) => return result,
            Err(fetch) => {
                out.clear();
                fetched.add(fetch.read_now());
            }
        }
    }
}

/// Runs the command that a request means.
fn dispatch(
    namespace: &Namespace,
    request: &Request<'_>,
    digest: &Digest,
    turn: &mut Turn<'_>,
    out: &mut Vec<u8>,
) -> Result<ResultCode, Fetch> {
    let flags = request.header.info2;
    if flags.contains(Info2::DELETE) {
        namespace.delete(request, digest, turn, ReplyWriter::new(out))
    } else if flags.contains(Info2::WRITE) {
        namespace.write(request, digest, turn, ReplyWriter::new(out))
    } else {
        namespace.read(request, digest, turn, ReplyWriter::new(out))
    }
}

/// Numbers of records, tombstones and bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Sums {
    objects: u64,
    tombstones: u64,
    data_used_bytes: u64,
}

/// All statistics of a namespace that are kept in step equal those computed from scratch.
pub(crate) fn check_statistics(namespace: &Namespace) {
    check_sindexes(namespace);
    let mut all = Sums::default();
    let mut of_sets: BTreeMap<SetId, Sums> = BTreeMap::new();
    for partition in PartitionId::all() {
        if namespace.partition_counts(partition).entries == 0 {
            continue;
        }
        let mut digests = Vec::new();
        namespace.records.for_each(partition, |digest, _| digests.push(*digest));
        for digest in digests {
            let found =
                namespace.inspect(&digest, |record| (record.meta, size_bytes(namespace, record)));
            let (meta, size) = found.unwrap();
            for sums in [&mut all, of_sets.entry(meta.set).or_default()] {
                sums.objects += u64::from(!meta.tombstone);
                sums.tombstones += u64::from(meta.tombstone);
                sums.data_used_bytes += size;
            }
        }
    }
    let kept = Sums {
        objects: namespace.object_count(),
        tombstones: namespace.tombstone_count(),
        data_used_bytes: namespace.gauges.data_used_bytes.load(Ordering::Relaxed) as u64,
    };
    assert_eq!(kept, all, "of the namespace");
    for set in namespace.sets.iter() {
        let kept = Sums {
            objects: set.objects.load(Ordering::Relaxed),
            tombstones: set.tombstones.load(Ordering::Relaxed),
            data_used_bytes: set.data_used_bytes.load(Ordering::Relaxed),
        };
        let expected = of_sets.get(&set.id).copied().unwrap_or_default();
        assert_eq!(kept, expected, "of set {}", String::from_utf8_lossy(&set.name));
    }
}

/// Size of a stored record by the original's arithmetic, computed bin by bin; on a device what it
/// takes there, which only the device knows.
fn size_bytes(namespace: &Namespace, record: &Inspected<'_>) -> u64 {
    if namespace.has_devices() {
        return record.size_bytes as u64;
    }
    let body = record.body;
    let set_name_bytes = namespace.sets.by_id(record.meta.set).map_or(0, |set| set.name.len());
    let variable_int_bytes = |number: usize| match number {
        0..128 => 1,
        128..16_384 => 2,
        _ => 3,
    };
    let bins = body
        .bins()
        .map(|bin| 1 + bin.name.len() + value::stored_size_bytes(bin.particle_type, bin.value));
    let key = body.key().map_or(0, |key| variable_int_bytes(key.len()) + key.len());
    let bin_count = match body.bin_count() {
        0 => 0,
        count => variable_int_bytes(usize::from(count)),
    };
    let set = if set_name_bytes == 0 { 0 } else { 1 + set_name_bytes };
    let void_time = if record.meta.void_time == VoidTime::NEVER { 0 } else { 4 };
    let size = 35 + 4 + void_time + set + key + bin_count + bins.sum::<usize>();
    size.next_multiple_of(16) as u64
}

/// The digest of a record: keys are spread over partitions and sprigs.
pub(crate) fn digest(key: u32) -> Digest {
    Digest::of_key(b"", ParticleType::INTEGER, &u64::from(key).to_be_bytes())
}

/// A write of one text bin.
pub(crate) fn put(bin: &str, text: &str) -> RequestBuilder {
    write().op(OpCode::WRITE, ParticleType::STRING, bin.as_bytes(), text.as_bytes())
}

/// A write without operations yet.
pub(crate) fn write() -> RequestBuilder {
    RequestBuilder::new().info2(Info2::WRITE)
}

/// A write that deletes one bin.
pub(crate) fn drop_bin(bin: &str) -> RequestBuilder {
    write().op(OpCode::WRITE, ParticleType::NULL, bin.as_bytes(), b"")
}

/// An addition to an integer bin.
pub(crate) fn add(bin: &str, amount: i64) -> RequestBuilder {
    write().op(OpCode::INCREMENT, ParticleType::INTEGER, bin.as_bytes(), &amount.to_be_bytes())
}

/// A write that only renews the time to live.
pub(crate) fn touch() -> RequestBuilder {
    write().op(OpCode::TOUCH, ParticleType::NULL, b"", b"")
}

/// A read of all bins.
pub(crate) fn get() -> RequestBuilder {
    RequestBuilder::new().info1(Info1::READ | Info1::GET_ALL)
}

/// A read of metadata only.
pub(crate) fn exists() -> RequestBuilder {
    RequestBuilder::new().info1(Info1::READ | Info1::GET_NO_BINS)
}

pub(crate) fn delete() -> RequestBuilder {
    RequestBuilder::new().info2(Info2::WRITE | Info2::DELETE)
}

/// A delete that leaves a tombstone.
pub(crate) fn durable_delete() -> RequestBuilder {
    RequestBuilder::new().info2(Info2::WRITE | Info2::DELETE | Info2::DURABLE_DELETE)
}
