//! Functions in Lua: on records, in batches, in the background, and in aggregations.

use std::collections::BTreeMap;

use aerospike::query::Filter;
use aerospike::task::Status;
use aerospike::{
    AdminPolicy, BatchOperation, BatchReadPolicy, BatchUdfPolicy, Bins, Client,
    CollectionIndexType, IndexType, Key, PartitionFilter, QueryPolicy, Record, RecordExistsAction,
    Statement, UdfLang, Value, WritePolicy, as_bin, as_key, as_list, as_map, as_val,
};
use anyhow::{Context, Result, bail, ensure};

use crate::Check;
use crate::batch;
use crate::expect::{PATIENCE, equal, fails, get, has_bins, is_gone, put};

pub const ALL: &[(&str, Check)] = &[
    ("udf_modules", udf_modules),
    ("udf_compile_error", udf_compile_error),
    ("udf_values", udf_values),
    ("udf_writes", udf_writes),
    ("udf_fails", udf_fails),
    ("udf_loops", udf_loops),
    ("udf_batch", udf_batch),
    ("udf_background", udf_background),
    ("udf_aggregate", udf_aggregate),
    ("udf_aggregate_where", udf_aggregate_where),
    ("udf_aggregate_fails", udf_aggregate_fails),
    ("udf_remove", udf_remove),
];

const UDF_EXECUTION: u8 = 100;
const COUNT: i64 = 200;
const SET: &str = "udfs";
const MODULE: &str = "checks";
const FILE: &str = "checks.lua";

// --- modules ---

/// Sends a module, and waits until it is there.
fn register(client: &Client, file: &str) -> aerospike::Result<Status> {
    let folder = std::env::args().nth(3).unwrap_or_default();
    let path = format!("{folder}/{file}");
    let policy = AdminPolicy::default();
    client.register_udf_from_file(&policy, &path, file, UdfLang::Lua)?.wait_till_complete(PATIENCE)
}

fn remove_module(client: &Client, file: &str) -> Result<()> {
    let task = client.remove_udf(&AdminPolicy::default(), file)?;
    equal(task.wait_till_complete(PATIENCE)?, Status::Complete)
}

/// These are the modules; the client has no call for them.
fn has_modules(client: &Client, expected: &[&str]) -> Result<()> {
    let replies = client.info(&AdminPolicy::default(), &["udf-list"])?;
    let list = replies.get("udf-list").map(String::as_str).unwrap_or_default();
    let names = list.split([';', ',']).filter_map(|part| part.strip_prefix("filename="));
    equal(names.collect::<Vec<_>>().as_slice(), expected)
}

fn udf_modules(client: &Client, key: &Key) -> Result<()> {
    equal(register(client, FILE)?, Status::Complete)?;
    has_modules(client, &[FILE])?;
    let (policy, source) = (AdminPolicy::default(), b"function five() return 5 end");
    let task = client.register_udf(&policy, source, "five.lua", UdfLang::Lua)?;
    equal(task.wait_till_complete(PATIENCE)?, Status::Complete)?;
    let five = client.execute_udf(&WritePolicy::default(), key, "five", "five", &[])?;
    equal(five, Some(as_val!(5)))?;
    remove_module(client, "five.lua")?;
    has_modules(client, &[FILE])
}

fn udf_compile_error(client: &Client, _: &Key) -> Result<()> {
    let Err(error) = register(client, "unfinished.lua") else { bail!("it was registered") };
    let text = format!("{error:#}");
    ensure!(text.contains("compile_error;file=unfinished.lua;line=5;message="), text);
    has_modules(client, &[FILE])
}

fn udf_remove(client: &Client, key: &Key) -> Result<()> {
    remove_module(client, FILE)?;
    has_modules(client, &[])?;
    fails_with("UDF: Execution Error 1", call(client, key, "echo", &[1.into()]))?;
    // There is nothing to say about a module that is not there.
    remove_module(client, FILE)
}

// --- functions on one record ---

fn call(
    client: &Client,
    key: &Key,
    function: &str,
    arguments: &[Value],
) -> aerospike::Result<Option<Value>> {
    client.execute_udf(&WritePolicy::default(), key, MODULE, function, arguments)
}

/// The call ended with the code of a failed function, and with this text.
fn fails_with(text: &str, result: aerospike::Result<Option<Value>>) -> Result<()> {
    let Err(error) = result else { bail!("succeeded, expected {text}") };
    equal(error.result_code(), UDF_EXECUTION.into())?;
    let said = error.to_string();
    ensure!(said.contains(text), "{said}: lacks {text}");
    Ok(())
}

