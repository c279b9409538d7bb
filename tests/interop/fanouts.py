"""A fanout of ours and a FanoutCache of 5.6.3 on one directory, in turn and at the same time.

SPDX-License-Identifier: Apache-2.0
"""

import io
import multiprocessing
import os
import random
import time

from diskcache import Cache, FanoutCache

from concurrent_work import collect, fill
from peer import Driver, directory, ours, same, unword, word

SHARDS = 8
PROCESSES = 3
LIMIT = 2**33
# As floats they are in other shards.
MISPLACED = [1, 2, 3, 12]


def theirs(path, **settings):
    return FanoutCache(path, shards=SHARDS, timeout=60, **settings)


def parts(path):
    return [os.path.join(path, '%03d' % n) for n in range(SHARDS)]


def shard_rows(path, rows_and_files):
    return [sorted(rows_and_files(part), key=repr) for part in parts(path)]


def fill_theirs(path, keys, values):
    with theirs(path) as fanout:
        for number, key in enumerate(keys):
            fanout.set(key, number)
        for number, value in enumerate(values):
            fanout.set('value-%d' % number, value)
        fanout.set('stream', io.BytesIO(b'streamed' * 9000), read=True)


def theirs_then_ours(check, clean, rows_and_files, keys, values):
    check.begin('fanout written by 5.6.3, read by us')
    with directory() as path:
        fill_theirs(path, keys, values)
        before = shard_rows(path, rows_and_files)
        states = [os.stat(os.path.join(part, 'cache.db')).st_mtime_ns for part in parts(path)]
        with ours(path, shards=SHARDS) as driver:
            for number, key in enumerate(keys):
                got = driver.entry('get', word(key, True))['value']
                check.equal(got, 'i%d' % number, 'key %.40r' % (key,))
            for number, value in enumerate(values):
                got = driver.entry('get', word('value-%d' % number))['value']
                check.equal(got, 'n' if value is None else word(value), 'value %.40r' % (value,))
            got = driver.entry('get', word('stream'))['value']
            check.equal(got, word(b'streamed' * 9000), 'stream')
            check.equal(driver('count'), [str(len(keys) + len(values) + 1)], 'count')
            check.equal(driver('setting', 'size_limit'), ['i%d' % 2**30], 'the limit is of the whole')
            listed = [unword(w) for w in driver('iter', 0, 0)]
            check.equal(len(listed), len(keys) + len(values) + 1, 'all come in a walk')
        check.equal(shard_rows(path, rows_and_files), before, 'reading changed nothing')
        after = [os.stat(os.path.join(part, 'cache.db')).st_mtime_ns for part in parts(path)]
        check.equal(after, states, 'and wrote nothing')
        with ours(path, shards=3) as driver:
            check.equal(driver('count'), [str(len(keys) + len(values) + 1)], 'as many shards')
        for part in parts(path):
            clean(part, 'afterwards')


def ours_then_theirs(check, clean, rows_and_files, keys, values):
    check.begin('fanout written by us, read by 5.6.3, shard by shard')
    with directory() as left, directory() as right:
        fill_theirs(left, keys, values)
        with ours(right, shards=SHARDS) as driver:
            for number, key in enumerate(keys):
                driver('set', word(key, True), 'i%d' % number)
            for number, value in enumerate(values):
                driver('set', word('value-%d' % number), word(value))
            driver('set', word('stream'), 'r' + (b'streamed' * 9000).hex())
        wanted, got = shard_rows(left, rows_and_files), shard_rows(right, rows_and_files)
        for number in range(SHARDS):
            check.equal(got[number], wanted[number], 'shard %d' % number)
        with theirs(right) as fanout:
            for number, key in enumerate(keys):
                check.equal(fanout.get(key), number, 'key %.40r' % (key,))
            for number, value in enumerate(values):
                if isinstance(value, str) and '\r' in value and len(value) >= 32768:
                    continue  # it alters these itself
                got = fanout.get('value-%d' % number)
                check(same(got, value), 'value %.40r' % (value,), got)
            check.equal(fanout.check(), [], 'check() of 5.6.3')
            check.equal(len(fanout), len(keys) + len(values) + 1, 'length')
        with ours(right, shards=SHARDS) as driver:
            check.equal(driver('check', 0)[0], '0', 'our check')


def equal_numbers(check, clean):
    check.begin('fanout: 1 and 1.0 are one key, wherever 5.6.3 has put it')
    with directory() as path:
        with theirs(path) as fanout:
            for key in MISPLACED:
                fanout[float(key)] = 'float %d' % key
                check.equal(fanout.get(key), None, '5.6.3 itself does not find %d' % key)
        with ours(path, shards=SHARDS) as driver:
            for key in MISPLACED:
                for number in (key, float(key)):
                    got = driver.entry('get', word(number))['value']
                    check.equal(got, word('float %d' % key), 'found as %r' % number)
            driver('set', word(1), word('one'))
            driver('delete', word(2))
            driver('set', word(3.0), word('three'))
            driver('add', word(4.0), word('four'))
        with theirs(path) as fanout:
            check.equal(fanout.get(1), 'one', 'a write of an integer is theirs')
            check.equal((fanout.get(2), fanout.get(2.0)), (None, None), 'deleted everywhere')
            check.equal((fanout.get(3), fanout.get(3.0)), ('three', None), 'moved home')
            check.equal(fanout.get(4), 'four', 'a float of ours is at home')
            check.equal(fanout.get(12.0), 'float 12', 'what was only read stays')
            fanout[3.0] = 'theirs again'
            check.equal(len(fanout), 5, 'both')
        with ours(path, shards=SHARDS) as driver:
            got = driver.entry('get', word(3.0))['value']
            check.equal(got, word('theirs again'), 'their write is seen')
            got = driver.entry('get', word(3))['value']
            check.equal(got, word('three'), 'as they would see it')
            driver('touch', word(3), 0)
            check.equal(driver.entry('get', word(3))['value'], word('theirs again'), 'the newer')
            check.equal(driver('count'), ['4'], 'one is left')
            check.equal(driver('check', 0)[0], '0', 'our check')


