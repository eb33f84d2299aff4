package bolide;

import com.aerospike.client.AerospikeException;
import java.util.Objects;

/** What a check may demand. */
final class Expect {
  private Expect() {}

  static void equal(Object got, Object expected) {
    if (!Objects.equals(got, expected)) {
      throw new AssertionError("got " + shortened(got) + ", expected " + shortened(expected));
    }
  }

  /** A time to live in seconds that has run for a moment. */
  static void near(int got, int expected) {
    if (got < expected - 3 || got > expected + 1) {
      throw new AssertionError("ttl " + got + ", expected about " + expected);
    }
  }

  /** The call must end with this result code. */
  static void fails(int code, Runnable call) {
    try {
      call.run();
    } catch (AerospikeException error) {
      equal(error.getResultCode(), code);
      return;
    }
    throw new AssertionError("succeeded, expected result code " + code);
  }

  static void contains(String text, String part) {
    if (text == null || !text.contains(part)) {
      throw new AssertionError("got " + shortened(text) + ", which lacks " + part);
    }
  }

  private static String shortened(Object value) {
    String text = String.valueOf(value);
    return text.length() <= 200 ? text : text.substring(0, 200) + "...";
  }
}
