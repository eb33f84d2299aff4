//! The checks, in the order in which they run.

use std::time::Duration;

use aerospike::operations::scalar;
use aerospike::{
    AdminPolicy, Client, Expiration, GenerationPolicy, Key, ReadPolicy, RecordExistsAction, Value,
    WritePolicy, as_bin, as_geo, as_key, as_list, as_map, as_val,
};
use anyhow::Result;

use crate::Check;
use crate::expect::{equal, fails, get, has_bins, has_ttl, is_gone, put};

pub const ALL: &[(&str, Check)] = &[
    ("info_namespaces", info_namespaces),
    ("put_get", put_get),
    ("value_integer", value_integer),
    ("value_float", value_float),
    ("value_string", value_string),
    ("value_blob", value_blob),
    ("value_bool", value_bool),
    ("value_list", value_list),
    ("value_map", value_map),
    ("value_geojson", value_geojson),
    ("delete_bin", delete_bin),
    ("select_bins", select_bins),
    ("exists_and_header", exists_and_header),
    ("operate_mix", operate_mix),
    ("add_append_prepend", add_append_prepend),
    ("incompatible_type", incompatible_type),
    ("ttl_seconds", ttl_seconds),
    ("ttl_never", ttl_never),
    ("ttl_dont_update", ttl_dont_update),
    ("ttl_default", ttl_default),
    ("ttl_expires", ttl_expires),
    ("touch", touch),
    ("generation_equal", generation_equal),
    ("generation_greater", generation_greater),
    ("create_only", create_only),
    ("update_only", update_only),
    ("replace", replace),
    ("replace_only", replace_only),
    ("delete", delete),
    ("durable_delete", durable_delete),
    ("key_stored", key_stored),
    ("key_mismatch", key_mismatch),
    ("not_found", not_found),
    ("record_too_big", record_too_big),
    ("truncate", truncate),
    ("many_records", many_records),
];

fn info_namespaces(client: &Client, _: &Key) -> Result<()> {
    let reply = client.info(&AdminPolicy::default(), &["namespaces"])?;
    let names = reply.get("namespaces").map(String::as_str).unwrap_or_default();
    let mut names: Vec<_> = names.split(';').collect();
    names.sort_unstable();
    equal(names, vec!["bar", "test"])
}

fn put_get(client: &Client, key: &Key) -> Result<()> {
    put(client, key, &[as_bin!("a", 1), as_bin!("b", "two"), as_bin!("c", 3.5)])?;
    has_bins(client, key, &[("a", 1.into()), ("b", "two".into()), ("c", 3.5.into())])?;
    equal(get(client, key)?.generation, 1)
}

/// Writes and reads each of these values.
fn values(client: &Client, key: &Key, all: impl IntoIterator<Item = Value>) -> Result<()> {
    all.into_iter().try_for_each(|value| {
        put(client, key, &[as_bin!("v", value.clone())])?;
        has_bins(client, key, &[("v", value)])
    })
}

fn value_integer(client: &Client, key: &Key) -> Result<()> {
    values(client, key, [0, 1, -1, i64::MAX, i64::MIN].map(Value::from))
}

fn value_float(client: &Client, key: &Key) -> Result<()> {
    values(client, key, [0.0, 1.5, -2.25e300].map(Value::from))
}

fn value_string(client: &Client, key: &Key) -> Result<()> {
    let long = "x".repeat(100_000);
    values(client, key, ["", "plain", "żółć 🦀", &long].map(Value::from))
}

fn value_blob(client: &Client, key: &Key) -> Result<()> {
    values(client, key, [vec![0, 1, 255], vec![0; 100_000]].map(Value::Blob))
}

fn value_bool(client: &Client, key: &Key) -> Result<()> {
    values(client, key, [true, false].map(Value::from))
}

fn value_list(client: &Client, key: &Key) -> Result<()> {
    let nested = as_list!(4, as_list!(5));
    values(client, key, [as_list!(), as_list!(1, "two", 3.5, Value::Nil, nested)])
}

fn value_map(client: &Client, key: &Key) -> Result<()> {
    values(client, key, [as_map!(), as_map!("a" => 1, "b" => as_list!(2, 3))])
}