def settings(check):
    check.begin('fanout: limit, policy, named caches')
    with directory() as path:
        with theirs(path, size_limit=LIMIT, eviction_policy='least-recently-used') as fanout:
            fanout.cache('a')['k'] = 'of a cache'
            fanout.deque('d').extend(['x', 'y'])
            fanout.index('i')['k'] = 'of an index'
        with ours(path, shards=0) as driver:
            check.equal(driver('setting', 'size_limit'), ['i%d' % LIMIT], 'theirs, by us')
            check.equal(unword(driver('setting', 'eviction_policy')[0]), 'least-recently-used',
                        'policy')  # fmt: skip
            driver('setting', 'size_limit', 'i%d' % (2 * LIMIT))
            check.equal(driver('check', 0)[0], '0', 'named caches are no problems')
        with Cache(parts(path)[5]) as shard:
            check.equal(shard.size_limit, 2 * LIMIT // SHARDS, 'ours, by 5.6.3: a share')
        with ours(path, shards=SHARDS) as driver:
            driver('named', 'cache', 'a')
            check.equal(driver.entry('get', word('k'))['value'], word('of a cache'), 'cache')
        with ours(path, shards=SHARDS) as driver:
            driver('named', 'deque', 'd')
            check.equal(driver.entry('pull', '-', 0)['value'], word('x'), 'deque')
        with ours(path, shards=SHARDS) as driver:
            driver('named', 'index', 'new/one')
            driver('set', word('k'), word('v'))
        with theirs(path) as fanout:
            check.equal(dict(fanout.index('new/one')), {'k': 'v'}, 'an index of ours, by 5.6.3')
            check.equal(list(fanout.deque('d')), ['y'], 'and the deque')


def work(path, seconds, me, results):
    done = {'incremented': 0, 'operations': 0, 'error': '', 'me': me}
    rng = random.Random(me)
    try:
        with theirs(path) as fanout:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                choice, key = rng.randrange(100), 'key-%d' % rng.randrange(60)
                if choice < 50:
                    value = fanout.get(key)
                    if value is not None and value != fill(len(value)):
                        raise ValueError('get: a value of %d bytes is not whole' % len(value))
                elif choice < 75:
                    if not fanout.set(key, fill(1 + rng.randrange(300) ** 2 // 2)):
                        raise ValueError('set returned False')
                elif choice < 85:
                    fanout.delete(key)
                else:
                    fanout.incr('counter')
                    done['incremented'] += 1
                done['operations'] += 1
    except Exception as error:
        done['error'] = repr(error)
    results.put(done)


def all_at_once(check, clean, seconds):
    check.begin('fanout: %d processes of each for %g s' % (PROCESSES, seconds))
    with directory() as path:
        theirs(path).close()
        context = multiprocessing.get_context('spawn')
        results = context.Queue()
        processes = [
            context.Process(target=work, args=(path, seconds, 100 + n, results))
            for n in range(PROCESSES)
        ]
        drivers = [Driver() for _ in range(PROCESSES)]
        for process in processes:
            process.start()
        for me, driver in enumerate(drivers):
            driver.open(path, shards=SHARDS)
            driver.send('work', seconds, me)
        done = [collect(driver, me) for me, driver in enumerate(drivers)]
        done += [results.get(timeout=120) for _ in processes]
        for process in processes:
            process.join()
        check.equal([driver.end() for driver in drivers], [0] * PROCESSES, 'ours ended well')
        for result in done:
            check.equal(result['error'], '', 'process %d' % result['me'])
        for part in parts(path):
            clean(part, 'afterwards')
        with ours(path, shards=SHARDS) as driver:
            counter = unword(driver.entry('get', word('counter'))['value'])
        check.equal(counter, sum(r['incremented'] for r in done), 'no increment is lost')
        mine = sum(r['operations'] for r in done if r['me'] < 100)
        total = sum(r['operations'] for r in done)
        print('  operations: %d by us, %d by 5.6.3; %d increments' % (mine, total - mine, counter))


def run(check, clean, rows_and_files, keys, values, seconds):
    theirs_then_ours(check, clean, rows_and_files, keys, values)
    ours_then_theirs(check, clean, rows_and_files, keys, values)
    equal_numbers(check, clean)
    settings(check)
    all_at_once(check, clean, seconds)
