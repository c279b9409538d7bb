"""The recipes and 5.6.3's, driven by the same random operations, on a Cache and on a FanoutCache.

What they keep in the cache differs (`lock-owner`, `rlock-key`), so only results are compared. Nothing
is called that would wait: a machine has one thread.

SPDX-License-Identifier: Apache-2.0
"""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

import twins
from differences import differs
from twins import flags

numbers = st.one_of(st.integers(-100, 100), st.floats(-1e6, 1e6))
names = st.sampled_from('ab')
PERMITS = 2


class FakeTime:
    """A clock that moves only by being slept on, and remembers how long."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def acquired(lock):
    result = lock.acquire()
    return None if result is True and differs('lock-acquire') else result


class Recipes:
    """All recipes of one package on one cache."""

    def __init__(self, package, cache):
        self.package = package
        self.cache = cache
        self.time = FakeTime()
        self.calls = []
        self.averagers = {name: package.Averager(cache, ('average', name)) for name in 'ab'}
        self.brief = package.Averager(cache, 'brief', expire=2, tag='tag')
        self.locks = {name: package.Lock(cache, 'lock-' + name) for name in 'ab'}
        self.rlocks = {name: package.RLock(cache, 'rlock-' + name, expire=100) for name in 'ab'}
        self.semaphore = package.BoundedSemaphore(cache, 'semaphore', value=PERMITS, tag='tag')
        self.throttled = package.throttle(
            cache, 2, 1, name='throttle', time_func=self.time.time, sleep_func=self.time.sleep
        )(self.called)
        self.barred = package.barrier(cache, package.Lock, name='barrier')(self.called)
        self.barred_again = package.barrier(cache, package.RLock)(self.called)
        self.stampeded = package.memoize_stampede(cache, 3, name='stampede', tag='tag')(self.called)
        self.typed = package.memoize_stampede(cache, 3, typed=True, ignore={'x'})(self.called)

    def called(self, *args, **kwargs):
        self.calls.append((args, sorted(kwargs)))
        if args and args[0] == 'raise':
            raise LookupError
        return len(self.calls)


class RecipeTwins(twins.Twins):
    cache_class = 'Cache'

    def __init__(self):
        super().__init__()
        self.held = {'a': False, 'b': False}
        self.depth = {'a': 0, 'b': 0}
        self.taken = 0

    def make(self, package, directory):
        return Recipes(package, getattr(package, self.cache_class)(directory))

    def close(self, twin):
        twin.cache.close()

    def finish(self):
        self.both(lambda twin: (twin.calls, twin.time.slept))

    @rule(name=names, value=numbers)
    def average_add(self, name, value):
        self.both(lambda twin: (twin.averagers[name].add(value), twin.averagers[name].get()))
        self.both(lambda twin: twin.cache.get(('average', name)))

    @rule(name=names)
    def average_pop(self, name):
        self.both(lambda twin: twin.averagers[name].pop())
        self.both(lambda twin: twin.averagers[name].get())

    @rule(value=numbers)
    def average_that_expires(self, value):
        self.both(lambda twin: (twin.brief.get(), twin.brief.add(value), twin.brief.get()))

    @rule(name=names)
    def lock(self, name):
        if not self.held[name]:
            self.both(lambda twin: acquired(twin.locks[name]))
        else:
            self.both(lambda twin: twin.locks[name].release())
        self.held[name] = not self.held[name]
        self.both(lambda twin: (twin.locks[name].locked(), 'lock-' + name in twin.cache))

    @precondition(lambda self: not self.held['a'])
    @rule()
    def lock_as_context(self):
        def work(twin):
            with twin.locks['a'] as entered:
                return entered, twin.locks['a'].locked()

        self.both(work)
        self.both(lambda twin: twin.locks['a'].locked())

    @rule(name=names)
    def rlock_acquire(self, name):
        self.both(lambda twin: acquired(twin.rlocks[name]))
        self.depth[name] += 1

    @rule(name=names)
    def rlock_release(self, name):
        result = self.both(lambda twin: twin.rlocks[name].release())
        if self.depth[name] > 0:
            self.depth[name] -= 1
        else:
            assert result == ('raises', 'AssertionError')

    @rule()
    def rlock_as_context(self):
        def work(twin):
            with twin.rlocks['b'] as entered, twin.rlocks['b']:
                return entered

        self.both(work)

    @precondition(lambda self: self.taken < PERMITS)
    @rule()
    def semaphore_acquire(self):
        self.both(lambda twin: acquired(twin.semaphore))
        self.taken += 1

    @rule()
    def semaphore_release(self):
        result = self.both(lambda twin: twin.semaphore.release())
        if self.taken > 0:
            self.taken -= 1
        else:
            assert result == ('raises', 'AssertionError')

    @precondition(lambda self: self.taken < PERMITS)
    @rule()
    def semaphore_as_context(self):
        def work(twin):
            with twin.semaphore as entered:
                return entered

        self.both(work)

    @rule(times=st.integers(1, 4), wait=st.sampled_from([0, 0.25, 1, 10]))
    def throttle(self, times, wait):
        def work(twin):
            twin.time.now += wait
            return [twin.throttled(number) for number in range(times)]

        self.both(work)
        self.both(lambda twin: (twin.time.now, twin.time.slept))
        assert differs('throttle-record')
        self.both(lambda twin: [float(number) for number in twin.cache.get('throttle')])

    @rule(argument=st.sampled_from([1, 'a', 'raise']), again=flags)
    def barrier(self, argument, again):
        self.both(lambda twin: (twin.barred_again if again else twin.barred)(argument))
        self.both(lambda twin: 'barrier' in twin.cache)

    @rule(argument=st.sampled_from([1, 1.0, 'a', None, 'raise']), keyword=flags, typed=flags)
    def stampede(self, argument, keyword, typed):
        keywords = {'x': argument} if keyword else {}

        def work(twin):
            function = twin.typed if typed else twin.stampeded
            return function(argument, **keywords), function.__cache_key__(argument, **keywords)

        self.both(work)
        self.both(lambda twin: twin.calls)


class RecipeTwinsOnFanout(RecipeTwins):
    cache_class = 'FanoutCache'


def test_same_operations_same_results(record_steps):
    assert differs('lock-owner') and differs('rlock-key')
    record_steps(twins.run(RecipeTwins, 0.06))


def test_same_operations_same_results_on_a_fanout(record_steps):
    record_steps(twins.run(RecipeTwinsOnFanout, 0.03))