fn udf_values(client: &Client, key: &Key) -> Result<()> {
    let values = [
        as_val!(1),
        as_val!(i64::MIN),
        as_val!(2.5),
        as_val!("text"),
        as_val!(true),
        Value::Nil,
        Value::Blob(vec![0, 255, 7]),
        as_list!(1, as_list!("a"), Value::Nil),
        as_map!("k" => as_list!(1, as_map!("x" => 2.5))),
    ];
    for value in values {
        let echo = call(client, key, "echo", std::slice::from_ref(&value))?;
        equal(echo.unwrap_or(Value::Nil), value)?;
    }
    let made = call(client, key, "bytes_of", &["made".into()])?;
    equal(made, Some(Value::Blob(b"made".into())))?;
    put(client, key, &[as_bin!("n", 7)])?;
    let described = as_map!("n" => 7, "names" => as_list!("n", "group"));
    equal(call(client, key, "described", &[])?, Some(described))
}

fn udf_writes(client: &Client, key: &Key) -> Result<()> {
    equal(call(client, key, "add", &["n".into(), 5.into()])?, Some(5.into()))?;
    equal(call(client, key, "add", &["n".into(), 2.into()])?, Some(7.into()))?;
    has_bins(client, key, &[("n", 7.into())])?;
    equal(get(client, key)?.generation, 2)?;
    equal(call(client, key, "remove", &[])?, Some(0.into()))?;
    is_gone(client, key)
}

fn udf_fails(client: &Client, key: &Key) -> Result<()> {
    fails_with("checks.lua:28: on purpose", call(client, key, "fail", &[]))?;
    fails_with("function not found", call(client, key, "none", &[]))?;
    let nowhere = client.execute_udf(&WritePolicy::default(), key, "nowhere", "echo", &[]);
    fails_with("UDF: Execution Error 1", nowhere)?;
    is_gone(client, key)
}

fn udf_loops(client: &Client, key: &Key) -> Result<()> {
    let mut patient = WritePolicy::default();
    patient.base_policy.total_timeout = 0;
    let result = client.execute_udf(&patient, key, MODULE, "loop", &[]);
    fails_with("UDF Execution Timeout", result)?;
    equal(call(client, key, "echo", &[3.into()])?, Some(3.into()))
}

// --- functions on many records ---

fn key_of(number: i64) -> Key {
    as_key!("test", SET, number)
}

fn group_of(number: i64) -> Value {
    format!("g{}", number % 3).into()
}

fn put_all(client: &Client) -> Result<()> {
    let policy =
        WritePolicy { record_exists_action: RecordExistsAction::Replace, ..WritePolicy::default() };
    for number in 0..COUNT {
        let bins = [as_bin!("n", number), as_bin!("group", group_of(number))];
        client.put(&policy, &key_of(number), &bins)?;
    }
    Ok(())
}

fn udf_batch(client: &Client, _: &Key) -> Result<()> {
    put_all(client)?;
    let apply = |number: i64, function: &str, arguments: Vec<Value>| {
        let policy = BatchUdfPolicy::default();
        BatchOperation::udf(&policy, key_of(number), MODULE, function, arguments)
    };
    let add = |number, amount: i64| apply(number, "add", vec!["extra".into(), amount.into()]);
    for row in &batch::run(client, (0..50).map(|number| add(number, 4)).collect())? {
        equal((batch::code(row)?, batch::bin(row, "SUCCESS")?), (0, 4.into()))?;
    }
    let read = BatchOperation::read(&BatchReadPolicy::default(), key_of(0), Bins::All);
    let rows = batch::run(client, vec![add(0, 1), read, apply(1, "fail", vec![])])?;
    let codes = rows.iter().map(batch::code).collect::<Result<Vec<_>>>()?;
    equal(codes, vec![0, 0, UDF_EXECUTION])?;
    equal(batch::bin(&rows[1], "extra")?, 5.into())
}

fn udf_background(client: &Client, _: &Key) -> Result<()> {
    put_all(client)?;
    let (policy, whole) = (AdminPolicy::default(), CollectionIndexType::Default);
    client
        .create_index_on_bin(
            &policy,
            "test",
            SET,
            "n",
            "udfs_by_n",
            IndexType::Numeric,
            whole,
            None,
        )?
        .wait_till_complete(PATIENCE)?;
    let add = |statement, name: &str, amount: i64| {
        let arguments = [name.into(), amount.into()];
        let policy = WritePolicy::default();
        let task = client.query_execute_udf(&policy, statement, MODULE, "add", &arguments)?;
        equal(task.wait_till_complete(PATIENCE)?, Status::Complete)
    };
    add(statement(None), "all", 1)?;
    add(statement(Some(Filter::range("n", 50, 99))), "some", 9)?;
    for number in 0..COUNT {
        let mut bins = vec![("all", 1.into()), ("group", group_of(number)), ("n", number.into())];
        if (50..100).contains(&number) {
            bins.push(("some", 9.into()));
        }
        has_bins(client, &key_of(number), &bins)?;
    }
    Ok(())
}

