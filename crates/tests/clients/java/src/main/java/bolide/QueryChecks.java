package bolide;

import static bolide.Expect.equal;
import static bolide.Expect.fails;

import com.aerospike.client.AerospikeClient;
import com.aerospike.client.Bin;
import com.aerospike.client.Info;
import com.aerospike.client.Key;
import com.aerospike.client.Operation;
import com.aerospike.client.Record;
import com.aerospike.client.Value;
import com.aerospike.client.cdt.CTX;
import com.aerospike.client.cluster.Node;
import com.aerospike.client.exp.Exp;
import com.aerospike.client.exp.Expression;
import com.aerospike.client.policy.QueryDuration;
import com.aerospike.client.policy.QueryPolicy;
import com.aerospike.client.policy.RecordExistsAction;
import com.aerospike.client.policy.ScanPolicy;
import com.aerospike.client.policy.WritePolicy;
import com.aerospike.client.query.Filter;
import com.aerospike.client.query.IndexCollectionType;
import com.aerospike.client.query.IndexType;
import com.aerospike.client.query.KeyRecord;
import com.aerospike.client.query.PartitionFilter;
import com.aerospike.client.query.RecordSet;
import com.aerospike.client.query.Statement;
import com.aerospike.client.task.ExecuteTask;
import com.aerospike.client.task.IndexTask;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongPredicate;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** Scans, secondary indexes and queries with them, and operations in the background. */
final class QueryChecks {
  private static final int INDEX_NOT_FOUND = 201;
  private static final int COUNT = 300;
  private static final int POLL_MS = 50;
  private static final String SET = "queries";
  private static final String CHANGES = "query_changes";
  private static final String BACKGROUND = "query_background";
  private static final CTX DEEP = CTX.mapKey(Value.get("deep"));
  private static final IndexCollectionType LIST = IndexCollectionType.LIST;
  private static final IndexCollectionType KEYS = IndexCollectionType.MAPKEYS;
  private static final IndexCollectionType VALUES = IndexCollectionType.MAPVALUES;

  private final AerospikeClient client;
  /** Name and set of each index. */
  private final Map<String, String> indexes = new LinkedHashMap<>();

  QueryChecks(AerospikeClient client) {
    this.client = client;
  }

  void addTo(Map<String, ClientTest.Check> checks) {
    checks.put("scan_set", key -> scanSet());
    checks.put("scan_bins", key -> scanBins());
    checks.put("scan_no_bins", key -> scanNoBins());
    checks.put("scan_max_records", key -> scanMaxRecords());
    checks.put("scan_rate", key -> scanRate());
    checks.put("scan_filter", key -> scanFilter());
    checks.put("scan_partitions", key -> scanPartitions());
    checks.put("scan_resume", key -> scanResume());
    checks.put("index_create", key -> indexCreate());
    checks.put("query_integer", key -> queryInteger());
    checks.put("query_string", key -> queryString());
    checks.put("query_blob", key -> queryBlob());
    checks.put("query_list", key -> queryList());
    checks.put("query_map", key -> queryMap());
    checks.put("query_nested", key -> queryNested());
    checks.put("query_geo_region", key -> queryGeoRegion());
    checks.put("query_geo_point", key -> queryGeoPoint());
    checks.put("query_filter", key -> queryFilter());
    checks.put("query_bins", key -> queryBins());
    checks.put("query_max_records", key -> queryMaxRecords());
    checks.put("query_resume", key -> queryResume());
    checks.put("query_short", key -> queryShort());
    checks.put("query_changes", key -> queryChanges());
    checks.put("query_expired", key -> queryExpired());
    checks.put("query_no_index", key -> queryNoIndex());
    checks.put("background_scan", key -> backgroundScan());
    checks.put("background_query", key -> backgroundQuery());
    checks.put("background_filter", key -> backgroundFilter());
    checks.put("background_abort", key -> backgroundAbort());
    checks.put("index_drop", key -> indexDrop());
  }

