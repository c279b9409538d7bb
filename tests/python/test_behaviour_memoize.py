"""memoize and the recipes, on ours and on 5.6.3, on each kind of cache that has them.

SPDX-License-Identifier: Apache-2.0
"""

import threading
import time

import pytest

from packages import is_ours


@pytest.fixture(params=['Cache', 'FanoutCache', 'Index'])
def memoizing(request, package, tmp_path):
    """Something that has memoize."""
    made = getattr(package, request.param)(str(tmp_path / 'cache'))
    yield made
    (made.cache if request.param == 'Index' else made).close()


def test_memoize_computes_once(memoizing):
    calls = []

    @memoizing.memoize()
    def double(x, y=1):
        """Twice."""
        calls.append((x, y))
        return x * 2 + y

    assert [double(1), double(1), double(1, y=1), double(2)] == [3, 3, 3, 5]
    assert calls == [(1, 1), (1, 1), (2, 1)]
    assert double.__name__ == 'double' and double.__doc__ == 'Twice.'
    assert double.__wrapped__(5) == 11
    name = __name__ + '.test_memoize_computes_once.<locals>.double'
    assert double.__cache_key__(1) == (name, 1, None)
    assert double.__cache_key__(1, y=2) == (name, 1, None, 'y', 2)
    assert memoizing[double.__cache_key__(1)] == 3


def test_memoize_of_an_exception_stores_nothing(memoizing):
    calls = []

    @memoizing.memoize()
    def fails():
        calls.append(1)
        raise LookupError

    for _ in range(2):
        with pytest.raises(LookupError):
            fails()
    assert len(calls) == 2 and len(memoizing) == 0


def test_memoize_none_and_recursion(memoizing):
    calls = []

    @memoizing.memoize(name='fib')
    def fib(n):
        calls.append(n)
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    @memoizing.memoize()
    def nothing():
        calls.append('nothing')

    assert fib(50) == 12586269025 and len(calls) == 51
    assert fib.__cache_key__(3) == ('fib', 3, None)
    assert nothing() is nothing() is None and calls.count('nothing') == 1


def test_memoize_needs_its_parentheses(memoizing):
    with pytest.raises(TypeError):

        @memoizing.memoize
        def f():
            pass


def test_memoize_typed_and_ignore(memoizing):
    @memoizing.memoize(typed=True)
    def f(x, y=0):
        return type(x).__name__

    assert (f(1), f(1.0), f(True)) == ('int', 'float', 'bool')
    assert f.__cache_key__(1, y=2.5)[1:] == (1, None, 'y', 2.5, int, float)

    @memoizing.memoize(ignore={0, 'y'})
    def g(x, z, y=0):
        return (x, z, y)

    assert g(1, 2, y=3) == g(9, 2, y=8) == (1, 2, 3)
    assert g.__cache_key__(1, 2, y=3)[1:] == (2, None)


def test_memoize_expire_and_tag(cache, clock):
    calls = []

    @cache.memoize(expire=10, tag='f')
    def f(x):
        calls.append(x)
        return x

    @cache.memoize(expire=0)
    def never(x):
        calls.append(x)
        return x

    assert [f(1), f(1)] == [1, 1] and calls == [1]
    assert cache.get(f.__cache_key__(1), expire_time=True, tag=True) == (1, clock.now + 10, 'f')
    clock.advance(11)
    assert f(1) == 1 and calls == [1, 1]
    assert cache.evict('f') == 1
    assert [never(2), never(2)] == [2, 2] and calls == [1, 1, 2, 2] and len(cache) == 0


def test_memoize_of_a_method(cache):
    class Counter:
        calls = 0

        def __init__(self, name):
            self.name = name

        def __reduce__(self):
            return (str, (self.name,))

        @cache.memoize(ignore={0})
        def add(self, x, y):
            Counter.calls += 1
            return x + y

    assert Counter('a').add(1, 2) == Counter('b').add(1, 2) == 3 and Counter.calls == 1


