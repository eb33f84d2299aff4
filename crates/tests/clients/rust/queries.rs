//! Scans, secondary indexes and queries with them, and operations in the background.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use aerospike::expressions::{self as exp, Expression};
use aerospike::operations::cdt_context::{CdtContext, ctx_map_key};
use aerospike::operations::scalar;
use aerospike::query::Filter;
use aerospike::task::Status;
use aerospike::{
    AdminPolicy, Bins, Client, CollectionIndexType, Expiration, IndexType, Key, PartitionFilter,
    QueryDuration, QueryPolicy, ReadPolicy, Record, RecordExistsAction, Statement, Value,
    WritePolicy, as_bin, as_geo, as_key, as_list, as_map, as_val,
};
use anyhow::{Context, Result, ensure};

use crate::Check;
use crate::expect::{PATIENCE, equal, fails, get, has_bins, put};

pub const ALL: &[(&str, Check)] = &[
    ("scan_set", scan_set),
    ("scan_bins", scan_bins),
    ("scan_no_bins", scan_no_bins),
    ("scan_max_records", scan_max_records),
    ("scan_rate", scan_rate),
    ("scan_filter", scan_filter),
    ("scan_partitions", scan_partitions),
    ("scan_resume", scan_resume),
    ("index_create", index_create),
    ("query_integer", query_integer),
    ("query_string", query_string),
    ("query_blob", query_blob),
    ("query_list", query_list),
    ("query_map", query_map),
    ("query_nested", query_nested),
    ("query_geo_region", query_geo_region),
    ("query_geo_point", query_geo_point),
    ("query_filter", query_filter),
    ("query_bins", query_bins),
    ("query_max_records", query_max_records),
    ("query_resume", query_resume),
    ("query_short", query_short),
    ("query_changes", query_changes),
    ("query_expired", query_expired),
    ("query_no_index", query_no_index),
    ("background_scan", background_scan),
    ("background_query", background_query),
    ("background_filter", background_filter),
    ("index_drop", index_drop),
];

const INDEX_NOT_FOUND: u8 = 201;
const COUNT: i64 = 300;
const SET: &str = "queries";
const CHANGES: &str = "query_changes";
const BACKGROUND: &str = "query_background";

// --- the records ---

/// Longitude and latitude of a record's point; its region is a square around it.
fn place_of(number: i64) -> (f64, f64) {
    ((number % 20) as f64, (number / 20) as f64)
}

fn rectangle(left: f64, bottom: f64, right: f64, top: f64) -> String {
    format!(
        r#"{{"type":"Polygon","coordinates":[[[{left},{bottom}],[{right},{bottom}],[{right},{top}],[{left},{top}],[{left},{bottom}]]]}}"#
    )
}

