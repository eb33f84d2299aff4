package bolide;

import static bolide.Expect.equal;
import static bolide.Expect.fails;

import com.aerospike.client.AerospikeClient;
import com.aerospike.client.Bin;
import com.aerospike.client.Key;
import com.aerospike.client.Operation;
import com.aerospike.client.Value;
import com.aerospike.client.cdt.CTX;
import com.aerospike.client.cdt.ListOperation;
import com.aerospike.client.cdt.ListOrder;
import com.aerospike.client.cdt.ListPolicy;
import com.aerospike.client.cdt.ListReturnType;
import com.aerospike.client.cdt.ListSortFlags;
import com.aerospike.client.cdt.ListWriteFlags;
import com.aerospike.client.cdt.MapOperation;
import com.aerospike.client.cdt.MapOrder;
import com.aerospike.client.cdt.MapPolicy;
import com.aerospike.client.cdt.MapReturnType;
import com.aerospike.client.cdt.MapWriteFlags;
import com.aerospike.client.operation.BitOperation;
import com.aerospike.client.operation.BitPolicy;
import com.aerospike.client.operation.BitResizeFlags;
import com.aerospike.client.operation.HLLOperation;
import com.aerospike.client.operation.HLLPolicy;
import com.aerospike.client.operation.HLLWriteFlags;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Operations on lists, maps, bits and HyperLogLog. */
final class CollectionChecks {
  private static final int VALUES = ListReturnType.VALUE;
  private static final int KEYS = MapReturnType.KEY;
  private static final MapPolicy MAP = MapPolicy.Default;
  private static final Map<String, Long> SCORES =
      Map.of("ann", 30L, "bob", 10L, "cid", 20L, "dan", 40L);

  private final AerospikeClient client;

  CollectionChecks(AerospikeClient client) {
    this.client = client;
  }

  void addTo(Map<String, ClientTest.Check> checks) {
    checks.put("list_append_insert", this::listAppendInsert);
    checks.put("list_pop", this::listPop);
    checks.put("list_get", this::listGet);
    checks.put("list_return_types", this::listReturnTypes);
    checks.put("list_remove", this::listRemove);
    checks.put("list_ordered", this::listOrdered);
    checks.put("list_sort", this::listSort);
    checks.put("list_add_unique", this::listAddUnique);
    checks.put("map_put", this::mapPut);
    checks.put("map_get", this::mapGet);
    checks.put("map_increment", this::mapIncrement);
    checks.put("map_remove", this::mapRemove);
    checks.put("map_key_ordered", this::mapKeyOrdered);
    checks.put("map_create_only", this::mapCreateOnly);
    checks.put("nested", this::nested);
    checks.put("nested_create", this::nestedCreate);
    checks.put("bits_resize_set", this::bitsResizeSet);
    checks.put("bits_logic", this::bitsLogic);
    checks.put("bits_get_count", this::bitsGetCount);
    checks.put("hll_add_count", this::hllAddCount);
    checks.put("hll_union", this::hllUnion);
    checks.put("hll_describe", this::hllDescribe);
  }

  private void listAppendInsert(Key key) {
    Operation append = ListOperation.append("v", value(1));
    equal(run(key, append, ListOperation.appendItems("v", values(2, "x"))), list(1L, 3L));
    Operation insert = ListOperation.insert("v", 0, value(0));
    equal(run(key, insert, ListOperation.size("v")), list(4L, 4L));
    equal(run(key, ListOperation.insertItems("v", 1, values(8, 9))), list(6L));
    run(key, ListOperation.set("v", -1, value("y")));
    equal(run(key, ListOperation.increment("v", 0, value(5))), list(5L));
    equal(stored(key), list(5L, 8L, 9L, 1L, 2L, "y"));
  }

  private void listPop(Key key) {
    put(key, list(0, 1, 2, 3, 4, 5));
    Operation range = ListOperation.popRange("v", -2, 2);
    equal(run(key, ListOperation.pop("v", 0), range), list(0L, list(4L, 5L)));
    Operation trim = ListOperation.trim("v", 1, 1);
    equal(run(key, ListOperation.remove("v", 0), trim), list(1L, 1L));
    equal(stored(key), list(3L));
    run(key, ListOperation.clear("v"));
    equal(stored(key), list());
  }

