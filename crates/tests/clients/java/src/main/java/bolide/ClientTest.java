package bolide;

import static bolide.Expect.equal;
import static bolide.Expect.fails;
import static bolide.Expect.near;

import com.aerospike.client.AerospikeClient;
import com.aerospike.client.Bin;
import com.aerospike.client.Info;
import com.aerospike.client.Key;
import com.aerospike.client.Operation;
import com.aerospike.client.Record;
import com.aerospike.client.Value;
import com.aerospike.client.cluster.Node;
import com.aerospike.client.policy.GenerationPolicy;
import com.aerospike.client.policy.RecordExistsAction;
import com.aerospike.client.policy.WritePolicy;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Every kind of command through the official Java client. Usage: ClientTest HOST PORT LUA. */
public final class ClientTest {
  private static final String SET = "java";
  private static final int NEVER = -1;
  private static final int DONT_UPDATE = -2;
  private static final int DEFAULT = 0;

  /** One test on a key whose record does not exist. */
  interface Check {
    void run(Key key) throws Exception;
  }

  private final AerospikeClient client;
  private final Map<String, Check> checks = new LinkedHashMap<>();

  private ClientTest(AerospikeClient client, String lua) {
    this.client = client;
    checks.put("info_namespaces", this::infoNamespaces);
    checks.put("put_get", this::putGet);
    addValueChecks();
    checks.put("delete_bin", this::deleteBin);
    checks.put("select_bins", this::selectBins);
    checks.put("exists_and_header", this::existsAndHeader);
    checks.put("operate_mix", this::operateMix);
    checks.put("add_append_prepend", this::addAppendPrepend);
    checks.put("incompatible_type", this::incompatibleType);
    checks.put("ttl_seconds", this::ttlSeconds);
    checks.put("ttl_never", this::ttlNever);
    checks.put("ttl_dont_update", this::ttlDontUpdate);
    checks.put("ttl_default", this::ttlDefault);
    checks.put("ttl_expires", this::ttlExpires);
    checks.put("touch", this::touch);
    checks.put("generation_equal", this::generationEqual);
    checks.put("generation_greater", this::generationGreater);
    checks.put("create_only", this::createOnly);
    checks.put("update_only", this::updateOnly);
    checks.put("replace", this::replace);
    checks.put("replace_only", this::replaceOnly);
    checks.put("delete", this::delete);
    checks.put("durable_delete", this::durableDelete);
    checks.put("key_stored", this::keyStored);
    checks.put("key_mismatch", this::keyMismatch);
    checks.put("not_found", this::notFound);
    checks.put("record_too_big", this::recordTooBig);
    checks.put("truncate", this::truncate);
    checks.put("many_records", this::manyRecords);
    BatchChecks batches = new BatchChecks(client);
    checks.put("batch_get", key -> batches.get());
    checks.put("batch_header", key -> batches.header());
    checks.put("batch_mixed", key -> batches.mixed());
    checks.put("batch_errors", key -> batches.errors());
    checks.put("batch_large", key -> batches.large());
    new CollectionChecks(client).addTo(checks);
    new ExpressionChecks(client).addTo(checks);
    new QueryChecks(client).addTo(checks);
    new UdfChecks(client, lua).addTo(checks);
  }

  public static void main(String[] arguments) {
    int failed;
    try (AerospikeClient client =
        new AerospikeClient(arguments[0], Integer.parseInt(arguments[1]))) {
      failed = new ClientTest(client, arguments[2]).run();
    }
    System.exit(failed == 0 ? 0 : 1);
  }

  private int run() {
    int passed = 0;
    int failed = 0;
    for (Map.Entry<String, Check> check : checks.entrySet()) {
      try {
        Key key = new Key("test", SET, check.getKey());
        client.delete(null, key);
        check.getValue().run(key);
        passed++;
        System.out.println("ok " + check.getKey());
      } catch (Exception | AssertionError error) {
        failed++;
        String reason = String.valueOf(error.getMessage()).replace('\n', ' ');
        System.out.println("FAIL " + check.getKey() + " " + reason);
      }
    }
    System.out.println(passed + " passed, " + failed + " failed");
    return failed;
  }