  // The records.

  /** Longitude of a record's point; its region is a square around it. */
  private static long longitude(long number) {
    return number % 20;
  }

  private static long latitude(long number) {
    return number / 20;
  }

  private static String rectangle(double left, double bottom, double right, double top) {
    double[][] corners = {
      {left, bottom}, {right, bottom}, {right, top}, {left, top}, {left, bottom}
    };
    return "{\"type\":\"Polygon\",\"coordinates\":[" + Arrays.deepToString(corners) + "]}";
  }

  private static String point(double longitude, double latitude) {
    return "{\"type\":\"Point\",\"coordinates\":[" + longitude + "," + latitude + "]}";
  }

  private static List<Long> listOf(long number) {
    return List.of(number % 10, 100 + number % 3);
  }

  private void putAll() {
    for (long number = 0; number < COUNT; number++) {
      long x = longitude(number);
      long y = latitude(number);
      client.put(
          null,
          new Key("test", SET, number),
          new Bin("n", number),
          new Bin("s", "group " + number % 7),
          new Bin("b", new byte[] {(byte) (number % 5), -1}),
          new Bin("l", listOf(number)),
          new Bin("m", Map.of("k" + number % 4, number % 6, "all", 1000 + number)),
          new Bin("d", Map.of("deep", List.of(number % 8, 50L))),
          Bin.asGeoJSON("p", point(x, y)),
          Bin.asGeoJSON("r", rectangle(x - 0.75, y - 0.75, x + 0.75, y + 0.75)));
    }
  }

  /** The numbers of the records for which this is so. */
  private static List<Long> those(LongPredicate condition) {
    return LongStream.range(0, COUNT).filter(condition).boxed().collect(Collectors.toList());
  }

  private static List<Long> range(long begin, long end) {
    return LongStream.range(begin, end).boxed().collect(Collectors.toList());
  }

  // Asking for them.

  private List<KeyRecord> scan(
      ScanPolicy policy, PartitionFilter part, String set, String... bins) {
    List<KeyRecord> records = Collections.synchronizedList(new ArrayList<>());
    client.scanPartitions(
        policy, part, "test", set, (key, record) -> records.add(new KeyRecord(key, record)), bins);
    return records;
  }

  private List<KeyRecord> scan(ScanPolicy policy, String... bins) {
    return scan(policy, PartitionFilter.all(), SET, bins);
  }

  private static Statement statement(String set, Filter filter) {
    Statement statement = new Statement();
    statement.setNamespace("test");
    statement.setSetName(set);
    statement.setFilter(filter);
    return statement;
  }

  private List<KeyRecord> query(QueryPolicy policy, PartitionFilter part, Statement statement) {
    List<KeyRecord> records = new ArrayList<>();
    try (RecordSet all = client.queryPartitions(policy, statement, part)) {
      all.forEach(records::add);
    }
    return records;
  }

  private List<Long> query(String set, Filter filter) {
    return numbers(query(null, PartitionFilter.all(), statement(set, filter)));
  }

  /** The records that a query with this where clause finds are these. */
  private void finds(Filter filter, List<Long> expected) {
    equal(query(SET, filter), expected);
  }

  private void findsNoIndex(String set, Filter filter) {
    fails(INDEX_NOT_FOUND, () -> query(set, filter));
  }

  /** Which records these are, each as often as it was returned. */
  private static List<Long> numbers(List<KeyRecord> records) {
    List<Long> numbers = new ArrayList<>();
    records.forEach(row -> numbers.add(row.record.getLong("n")));
    Collections.sort(numbers);
    return numbers;
  }

  private static Expression isMultipleOf(long divisor) {
    return Exp.build(Exp.eq(Exp.mod(Exp.intBin("n"), Exp.val(divisor)), Exp.val(0)));
  }

  // Scans.

