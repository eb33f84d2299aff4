//! Values as scripts see them: what lies between particles and Lua.
//!
//! Lists, maps and bytes are references, as in the original: whoever reads a list out of a list
//! and appends to it has changed both. What they hold is charged to the state's [`Budget`], because
//! Lua's own memory limit does not see it. A list or map never contains itself: what would make it
//! so is refused ([`Trouble::Cycle`]), so walking and freeing end.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;
use value::msgpack::Flags;
use wire::ParticleType;

/// Why a value could not be made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The memory limit of the state.
    Memory,
    /// A list or map would contain itself.
    Cycle,
    /// Lists and maps are nested too deeply to be written.
    Depth,
    /// A record or something else that has no particle.
    Unsupported,
}

/// Memory that the values of one state hold, against its limit.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    limit_bytes: usize,
}

impl Budget {
    pub fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), limit_bytes })
    }

    pub fn used_bytes(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Most bytes that anything may have.
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    fn take(&self, bytes: usize) -> Result<(), Trouble> {
        let used = self.used.fetch_add(bytes, Relaxed);
        if used.saturating_add(bytes) <= self.limit_bytes {
            return Ok(());
        }
        self.used.fetch_sub(bytes, Relaxed);
        Err(Trouble::Memory)
    }
}

/// A container's part of the budget, given back when it is dropped.
#[derive(Debug)]
struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    fn new(budget: &Arc<Budget>) -> Result<Self, Trouble> {
        const CONTAINER_BYTES: usize = 128;
        budget.take(CONTAINER_BYTES)?;
        Ok(Self { budget: budget.clone(), bytes: CONTAINER_BYTES })
    }

    fn add(&mut self, bytes: usize) -> Result<(), Trouble> {
        self.budget.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    fn give_back(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.budget.used.fetch_sub(bytes, Relaxed);
        self.bytes -= bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
    }
}

/// A value. Cloning one is cheap: whatever is large is shared.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<[u8]>),
    Geo(Arc<[u8]>),
    Bytes(BytesRef),
    List(ListRef),
    Map(MapRef),
    /// An extension value inside a list or map: scripts see nil, it is written back as it was.
    Ext(Arc<[u8]>),
}

impl Value {
    /// Bytes that a container is charged for holding it.
    fn weight(&self) -> usize {
        const SLOT_BYTES: usize = 32;
        SLOT_BYTES
            + match self {
                Self::Str(text) | Self::Geo(text) | Self::Ext(text) => text.len(),
                _ => 0,
            }
    }

    fn node(&self) -> Option<Node> {
        match self {
            Self::List(list) => Some(Node::List(list.clone())),
            Self::Map(map) => Some(Node::Map(map.clone())),
            _ => None,
        }
    }
}

/// A list or map, where walking does not care which.
#[derive(Clone)]
enum Node {
    List(ListRef),
    Map(MapRef),
}

impl Node {
    fn address(&self) -> usize {
        match self {
            Self::List(list) => Arc::as_ptr(&list.0).addr(),
            Self::Map(map) => Arc::as_ptr(&map.0).addr(),
        }
    }

    fn children(&self, into: &mut Vec<Node>) {
        match self {
            Self::List(list) => {
                let list = list.0.lock();
                if list.has_nodes {
                    into.extend(list.items.iter().filter_map(Value::node));
                }
            }
            Self::Map(map) => {
                let map = map.0.lock();
                if map.has_nodes {
                    into.extend(map.pairs.values().filter_map(Value::node));
                }
            }
        }
    }
}

/// Whether the value is `target` or leads to it.
fn reaches(value: &Value, target: usize) -> bool {
    let Some(start) = value.node() else { return false };
    let (mut seen, mut pending) = (HashSet::new(), vec![start]);
    while let Some(node) = pending.pop() {
        if node.address() == target {
            return true;
        }
        if seen.insert(node.address()) {
            node.children(&mut pending);
        }
    }
    false
}

/// Frees what a container held, without one stack frame a level.
fn free(values: Vec<Value>) {
    let mut pending = values;
    while let Some(value) = pending.pop() {
        match value {
            Value::List(list) => {
                if let Some(list) = Arc::into_inner(list.0) {
                    pending.append(&mut list.into_inner().items);
                }
            }
            Value::Map(map) => {
                if let Some(map) = Arc::into_inner(map.0) {
                    pending.extend(std::mem::take(&mut map.into_inner().pairs).into_values());
                }
            }
            _ => {}
        }
    }
}

/// A list, shared by all who refer to it.
#[derive(Clone, Debug)]
pub(crate) struct ListRef(Arc<Mutex<ListData>>);