def test_stampede_recomputes_early_in_a_thread(cache, package, clock):
    calls = []
    done = threading.Event()

    def f(x):
        calls.append(threading.current_thread())
        clock.advance(1)  # so long it takes
        if len(calls) > 1:
            done.set()
        return len(calls)

    # The larger beta, the earlier: these two are as good as never and at once.
    late = package.memoize_stampede(cache, expire=10, name='f', tag='tag', beta=1e-12)(f)
    early = package.memoize_stampede(cache, expire=10, name='f', tag='tag', beta=1e12)(f)
    assert late(1) == 1 and late(1) == 1
    (result, delta), expire_time, tag = cache.get(late.__cache_key__(1), expire_time=True, tag=True)
    assert (result, delta, expire_time, tag) == (1, 1.0, clock.now + 10, 'tag')
    clock.advance(5)
    assert late(1) == 1
    assert early(1) == 1  # the old one, while another thread computes
    assert done.wait(10)
    for _ in range(1000):
        if cache.get(late.__cache_key__(1))[0] == 2:
            break
        time.sleep(0.01)
    assert late(1) == 2 and len(calls) == 2
    assert calls[0] is threading.current_thread() and calls[1] is not calls[0]


def test_stampede_after_the_end_computes_at_once(cache, package, clock):
    calls = []

    @package.memoize_stampede(cache, expire=10, name='name', typed=True)
    def f(x):
        calls.append(x)
        return x

    assert f(1) == 1
    clock.advance(11)
    assert f(1) == 1 and calls == [1, 1]
    assert f.__cache_key__(1) == ('name', 1, None, int)


@pytest.mark.parametrize('kind', ['Lock', 'RLock', 'BoundedSemaphore'])
@pytest.mark.parametrize('cache_class', ['Cache', 'FanoutCache'])
def test_locks_exclude(package, tmp_path, kind, cache_class):
    with getattr(package, cache_class)(tmp_path) as cache:
        inside, most, total = [0], [0], [0]

        def work():
            lock = getattr(package, kind)(cache, 'lock')
            for _ in range(15):
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    seen = total[0]
                    time.sleep(0.0005)
                    total[0] = seen + 1
                    inside[0] -= 1

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (most[0], total[0], inside[0]) == (1, 60, 0)


def test_a_semaphore_lets_so_many_in(package, cache):
    semaphore = package.BoundedSemaphore(cache, 'semaphore', value=2)
    semaphore.acquire()
    semaphore.acquire()
    entered = threading.Event()

    def third():
        with package.BoundedSemaphore(cache, 'semaphore', value=2):
            entered.set()

    thread = threading.Thread(target=third)
    thread.start()
    assert not entered.wait(0.1)
    semaphore.release()
    assert entered.wait(10)
    thread.join()
    semaphore.release()
    with pytest.raises(AssertionError, match='cannot release un-acquired semaphore'):
        semaphore.release()


def test_an_rlock_belongs_to_a_thread(package, cache):
    lock = package.RLock(cache, 'lock')
    with pytest.raises(AssertionError, match='cannot release un-acquired lock'):
        lock.release()
    lock.acquire()
    errors = []

    def other():
        try:
            package.RLock(cache, 'lock').release()
        except AssertionError as error:
            errors.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert len(errors) == 1
    lock.acquire()
    lock.release()
    lock.release()


def test_a_lock_with_expire_and_tag(package, cache, clock):
    lock = package.Lock(cache, 'lock', expire=5, tag='locks')
    with lock:
        assert cache.get('lock', expire_time=True, tag=True)[1:] == (clock.now + 5, 'locks')
        clock.advance(6)
        assert not lock.locked()
        lock.acquire()
    assert not lock.locked() and (is_ours(package) or len(cache) == 0)


def test_averager(package, cache, clock):
    average = package.Averager(cache, 'average', expire=10, tag='tag')
    assert average.get() is None and average.pop() is None
    average.add(1)
    average.add(4)
    assert average.get() == 2.5
    assert cache.get('average', expire_time=True, tag=True) == ((5.0, 2), clock.now + 10, 'tag')
    assert average.pop() == 2.5 and average.get() is None
    average.add(0.5)
    clock.advance(11)
    assert average.get() is None


def test_throttle(package, cache):
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    @package.throttle(cache, 3, 2, name='f', time_func=lambda: now[0], sleep_func=sleep)
    def f(x, y=0):
        return x + y

    assert cache['f'] == (100.0, 3)
    assert [f(1), f(2, y=1), f(3)] == [1, 3, 3] and slept == []
    assert f(4) == 4 and slept == [pytest.approx(2 / 3)]
    now[0] += 100
    assert [f(0) for _ in range(3)] == [0] * 3 and len(slept) == 1
    assert f.__name__ == 'f'


def test_barrier(package, cache):
    inside, most = [0], [0]

    @package.barrier(cache, package.Lock, expire=100, tag='tag')
    def work(seconds):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(seconds)
        inside[0] -= 1
        return seconds

    threads = [threading.Thread(target=work, args=(0.01,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1 and work(0) == 0 and len(cache) == 0
