package bolide;

import static bolide.Expect.equal;
import static bolide.Expect.fails;

import com.aerospike.client.AerospikeClient;
import com.aerospike.client.Bin;
import com.aerospike.client.Key;
import com.aerospike.client.Operation;
import com.aerospike.client.Record;
import com.aerospike.client.cdt.MapReturnType;
import com.aerospike.client.exp.Exp;
import com.aerospike.client.exp.ExpOperation;
import com.aerospike.client.exp.ExpReadFlags;
import com.aerospike.client.exp.ExpWriteFlags;
import com.aerospike.client.exp.Expression;
import com.aerospike.client.exp.ListExp;
import com.aerospike.client.exp.MapExp;
import com.aerospike.client.policy.WritePolicy;
import com.aerospike.client.query.RegexFlag;
import java.util.List;
import java.util.Map;

/** Expressions: filters on commands, and operations that read and write them. */
final class ExpressionChecks {
  private static final int FILTERED_OUT = 27;
  private static final WritePolicy IS_FIVE = policy(Exp.eq(Exp.intBin("n"), Exp.val(5)));
  private static final WritePolicy IS_SIX = policy(Exp.eq(Exp.intBin("n"), Exp.val(6)));

  private final AerospikeClient client;

  ExpressionChecks(AerospikeClient client) {
    this.client = client;
  }

  void addTo(Map<String, ClientTest.Check> checks) {
    checks.put("filter_read", this::filterRead);
    checks.put("filter_write", this::filterWrite);
    checks.put("filter_delete", this::filterDelete);
    checks.put("filter_operate", this::filterOperate);
    checks.put("filter_logic", this::filterLogic);
    checks.put("filter_metadata", this::filterMetadata);
    checks.put("expression_read", this::expressionRead);
    checks.put("expression_write", this::expressionWrite);
  }

  private void filterRead(Key key) {
    equal(client.get(IS_SIX, key), null);
    put(key);
    equal(client.get(IS_FIVE, key).getLong("n"), 5L);
    fails(FILTERED_OUT, () -> client.get(IS_SIX, key));
    fails(FILTERED_OUT, () -> client.get(IS_SIX, key, "n"));
    fails(FILTERED_OUT, () -> client.getHeader(IS_SIX, key));
  }

  private void filterWrite(Key key) {
    put(key);
    fails(FILTERED_OUT, () -> client.put(IS_SIX, key, new Bin("n", 9)));
    equal(client.get(null, key).getLong("n"), 5L);
    client.put(IS_FIVE, key, new Bin("n", 6));
    equal(client.get(null, key).getLong("n"), 6L);
  }

  private void filterDelete(Key key) {
    put(key);
    fails(FILTERED_OUT, () -> client.delete(IS_SIX, key));
    equal(client.delete(IS_FIVE, key), true);
    equal(client.get(null, key), null);
  }

  private void filterOperate(Key key) {
    put(key);
    Operation[] operations = {Operation.add(new Bin("n", 1)), Operation.get("n")};
    fails(FILTERED_OUT, () -> client.operate(IS_SIX, key, operations));
    equal(ClientTest.last(client.operate(IS_FIVE, key, operations).getValue("n")), 6L);
  }

  private void filterLogic(Key key) {
    put(key);
    Exp n = Exp.intBin("n");
    Exp x =
        MapExp.getByKey(MapReturnType.VALUE, Exp.Type.INT, Exp.val("x"), Exp.mapBin("m"));
    matches(key, Exp.and(Exp.gt(n, Exp.val(4)), Exp.lt(n, Exp.val(6))));
    matches(key, Exp.or(Exp.eq(Exp.stringBin("s"), Exp.val("no")), Exp.binExists("l")));
    matches(key, Exp.not(Exp.binExists("none")));
    matches(key, Exp.regexCompare("^TE.T$", RegexFlag.ICASE, Exp.stringBin("s")));
    matches(key, Exp.eq(ListExp.size(Exp.listBin("l")), Exp.val(3)));
    matches(key, Exp.eq(x, Exp.val(7)));
  }

  private void filterMetadata(Key key) {
    WritePolicy sent = new WritePolicy();
    sent.sendKey = true;
    sent.expiration = 1000;
    client.put(sent, key, new Bin("n", 1));
    matches(key, Exp.and(Exp.gt(Exp.ttl(), Exp.val(900)), Exp.le(Exp.ttl(), Exp.val(1000))));
    matches(key, Exp.eq(Exp.setName(), Exp.val(key.setName)));
    matches(key, Exp.keyExists());
    matches(key, Exp.eq(Exp.key(Exp.Type.STRING), Exp.val(key.userKey.toString())));
    matches(key, Exp.lt(Exp.sinceUpdate(), Exp.val(60_000)));
    matches(key, Exp.gt(Exp.voidTime(), Exp.lastUpdate()));
    matches(key, Exp.gt(Exp.recordSize(), Exp.val(0)));
    matches(key, Exp.lt(Exp.digestModulo(7), Exp.val(7)));
  }

  private void expressionRead(Key key) {
    put(key);
    Exp sum = Exp.add(Exp.intBin("n"), ListExp.size(Exp.listBin("l")));
    equal(read(key, Exp.build(sum), ExpReadFlags.DEFAULT).getLong("total"), 8L);
    Expression wrong = Exp.build(Exp.add(Exp.intBin("none"), Exp.val(1)));
    fails(26, () -> read(key, wrong, ExpReadFlags.DEFAULT));
    equal(read(key, wrong, ExpReadFlags.EVAL_NO_FAIL).getValue("total"), null);
  }

  private void expressionWrite(Key key) {
    put(key);
    Expression twice = Exp.build(Exp.mul(Exp.intBin("n"), Exp.val(2)));
    client.operate(null, key, ExpOperation.write("n", twice, ExpWriteFlags.DEFAULT));
    equal(client.get(null, key).getLong("n"), 10L);
    int create = ExpWriteFlags.CREATE_ONLY;
    fails(6, () -> client.operate(null, key, ExpOperation.write("n", twice, create)));
    client.operate(null, key, ExpOperation.write("new", twice, create));
    equal(client.get(null, key).getLong("new"), 20L);
  }

  private void put(Key key) {
    Bin list = new Bin("l", List.of(1, 2, 3));
    Bin map = new Bin("m", Map.of("x", 7));
    client.put(null, key, new Bin("n", 5), new Bin("s", "text"), list, map);
  }

  private Record read(Key key, Expression expression, int flags) {
    return client.operate(null, key, ExpOperation.read("total", expression, flags));
  }

  /** The record passes this filter, and does not pass its opposite. */
  private void matches(Key key, Exp expression) {
    equal(client.get(policy(expression), key) != null, true);
    fails(FILTERED_OUT, () -> client.get(policy(Exp.not(expression)), key));
  }

  /** A policy that serves reads as well; the Java client does not report 27 unless told to. */
  private static WritePolicy policy(Exp filter) {
    WritePolicy policy = new WritePolicy();
    policy.filterExp = Exp.build(filter);
    policy.failOnFilteredOut = true;
    return policy;
  }
}