  private void listGet(Key key) {
    put(key, list(30, 10, 40, 20));
    List<?> got =
        run(
            key,
            ListOperation.get("v", -1),
            ListOperation.getRange("v", 1, 2),
            ListOperation.getByIndex("v", 2, VALUES),
            ListOperation.getByIndexRange("v", 2, VALUES),
            ListOperation.getByRank("v", -1, VALUES),
            ListOperation.getByValueRange("v", value(15), value(40), VALUES));
    equal(got, list(20L, list(10L, 40L), 40L, list(40L, 20L), 40L, list(30L, 20L)));
    equal(unordered(run(key, ListOperation.getByRankRange("v", 0, 2, VALUES))), set(10L, 20L));
    fails(26, () -> run(key, ListOperation.getByIndex("v", 4, VALUES)));
  }

  private void listReturnTypes(Key key) {
    put(key, list(30, 10, 40, 20, 10));
    int[] types = {
      ListReturnType.INDEX, ListReturnType.REVERSE_INDEX,
      ListReturnType.RANK, ListReturnType.REVERSE_RANK,
      ListReturnType.COUNT, ListReturnType.EXISTS, VALUES
    };
    Operation[] gets =
        Arrays.stream(types)
            .mapToObj(type -> ListOperation.getByValue("v", value(40), type))
            .toArray(Operation[]::new);
    equal(run(key, gets), list(list(2L), list(2L), list(4L), list(0L), 1L, true, list(40L)));
    int inverted = VALUES | ListReturnType.INVERTED;
    Operation rest = ListOperation.getByValueList("v", values(10, 20), inverted);
    equal(run(key, rest), list(list(30L, 40L)));
  }

  private void listRemove(Key key) {
    put(key, list(30, 10, 40, 20, 10));
    Operation tens = ListOperation.removeByValue("v", value(10), ListReturnType.COUNT);
    equal(run(key, tens), list(2L));
    equal(run(key, ListOperation.removeByRank("v", -1, VALUES)), list(40L));
    Operation range = ListOperation.removeByValueRange("v", value(25), value(35), VALUES);
    equal(run(key, range), list(list(30L)));
    equal(stored(key), list(20L));
  }

  private void listOrdered(Key key) {
    put(key, list(3, 1));
    run(key, ListOperation.setOrder("v", ListOrder.ORDERED));
    run(key, ListOperation.append("v", value(2)));
    equal(stored(key), list(1L, 2L, 3L));
    fails(26, () -> run(key, ListOperation.insert("v", 0, value(9))));
    client.delete(null, key);
    ListPolicy ordered = new ListPolicy(ListOrder.ORDERED, ListWriteFlags.DEFAULT);
    run(key, ListOperation.appendItems(ordered, "v", values("b", 7, "a")));
    equal(stored(key), list(7L, "a", "b"));
  }

  private void listSort(Key key) {
    put(key, list(3, 1, "x", 2, 1));
    run(key, ListOperation.sort("v", ListSortFlags.DEFAULT));
    equal(stored(key), list(1L, 1L, 2L, 3L, "x"));
    run(key, ListOperation.sort("v", ListSortFlags.DROP_DUPLICATES));
    equal(stored(key), list(1L, 2L, 3L, "x"));
  }

  private void listAddUnique(Key key) {
    put(key, list(1, 2));
    int flags = ListWriteFlags.ADD_UNIQUE;
    ListPolicy unique = new ListPolicy(ListOrder.UNORDERED, flags);
    fails(24, () -> run(key, ListOperation.append(unique, "v", value(2))));
    flags |= ListWriteFlags.NO_FAIL | ListWriteFlags.PARTIAL;
    ListPolicy partial = new ListPolicy(ListOrder.UNORDERED, flags);
    equal(run(key, ListOperation.appendItems(partial, "v", values(2, 3))), list(3L));
    equal(stored(key), list(1L, 2L, 3L));
  }

  private void mapPut(Key key) {
    Map<Value, Value> items = Map.of(value("b"), value(2), value(3), value(list(4)));
    Operation put = MapOperation.put(MAP, "v", value("a"), value(1));
    equal(run(key, put, MapOperation.putItems(MAP, "v", items)), list(1L, 3L));
    Operation again = MapOperation.put(MAP, "v", value("a"), value("new"));
    equal(run(key, again, MapOperation.size("v")), list(3L, 3L));
    equal(stored(key), Map.of("a", "new", "b", 2L, 3L, list(4L)));
    run(key, MapOperation.clear("v"));
    equal(stored(key), Map.of());
  }