// --- aggregations ---

fn statement(filter: Option<Filter>) -> Statement {
    let mut statement = Statement::new("test", SET, Bins::All);
    if let Some(filter) = filter {
        statement.set_filter(filter);
    }
    statement
}

/// What the server yields of an aggregation, before any client has reduced it. The client would do
/// that with a Lua of its own, which cannot be built into one workspace with that of the server.
fn aggregate(
    client: &Client,
    filter: Option<Filter>,
    function: &str,
    arguments: &[Value],
) -> Result<Vec<aerospike::Result<Record>>> {
    let mut statement = statement(filter);
    statement.set_aggregate_function(MODULE, function, arguments);
    let stream = client.query(&QueryPolicy::default(), PartitionFilter::all(), statement)?;
    Ok((&*stream).into_iter().collect())
}

fn yields(
    client: &Client,
    filter: Option<Filter>,
    function: &str,
    arguments: &[Value],
) -> Result<Vec<Value>> {
    let value = |record: aerospike::Result<Record>| {
        record?.bins.get("SUCCESS").cloned().context("no value in a row")
    };
    aggregate(client, filter, function, arguments)?.into_iter().map(value).collect()
}

fn integers(values: &[Value]) -> Result<Vec<i64>> {
    let integer = |value: &Value| match value {
        Value::Int(number) => Ok(*number),
        other => bail!("yielded {other:?}"),
    };
    let mut numbers = values.iter().map(integer).collect::<Result<Vec<_>>>()?;
    numbers.sort_unstable();
    Ok(numbers)
}

fn has_total(client: &Client, filter: Option<Filter>, expected: i64) -> Result<()> {
    let partial = integers(&yields(client, filter, "total", &[])?)?;
    equal(partial.iter().sum(), expected)
}

/// What is not below the limit are these numbers.
fn has_large(client: &Client, filter: Option<Filter>, limit: i64, expected: &[i64]) -> Result<()> {
    let large = integers(&yields(client, filter, "large", &[limit.into()])?)?;
    equal(large.as_slice(), expected)
}

/// So many records of each group.
fn has_groups(client: &Client, filter: Option<Filter>, expected: [i64; 3]) -> Result<()> {
    let mut counts = BTreeMap::new();
    for partial in yields(client, filter, "groups", &[])? {
        let Value::OrderedMap(partial) = partial else { bail!("yielded {partial:?}") };
        for (group, count) in partial {
            *counts.entry(group.to_string()).or_insert(0) += integers(&[count])?[0];
        }
    }
    let expected = (0..).zip(expected).map(|(group, count)| (group_of(group).to_string(), count));
    equal(counts, expected.collect())
}

fn udf_aggregate(client: &Client, _: &Key) -> Result<()> {
    has_total(client, None, COUNT * (COUNT - 1) / 2)?;
    has_groups(client, None, [67, 67, 66])?;
    has_large(client, None, 150, &(150..COUNT).collect::<Vec<_>>())?;
    has_large(client, None, COUNT, &[])
}

fn udf_aggregate_where(client: &Client, _: &Key) -> Result<()> {
    let some = || Some(Filter::range("n", 10, 19));
    has_total(client, some(), 145)?;
    has_groups(client, some(), [3, 4, 3])?;
    has_large(client, some(), 15, &[15, 16, 17, 18, 19])?;
    equal(yields(client, Some(Filter::equal("n", COUNT)), "total", &[])?, vec![])
}

fn udf_aggregate_fails(client: &Client, _: &Key) -> Result<()> {
    // Each node tells why it failed, and ends with that.
    let (rows, ends): (Vec<_>, Vec<_>) =
        aggregate(client, None, "broken", &[])?.into_iter().partition(Result::is_ok);
    ensure!(!ends.is_empty(), "it did not fail");
    ends.into_iter().try_for_each(|end| fails(1, end))?;
    let texts = rows.iter().flatten().map(|row| row.bins.get("FAILURE").map(Value::to_string));
    let texts = texts.collect::<Option<Vec<_>>>().context("a row without a failure")?;
    let is_told = !texts.is_empty() && texts.iter().all(|text| text.contains("on purpose"));
    ensure!(is_told, "{texts:?}");
    has_total(client, None, COUNT * (COUNT - 1) / 2)
}
