//! Operations on lists and maps.

use aerospike::operations::cdt_context::{ctx_list_index, ctx_map_key, ctx_map_key_create};
use aerospike::operations::{MapOrder, lists, maps};
use aerospike::{
    Client, Key, ListOrderType, ListPolicy, ListReturnType, ListSortFlags, ListWriteFlags,
    MapPolicy, MapReturnType, MapWriteFlags, Value, as_list, as_map, as_val, as_values,
};
use anyhow::{Result, bail};

use crate::Check;
use crate::expect::{equal, fails, get, has_value, put_value, run};

pub const ALL: &[(&str, Check)] = &[
    ("list_append_insert", list_append_insert),
    ("list_pop", list_pop),
    ("list_get", list_get),
    ("list_return_types", list_return_types),
    ("list_remove", list_remove),
    ("list_ordered", list_ordered),
    ("list_sort", list_sort),
    ("list_add_unique", list_add_unique),
    ("map_put", map_put),
    ("map_get", map_get),
    ("map_increment", map_increment),
    ("map_remove", map_remove),
    ("map_key_ordered", map_key_ordered),
    ("map_create_only", map_create_only),
    ("nested", nested),
    ("nested_create", nested_create),
];

const VALUES: ListReturnType = ListReturnType::VALUES;
const KEYS: MapReturnType = MapReturnType::KEY;

fn list_policy(order: ListOrderType, flags: ListWriteFlags) -> ListPolicy {
    ListPolicy::new(order, flags)
}

fn map_policy(flags: MapWriteFlags) -> MapPolicy {
    MapPolicy::new(MapOrder::Unordered, flags)
}

fn scores() -> Value {
    as_map!("ann" => 30, "bob" => 10, "cid" => 20, "dan" => 40)
}

/// The items of the only result, sorted: for selections whose order is open.
fn sorted(results: Vec<Value>) -> Result<Vec<String>> {
    let [Value::List(items)] = &results[..] else { bail!("{results:?} is not one list") };
    let mut items: Vec<_> = items.iter().map(Value::to_string).collect();
    items.sort_unstable();
    Ok(items)
}

fn list_append_insert(client: &Client, key: &Key) -> Result<()> {
    let policy = ListPolicy::default();
    let append = lists::append(&policy, "v", as_val!(1));
    let items = lists::append_items(&policy, "v", as_values!(2, "x"));
    equal(run(client, key, &[append, items])?, as_values!(1, 3))?;
    let insert = lists::insert(&policy, "v", 0, as_val!(0));
    equal(run(client, key, &[insert, lists::size("v")])?, as_values!(4, 4))?;
    let items = lists::insert_items(&policy, "v", 1, as_values!(8, 9));
    equal(run(client, key, &[items])?, as_values!(6))?;
    run(client, key, &[lists::set("v", -1, as_val!("y"))])?;
    equal(run(client, key, &[lists::increment(&policy, "v", 0, 5)])?, as_values!(5))?;
    has_value(client, key, as_list!(5, 8, 9, 1, 2, "y"))
}

fn list_pop(client: &Client, key: &Key) -> Result<()> {
    put_value(client, key, as_list!(0, 1, 2, 3, 4, 5))?;
    let got = run(client, key, &[lists::pop("v", 0), lists::pop_range("v", -2, 2)])?;
    equal(got, as_values!(0, as_list!(4, 5)))?;
    let got = run(client, key, &[lists::remove("v", 0), lists::trim("v", 1, 1)])?;
    equal(got, as_values!(1, 1))?;
    has_value(client, key, as_list!(3))?;
    run(client, key, &[lists::clear("v")])?;
    has_value(client, key, as_list!())
}

fn list_get(client: &Client, key: &Key) -> Result<()> {
    put_value(client, key, as_list!(30, 10, 40, 20))?;
    let operations = [
        lists::get("v", -1),
        lists::get_range("v", 1, 2),
        lists::get_by_index("v", 2, VALUES),
        lists::get_by_index_range("v", 2, VALUES),
        lists::get_by_rank("v", -1, VALUES),
        lists::get_by_value_range("v", as_val!(15), as_val!(40), VALUES),
    ];
    let (middle, rest, range) = (as_list!(10, 40), as_list!(40, 20), as_list!(30, 20));
    equal(run(client, key, &operations)?, as_values!(20, middle, 40, rest, 40, range))?;
    let lowest = run(client, key, &[lists::get_by_rank_range_count("v", 0, 2, VALUES)])?;
    equal(sorted(lowest)?, vec!["10".into(), "20".into()])?;
    fails(26, run(client, key, &[lists::get_by_index("v", 4, VALUES)]))
}