#[derive(Debug)]
struct ListData {
    items: Vec<Value>,
    flags: Flags,
    has_nodes: bool,
    charge: Charge,
}

impl Drop for ListData {
    fn drop(&mut self) {
        if self.has_nodes {
            free(std::mem::take(&mut self.items));
        }
    }
}

impl ListRef {
    pub fn new(budget: &Arc<Budget>, flags: Flags) -> Result<Self, Trouble> {
        let data =
            ListData { items: Vec::new(), flags, has_nodes: false, charge: Charge::new(budget)? };
        Ok(Self(Arc::new(Mutex::new(data))))
    }

    pub fn len(&self) -> usize {
        self.0.lock().items.len()
    }

    pub fn flags(&self) -> Flags {
        self.0.lock().flags
    }

    /// The item at an index from 0.
    pub fn get(&self, index: usize) -> Option<Value> {
        self.0.lock().items.get(index).cloned()
    }

    pub fn items(&self) -> Vec<Value> {
        self.0.lock().items.clone()
    }

    fn admit(&self, value: &Value) -> Result<(), Trouble> {
        if reaches(value, Arc::as_ptr(&self.0).addr()) {
            return Err(Trouble::Cycle);
        }
        let mut list = self.0.lock();
        list.has_nodes |= value.node().is_some();
        list.charge.add(value.weight())
    }

    /// Makes the list at least this long, with nils.
    fn pad(&self, len: usize) -> Result<(), Trouble> {
        let mut list = self.0.lock();
        let missing = len.saturating_sub(list.items.len());
        list.charge.add(missing.checked_mul(Value::Nil.weight()).ok_or(Trouble::Memory)?)?;
        if missing > 0 {
            list.items.resize(len, Value::Nil);
        }
        Ok(())
    }

    pub fn push(&self, value: Value) -> Result<(), Trouble> {
        self.admit(&value)?;
        self.0.lock().items.push(value);
        Ok(())
    }

    /// Inserts at an index from 0, after nils where the list is shorter.
    pub fn insert(&self, index: usize, value: Value) -> Result<(), Trouble> {
        self.admit(&value)?;
        self.pad(index)?;
        self.0.lock().items.insert(index, value);
        Ok(())
    }

    /// Sets the item at an index from 0, after nils where the list is shorter.
    pub fn set(&self, index: usize, value: Value) -> Result<(), Trouble> {
        self.admit(&value)?;
        self.pad(index)?;
        let mut list = self.0.lock();
        let old = match list.items.get_mut(index) {
            Some(slot) => Some(std::mem::replace(slot, value)),
            None => {
                list.items.push(value);
                None
            }
        };
        list.charge.give_back(old.as_ref().map_or(0, Value::weight));
        drop(list);
        drop(old);
        Ok(())
    }

    pub fn remove(&self, index: usize) {
        let mut list = self.0.lock();
        if index < list.items.len() {
            let old = list.items.remove(index);
            list.charge.give_back(old.weight());
            drop(list);
            drop(old);
        }
    }

    /// Keeps the first `len` items.
    pub fn truncate(&self, len: usize) {
        let mut list = self.0.lock();
        if len < list.items.len() {
            let old = list.items.split_off(len);
            let weight = old.iter().map(Value::weight).sum();
            list.charge.give_back(weight);
            drop(list);
            drop(old);
        }
    }

    pub fn extend(&self, values: Vec<Value>) -> Result<(), Trouble> {
        values.into_iter().try_for_each(|value| self.push(value))
    }
}

/// A key of a map: the order of the variants is the order of keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Int(i64),
    Str(Arc<[u8]>),
    Bytes(Arc<[u8]>, u8),
}

impl Key {
    /// What may be a key; the rest is ignored wherever it is used as one.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(Self::Int(*number)),
            Value::Str(text) => Some(Self::Str(text.clone())),
            Value::Bytes(bytes) => {
                let (data, kind) = bytes.read(|data, kind| (Arc::from(data), kind));
                Some(Self::Bytes(data, kind))
            }
            _ => None,
        }
    }

    pub fn value(&self, budget: &Arc<Budget>) -> Result<Value, Trouble> {
        Ok(match self {
            Self::Int(number) => Value::Int(*number),
            Self::Str(text) => Value::Str(text.clone()),
            Self::Bytes(data, kind) => Value::Bytes(BytesRef::new(budget, data.to_vec(), *kind)?),
        })
    }

    fn weight(&self) -> usize {
        const SLOT_BYTES: usize = 40;
        SLOT_BYTES
            + match self {
                Self::Int(_) => 0,
                Self::Str(data) | Self::Bytes(data, _) => data.len(),
            }
    }
}

