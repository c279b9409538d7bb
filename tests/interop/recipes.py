"""Recipes of both packages on the same keys: a holder of one side keeps the other out, and the
numbers are the same.

SPDX-License-Identifier: Apache-2.0
"""

import mmap
import multiprocessing
import os
import random
import struct
import threading
import time

import diskcache
from diskcache import Averager, BoundedSemaphore, Cache, Lock, RLock, memoize_stampede, throttle

from peer import Driver, Failed, directory, same, unword, word

PROCESSES = 3
LOCK, RLOCK, SEMAPHORE = 0, 1, 2
TIMEOUT, NOT_FOUND, NOT_OWNER = -2, -1, -18


class Recipes(Driver):
    """A process of recipes.c with an open directory."""

    def __init__(self, path):
        super().__init__()
        self('open', path)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        status = self.end()
        if status != 0 and failure[0] is None:
            raise Failed('the driver ended with status %s' % status)

    def status(self, *words):
        try:
            self(*words)
        except Failed as failed:
            return failed.status
        return 0

    def value(self, *words):
        return unword(self(*words)[0])


def acquired_within(lock, seconds):
    """5.6.3's acquire() has no timeout: whether it comes back."""
    thread = threading.Thread(target=lock.acquire, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def exclusion(check, name, kind, permits, make):
    check.begin('%s: who holds it keeps the other side out' % name)
    with directory() as path, Cache(path) as cache, Recipes(path) as mine:
        theirs = make(cache, 'k')
        mine('lock', kind, permits, 0, word('k'))
        for _ in range(permits):
            theirs.acquire()
        check.equal(mine.value('holds'), float(permits), 'their hold is seen')
        check.equal(mine.status('acquire', 0.02), TIMEOUT, 'held by them')
        check.equal(mine.status('release'), NOT_OWNER, 'and not ours to give back')
        theirs.release()
        check.equal(mine.status('acquire', 5), 0, 'free again')
        waiter = make(cache, 'k')
        check(not acquired_within(waiter, 0.05), 'held by us, or by both')
        check.equal(mine.status('release'), 0, 'given back')
        for _ in range(500):
            if mine.value('holds') == permits:
                break
            time.sleep(0.01)
        check.equal(mine.value('holds'), float(permits), 'their waiter has it')
        cache.pop('k')
        check.equal(mine.status('acquire', 0), 0, 'they have thrown it away')
        check.equal(mine.status('release'), 0, 'and ours is given back')


def not_evicted(check):
    """It takes ten at once, pinned ones last: while there are ten others it takes those."""
    check.begin('5.6.3 evicts no lock of ours')
    with directory() as path, Cache(path, size_limit=2000000) as cache, Recipes(path) as mine:
        for policy in ('least-recently-stored', 'least-recently-used', 'least-frequently-used'):
            cache.reset('eviction_policy', policy)
            for kind in (LOCK, RLOCK, SEMAPHORE):
                mine('lock', kind, 1, 0, word(kind))
                mine('acquire', 0)
                for n in range(100):
                    cache.set('filler-%d' % n, os.urandom(40000))
                cache.cull()
                check.equal(mine.value('holds'), 1.0, '%s, kind %d' % (policy, kind))
                mine('break')
            check(len(cache) < 90, 'others were evicted: ' + policy, len(cache))


def work(path, name, permits, seconds, counter, results):
    added, error = 0, None
    try:
        with Cache(path, timeout=60) as cache, open(counter, 'r+b') as file:
            memory = mmap.mmap(file.fileno(), 8)
            make = getattr(diskcache, name)
            lock = make(cache, 'k', permits) if name == 'BoundedSemaphore' else make(cache, 'k')
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                with lock:
                    seen = struct.unpack('q', memory[:8])[0]
                    time.sleep(0.00005)
                    memory[:8] = struct.pack('q', seen + 1)
                    added += 1
                time.sleep(0.0005)
    except Exception as failure:
        error = repr(failure)
    results.put((added, error))


def at_once(check, name, kind, seconds):
    check.begin('%s: %d processes of each for %.1f s' % (name, PROCESSES, seconds))
    with directory() as path:
        Cache(path).close()
        counter = os.path.join(os.path.dirname(path), 'counter')
        with open(counter, 'wb') as writer:
            writer.write(bytes(8))
        context = multiprocessing.get_context('spawn')
        results = context.Queue()
        theirs = [
            context.Process(target=work, args=(path, name, 1, seconds, counter, results))
            for _ in range(PROCESSES)
        ]
        for process in theirs:
            process.start()
        mine = [Recipes(path) for _ in range(PROCESSES)]
        for driver in mine:
            driver('lock', kind, 1, 0, word('k'))
            driver.send('contend', seconds, counter)
        by_us = sum(int(unword(driver.receive()[0])) for driver in mine)
        done = [results.get(timeout=120) for _ in theirs]
        for process in theirs:
            process.join()
        check.equal([driver.end() for driver in mine], [0] * PROCESSES, 'ours ended well')
        check.equal([error for _, error in done], [None] * PROCESSES, 'theirs ended well')
        by_them = sum(added for added, _ in done)
        with open(counter, 'rb') as reader:
            total = struct.unpack('q', reader.read(8))[0]
        check.equal(total, by_us + by_them, 'no addition is lost')
        check(by_us > 0 and by_them > 0, 'both had it', (by_us, by_them))
        print('  additions: %d by us, %d by 5.6.3' % (by_us, by_them))


def averages(check):
    check.begin('Averager, in turn')
    rng = random.Random(7)
    with directory() as path, Cache(path) as cache, Recipes(path) as mine:
        theirs, key = Averager(cache, 'a'), word('a')
        check.equal(mine.status('average', 'get', key), NOT_FOUND, 'of nothing')
        total = count = 0
        for _ in range(200):
            value = rng.choice((rng.uniform(-10, 10), float(rng.randrange(100))))
            if rng.randrange(2):
                theirs.add(value)
            else:
                mine('average', 'add', key, repr(value))
            total, count = total + value, count + 1
            check(same(theirs.get(), total / count), 'theirs', theirs.get())
            check(same(mine.value('average', 'get', key), total / count), 'ours')
        check(same(cache['a'], (total, count)), 'the pair', cache['a'])
        check(same(mine.value('average', 'pop', key), total / count), 'popped by us')
        check.equal(theirs.get(), None, 'gone for them')
        mine('average', 'add', key, 3)
        check.equal(theirs.pop(), 3.0, 'popped by them')


def throttles(check):
    check.begin('throttle: the same numbers, in turn and apart')
    rng = random.Random(11)
    with directory() as one, directory() as two, Cache(one) as cache, Cache(two) as apart:
        with Recipes(one) as mine:
            for count, seconds in ((2, 1), (1, 3), (10, 0.7), (3, 100)):
                clock = [1000.0]
                key, waits = word('t'), []

                def refuse(delay, waits=waits):
                    waits.append(delay)
                    raise TimeoutError

                def decorate(where, count=count, seconds=seconds, clock=clock, refuse=refuse):
                    return throttle(where, count, seconds, name='t', time_func=lambda: clock[0],
                                    sleep_func=refuse)(lambda: None)  # fmt: skip

                shared, reference = decorate(cache), decorate(apart)
                for _ in range(300):
                    clock[0] += rng.expovariate(count / seconds) * rng.choice((0, 0.5, 1, 2))
                    wanted = call(reference, waits)
                    if rng.randrange(2):
                        got = call(shared, waits)
                    else:
                        got = mine.value('throttle', 'take', key, count, repr(seconds),
                                         repr(clock[0]))  # fmt: skip
                    if not same(float(got), float(wanted)):
                        check(False, 'delay at %r' % clock[0], (got, wanted))
                check(tuple(map(float, cache['t'])) == tuple(map(float, apart['t'])),
                      'the same bucket', (cache['t'], apart['t']))  # fmt: skip
                mine('throttle', 'reset', key, count, repr(seconds), repr(clock[0]))
                check.equal(cache['t'], (clock[0], float(count)), 'filled')


def call(function, waits):
    """The delay that 5.6.3 asks for, 0 when the call went through."""
    del waits[:]
    try:
        function()
    except TimeoutError:
        return waits[0]
    return 0


def memoized(check):
    check.begin('memoize and memoize_stampede: one cache for both')
    values = [None, 7, -(2**63), 0.1, '', 'ключ', b'', b'\0\xff', 'x' * 50000]
    with directory() as path, Cache(path) as cache, Recipes(path) as mine:
        for number, value in enumerate(values):
            calls = []

            @memoize_stampede(cache, 1000, name='s')
            def stampede(n, value=value, calls=calls):
                calls.append(n)
                return value

            key = word(stampede.__cache_key__(number), key=True)
            check(same(stampede(number), value), 'computed by them')
            got = mine.value('memoize', key, word('other'), 1000, 1)
            check(same(got, value), 'found by us: %.20r' % (value,), got)
            del cache[stampede.__cache_key__(number)]
            if value is not None:
                got = mine.value('memoize', key, word(value), 1000, 1)
                check(same(got, value), 'computed by us')
                check(same(stampede(number), value), 'found by them: %.20r' % (value,))
                check.equal(len(calls), 1, 'computed once')

        @cache.memoize(name='m')
        def plain(n):
            return 'theirs'

        key = word(plain.__cache_key__(1), key=True)
        check.equal(mine.value('memoize', key, word('ours'), 0, 0), 'ours', 'computed by us')
        check.equal(plain(1), 'ours', 'found by them')
        for protocol in range(6):
            with Cache(path + str(protocol), disk_pickle_protocol=protocol) as old:
                with Recipes(old.directory) as reader:
                    old['pair'] = ('текст\\\n', 0.25)
                    got = reader.value('memoize', word('pair'), word('other'), 0, 1)
                    check.equal(got, 'текст\\\n', 'protocol %d' % protocol)


def run(check, seconds):
    Recipes.path = os.path.join(os.path.dirname(Driver.path), 'recipes')
    exclusion(check, 'Lock', LOCK, 1, Lock)
    exclusion(check, 'BoundedSemaphore of 1', SEMAPHORE, 1, BoundedSemaphore)
    exclusion(check, 'BoundedSemaphore of 3', SEMAPHORE, 3, lambda c, k: BoundedSemaphore(c, k, 3))
    exclusion(check, 'RLock', RLOCK, 1, RLock)
    not_evicted(check)
    averages(check)
    throttles(check)
    memoized(check)
    at_once(check, 'Lock', LOCK, max(1, seconds / 6))
    at_once(check, 'RLock', RLOCK, max(1, seconds / 6))
    at_once(check, 'BoundedSemaphore', SEMAPHORE, max(1, seconds / 6))
