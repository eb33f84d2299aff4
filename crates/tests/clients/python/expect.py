"""What the checks share: their list, fresh keys, and what they may demand."""

from aerospike import exception as ex

SET = "python"
CHECKS = []


def check(function):
    """Registers a check under its own name."""
    CHECKS.append(function)
    return function


def key(name, set_name=SET):
    return ("test", set_name, name)


def fresh(client, name):
    """A key whose record does not exist."""
    try:
        client.remove(key(name))
    except ex.RecordNotFound:
        pass
    return key(name)


def equal(got, expected):
    if got != expected or type(got) is not type(expected):
        raise AssertionError(f"got {got!r}, expected {expected!r}")


def fails(code, call, *arguments, **named):
    """The call must end with this result code."""
    try:
        call(*arguments, **named)
    except ex.AerospikeError as error:
        equal(error.code, code)
        return
    raise AssertionError(f"succeeded, expected result code {code}")


def bins_of(client, k):
    return client.get(k)[2]


def meta_of(client, k):
    return client.get(k)[1]
