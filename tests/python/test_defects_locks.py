"""What goes wrong with waits and resources in 5.6.3, one test for each row, named after it.

SPDX-License-Identifier: Apache-2.0
"""

import os
import pickle
import sqlite3
import threading
import time
from contextlib import closing

import pytest

import compare
from compare import connected
from packages import expect, is_ours, run


def test_peek_of_a_value_whose_file_is_missing_hangs(ours, tmp_path):
    with ours.Cache(tmp_path) as cache:
        cache.push(b'x' * 100_000)
        cache.push('second')
        (name,) = compare.files(tmp_path)
        os.remove(tmp_path / name)
        assert cache.peek() == (500000000000001, 'second')
        assert cache.peekitem(last=False) == (500000000000001, 'second')
        assert len(cache) == 1
        cache['last'] = b'y' * 100_000
        (name,) = compare.files(tmp_path)
        os.remove(tmp_path / name)
        assert cache.peekitem() == (500000000000001, 'second')
        assert cache.pull() == (500000000000001, 'second')
        assert cache.pull() == (None, None)
        with pytest.raises(KeyError):
            cache.peekitem()


def test_a_locked_database_is_waited_for_longer_than_the_timeout(ours, tmp_path):
    ours.Cache(tmp_path).close()
    with connected(tmp_path) as writer:
        writer.execute('BEGIN EXCLUSIVE')
        begin = time.monotonic()
        with ours.Cache(tmp_path, timeout=0.1) as cache:
            for operation in (
                lambda: cache.set('k', 1), lambda: cache.add('k', 1), lambda: cache.delete('k'),
                lambda: cache.incr('k'), lambda: cache.touch('k'), lambda: cache.pop('k'),
                lambda: cache.push(1), lambda: cache.pull(), lambda: cache.expire(),
                lambda: cache.clear(), lambda: cache.evict('tag'), lambda: cache.cull(),
                lambda: cache.transact().__enter__(),
            ):  # fmt: skip
                with pytest.raises(ours.Timeout):
                    operation()
        assert time.monotonic() - begin < 10
        writer.rollback()


def test_the_count_of_a_timeout_is_what_was_removed(package, tmp_path):
    """Timeout of clear and the like has the number of rows removed before it as its argument."""
    with package.Cache(tmp_path, timeout=0.05) as cache, connected(tmp_path) as writer:
        cache['k'] = 1
        writer.execute('BEGIN IMMEDIATE')
        with pytest.raises(package.Timeout) as raised:
            cache.clear()
        assert raised.value.args == (0,)
        writer.rollback()


@pytest.mark.parametrize('policy', ['least-recently-used', 'least-frequently-used', 'none'])
def test_get_with_statistics_needs_the_write_lock(package, tmp_path, policy):
    settings = {'statistics': 1, 'eviction_policy': policy, 'timeout': 0.05}
    with package.Cache(tmp_path, **settings) as cache:
        cache['k'] = 1
        with connected(tmp_path) as writer:
            writer.execute('BEGIN IMMEDIATE')
            seen = compare.outcome(cache.get, 'k')
            expect(package, seen, ('returns', ('int', 1)), ('raises', 'Timeout'))
            writer.rollback()
        if is_ours(package):
            assert cache.stats() == (1, 0)


def test_fanout_drops_writes_in_silence(package, tmp_path):
    with package.FanoutCache(tmp_path, shards=1, timeout=0.01) as cache:
        with connected(tmp_path / '000') as writer:
            writer.execute('BEGIN IMMEDIATE')
            assert cache.set('k', 1) is False  # relied upon: kept
            assert cache.add('k', 1) is False and cache.incr('k') is None
            assert cache.delete('k') is False and cache.touch('k') is False
            assert cache.pop('k', 'default') == 'default'
            writer.rollback()
        if is_ours(package):
            assert cache.stats().timeouts == 6


def test_fanout_that_is_strict_raises(ours, tmp_path):
    with ours.FanoutCache(tmp_path, shards=1, timeout=0.01, strict=True) as cache:
        with connected(tmp_path / '000') as writer:
            writer.execute('BEGIN IMMEDIATE')
            for operation in (cache.add, cache.set):
                with pytest.raises(ours.Timeout):
                    operation('k', 1)
            with pytest.raises(ours.Timeout):
                cache.incr('k')
            writer.rollback()
        assert cache.set('k', 1) is True


READ_ONLY = """
import os, sqlite3, sys
import packages
package = packages.ours
if os.getuid() == 0:
    os.setuid(65534)
cache = package.Cache(sys.argv[1])
assert (cache['k'], cache.get('file'), len(cache)) == ('value', b'x' * 100000, 2)
assert 'k' in cache and list(cache) == ['k', 'file']
def set_item():
    cache['k'] = 'new'
for write in (set_item, lambda: cache.set('k', 1), lambda: cache.delete('k'), cache.clear):
    try:
        write()
    except sqlite3.OperationalError as error:
        assert 'readonly' in str(error) or 'read-only' in str(error), error
    else:
        raise AssertionError('a write into a read-only directory')
cache.close()
print('done')
"""


