"""What goes wrong with the interface of 5.6.3, one test for each row of the list, named after it.

SPDX-License-Identifier: Apache-2.0
"""

import asyncio
import io
import pickle
import subprocess
import sys
import threading
import time

import pytest

import compare
from packages import child_environment, expect, is_ours


def test_equal_tuples_whose_strings_differ_in_identity_are_different_keys(cache, package):
    word = 'word'
    one, other = (word, word), (word, ''.join(['wo', 'rd']))
    assert one == other and one[0] is one[1] and other[0] is not other[1]
    cache[one] = 'value'
    expect(package, cache.get(other), 'value', None)
    if is_ours(package):
        cache[other] = 'new'
        assert (cache[one], len(cache)) == ('new', 1)


@pytest.mark.parametrize('same', [True, False])
def test_tuple_keys_that_5_6_3_wrote_are_found(oracle, ours, tmp_path, same):
    word = 'word'
    key = (word, word if same else ''.join(['wo', 'rd']), 1, (word, 2.5))
    with oracle.Cache(tmp_path) as cache:
        cache[key] = 'value'
    looked_up = (word, word, 1, (word, 2.5))
    with ours.Cache(tmp_path) as cache:
        assert cache[looked_up] == 'value' and looked_up in cache
        assert cache.add(looked_up, 'other') is False
        cache[looked_up] = 'new'
        assert (cache[key], len(cache)) == ('new', 1)
        assert cache.pop(looked_up) == 'new' and len(cache) == 0


def test_tuple_keys_of_a_fanout_whose_disk_has_hooks_are_found(oracle, ours, tmp_path):
    class Hooked(ours.Disk):
        def store(self, value, read, key=ours.UNKNOWN):
            return super().store(value, read, key)

    word = 'word'
    keys = [(n, word, ''.join(['wo', 'rd'])) for n in range(20)]
    with oracle.FanoutCache(tmp_path) as cache:
        for key in keys:
            cache[key] = b'o' * 40_000
    with ours.FanoutCache(tmp_path, disk=Hooked) as cache:
        for n in range(20):
            looked_up = (n, word, word)
            assert cache[looked_up] == b'o' * 40_000 and looked_up in cache
            assert cache.add(looked_up, 'other') is False
            cache[looked_up] = b'n' * 50_000
            assert cache[keys[n]] == b'n' * 50_000
        assert len(cache) == 20 and len(compare.files(tmp_path)) == 20 and cache.check() == []
        assert cache.pop((0, word, word)) == b'n' * 50_000
        cache.set_many({(n, word, word): b'm' * 60_000 for n in range(1, 20)})
        assert len(cache) == 19 and cache.check() == []
        assert cache.get_many([keys[1]]) == {keys[1]: b'm' * 60_000}
        assert cache.delete_many([(n, word, word) for n in range(20)]) == 19
    assert compare.files(tmp_path) == []


def calls_of(cache, calls, **kwargs):
    """Compute f in the four ways of saying the same thing; how often it was called."""

    @cache.memoize(**kwargs)
    def f(x, y=2):
        calls.append((x, y))
        return x + y

    assert [f(1), f(1, 2), f(1, y=2), f(x=1)] == [3, 3, 3, 3]
    return len(calls)


def test_memoize_computes_one_call_four_times(cache, package):
    assert calls_of(cache, []) == 4  # relied upon: the keys are those of 5.6.3
    if is_ours(package):
        cache.clear()
        assert calls_of(cache, [], bind=True) == 1


def test_memoize_ignores_a_positional_argument_by_name(cache, package):
    @cache.memoize(ignore={'session'})
    def f(x, session):
        return x, session

    assert f(1, 'first') == (1, 'first')
    expect(package, f(1, 'second'), (1, 'first'), (1, 'second'))
    assert f(2, session='third') == (2, 'third')


