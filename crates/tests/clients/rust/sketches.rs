//! Operations on bits and HyperLogLog.

use aerospike::operations::bitwise::{self as bits, BitPolicy, BitwiseResizeFlags};
use aerospike::operations::hll::{self, HllPolicy, HllWriteFlags};
use aerospike::{Client, Key, Value, WritePolicy, as_list, as_val, as_values};
use anyhow::{Context, Result};

use crate::Check;
use crate::expect::{equal, fails, get, has_value, put_value, run};

pub const ALL: &[(&str, Check)] = &[
    ("bits_resize_set", bits_resize_set),
    ("bits_logic", bits_logic),
    ("bits_get_count", bits_get_count),
    ("hll_add_count", hll_add_count),
    ("hll_union", hll_union),
    ("hll_describe", hll_describe),
];

fn blob(bytes: &[u8]) -> Value {
    Value::Blob(bytes.to_vec())
}

fn bits_resize_set(client: &Client, key: &Key) -> Result<()> {
    let policy = BitPolicy::default();
    run(client, key, &[bits::resize("v", 4, BitwiseResizeFlags::DEFAULT, &policy)])?;
    run(client, key, &[bits::set("v", 4, 8, blob(&[0xFF]), &policy)])?;
    has_value(client, key, blob(&[0x0F, 0xF0, 0, 0]))?;
    run(client, key, &[bits::insert("v", 1, blob(&[0xAA]), &policy)])?;
    run(client, key, &[bits::remove("v", 3, 2, &policy)])?;
    has_value(client, key, blob(&[0x0F, 0xAA, 0xF0]))?;
    run(client, key, &[bits::resize("v", 2, BitwiseResizeFlags::FROM_FRONT, &policy)])?;
    has_value(client, key, blob(&[0xAA, 0xF0]))
}

fn bits_logic(client: &Client, key: &Key) -> Result<()> {
    let policy = BitPolicy::default();
    put_value(client, key, blob(&[0x0F, 0xF0, 0x55]))?;
    let operations = [
        bits::or("v", 0, 8, blob(&[0x80]), &policy),
        bits::and("v", 8, 8, blob(&[0x3C]), &policy),
        bits::xor("v", 16, 8, blob(&[0xFF]), &policy),
        bits::not("v", 0, 4, &policy),
        bits::lshift("v", 8, 8, 1, &policy),
    ];
    run(client, key, &operations)?;
    has_value(client, key, blob(&[0x7F, 0x60, 0xAA]))?;
    fails(26, run(client, key, &[bits::or("v", 24, 8, blob(&[1]), &policy)]))
}

fn bits_get_count(client: &Client, key: &Key) -> Result<()> {
    put_value(client, key, blob(&[0x0F, 0xF0, 0x55]))?;
    let operations = [
        bits::get("v", 4, 8),
        bits::count("v", 0, 24),
        bits::get_int("v", 4, 8, true),
        bits::lscan("v", 0, 24, true),
        bits::rscan("v", 0, 16, true),
    ];
    equal(run(client, key, &operations)?, as_values!(blob(&[0xFF]), 12, -1, 4, 11))
}

fn hll_add_count(client: &Client, key: &Key) -> Result<()> {
    let policy = HllPolicy::default();
    run(client, key, &[hll::init(&policy, "v", 12)])?;
    let three = hll::add(&policy, "v", as_values!("a", "b", "c"));
    let one = hll::add(&policy, "v", as_values!("a", "d"));
    equal(run(client, key, &[three, one])?, as_values!(3, 1))?;
    equal(run(client, key, &[hll::get_count("v")])?, as_values!(4))
}

fn hll_union(client: &Client, key: &Key) -> Result<()> {
    let policy = HllPolicy::default();
    let operations = [
        hll::add_with_index(&policy, "v", as_values!("a", "b", "c"), 12),
        hll::add_with_index(&policy, "other", as_values!("c", "d"), 12),
    ];
    client.operate(&WritePolicy::default(), key, &operations)?;
    let other = vec![get(client, key)?.bins.get("other").context("no bin `other`")?.clone()];
    let operations =
        [hll::get_union_count("v", other.clone()), hll::get_intersect_count("v", other.clone())];
    equal(run(client, key, &operations)?, as_values!(4, 1))?;
    run(client, key, &[hll::set_union(&policy, "v", other)])?;
    equal(run(client, key, &[hll::get_count("v")])?, as_values!(4))
}

fn hll_describe(client: &Client, key: &Key) -> Result<()> {
    run(client, key, &[hll::init_with_min_hash(&HllPolicy::default(), "v", 10, 6)])?;
    equal(run(client, key, &[hll::describe("v")])?, as_values!(as_list!(10, 6)))?;
    let create = HllPolicy::new(HllWriteFlags::CREATE_ONLY);
    fails(6, run(client, key, &[hll::init(&create, "v", 10)]))
}
