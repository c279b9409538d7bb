"""memoize beyond 5.6.3: key, bind, single_flight, coroutines, counts.

SPDX-License-Identifier: Apache-2.0
"""

import asyncio
import datetime
import multiprocessing
import os
import signal
import threading

import pytest

import diskcache


@pytest.fixture
def cache(tmp_path):
    with diskcache.Cache(tmp_path) as cache:
        yield cache


def test_counts_are_those_of_the_function_and_clear_is_its_own(cache):
    @cache.memoize()
    def f(x):
        return -x

    @cache.memoize()
    def g(x):
        return x

    assert [f(1), f(1), f(2), g(1)] == [-1, -1, -2, 1]
    assert f.cache_info() == (1, 2)
    f.cache_clear()
    assert f.cache_info() == (0, 0) and len(cache) == 1
    assert f(1) == -1 and f.cache_info() == (0, 1)


def test_bind_makes_one_of_the_ways_to_say_the_same(cache):
    calls = []

    @cache.memoize(bind=True)
    def f(x, y=2, *, z=3):
        calls.append(1)
        return x, y, z

    assert f(1) == f(1, 2) == f(x=1, y=2) == f(1, z=3) == (1, 2, 3)
    assert len(calls) == 1
    with pytest.raises(TypeError):
        f()


def test_key_makes_the_key(cache):
    @cache.memoize(name='n', key=lambda x: x % 2)
    def f(x):
        return x

    assert [f(2), f(4), f(3)] == [2, 2, 3]
    assert f.__cache_key__(5) == ('n', 1)


def test_a_name_is_ignored_however_it_is_given(cache):
    @cache.memoize(ignore={'session'})
    def f(x, session=None):
        return x, session

    assert f(1, 'a') == f(1, session='b') == f(1) == (1, 'a')


def test_none_among_the_arguments_is_no_keyword(cache):
    @cache.memoize()
    def f(*args, **kwargs):
        return args, kwargs

    assert f(1, None, 'a') == ((1, None, 'a'), {})
    assert f(1, a=None) == ((1,), {'a': None})
    assert f.__cache_key__(1, a=None)[1:] == (1, None, 'a', None)  # as 5.6.3


def test_one_thread_computes_and_the_others_wait(cache):
    calls, begun, go_on = [], threading.Event(), threading.Event()

    @cache.memoize(single_flight=True)
    def f(x):
        calls.append(x)
        begun.set()
        go_on.wait(10)
        return -x

    results = []
    threads = [threading.Thread(target=lambda: results.append(f(1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    go_on.set()
    for thread in threads:
        thread.join()
    assert calls == [1] and results == [-1] * 8


FORK = multiprocessing.get_context('fork')


def in_processes(function, count):
    processes = [FORK.Process(target=function) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


@pytest.mark.parametrize('disk', [diskcache.Disk, diskcache.JSONDisk])
def test_one_process_computes_and_the_others_wait(tmp_path, disk):
    begun = FORK.Semaphore(0)

    def work():
        with diskcache.Cache(tmp_path, disk=disk) as cache:

            @cache.memoize(name='f', single_flight=True)
            def f(x):
                cache.incr('calls')
                for _ in range(4):
                    assert begun.acquire(timeout=60)
                return -x

            begun.release()
            os._exit(f(7) != -7)

    assert in_processes(work, 4) == [0] * 4
    with diskcache.Cache(tmp_path, disk=disk) as cache:
        assert cache['calls'] == 1 and len(cache) == 2  # the result, and no claim


def test_who_dies_computing_is_not_waited_for(tmp_path):
    def work(die):
        with diskcache.Cache(tmp_path) as cache:

            @cache.memoize(name='f', single_flight=True)
            def f():
                if die:
                    os.kill(os.getpid(), signal.SIGKILL)
                return 5

            os._exit(f() != 5)

    assert in_processes(lambda: work(True), 1) == [-signal.SIGKILL]
    assert in_processes(lambda: work(False), 2) == [0, 0]


def test_single_flight_inside_a_transaction_and_itself(cache):
    @cache.memoize(single_flight=True)
    def f(n):
        return n and 1 + f(n - 1)

    deeper = []

    @cache.memoize(single_flight=True)
    def g():
        deeper.append(1)
        return 1 if len(deeper) == 3 else g()

    with cache.transact():
        assert f(5) == 5
    assert f(7) == 7 and g() == 1


def test_a_failure_is_not_kept_and_the_next_one_tries(cache):
    calls = []

    @cache.memoize(single_flight=True)
    def f():
        calls.append(1)
        if len(calls) == 1:
            raise ValueError
        return 5

    with pytest.raises(ValueError):
        f()
    assert f() == 5 and f() == 5 and len(calls) == 2


@pytest.mark.parametrize('single_flight', [False, True])
def test_coroutines(cache, single_flight):
    calls = []

    @cache.memoize(single_flight=single_flight, expire=datetime.timedelta(seconds=60))
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0)
        return -x

    async def main():
        return await asyncio.gather(*[f(1) for _ in range(5)])

    assert asyncio.run(main()) == [-1] * 5
    assert asyncio.run(main()) == [-1] * 5
    assert len(calls) == (1 if single_flight else 5)