@pytest.mark.filterwarnings('ignore:coroutine')
def test_memoize_of_an_async_function(cache, package):
    calls = []

    @cache.memoize()
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0)
        return x * 2

    async def main():
        return [await f(1), await f(1)]

    if is_ours(package):
        assert asyncio.run(main()) == [2, 2] and calls == [1]
    else:
        with pytest.raises(TypeError):
            asyncio.run(main())


def test_eight_threads_compute_one_memoized_call_eight_times(ours, tmp_path):
    with ours.Cache(tmp_path) as cache:
        calls, results = [], []
        together = threading.Barrier(8)

        @cache.memoize(single_flight=True)
        def f(x):
            calls.append(x)
            time.sleep(0.1)
            return x * 2

        def work():
            together.wait()
            results.append(f(21))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [42] * 8 and calls == [21]


def test_memoize_stampede_that_never_expires(cache, package):
    @package.memoize_stampede(cache, expire=None)
    def f(x):
        return x * 2

    assert f(1) == 2
    expect(package, compare.outcome(f, 1), ('returns', ('int', 2)), ('raises', 'TypeError'))


def test_anyone_may_release_a_lock(cache, package):
    holder, other = package.Lock(cache, 'lock'), package.Lock(cache, 'lock')
    holder.acquire()
    if is_ours(package):
        assert other.acquire(blocking=False) is False
        begin = time.monotonic()
        assert other.acquire(timeout=0.05) is False
        assert 0.04 < time.monotonic() - begin < 5
    holder.release()
    assert not holder.locked()
    if is_ours(package):
        assert other.acquire(timeout=0.05) is True
        other.release()


@pytest.mark.parametrize('kind', ['RLock', 'BoundedSemaphore'])
def test_acquire_with_a_timeout(ours, tmp_path, kind):
    with ours.Cache(tmp_path) as cache:
        holder = getattr(ours, kind)(cache, 'lock')
        holder.acquire()
        results = []

        def work():
            other = getattr(ours, kind)(cache, 'lock')
            results.append(other.acquire(blocking=False))
            results.append(other.acquire(timeout=0.05))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert results == [False, False]
        holder.release()


def test_an_rlock_leaves_its_key_behind(cache, package):
    lock = package.RLock(cache, 'lock')
    with lock, lock:
        pass
    expect(package, len(cache), 0, 1)


def test_fanout_has_no_iterkeys(package, tmp_path):
    with package.FanoutCache(tmp_path, shards=4) as cache:
        for number in range(20):
            cache[number] = number
        if is_ours(package):
            assert list(cache.iterkeys()) == list(range(20))
            assert list(cache.iterkeys(reverse=True)) == list(range(20))[::-1]
        else:
            with pytest.raises(AssertionError):
                cache.iterkeys()


@pytest.mark.parametrize('number', [1, 0, -7, 2**40])
def test_fanout_does_not_find_equal_numbers(package, tmp_path, number):
    with package.FanoutCache(tmp_path, shards=8) as cache:
        cache[number] = 'value'
        found = cache.get(float(number))
        if is_ours(package):
            assert found == 'value'
            cache[float(number)] = 'new'
            assert (cache[number], len(cache)) == ('new', 1)


def test_fanout_finds_the_floats_that_5_6_3_placed(oracle, ours, tmp_path):
    numbers = [float(number) for number in range(-5, 20)] + [0.5, 1e300, -1.25]
    with oracle.FanoutCache(tmp_path) as cache:
        for number in numbers:
            cache[number] = number
    with ours.FanoutCache(tmp_path) as cache:
        assert [cache[number] for number in numbers] == numbers
        assert all(cache[int(number)] == number for number in range(-5, 20))
        assert all(cache.delete(number) for number in numbers)
        assert len(cache) == 0


def test_a_queue_takes_items_of_another_whose_name_begins_alike(cache, package):
    cache.push('B', prefix='a-1')
    expect(package, cache.pull(prefix='a'), (None, None), ('a-1-500000000000000', 'B'))
    if is_ours(package):
        assert cache.pull(prefix='a-1') == ('a-1-500000000000000', 'B')