  private void scanSet() {
    putAll();
    List<KeyRecord> rows = Collections.synchronizedList(new ArrayList<>());
    client.scanAll(null, "test", SET, (key, record) -> rows.add(new KeyRecord(key, record)));
    equal(numbers(rows), range(0, COUNT));
    for (KeyRecord row : rows) {
      long number = row.record.getLong("n");
      equal(row.key.equals(new Key("test", SET, number)), true);
      equal(row.record.generation, 1);
      equal(row.record.getList("l"), listOf(number));
      equal(row.record.bins.size(), 8);
    }
    equal(scan(null, PartitionFilter.all(), "no-such-set").size(), 0);
  }

  private void scanBins() {
    List<KeyRecord> rows = scan(null, "n", "s", "none");
    equal(numbers(rows), range(0, COUNT));
    for (KeyRecord row : rows) {
      long number = row.record.getLong("n");
      equal(row.record.bins, ClientTest.bins("n", number, "s", "group " + number % 7));
    }
  }

  private void scanNoBins() {
    ScanPolicy policy = new ScanPolicy();
    policy.includeBinData = false;
    List<KeyRecord> rows = scan(policy);
    equal(rows.size(), COUNT);
    Set<Key> keys = new HashSet<>();
    for (KeyRecord row : rows) {
      equal(row.record.bins, null);
      keys.add(row.key);
    }
    Set<Key> expected = new HashSet<>();
    for (long number = 0; number < COUNT; number++) {
      expected.add(new Key("test", SET, number));
    }
    equal(keys, expected);
  }

  private void scanMaxRecords() {
    ScanPolicy policy = new ScanPolicy();
    policy.maxRecords = 50;
    List<Long> some = numbers(scan(policy));
    equal(some.size(), 50);
    equal(new HashSet<>(some).size(), 50);
  }

  private void scanRate() {
    ScanPolicy policy = new ScanPolicy();
    policy.recordsPerSecond = 1000;
    equal(numbers(scan(policy)), range(0, COUNT));
  }

  private void scanFilter() {
    ScanPolicy policy = new ScanPolicy();
    policy.filterExp = isMultipleOf(2);
    equal(numbers(scan(policy)), those(n -> n % 2 == 0));
  }

  private void scanPartitions() {
    List<KeyRecord> all = new ArrayList<>();
    for (int begin = 0; begin < 4096; begin += 1024) {
      List<KeyRecord> some = scan(null, PartitionFilter.range(begin, 1024), SET);
      equal(!some.isEmpty() && some.size() < COUNT, true);
      all.addAll(some);
    }
    equal(numbers(all), range(0, COUNT));
  }

  private void scanResume() {
    ScanPolicy policy = new ScanPolicy();
    policy.maxRecords = 70;
    PartitionFilter rest = PartitionFilter.all();
    List<KeyRecord> all = new ArrayList<>();
    while (!rest.isDone()) {
      List<KeyRecord> page = scan(policy, rest, SET);
      equal(page.size() <= 70, true);
      all.addAll(page);
    }
    equal(numbers(all), range(0, COUNT));
  }

  // Indexes.

  private IndexTask create(
      String set, String bin, IndexType type, IndexCollectionType kind, CTX... context) {
    String name = "index-" + indexes.size();
    indexes.put(name, set);
    return client.createIndex(null, "test", set, name, bin, type, kind, context);
  }

  private void indexCreate() {
    IndexCollectionType whole = IndexCollectionType.DEFAULT;
    List<IndexTask> tasks =
        List.of(
            create(SET, "n", IndexType.NUMERIC, whole),
            create(SET, "s", IndexType.STRING, whole),
            create(SET, "b", IndexType.BLOB, whole),
            create(SET, "p", IndexType.GEO2DSPHERE, whole),
            create(SET, "r", IndexType.GEO2DSPHERE, whole),
            create(SET, "l", IndexType.NUMERIC, LIST),
            create(SET, "m", IndexType.STRING, KEYS),
            create(SET, "m", IndexType.NUMERIC, VALUES),
            create(SET, "d", IndexType.NUMERIC, LIST, DEEP),
            create(CHANGES, "n", IndexType.NUMERIC, whole),
            create(BACKGROUND, "n", IndexType.NUMERIC, whole));
    tasks.forEach(task -> task.waitTillComplete(POLL_MS));
  }