  private void mapGet(Key key) {
    put(key, SCORES);
    List<?> got =
        run(
            key,
            MapOperation.getByKey("v", value("cid"), MapReturnType.VALUE),
            MapOperation.getByKeyRange("v", value("b"), value("d"), MapReturnType.COUNT),
            MapOperation.getByIndex("v", 0, KEYS),
            MapOperation.getByRank("v", -1, KEYS),
            MapOperation.getByRank("v", 0, MapReturnType.VALUE),
            MapOperation.getByValue("v", value(20), KEYS),
            MapOperation.getByKey("v", value("dan"), MapReturnType.RANK));
    equal(got, list(20L, 2L, "ann", "dan", 10L, list("cid"), 3L));
    Operation range = MapOperation.getByValueRange("v", value(20), value(40), KEYS);
    equal(unordered(run(key, range)), set("ann", "cid"));
    fails(26, () -> run(key, MapOperation.getByIndex("v", 4, KEYS)));
  }

  private void mapIncrement(Key key) {
    put(key, SCORES);
    Operation more = MapOperation.increment(MAP, "v", value("ann"), value(5));
    Operation less = MapOperation.decrement(MAP, "v", value("bob"), value(1));
    equal(run(key, more, less), list(35L, 9L));
    equal(run(key, MapOperation.increment(MAP, "v", value("eve"), value(7))), list(7L));
    equal(stored(key), Map.of("ann", 35L, "bob", 9L, "cid", 20L, "dan", 40L, "eve", 7L));
  }

  private void mapRemove(Key key) {
    put(key, SCORES);
    equal(run(key, MapOperation.removeByKey("v", value("cid"), MapReturnType.VALUE)), list(20L));
    Operation small = MapOperation.removeByValueRange("v", value(0), value(15), KEYS);
    equal(run(key, small), list(list("bob")));
    equal(run(key, MapOperation.removeByRankRange("v", -1, 1, KEYS)), list(list("dan")));
    int count = MapReturnType.COUNT;
    equal(run(key, MapOperation.removeByKeyRange("v", value("a"), value("z"), count)), list(1L));
    equal(stored(key), Map.of());
  }

  private void mapKeyOrdered(Key key) {
    MapPolicy ordered = new MapPolicy(MapOrder.KEY_ORDERED, MapWriteFlags.DEFAULT);
    Map<Value, Value> items =
        Map.of(value("c"), value(1), value("a"), value(2), value("b"), value(3));
    run(key, MapOperation.putItems(ordered, "v", items));
    equal(new ArrayList<>(((Map<?, ?>) stored(key)).keySet()), list("a", "b", "c"));
    equal(run(key, MapOperation.getByIndexRange("v", 1, 2, KEYS)), list(list("b", "c")));
  }

  private void mapCreateOnly(Key key) {
    put(key, SCORES);
    MapPolicy create = new MapPolicy(MapOrder.UNORDERED, MapWriteFlags.CREATE_ONLY);
    MapPolicy update = new MapPolicy(MapOrder.UNORDERED, MapWriteFlags.UPDATE_ONLY);
    fails(24, () -> run(key, MapOperation.put(create, "v", value("ann"), value(1))));
    fails(23, () -> run(key, MapOperation.put(update, "v", value("eve"), value(1))));
    run(key, MapOperation.put(create, "v", value("eve"), value(1)));
    Map<String, Long> expected = new HashMap<>(SCORES);
    expected.put("eve", 1L);
    equal(stored(key), expected);
  }

  private void nested(Key key) {
    put(key, Map.of("list", list(1, list(2, 3)), "map", Map.of("x", 1)));
    CTX[] inList = {CTX.mapKey(value("list")), CTX.listIndex(-1)};
    CTX inMap = CTX.mapKey(value("map"));
    List<?> got =
        run(
            key,
            ListOperation.append("v", value(4), inList),
            MapOperation.increment(MAP, "v", value("x"), value(9), inMap),
            ListOperation.getByRank("v", -1, VALUES, inList));
    equal(got, list(3L, 10L, 4L));
    equal(stored(key), Map.of("list", list(1L, list(2L, 3L, 4L)), "map", Map.of("x", 10L)));
    CTX missing = CTX.mapKey(value("missing"));
    fails(26, () -> run(key, ListOperation.append("v", value(1), missing)));
  }

  private void nestedCreate(Key key) {
    CTX a = CTX.mapKeyCreate(value("a"), MapOrder.KEY_ORDERED);
    CTX b = CTX.mapKeyCreate(value("b"), MapOrder.KEY_ORDERED);
    run(key, MapOperation.put(MAP, "v", value("c"), value(1), a, b));
    equal(stored(key), Map.of("a", Map.of("b", Map.of("c", 1L))));
  }