def test_pull_takes_the_users_own_key(cache):
    cache[5] = 'mine'
    assert cache.pull() == (5, 'mine')  # documented: kept


def test_what_is_an_item_of_the_queue(cache, package):
    cache[0.5] = 'half'
    expect(package, cache.pull(), (None, None), (0.5, 'half'))
    cache[1] = 'last number'
    pushed = compare.outcome(cache.push, 'before it', side='front')
    expect(package, pushed, ('raises', 'OverflowError'), ('returns', ('int', 0)))
    assert cache.pull() == (1, 'last number')
    assert cache.pull() == (None, None)  # 5.6.3 has lost the other


def test_delitem_called_by_its_name(cache, package):
    cache['k'] = 1
    expect(package, cache.__delitem__('k'), None, True)
    assert 'k' not in cache and cache.delete('k', retry=True) is False


def test_read_of_a_small_value_is_no_file(cache, package):
    cache['bytes'] = b'small'
    cache.set('stream', io.BytesIO(b'streamed'), read=True)
    with cache.read('stream') as reader:
        assert reader.read() == b'streamed'
    expect(package, hasattr(cache.read('bytes'), 'read'), True, False)
    if is_ours(package):
        with cache.read('bytes') as reader:
            assert (reader.read(2), reader.read(), reader.seek(0)) == (b'sm', b'all', 0)
        with pytest.raises(KeyError):
            cache.read('missing')


def test_incr_beyond_64_bits(cache):
    cache['k'] = 2**63 - 1
    with pytest.raises(OverflowError):
        cache.incr('k')
    assert cache['k'] == 2**63 - 1
    cache['k'] = -(2**63)
    with pytest.raises(OverflowError):
        cache.decr('k')
    assert cache['k'] == -(2**63)


def test_the_record_of_a_throttle(cache, package):
    package.throttle(cache, 2, 1, name='f', time_func=lambda: 5.0)(len)('abc')
    assert cache['f'] == (5.0, 1)
    assert type(cache['f'][1]) is float or not is_ours(package)


def test_reverse_keeps_every_item(package, tmp_path):
    deque = package.Deque(range(5), directory=tmp_path)
    deque.reverse()
    assert list(deque) == [4, 3, 2, 1, 0] and deque.popleft() == 4
    deque.cache.close()
    assert len(compare.rows(tmp_path)) == 4


def test_a_deque_forgets_its_maxlen(package, tmp_path):
    deque = package.Deque('abc', directory=tmp_path, maxlen=3)
    deque.cache.close()
    again = package.Deque(directory=tmp_path)
    expect(package, again.maxlen, 3, float('inf'))
    again.append('d')
    expect(package, list(again), ['b', 'c', 'd'], ['a', 'b', 'c', 'd'])
    again.cache.close()


def test_attributes_are_stale(package, tmp_path):
    with package.Cache(tmp_path, statistics=1) as cache, package.Cache(tmp_path) as other:
        other['k'] = b'x' * 100_000
        cache.get('k')
        cache.get('missing')
        seen = (cache.count, cache.size, cache.hits, cache.misses)
        expect(package, seen, (1, 100_000, 1, 1), (0, 0, 0, 0))


def test_incr_and_push_take_no_expire(ours, tmp_path, clock):
    with ours.Cache(tmp_path) as cache:
        assert cache.incr('k', expire=5, tag='red') == 1
        assert cache.get('k', expire_time=True, tag=True) == (1, clock.now + 5, 'red')
        assert cache.incr('k', expire=50, tag='blue') == 2  # only what is new gets them
        assert cache.get('k', expire_time=True, tag=True) == (2, clock.now + 5, 'red')
        assert cache.decr('down', expire=5, tag='red') == -1
        key = cache.push('value', expire=5, tag='red')
        assert cache.peek(expire_time=True, tag=True) == ((key, 'value'), clock.now + 5, 'red')


