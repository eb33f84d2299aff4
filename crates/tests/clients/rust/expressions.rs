//! Expressions: filters on commands, and operations that read and write them.

use aerospike::expressions::{self as exp, ExpType, Expression};
use aerospike::operations::exp::{ExpReadFlags, ExpWriteFlags, read_exp, write_exp};
use aerospike::operations::scalar;
use aerospike::{
    Bins, Client, Expiration, Key, MapReturnType, ReadPolicy, Record, RegexFlags, Value,
    WritePolicy, as_bin, as_list, as_map, as_val,
};
use anyhow::Result;

use crate::Check;
use crate::expect::{equal, fails, get, is_gone, put};

pub const ALL: &[(&str, Check)] = &[
    ("filter_read", filter_read),
    ("filter_write", filter_write),
    ("filter_delete", filter_delete),
    ("filter_operate", filter_operate),
    ("filter_logic", filter_logic),
    ("filter_metadata", filter_metadata),
    ("expression_read", expression_read),
    ("expression_write", expression_write),
];

const FILTERED_OUT: u8 = 27;

fn put_record(client: &Client, key: &Key) -> Result<()> {
    let (list, map) = (as_bin!("l", as_list!(1, 2, 3)), as_bin!("m", as_map!("x" => 7)));
    put(client, key, &[as_bin!("n", 5), as_bin!("s", "text"), list, map])
}

fn n() -> Expression {
    exp::int_bin("n")
}

fn read_if(filter: Expression) -> ReadPolicy {
    let mut policy = ReadPolicy::default();
    policy.base_policy.filter_expression = Some(filter);
    policy
}

fn write_if(filter: Expression) -> WritePolicy {
    let mut policy = WritePolicy::default();
    policy.base_policy.filter_expression = Some(filter);
    policy
}

/// Writes only when `n` is this.
fn write_if_n(expected: i64) -> WritePolicy {
    write_if(exp::eq(n(), exp::int_val(expected)))
}

fn bin_of(record: &Record, name: &str) -> Option<Value> {
    record.bins.get(name).cloned()
}

/// The record passes each of these filters, and does not pass its opposite.
fn all_match(client: &Client, key: &Key, filters: Vec<Expression>) -> Result<()> {
    filters.into_iter().try_for_each(|filter| {
        client.get(&read_if(filter.clone()), key, Bins::All)?;
        fails(FILTERED_OUT, client.get(&read_if(exp::not(filter)), key, Bins::All))
    })
}

fn filter_read(client: &Client, key: &Key) -> Result<()> {
    let is = |expected| read_if(exp::eq(n(), exp::int_val(expected)));
    fails(2, client.get(&is(6), key, Bins::All))?;
    put_record(client, key)?;
    equal(bin_of(&client.get(&is(5), key, Bins::All)?, "n"), Some(as_val!(5)))?;
    fails(FILTERED_OUT, client.get(&is(6), key, Bins::All))?;
    fails(FILTERED_OUT, client.get(&is(6), key, ["n"]))?;
    fails(FILTERED_OUT, client.get(&is(6), key, Bins::None))
}

fn filter_write(client: &Client, key: &Key) -> Result<()> {
    put_record(client, key)?;
    fails(FILTERED_OUT, client.put(&write_if_n(6), key, &[as_bin!("n", 9)]))?;
    equal(bin_of(&get(client, key)?, "n"), Some(as_val!(5)))?;
    client.put(&write_if_n(5), key, &[as_bin!("n", 6)])?;
    equal(bin_of(&get(client, key)?, "n"), Some(as_val!(6)))
}

fn filter_delete(client: &Client, key: &Key) -> Result<()> {
    put_record(client, key)?;
    fails(FILTERED_OUT, client.delete(&write_if_n(6), key))?;
    equal(client.delete(&write_if_n(5), key)?, true)?;
    is_gone(client, key)
}