  private void indexDrop() {
    finds(Filter.equal("n", 42), List.of(42L));
    List<IndexTask> tasks = new ArrayList<>();
    indexes.forEach((name, set) -> tasks.add(client.dropIndex(null, "test", set, name)));
    tasks.forEach(task -> task.waitTillComplete(POLL_MS));
    findsNoIndex(SET, Filter.equal("n", 42));
    findsNoIndex(SET, Filter.contains("l", LIST, 4));
    findsNoIndex(SET, Filter.contains("d", LIST, 6, DEEP));
    // Created again, it has the records that exist already.
    client.createIndex(null, "test", SET, "by_n", "n", IndexType.NUMERIC).waitTillComplete(POLL_MS);
    finds(Filter.equal("n", 42), List.of(42L));
    client.dropIndex(null, "test", SET, "by_n").waitTillComplete(POLL_MS);
  }

  // Queries.

  private void queryInteger() {
    finds(Filter.equal("n", 42), List.of(42L));
    finds(Filter.range("n", 100, 149), range(100, 150));
    finds(Filter.range("n", -5, 3), range(0, 4));
    finds(Filter.equal("n", COUNT), List.of());
  }

  private void queryString() {
    finds(Filter.equal("s", "group 3"), those(n -> n % 7 == 3));
    finds(Filter.equal("s", "group 7"), List.of());
  }

  private void queryBlob() {
    finds(Filter.equal("b", new byte[] {2, -1}), those(n -> n % 5 == 2));
    finds(Filter.equal("b", new byte[] {2}), List.of());
  }

  private void queryList() {
    finds(Filter.contains("l", LIST, 4), those(n -> n % 10 == 4));
    finds(Filter.contains("l", LIST, 101), those(n -> n % 3 == 1));
    finds(Filter.range("l", LIST, 3, 5), those(n -> n % 10 >= 3 && n % 10 <= 5));
  }

  private void queryMap() {
    finds(Filter.contains("m", KEYS, "k2"), those(n -> n % 4 == 2));
    finds(Filter.contains("m", KEYS, "all"), range(0, COUNT));
    finds(Filter.contains("m", VALUES, 5), those(n -> n % 6 == 5));
    finds(Filter.range("m", VALUES, 1010, 1019), range(10, 20));
  }

  private void queryNested() {
    finds(Filter.contains("d", LIST, 6, DEEP), those(n -> n % 8 == 6));
    finds(Filter.range("d", LIST, 2, 3, DEEP), those(n -> n % 8 == 2 || n % 8 == 3));
  }

  private void queryGeoRegion() {
    List<Long> inBox =
        those(
            n ->
                longitude(n) >= 5 && longitude(n) <= 9 && latitude(n) >= 3 && latitude(n) <= 6);
    List<Long> inCircle =
        those(n -> Math.pow(longitude(n) - 10, 2) + Math.pow(latitude(n) - 5, 2) <= 7);
    finds(Filter.geoWithinRegion("p", rectangle(4.5, 2.5, 9.5, 6.5)), inBox);
    finds(Filter.geoWithinRadius("p", 10.0, 5.0, 300_000.0), inCircle);
  }

  private void queryGeoPoint() {
    List<Long> near =
        those(
            n -> Math.abs(longitude(n) - 7.2) < 0.75 && Math.abs(latitude(n) - 4.3) < 0.75);
    finds(Filter.geoContains("r", point(7.2, 4.3)), near);
    finds(Filter.geoContains("r", point(-40.0, 4.3)), List.of());
  }