fn list_return_types(client: &Client, key: &Key) -> Result<()> {
    put_value(client, key, as_list!(30, 10, 40, 20, 10))?;
    let operations = [
        ListReturnType::INDEX,
        ListReturnType::REVERSE_INDEX,
        ListReturnType::RANK,
        ListReturnType::REVERSE_RANK,
        ListReturnType::COUNT,
        ListReturnType::EXISTS,
        VALUES,
    ]
    .map(|kind| lists::get_by_value("v", as_val!(40), kind));
    let (index, rank, highest) = (as_list!(2), as_list!(4), as_list!(0));
    let expected = as_values!(index.clone(), index, rank, highest, 1, true, as_list!(40));
    equal(run(client, key, &operations)?, expected)?;
    let rest = lists::get_by_value_list("v", as_values!(10, 20), VALUES.inverted());
    equal(run(client, key, &[rest])?, as_values!(as_list!(30, 40)))
}

fn list_remove(client: &Client, key: &Key) -> Result<()> {
    put_value(client, key, as_list!(30, 10, 40, 20, 10))?;
    let tens = lists::remove_by_value("v", as_val!(10), ListReturnType::COUNT);
    equal(run(client, key, &[tens])?, as_values!(2))?;
    equal(run(client, key, &[lists::remove_by_rank("v", -1, VALUES)])?, as_values!(40))?;
    let range = lists::remove_by_value_range("v", VALUES, as_val!(25), as_val!(35));
    equal(run(client, key, &[range])?, as_values!(as_list!(30)))?;
    has_value(client, key, as_list!(20))
}

fn list_ordered(client: &Client, key: &Key) -> Result<()> {
    let policy = ListPolicy::default();
    put_value(client, key, as_list!(3, 1))?;
    run(client, key, &[lists::set_order("v", ListOrderType::Ordered)])?;
    run(client, key, &[lists::append(&policy, "v", as_val!(2))])?;
    has_value(client, key, as_list!(1, 2, 3))?;
    fails(26, run(client, key, &[lists::insert(&policy, "v", 0, as_val!(9))]))?;
    put_value(client, key, Value::Nil)?;
    let ordered = list_policy(ListOrderType::Ordered, ListWriteFlags::DEFAULT);
    run(client, key, &[lists::append_items(&ordered, "v", as_values!("b", 7, "a"))])?;
    has_value(client, key, as_list!(7, "a", "b"))
}

fn list_sort(client: &Client, key: &Key) -> Result<()> {
    put_value(client, key, as_list!(3, 1, "x", 2, 1))?;
    run(client, key, &[lists::sort("v", ListSortFlags::DEFAULT)])?;
    has_value(client, key, as_list!(1, 1, 2, 3, "x"))?;
    run(client, key, &[lists::sort("v", ListSortFlags::DROP_DUPLICATES)])?;
    has_value(client, key, as_list!(1, 2, 3, "x"))
}

fn list_add_unique(client: &Client, key: &Key) -> Result<()> {
    put_value(client, key, as_list!(1, 2))?;
    let unique = list_policy(ListOrderType::Unordered, ListWriteFlags::ADD_UNIQUE);
    fails(24, run(client, key, &[lists::append(&unique, "v", as_val!(2))]))?;
    let flags = ListWriteFlags::ADD_UNIQUE | ListWriteFlags::NO_FAIL | ListWriteFlags::PARTIAL;
    let partial = list_policy(ListOrderType::Unordered, flags);
    let items = lists::append_items(&partial, "v", as_values!(2, 3));
    equal(run(client, key, &[items])?, as_values!(3))?;
    has_value(client, key, as_list!(1, 2, 3))
}

fn map_put(client: &Client, key: &Key) -> Result<()> {
    let policy = MapPolicy::default();
    let put = |value| maps::put(&policy, "v", as_val!("a"), value);
    let items = [(as_val!("b"), as_val!(2)), (as_val!(3), as_list!(4))];
    let items = maps::put_items(&policy, "v", std::collections::HashMap::from(items));
    equal(run(client, key, &[put(as_val!(1)), items])?, as_values!(1, 3))?;
    let got = run(client, key, &[put(as_val!("new")), maps::size("v")])?;
    equal(got, as_values!(3, 3))?;
    has_value(client, key, as_map!("a" => "new", "b" => 2, 3 => as_list!(4)))?;
    run(client, key, &[maps::clear("v")])?;
    has_value(client, key, as_map!())
}

fn map_get(client: &Client, key: &Key) -> Result<()> {
    put_value(client, key, scores())?;
    let operations = [
        maps::get_by_key("v", as_val!("cid"), MapReturnType::VALUE),
        maps::get_by_key_range("v", as_val!("b"), as_val!("d"), MapReturnType::COUNT),
        maps::get_by_index("v", 0, KEYS),
        maps::get_by_rank("v", -1, KEYS),
        maps::get_by_rank("v", 0, MapReturnType::VALUE),
        maps::get_by_value("v", as_val!(20), KEYS),
        maps::get_by_key("v", as_val!("dan"), MapReturnType::RANK),
    ];
    let expected = as_values!(20, 2, "ann", "dan", 10, as_list!("cid"), 3);
    equal(run(client, key, &operations)?, expected)?;
    let range = maps::get_by_value_range("v", as_val!(20), as_val!(40), KEYS);
    equal(sorted(run(client, key, &[range])?)?, vec!["ann".into(), "cid".into()])?;
    fails(26, run(client, key, &[maps::get_by_index("v", 4, KEYS)]))
}