fn value_geojson(client: &Client, key: &Key) -> Result<()> {
    values(client, key, [as_geo!(r#"{"type":"Point","coordinates":[21.0,52.25]}"#)])
}

fn delete_bin(client: &Client, key: &Key) -> Result<()> {
    put(client, key, &[as_bin!("a", 1), as_bin!("b", 2)])?;
    put(client, key, &[as_bin!("a", Value::Nil)])?;
    has_bins(client, key, &[("b", 2.into())])
}

fn select_bins(client: &Client, key: &Key) -> Result<()> {
    put(client, key, &[as_bin!("a", 1), as_bin!("b", 2), as_bin!("c", 3)])?;
    let record = client.get(&ReadPolicy::default(), key, ["a", "c"])?;
    equal(record.bins.len(), 2)?;
    equal(record.bins.get("c"), Some(&as_val!(3)))
}

fn exists_and_header(client: &Client, key: &Key) -> Result<()> {
    equal(client.exists(&ReadPolicy::default(), key)?, false)?;
    put(client, key, &[as_bin!("a", 1)])?;
    equal(client.exists(&ReadPolicy::default(), key)?, true)?;
    let header = client.get(&ReadPolicy::default(), key, aerospike::Bins::None)?;
    equal(header.bins.len(), 0)?;
    equal(header.generation, 1)
}

fn operate_mix(client: &Client, key: &Key) -> Result<()> {
    put(client, key, &[as_bin!("n", 1), as_bin!("s", "b")])?;
    let (n, c, a, w) =
        (as_bin!("n", 41), as_bin!("s", "c"), as_bin!("s", "a"), as_bin!("w", "new"));
    let operations = [
        scalar::add(&n),
        scalar::append(&c),
        scalar::prepend(&a),
        scalar::put(&w),
        scalar::get_bin("n"),
        scalar::get_bin("s"),
        scalar::touch(),
    ];
    let record = client.operate(&WritePolicy::default(), key, &operations)?;
    equal(record.bins.get("n").map(last), Some(&as_val!(42)))?;
    equal(record.bins.get("s").map(last), Some(&as_val!("abc")))?;
    has_bins(client, key, &[("n", 42.into()), ("s", "abc".into()), ("w", "new".into())])
}

/// The last result of a bin that answered more than once in one request.
fn last(value: &Value) -> &Value {
    match value {
        Value::MultiResult(results) => results.last().unwrap_or(value),
        single => single,
    }
}

fn add_append_prepend(client: &Client, key: &Key) -> Result<()> {
    let policy = WritePolicy::default();
    client.add(&policy, key, &[as_bin!("n", 5)])?;
    client.add(&policy, key, &[as_bin!("n", -7)])?;
    client.append(&policy, key, &[as_bin!("s", "b")])?;
    client.append(&policy, key, &[as_bin!("s", "c")])?;
    client.prepend(&policy, key, &[as_bin!("s", "a")])?;
    has_bins(client, key, &[("n", as_val!(-2)), ("s", "abc".into())])
}

fn incompatible_type(client: &Client, key: &Key) -> Result<()> {
    put(client, key, &[as_bin!("s", "text"), as_bin!("n", 1)])?;
    fails(12, client.add(&WritePolicy::default(), key, &[as_bin!("s", 1)]))?;
    fails(12, client.append(&WritePolicy::default(), key, &[as_bin!("n", "x")]))
}

/// Writes one bin with this expiration.
fn put_expiring(client: &Client, key: &Key, value: i64, expiration: Expiration) -> Result<()> {
    Ok(client.put(&WritePolicy::new(0, expiration), key, &[as_bin!("a", value)])?)
}

fn ttl_seconds(client: &Client, key: &Key) -> Result<()> {
    put_expiring(client, key, 1, Expiration::Seconds(100))?;
    has_ttl(client, key, Some(100))
}

fn ttl_never(client: &Client, key: &Key) -> Result<()> {
    put_expiring(client, key, 1, Expiration::Seconds(100))?;
    put_expiring(client, key, 2, Expiration::Never)?;
    has_ttl(client, key, None)
}

fn ttl_dont_update(client: &Client, key: &Key) -> Result<()> {
    put_expiring(client, key, 1, Expiration::Seconds(100))?;
    put_expiring(client, key, 2, Expiration::DontUpdate)?;
    has_ttl(client, key, Some(100))
}

fn ttl_default(client: &Client, key: &Key) -> Result<()> {
    put_expiring(client, key, 1, Expiration::Seconds(100))?;
    put_expiring(client, key, 2, Expiration::NamespaceDefault)?;
    has_ttl(client, key, None)
}

fn ttl_expires(client: &Client, key: &Key) -> Result<()> {
    put_expiring(client, key, 1, Expiration::Seconds(1))?;
    std::thread::sleep(Duration::from_secs(3));
    is_gone(client, key)
}

fn touch(client: &Client, key: &Key) -> Result<()> {
    fails(2, client.touch(&WritePolicy::new(0, Expiration::Seconds(10)), key))?;
    put_expiring(client, key, 1, Expiration::Seconds(100))?;
    client.touch(&WritePolicy::new(0, Expiration::Seconds(1000)), key)?;
    equal(get(client, key)?.generation, 2)?;
    has_ttl(client, key, Some(1000))
}

fn generation(rule: GenerationPolicy, generation: u32) -> WritePolicy {
    WritePolicy { generation_policy: rule, generation, ..WritePolicy::default() }
}

fn generation_equal(client: &Client, key: &Key) -> Result<()> {
    let first = generation(GenerationPolicy::ExpectGenEqual, 1);
    put(client, key, &[as_bin!("a", 1)])?;
    client.put(&first, key, &[as_bin!("a", 2)])?;
    fails(3, client.put(&first, key, &[as_bin!("a", 3)]))?;
    fails(3, client.delete(&first, key))?;
    has_bins(client, key, &[("a", 2.into())])
}

fn generation_greater(client: &Client, key: &Key) -> Result<()> {
    let rule = GenerationPolicy::ExpectGenGreater;
    put(client, key, &[as_bin!("a", 1)])?;
    fails(3, client.put(&generation(rule, 1), key, &[as_bin!("a", 2)]))?;
    client.put(&generation(rule, 5), key, &[as_bin!("a", 3)])?;
    has_bins(client, key, &[("a", 3.into())])
}

fn action(record_exists_action: RecordExistsAction) -> WritePolicy {
    WritePolicy { record_exists_action, ..WritePolicy::default() }
}

fn create_only(client: &Client, key: &Key) -> Result<()> {
    let policy = action(RecordExistsAction::CreateOnly);
    client.put(&policy, key, &[as_bin!("a", 1)])?;
    fails(5, client.put(&policy, key, &[as_bin!("a", 2)]))
}

fn update_only(client: &Client, key: &Key) -> Result<()> {
    let policy = action(RecordExistsAction::UpdateOnly);
    fails(2, client.put(&policy, key, &[as_bin!("a", 1)]))?;
    put(client, key, &[as_bin!("a", 1)])?;
    client.put(&policy, key, &[as_bin!("b", 2)])?;
    has_bins(client, key, &[("a", 1.into()), ("b", 2.into())])
}

fn replace(client: &Client, key: &Key) -> Result<()> {
    put(client, key, &[as_bin!("a", 1), as_bin!("b", 2)])?;
    client.put(&action(RecordExistsAction::Replace), key, &[as_bin!("c", 3)])?;
    has_bins(client, key, &[("c", 3.into())])?;
    equal(get(client, key)?.generation, 2)
}

fn replace_only(client: &Client, key: &Key) -> Result<()> {
    let policy = action(RecordExistsAction::ReplaceOnly);
    fails(2, client.put(&policy, key, &[as_bin!("a", 1)]))?;
    put(client, key, &[as_bin!("a", 1), as_bin!("b", 2)])?;
    client.put(&policy, key, &[as_bin!("c", 3)])?;
    has_bins(client, key, &[("c", 3.into())])
}

fn delete(client: &Client, key: &Key) -> Result<()> {
    put(client, key, &[as_bin!("a", 1)])?;
    equal(client.delete(&WritePolicy::default(), key)?, true)?;
    equal(client.delete(&WritePolicy::default(), key)?, false)?;
    is_gone(client, key)
}

fn durable_delete(client: &Client, key: &Key) -> Result<()> {
    let policy = WritePolicy { durable_delete: true, ..WritePolicy::default() };
    put(client, key, &[as_bin!("a", 1)])?;
    equal(client.delete(&policy, key)?, true)?;
    is_gone(client, key)?;
    put(client, key, &[as_bin!("a", 2)])?;
    has_bins(client, key, &[("a", 2.into())])
}

fn send_key() -> WritePolicy {
    WritePolicy { send_key: true, ..WritePolicy::default() }
}

fn key_stored(client: &Client, key: &Key) -> Result<()> {
    client.put(&send_key(), key, &[as_bin!("a", 1)])?;
    client.put(&send_key(), key, &[as_bin!("a", 2)])?;
    has_bins(client, key, &[("a", 2.into())])
}

fn key_mismatch(client: &Client, key: &Key) -> Result<()> {
    client.put(&send_key(), key, &[as_bin!("a", 1)])?;
    let other = Key::with_digest("test", "rust", Some(as_val!("another key")), key.digest());
    fails(19, client.put(&send_key(), &other, &[as_bin!("a", 2)]))
}

fn not_found(client: &Client, key: &Key) -> Result<()> {
    is_gone(client, key)?;
    fails(2, client.operate(&WritePolicy::default(), key, &[scalar::get_bin("a")]))
}

fn record_too_big(client: &Client, key: &Key) -> Result<()> {
    let big = as_bin!("a", Value::Blob(vec![0; 2 << 20]));
    fails(13, client.put(&WritePolicy::default(), key, &[big]))
}

fn truncate(client: &Client, _: &Key) -> Result<()> {
    let (doomed, kept) = (as_key!("test", "rust-doomed", 1), as_key!("test", "rust-doomed", 2));
    put(client, &doomed, &[as_bin!("a", 1)])?;
    // Records are truncated by the millisecond of their last update.
    std::thread::sleep(Duration::from_millis(50));
    client.truncate(&AdminPolicy::default(), "test", "rust-doomed", 0)?;
    is_gone(client, &doomed)?;
    std::thread::sleep(Duration::from_millis(50));
    put(client, &kept, &[as_bin!("a", 2)])?;
    has_bins(client, &kept, &[("a", 2.into())])
}

fn many_records(client: &Client, _: &Key) -> Result<()> {
    for number in 0..334_i64 {
        let blob = Value::Blob(number.to_be_bytes().to_vec());
        for form in [as_val!(number), as_val!(number.to_string()), blob] {
            let key = Key::new("test", "rust-many", form)?;
            put(client, &key, &[as_bin!("n", number)])?;
            has_bins(client, &key, &[("n", number.into())])?;
        }
    }
    Ok(())
}