@pytest.mark.parametrize('what', ['directory', 'database'])
def test_a_read_only_directory_cannot_be_opened_and_a_write_spins(ours, tmp_path, what):
    directory = tmp_path / 'cache'
    with ours.Cache(directory) as cache:
        cache['k'] = 'value'
        cache['file'] = b'x' * 100000
    for path in directory.rglob('*'):
        path.chmod(0o555 if path.is_dir() else 0o444)
    directory.chmod(0o555)
    if what == 'database':
        directory.chmod(0o777)
    for parent in tmp_path.parents:
        if parent.stat().st_mode & 0o055 != 0o055 and parent.owner() == 'root':
            parent.chmod(0o755)
    tmp_path.chmod(0o755)
    assert run(READ_ONLY, directory) == 'done'


class Unpicklable:
    """Pickles, but does not come back."""

    def __reduce__(self):
        return (_refuse, ())


def _refuse():
    raise ImportError('of a class that is no more')


def test_a_value_that_cannot_be_unpickled_raises(package, tmp_path):
    with package.Cache(tmp_path, statistics=1) as cache:
        cache['k'] = Unpicklable()
        for operation in (cache.get, cache.__getitem__):
            with pytest.raises(ImportError):  # relied upon: kept
                operation('k')
        expect(package, tuple(cache.stats()), (2, 0), (0, 0))


def test_a_large_transaction_leaves_a_large_log(package, tmp_path):
    with package.Cache(tmp_path) as cache:
        with cache.transact():
            for number in range(1000):
                cache[number] = b'x' * 30000
        size = (tmp_path / 'cache.db-wal').stat().st_size
        expect(package, size < 16 * 2**20, True, False)


def test_a_child_of_a_fork_closes_the_parents_connection(package, tmp_path):
    """Outside of a transaction: both go on, and both see what the other wrote."""
    with package.Cache(tmp_path) as cache:
        cache['k'] = 1
        pid = os.fork()
        if pid == 0:
            try:
                cache['child'] = cache['k'] + 1
                cache.close()
            finally:
                os._exit(0 if cache.get('child') == 2 else 1)
        assert os.waitpid(pid, 0)[1] == 0
        cache['parent'] = 3
        assert sorted(cache) == ['child', 'k', 'parent'] and cache['child'] == 2


def test_a_child_of_a_fork_in_a_transaction_is_locked_out(ours, tmp_path):
    """The child's copy of the transaction does nothing; the parent's goes on and is committed."""
    with ours.Cache(tmp_path, timeout=0.2) as cache:
        cache['k'] = 1
        reader, writer = os.pipe()
        with cache.transact():
            cache['k'] = 2
            pid = os.fork()
            if pid == 0:
                seen = ['none']
                try:
                    with ours.Cache(tmp_path, timeout=0.05) as own:
                        seen = [own.get('k'), compare.outcome(own.set, 'child', 1)]
                finally:
                    os.write(writer, pickle.dumps(seen))
                    os._exit(0)
            os.waitpid(pid, 0)
            # What was not committed the child does not see, and it cannot write meanwhile.
            assert pickle.loads(os.read(reader, 1000)) == [1, ('raises', 'Timeout')]
            cache['more'] = 3
        os.close(reader)
        os.close(writer)
        assert (cache['k'], cache['more'], 'child' in cache) == (2, 3, False)


def test_who_waits_polls_once_a_millisecond(ours, tmp_path):
    """A waiting thread sleeps: it takes next to no processor time, and goes on when it may."""
    with ours.Cache(tmp_path) as cache:
        used, done = [], threading.Event()

        def wait():
            before = time.thread_time()
            cache['waiter'] = 1
            used.append(time.thread_time() - before)
            done.set()

        with cache.transact():
            thread = threading.Thread(target=wait)
            thread.start()
            assert not done.wait(0.5)
        assert done.wait(5)
        thread.join()
        assert used[0] < 0.1


def test_a_foreign_writer_is_waited_for(cache, package):
    """With retry a write waits for as long as it takes; a busy database is no error."""
    release = threading.Timer(0.3, lambda: writer.rollback())
    with closing(
        sqlite3.connect(os.path.join(cache.directory, 'cache.db'), check_same_thread=False)
    ) as writer:
        writer.isolation_level = None
        writer.execute('BEGIN IMMEDIATE')
        release.start()
        cache['k'] = 1
        release.join()
    assert cache['k'] == 1