  private void addValueChecks() {
    values("value_integer", 0L, 1L, -1L, Long.MAX_VALUE, Long.MIN_VALUE);
    values("value_float", 0.0, 1.5, -2.25e300);
    values("value_string", "", "plain", "żółć 🦀", "x".repeat(100_000));
    values("value_bool", true, false);
    values("value_list", List.of(), Arrays.asList(1L, "two", 3.5, null, List.of(4L, List.of(5L))));
    values("value_map", Map.of(), Map.of("a", 1L, "b", List.of(2L, 3L)));
    checks.put("value_blob", this::valueBlob);
    checks.put("value_geojson", this::valueGeojson);
  }

  /** A check that writes and reads each of these values. */
  private void values(String name, Object... values) {
    checks.put(
        name,
        key -> {
          for (Object value : values) {
            client.put(null, key, new Bin("v", Value.get(value)));
            equal(client.get(null, key).getValue("v"), value);
          }
        });
  }

  private void infoNamespaces(Key unused) {
    for (Node node : client.getNodes()) {
      String[] names = Info.request(null, node, "namespaces").split(";");
      Arrays.sort(names);
      equal(Arrays.asList(names), List.of("bar", "test"));
    }
  }

  private void putGet(Key key) {
    client.put(null, key, new Bin("a", 1), new Bin("b", "two"), new Bin("c", 3.5));
    Record record = client.get(null, key);
    equal(record.bins, bins("a", 1L, "b", "two", "c", 3.5));
    equal(record.generation, 1);
  }

  private void valueBlob(Key key) {
    for (byte[] value : new byte[][] {{0, 1, -1}, new byte[100_000]}) {
      client.put(null, key, new Bin("v", value));
      equal(Arrays.equals((byte[]) client.get(null, key).getValue("v"), value), true);
    }
  }

  private void valueGeojson(Key key) {
    String point = "{\"type\":\"Point\",\"coordinates\":[21.0,52.25]}";
    client.put(null, key, Bin.asGeoJSON("v", point));
    equal(client.get(null, key).getGeoJSONString("v"), point);
  }

  private void deleteBin(Key key) {
    client.put(null, key, new Bin("a", 1), new Bin("b", 2));
    client.put(null, key, Bin.asNull("a"));
    equal(client.get(null, key).bins, bins("b", 2L));
  }

  private void selectBins(Key key) {
    client.put(null, key, new Bin("a", 1), new Bin("b", 2), new Bin("c", 3));
    equal(client.get(null, key, "a", "c", "none").bins, bins("a", 1L, "c", 3L));
  }

  private void existsAndHeader(Key key) {
    equal(client.exists(null, key), false);
    client.put(null, key, new Bin("a", 1));
    equal(client.exists(null, key), true);
    Record header = client.getHeader(null, key);
    equal(header.generation, 1);
    equal(header.bins, null);
  }

  private void operateMix(Key key) {
    client.put(null, key, new Bin("n", 1), new Bin("s", "b"));
    Record record =
        client.operate(
            null,
            key,
            Operation.add(new Bin("n", 41)),
            Operation.append(new Bin("s", "c")),
            Operation.prepend(new Bin("s", "a")),
            Operation.put(new Bin("w", "new")),
            Operation.get("n"),
            Operation.get("s"),
            Operation.touch());
    equal(last(record.getValue("n")), 42L);
    equal(last(record.getValue("s")), "abc");
    equal(client.get(null, key).bins, bins("n", 42L, "s", "abc", "w", "new"));
  }