  private void queryFilter() {
    QueryPolicy policy = new QueryPolicy();
    policy.filterExp = isMultipleOf(5);
    List<KeyRecord> rows =
        query(policy, PartitionFilter.all(), statement(SET, Filter.range("n", 50, 99)));
    equal(numbers(rows), those(n -> n >= 50 && n < 100 && n % 5 == 0));
  }

  private void queryBins() {
    Statement statement = statement(SET, Filter.range("n", 10, 12));
    QueryPolicy policy = new QueryPolicy();
    policy.includeBinData = false;
    List<KeyRecord> headers = query(policy, PartitionFilter.all(), statement);
    equal(headers.size(), 3);
    headers.forEach(row -> equal(row.record.bins, null));
    statement.setBinNames("n", "l");
    List<KeyRecord> rows = query(null, PartitionFilter.all(), statement);
    equal(numbers(rows), range(10, 13));
    rows.forEach(row -> equal(row.record.bins.size(), 2));
  }

  private void queryMaxRecords() {
    Statement statement = statement(SET, Filter.range("n", 100, 199));
    statement.setMaxRecords(20);
    List<Long> some = numbers(query(null, PartitionFilter.all(), statement));
    equal(some.size(), 20);
    equal(new HashSet<>(some).size(), 20);
    equal(range(100, 200).containsAll(some), true);
  }

  private void queryResume() {
    Statement statement = statement(SET, Filter.range("n", 20, 279));
    statement.setMaxRecords(70);
    PartitionFilter rest = PartitionFilter.all();
    List<KeyRecord> all = new ArrayList<>();
    while (!rest.isDone()) {
      List<KeyRecord> page = query(null, rest, statement);
      equal(page.size() <= 70, true);
      all.addAll(page);
    }
    equal(numbers(all), range(20, 280));
    all.clear();
    for (int begin = 0; begin < 4096; begin += 1024) {
      Statement group = statement(SET, Filter.equal("s", "group 1"));
      all.addAll(query(null, PartitionFilter.range(begin, 1024), group));
    }
    equal(numbers(all), those(n -> n % 7 == 1));
  }

  private void queryShort() {
    QueryPolicy policy = new QueryPolicy();
    policy.expectedDuration = QueryDuration.SHORT;
    Statement statement = statement(SET, Filter.range("n", 5, 30));
    equal(numbers(query(policy, PartitionFilter.all(), statement)), range(5, 31));
  }

  private void queryChanges() {
    Key[] keys = new Key[20];
    for (int number = 0; number < keys.length; number++) {
      keys[number] = new Key("test", CHANGES, number);
      client.put(null, keys[number], new Bin("n", number), new Bin("other", 1));
    }
    equal(query(CHANGES, Filter.range("n", 0, 999)), range(0, 20));
    client.put(null, keys[3], new Bin("n", 103));
    client.add(null, keys[4], new Bin("n", 100));
    client.delete(null, keys[5]);
    client.put(null, keys[6], Bin.asNull("n"));
    client.put(null, keys[7], new Bin("n", "text"));
    client.put(null, keys[8], new Bin("n", 8), new Bin("more", 2));
    equal(query(CHANGES, Filter.equal("n", 3)), List.of());
    List<Long> left = range(0, 3);
    left.addAll(range(8, 20));
    left.addAll(range(103, 105));
    equal(query(CHANGES, Filter.range("n", 0, 999)), left);
    client.put(null, keys[5], new Bin("n", 5));
    equal(query(CHANGES, Filter.equal("n", 5)), List.of(5L));
  }

  private void queryExpired() throws InterruptedException {
    for (long number = 2000; number < 2010; number++) {
      WritePolicy policy = new WritePolicy();
      policy.expiration = number % 2 == 0 ? 1000 : 1;
      client.put(policy, new Key("test", CHANGES, number), new Bin("n", number));
    }
    Thread.sleep(3000);
    List<Long> left = List.of(2000L, 2002L, 2004L, 2006L, 2008L);
    equal(query(CHANGES, Filter.range("n", 2000, 2999)), left);
  }

