"""Fixtures of the end-to-end tests and of the faults: run as root, with Debian's
python3-pytest.

    MAILBRAKE_BUILD=/path/to/build /usr/bin/python3 -m pytest test/e2e test/faults [-m timing]

MAILBRAKE_BUILD is a build folder with daemon/mailbraked, cli/mailbrake and
test/support/. Tests marked `timing` hold bounds of time or of concurrency; they are worth
running on a release build too. Everything lives in one folder under /run and is gone at
the end. Most stories wait most of the time: with `-n 5 --dist loadgroup` five run at a
time, each process with a Postfix and a Redis of its own; those marked `timing` want to be
alone."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "e2e"))

from mailbraked import Mailbraked  # noqa: E402
from postfix import Postfix  # noqa: E402
from redis import Redis  # noqa: E402
from relay import Relay, lists_for_postfix  # noqa: E402
from stores import MEMORY, redis_settings  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]


def pytest_configure(config):
    if os.geteuid() != 0:
        raise pytest.UsageError("the end-to-end tests run Postfix and need to be root")
    # Ended from outside it stops its servers, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Stories about the package stay in one process, which builds it once, and come first:
    they take the longest."""
    about_package = [item for item in items if "package" in item.fixturenames]
    for item in about_package:
        item.add_marker(pytest.mark.xdist_group("package"))
    items.sort(key=lambda item: item not in about_package)


class Build:
    def __init__(self, folder):
        self.dir = pathlib.Path(folder).resolve()
        self.mailbraked = self.dir / "daemon" / "mailbraked"
        self.mailbrake = self.dir / "cli" / "mailbrake"
        self.milter_client = self.dir / "test" / "support" / "milter-client"
        self.milter_load = self.dir / "test" / "support" / "milter-load"
        self.read_log = self.dir / "test" / "support" / "read-log"
        cache = (self.dir / "CMakeCache.txt").read_text()
        self.sanitized = re.search(r"^MAILBRAKE_SANITIZE:\w+=\S", cache, re.MULTILINE) is not None
        self.counts_lines = "gcov_exit" in cache  # script/coverage
        kind = re.search(r"^CMAKE_BUILD_TYPE:\w+=(\w*)", cache, re.MULTILINE)[1]
        self.release = not self.sanitized and kind in ("Release", "RelWithDebInfo")
        # How far past a promised time an answer may come: a sanitizer is no promise.
        self.slack_ms = 50 if self.release else 1000


    def kill(self, process):
        """Ends a process at once; one whose lines are counted writes them down."""
        if self.counts_lines:
            process.send_signal(signal.SIGUSR2)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def build():
    return Build(os.environ.get("MAILBRAKE_BUILD", ROOT / "build" / "debug"))


@pytest.fixture(scope="session")
def folder():
    """Under /run, since a milter's socket may not lie below a world-writable folder."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="mailbrake-e2e-", dir="/run"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def running_postfix(folder):
    path = folder / "postfix"
    path.mkdir()
    postfix = Postfix(path)
    postfix.start()
    yield postfix
    postfix.stop()


@pytest.fixture
def postfix(running_postfix):
    """The one Postfix of the run, its queue and sink empty before and after."""
    running_postfix.clean()
    running_postfix.begin()
    yield running_postfix
    complaints = running_postfix.complaints()
    running_postfix.clean()
    assert not complaints, "Postfix said:\n" + "\n".join(complaints)


@pytest.fixture(scope="session")
def running_redis(folder):
    redis = Redis(folder / "redis")
    redis.start()
    yield redis
    redis.stop()


@pytest.fixture
def redis(running_redis):
    running_redis.flush()
    return running_redis


@pytest.fixture
def own_redis(folder):
    """A Redis to be maltreated."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="redis-", dir=folder))
    redis = Redis(path)
    redis.start()
    yield redis
    redis.stop()


@pytest.fixture(params=["redis", "memory"])
def store(request):
    """The settings of either store, empty."""
    if request.param == "memory":
        return dict(MEMORY)
    return redis_settings(request.getfixturevalue("redis"))


@pytest.fixture
def mailbraked(request, build, folder):
    """Starts daemons: mailbraked(store, rules=..., ...). At the end each must still run,
    unless the test stopped it, and must have said nothing unexpected."""
    daemons = []
    if "own_redis" in request.fixturenames:
        request.getfixturevalue("own_redis")  # is to stop after them

    def start(store, milter_socket=None, host=None, user=None, **configuration):
        path = tempfile.mkdtemp(prefix="mailbraked-", dir=folder)
        os.chmod(path, 0o755)
        if user:
            shutil.chown(path, user)
        daemon = Mailbraked(build, path, milter_socket)
        daemon.host, daemon.user = host, user
        daemons.append(daemon)
        daemon.configure(store, **configuration)
        return daemon.start()

    yield start
    crashed = [d for d in daemons if d.process and d.process.poll() not in (None, 0)]
    for daemon in daemons:
        daemon.kill()  # SIGTERM takes libmilter up to five seconds
    complaints = [line for daemon in daemons for line in daemon.complaints()]
    assert not complaints, "mailbraked said:\n" + "\n".join(complaints)
    assert not crashed, [d.text() for d in crashed]


@pytest.fixture
def relay(postfix, mailbraked, store, build):
    """A relay by its rules and lists: relay(rules=..., lists={...}, ...); see
    Mailbraked.configure. The store is the test's (both in turn) unless given. Postfix
    expands the same lists, unless postfix_lists says otherwise."""

    def make(store=store, postfix_lists=None, **configuration):
        names = ("lists", "virtual", "files", "aliases")
        lists = {name: configuration[name] for name in names if name in configuration}
        lists_for_postfix(postfix, **(postfix_lists or lists))
        daemon = mailbraked(store, milter_socket=postfix.milter_socket, **configuration)
        return Relay(postfix, daemon, build)

    return make
