package bolide;

import static bolide.ClientTest.bins;
import static bolide.ClientTest.last;
import static bolide.Expect.equal;

import com.aerospike.client.AerospikeClient;
import com.aerospike.client.BatchDelete;
import com.aerospike.client.BatchRead;
import com.aerospike.client.BatchRecord;
import com.aerospike.client.BatchWrite;
import com.aerospike.client.Bin;
import com.aerospike.client.Key;
import com.aerospike.client.Operation;
import com.aerospike.client.Record;
import com.aerospike.client.policy.BatchWritePolicy;
import com.aerospike.client.policy.GenerationPolicy;
import com.aerospike.client.policy.RecordExistsAction;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** Requests about many records. */
final class BatchChecks {
  private final AerospikeClient client;

  BatchChecks(AerospikeClient client) {
    this.client = client;
  }

  void get() {
    Key[] keys = keys("batch_get", 100);
    Record[] records = client.get(null, keys);
    for (int number = 0; number < keys.length; number++) {
      equal(records[number] == null, isMissing(number));
      if (!isMissing(number)) {
        equal(records[number].bins, bins("n", (long) number, "s", "value " + number));
      }
    }
    Record[] some = client.get(null, new Key[] {keys[5], keys[6]}, "s");
    equal(some[0].bins, bins("s", "value 5"));
    equal(some[1].bins, bins("s", "value 6"));
  }

  void header() {
    Key[] keys = keys("batch_header", 20);
    Record[] headers = client.getHeader(null, keys);
    boolean[] exist = client.exists(null, keys);
    for (int number = 0; number < keys.length; number++) {
      equal(headers[number] == null, isMissing(number));
      equal(exist[number], !isMissing(number));
      if (!isMissing(number)) {
        equal(headers[number].generation, 1);
        equal(headers[number].bins, null);
      }
    }
  }

  void mixed() {
    Key[] keys = keys("batch_mixed", 6);
    Key missing = new Key("test", "batch_mixed", "missing");
    BatchRead read = new BatchRead(keys[0], new Operation[] {Operation.get("n")});
    BatchWrite add = write(null, keys[1], Operation.add(new Bin("n", 10)), Operation.get("n"));
    BatchWrite create = write(null, keys[3], Operation.put(new Bin("n", 33)));
    BatchRead whole = new BatchRead(keys[5], true);
    List<BatchRecord> rows =
        Arrays.asList(
            read, add, create, new BatchDelete(keys[2]), whole, new BatchDelete(missing));
    client.operate(null, rows);
    equal(codes(rows), Arrays.asList(0, 0, 0, 0, 0, 2));
    equal(read.record.bins, bins("n", 0L));
    equal(last(add.record.getValue("n")), 11L);
    equal(whole.record.bins, bins("n", 5L, "s", "value 5"));
    equal(client.get(null, keys[3]).bins, bins("n", 33L));
    equal(client.get(null, keys[2]), null);
  }

  void errors() {
    Key[] keys = keys("batch_errors", 3);
    Key created = new Key("test", "batch_errors", "new");
    BatchWritePolicy createOnly = new BatchWritePolicy();
    createOnly.recordExistsAction = RecordExistsAction.CREATE_ONLY;
    BatchWritePolicy generation = new BatchWritePolicy();
    generation.generationPolicy = GenerationPolicy.EXPECT_GEN_EQUAL;
    generation.generation = 9;
    Operation one = Operation.put(new Bin("n", 1));
    List<BatchRecord> rows =
        Arrays.asList(
            write(null, keys[0], Operation.append(new Bin("n", "text"))),
            write(createOnly, keys[1], one),
            write(generation, keys[2], one),
            write(null, created, Operation.put(new Bin("n", 4))));
    equal(client.operate(null, rows), false);
    equal(codes(rows), Arrays.asList(12, 5, 3, 0));
    equal(client.get(null, created).bins, bins("n", 4L));
  }

  void large() {
    Key[] keys = keys("batch_large", 2000);
    Record[] records = client.get(null, keys);
    BatchRecord[] removed = client.delete(null, null, keys).records;
    for (int number = 0; number < keys.length; number++) {
      equal(records[number] == null, isMissing(number));
      equal(removed[number].resultCode, isMissing(number) ? 2 : 0);
      if (!isMissing(number)) {
        equal(records[number].getLong("n"), (long) number);
      }
    }
  }

  /** Keys in a set of their own; the records that are not missing exist, with bins n and s. */
  private Key[] keys(String name, int count) {
    Key[] keys = new Key[count];
    for (int number = 0; number < count; number++) {
      keys[number] = new Key("test", name, number);
      if (!isMissing(number)) {
        client.put(null, keys[number], new Bin("n", number), new Bin("s", "value " + number));
      }
    }
    return keys;
  }

  private static boolean isMissing(int number) {
    return number % 7 == 3;
  }

  private static BatchWrite write(BatchWritePolicy policy, Key key, Operation... operations) {
    return new BatchWrite(policy, key, operations);
  }

  private static List<Integer> codes(List<BatchRecord> rows) {
    return rows.stream().map(row -> row.resultCode).collect(Collectors.toList());
  }
}
