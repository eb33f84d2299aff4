"""Load on a cluster with the client's normal policies, until the end of standard input.

usage: cluster_load.py HOST PORT

Adds to counters and reads them back. The last line tells how many requests succeeded, which failed, and
which of those failures are none of the kinds that a client meets while a node dies.
"""

import collections
import sys
import threading

import aerospike
from aerospike import exception as ex

RECORDS = 100
THREADS = 2
# A node that is gone: no answer in time, a broken connection, nobody left to ask; or one that is back, and in
# no cluster yet.
EXPECTED = (ex.TimeoutError, ex.ClientError, ex.ClusterError)

stop = threading.Event()


def work(client, worker, report):
    done, failed, unexpected, lost = 0, collections.Counter(), collections.Counter(), []
    least, most = collections.Counter(), collections.Counter()
    turn = 0
    while not stop.is_set():
        name = f"python-{worker}-{turn % RECORDS}"
        key = ("test", "load", name)
        turn += 1
        most[name] += 1
        try:
            client.increment(key, "n", 1)
            least[name] += 1
            done += 1
            found = client.get(key)[2]["n"]
            done += 1
            if not least[name] <= found <= most[name]:
                lost.append(f"{name}: {found} of {least[name]} to {most[name]}")
        except ex.AerospikeError as error:
            kind = f"{type(error).__name__} {error.code} {error.msg}"
            failed[kind] += 1
            if not isinstance(error, EXPECTED):
                unexpected[kind] += 1
        stop.wait(0.002)
    report.append((done, failed, unexpected, lost))


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    client = aerospike.client({"hosts": [(host, port)]}).connect()
    report = []
    threads = [
        threading.Thread(target=work, args=(client, worker, report)) for worker in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    assert len(report) == THREADS, "a thread has ended early"
    done = sum(part[0] for part in report)
    failed, unexpected = collections.Counter(), collections.Counter()
    lost = []
    for _, its_failed, its_unexpected, its_lost in report:
        failed += its_failed
        unexpected += its_unexpected
        lost += its_lost
    for line in lost[:5]:
        print("LOST", line)
    print(f"succeeded={done} failed={dict(failed)} unexpected={dict(unexpected)}")
    client.close()
    return 1 if lost or not done else 0


if __name__ == "__main__":
    sys.exit(main())
