//! Comparison of replies that have many messages: batches and queries.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{Difference, Rules, message_difference, ops_difference, without_folders};
use super::message::{Message, Op};
use super::transcript::Norm;

const FIELD_BVALS: u8 = 15;
const PARTICLE_STRING: u8 = 3;
const DIGEST_SIZE: usize = 20;

/// Rows of a batch: a set by row index, each compared like a single record's reply.
pub fn batch_difference(a: &[Message], b: &[Message], rules: &Rules) -> Option<Difference> {
    let (rows_a, finals_a) = batch_parts(a);
    let (rows_b, finals_b) = batch_parts(b);
    if finals_a.len() != finals_b.len() {
        return Some("final-frame".to_owned());
    }
    let finals = finals_a.first().zip(finals_b.first());
    if finals.is_some_and(|(a, b)| a.result != b.result) {
        return Some("batch-result-code".to_owned());
    }
    if indexes(&rows_a) != indexes(&rows_b) {
        return Some("row-set".to_owned());
    }
    rows_difference(&rows_a, &rows_b, rules).or_else(|| {
        let (a, b) = finals?;
        message_difference(a, b, &rules.exact()).map(|class| format!("final-{class}"))
    })
}

/// Rows of a query: a set, except that rows of one partition keep their order.
pub fn query_difference(a: &[Message], b: &[Message], rules: &Rules) -> Option<Difference> {
    let (a, b) = (QueryReply::split(a), QueryReply::split(b));
    match (a.last, b.last) {
        (None, None) => {}
        (Some(a), Some(b)) => {
            if let Some(class) = message_difference(a, b, &rules.exact()) {
                return Some(format!("final-{class}"));
            }
        }
        _ => return Some("final-frame".to_owned()),
    }
    if a.partitions != b.partitions {
        return Some("partition-status".to_owned());
    }
    match rules.norm {
        Norm::RowCount => unless(a.rows.len() == b.rows.len(), "row-count"),
        Norm::Dedup => dedup_difference(&a.rows, &b.rows, rules),
        Norm::Aggregation => aggregation_difference(&a.rows, &b.rows),
        Norm::Udf if a.rows.len() == b.rows.len() => rows_difference(&a.rows, &b.rows, rules),
        Norm::Udf => Some("row-count".to_owned()),
        Norm::Exact | Norm::Info(_) => row_set_difference(&a.rows, &b.rows, rules),
    }
}

struct QueryReply<'a> {
    rows: Vec<&'a Message>,
    /// Partition id and result, sorted.
    partitions: Vec<(u32, u8)>,
    last: Option<&'a Message>,
}

impl<'a> QueryReply<'a> {
    fn split(messages: &'a [Message]) -> Self {
        let mut reply = Self { rows: Vec::new(), partitions: Vec::new(), last: None };
        for message in messages {
            if message.is_last() {
                reply.last = Some(message);
            } else if message.is_partition_done() {
                reply.partitions.push((message.generation, message.result));
            } else if message.result != 0 {
                reply.last = Some(message);
            } else {
                reply.rows.push(message);
            }
        }
        reply.partitions.sort_unstable();
        reply
    }
}

fn batch_parts(messages: &[Message]) -> (Vec<&Message>, Vec<&Message>) {
    let (finals, mut rows): (Vec<_>, Vec<_>) =
        messages.iter().partition(|message| message.is_last());
    rows.sort_by(|a, b| (a.transaction_ttl, row_key(a)).cmp(&(b.transaction_ttl, row_key(b))));
    (rows, finals)
}

fn indexes(rows: &[&Message]) -> Vec<u32> {
    rows.iter().map(|row| row.transaction_ttl).collect()
}

fn rows_difference(a: &[&Message], b: &[&Message], rules: &Rules) -> Option<Difference> {
    let mut pairs = a.iter().zip(b);
    pairs.find_map(|(a, b)| message_difference(a, b, rules)).map(|class| format!("row-{class}"))
}