fn map_increment(client: &Client, key: &Key) -> Result<()> {
    let policy = MapPolicy::default();
    put_value(client, key, scores())?;
    let more = maps::increment_value(&policy, "v", as_val!("ann"), as_val!(5));
    let less = maps::decrement_value(&policy, "v", as_val!("bob"), as_val!(1));
    equal(run(client, key, &[more, less])?, as_values!(35, 9))?;
    let new = maps::increment_value(&policy, "v", as_val!("eve"), as_val!(7));
    equal(run(client, key, &[new])?, as_values!(7))?;
    let expected = as_map!("ann" => 35, "bob" => 9, "cid" => 20, "dan" => 40, "eve" => 7);
    has_value(client, key, expected)
}

fn map_remove(client: &Client, key: &Key) -> Result<()> {
    put_value(client, key, scores())?;
    let one = maps::remove_by_key("v", as_val!("cid"), MapReturnType::VALUE);
    equal(run(client, key, &[one])?, as_values!(20))?;
    let small = maps::remove_by_value_range("v", as_val!(0), as_val!(15), KEYS);
    equal(run(client, key, &[small])?, as_values!(as_list!("bob")))?;
    let highest = maps::remove_by_rank_range("v", -1, 1, KEYS);
    equal(run(client, key, &[highest])?, as_values!(as_list!("dan")))?;
    let rest = maps::remove_by_key_range("v", as_val!("a"), as_val!("z"), MapReturnType::COUNT);
    equal(run(client, key, &[rest])?, as_values!(1))?;
    has_value(client, key, as_map!())
}

fn map_key_ordered(client: &Client, key: &Key) -> Result<()> {
    let policy = MapPolicy::new(MapOrder::KeyOrdered, MapWriteFlags::DEFAULT);
    let items = ["c", "a", "b"].map(|name| (as_val!(name), as_val!(1)));
    let items = std::collections::HashMap::from(items);
    run(client, key, &[maps::put_items(&policy, "v", items)])?;
    let record = get(client, key)?;
    let Some(Value::SortedMap(map)) = record.bins.get("v") else {
        bail!("{:?} is not an ordered map", record.bins);
    };
    equal(map.keys().cloned().collect::<Vec<_>>(), as_values!("a", "b", "c"))?;
    let got = run(client, key, &[maps::get_by_index_range("v", 1, 2, KEYS)])?;
    equal(got, as_values!(as_list!("b", "c")))
}

fn map_create_only(client: &Client, key: &Key) -> Result<()> {
    put_value(client, key, scores())?;
    let create = map_policy(MapWriteFlags::CREATE_ONLY);
    let update = map_policy(MapWriteFlags::UPDATE_ONLY);
    let put = |policy, name| maps::put(policy, "v", Value::from(name), as_val!(1));
    fails(24, run(client, key, &[put(&create, "ann")]))?;
    fails(23, run(client, key, &[put(&update, "eve")]))?;
    run(client, key, &[put(&create, "eve")])?;
    let expected = as_map!("ann" => 30, "bob" => 10, "cid" => 20, "dan" => 40, "eve" => 1);
    has_value(client, key, expected)
}

fn nested(client: &Client, key: &Key) -> Result<()> {
    let list = as_list!(1, as_list!(2, 3));
    put_value(client, key, as_map!("list" => list, "map" => as_map!("x" => 1)))?;
    let in_list = || vec![ctx_map_key(as_val!("list")), ctx_list_index(-1)];
    let in_map = vec![ctx_map_key(as_val!("map"))];
    let append = lists::append(&ListPolicy::default(), "v", as_val!(4));
    let add = maps::increment_value(&MapPolicy::default(), "v", as_val!("x"), as_val!(9));
    let operations = [
        append.clone().context(in_list()),
        add.context(in_map),
        lists::get_by_rank("v", -1, VALUES).context(in_list()),
    ];
    equal(run(client, key, &operations)?, as_values!(3, 10, 4))?;
    let list = as_list!(1, as_list!(2, 3, 4));
    has_value(client, key, as_map!("list" => list, "map" => as_map!("x" => 10)))?;
    let missing = vec![ctx_map_key(as_val!("missing"))];
    fails(26, run(client, key, &[append.context(missing)]))
}

fn nested_create(client: &Client, key: &Key) -> Result<()> {
    let path = ["a", "b"].map(|name| ctx_map_key_create(as_val!(name), MapOrder::KeyOrdered));
    let put = maps::put(&MapPolicy::default(), "v", as_val!("c"), as_val!(1));
    run(client, key, &[put.context(path.to_vec())])?;
    has_value(client, key, as_map!("a" => as_map!("b" => as_map!("c" => 1))))
}