  private void addAppendPrepend(Key key) {
    client.add(null, key, new Bin("n", 5));
    client.add(null, key, new Bin("n", -7));
    client.append(null, key, new Bin("s", "b"));
    client.append(null, key, new Bin("s", "c"));
    client.prepend(null, key, new Bin("s", "a"));
    equal(client.get(null, key).bins, bins("n", -2L, "s", "abc"));
  }

  private void incompatibleType(Key key) {
    client.put(null, key, new Bin("s", "text"), new Bin("n", 1));
    fails(12, () -> client.add(null, key, new Bin("s", 1)));
    fails(12, () -> client.append(null, key, new Bin("n", "x")));
  }

  private void ttlSeconds(Key key) {
    client.put(ttl(100), key, new Bin("a", 1));
    near(client.get(null, key).getTimeToLive(), 100);
  }

  private void ttlNever(Key key) {
    client.put(ttl(100), key, new Bin("a", 1));
    client.put(ttl(NEVER), key, new Bin("a", 2));
    equal(client.get(null, key).getTimeToLive(), NEVER);
  }

  private void ttlDontUpdate(Key key) {
    client.put(ttl(100), key, new Bin("a", 1));
    client.put(ttl(DONT_UPDATE), key, new Bin("a", 2));
    near(client.get(null, key).getTimeToLive(), 100);
  }

  private void ttlDefault(Key key) {
    client.put(ttl(100), key, new Bin("a", 1));
    client.put(ttl(DEFAULT), key, new Bin("a", 2));
    equal(client.get(null, key).getTimeToLive(), NEVER);
  }

  private void ttlExpires(Key key) throws InterruptedException {
    client.put(ttl(1), key, new Bin("a", 1));
    Thread.sleep(3000);
    equal(client.get(null, key), null);
  }

  private void touch(Key key) {
    fails(2, () -> client.touch(ttl(10), key));
    client.put(ttl(100), key, new Bin("a", 1));
    client.touch(ttl(1000), key);
    Record header = client.getHeader(null, key);
    equal(header.generation, 2);
    near(header.getTimeToLive(), 1000);
  }

  private void generationEqual(Key key) {
    WritePolicy first = generation(GenerationPolicy.EXPECT_GEN_EQUAL, 1);
    client.put(null, key, new Bin("a", 1));
    client.put(first, key, new Bin("a", 2));
    fails(3, () -> client.put(first, key, new Bin("a", 3)));
    fails(3, () -> client.delete(first, key));
    equal(client.get(null, key).bins, bins("a", 2L));
  }

  private void generationGreater(Key key) {
    client.put(null, key, new Bin("a", 1));
    WritePolicy equal = generation(GenerationPolicy.EXPECT_GEN_GT, 1);
    fails(3, () -> client.put(equal, key, new Bin("a", 2)));
    client.put(generation(GenerationPolicy.EXPECT_GEN_GT, 5), key, new Bin("a", 3));
    equal(client.get(null, key).bins, bins("a", 3L));
  }

  private void createOnly(Key key) {
    WritePolicy policy = action(RecordExistsAction.CREATE_ONLY);
    client.put(policy, key, new Bin("a", 1));
    fails(5, () -> client.put(policy, key, new Bin("a", 2)));
  }

  private void updateOnly(Key key) {
    WritePolicy policy = action(RecordExistsAction.UPDATE_ONLY);
    fails(2, () -> client.put(policy, key, new Bin("a", 1)));
    client.put(null, key, new Bin("a", 1));
    client.put(policy, key, new Bin("b", 2));
    equal(client.get(null, key).bins, bins("a", 1L, "b", 2L));
  }

  private void replace(Key key) {
    client.put(null, key, new Bin("a", 1), new Bin("b", 2));
    client.put(action(RecordExistsAction.REPLACE), key, new Bin("c", 3));
    Record record = client.get(null, key);
    equal(record.bins, bins("c", 3L));
    equal(record.generation, 2);
  }