fn put_all(client: &Client) -> Result<()> {
    for number in 0..COUNT {
        let (x, y) = place_of(number);
        let bins = [
            as_bin!("n", number),
            as_bin!("s", format!("group {}", number % 7)),
            as_bin!("b", Value::Blob(vec![(number % 5) as u8, 255])),
            as_bin!("l", list_of(number)),
            as_bin!("m", as_map!(format!("k{}", number % 4) => number % 6, "all" => 1000 + number)),
            as_bin!("d", as_map!("deep" => as_list!(number % 8, 50))),
            as_bin!("p", as_geo!(format!(r#"{{"type":"Point","coordinates":[{x},{y}]}}"#))),
            as_bin!("r", as_geo!(rectangle(x - 0.75, y - 0.75, x + 0.75, y + 0.75))),
        ];
        put(client, &as_key!("test", SET, number), &bins)?;
    }
    Ok(())
}

fn list_of(number: i64) -> Value {
    as_list!(number % 10, 100 + number % 3)
}

/// The numbers of the records for which this is so.
fn those(condition: impl Fn(i64) -> bool) -> Vec<i64> {
    (0..COUNT).filter(|&number| condition(number)).collect()
}

fn every() -> Vec<i64> {
    those(|_| true)
}

// --- asking for them ---

fn scan_statement(bins: Bins) -> Statement {
    Statement::new("test", SET, bins)
}

fn statement(set: &str, filter: Filter) -> Statement {
    let mut statement = Statement::new("test", set, Bins::All);
    statement.set_filter(filter);
    statement
}

fn records(
    client: &Client,
    policy: &QueryPolicy,
    part: PartitionFilter,
    statement: Statement,
) -> aerospike::Result<Vec<Record>> {
    let stream = client.query(policy, part, statement)?;
    (&*stream).collect()
}

/// Which records these are, each as often as it was returned.
fn numbers(records: &[Record]) -> Result<Vec<i64>> {
    let mut numbers = records
        .iter()
        .map(|record| match record.bins.get("n") {
            Some(Value::Int(number)) => Ok(*number),
            other => anyhow::bail!("bin n is {other:?}"),
        })
        .collect::<Result<Vec<_>>>()?;
    numbers.sort_unstable();
    Ok(numbers)
}

fn scanned(client: &Client, policy: &QueryPolicy) -> Result<Vec<i64>> {
    let statement = scan_statement(Bins::All);
    numbers(&records(client, policy, PartitionFilter::all(), statement)?)
}

fn try_query(client: &Client, set: &str, filter: Filter) -> aerospike::Result<Vec<Record>> {
    records(client, &QueryPolicy::default(), PartitionFilter::all(), statement(set, filter))
}

/// The records that a query with this where clause finds are these.
fn finds(client: &Client, filter: Filter, expected: Vec<i64>) -> Result<()> {
    equal(numbers(&try_query(client, SET, filter)?)?, expected)
}

/// All that comes, page by page.
fn pages(client: &Client, statement: &Statement) -> Result<Vec<i64>> {
    let policy = QueryPolicy { max_records: 70, ..QueryPolicy::default() };
    let (mut part, mut all) = (PartitionFilter::all(), Vec::new());
    while !part.done() {
        let stream = client.query(&policy, part, statement.clone())?;
        let page = (&*stream).collect::<aerospike::Result<Vec<_>>>()?;
        ensure!(page.len() <= 70, "a page of {}", page.len());
        all.extend(numbers(&page)?);
        part = stream.partition_filter().context("the stream has not ended")?;
    }
    all.sort_unstable();
    Ok(all)
}

/// All that comes, quarter by quarter.
fn quarters(client: &Client, statement: &Statement) -> Result<Vec<i64>> {
    let mut all = Vec::new();
    for quarter in 0..4 {
        let part = PartitionFilter::by_range(quarter * 1024, 1024);
        let some = records(client, &QueryPolicy::default(), part, statement.clone())?;
        ensure!(!some.is_empty(), "nothing in a quarter of the partitions");
        all.extend(numbers(&some)?);
    }
    all.sort_unstable();
    Ok(all)
}

fn is_multiple_of(divisor: i64) -> Expression {
    let rest = exp::num_mod(exp::int_bin("n"), exp::int_val(divisor));
    exp::eq(rest, exp::int_val(0))
}

fn with_filter(filter: Expression) -> QueryPolicy {
    let mut policy = QueryPolicy::default();
    policy.base_policy.filter_expression = Some(filter);
    policy
}

// --- scans ---

fn scan_set(client: &Client, _: &Key) -> Result<()> {
    put_all(client)?;
    let all = PartitionFilter::all;
    let rows = records(client, &QueryPolicy::default(), all(), scan_statement(Bins::All))?;
    equal(numbers(&rows)?, every())?;
    for record in &rows {
        let Some(&Value::Int(number)) = record.bins.get("n") else { continue };
        let digest = record.key.as_ref().context("a record without a key")?.digest();
        equal(digest, as_key!("test", SET, number).digest())?;
        equal(record.generation, 1)?;
        equal(record.bins.get("l"), Some(&list_of(number)))?;
        equal(record.bins.len(), 8)?;
    }
    let nothing = Statement::new("test", "no-such-set", Bins::All);
    equal(records(client, &QueryPolicy::default(), all(), nothing)?.len(), 0)
}

fn scan_bins(client: &Client, _: &Key) -> Result<()> {
    let statement = scan_statement(Bins::Some(vec!["n".into(), "s".into(), "none".into()]));
    let rows = records(client, &QueryPolicy::default(), PartitionFilter::all(), statement)?;
    equal(numbers(&rows)?, every())?;
    ensure!(rows.iter().all(|record| record.bins.len() == 2), "other bins as well");
    Ok(())
}

fn scan_no_bins(client: &Client, _: &Key) -> Result<()> {
    let statement = scan_statement(Bins::None);
    let rows = records(client, &QueryPolicy::default(), PartitionFilter::all(), statement)?;
    equal(rows.len(), COUNT as usize)?;
    ensure!(rows.iter().all(|record| record.bins.is_empty()), "bins as well");
    let digests = rows.iter().filter_map(|record| Some(record.key.as_ref()?.digest()));
    let expected = (0..COUNT).map(|number| as_key!("test", SET, number).digest());
    equal(digests.collect::<BTreeSet<_>>(), expected.collect())
}

fn scan_max_records(client: &Client, _: &Key) -> Result<()> {
    let policy = QueryPolicy { max_records: 50, ..QueryPolicy::default() };
    let mut some = scanned(client, &policy)?;
    some.dedup();
    equal(some.len(), 50)
}

fn scan_rate(client: &Client, _: &Key) -> Result<()> {
    let policy = QueryPolicy { records_per_second: 1000, ..QueryPolicy::default() };
    equal(scanned(client, &policy)?, every())
}

fn scan_filter(client: &Client, _: &Key) -> Result<()> {
    equal(scanned(client, &with_filter(is_multiple_of(2)))?, those(|n| n % 2 == 0))
}

fn scan_partitions(client: &Client, _: &Key) -> Result<()> {
    equal(quarters(client, &scan_statement(Bins::All))?, every())
}

fn scan_resume(client: &Client, _: &Key) -> Result<()> {
    equal(pages(client, &scan_statement(Bins::All))?, every())
}

// --- indexes ---

fn deep() -> [CdtContext; 1] {
    [ctx_map_key("deep".into())]
}

/// Name, set, bin, type, kind and context.
type Index =
    (&'static str, &'static str, &'static str, IndexType, CollectionIndexType, Vec<CdtContext>);

fn indexes() -> Vec<Index> {
    use CollectionIndexType::{Default, List, MapKeys, MapValues};
    use IndexType::{Blob, Geo2DSphere, Numeric, String};
    vec![
        ("by_n", SET, "n", Numeric, Default, vec![]),
        ("by_s", SET, "s", String, Default, vec![]),
        ("by_b", SET, "b", Blob, Default, vec![]),
        ("by_p", SET, "p", Geo2DSphere, Default, vec![]),
        ("by_r", SET, "r", Geo2DSphere, Default, vec![]),
        ("by_l", SET, "l", Numeric, List, vec![]),
        ("by_key", SET, "m", String, MapKeys, vec![]),
        ("by_value", SET, "m", Numeric, MapValues, vec![]),
        ("by_d", SET, "d", Numeric, List, deep().into()),
        ("changes_by_n", CHANGES, "n", Numeric, Default, vec![]),
        ("background_by_n", BACKGROUND, "n", Numeric, Default, vec![]),
    ]
}

fn index_create(client: &Client, _: &Key) -> Result<()> {
    // The client looks only every second whether an index is filled.
    let create = |(name, set, bin, index_type, kind, context): Index| {
        let context = (!context.is_empty()).then_some(&context[..]);
        let policy = AdminPolicy::default();
        let task = client
            .create_index_on_bin(&policy, "test", set, bin, name, index_type, kind, context)
            .with_context(|| format!("index {name}"))?;
        equal(task.wait_till_complete(PATIENCE)?, Status::Complete)
    };
    at_once(indexes(), create)
}

fn index_drop(client: &Client, _: &Key) -> Result<()> {
    let by_n = || Filter::equal("n", 42);
    finds(client, by_n(), vec![42])?;
    let drop = |index: Index| {
        let (name, set, ..) = index;
        let task = client.drop_index(&AdminPolicy::default(), "test", set, name)?;
        equal(task.wait_till_complete(PATIENCE)?, Status::Complete)
    };
    at_once(indexes(), drop)?;
    fails(INDEX_NOT_FOUND, try_query(client, SET, by_n()))?;
    let by_l = Filter::contains("l", 4, CollectionIndexType::List);
    fails(INDEX_NOT_FOUND, try_query(client, SET, by_l))?;
    let by_d = Filter::contains("d", 6, CollectionIndexType::List).context(deep());
    fails(INDEX_NOT_FOUND, try_query(client, SET, by_d))?;
    // Created again, it has the records that exist already.
    let [first, ..] = &indexes()[..] else { return Ok(()) };
    let (name, set, bin, index_type, kind, _) = first.clone();
    let policy = AdminPolicy::default();
    client
        .create_index_on_bin(&policy, "test", set, bin, name, index_type, kind, None)?
        .wait_till_complete(PATIENCE)?;
    finds(client, by_n(), vec![42])?;
    client.drop_index(&policy, "test", set, name)?;
    Ok(())
}

/// Does this with all of them at the same time.
fn at_once(indexes: Vec<Index>, action: impl Fn(Index) -> Result<()> + Sync) -> Result<()> {
    let action = &action;
    thread::scope(|scope| {
        let threads: Vec<_> =
            indexes.into_iter().map(|index| scope.spawn(move || action(index))).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?
        })
    })
}

// --- queries ---

fn query_integer(client: &Client, _: &Key) -> Result<()> {
    finds(client, Filter::equal("n", 42), vec![42])?;
    finds(client, Filter::range("n", 100, 149), (100..150).collect())?;
    finds(client, Filter::range("n", -5, 3), vec![0, 1, 2, 3])?;
    finds(client, Filter::equal("n", COUNT), vec![])
}

fn query_string(client: &Client, _: &Key) -> Result<()> {
    finds(client, Filter::equal("s", "group 3"), those(|n| n % 7 == 3))?;
    finds(client, Filter::equal("s", "group 7"), vec![])
}

fn query_blob(client: &Client, _: &Key) -> Result<()> {
    finds(client, Filter::equal("b", vec![2, 255]), those(|n| n % 5 == 2))?;
    finds(client, Filter::equal("b", vec![2]), vec![])
}

fn query_list(client: &Client, _: &Key) -> Result<()> {
    let list = CollectionIndexType::List;
    finds(client, Filter::contains("l", 4, list), those(|n| n % 10 == 4))?;
    finds(client, Filter::contains("l", 101, list), those(|n| n % 3 == 1))?;
    finds(client, Filter::contains_range("l", 3, 5, list), those(|n| (3..=5).contains(&(n % 10))))
}

fn query_map(client: &Client, _: &Key) -> Result<()> {
    let (keys, values) = (CollectionIndexType::MapKeys, CollectionIndexType::MapValues);
    finds(client, Filter::contains("m", "k2", keys), those(|n| n % 4 == 2))?;
    finds(client, Filter::contains("m", "all", keys), every())?;
    finds(client, Filter::contains("m", 5, values), those(|n| n % 6 == 5))?;
    finds(client, Filter::contains_range("m", 1010, 1019, values), (10..20).collect())
}

fn query_nested(client: &Client, _: &Key) -> Result<()> {
    let list = CollectionIndexType::List;
    let six = Filter::contains("d", 6, list).context(deep());
    finds(client, six, those(|n| n % 8 == 6))?;
    let range = Filter::contains_range("d", 2, 3, list).context(deep());
    finds(client, range, those(|n| (2..=3).contains(&(n % 8))))
}

fn query_geo_region(client: &Client, _: &Key) -> Result<()> {
    let in_box = those(|number| {
        let (x, y) = place_of(number);
        (5.0..=9.0).contains(&x) && (3.0..=6.0).contains(&y)
    });
    let in_circle = those(|number| {
        let (x, y) = place_of(number);
        (x - 10.0).powi(2) + (y - 5.0).powi(2) <= 7.0
    });
    finds(client, Filter::geo_within_region("p", &rectangle(4.5, 2.5, 9.5, 6.5)), in_box)?;
    finds(client, Filter::geo_within_radius("p", 10.0, 5.0, 300_000.0), in_circle)
}

fn query_geo_point(client: &Client, _: &Key) -> Result<()> {
    let is_near = those(|number| {
        let (x, y) = place_of(number);
        (x - 7.2).abs() < 0.75 && (y - 4.3).abs() < 0.75
    });
    let point = |x| format!(r#"{{"type":"Point","coordinates":[{x},4.3]}}"#);
    finds(client, Filter::geo_contains("r", &point(7.2)), is_near)?;
    finds(client, Filter::geo_contains("r", &point(-40.0)), vec![])
}

fn query_filter(client: &Client, _: &Key) -> Result<()> {
    let (policy, all) = (with_filter(is_multiple_of(5)), PartitionFilter::all());
    let rows = records(client, &policy, all, statement(SET, Filter::range("n", 50, 99)))?;
    equal(numbers(&rows)?, those(|n| (50..100).contains(&n) && n % 5 == 0))
}

fn query_bins(client: &Client, _: &Key) -> Result<()> {
    let query = |bins| {
        let mut statement = scan_statement(bins);
        statement.set_filter(Filter::range("n", 10, 12));
        records(client, &QueryPolicy::default(), PartitionFilter::all(), statement)
    };
    let rows = query(Bins::Some(vec!["n".into(), "l".into()]))?;
    equal(numbers(&rows)?, vec![10, 11, 12])?;
    ensure!(rows.iter().all(|record| record.bins.len() == 2), "other bins as well");
    let rows = query(Bins::None)?;
    equal((rows.len(), rows.iter().all(|record| record.bins.is_empty())), (3, true))
}

fn query_max_records(client: &Client, _: &Key) -> Result<()> {
    let policy = QueryPolicy { max_records: 20, ..QueryPolicy::default() };
    let statement = statement(SET, Filter::range("n", 100, 199));
    let mut some = numbers(&records(client, &policy, PartitionFilter::all(), statement)?)?;
    some.dedup();
    equal(some.len(), 20)?;
    ensure!(some.iter().all(|n| (100..200).contains(n)), "others as well: {some:?}");
    Ok(())
}

fn query_resume(client: &Client, _: &Key) -> Result<()> {
    let range = statement(SET, Filter::range("n", 20, 279));
    equal(pages(client, &range)?, (20..280).collect::<Vec<_>>())?;
    let group = statement(SET, Filter::equal("s", "group 1"));
    equal(quarters(client, &group)?, those(|n| n % 7 == 1))
}

fn query_short(client: &Client, _: &Key) -> Result<()> {
    let policy = QueryPolicy { expected_duration: QueryDuration::Short, ..QueryPolicy::default() };
    let statement = statement(SET, Filter::range("n", 5, 30));
    let rows = records(client, &policy, PartitionFilter::all(), statement)?;
    equal(numbers(&rows)?, (5..31).collect())
}

fn query_changes(client: &Client, _: &Key) -> Result<()> {
    let key = |number: i64| as_key!("test", CHANGES, number);
    let finds = |filter: Filter, expected: Vec<i64>| {
        equal(numbers(&try_query(client, CHANGES, filter)?)?, expected)
    };
    for number in 0..20 {
        put(client, &key(number), &[as_bin!("n", number), as_bin!("other", 1)])?;
    }
    let every = || Filter::range("n", 0, 999);
    finds(every(), (0..20).collect())?;
    put(client, &key(3), &[as_bin!("n", 103)])?;
    client.add(&WritePolicy::default(), &key(4), &[as_bin!("n", 100)])?;
    client.delete(&WritePolicy::default(), &key(5))?;
    put(client, &key(6), &[as_bin!("n", Value::Nil)])?;
    put(client, &key(7), &[as_bin!("n", "text")])?;
    put(client, &key(8), &[as_bin!("n", 8), as_bin!("more", 2)])?;
    finds(Filter::equal("n", 3), vec![])?;
    finds(every(), [0, 1, 2].into_iter().chain(8..20).chain([103, 104]).collect())?;
    put(client, &key(5), &[as_bin!("n", 5)])?;
    finds(Filter::equal("n", 5), vec![5])
}

fn query_expired(client: &Client, _: &Key) -> Result<()> {
    for number in 2000..2010_i64 {
        let seconds = if number % 2 == 0 { 1000 } else { 1 };
        let policy = WritePolicy::new(0, Expiration::Seconds(seconds));
        client.put(&policy, &as_key!("test", CHANGES, number), &[as_bin!("n", number)])?;
    }
    thread::sleep(Duration::from_secs(3));
    let rows = try_query(client, CHANGES, Filter::range("n", 2000, 2999))?;
    equal(numbers(&rows)?, vec![2000, 2002, 2004, 2006, 2008])
}

fn query_no_index(client: &Client, _: &Key) -> Result<()> {
    let keys = CollectionIndexType::MapKeys;
    fails(INDEX_NOT_FOUND, try_query(client, SET, Filter::equal("none", 1)))?;
    fails(INDEX_NOT_FOUND, try_query(client, SET, Filter::equal("n", "text")))?;
    fails(INDEX_NOT_FOUND, try_query(client, SET, Filter::contains("l", 1, keys)))?;
    fails(INDEX_NOT_FOUND, try_query(client, "no-such-set", Filter::equal("n", 1)))
}

// --- operations in the background ---

/// Writes 200 records; their generations.
fn background_records(client: &Client) -> Result<Vec<u32>> {
    let policy =
        WritePolicy { record_exists_action: RecordExistsAction::Replace, ..WritePolicy::default() };
    (0..200)
        .map(|number| {
            let key = background_key(number);
            client.put(&policy, &key, &[as_bin!("n", number), as_bin!("count", 0)])?;
            generation(client, &key)
        })
        .collect()
}

fn background_key(number: i64) -> Key {
    as_key!("test", BACKGROUND, number)
}

fn generation(client: &Client, key: &Key) -> Result<u32> {
    Ok(client.get(&ReadPolicy::default(), key, Bins::None)?.generation)
}

fn background_scan(client: &Client, _: &Key) -> Result<()> {
    let generations = background_records(client)?;
    let (count, done) = (as_bin!("count", 1), as_bin!("done", "yes"));
    let mut all = Statement::new("test", BACKGROUND, Bins::All);
    all.set_operations([scalar::add(&count), scalar::put(&done)]);
    let task = client.query_operate(&WritePolicy::default(), all)?;
    equal(task.wait_till_complete(PATIENCE)?, Status::Complete)?;
    for (number, before) in (0..).zip(generations) {
        let key = background_key(number);
        let expected = [("count", 1.into()), ("done", "yes".into()), ("n", number.into())];
        has_bins(client, &key, &expected)?;
        equal(get(client, &key)?.generation, before + 1)?;
    }
    Ok(())
}

fn background_query(client: &Client, _: &Key) -> Result<()> {
    let generations = background_records(client)?;
    // Every changed record stays in the index, under another value.
    let (count, n) = (as_bin!("count", 1), as_bin!("n", 30));
    let mut some = statement(BACKGROUND, Filter::range("n", 50, 99));
    some.set_operations([scalar::add(&count), scalar::add(&n)]);
    let task = client.query_operate(&WritePolicy::default(), some)?;
    equal(task.wait_till_complete(PATIENCE)?, Status::Complete)?;
    for (number, before) in (0..).zip(generations) {
        let key = background_key(number);
        let times = i64::from((50..100).contains(&number));
        let expected = [("count", times.into()), ("n", (number + 30 * times).into())];
        has_bins(client, &key, &expected)?;
        equal(i64::from(get(client, &key)?.generation), i64::from(before) + times)?;
    }
    Ok(())
}

fn background_filter(client: &Client, _: &Key) -> Result<()> {
    background_records(client)?;
    let mut policy = WritePolicy::default();
    let below = exp::lt(exp::int_bin("n"), exp::int_val(60));
    policy.base_policy.filter_expression = Some(below);
    let count = as_bin!("count", 1);
    let mut some = statement(BACKGROUND, Filter::range("n", 50, 99));
    some.set_operations([scalar::add(&count)]);
    let task = client.query_operate(&policy, some)?;
    equal(task.wait_till_complete(PATIENCE)?, Status::Complete)?;
    for number in 0..200 {
        let times = i64::from((50..60).contains(&number));
        let expected = [("count", times.into()), ("n", number.into())];
        has_bins(client, &background_key(number), &expected)?;
    }
    Ok(())
}