/// A map, shared by all who refer to it; its pairs stand in the order of their keys.
#[derive(Clone, Debug)]
pub(crate) struct MapRef(Arc<Mutex<MapData>>);

#[derive(Debug)]
struct MapData {
    pairs: BTreeMap<Key, Value>,
    flags: Flags,
    has_nodes: bool,
    charge: Charge,
}

impl Drop for MapData {
    fn drop(&mut self) {
        if self.has_nodes {
            free(std::mem::take(&mut self.pairs).into_values().collect());
        }
    }
}

impl MapRef {
    pub fn new(budget: &Arc<Budget>, flags: Flags) -> Result<Self, Trouble> {
        let data = MapData {
            pairs: BTreeMap::new(),
            flags,
            has_nodes: false,
            charge: Charge::new(budget)?,
        };
        Ok(Self(Arc::new(Mutex::new(data))))
    }

    pub fn len(&self) -> usize {
        self.0.lock().pairs.len()
    }

    pub fn flags(&self) -> Flags {
        self.0.lock().flags
    }

    pub fn get(&self, key: &Key) -> Option<Value> {
        self.0.lock().pairs.get(key).cloned()
    }

    pub fn pairs(&self) -> Vec<(Key, Value)> {
        self.0.lock().pairs.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    pub fn set(&self, key: Key, value: Value) -> Result<(), Trouble> {
        if reaches(&value, Arc::as_ptr(&self.0).addr()) {
            return Err(Trouble::Cycle);
        }
        let mut map = self.0.lock();
        map.has_nodes |= value.node().is_some();
        let key_weight = key.weight();
        map.charge.add(key_weight + value.weight())?;
        let old = map.pairs.insert(key, value);
        if let Some(old) = &old {
            map.charge.give_back(key_weight + old.weight());
        }
        drop(map);
        drop(old);
        Ok(())
    }

    pub fn remove(&self, key: &Key) {
        let mut map = self.0.lock();
        let old = map.pairs.remove(key);
        if let Some(old) = &old {
            map.charge.give_back(key.weight() + old.weight());
        }
        drop(map);
        drop(old);
    }
}

/// Bytes, shared by all who refer to them.
#[derive(Clone, Debug)]
pub(crate) struct BytesRef(Arc<Mutex<BytesData>>);

#[derive(Debug)]
struct BytesData {
    /// May be longer than `len`: variable-length integers are written without counting as content.
    data: Vec<u8>,
    len: usize,
    kind: u8,
    charge: Charge,
}

impl BytesRef {
    pub fn new(budget: &Arc<Budget>, data: Vec<u8>, kind: u8) -> Result<Self, Trouble> {
        let mut charge = Charge::new(budget)?;
        charge.add(data.len())?;
        let len = data.len();
        Ok(Self(Arc::new(Mutex::new(BytesData { data, len, kind, charge }))))
    }

    pub fn empty(budget: &Arc<Budget>) -> Result<Self, Trouble> {
        Self::new(budget, Vec::new(), ParticleType::BLOB.0)
    }

    pub fn len(&self) -> usize {
        self.0.lock().len
    }

    pub fn kind(&self) -> u8 {
        self.0.lock().kind
    }

    pub fn set_kind(&self, kind: u8) {
        self.0.lock().kind = kind;
    }

    /// Shows content and type.
    pub fn read<R>(&self, look: impl FnOnce(&[u8], u8) -> R) -> R {
        let bytes = self.0.lock();
        look(&bytes.data[..bytes.len], bytes.kind)
    }

    /// Shows everything from `position` on that was ever written, content or not.
    pub fn read_beyond<R>(&self, position: usize, look: impl FnOnce(&[u8]) -> R) -> R {
        look(self.0.lock().data.get(position..).unwrap_or_default())
    }

    /// Writes at a position, zeros before it where the content is shorter; what is written becomes
    /// content only if `is_content`.
    pub fn write(&self, position: usize, new: &[u8], is_content: bool) -> Result<(), Trouble> {
        let mut bytes = self.0.lock();
        let end = position.checked_add(new.len()).ok_or(Trouble::Memory)?;
        if end > bytes.data.len() {
            let growth = end - bytes.data.len();
            bytes.charge.add(growth)?;
            bytes.data.resize(end, 0);
        }
        bytes.data[position..end].copy_from_slice(new);
        if is_content {
            bytes.len = bytes.len.max(end);
        }
        Ok(())
    }
}
