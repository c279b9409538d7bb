"""Whose a transaction is; iterators and handles beside it; classes that override methods.

SPDX-License-Identifier: Apache-2.0
"""

import asyncio
import gc
import io
import os
import threading

import pytest

import diskcache


@pytest.fixture
def cache(tmp_path):
    with diskcache.Cache(tmp_path, timeout=0.05) as cache:
        yield cache


def test_another_task_is_refused_at_once(cache):
    async def other():
        assert 'x' not in cache
        with pytest.raises(diskcache.Timeout):
            cache.set('y', 1)
        with pytest.raises(diskcache.Timeout):
            cache['y'] = 1  # would wait for itself for ever

    async def main():
        with cache.transact():
            cache['x'] = 1
            await asyncio.create_task(other())
            assert cache['x'] == 1

    asyncio.run(main())
    assert list(cache) == ['x']


def test_another_thread_waits(cache):
    done = threading.Event()

    def write():
        cache['thread'] = 1
        done.set()

    with cache.transact():
        cache['x'] = 1
        thread = threading.Thread(target=write)
        thread.start()
        assert not done.wait(0.2)
    thread.join()
    assert done.is_set() and list(cache) == ['x', 'thread']


def test_an_inner_block_undoes_only_itself(cache):
    with cache.transact():
        cache['outer'] = 1
        with pytest.raises(ValueError):
            with cache.transact():
                cache['inner'] = 1
                raise ValueError
        assert list(cache) == ['outer']
    assert list(cache) == ['outer']


def test_the_id_is_that_of_the_thread_that_has_begun(cache):
    assert cache._txn_id is None
    with cache.transact():
        assert cache._txn_id == threading.get_ident()
    assert cache._txn_id is None


def test_a_child_is_outside_of_its_parents_transaction(cache):
    with cache.transact():
        cache['x'] = 1
        pid = os.fork()
        if pid == 0:
            try:
                cache.set('child', 1)
            except diskcache.Timeout:
                os._exit('x' in cache)
            os._exit(2)
        assert os.waitpid(pid, 0)[1] == 0
    assert list(cache) == ['x']


def test_an_iterator_ends_with_its_transaction(cache):
    cache.set_many({i: i for i in range(5)})
    with cache.transact():
        keys = iter(cache)
        assert next(keys) == 0
    with pytest.raises(RuntimeError):
        next(keys)


def test_an_iterator_outlives_close(cache):
    cache.set_many({i: i for i in range(1000)})
    keys = iter(cache)
    next(keys)
    cache.close()
    assert len(list(keys)) == 999


def test_descriptors_do_not_grow(tmp_path):
    def descriptors():
        gc.collect()
        return len(os.listdir('/proc/self/fd'))

    before = descriptors()
    for i in range(50):
        cache = diskcache.Cache(tmp_path / str(i))
        cache['x'] = b'x' * 100000
        iter(cache)
    del cache
    assert descriptors() == before


def test_overridden_methods_are_what_the_operators_call(tmp_path):
    class Mine(diskcache.Cache):
        def get(self, key, *args, **kwargs):
            return super().get('my-' + key, *args, **kwargs)

        def set(self, key, value, *args, **kwargs):
            return super().set('my-' + key, value, *args, **kwargs)

    with Mine(tmp_path) as cache:
        cache['a'] = 1
        assert cache['a'] == 1 and list(cache) == ['my-a']
        with pytest.raises(KeyError):
            cache['b']


def test_a_stream_is_stored_whole_though_the_lock_is_waited_for(cache, tmp_path):
    other = diskcache.Cache(tmp_path)
    release = threading.Event()

    def hold():
        with other.transact():
            release.wait(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    assert cache.set('k', io.BytesIO(b'x' * 100000), read=True, retry=True)
    thread.join()
    other.close()
    assert cache['k'] == b'x' * 100000


def test_a_stream_that_raises_leaves_nothing(cache):
    class Bad:
        def read(self, size):
            raise OSError('bad')

    with pytest.raises(OSError, match='bad'):
        cache.set('k', Bad(), read=True)
    assert 'k' not in cache and cache.check() == []