  private void bitsResizeSet(Key key) {
    BitPolicy policy = BitPolicy.Default;
    run(key, BitOperation.resize(policy, "v", 4, BitResizeFlags.DEFAULT));
    run(key, BitOperation.set(policy, "v", 4, 8, bytes(0xff)));
    equal(shown(stored(key)), shown(bytes(0x0f, 0xf0, 0, 0)));
    run(key, BitOperation.insert(policy, "v", 1, bytes(0xaa)));
    run(key, BitOperation.remove(policy, "v", 3, 2));
    equal(shown(stored(key)), shown(bytes(0x0f, 0xaa, 0xf0)));
    run(key, BitOperation.resize(policy, "v", 2, BitResizeFlags.FROM_FRONT));
    equal(shown(stored(key)), shown(bytes(0xaa, 0xf0)));
  }

  private void bitsLogic(Key key) {
    put(key, bytes(0x0f, 0xf0, 0x55));
    BitPolicy policy = BitPolicy.Default;
    run(
        key,
        BitOperation.or(policy, "v", 0, 8, bytes(0x80)),
        BitOperation.and(policy, "v", 8, 8, bytes(0x3c)),
        BitOperation.xor(policy, "v", 16, 8, bytes(0xff)),
        BitOperation.not(policy, "v", 0, 4),
        BitOperation.lshift(policy, "v", 8, 8, 1));
    equal(shown(stored(key)), shown(bytes(0x7f, 0x60, 0xaa)));
    fails(26, () -> run(key, BitOperation.or(policy, "v", 24, 8, bytes(1))));
  }

  private void bitsGetCount(Key key) {
    put(key, bytes(0x0f, 0xf0, 0x55));
    List<?> got =
        run(
            key,
            BitOperation.count("v", 0, 24),
            BitOperation.getInt("v", 4, 8, true),
            BitOperation.lscan("v", 0, 24, true),
            BitOperation.rscan("v", 0, 16, true));
    equal(got, list(12L, -1L, 4L, 11L));
    equal(shown(run(key, BitOperation.get("v", 4, 8)).get(0)), shown(bytes(0xff)));
  }

  private void hllAddCount(Key key) {
    HLLPolicy policy = HLLPolicy.Default;
    run(key, HLLOperation.init(policy, "v", 12));
    Operation three = HLLOperation.add(policy, "v", values("a", "b", "c"));
    Operation one = HLLOperation.add(policy, "v", values("a", "d"));
    equal(run(key, three, one), list(3L, 1L));
    equal(run(key, HLLOperation.getCount("v")), list(4L));
  }

  private void hllUnion(Key key) {
    HLLPolicy policy = HLLPolicy.Default;
    Operation other = HLLOperation.add(policy, "other", values("c", "d"), 12);
    client.operate(null, key, HLLOperation.add(policy, "v", values("a", "b", "c"), 12), other);
    List<Value.HLLValue> others = List.of(client.get(null, key).getHLLValue("other"));
    Operation union = HLLOperation.getUnionCount("v", others);
    equal(run(key, union, HLLOperation.getIntersectCount("v", others)), list(4L, 1L));
    run(key, HLLOperation.setUnion(policy, "v", others));
    equal(run(key, HLLOperation.getCount("v")), list(4L));
  }

  private void hllDescribe(Key key) {
    run(key, HLLOperation.init(HLLPolicy.Default, "v", 10, 6));
    equal(run(key, HLLOperation.describe("v")), list(list(10L, 6L)));
    HLLPolicy create = new HLLPolicy(HLLWriteFlags.CREATE_ONLY);
    fails(6, () -> run(key, HLLOperation.init(create, "v", 10)));
  }

  private void put(Key key, Object value) {
    client.put(null, key, new Bin("v", Value.get(value)));
  }

  private Object stored(Key key) {
    return client.get(null, key).getValue("v");
  }

  /** The results of operations on bin v, in their order. */
  private List<?> run(Key key, Operation... operations) {
    Object result = client.operate(null, key, operations).getValue("v");
    return operations.length == 1 ? Arrays.asList(result) : (List<?>) result;
  }

  private static Value value(Object value) {
    return Value.get(value);
  }

  private static List<Value> values(Object... values) {
    return Arrays.stream(values).map(Value::get).collect(Collectors.toList());
  }

  private static List<Object> list(Object... items) {
    return Arrays.asList(items);
  }

  /** The items of the only result, for selections whose order is open. */
  private static Object unordered(List<?> results) {
    return new HashSet<>((List<?>) results.get(0));
  }

  private static Object set(Object... items) {
    return new HashSet<>(Arrays.asList(items));
  }

  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int index = 0; index < values.length; index++) {
      bytes[index] = (byte) values[index];
    }
    return bytes;
  }

  private static String shown(Object blob) {
    return Arrays.toString((byte[]) blob);
  }
}
