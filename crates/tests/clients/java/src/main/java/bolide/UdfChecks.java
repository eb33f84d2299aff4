package bolide;

import static bolide.ClientTest.bins;
import static bolide.Expect.contains;
import static bolide.Expect.equal;
import static bolide.Expect.fails;

import com.aerospike.client.AerospikeClient;
import com.aerospike.client.AerospikeException;
import com.aerospike.client.BatchRead;
import com.aerospike.client.BatchRecord;
import com.aerospike.client.BatchResults;
import com.aerospike.client.BatchUDF;
import com.aerospike.client.Bin;
import com.aerospike.client.Info;
import com.aerospike.client.Key;
import com.aerospike.client.Language;
import com.aerospike.client.Record;
import com.aerospike.client.Value;
import com.aerospike.client.cluster.Node;
import com.aerospike.client.lua.LuaConfig;
import com.aerospike.client.policy.WritePolicy;
import com.aerospike.client.query.Filter;
import com.aerospike.client.query.IndexType;
import com.aerospike.client.query.ResultSet;
import com.aerospike.client.query.Statement;
import com.aerospike.client.task.ExecuteTask;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** Functions in Lua: on records, in batches, in the background, and in aggregations. */
final class UdfChecks {
  private static final int UDF_EXECUTION = 100;
  /** The client's own code for an aggregation that ended with a failure. */
  private static final int QUERY_GENERIC = 213;
  private static final int COUNT = 200;
  private static final int POLL_MS = 50;
  private static final String SET = "udfs";
  private static final String MODULE = "checks";

  private final AerospikeClient client;
  /** The folder with the modules. */
  private final String folder;

  UdfChecks(AerospikeClient client, String folder) {
    this.client = client;
    this.folder = folder;
    // The client carries out the last reduction with a Lua of its own.
    LuaConfig.SourceDirectory = folder;
  }

  void addTo(Map<String, ClientTest.Check> checks) {
    checks.put("udf_modules", key -> modules());
    checks.put("udf_compile_error", key -> compileError());
    checks.put("udf_values", this::values);
    checks.put("udf_writes", this::writes);
    checks.put("udf_fails", this::failures);
    checks.put("udf_loops", this::loops);
    checks.put("udf_batch", key -> batch());
    checks.put("udf_background", key -> background());
    checks.put("udf_aggregate", key -> aggregateAll());
    checks.put("udf_aggregate_where", key -> aggregateWhere());
    checks.put("udf_aggregate_fails", key -> aggregateFails());
    checks.put("udf_remove", this::remove);
  }

  // Modules.

  private void register(String file) {
    client.register(null, folder + "/" + file, file, Language.LUA).waitTillComplete(POLL_MS);
  }

  /** Names of the modules, the same on all nodes; the client has no call for them. */
  private List<String> listed() {
    List<List<String>> lists = new ArrayList<>();
    for (Node node : client.getNodes()) {
      lists.add(names(Info.request(node, "udf-list")));
      equal(lists.get(lists.size() - 1), lists.get(0));
    }
    return lists.get(0);
  }

  private static List<String> names(String list) {
    return Arrays.stream(list.split("[;,]"))
        .filter(part -> part.startsWith("filename="))
        .map(part -> part.substring("filename=".length()))
        .collect(Collectors.toList());
  }

  private void modules() {
    register(MODULE + ".lua");
    equal(listed(), List.of(MODULE + ".lua"));
    String source = "function five() return 5 end";
    client.registerUdfString(null, source, "five.lua", Language.LUA).waitTillComplete(POLL_MS);
    equal(client.execute(null, key(0), "five", "five"), 5L);
    client.removeUdf(null, "five.lua");
    equal(listed(), List.of(MODULE + ".lua"));
  }

  private void compileError() {
    try {
      register("unfinished.lua");
    } catch (AerospikeException error) {
      contains(error.getMessage(), "compile_error");
      contains(error.getMessage(), "File: unfinished.lua");
      contains(error.getMessage(), "Line: 5");
      contains(error.getMessage(), "unexpected symbol near 'end'");
      equal(listed(), List.of(MODULE + ".lua"));
      return;
    }
    throw new AssertionError("what does not compile was registered");
  }

