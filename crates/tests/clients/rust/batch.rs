//! Requests about many records.

use aerospike::operations::scalar;
use aerospike::{
    BatchDeletePolicy, BatchOperation, BatchPolicy, BatchReadPolicy, BatchWritePolicy, Bins,
    Client, GenerationPolicy, Key, RecordExistsAction, Value, as_bin, as_key,
};
use anyhow::{Context, Result};

use crate::Check;
use crate::expect::{equal, has_bins, is_gone, put};

pub const ALL: &[(&str, Check)] = &[
    ("batch_get", batch_get),
    ("batch_header", batch_header),
    ("batch_mixed", batch_mixed),
    ("batch_errors", batch_errors),
    ("batch_large", batch_large),
];

fn batch_get(client: &Client, _: &Key) -> Result<()> {
    let keys = batch_keys(client, "batch_get", 100)?;
    let rows = run(client, keys.iter().map(|key| read(key, Bins::All)).collect())?;
    for (number, row) in rows.iter().enumerate() {
        equal(code(row)?, expected_code(number))?;
        if !is_missing(number) {
            equal(bin(row, "n")?, number_value(number))?;
            equal(bin(row, "s")?, text_value(number))?;
        }
    }
    let some = keys[5..7].iter().map(|key| read(key, Bins::Some(vec!["s".into()])));
    for (row, number) in run(client, some.collect())?.iter().zip(5..) {
        equal(bin(row, "s")?, text_value(number))?;
        equal(row.record().context("no record")?.bins.len(), 1)?;
    }
    Ok(())
}

fn batch_header(client: &Client, _: &Key) -> Result<()> {
    let keys = batch_keys(client, "batch_header", 20)?;
    let rows = run(client, keys.iter().map(|key| read(key, Bins::None)).collect())?;
    for (number, row) in rows.iter().enumerate() {
        equal(code(row)?, expected_code(number))?;
        if !is_missing(number) {
            let record = row.record().context("no record")?;
            equal((record.generation, record.bins.len()), (1, 0))?;
        }
    }
    Ok(())
}

fn batch_mixed(client: &Client, _: &Key) -> Result<()> {
    let keys = batch_keys(client, "batch_mixed", 6)?;
    let missing = as_key!("test", "batch_mixed", "missing");
    let get_n = || scalar::get_bin("n");
    let rows = vec![
        BatchOperation::read_ops(&BatchReadPolicy::default(), keys[0].clone(), vec![get_n()]),
        write(&keys[1], vec![scalar::add(&as_bin!("n", 10)), get_n()]),
        write(&keys[3], vec![scalar::put(&as_bin!("n", 33))]),
        delete(&keys[2]),
        read(&keys[5], Bins::All),
        delete(&missing),
    ];
    let rows = run(client, rows)?;
    let codes = rows.iter().map(code).collect::<Result<Vec<_>>>()?;
    equal(codes, vec![0, 0, 0, 0, 0, 2])?;
    equal(bin(&rows[0], "n")?, number_value(0))?;
    // What adding answered is nothing, and comes first.
    let added = match bin(&rows[1], "n")? {
        Value::MultiResult(results) => results.last().cloned().context("no result")?,
        value => value,
    };
    equal(added, number_value(11))?;
    equal(bin(&rows[4], "s")?, text_value(5))?;
    has_bins(client, &keys[3], &[("n", 33.into())])?;
    is_gone(client, &keys[2])
}

fn batch_errors(client: &Client, _: &Key) -> Result<()> {
    let keys = batch_keys(client, "batch_errors", 3)?;
    let created = as_key!("test", "batch_errors", "new");
    let create_only = BatchWritePolicy {
        record_exists_action: RecordExistsAction::CreateOnly,
        ..BatchWritePolicy::default()
    };
    let generation = BatchWritePolicy {
        generation_policy: GenerationPolicy::ExpectGenEqual,
        generation: 9,
        ..BatchWritePolicy::default()
    };
    let one = || vec![scalar::put(&as_bin!("n", 1))];
    let rows = vec![
        write(&keys[0], vec![scalar::append(&as_bin!("n", "text"))]),
        BatchOperation::write(&create_only, keys[1].clone(), one()),
        BatchOperation::write(&generation, keys[2].clone(), one()),
        write(&created, vec![scalar::put(&as_bin!("n", 4))]),
    ];
    let rows = run(client, rows)?;
    let codes = rows.iter().map(code).collect::<Result<Vec<_>>>()?;
    equal(codes, vec![12, 5, 3, 0])?;
    has_bins(client, &created, &[("n", 4.into())])
}

fn batch_large(client: &Client, _: &Key) -> Result<()> {
    let keys = batch_keys(client, "batch_large", 2000)?;
    let rows = run(client, keys.iter().map(|key| read(key, Bins::All)).collect())?;
    let removed = run(client, keys.iter().map(delete).collect())?;
    for (number, (row, removed)) in rows.iter().zip(&removed).enumerate() {
        equal(code(row)?, expected_code(number))?;
        equal(code(removed)?, expected_code(number))?;
        if !is_missing(number) {
            equal(bin(row, "n")?, number_value(number))?;
        }
    }
    Ok(())
}

/// Keys in a set of their own; the records that are not missing exist, with bins n and s.
fn batch_keys(client: &Client, name: &str, count: usize) -> Result<Vec<Key>> {
    (0..count)
        .map(|number| {
            let key = as_key!("test", name, number as i64);
            if !is_missing(number) {
                let bins = [as_bin!("n", number as i64), as_bin!("s", format!("value {number}"))];
                put(client, &key, &bins)?;
            }
            Ok(key)
        })
        .collect()
}

fn is_missing(number: usize) -> bool {
    number % 7 == 3
}

fn expected_code(number: usize) -> u8 {
    if is_missing(number) { 2 } else { 0 }
}

fn number_value(number: usize) -> Value {
    (number as i64).into()
}

fn text_value(number: usize) -> Value {
    format!("value {number}").into()
}

/// Carries out all rows; they hold the answers then.
pub fn run(client: &Client, mut rows: Vec<BatchOperation>) -> Result<Vec<BatchOperation>> {
    client.batch(&BatchPolicy::default(), &mut rows)?;
    Ok(rows)
}

/// The result code of a row.
pub fn code(row: &BatchOperation) -> Result<u8> {
    Ok(u8::from(row.result_code().context("a row without an answer")?))
}

/// A bin of the record that a row answered.
pub fn bin(row: &BatchOperation, name: &str) -> Result<Value> {
    let record = row.record().context("no record")?;
    record.bins.get(name).cloned().with_context(|| format!("no bin {name}"))
}

fn read(key: &Key, bins: Bins) -> BatchOperation {
    BatchOperation::read(&BatchReadPolicy::default(), key.clone(), bins)
}

fn write(key: &Key, operations: Vec<aerospike::operations::Operation>) -> BatchOperation {
    BatchOperation::write(&BatchWritePolicy::default(), key.clone(), operations)
}

fn delete(key: &Key) -> BatchOperation {
    BatchOperation::delete(&BatchDeletePolicy::default(), key.clone())
}
