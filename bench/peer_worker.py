"""All measurements of one peer: peer_worker.py BACKEND, with the plan as JSON on standard input.

The plan has folder, address (of the server, if the peer has one) and server_pid, seconds (for each measurement),
limit (seconds after which one is given up), starts (how often a cold start is measured), keys, values and processes
(lists of numbers). Each measurement runs
in a process of its own, forked after the import, and is reported as JSON on standard output: figures in
microseconds, or {"none": why}.

SPDX-License-Identifier: Apache-2.0
"""

import importlib.metadata
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from time import perf_counter_ns as now

from backends import BACKENDS
from worker import DELETE, GET, SET, Rng, make_steps

BATCH = 1000


class Impossible(Exception):
    """The peer cannot do this; the text says why."""


def quantiles(numbers):
    numbers = sorted(numbers)

    def at(share):
        return round(numbers[min(len(numbers) - 1, int(len(numbers) * share))] / 1000, 3)

    return {'median': at(0.5), 'p90': at(0.9), 'p99': at(0.99), 'p999': at(0.999),
            'max': numbers[-1] / 1000, 'count': len(numbers)}  # fmt: skip


def timed(function, arguments, seconds):
    """Time of each call with the next of `arguments`, in turn, for some seconds."""
    result, end = [], now() + int(seconds * 1e9)
    while True:
        for argument in arguments:
            start = now()
            function(*argument)
            stop = now()
            result.append(stop - start)
            if stop > end:
                return result