  private void remove(Key key) {
    client.removeUdf(null, MODULE + ".lua");
    equal(listed(), List.of());
    fails(UDF_EXECUTION, () -> call(key, "echo", Value.get(1)));
    // There is nothing to say about a module that is not there.
    client.removeUdf(null, MODULE + ".lua");
  }

  // Functions on one record.

  private Object call(Key key, String function, Value... arguments) {
    return client.execute(null, key, MODULE, function, arguments);
  }

  private void values(Key key) {
    Object[] values = {
      1L, Long.MIN_VALUE, 2.5, "text", true, null,
      Arrays.asList(1L, List.of("a"), null), Map.of("k", List.of(1L, Map.of("x", 2.5)))
    };
    for (Object value : values) {
      equal(call(key, "echo", Value.get(value)), value);
    }
    byte[] blob = {0, -1, 7};
    equal(Arrays.equals((byte[]) call(key, "echo", Value.get(blob)), blob), true);
    byte[] made = (byte[]) call(key, "bytes_of", Value.get("made"));
    equal(new String(made), "made");
    client.put(null, key, new Bin("n", 7));
    equal(call(key, "described"), Map.of("n", 7L, "names", List.of("n", "group")));
  }

  private void writes(Key key) {
    equal(call(key, "add", Value.get("n"), Value.get(5)), 5L);
    equal(call(key, "add", Value.get("n"), Value.get(2)), 7L);
    Record record = client.get(null, key);
    equal(record.bins, bins("n", 7L));
    equal(record.generation, 2);
    equal(call(key, "remove"), 0L);
    equal(client.get(null, key), null);
  }

  private static void failsWith(String text, Runnable call) {
    failsWith(UDF_EXECUTION, text, call);
  }

  /** The call ends with this code, and with this text. */
  private static void failsWith(int code, String text, Runnable call) {
    try {
      call.run();
    } catch (AerospikeException error) {
      equal(error.getResultCode(), code);
      contains(error.getMessage(), text);
      return;
    }
    throw new AssertionError("succeeded, expected " + text);
  }

  private void failures(Key key) {
    failsWith("checks.lua:28: on purpose", () -> call(key, "fail"));
    failsWith("function not found", () -> call(key, "none"));
    failsWith("UDF: Execution Error 1", () -> client.execute(null, key, "nowhere", "echo"));
    equal(client.get(null, key), null);
  }

  private void loops(Key key) {
    WritePolicy patient = new WritePolicy();
    patient.totalTimeout = 0;
    failsWith("UDF Execution Timeout", () -> client.execute(patient, key, MODULE, "loop"));
    equal(call(key, "echo", Value.get(3)), 3L);
  }

  // Functions on many records.

  private static Key key(long number) {
    return new Key("test", SET, number);
  }

  private Key[] putAll() {
    Key[] keys = new Key[COUNT];
    for (int number = 0; number < COUNT; number++) {
      keys[number] = key(number);
      client.delete(null, keys[number]);
      client.put(null, keys[number], new Bin("n", number), new Bin("group", "g" + number % 3));
    }
    return keys;
  }

  private void batch() {
    Key[] keys = Arrays.copyOf(putAll(), 50);
    BatchResults results =
        client.execute(null, null, keys, MODULE, "add", Value.get("extra"), Value.get(4));
    equal(results.status, true);
    for (BatchRecord row : results.records) {
      equal(row.resultCode, 0);
      equal(row.record.getUDFResult(), 4L);
    }
    Value[] one = {Value.get("extra"), Value.get(1)};
    BatchRead read = new BatchRead(keys[0], true);
    BatchUDF failing = new BatchUDF(keys[1], MODULE, "fail", new Value[0]);
    List<BatchRecord> rows = List.of(new BatchUDF(keys[0], MODULE, "add", one), read, failing);
    equal(client.operate(null, rows), false);
    equal(
        rows.stream().map(row -> row.resultCode).collect(Collectors.toList()),
        List.of(0, 0, UDF_EXECUTION));
    equal(read.record.bins, bins("n", 0L, "group", "g0", "extra", 5L));
    contains(failing.record.getUDFError(), "on purpose");
  }

