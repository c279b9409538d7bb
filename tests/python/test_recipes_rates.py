"""Averager, throttle() and memoize_stampede().

SPDX-License-Identifier: Apache-2.0
"""

import threading
import time

import pytest


@pytest.fixture(params=['Cache', 'FanoutCache', 'Deque'])
def cache(request, package, tmp_path):
    """What a recipe may work on."""
    if request.param == 'Deque':
        cache = package.Deque(directory=tmp_path).cache
    else:
        cache = getattr(package, request.param)(tmp_path)
    yield cache
    cache.close()


# ---- Averager


def test_an_average_of_what_was_added(package, cache):
    average = package.Averager(cache, ('average', 1))
    assert average.get() is None and average.pop() is None
    for value in (1, 2.5, -7):
        assert average.add(value) is None
    assert average.get() == package.Averager(cache, ('average', 1)).get() == -3.5 / 3
    assert cache[('average', 1)] == (-3.5, 3)
    assert average.pop() == -3.5 / 3 and average.get() is None and ('average', 1) not in cache


def test_an_average_expires_after_the_last_value(package, cache, clock):
    average = package.Averager(cache, 'average', expire=10, tag='t')
    average.add(1)
    clock.advance(9)
    average.add(3)
    clock.advance(9)
    assert average.get() == 2 and cache.get('average', tag=True) == ((4.0, 2), 't')
    clock.advance(2)
    assert average.get() is None
    average.add(5)
    assert average.get() == 5


def test_an_average_belongs_to_the_transaction(package, tmp_path):
    with package.Cache(tmp_path) as cache:
        average = package.Averager(cache, 'average')
        average.add(1)
        with pytest.raises(LookupError):
            with cache.transact():
                average.add(9)
                assert average.get() == 5
                raise LookupError
        assert average.get() == 1


