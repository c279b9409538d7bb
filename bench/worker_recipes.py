"""The modes of worker.py that measure recipes: what recipes.c does, in Python.

SPDX-License-Identifier: Apache-2.0
"""

import mmap
import os
import struct
import sys
import time
from time import perf_counter_ns as now

from diskcache import Averager, BoundedSemaphore, Lock, RLock, memoize_stampede, throttle


def mode_lock(cache, operations, sample, make):
    lock = make(cache, 'lock')
    for _ in range(operations):
        start = now()
        lock.acquire()
        lock.release()
        sample(now() - start)


def mode_handover(cache, operations, sample):
    """From the call of release in one process to the return of acquire in another."""
    baton = mmap.mmap(-1, 16)

    def wait_for(turn):
        while baton[0] != turn:
            time.sleep(0.00005)

    if os.fork() == 0:
        lock = Lock(cache, 'lock')
        for _ in range(operations):
            wait_for(1)
            lock.acquire()
            baton[8:16] = struct.pack('q', time.monotonic_ns())
            baton[0] = 2
            lock.release()
            baton[0] = 3
        os._exit(0)
    lock = Lock(cache, 'lock')
    for n in range(operations):
        lock.acquire()
        baton[0] = 1
        time.sleep((4000 + n % 7 * 137) / 1e6)
        start = time.monotonic_ns()
        lock.release()
        wait_for(3)
        sample(struct.unpack('q', baton[8:16])[0] - start)
    if os.wait()[1] != 0:
        sys.exit('the waiter failed')


def mode_average(cache, operations, sample):
    average = Averager(cache, 'average')
    for n in range(operations):
        start = now()
        average.add(n)
        sample(now() - start)


def mode_throttle(cache, operations, sample):
    function = throttle(cache, 10**9, 1, name='throttle')(lambda: None)
    for _ in range(operations):
        start = now()
        function()
        sample(now() - start)


def mode_memoize(cache, operations, sample):
    function = memoize_stampede(cache, 1e6, name='memoize')(lambda: 'computed')
    function()
    for _ in range(operations):
        start = now()
        function()
        sample(now() - start)


MODES = {
    'lock': lambda *args: mode_lock(*args, Lock),
    'rlock': lambda *args: mode_lock(*args, RLock),
    'semaphore': lambda *args: mode_lock(*args, lambda c, k: BoundedSemaphore(c, k, 2)),
    'handover': mode_handover,
    'average': mode_average,
    'throttle': mode_throttle,
    'memoize': mode_memoize,
}