def forked(function, limit):
    """What `function` returns in a child of its own, which is killed after `limit` seconds."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.setpgid(0, 0)
        try:
            answer = function()
        except Impossible as reason:
            answer = {'none': str(reason)}
        except BaseException as error:
            answer = {'none': describe(error)}
        with os.fdopen(writer, 'w') as out:
            json.dump(answer, out)
        os._exit(0)
    os.close(writer)
    text, give_up = b'', time.monotonic() + limit
    with os.fdopen(reader, 'rb') as answers:
        while True:
            ready, _, _ = select.select([answers], [], [], max(0, give_up - time.monotonic()))
            part = os.read(answers.fileno(), 1 << 16) if ready else None
            if not part:
                break
            text += part
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    os.waitpid(pid, 0)
    if part is None:
        return {'none': 'not done in %g s' % limit}
    return json.loads(text) if text else {'none': 'its process died'}


class Worker:
    def __init__(self, backend, plan):
        self.backend, self.plan, self.seconds = backend, plan, plan['seconds']
        self.places = 0
        self.folder = None

    def fresh(self):
        """A new place. Servers have one only, which is emptied."""
        if self.folder:
            self.backend.wipe(self.folder, self.plan['address'])
        self.places += 1
        self.folder = os.path.join(self.plan['folder'], 'cache-%d' % self.places)
        if self.backend.server:
            self.backend.wipe(self.folder, self.plan['address'])

    def open(self):
        self.backend.open(self.folder, self.plan['address'])

    def measure(self, report, name, function, *arguments):
        self.fresh()
        begin = time.monotonic()
        report[name] = forked(lambda: function(*arguments), self.plan['limit'])
        report[name]['took'] = round(time.monotonic() - begin, 2)

    # ---- the published workload -----------------------------------------------------------------

    def steps(self, seed):
        key = self.backend.key
        return [(row, key(int(text)), b'%d' % n * times) for row, text, n, times in make_steps(Rng(seed), 20000)]

    def published(self, processes):
        """90 % get, 9 % set, 1 % delete over 100 keys, by so many processes at once."""
        backend = self.backend
        if processes > 1 and backend.alone:
            raise Impossible(backend.alone)
        if processes == 1:
            times, elapsed = self.run_published(self.steps(1), None)
            return self.published_summary([times], [elapsed])
        start = time.monotonic() + 0.2 + 0.06 * processes
        parts = [forked_later(lambda n=n: self.run_published(self.steps(n), start)) for n in range(processes)]
        answers = [part() for part in parts]
        return self.published_summary([a[0] for a in answers], [a[1] for a in answers])

    def run_published(self, steps, start):
        self.open()
        functions = {GET: self.backend.get, SET: self.backend.set, DELETE: self.backend.delete}
        calls = [(row, functions[row], (key, value) if row == SET else (key,)) for row, key, value in steps]
        for _, function, arguments in calls[:300]:
            function(*arguments)
        times = {GET: [], SET: [], DELETE: []}
        if start:
            time.sleep(max(0, start - time.monotonic()))
        begin = stop = now()
        end = begin + int(self.seconds * 1e9)
        while stop < end:
            for row, function, arguments in calls:
                before = now()
                function(*arguments)
                stop = now()
                times[row].append(stop - before)
                if stop > end:
                    break
        self.backend.close()
        return times, (stop - begin) / 1e9

    @staticmethod
    def published_summary(times, elapsed):
        merged = {}
        for one in times:
            for row, numbers in one.items():
                merged.setdefault(int(row), []).extend(numbers)
        rates = sum(
            sum(len(n) for n in one.values()) / seconds for one, seconds in zip(times, elapsed)
        )
        names = {GET: 'get', SET: 'set', DELETE: 'delete'}
        result = {names[row]: quantiles(numbers) for row, numbers in merged.items() if numbers}
        result['rate'] = round(rates)
        return result

    # ---- many keys, large values ----------------------------------------------------------------

    def keys(self, count):
        """So many keys of 100 bytes, then gets and sets of any of them; a mean over all calls."""
        backend, value = self.backend, bytes(range(100))
        every, rng = [backend.key(n) for n in range(count)], random.Random(count)
        mixes = {
            name: [(rng.random() < reads, key) for key in rng.choices(every, k=20000)]
            for name, reads in (('read-mostly', 0.95), ('write-heavy', 0.5))
        }
        before = memory(self.plan['server_pid'])
        self.open()
        begin = now()
        for at in range(0, count, BATCH):
            pairs = [(key, value) for key in every[at:at + BATCH]]
            if backend.set_many:
                backend.set_many(pairs)
            else:
                for pair in pairs:
                    backend.set(*pair)
        result = {'fill': round((now() - begin) / 1000 / count, 3)}
        for name, mix in mixes.items():
            result[name] = self.mean(mix, value)
        result['memory'] = max(0, memory(self.plan['server_pid']) - before)
        backend.close()
        result['disk'] = None if backend.server else disk_usage(self.folder)
        return result

    def mean(self, mix, value):
        """Time of a call of the mix, in the long run: what is done now and then is in it."""
        get, set = self.backend.get, self.backend.set
        done, begin, stop = 0, now(), 0
        end = begin + int(self.seconds * 1e9)
        while stop < end:
            for at in range(0, len(mix), 50):
                for reads, key in mix[at:at + 50]:
                    if reads:
                        get(key)
                    else:
                        set(key, value)
                done, stop = done + 50, now()
                if stop > end:
                    break
        return round((stop - begin) / 1000 / done, 3)

    def values(self, size):
        self.open()
        count = max(1, min(100, 30000000 // size))
        keys, value = [self.backend.key(n) for n in range(count)], os.urandom(1000) * (size // 1000 + 1)
        pairs = [(key, value[:size]) for key in keys]
        times = timed(self.backend.set, pairs, self.seconds)
        keys = keys[:len(times)]  # a slow one has not come to all of them
        result = {'set': quantiles(times)}
        if self.backend.get(keys[0]) != value[:size]:
            raise Impossible('a value of %d bytes is not kept' % size)
        result['get'] = quantiles(timed(self.backend.get, [(key,) for key in keys], self.seconds))
        self.backend.close()
        return result

    # ---- recipes --------------------------------------------------------------------------------

    def memoize(self):
        if not self.backend.memoize:
            raise Impossible('has none')
        self.open()
        function = self.backend.memoize(twice)
        function(1)
        return {'hit': quantiles(timed(function, [(1,)], self.seconds))}

    def queue(self):
        if not self.backend.queue:
            raise Impossible('has none')
        self.open()
        push, pull = self.backend.queue()
        value = bytes(100)
        for _ in range(20):
            push(value)

        def push_pull():
            push(value)
            pull()

        return {'push and pull': quantiles(timed(push_pull, [()], self.seconds))}

    def lock(self):
        """From the call of release in one process to the return of acquire in another that waits."""
        if not self.backend.lock:
            raise Impossible('has none')
        turn, back = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:  # the other one: waits, says when it got the lock
            os.close(turn[1])
            self.open()
            lock = self.backend.lock()
            while os.read(turn[0], 1):
                lock.acquire()
                at = time.monotonic_ns()
                lock.release()
                os.write(back[1], b'%20d' % at)
            os._exit(0)
        self.open()
        lock, times = self.backend.lock(), []
        end = time.monotonic() + self.seconds
        while time.monotonic() < end or len(times) < 10:
            lock.acquire()
            os.write(turn[1], b'.')
            time.sleep(0.004)  # by then it waits
            start = time.monotonic_ns()
            lock.release()
            times.append(int(os.read(back[0], 20)) - start)
        os.close(turn[1])
        os.waitpid(pid, 0)
        return {'hand-over': quantiles(times)}

    # ---- what becomes of a write -----------------------------------------------------------------

    def shared(self):
        """Whether one process sees at once what another has stored."""
        if self.backend.alone:
            raise Impossible(self.backend.alone)
        go = os.pipe()
        other = forked_later(lambda: os.read(go[0], 1) and self.change_all())  # has nothing of ours open
        self.open()
        for n in range(20):
            self.backend.set(self.backend.key(n), b'old')
            self.backend.get(self.backend.key(n))
        os.write(go[1], b'.')
        other()
        seen = sum(self.backend.get(self.backend.key(n)) == b'new' for n in range(20))
        return {'seen': seen, 'of': 20}

    def change_all(self):
        self.open()
        for n in range(20):
            self.backend.set(self.backend.key(n), b'new')
        return True  # and the process ends without closing

    def kept(self):
        """Whether a write that has returned is there after SIGKILL of the process."""
        if self.backend.server:
            raise Impossible('the server has it')
        forked_later(lambda: self.change_all() and os.kill(os.getpid(), signal.SIGKILL))()
        self.open()
        return {'kept': sum(self.backend.get(self.backend.key(n)) == b'new' for n in range(20)), 'of': 20}

    def cold(self):
        """A new process: import, open and get, without the start of Python. Median of some."""
        self.open()
        self.backend.set(self.backend.key(1), bytes(100))
        self.backend.close()
        command = [sys.executable, __file__, '--cold', self.name, self.folder, self.plan['address'] or '']
        times = [int(subprocess.check_output(command)) for _ in range(self.plan['starts'])]
        return {'first get': quantiles(times)}

    def everything(self, name):
        self.name, report = name, {}
        for count in self.plan['processes']:
            self.measure(report, 'published-%d' % count, self.published, count)
        slow = False
        for count in self.plan['keys']:
            if slow:  # each would take as long as it may
                report['keys-%d' % count] = {'none': 'not done: fewer keys took too long'}
                continue
            self.measure(report, 'keys-%d' % count, self.keys, count)
            slow = 'none' in report['keys-%d' % count]
        for size in self.plan['values']:
            self.measure(report, 'values-%d' % size, self.values, size)
        for mode in ('memoize', 'queue', 'lock', 'shared', 'kept', 'cold'):
            self.measure(report, mode, getattr(self, mode))
        self.fresh()
        return report


def forked_later(function):
    """Begun at once in a child; what is returned waits for its answer."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = json.dumps([function(), None])
        except BaseException as error:
            text = json.dumps([None, describe(error)])
        with os.fdopen(writer, 'w') as out:
            out.write(text)
        os._exit(0)
    os.close(writer)

    def wait():
        with os.fdopen(reader) as answers:
            text = answers.read()
        os.waitpid(pid, 0)
        answer, why = json.loads(text) if text else (None, None)
        if why:
            raise Impossible(why)
        return answer

    return wait


def describe(error):
    return 'failed: %s: %s' % (type(error).__name__, ' '.join(str(error).split())[:150])


def twice(x):
    return 2 * x


def memory(pid):
    """Bytes in memory: of the server, or of this process."""
    with open('/proc/%s/statm' % (pid or 'self')) as reader:
        return int(reader.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def disk_usage(folder):
    paths = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
    return sum(os.stat(path).st_blocks * 512 for path in paths)


def cold(name, folder, address):
    backend = BACKENDS[name]()
    start = now()
    backend.open(folder, address or None)
    backend.get(backend.key(1))
    print(now() - start)


def main():
    if sys.argv[1] == '--cold':
        return cold(*sys.argv[2:5])
    name = sys.argv[1]
    backend, plan = BACKENDS[name](), json.load(sys.stdin)
    worker = Worker(backend, plan)
    worker.fresh()
    warm = forked(lambda: worker.open() or {'ok': 1}, 30)  # can it be had at all?
    if 'none' in warm:
        report = {'missing': warm['none']}
    else:
        report = worker.everything(name)
        if backend.package:
            report['version'] = importlib.metadata.version(backend.package)
    json.dump(report, sys.stdout)


if __name__ == '__main__':
    main()