def test_keyword_names_of_every_argument(cache):
    stream = io.BytesIO(b'stream')
    assert cache.set(key='k', value=stream, expire=5, read=True, tag='t', retry=True) is True
    assert cache.add(key='k', value=1, expire=5, read=False, tag='t', retry=True) is False
    assert cache.touch(key='k', expire=9, retry=True) is True
    options = {'expire_time': False, 'tag': True, 'retry': True}
    assert cache.get(key='k', default=None, read=False, **options) == (b'stream', 't')
    with cache.read(key='k', retry=True) as reader:
        assert reader.read() == b'stream'
    assert cache.incr(key='n', delta=2, default=1, retry=True) == 3
    assert cache.decr(key='n', delta=1, default=1, retry=True) == 2
    assert cache.pop(key='k', default=None, **options) == (b'stream', 't')
    key = cache.push(value=1, prefix='q', side='back', expire=None, read=False, tag='t', retry=True)
    assert cache.peek(prefix='q', default=(None, None), side='front', **options) == ((key, 1), 't')
    assert cache.peekitem(last=True, **options) == ((key, 1), 't')
    assert cache.pull(prefix='q', default=(None, None), side='front', **options) == ((key, 1), 't')
    assert cache.delete(key='n', retry=True) is True
    assert cache.evict(tag='t', retry=True) == 0
    assert cache.expire(now=None, retry=True) == 0
    assert cache.cull(retry=True) == 0 and cache.clear(retry=True) == 0
    assert cache.check(fix=False, retry=True) == []
    assert cache.stats(enable=False, reset=True) == (0, 0)
    assert list(cache.iterkeys(reverse=True)) == []
    assert cache.reset(key='cull_limit', value=9, update=True) == 9


def test_what_may_be_a_directory(package, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('WHERE', 'from-environment')
    for given, where in (
        (tmp_path / 'path', 'path'), (str(tmp_path / 'text'), 'text'), (5, '5'),
        ('~/home', 'home'), ('${WHERE}', 'from-environment'), ('relative', 'relative'),
    ):  # fmt: skip
        with package.Cache(given) as cache:
            cache['k'] = where
        assert (tmp_path / where / 'cache.db').exists(), given
    with package.Cache() as cache:
        assert 'diskcache-' in cache.directory
    with package.Cache(directory='keyword', timeout=1, disk=package.Disk) as cache:
        assert cache.timeout == 1


def test_use_after_close(cache):
    cache['k'] = 1
    cache.close()
    cache.close()
    assert cache['k'] == 1
    cache.close()
    cache['k'] = 2
    assert list(cache) == ['k'] and cache.get('k') == 2


def test_the_truth_of_a_cache_is_whether_there_is_something_in_it(package, tmp_path):
    for made in (
        package.Cache(tmp_path / 'cache'), package.FanoutCache(tmp_path / 'fanout'),
        package.Index(str(tmp_path / 'index')), package.Deque(directory=tmp_path / 'deque'),
    ):  # fmt: skip
        assert not made
        if isinstance(made, package.Deque):
            made.append(1)
        else:
            made[1] = 1
        assert made and len(made) == 1


CHILD = """
import pickle, sys
import packages
for made in pickle.load(sys.stdin.buffer):
    if type(made).__name__ == 'Deque':
        made.append('child')
    else:
        made['child'] = made['k'] + 1
"""


def test_a_live_cache_is_sent_to_a_child_process(package, tmp_path):
    made = [
        package.Cache(tmp_path / 'cache', timeout=3), package.FanoutCache(tmp_path / 'fanout', shards=2),
        package.Index(str(tmp_path / 'index')), package.Deque(directory=tmp_path / 'deque', maxlen=9),
    ]  # fmt: skip
    for one in made[:3]:
        one['k'] = 1
    command = [sys.executable, '-c', CHILD]
    subprocess.run(command, input=pickle.dumps(made), env=child_environment(), check=True)
    assert [one['child'] for one in made[:3]] == [2, 2, 2]
    assert list(made[3]) == ['child']
    copies = pickle.loads(pickle.dumps(made))
    assert (copies[0].timeout, copies[1]._count, copies[3].maxlen) == (3, 2, 9)