fn filter_operate(client: &Client, key: &Key) -> Result<()> {
    put_record(client, key)?;
    let operations = [scalar::add(&as_bin!("n", 1)), scalar::get_bin("s")];
    fails(FILTERED_OUT, client.operate(&write_if_n(6), key, &operations))?;
    let record = client.operate(&write_if_n(5), key, &operations)?;
    equal(bin_of(&record, "s"), Some(as_val!("text")))?;
    equal(bin_of(&get(client, key)?, "n"), Some(as_val!(6)))
}

fn filter_logic(client: &Client, key: &Key) -> Result<()> {
    put_record(client, key)?;
    let (s, map) = (|| exp::string_bin("s"), exp::map_bin("m"));
    let x = exp::string_val("x");
    let x = exp::maps::get_by_key(MapReturnType::VALUE, ExpType::Int, x, map, &[]);
    let size = exp::lists::size(exp::list_bin("l"), &[]);
    let between = vec![exp::gt(n(), exp::int_val(4)), exp::lt(n(), exp::int_val(6))];
    let either = vec![exp::eq(s(), exp::string_val("no")), exp::bin_exists("l")];
    let filters = vec![
        exp::and(between),
        exp::or(either),
        exp::not(exp::bin_exists("none")),
        exp::regex_compare("^TE.T$", RegexFlags::ICASE, s()),
        exp::eq(size, exp::int_val(3)),
        exp::eq(x, exp::int_val(7)),
    ];
    all_match(client, key, filters)
}

fn filter_metadata(client: &Client, key: &Key) -> Result<()> {
    let policy = WritePolicy {
        send_key: true,
        expiration: Expiration::Seconds(1000),
        ..WritePolicy::default()
    };
    client.put(&policy, key, &[as_bin!("n", 1)])?;
    let fresh =
        vec![exp::gt(exp::ttl(), exp::int_val(900)), exp::le(exp::ttl(), exp::int_val(1000))];
    let filters = vec![
        exp::and(fresh),
        exp::eq(exp::set_name(), exp::string_val("rust")),
        exp::key_exists(),
        exp::eq(exp::key(ExpType::String), exp::string_val("filter_metadata")),
        exp::lt(exp::since_update(), exp::int_val(60_000)),
        exp::gt(exp::void_time(), exp::last_update()),
        exp::gt(exp::record_size(), exp::int_val(0)),
        exp::lt(exp::digest_modulo(7), exp::int_val(7)),
    ];
    all_match(client, key, filters)
}

fn expression_read(client: &Client, key: &Key) -> Result<()> {
    put_record(client, key)?;
    let read = |expression, flags| {
        client.operate(&WritePolicy::default(), key, &[read_exp("total", expression, flags)])
    };
    let total = exp::num_add(vec![n(), exp::lists::size(exp::list_bin("l"), &[])]);
    equal(bin_of(&read(total, ExpReadFlags::DEFAULT)?, "total"), Some(as_val!(8)))?;
    let wrong = exp::num_add(vec![exp::int_bin("none"), exp::int_val(1)]);
    fails(26, read(wrong.clone(), ExpReadFlags::DEFAULT))?;
    let quiet = bin_of(&read(wrong, ExpReadFlags::EVAL_NO_FAIL)?, "total");
    equal(quiet.unwrap_or(Value::Nil), Value::Nil)
}

fn expression_write(client: &Client, key: &Key) -> Result<()> {
    put_record(client, key)?;
    let write = |bin: &str, flags| {
        let twice = exp::num_mul(vec![n(), exp::int_val(2)]);
        client.operate(&WritePolicy::default(), key, &[write_exp(bin, twice, flags)])
    };
    write("n", ExpWriteFlags::DEFAULT)?;
    equal(bin_of(&get(client, key)?, "n"), Some(as_val!(10)))?;
    fails(6, write("n", ExpWriteFlags::CREATE_ONLY))?;
    write("new", ExpWriteFlags::CREATE_ONLY)?;
    equal(bin_of(&get(client, key)?, "new"), Some(as_val!(20)))
}
