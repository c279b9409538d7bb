"""Every kind of object and most methods, for valgrind: `make valgrind-python`. Not a test by itself.

SPDX-License-Identifier: Apache-2.0
"""

import asyncio
import contextlib
import datetime
import gc
import io
import os
import pickle
import sys
import tempfile
import threading

import diskcache

VALUES = (None, True, 1, -(2**63), 2**70, 1.5, float('nan'), 'text', 'ü' * 40_000, b'', b'x' * 40_000,
          (1, 'a'), [1, {'k': 2}], datetime.date(2024, 2, 29))  # fmt: skip


class Hooked(diskcache.Disk):
    """Every hook in Python; its values are stored twice as long."""

    def put(self, key):
        return super().put(key)

    def store(self, value, read, key=diskcache.UNKNOWN):
        return super().store(value, read, key)

    def fetch(self, mode, filename, value, read):
        return super().fetch(mode, filename, value, read)

    def remove(self, file_path):
        super().remove(file_path)


def operate(cache):
    for number, value in enumerate(VALUES):
        key = (number, 'key') if number % 2 else number
        cache.set(key, value, expire=60, tag='tag')
        cache.get(key, expire_time=True, tag=True)
        assert key in cache
        cache.touch(key, expire=datetime.timedelta(seconds=9))
        cache.add(key, value)
    cache.set('stream', io.BytesIO(b'stream' * 10_000), read=True)
    with cache.read('stream') as reader:
        reader.read()
    cache.incr('n', 5)
    cache.decr('n')
    cache.set_many({'a': 1, ('b', 2): 'x' * 50_000})
    cache.get_many(['a', ('b', 2), 'none'])
    cache.delete_many(['a', 'none'])
    cache.pop('n', expire_time=True)
    for failing in (
        lambda: cache['none'],
        lambda: cache.incr((1, 'key'), 1),
        lambda: cache.set('k', 1, expire=float('nan')),
        lambda: cache.set('k', lambda: None),
        lambda: cache.get(),
        lambda: cache.set('k', 1, nothing=2),
    ):
        with contextlib.suppress(Exception):
            failing()
            raise AssertionError('that should have failed')
    list(cache), list(reversed(cache)), len(cache), list(cache.keys(prefix='s'))
    list(cache.items()), list(cache.values(tag='tag'))
    next(iter(cache))
    with contextlib.suppress(ZeroDivisionError), cache.transact():
        cache['undone'] = b'y' * 40_000
        with cache.transact():
            cache['inner'] = 1
        1 / 0
    cache.stats(), cache.volume(), cache.check(), cache.expire(), cache.evict('tag'), cache.cull()


def operate_all(directory):
    evicted = []
    for kind in (diskcache.Cache, diskcache.FanoutCache):
        for disk in (diskcache.Disk, diskcache.JSONDisk, Hooked):
            with kind(os.path.join(directory, kind.__name__, disk.__name__), disk=disk) as cache:
                if disk is not diskcache.JSONDisk:
                    operate(cache)
                cache['k'] = [1]
                cache.on_evict(evicted.append)
                cache.clear()
                pickle.loads(pickle.dumps(cache)).close()
        with kind(os.path.join(directory, 'compounds-' + kind.__name__)) as cache:
            recipes(cache)
    compounds(directory)


def recipes(cache):
    for kind in (diskcache.Lock, diskcache.RLock, diskcache.BoundedSemaphore):
        lock = kind(cache, kind.__name__, expire=60, tag='t')
        with lock:
            lock.owned(), lock.renew()
        with cache.transact(), lock:
            pass
        with contextlib.suppress(AssertionError):
            lock.release()
    average = diskcache.Averager(cache, 'average')
    average.add(1), average.get(), average.pop()
    diskcache.throttle(cache, 100, 1)(int)()

    @cache.memoize(single_flight=True)
    def f(x, y=(1, 'a')):
        return x, y

    @cache.memoize(bind=True, single_flight=True)
    async def g(x):
        await asyncio.sleep(0)
        return x

    f(1), f(1), f(2, y='b'), f.cache_info(), f.cache_clear()

    async def main():
        return await asyncio.gather(*[g(1) for _ in range(3)])

    asyncio.run(main())
    threads = [threading.Thread(target=f, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def compounds(directory):
    deque = diskcache.Deque(VALUES, os.path.join(directory, 'deque'), maxlen=30)
    deque.appendleft('x' * 40_000), deque.rotate(3), deque.reverse(), deque.extend(range(20))
    deque[3], deque[-1], deque.pop(), deque.popleft(), list(deque), deque.count(1), 7 in deque
    deque[2] = 'changed'
    del deque[1]
    with contextlib.suppress(IndexError):
        deque[1000]
    deque.cache.close()
    index = diskcache.Index(os.path.join(directory, 'index'), {'a': 1, (1, 2): 'x' * 40_000})
    index.setdefault('b', 2), index.popitem(), list(index.items()), index == {'a': 1}
    index.push('item'), index.pull(), index.pop('a'), index.update(c=3)
    index.cache.close()


def main():
    with tempfile.TemporaryDirectory() as directory:
        for number in range(int(sys.argv[1])):
            operate_all(os.path.join(directory, str(number % 2)))
            gc.collect()
    print('done')


if __name__ == '__main__':
    main()