  private void queryNoIndex() {
    findsNoIndex(SET, Filter.equal("none", 1));
    findsNoIndex(SET, Filter.equal("n", "text"));
    findsNoIndex(SET, Filter.contains("l", KEYS, 1));
    findsNoIndex("no-such-set", Filter.equal("n", 1));
  }

  // Operations in the background.

  /** Writes 200 records; their generations. */
  private int[] backgroundRecords() {
    WritePolicy policy = new WritePolicy();
    policy.recordExistsAction = RecordExistsAction.REPLACE;
    int[] generations = new int[200];
    for (int number = 0; number < generations.length; number++) {
      Key key = new Key("test", BACKGROUND, number);
      client.put(policy, key, new Bin("n", number), new Bin("count", 0));
      generations[number] = client.getHeader(null, key).generation;
    }
    return generations;
  }

  private void backgroundScan() {
    int[] generations = backgroundRecords();
    Operation[] operations = {
      Operation.add(new Bin("count", 1)), Operation.put(new Bin("done", "yes"))
    };
    client.execute(null, statement(BACKGROUND, null), operations).waitTillComplete(POLL_MS);
    for (int number = 0; number < generations.length; number++) {
      Record record = client.get(null, new Key("test", BACKGROUND, number));
      equal(record.bins, ClientTest.bins("n", (long) number, "count", 1L, "done", "yes"));
      equal(record.generation, generations[number] + 1);
    }
  }

  private void backgroundQuery() {
    int[] generations = backgroundRecords();
    // Every changed record stays in the index, under another value.
    Operation[] operations = {
      Operation.add(new Bin("count", 1)), Operation.add(new Bin("n", 30))
    };
    Statement statement = statement(BACKGROUND, Filter.range("n", 50, 99));
    client.execute(null, statement, operations).waitTillComplete(POLL_MS);
    for (int number = 0; number < generations.length; number++) {
      long times = number >= 50 && number < 100 ? 1 : 0;
      Record record = client.get(null, new Key("test", BACKGROUND, number));
      equal(record.bins, ClientTest.bins("n", number + 30 * times, "count", times));
      equal(record.generation, generations[number] + (int) times);
    }
  }

  private void backgroundFilter() {
    backgroundRecords();
    WritePolicy policy = new WritePolicy();
    policy.filterExp = Exp.build(Exp.lt(Exp.intBin("n"), Exp.val(60)));
    Statement statement = statement(BACKGROUND, Filter.range("n", 50, 99));
    Operation add = Operation.add(new Bin("count", 1));
    client.execute(policy, statement, add).waitTillComplete(POLL_MS);
    for (long number = 0; number < 200; number++) {
      long times = number >= 50 && number < 60 ? 1 : 0;
      Record record = client.get(null, new Key("test", BACKGROUND, number));
      equal(record.bins, ClientTest.bins("n", number, "count", times));
    }
  }

  private void backgroundAbort() throws InterruptedException {
    backgroundRecords();
    Statement statement = statement(BACKGROUND, null);
    statement.setRecordsPerSecond(20);
    ExecuteTask task = client.execute(null, statement, Operation.add(new Bin("count", 1)));
    String job = "trid=" + Long.toUnsignedString(task.getTaskId());
    Thread.sleep(500);
    allSay("query-show:" + job, ":status=active(ok):");
    allSay("query-abort:" + job, "ok");
    task.waitTillComplete(POLL_MS);
    allSay("query-show:" + job, ":status=done(user-aborted):");
    long changed = 0;
    for (KeyRecord row : scan(null, PartitionFilter.all(), BACKGROUND)) {
      changed += row.record.getLong("count");
    }
    equal(changed > 0 && changed < 200, true);
  }

  /** The answers of all nodes have this part: every node has its part of a job. */
  private void allSay(String command, String part) {
    for (Node node : client.getNodes()) {
      Expect.contains(Info.request(node, command), part);
    }
  }
}