  private void replaceOnly(Key key) {
    WritePolicy policy = action(RecordExistsAction.REPLACE_ONLY);
    fails(2, () -> client.put(policy, key, new Bin("a", 1)));
    client.put(null, key, new Bin("a", 1), new Bin("b", 2));
    client.put(policy, key, new Bin("c", 3));
    equal(client.get(null, key).bins, bins("c", 3L));
  }

  private void delete(Key key) {
    client.put(null, key, new Bin("a", 1));
    equal(client.delete(null, key), true);
    equal(client.delete(null, key), false);
    equal(client.get(null, key), null);
  }

  private void durableDelete(Key key) {
    WritePolicy policy = new WritePolicy();
    policy.durableDelete = true;
    client.put(null, key, new Bin("a", 1));
    equal(client.delete(policy, key), true);
    equal(client.get(null, key), null);
    client.put(null, key, new Bin("a", 2));
    equal(client.get(null, key).bins, bins("a", 2L));
  }

  private void keyStored(Key key) {
    client.put(sendKey(), key, new Bin("a", 1));
    client.put(sendKey(), key, new Bin("a", 2));
    equal(client.get(null, key).bins, bins("a", 2L));
  }

  private void keyMismatch(Key key) {
    client.put(sendKey(), key, new Bin("a", 1));
    Key other = new Key("test", key.digest, SET, Value.get("another key"));
    fails(19, () -> client.put(sendKey(), other, new Bin("a", 2)));
  }

  private void notFound(Key key) {
    equal(client.get(null, key), null);
    equal(client.operate(null, key, Operation.get("a")), null);
  }

  private void recordTooBig(Key key) {
    fails(13, () -> client.put(null, key, new Bin("a", new byte[2 << 20])));
  }

  private void truncate(Key unused) throws InterruptedException {
    Key doomed = new Key("test", "java-doomed", 1);
    Key kept = new Key("test", "java-doomed", 2);
    client.put(null, doomed, new Bin("a", 1));
    // Records are truncated by the millisecond of their last update.
    Thread.sleep(50);
    client.truncate(null, "test", "java-doomed", null);
    equal(client.get(null, doomed), null);
    Thread.sleep(50);
    client.put(null, kept, new Bin("a", 2));
    equal(client.get(null, kept).bins, bins("a", 2L));
  }

  private void manyRecords(Key unused) {
    for (int number = 0; number < 334; number++) {
      byte[] blob = {(byte) (number >> 8), (byte) number};
      Value[] forms = {
        Value.get(number), Value.get(String.valueOf(number)), Value.get(blob)
      };
      for (Value form : forms) {
        Key key = new Key("test", "java-many", form);
        client.put(null, key, new Bin("n", number));
        equal(client.get(null, key).bins, bins("n", (long) number));
      }
    }
  }

  private static WritePolicy ttl(int seconds) {
    WritePolicy policy = new WritePolicy();
    policy.expiration = seconds;
    return policy;
  }

  private static WritePolicy action(RecordExistsAction action) {
    WritePolicy policy = new WritePolicy();
    policy.recordExistsAction = action;
    return policy;
  }

  private static WritePolicy generation(GenerationPolicy rule, int generation) {
    WritePolicy policy = new WritePolicy();
    policy.generationPolicy = rule;
    policy.generation = generation;
    return policy;
  }

  private static WritePolicy sendKey() {
    WritePolicy policy = new WritePolicy();
    policy.sendKey = true;
    return policy;
  }

  static Map<String, Object> bins(Object... namesAndValues) {
    Map<String, Object> bins = new HashMap<>();
    for (int index = 0; index < namesAndValues.length; index += 2) {
      bins.put((String) namesAndValues[index], namesAndValues[index + 1]);
    }
    return bins;
  }

  /** The last result of a bin that answered more than once in one request. */
  static Object last(Object value) {
    if (value instanceof List && !((List<?>) value).isEmpty()) {
      List<?> results = (List<?>) value;
      return results.get(results.size() - 1);
    }
    return value;
  }
}
