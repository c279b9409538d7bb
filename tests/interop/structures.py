"""Deques and indexes of both packages on one directory, in turn and at the same time.

SPDX-License-Identifier: Apache-2.0
"""

import collections
import multiprocessing
import os
import random
import time
from collections import Counter, OrderedDict

from diskcache import Deque, Index

from peer import Driver, Failed, directory, same, unword, word

PROCESSES = 3
# Sides of the protocol.
FRONT, BACK = 0, 1


class Structure(Driver):
    """A process of structures.c with an open directory."""

    def __init__(self, path):
        super().__init__()
        self('open', path)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        status = self.end()
        if status != 0 and failure[0] is None:
            raise Failed('the driver ended with status %s' % status)

    def value(self, *words):
        """The one value of an answer, or 'nothing' where there is no item."""
        try:
            return unword(self(*words)[0])
        except Failed as failed:
            if failed.status == -1:
                return 'nothing'
            raise

    def values(self, *words):
        return [unword(w) for w in self(*words)]

    def done(self, *words):
        """Whether there was an item."""
        try:
            self(*words)
        except Failed as failed:
            if failed.status != -1:
                raise
            return False
        return True


def equal_lists(left, right):
    return len(left) == len(right) and all(map(same, left, right))


def deque_of_theirs(check, values, clean):
    check.begin('a Deque of 5.6.3, by us')
    with directory() as path:
        theirs = Deque(values, directory=path)
        theirs.extendleft(values[:20])
        wanted = values[19::-1] + values  # 5.6.3 itself alters some when it reads them
        theirs.cache.close()
        with Structure(path) as mine:
            check(equal_lists(mine.values('values'), wanted), 'the same values')
            check(equal_lists(mine.values('values', 1), wanted[::-1]), 'and from the back')
            for index in (0, 1, len(wanted) // 2, len(wanted) - 1, -1, -2, -len(wanted)):
                check(same(mine.value('at', index), wanted[index]), 'index %d' % index)
            check.equal(mine.value('at', len(wanted)), 'nothing', 'beyond')
            check.equal(int(mine('count')[0]), len(wanted), 'length')
            for value in values:
                mine('push', BACK, word(value))
            mine('reverse')
            mine('rotate', 'i7')
            wanted = collections.deque(wanted + list(values))
            wanted.reverse()
            wanted.rotate(7)
        theirs = Deque(directory=path)
        got = list(theirs)
        theirs.cache.close()
        check(len(got) == len(wanted), 'length afterwards', len(got))
        wrong = [a for a, b in zip(got, wanted) if not same(a, b) and '\r' not in str(b)]
        check(not wrong, 'values afterwards', wrong[:1])
        clean(path, 'a deque')


def deque_in_turn(check, clean):
    check.begin('one deque, in turn, open on both sides')
    rng = random.Random(5)
    with directory() as path, Structure(path) as mine:
        theirs, model = Deque(directory=path), collections.deque()
        names = [0]

        def new():
            names[0] += 1
            return names[0] % 7 if rng.randrange(4) else 'x' * 40000 + str(names[0])

        def somewhere():
            return rng.randrange(-len(model), len(model)) if model else 0

        for number in range(600):
            us, choice, value = rng.randrange(2), rng.randrange(12), new()
            if choice < 3:
                mine('push', BACK, word(value)) if us else theirs.append(value)
                model.append(value)
            elif choice < 5:
                mine('push', FRONT, word(value)) if us else theirs.appendleft(value)
                model.appendleft(value)
            elif choice == 5 and model:
                got = mine.value('pop', BACK) if us else theirs.pop()
                check.equal(got, model.pop(), 'pop %d' % number)
            elif choice == 6 and model:
                got = mine.value('pop', FRONT) if us else theirs.popleft()
                check.equal(got, model.popleft(), 'popleft %d' % number)
            elif choice == 7 and model:
                index = somewhere()
                if us:
                    mine('del', index)
                else:
                    del theirs[index]
                del model[index]
            elif choice == 8 and model:
                index = somewhere()
                if us:
                    mine('put', index, word(value))
                else:
                    theirs[index] = value
                model[index] = value
            elif choice == 9:
                steps = rng.randrange(-30, 30)
                mine('rotate', 'i%d' % steps) if us else theirs.rotate(steps)
                model.rotate(steps)
            elif choice == 10 and number % 5 == 0:
                mine('reverse') if us else theirs.reverse()
                model.reverse()
            elif choice == 11 and value in model:
                mine('remove', word(value)) if us else theirs.remove(value)
                model.remove(value)
            if model:
                index = somewhere()
                check.equal(mine.value('at', index), model[index], 'ours at %d' % index)
                check.equal(theirs[index], model[index], 'theirs at %d' % index)
                count = int(mine('occurrences', word(model[index]))[0])
                check.equal(count, model.count(model[index]), 'count')
        check.equal(mine.values('values'), list(model), 'ours in the end')
        check.equal(list(theirs), list(model), 'theirs in the end')
        theirs.cache.close()
        clean(path, 'afterwards')


def deque_compared(check):
    check.begin('deques compared as lists are')
    rng = random.Random(6)
    for _ in range(15):
        with directory() as left, directory() as right:
            lists = [[rng.randrange(3) for _ in range(rng.randrange(4))] for _ in range(2)]
            for path, values in zip((left, right), lists):
                Deque(values, directory=path).cache.close()
            with Structure(left) as mine:
                order = int(mine('compare', right)[0])
            wanted = (lists[0] > lists[1]) - (lists[0] < lists[1])
            check.equal(order, wanted, '%r and %r' % tuple(lists))


def deque_with_maxlen(check, clean):
    check.begin('the greatest length stays, though 5.6.3 does not know it')
    with directory() as path:
        with Structure(path) as mine:
            mine('extend', BACK, *map(word, range(10)))
            mine('maxlen', 'i4')
            check.equal(mine.values('values'), [6, 7, 8, 9], 'the front went')
        theirs = Deque(directory=path)
        check.equal(list(theirs), [6, 7, 8, 9], 'read by 5.6.3')
        theirs.append(10)
        check.equal(len(theirs), 5, '5.6.3 has its own')
        theirs.cache.close()
        with Structure(path) as mine:
            check.equal(mine('maxlen'), ['4'], 'still there')
            mine('push', BACK, word(11))
            check.equal(mine.values('values'), [8, 9, 10, 11], 'and holds from the next push on')
        clean(path, 'afterwards')


def index_in_turn(check, clean):
    check.begin('one index, in turn, open on both sides')
    rng = random.Random(7)
    with directory() as path, Structure(path) as mine:
        theirs, model = Index(path), OrderedDict()
        for number in range(600):
            us, choice = rng.randrange(2), rng.randrange(8)
            key = rng.choice([rng.randrange(9), 'key-%d' % rng.randrange(9), (1, 'x'), 2.5, b'k'])
            value = number if rng.randrange(4) else 'x' * 40000 + str(number)
            if choice < 3:
                if us:
                    mine('set', word(key, True), word(value))
                else:
                    theirs[key] = value
                model[key] = value
            elif choice == 3 and key in model:
                if us:
                    mine('drop', word(key, True))
                else:
                    del theirs[key]
                del model[key]
            elif choice == 4:
                if us:
                    got = mine.value('setdefault', word(key, True), word(value))
                else:
                    got = theirs.setdefault(key, value)
                check.equal(got, model.setdefault(key, value), 'setdefault %d' % number)
            elif choice == 5 and model:
                last = rng.randrange(2)
                got = mine.values('popitem', last) if us else list(theirs.popitem(last=bool(last)))
                check.equal(got, list(model.popitem(last=bool(last))), 'popitem %d' % number)
            elif choice == 6 and model:
                last = rng.randrange(2)
                got = mine.values('peekitem', last) if us else list(theirs.peekitem(bool(last)))
                wanted = list(model.items())[-1 if last else 0]
                check.equal(got, list(wanted), 'peekitem %d' % number)
            elif choice == 7 and number % 4 == 0:
                flat = mine.values('items')
                items = list(zip(flat[::2], flat[1::2]))
                check.equal(items, list(model.items()), 'items %d' % number)
                check(theirs == model, 'theirs %d' % number)
        flat = mine.values('items', 1)
        check.equal(list(zip(flat[::2], flat[1::2])), list(reversed(model.items())), 'reversed')
        check(theirs == model, 'theirs in the end')
        with directory() as other:
            items = list(model.items())
            for ordered in (1, 0):
                again = Index(other, items[::-1] if ordered == 0 else items)
                check.equal(mine('equal', other, ordered), ['1'], 'equal, ordered %d' % ordered)
                again.clear()
                again.cache.close()
            Index(other, items[1:]).cache.close()
            check.equal(mine('equal', other, 0), ['0'], 'one is missing')
        theirs.cache.close()
        clean(path, 'afterwards')


def work(path, seconds, me, results):
    done = {'pushed': 0, 'popped': [], 'error': 0, 'me': me}
    rng = random.Random(me)
    try:
        deque = Deque(directory=path)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if rng.randrange(2):
                add = deque.append if rng.randrange(2) else deque.appendleft
                add('%d:%d' % (me, done['pushed']))
                done['pushed'] += 1
            else:
                try:
                    done['popped'].append(deque.pop() if rng.randrange(2) else deque.popleft())
                except IndexError:
                    pass
            deque.peek() if rng.randrange(20) == 0 and len(deque) > 20 else None
        deque.cache.close()
    except Exception as error:
        done['error'] = repr(error)
    results.put(done)


def collect(mine, me):
    words = mine.receive()
    middle = words.index('=')
    return {'pushed': int(words[middle + 1]), 'error': int(words[middle + 2]), 'me': me,
            'popped': [unword(w) for w in words[:middle]]}  # fmt: skip


def at_once(check, clean, seconds):
    check.begin('%d processes of each on one deque for %d s' % (PROCESSES, seconds))
    with directory() as path:
        Deque(directory=path).cache.close()
        context = multiprocessing.get_context('spawn')
        results = context.Queue()
        theirs = [context.Process(target=work, args=(path, seconds, 100 + n, results))
                  for n in range(PROCESSES)]  # fmt: skip
        for process in theirs:
            process.start()
        mine = [Structure(path) for _ in range(PROCESSES)]
        for me, driver in enumerate(mine):
            driver.send('work', seconds, me)
        done = [collect(driver, me) for me, driver in enumerate(mine)]
        done += [results.get(timeout=120) for _ in theirs]
        for process in theirs:
            process.join()
        check.equal([driver.end() for driver in mine], [0] * PROCESSES, 'ours ended well')
        for result in done:
            check.equal(result['error'], 0, 'process %d' % result['me'])
        clean(path, 'afterwards')
        left = Deque(directory=path)
        wanted = Counter('%d:%d' % (r['me'], n) for r in done for n in range(r['pushed']))
        got = Counter(item for r in done for item in r['popped']) + Counter(left)
        left.cache.close()
        check(not wanted - got, 'no item is lost', list((wanted - got))[:5])
        check(not got - wanted, 'none comes twice', list((got - wanted))[:5])
        print('  items: %d by us, %d by 5.6.3' % (
            sum(r['pushed'] for r in done if r['me'] < 100),
            sum(r['pushed'] for r in done if r['me'] >= 100)))  # fmt: skip


def run(check, clean, values, seconds):
    Structure.path = os.path.join(os.path.dirname(Driver.path), 'structures')
    deque_of_theirs(check, values, clean)
    deque_in_turn(check, clean)
    deque_compared(check)
    deque_with_maxlen(check, clean)
    index_in_turn(check, clean)
    at_once(check, clean, max(1, int(seconds / 3)))
