"""Four processes of ours and four of 5.6.3 on one directory at the same time.

SPDX-License-Identifier: Apache-2.0
"""

import multiprocessing
import random
import sqlite3
import time
from collections import Counter

from diskcache import Cache

from peer import Driver, Failed, directory, ours, unword, word

PROCESSES = 4


def fill(size):
    """The one value of a size, as driver.c has it."""
    return bytes([65 + size % 26]) * size


def rebuild(cache, rng):
    """Move every page, or empty the log, under the feet of readers."""
    try:
        cache._sql(rng.choice(['VACUUM', 'PRAGMA wal_checkpoint(TRUNCATE)',
                               'PRAGMA wal_checkpoint(RESTART)'])).fetchall()  # fmt: skip
    except sqlite3.OperationalError as error:
        if 'locked' not in str(error):
            raise


def step(cache, rng, me, done):
    choice, key = rng.randrange(100), 'key-%d' % rng.randrange(60)
    if rng.randrange(200) == 0:
        rebuild(cache, rng)
    queue = rng.choice(['q', None])
    if choice < 40:
        value = cache.get(key)
        if value is not None and value != fill(len(value)):
            raise ValueError('get: a value of %d bytes is not whole' % len(value))
    elif choice < 65:
        size = 32768 + rng.randrange(40000) if rng.randrange(4) == 0 else 1 + rng.randrange(300)
        if not cache.set(key, fill(size)):
            raise ValueError('set returned False')
    elif choice < 75:
        cache.delete(key)
    elif choice < 85:
        cache.incr('counter')
        done['incremented'] += 1
    elif choice < 93:
        cache.push('%d:%d' % (me, done['pushed']), prefix=queue)
        done['pushed'] += 1
    else:
        _, value = cache.pull(prefix=queue)
        if value is not None:
            done['pulled'].append(value)
    done['operations'] += 1


def work(path, seconds, me, results):
    done = {'incremented': 0, 'pushed': 0, 'operations': 0, 'pulled': [], 'error': '', 'me': me}
    rng = random.Random(me)
    try:
        with Cache(path) as cache:
            if me % 2:  # the log starts over all the time, under whoever reads it without a lock
                cache._sql('PRAGMA wal_autocheckpoint=1').fetchall()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                step(cache, rng, me, done)
    except Exception as error:
        done['error'] = repr(error)
    results.put(done)


def collect(driver, me):
    """What a driver has to say after `work`."""
    words = driver.receive()
    middle = words.index('=')
    incremented, pushed, operations = map(int, words[middle + 1 : middle + 4])
    return {
        'incremented': incremented,
        'pushed': pushed,
        'operations': operations,
        'pulled': words[:middle],
        'error': unword(words[middle + 4]),
        'me': me,
    }


def drain(path):
    """What is left in the queues, and the counter."""
    left = []
    with ours(path) as driver:
        counter = unword(driver.entry('get', word('counter'))['value'])
        for name in ('q', '-'):
            while True:
                try:
                    left.append(unword(driver.entry('pull', name, 0)['value']))
                except Failed as failed:
                    if failed.status != -1:
                        raise
                    break
    return counter, left


def all_at_once(path, seconds):
    context = multiprocessing.get_context('spawn')
    results = context.Queue()
    theirs = [
        context.Process(target=work, args=(path, seconds, 100 + n, results))
        for n in range(PROCESSES)
    ]
    drivers = [Driver() for _ in range(PROCESSES)]
    for process in theirs:
        process.start()
    for me, driver in enumerate(drivers):
        driver.open(path)
        driver.send('work', seconds, me)
    done = [collect(driver, me) for me, driver in enumerate(drivers)]
    done += [results.get(timeout=120) for _ in theirs]
    for process in theirs:
        process.join()
    statuses = [driver.end() for driver in drivers]
    return done, statuses


def run(check, clean, seconds):
    check.begin('%d processes of each for %g s' % (PROCESSES, seconds))
    with directory() as path:
        Cache(path).close()
        done, statuses = all_at_once(path, seconds)
        check.equal(statuses, [0] * PROCESSES, 'our processes ended well')
        for result in done:
            who = 'ours' if result['me'] < 100 else '5.6.3'
            check.equal(result['error'], '', 'process %d (%s)' % (result['me'], who))
        clean(path, 'afterwards')
        counter, left = drain(path)
        check.equal(counter, sum(r['incremented'] for r in done), 'no increment is lost')
        wanted = Counter('%d:%d' % (r['me'], n) for r in done for n in range(r['pushed']))
        got = Counter(item for r in done for item in r['pulled']) + Counter(left)
        lost, twice = wanted - got, got - wanted
        check(not lost, 'no queue item is lost', '%d: %s' % (len(lost), list(lost)[:5]))
        check(not twice, 'none comes twice', '%d: %s' % (len(twice), list(twice)[:5]))
        mine = sum(r['operations'] for r in done if r['me'] < 100)
        total = sum(r['operations'] for r in done)
        print('  operations: %d by us, %d by 5.6.3; %d queue items, %d increments' % (
            mine, total - mine, sum(wanted.values()), counter))  # fmt: skip
        clean(path, 'drained')
