"""diskcache 5.6.3 and libdiskcache on one directory: interop.py DRIVER [--seconds N].

Run by a Python that has diskcache 5.6.3. DRIVER is the program made of driver.c. The last line is
`N passed, N failed`; the exit status is 1 if one failed.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import io
import os
import pickle
import random
import subprocess
import sys
import tempfile
import time
import traceback

import diskcache
from diskcache import Cache

import concurrent_work
import dqs
import fanouts
import recipes
import structures
from peer import Checks, Driver, Failed, directory, ours, query, same, tag_word, unword, word

check = Checks()

NAN = float('nan')
CRLF = 'line one\r\nline two\rline three\n' * 2000
KEYS = [
    0, 1, -1, 2**31, -(2**63), 2**63 - 1, 2**63, -(2**63) - 1, 2**200,
    0.5, -0.5, 1e300, 5e-324, float('inf'), float('-inf'),
    '', 'a', 'with\0nul', '\0', 'ключ-鍵-\U0001f511', 'e\u0301', 'x' * 10000, '-', 'a\r\nb',
    b'', b'a', b'\0', bytes(range(256)), b'x' * 10000,
    True, False, None, (), ('f', 1, None), (1.5, 'x', b'y', None, True), frozenset([1]),
]  # fmt: skip
VALUES = [
    0, 1, -1, 2**31, 2**53 + 1, -(2**63), 2**63 - 1, 2**63, -(2**63) - 1, 2**2000,
    0.0, -0.0, 0.1, 1e300, 5e-324, float('inf'), float('-inf'),
    True, False, None, (), (1, 'zwei', 3.0), [1, [2, {3: b'4'}]], {'k': ['v']},
    '', 'a', 'a\0b', '\0', 'ключ-鍵-\U0001f511', 'short\r\nlines\r\n', '\ufeffbom',
    'x' * 32767, 'x' * 32768, 'é' * 20000, 'é' * 32767, 'é' * 32768, '\U0001f511' * 32768,
    'n\0ul' * 10000, CRLF,
    b'', b'a', b'\0\xff' * 10, bytes(range(256)), b'x' * 32767, b'x' * 32768, b'x' * 32769,
    os.urandom(300000), b'\r\n' * 20000,
    ['x' * 32750], ['x' * 32768], [os.urandom(100000)],
]  # fmt: skip
TAGS = [None, 'tag', '', 'мітка', 7, -(2**63), 2.5, b'bytes', b'']
COLUMNS = 'key, typeof(key), raw, tag, typeof(tag), size, mode, typeof(value), value, filename'


def rows_and_files(path, order='rowid'):
    """Everything that a directory says about its items, but for times and names of files."""
    result = []
    for row in query(path, 'SELECT %s FROM Cache ORDER BY %s' % (COLUMNS, order)):
        contents = None
        if row[-1] is not None:
            with open(os.path.join(path, row[-1]), 'rb') as reader:
                contents = reader.read()
        result.append(row[:-1] + (contents,))
    return result


def clean(path, what):
    """Both check()s find nothing, and the counters are right."""
    with Cache(path) as cache:
        check.equal([str(w.message) for w in cache.check()], [], what + ': check() of 5.6.3')
    with ours(path) as driver:
        check.equal(driver('check', 0)[0], '0', what + ': our check %s' % driver('check', 0))
    count, size = query(path, 'SELECT COUNT(*), COALESCE(SUM(size), 0) FROM Cache')[0]
    settings = dict(query(path, 'SELECT key, value FROM Settings'))
    check.equal((settings['count'], settings['size']), (count, size), what + ': count and size')


def theirs_then_ours():
    check.begin('written by 5.6.3, read by us')
    with directory() as path:
        with Cache(path) as cache:
            for number, key in enumerate(KEYS):
                cache.set(key, number)
            for number, value in enumerate(VALUES):
                cache.set('value-%d' % number, value)
            cache.set('stream', io.BytesIO(b'streamed' * 9000), read=True)
            cache.set('short stream', io.BytesIO(b''), read=True)
            cache.set('nan', NAN)
        before = rows_and_files(path)
        with ours(path) as driver:
            for number, key in enumerate(KEYS):
                got = driver.entry('get', word(key, True))['value']
                check.equal(got, 'i%d' % number, 'key %.40r' % (key,))
            for number, value in enumerate(VALUES):
                got = driver.entry('get', word('value-%d' % number))['value']
                wanted = 'n' if value is None else word(value)
                check.equal(got, wanted, 'value %.40r' % (value,))
                got = driver.entry('get', word('value-%d' % number), 16)['value']
                check(got[0] == 'f', 'as a descriptor %.40r' % (value,), got)
            got = driver.entry('get', word('stream'))
            check.equal(got['value'], word(b'streamed' * 9000), 'stream')
            got = driver.entry('get', word('short stream'))
            check.equal((got['value'], got['size']), ('b', '0'), 'empty stream')
            got = driver.entry('get', word('nan'))['value']
            check(got == 'n' or same(unword(got), NAN), 'NaN as 5.6.3 wrote it', got)
            order = [unword(w) for w in driver('iter', 0, 0)]
            wanted = KEYS + ['value-%d' % n for n in range(len(VALUES))]
            same_order = len(order) == len(wanted) + 3 and all(map(same, order, wanted))
            check(same_order, 'keys in the order of insertion', order)
            check.equal(driver('count'), [str(len(wanted) + 3)], 'count')
        check.equal(rows_and_files(path), before, 'reading changed nothing')
        clean(path, 'afterwards')


def key_none():
    check.begin('None as a key')
    with directory() as path:
        with Cache(path) as cache:
            cache[None] = 'none'
        with ours(path) as driver:
            check.equal(driver.entry('get', 'n')['value'], word('none'), 'DCACHE_NONE finds it')
            driver('set', 'n', 'n')
        with Cache(path) as cache:
            check.equal((list(cache), cache[None]), ([None], None), 'and replaces it')


def ours_then_theirs():
    check.begin('written by us, read by 5.6.3, column by column')
    with directory() as left, directory() as right:
        with Cache(left) as cache, ours(right) as driver:
            for number, key in enumerate(KEYS):
                cache.set(key, number)
                driver('set', word(key, True), 'i%d' % number)
            for number, value in enumerate(VALUES):
                cache.set('value-%d' % number, value)
                driver('set', word('value-%d' % number), word(value))
            for letter in 'fr':
                for size in (0, 100, 200000):
                    data, key = b'streamed'[: size or 0] * (size // 8), '%s%d' % (letter, size)
                    cache.set(key, io.BytesIO(data), read=True)
                    driver('set', word(key), letter + data.hex())
        wanted, got = rows_and_files(left), rows_and_files(right)
        check.equal(len(got), len(wanted), 'number of rows')
        for theirs, mine in zip(wanted, got):
            check.equal(mine, theirs, 'columns of %.60r' % (theirs[0],))
        with Cache(right) as cache:
            for number, key in enumerate(KEYS):
                check.equal(cache.get(key), number, 'key %.40r' % (key,))
            for number, value in enumerate(VALUES):
                if value != CRLF:  # 5.6.3 alters it when reading; the file was compared above
                    got = cache.get('value-%d' % number)
                    check(same(got, value), 'value %.40r' % (value,), got)
            check.equal(cache.get('r200000'), b'streamed' * 25000, 'stream')
            listed = list(cache)[: len(KEYS)]
            check(all(map(same, listed, KEYS)), 'keys come back', listed)
        clean(right, 'afterwards')


def nan_values():
    check.begin('NaN')
    with directory() as path:
        with ours(path) as driver:
            driver('set', word('nan'), word(NAN))
            got = unword(driver.entry('get', word('nan'))['value'])
            check(same(got, NAN), 'survives here', got)
        with ours(path) as driver:
            got = unword(driver.entry('get', word('nan'))['value'])
            check(same(got, NAN), 'survives closing', got)
        with Cache(path) as cache:
            got = cache.get('nan', 'missing')
            check(same(got, NAN), '5.6.3 reads it', got)


def bad_text():
    check.begin('text that is not UTF-8')
    with directory() as path, ours(path) as driver:
        for data in ('ff', 'c3', 'eda080', 'c0af', 'f8888080', 'f4908080', '61ff', '61' * 40000 + '80'):
            for words in (['tff', 'i1'], [word('k'), 't' + data]):
                try:
                    driver('set', *words)
                    check(False, 'refused', data[-20:])
                except Failed as failed:
                    check.equal(failed.status, -13, 'INVALID for ' + data[-20:])
        check.equal(driver('count'), ['0'], 'nothing stored')


def equal_numbers():
    check.begin('1 and 1.0 are one key, True is another')
    with directory() as path:
        with Cache(path) as cache:
            cache[1] = 'int'
            cache[True] = 'true'
        with ours(path) as driver:
            check.equal(driver.entry('get', word(1.0))['value'], word('int'), '1.0 finds 1')
            check.equal(driver.entry('get', word(True, True))['value'], word('true'), 'True')
            driver('set', word(1.0), word('float'))
            driver('set', word(-0.0), word('zero'))
        with Cache(path) as cache:
            check.equal((cache[1], cache[0], cache[0.0]), ('float', 'zero', 'zero'), 'by 5.6.3')
            check.equal(len(cache), 3, 'three keys')


def tags_and_expiry():
    check.begin('tags and expiry')
    with directory() as path:
        with Cache(path, cull_limit=0) as cache:  # else writes remove expired items
            for number, tag in enumerate(TAGS):
                cache.set(('theirs', number), 'v', expire=1000 + number, tag=tag)
            cache.set('gone-theirs', b'x' * 40000, expire=-1)
            cache.set('never', 1)
        now = time.time()
        with ours(path) as driver:
            for number, tag in enumerate(TAGS):
                entry = driver.entry('get', word(('theirs', number), True))
                check.equal(entry['tag'], tag_word(tag), 'tag %r' % (tag,))
                left = float(entry['expire']) - now
                check(990 < left <= 1000 + number, 'expiry', entry)
                driver('set', word(('ours', number), True), word('v'), 500 + number, tag_word(tag))
            check.equal(driver.entry('get', word('never'))['expire'], '-', 'never expires')
            for call in ('get', 'contains', 'delete', 'pop'):
                try:
                    driver(call, word('gone-theirs'))
                    check(False, 'expired item is found by ' + call)
                except Failed as failed:
                    check.equal(failed.status, -1, 'expired item: ' + call)
            driver('set', word('gone-ours'), word(b'x' * 40000), -1)
            driver('set', word('touched'), 'i1', 100)
            driver('touch', word('touched'))
        with Cache(path) as cache:
            for number, tag in enumerate(TAGS):
                value, expire, got = cache.get(('ours', number), expire_time=True, tag=True)
                check(value == 'v' and same(got, tag), 'tag %r' % (tag,), got)
                check(490 < expire - now <= 520 + number, 'expiry', expire - now)
            check.equal(cache.get('gone-ours', 'no'), 'no', 'expired item')
            check.equal(cache.get('touched', expire_time=True), (1, None), 'touch without expiry')
            check.equal(cache.expire(), 2, 'both expired items go')
            check.equal(cache.evict('tag'), 2, '5.6.3 evicts by tag')
        with ours(path) as driver:
            for tag, wanted in [(7, 2), (2.5, 2), (b'bytes', 2), ('', 2), ('tag', 0)]:
                check.equal(driver('evict', word(tag)), [str(wanted)], 'evict %r' % (tag,))
            driver('set', word('late'), 'i1', -5)
            check.equal(driver('expire', 0), ['1'], 'we expire')
        clean(path, 'afterwards')


def queues():
    check.begin('queues')
    names = [None, 'q', 'a-b', 'ключ', 'a', 'q%', '_']
    with directory() as path:
        for turn in range(3):
            with Cache(path) as cache, ours(path) as driver:
                for name in names:
                    w = '-' if name is None else name
                    keys = [cache.push('t%d' % turn, prefix=name)]
                    keys.append(unword(driver('push', w, 1, word('o%d' % turn))[0]))
                    keys.append(cache.push(b'f' * 40000, prefix=name, side='front'))
                    keys.append(unword(driver('push', w, 0, word(b'g' * 40000))[0]))
                    base = [2 * turn, 2 * turn + 1, -2 * turn - 1, -2 * turn - 2]
                    wanted = [500000000000000 + n for n in base]
                    if name is not None:
                        wanted = ['%s-%d' % (name, n) for n in wanted]
                    check.equal(keys, wanted, 'keys of %r' % name)
        with Cache(path) as cache, ours(path) as driver:
            for name in names:
                w = '-' if name is None else name
                seen = cache.peek(prefix=name)[1], unword(driver.entry('peek', w, 0)['value'])
                check.equal(seen, (b'g' * 40000,) * 2, 'peek %r' % name)
                front = []
                for turn in range(3):
                    front.append(unword(driver.entry('pull', w, 0)['value']))
                    front.append(cache.pull(prefix=name)[1])
                check.equal(front, [b'g' * 40000, b'f' * 40000] * 3, 'front of %r' % name)
                back = []
                for turn in range(3):
                    back.append(cache.pull(prefix=name, side='back')[1])
                    back.append(unword(driver.entry('pull', w, 1)['value']))
                check.equal(back, ['o2', 't2', 'o1', 't1', 'o0', 't0'], 'back of %r' % name)
                check.equal(cache.pull(prefix=name), (None, None), 'empty for 5.6.3')
                try:
                    driver('pull', w, 0)
                    check(False, 'empty for us')
                except Failed as failed:
                    check.equal(failed.status, -1, 'empty for us')
        clean(path, 'afterwards')


def incr():
    check.begin('incr')
    with directory() as path, Cache(path) as cache, ours(path) as driver:
        check.equal(cache.incr('n'), 1, 'theirs begins')
        check.equal(driver('incr', word('n'), 'i10'), ['i11'], 'ours goes on')
        check.equal(cache.decr('n', 20), -9, 'theirs goes on')
        check.equal(driver('incr', word('m'), 'i5', 'i100'), ['i105'], 'ours begins')
        check.equal(cache.incr('m', 2**40), 105 + 2**40, 'theirs goes on')
        cache['f'] = 0.5
        check.equal(driver('incr', word('f'), word(0.25)), [word(0.75)], 'floats')
        check.equal(cache.incr('f', 0.25), 1.0, 'floats')
        check.equal(driver('incr', word('f'), 'i1'), [word(2.0)], 'int on float')
        driver('set', word('e'), 'i5', -1)
        check.equal(cache.incr('e'), 1, 'expired: from the beginning')
        cache.set('e2', 5, expire=-1)
        check.equal(driver('incr', word('e2'), 'i1'), ['i1'], 'expired: from the beginning')
        cache.set('x', 1, expire=1000, tag='t')
        driver('incr', word('x'), 'i1')
        value, expire, tag = cache.get('x', expire_time=True, tag=True)
        check(value == 2 and expire is not None and tag == 't', 'keeps expiry and tag')
        cache['big'] = 2**63 - 1
        cache['text'], cache['file'], cache['pickle'] = '5', b'x' * 40000, (5,)
        for key, status in (('big', -12), ('text', -11), ('file', -11), ('pickle', -11)):
            try:
                driver('incr', word(key), 'i1')
                check(False, 'refused: ' + key)
            except Failed as failed:
                check.equal(failed.status, status, key)
        check.equal((cache['big'], cache['text']), (2**63 - 1, '5'), 'nothing changed')


def policies():
    check.begin('eviction policies')
    select = 'SELECT key, access_time, access_count FROM Cache ORDER BY rowid'
    for policy in ('none', 'least-recently-stored', 'least-recently-used', 'least-frequently-used'):
        index = {'stored': 'store_time', 'used': 'access_time'}.get(policy.split('-')[-1])
        index = 'access_count' if 'frequently' in policy else index
        for maker in ('5.6.3', 'us'):
            with directory() as path:
                if maker == '5.6.3':
                    with Cache(path, eviction_policy=policy) as cache:
                        cache['a'], cache['b'] = 1, 2
                else:
                    with ours(path, eviction_policy=policy) as driver:
                        driver('set', word('a'), 'i1')
                        driver('set', word('b'), 'i2')
                found = query(path, "SELECT name FROM sqlite_master WHERE type = 'index'")
                found = {name for (name,) in found}
                what = '%s by %s' % (policy, maker)
                if index and maker == '5.6.3':  # ours makes it when it has to choose a victim
                    check('Cache_' + index in found, what + ': index', found)
                before = query(path, select)
                check(all(row[1] is not None and row[2] == 0 for row in before), what, before)
                with ours(path) as driver:
                    for _ in range(3):
                        driver('get', word('a'))
                after = query(path, select)
                used = [now[1] > old[1] for old, now in zip(before, after)]
                counts = [row[2] for row in after]
                if index == 'access_time':
                    check.equal(used, [True, False], what + ': access times')
                elif index == 'access_count':
                    check.equal(counts, [3, 0], what + ': access counts')
                else:
                    check.equal(after, before, what + ': reading changes nothing')
                with Cache(path) as cache:
                    check.equal(cache.eviction_policy, policy, what + ': 5.6.3 sees it')
                    check.equal(cache['a'], 1, what + ': 5.6.3 reads')


def evictions():
    """Each in turn fills a directory with room for ten items: the right ones go."""
    check.begin('eviction, in turn')
    wanted = {
        'least-recently-stored': ['c', 'd', 'e'],  # a was stored anew, b read
        'least-recently-used': ['c', 'd', 'e'],
        'least-frequently-used': ['c', 'd', 'e'],
    }
    for policy, victims in wanted.items():
        for maker in ('5.6.3', 'us'):
            with directory() as path:
                what = '%s, evicted by %s' % (policy, maker)
                data = bytes(100000)
                with Cache(path, eviction_policy=policy, size_limit=2**40, cull_limit=3) as cache:
                    for letter in 'bcdefghija' if 'stored' in policy else 'abcdefghij':
                        cache[letter] = data
                if 'stored' in policy:
                    victims = ['b', 'c', 'd']
                with ours(path) as driver:
                    for letter in 'abab':
                        driver('get', word(letter))
                    driver('setting', 'size_limit', 'i900000')
                    if maker == 'us':
                        driver('set', word('new'), word(data))
                if maker == '5.6.3':
                    with Cache(path) as cache:
                        for letter in 'fghij' if 'frequently' in policy else '':
                            cache.get(letter)
                        cache['new'] = data
                left = [key for (key,) in query(path, 'SELECT key FROM Cache ORDER BY key')]
                gone = [key for key in 'abcdefghij' if key not in left]
                # 5.6.3 takes cull_limit items, we no more than are needed: 11 items to 8 or 9.
                check(gone == victims[: len(gone)] and len(gone) >= 2, what, gone)
                check('new' in left, what + ': never the newcomer')
                index = query(path, "SELECT COUNT(*) FROM sqlite_master WHERE name LIKE"
                                    " 'Cache_store_time' OR name LIKE 'Cache_access%'")  # fmt: skip
                check.equal(index, [(1,)], what + ': index')
                clean(path, what)


SETTINGS = {
    'statistics': 1,
    'tag_index': 1,
    'eviction_policy': 'least-frequently-used',
    'size_limit': 2**34 + 1,
    'cull_limit': 3,
    'sqlite_auto_vacuum': 2,
    'sqlite_cache_size': 1234,
    'sqlite_journal_mode': 'wal',
    'sqlite_mmap_size': 2**22,
    'sqlite_synchronous': 2,
    'disk_min_file_size': 100,
    'disk_pickle_protocol': 4,
}


def settings():
    check.begin('settings')
    select = 'SELECT key, typeof(value), value FROM Settings ORDER BY key'
    with directory() as left, directory() as right:
        Cache(left).close()
        with ours(right):
            pass
        theirs, mine = query(left, select), query(right, select)
        check.equal([row for row in mine if row in theirs], theirs, 'the same defaults')
        names = {row[0] for row in theirs}
        extra = [row[0] for row in mine if row[0] not in names]
        bad = [name for name in extra if name.startswith(('disk_', 'sqlite_'))]
        check.equal(bad, [], 'no further names that 5.6.3 would take for its own')
        # The policy's index comes when there is something to evict.
        schema = "SELECT type, name, tbl_name FROM sqlite_master WHERE name <> 'Cache_store_time'"
        theirs, mine = query(left, schema), query(right, schema)
        check.equal([row for row in theirs if row not in mine], [], 'tables, indexes, triggers')
        for pragma in ('page_size', 'auto_vacuum', 'encoding', 'user_version', 'application_id'):
            values = [query(path, 'PRAGMA ' + pragma) for path in (left, right)]
            check.equal(values[1], values[0], pragma)
    for maker in ('5.6.3', 'us'):
        with directory() as path:
            if maker == '5.6.3':
                Cache(path, **SETTINGS, own_setting='kept').close()
            else:
                with ours(path, **SETTINGS, own_setting='kept'):
                    pass
            with ours(path) as driver:
                listed = driver('settings')
                listed = dict(zip(listed[::2], map(unword, listed[1::2])))
                for name, value in dict(SETTINGS, own_setting='kept').items():
                    what = '%s by %s' % (name, maker)
                    check.equal(unword(driver('setting', name)[0]), value, what)
                    check.equal(listed.get(name), value, what + ', listed')
                driver('set', word('o'), word('x' * 99))
                driver('set', word('of'), word(b'x' * 100))
                driver('get', word('o'))
                try:
                    driver('get', word('absent'))
                except Failed:
                    pass
            with Cache(path) as cache:
                for name, value in dict(SETTINGS, own_setting='kept').items():
                    check.equal(getattr(cache, name), value, '%s read by 5.6.3' % name)
                cache['t'], cache['tf'] = 'x' * 99, b'x' * 100
                check.equal(cache.stats(), (1, 1), 'hits and misses')
            modes = dict(query(path, 'SELECT key, mode FROM Cache'))
            check.equal(modes, {'o': 1, 'of': 2, 't': 1, 'tf': 2}, 'disk_min_file_size')
            indexes = query(path, "SELECT name FROM sqlite_master WHERE name LIKE 'Cache_tag%'")
            check.equal(indexes, [('Cache_tag_rowid',)], 'index for tags')
            with ours(path) as driver:
                driver('setting', 'cull_limit', 'i77')
                driver('setting', 'tag_index', 'i0')
                driver('setting', 'disk_min_file_size', 'i50')
                driver('set', word('small'), word(b'x' * 60))
            with Cache(path) as cache:
                got = cache.cull_limit, cache.tag_index, cache.disk_min_file_size
                check.equal(got, (77, 0, 50), 'changed by us')
                cache.reset('disk_min_file_size', 1000)
                cache.reset('cull_limit', 5)
            with ours(path) as driver:
                driver('set', word('small'), word(b'x' * 60))
                check.equal(driver('setting', 'cull_limit'), ['i5'], 'changed by 5.6.3')
            check.equal(query(path, "SELECT mode FROM Cache WHERE key = 'small'"), [(1,)], 'honoured')
    with directory() as path:
        Cache(path).close()
        for name, value in (('eviction_policy', 'lru'), ('sqlite_journal_mode', 'waal')):
            try:
                with ours(path, **{name: value}):
                    check(False, 'refused: %s=%s' % (name, value))
            except Failed as failed:
                check.equal(failed.status, -13, 'refused: %s=%s' % (name, value))
        Cache(path).close()
        check(True, '5.6.3 still opens it')


def random_key(rng):
    kind = rng.randrange(8)
    if kind == 0:
        return rng.randrange(-1000, 1000)
    if kind == 1:
        return rng.randrange(-(2**63), 2**63)
    if kind == 2:
        return rng.choice([rng.random(), rng.uniform(-1e9, 1e9), float(rng.randrange(-9, 9)),
                           rng.random() * 10.0 ** rng.randrange(-300, 300), -0.0,
                           float('inf')])  # fmt: skip
    if kind == 3:
        return ''.join(chr(rng.randrange(32, 127)) for _ in range(rng.randrange(40)))
    if kind == 4:
        return ''.join(chr(rng.choice([0, 233, 0x4E2D, 0x1F511])) for _ in range(rng.randrange(9)))
    if kind == 5:
        return rng.randbytes(rng.choice([0, 1, 3, 16, 200, 6000]))
    if kind == 6:
        return (rng.randrange(100), str(rng.random()), None, rng.random())
    return rng.choice([True, False, None, 2**64 + rng.randrange(1000), -(2**70)])


def hashes():
    check.begin('hash of 10,000 keys')
    rng = random.Random(20)
    disk = diskcache.Disk('.', pickle_protocol=pickle.HIGHEST_PROTOCOL)
    driver, wrong = Driver(), []
    keys = [random_key(rng) for _ in range(10000)]
    keys += [2**32 - 1, -(2**32) + 1, 2**32, 0, -1, -(2**63), 2**63 - 1]
    for start in range(0, len(keys), 100):
        part = keys[start : start + 100]
        got = map(int, driver('hash', *(word(key, True) for key in part)))
        wrong += [key for key, value in zip(part, got) if value != disk.hash(key)]
    check.equal(wrong, [], 'all equal')
    check.equal(driver.end(), 0, 'driver ends well')


def windows():
    check.begin('a directory from Windows')
    with directory() as path:
        with Cache(path) as cache:
            for number in range(6):
                cache['k%d' % number] = bytes([65 + number]) * 40000
            cache.push(b'Q' * 40000, prefix='q')
        query(path, r"UPDATE Cache SET filename = replace(filename, '/', '\')")
        with ours(path) as driver:
            for number in range(6):
                got = driver.entry('get', word('k%d' % number))
                check.equal(unword(got['value']), bytes([65 + number]) * 40000, 'read')
            check.equal(driver('check', 0)[0], '0', 'check is clean')
            got = driver.entry('get', word('k0'), 16)['value']
            check.equal(got, 'f' + '41' * 40000, 'as a descriptor')
            driver('set', word('k0'), word(b'new' * 20000))
            driver('delete', word('k1'))
            got = unword(driver.entry('pop', word('k2'))['value'])
            check.equal(got, b'C' * 40000, 'pop')
            got = unword(driver.entry('pull', 'q', 0)['value'])
            check.equal(got, b'Q' * 40000, 'pull')
            check.equal(driver('check', 1)[0], '0', 'check is clean')
        left = sum(name.endswith('.val') for _, _, names in os.walk(path) for name in names)
        check.equal(left, 4, 'their files are gone')
        query(path, r"UPDATE Cache SET filename = replace(filename, '\', '/')")
        clean(path, 'afterwards')


def opening_changes_nothing():
    check.begin('opening a directory of 5.6.3')
    with directory() as path:
        with Cache(path) as cache:
            cache['a'], cache['b'] = 1, b'x' * 40000
        name = os.path.join(path, 'cache.db')
        before = open(name, 'rb').read(), os.stat(name).st_mtime_ns
        with ours(path) as driver:
            check.equal(driver.entry('get', word('a'))['value'], 'i1', 'reads')
            driver('count')
        after = open(name, 'rb').read(), os.stat(name).st_mtime_ns
        check(before == after, 'cache.db is the same, byte for byte')
        left = sorted(name for name in os.listdir(path) if name.startswith('cache.db'))
        check.equal(left, ['cache.db'], 'nothing of ours is left behind')


def seen_at_once():
    check.begin('both open: what one acknowledges the other sees')
    with directory() as path, Cache(path) as cache, ours(path) as driver:
        wrong = []
        for number in range(300):
            driver('set', word('k'), 'i%d' % number)
            limit = time.monotonic() + 0.05
            while (got := cache.get('k')) != number and time.monotonic() < limit:
                pass
            if got != number:
                wrong.append(number)
            cache['k'] = -number
            if driver.entry('get', word('k'))['value'] != 'i%d' % -number:
                wrong.append(-number)
        check.equal(wrong, [], 'within 50 ms, 300 times each way')
        # A transaction of theirs is not seen before it commits, and ours not by them.
        with cache.transact():
            cache['k'] = 'theirs'
            got = driver.entry('get', word('k'))['value']
            check.equal(got, 'i-299', 'their transaction is not seen')
        check.equal(driver.entry('get', word('k'))['value'], word('theirs'), 'committed')
        driver('begin')
        driver('set', word('k'), word('ours'))
        check.equal(cache['k'], 'theirs', 'our transaction is not seen')
        driver('commit')
        check.equal(cache['k'], 'ours', 'committed')
        warnings = [str(w.message) for w in cache.check(fix=True)]
        check.equal(warnings, [], 'their check(fix=True) beside us finds nothing')
        driver('set', word('k'), word('after'))
        check.equal(cache['k'], 'after', 'and leaves our files in place')


def timed(call, *words):
    """Seconds, and the status of the error or 0."""
    begin = time.monotonic()
    try:
        call(*words)
        status = 0
    except Failed as failed:
        status = failed.status
    except diskcache.Timeout:
        status = 'Timeout'
    return time.monotonic() - begin, status


def waiting():
    """A transaction of one side, and what the other side does meanwhile."""
    check.begin('waiting for the other side')
    with directory() as path, Cache(path, timeout=0.2) as cache:
        cache['k'], cache['file'] = 1, b'x' * 40000
        with ours(path, timeout=0.3) as driver:
            with cache.transact():
                cache['k'] = 2
                writes = [('set', word('k'), 'i3'), ('delete', word('k')), ('pull', 'q', 0),
                          ('incr', word('k'), 'i1'), ('set', word('f'), word(b'y' * 40000)),
                          ('begin',), ('clear',)]  # fmt: skip
                for words in writes:
                    seconds, status = timed(driver, *words)
                    fine = status == -2 and 0.2 < seconds < 1.5
                    check(fine, '%s: TIMEOUT after 0.3 s' % words[0], (seconds, status))
                reads = [('get', word('k')), ('get', word('file')), ('contains', word('k')),
                         ('count',), ('iter', 0, 0), ('stats', 0), ('settings',), ('volume',),
                         ('peekitem', 0)]  # fmt: skip
                for words in reads:
                    seconds, status = timed(driver, *words)
                    check(status == 0 and seconds < 0.2, '%s does not wait' % words[0],
                          (seconds, status))  # fmt: skip
                seconds, status = timed(lambda: ours(path).__enter__().end())
                check(status == 0 and seconds < 0.25, 'opening does not wait', (seconds, status))
            check.equal(driver.entry('get', word('k'))['value'], 'i2', 'nothing was written')
            check.equal(driver('check', 1)[0], '0', 'no file of a set that timed out is left')
            driver('begin')
            driver('set', word('k'), 'i4')
            seconds, status = timed(cache.set, 'k', 5)
            check(status == 'Timeout' and seconds < 1.5, '5.6.3 waits for us', (seconds, status))
            check.equal(cache['k'], 2, '5.6.3 reads meanwhile')
            driver('rollback')
            check.equal(cache.set('k', 6), True, 'and writes afterwards')
        # A foreign holder lets go: we go on soon, though nothing wakes us.
        with ours(path, timeout=10) as driver:
            late = []
            for _ in range(5):
                with cache.transact():
                    driver.send('set', word('k'), 'i7')
                    time.sleep(0.05)
                begin = time.monotonic()
                driver.receive()
                late.append(time.monotonic() - begin)
            check(sorted(late)[2] < 0.05, 'through within 50 ms of their commit', late)
        clean(path, 'afterwards')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('driver')
    parser.add_argument('--seconds', type=float, default=10, help='of the concurrent test')
    parser.add_argument('--shim', help='dqs_off.so; made with cc when not given')
    parser.add_argument('--only', help='names of sections, with commas')
    args = parser.parse_args()
    if diskcache.__version__ != '5.6.3':
        sys.exit('this Python has diskcache %s, not 5.6.3' % diskcache.__version__)
    Driver.path = os.path.abspath(args.driver)
    sections = [
        theirs_then_ours, ours_then_theirs, key_none, nan_values, bad_text, equal_numbers,
        tags_and_expiry, queues, incr, policies, evictions, settings, hashes, windows,
        opening_changes_nothing, seen_at_once, waiting,
    ]  # fmt: skip
    sections.append(lambda: dqs.run(check, args.shim))
    sections[-1].__name__ = 'dqs'
    sections.append(lambda: concurrent_work.run(check, clean, args.seconds))
    sections[-1].__name__ = 'concurrent'
    sections.append(lambda: fanouts.run(check, clean, rows_and_files, KEYS, VALUES, args.seconds))
    sections[-1].__name__ = 'fanouts'
    sections.append(lambda: structures.run(check, clean, VALUES, args.seconds))
    sections[-1].__name__ = 'structures'
    sections.append(lambda: recipes.run(check, args.seconds))
    sections[-1].__name__ = 'recipes'
    for section in sections:
        if args.only and section.__name__ not in args.only.split(','):
            continue
        try:
            section()
        except Exception:  # the others still have something to say
            check(False, 'ended early', traceback.format_exc()[-380:])
    print('%d passed, %d failed' % (check.passed, check.failed))
    return 1 if check.failed else 0


if __name__ == '__main__':
    sys.exit(main())
