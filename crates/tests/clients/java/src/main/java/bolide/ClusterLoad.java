package bolide;

import com.aerospike.client.AerospikeClient;
import com.aerospike.client.AerospikeException;
import com.aerospike.client.Bin;
import com.aerospike.client.Key;
import com.aerospike.client.ResultCode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Load on a cluster with the client's normal policies, until the end of standard input.
 *
 * <p>Usage: ClusterLoad HOST PORT. Adds to counters and reads them back. The last line tells how many
 * requests succeeded, which failed, and which of those failures are none of the kinds that a client
 * meets while a node dies.
 */
public final class ClusterLoad {
  private static final int RECORDS = 100;
  private static final int WORKERS = 2;
  private static final int PAUSE_MS = 2;
  /**
   * A node that is gone: no answer in time, a broken connection, nobody left to ask; or one that is back, and in
   * no cluster yet.
   */
  private static final Set<Integer> EXPECTED =
      Set.of(
          ResultCode.TIMEOUT,
          ResultCode.MAX_RETRIES_EXCEEDED,
          ResultCode.SERVER_NOT_AVAILABLE,
          ResultCode.INVALID_NODE_ERROR,
          ResultCode.NO_MORE_CONNECTIONS,
          ResultCode.MAX_ERROR_RATE,
          ResultCode.PARTITION_UNAVAILABLE);

  private static volatile boolean stop;

  private final AerospikeClient client;
  private final int worker;
  private final int[] least = new int[RECORDS];
  private final int[] most = new int[RECORDS];
  private final Map<String, Integer> failed = new TreeMap<>();
  private final Map<String, Integer> unexpected = new TreeMap<>();
  private final List<String> lost = new ArrayList<>();
  private int succeeded;

  private ClusterLoad(AerospikeClient client, int worker) {
    this.client = client;
    this.worker = worker;
  }

  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[1]);
    try (AerospikeClient client = new AerospikeClient(arguments[0], port)) {
      List<ClusterLoad> loads = new ArrayList<>();
      List<Thread> threads = new ArrayList<>();
      for (int worker = 0; worker < WORKERS; worker++) {
        ClusterLoad load = new ClusterLoad(client, worker);
        loads.add(load);
        threads.add(new Thread(load::work));
      }
      threads.forEach(Thread::start);
      System.in.readAllBytes();
      stop = true;
      for (Thread thread : threads) {
        thread.join();
      }
      System.exit(report(loads) ? 0 : 1);
    }
  }

  private void work() {
    for (int turn = 0; !stop; turn++) {
      int number = turn % RECORDS;
      try {
        step(number);
      } catch (AerospikeException error) {
        String kind = error.getResultCode() + " " + ResultCode.getResultString(error.getResultCode());
        failed.merge(kind, 1, Integer::sum);
        if (!EXPECTED.contains(error.getResultCode())) {
          unexpected.merge(error.getMessage().replace('\n', ' '), 1, Integer::sum);
        }
      }
      pause();
    }
  }

  /** Adds to a counter and reads it. */
  private void step(int number) {
    Key key = new Key("test", "load", "java-" + worker + "-" + number);
    most[number]++;
    client.add(null, key, new Bin("n", 1));
    least[number]++;
    succeeded++;
    long found = client.get(null, key).getLong("n");
    succeeded++;
    if (found < least[number] || found > most[number]) {
      lost.add(key.userKey + ": " + found + " of " + least[number] + " to " + most[number]);
    }
  }

  private static void pause() {
    try {
      Thread.sleep(PAUSE_MS);
    } catch (InterruptedException error) {
      throw new IllegalStateException(error);
    }
  }

  /** Prints what all have seen; whether there was load and nothing is lost. */
  private static boolean report(List<ClusterLoad> loads) {
    int succeeded = 0;
    Map<String, Integer> failed = new TreeMap<>();
    Map<String, Integer> unexpected = new TreeMap<>();
    List<String> lost = new ArrayList<>();
    for (ClusterLoad load : loads) {
      succeeded += load.succeeded;
      load.failed.forEach((kind, count) -> failed.merge(kind, count, Integer::sum));
      load.unexpected.forEach((kind, count) -> unexpected.merge(kind, count, Integer::sum));
      lost.addAll(load.lost);
    }
    lost.stream().limit(5).forEach(line -> System.out.println("LOST " + line));
    System.out.println(
        "succeeded=" + succeeded + " failed=" + failed + " unexpected=" + unexpected);
    return lost.isEmpty() && succeeded > 0;
  }
}
