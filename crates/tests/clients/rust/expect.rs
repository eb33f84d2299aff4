//! What a check may demand.

use std::fmt::Debug;
use std::time::Duration;

use aerospike::operations::Operation;
use aerospike::{Bin, Bins, Client, Key, ReadPolicy, Record, Value, WritePolicy};
use anyhow::{Context, Result, bail, ensure};

/// How long what the server does in the background may take.
pub const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

/// Two values are equal.
pub fn equal<T: PartialEq + Debug>(got: T, expected: T) -> Result<()> {
    ensure!(got == expected, "got {got:.200?}, expected {expected:.200?}");
    Ok(())
}

/// The call ended with this result code.
pub fn fails<T>(code: u8, result: aerospike::Result<T>) -> Result<()> {
    let Err(error) = result else { bail!("succeeded, expected result code {code}") };
    let got = error.server_result_code().with_context(|| error.to_string())?;
    equal(u8::from(got), code)
}

/// The record has exactly these bins.
pub fn has_bins(client: &Client, key: &Key, expected: &[(&str, Value)]) -> Result<()> {
    let record = get(client, key)?;
    let mut got: Vec<_> =
        record.bins.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    got.sort_by(|a, b| a.0.cmp(b.0));
    equal(got.as_slice(), expected)
}

/// The record expires in about so many seconds; none for never.
pub fn has_ttl(client: &Client, key: &Key, expected_s: Option<u64>) -> Result<()> {
    let got = get(client, key)?.time_to_live().map(|ttl| ttl.as_secs());
    match (got, expected_s) {
        (None, None) => Ok(()),
        (Some(got), Some(expected)) if (expected - 3..=expected + 1).contains(&got) => Ok(()),
        _ => bail!("ttl {got:?}, expected about {expected_s:?}"),
    }
}

/// The record does not exist.
pub fn is_gone(client: &Client, key: &Key) -> Result<()> {
    fails(2, client.get(&ReadPolicy::default(), key, Bins::All))
}

pub fn get(client: &Client, key: &Key) -> Result<Record> {
    Ok(client.get(&ReadPolicy::default(), key, Bins::All)?)
}

/// Writes bins with the default policy.
pub fn put(client: &Client, key: &Key, bins: &[Bin]) -> Result<()> {
    Ok(client.put(&WritePolicy::default(), key, bins)?)
}

/// Writes bin `v`, the only one.
pub fn put_value(client: &Client, key: &Key, value: Value) -> Result<()> {
    put(client, key, &[Bin::new("v", value)])
}

/// The record has the one bin `v`, with this value.
pub fn has_value(client: &Client, key: &Key, expected: Value) -> Result<()> {
    has_bins(client, key, &[("v", expected)])
}

/// Runs operations on bin `v`; their results, in their order.
pub fn run(client: &Client, key: &Key, operations: &[Operation]) -> aerospike::Result<Vec<Value>> {
    let record = client.operate(&WritePolicy::default(), key, operations)?;
    Ok(match record.bins.get("v") {
        Some(Value::MultiResult(results)) => results.clone(),
        single => single.cloned().into_iter().collect(),
    })
}