def test_threads_add_to_one_average(package, cache):
    average = package.Averager(cache, 'average')
    threads = [threading.Thread(target=lambda: [average.add(n) for n in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache['average'] == (1200.0, 100)


def test_what_is_no_average(package, cache):
    cache['average'] = 'text'
    for name, args in (('add', (1,)), ('get', ()), ('pop', ())):
        with pytest.raises((TypeError, ValueError)):
            getattr(package.Averager(cache, 'average'), name)(*args)


@pytest.mark.parametrize('writer', ['ours', 'oracle'])
def test_averages_of_the_other_package(writer, ours, oracle, tmp_path):
    one, other = (ours, oracle) if writer == 'ours' else (oracle, ours)
    with one.Cache(tmp_path) as first, other.Cache(tmp_path) as second:
        one.Averager(first, 'average').add(1)
        other.Averager(second, 'average').add(2)
        assert one.Averager(first, 'average').get() == 1.5
        assert other.Averager(second, 'average').pop() == 1.5


# ---- throttle


class Clock:
    """Moves when it is slept on."""

    def __init__(self, now=0.0):
        self.now = now

    def time(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


@pytest.mark.parametrize('begin', [0.0, 1000.0])
def test_so_many_calls_in_so_many_seconds(package, cache, begin):
    clock = Clock(begin)

    @package.throttle(cache, 3, 6, name='f', time_func=clock.time, sleep_func=clock.sleep)
    def f(number, plus=0):
        return clock.now - begin, number + plus

    times = [f(n)[0] for n in range(7)]
    assert times[:3] == [0, 0, 0]
    assert times[3:] == pytest.approx([2, 4, 6, 8])
    clock.now += 100
    assert [f(n, plus=1)[1] for n in range(3)] == [1, 2, 3] and f.__name__ == 'f'
    assert clock.now == pytest.approx(begin + 108)


def test_a_throttle_is_shared_by_its_name(package, cache):
    clock = Clock()
    settings = {'time_func': clock.time, 'sleep_func': clock.sleep}
    one = package.throttle(cache, 2, 1, name='shared', **settings)(lambda: clock.now)
    other = package.throttle(cache, 2, 1, name='shared', **settings)(lambda: clock.now)
    assert [one(), other(), one(), other()] == pytest.approx([0, 0, 0.5, 1])


def test_a_throttle_is_named_after_the_function(package, cache):
    clock = Clock(5.0)

    @package.throttle(cache, 2, 1, expire=100, tag='t', time_func=clock.time, sleep_func=clock.sleep)
    def f():
        return cache[package.core.full_name(f)]

    assert cache.get(package.core.full_name(f), tag=True) == ((5.0, 2), 't')
    assert f() == (5.0, 1)


def test_a_throttle_of_nothing(package, cache):
    for count, seconds in ((1, 0),):
        with pytest.raises((ZeroDivisionError, ValueError)):
            package.throttle(cache, count, seconds)(lambda: None)


@pytest.mark.parametrize('kind', ['Cache', 'FanoutCache'])
def test_averages_and_throttles_through_the_hooks_of_a_disk(package, tmp_path, kind):
    with getattr(package, kind)(tmp_path, disk=package.JSONDisk) as cache:
        average = package.Averager(cache, 'average')
        assert average.get() is None
        average.add(1)
        average.add(2)
        assert (average.get(), cache['average']) == (1.5, [3.0, 2])
        assert average.pop() == 1.5 and 'average' not in cache
        clock = Clock(5.0)
        settings = {'time_func': clock.time, 'sleep_func': clock.sleep}
        f = package.throttle(cache, 2, 1, name='f', **settings)(lambda: clock.now)
        assert [f() for _ in range(4)] == pytest.approx([5, 5, 5.5, 6])
        assert cache['f'] == pytest.approx([6, 0])


@pytest.mark.parametrize('kind', ['Lock', 'RLock', 'BoundedSemaphore'])
def test_locks_where_a_disk_has_hooks(package, tmp_path, kind):
    with package.Cache(tmp_path, disk=package.JSONDisk) as cache:
        lock = getattr(package, kind)(cache, {'a': 1})
        for _ in range(2):
            with lock:
                assert {'a': 1} in cache


# ---- memoize_stampede


def test_results_are_kept_until_they_expire(package, cache, clock):
    calls = []

    @package.memoize_stampede(cache, expire=10, name='f', tag='t')
    def f(x, y=None):
        calls.append((x, y))
        return len(calls)

    assert [f(1), f(1), f(1, y=2), f(1)] == [1, 1, 2, 1]
    assert f.__cache_key__(1, y=2) == ('f', 1, None, 'y', 2) and f.__name__ == 'f'
    assert cache.get(f.__cache_key__(1), tag=True) == ((1, 0.0), 't')
    clock.advance(11)
    assert f(1) == 3


def test_typed_and_ignored_arguments(package, cache):
    calls = []

    @package.memoize_stampede(cache, 100, typed=True, ignore={1, 'log'})
    def f(x, unused=None, log=None):
        calls.append(x)
        return x

    assert [f(1), f(1, 'a'), f(1, log='b'), f(1.0)] == [1, 1, 1, 1.0] and calls == [1, 1.0]


def test_one_caller_recomputes_before_the_end(package, cache):
    calls, computed = [], threading.Event()

    @package.memoize_stampede(cache, expire=60, beta=1e9)
    def f(x):
        calls.append(threading.current_thread())
        time.sleep(0.01)
        if len(calls) > 1:
            computed.set()
        return len(calls)

    assert f(1) == 1
    results = [f(1) for _ in range(5)]
    assert computed.wait(60)
    assert results == sorted(results) and results[0] in (1, 2)
    assert calls[0] is threading.current_thread() and threading.current_thread() not in calls[1:]
    assert calls[1].daemon
    for thread in calls[1:]:
        thread.join()


def test_a_result_for_ever(ours, tmp_path, clock):
    with ours.Cache(tmp_path) as cache:
        calls = []
        f = ours.memoize_stampede(cache, expire=None, name='f', beta=1e9)(lambda: calls.append(1))
        for _ in range(3):
            f()
            clock.advance(1e6)
        assert calls == [1]


def test_the_share_of_early_recomputations(ours, tmp_path, clock, monkeypatch):
    """At the time t before the end, exp(-t / (delta * beta)) of the callers recompute."""
    started = []
    monkeypatch.setattr(threading.Thread, 'start', lambda thread: started.append(thread))
    with ours.Cache(tmp_path) as cache:
        f = ours.memoize_stampede(cache, expire=100, name='f', beta=2)(lambda: None)
        key = f.__cache_key__()
        for left, share in ((20, 0.3679), (40, 0.1353)):
            started.clear()
            for _ in range(2000):
                cache.set(key, (None, 10), expire=left)
                cache.delete(key + (ours.ENOVAL,))
                f()
            assert abs(len(started) / 2000 - share) < 0.05