fn row_set_difference(a: &[&Message], b: &[&Message], rules: &Rules) -> Option<Difference> {
    if a.len() != b.len() {
        return Some("row-count".to_owned());
    }
    let (by_digest_a, by_digest_b) = (by_digest(a), by_digest(b));
    if !by_digest_a.keys().eq(by_digest_b.keys()) {
        return Some("row-set".to_owned());
    }
    for (rows_a, rows_b) in by_digest_a.values().zip(by_digest_b.values()) {
        if rows_a.len() != rows_b.len() {
            return Some("row-multiplicity".to_owned());
        }
        if let Some(difference) = rows_difference(rows_a, rows_b, rules) {
            return Some(difference);
        }
    }
    unless(order_in_partitions(a) == order_in_partitions(b), "order-in-partition")
}

fn dedup_difference(a: &[&Message], b: &[&Message], rules: &Rules) -> Option<Difference> {
    let last_of = |rows: &[&Message]| -> BTreeMap<Vec<u8>, Message> {
        rows.iter().map(|row| (row.digest().to_vec(), (*row).clone())).collect()
    };
    let (a, b) = (last_of(a), last_of(b));
    if !a.keys().eq(b.keys()) {
        return Some("row-set".to_owned());
    }
    a.values().zip(b.values()).find_map(|(a, b)| {
        let meta_equal =
            a.generation == b.generation && rules.void_times_equal(a.void_time, b.void_time);
        ops_difference(&a.ops, &b.ops, Norm::Exact)
            .or_else(|| unless(meta_equal, "meta"))
            .map(|class| format!("row-{class}"))
    })
}

/// Each worker of the original reports a failure until all have stopped, so failures are a set.
fn aggregation_difference(a: &[&Message], b: &[&Message]) -> Option<Difference> {
    let failures = |rows: &[&Message]| -> BTreeSet<_> {
        rows.iter()
            .filter(|row| row.ops.first().is_some_and(|op| op.name == b"FAILURE"))
            .map(|row| aggregation_key(row))
            .collect()
    };
    let (failures_a, failures_b) = (failures(a), failures(b));
    if !failures_a.is_empty() || !failures_b.is_empty() {
        return unless(failures_a == failures_b, "udf-text");
    }
    let results = |rows: &[&Message]| {
        let mut results: Vec<_> = rows.iter().map(|row| aggregation_key(row)).collect();
        results.sort();
        results
    };
    unless(results(a) == results(b), "rows")
}

type AggregationKey = (u8, Vec<(Vec<u8>, u8, Vec<u8>)>);

fn aggregation_key(row: &Message) -> AggregationKey {
    let value = |op: &Op| match op.particle {
        PARTICLE_STRING => without_folders(&op.value).into_bytes(),
        _ => op.value.clone(),
    };
    (row.result, row.ops.iter().map(|op| (op.name.clone(), op.particle, value(op))).collect())
}

/// Rows by digest, those of one digest in a fixed order.
fn by_digest<'a>(rows: &[&'a Message]) -> BTreeMap<&'a [u8], Vec<&'a Message>> {
    let mut map: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        map.entry(row.digest()).or_default().push(*row);
    }
    for same in map.values_mut() {
        same.sort_by(|a, b| row_key(a).cmp(&row_key(b)));
    }
    map
}

type PartitionOrder<'a> = BTreeMap<u16, Vec<(&'a [u8], &'a [u8])>>;

fn order_in_partitions<'a>(rows: &[&'a Message]) -> PartitionOrder<'a> {
    let mut map = PartitionOrder::new();
    for row in rows.iter().filter(|row| row.digest().len() == DIGEST_SIZE) {
        let digest = row.digest();
        let partition = u16::from_le_bytes([digest[0], digest[1]]) & 0x0fff;
        map.entry(partition)
            .or_default()
            .push((digest, row.field(FIELD_BVALS).unwrap_or_default()));
    }
    map
}

fn row_key(row: &Message) -> impl Ord + '_ {
    (row.result, row.generation, row.info, &row.fields, &row.ops)
}

fn unless(equal: bool, class: &str) -> Option<Difference> {
    (!equal).then(|| class.to_owned())
}