  private static Statement statement(Filter filter) {
    Statement statement = new Statement();
    statement.setNamespace("test");
    statement.setSetName(SET);
    statement.setFilter(filter);
    return statement;
  }

  private void background() {
    Key[] keys = putAll();
    client
        .createIndex(null, "test", SET, "udfs_by_n", "n", IndexType.NUMERIC)
        .waitTillComplete(POLL_MS);
    Value[] one = {Value.get("all"), Value.get(1)};
    client.execute(null, statement(null), MODULE, "add", one).waitTillComplete(POLL_MS);
    Value[] nine = {Value.get("some"), Value.get(9)};
    Filter some = Filter.range("n", 50, 99);
    ExecuteTask task = client.execute(null, statement(some), MODULE, "add", nine);
    task.waitTillComplete(POLL_MS);
    equal(succeededIn("query-show:trid=" + Long.toUnsignedString(task.getTaskId())), 50);
    for (int number = 0; number < COUNT; number++) {
      Map<String, Object> expected = bins("n", (long) number, "group", "g" + number % 3);
      expected.put("all", 1L);
      if (number >= 50 && number < 100) {
        expected.put("some", 9L);
      }
      equal(client.get(null, keys[number]).bins, expected);
    }
  }

  /** How many records all nodes together have changed in a job, and none in vain. */
  private int succeededIn(String job) {
    Pattern counts = Pattern.compile(":recs-succeeded=(\\d+):recs-failed=0:");
    int sum = 0;
    for (Node node : client.getNodes()) {
      String shown = Info.request(node, job);
      Matcher found = counts.matcher(shown);
      equal(found.find() ? "" : shown, "");
      sum += Integer.parseInt(found.group(1));
    }
    return sum;
  }

  // Aggregations.

  private static List<Object> aggregate(
      AerospikeClient client, Filter filter, String function, Value... arguments) {
    List<Object> results = new ArrayList<>();
    try (ResultSet all =
        client.queryAggregate(null, statement(filter), MODULE, function, arguments)) {
      all.forEach(results::add);
    }
    return results;
  }

  private void total(Filter filter, Object... expected) {
    equal(aggregate(client, filter, "total"), List.of(expected));
  }

  private void groups(Filter filter, Map<String, Long> expected) {
    equal(aggregate(client, filter, "groups"), List.of(expected));
  }

  /** What is not below the limit are the numbers from `begin` to `end`. */
  private void large(Filter filter, long limit, long begin, long end) {
    List<Object> results = aggregate(client, filter, "large", Value.get(limit));
    List<Object> expected = LongStream.range(begin, end).boxed().collect(Collectors.toList());
    equal(results.stream().sorted().collect(Collectors.toList()), expected);
  }

  private void aggregateAll() {
    total(null, COUNT * (COUNT - 1) / 2L);
    groups(null, Map.of("g0", 67L, "g1", 67L, "g2", 66L));
    large(null, 150, 150, COUNT);
    large(null, COUNT, COUNT, COUNT);
  }

  private void aggregateWhere() {
    Filter some = Filter.range("n", 10, 19);
    total(some, 145L);
    groups(some, Map.of("g0", 3L, "g1", 4L, "g2", 3L));
    large(some, 15, 15, 20);
    total(Filter.equal("n", COUNT));
  }

  private void aggregateFails() {
    // The client leaves the last message of such a query unread, and uses the connection again.
    try (AerospikeClient other = new AerospikeClient(null, client.getNodes()[0].getHost())) {
      failsWith(QUERY_GENERIC, "on purpose", () -> aggregate(other, null, "broken"));
    }
    total(null, COUNT * (COUNT - 1) / 2L);
  }
}
