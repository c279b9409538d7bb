"""A program whose types a checker has to find right, with nothing told to it but the stubs.

SPDX-License-Identifier: Apache-2.0
"""

from datetime import timedelta

from diskcache import (
    Averager,
    Cache,
    Deque,
    FanoutCache,
    Index,
    JSONDisk,
    Lock,
    RLock,
    barrier,
    memoize_stampede,
    throttle,
)

cache = Cache('/tmp/cache', timeout=5, disk=JSONDisk, size_limit=2**20)
fanout = FanoutCache('/tmp/fanout', shards=4, strict=True, cull_limit=0)
stored: bool = fanout.set('key', b'value', expire=timedelta(hours=1), tag='tag')
with fanout.transact():
    number = fanout.incr('number', default=5)

deque: Deque[int] = Deque([1, 2], maxlen=3)
total: int = deque.pop() + deque[0] + sum(deque)
deque += [3]
index: Index[str, int] = Index(a=1)
present: int = index['a']
perhaps: int | None = index.get('a')
otherwise: int | str = index.pop('a', 'none')
names: list[str] = list(index.keys()) + list(index.keys(prefix='a'))
named: Cache = fanout.cache('name', disk=JSONDisk)

with Lock(fanout, 'lock', expire=5):
    acquired: bool = RLock(cache, 'lock').acquire(blocking=False)
average = Averager(cache, 'average')
average.add(2.5)
mean: float | None = average.get()


@throttle(fanout, 10, 1)
@barrier(fanout, Lock)
def text(number: int) -> str:
    return str(number)


@memoize_stampede(cache, expire=60)
def slow(number: int, name: str = '') -> float:
    return number / 2


@fanout.memoize(expire=60, bind=True)
def square(number: int) -> int:
    return number**2


three: str = text(3)
half: float = slow(3, name='x')
nine: int = square(3)
keys: tuple[object, ...] = slow.__cache_key__(3) + square.__cache_key__(3)
