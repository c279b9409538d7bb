"""Lock, RLock and BoundedSemaphore, and barrier().

SPDX-License-Identifier: Apache-2.0
"""

import multiprocessing
import os
import pickle
import signal
import threading
import time

import pytest

from packages import expect, is_ours

KINDS = ['Lock', 'RLock', 'BoundedSemaphore']


@pytest.fixture(params=['Cache', 'FanoutCache', 'Index'])
def cache(request, package, tmp_path):
    """What a recipe may work on."""
    if request.param == 'Index':
        cache = package.Index(str(tmp_path)).cache
    else:
        cache = getattr(package, request.param)(tmp_path)
    yield cache
    cache.close()


@pytest.fixture
def plain(ours, tmp_path):
    with ours.Cache(tmp_path) as cache:
        yield cache


def in_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0]


@pytest.mark.parametrize('kind', KINDS)
def test_held_inside_the_block(package, cache, kind):
    lock = getattr(package, kind)(cache, ('lock', 1), tag='locks')
    with lock as entered:
        assert entered is None and ('lock', 1) in cache
    if kind != 'BoundedSemaphore' and (kind == 'Lock' or is_ours(package)):
        assert ('lock', 1) not in cache
    with pytest.raises(LookupError):
        with lock:
            raise LookupError
    with lock:
        pass


def test_locked_is_what_all_see(package, cache):
    one, other = package.Lock(cache, 'lock'), package.Lock(cache, 'lock')
    assert not one.locked()
    with one:
        assert one.locked() and other.locked() and not package.Lock(cache, 'lock 2').locked()
    assert not other.locked()


def test_a_lock_that_nobody_holds_may_be_released(package, cache):
    package.Lock(cache, 'lock').release()


def test_who_never_acquired_a_lock_may_release_it(package, cache):
    package.Lock(cache, 'lock').acquire()
    package.Lock(cache, 'lock').release()
    assert not package.Lock(cache, 'lock').locked()


def test_who_never_acquired_a_permit_may_release_it(package, cache):
    package.BoundedSemaphore(cache, 'permits', value=2).acquire()
    package.BoundedSemaphore(cache, 'permits', value=2).release()
    with pytest.raises(AssertionError, match='cannot release un-acquired semaphore'):
        package.BoundedSemaphore(cache, 'permits', value=2).release()


def test_an_rlock_is_its_threads_through_whatever_object(package, cache):
    one, other = package.RLock(cache, 'lock'), package.RLock(cache, 'lock')
    one.acquire()
    other.acquire()
    one.release()

    def release_elsewhere():
        with pytest.raises(AssertionError, match='cannot release un-acquired lock'):
            one.release()
        return True

    assert in_thread(release_elsewhere)
    other.release()
    with pytest.raises(AssertionError):
        one.release()


def test_a_semaphore_has_as_many_permits_as_it_says(package, cache):
    permits = package.BoundedSemaphore(cache, 'permits', 2)
    permits.acquire()
    permits.acquire()
    if is_ours(package):
        assert permits.acquire(blocking=False) is False
    permits.release()
    permits.acquire()
    permits.release()
    permits.release()
    with pytest.raises(AssertionError):
        permits.release()


@pytest.mark.parametrize('kind', KINDS)
def test_threads_exclude_each_other(package, tmp_path, kind):
    with package.Cache(tmp_path) as cache:
        inside, most, lock = [0], [0], getattr(package, kind)(cache, 'lock')

        def work():
            for _ in range(10):
                with lock if kind == 'Lock' else getattr(package, kind)(cache, 'lock'):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    time.sleep(0.0005)
                    inside[0] -= 1

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == [1]


@pytest.mark.parametrize('kind', KINDS)
def test_acquire_says_whether(ours, plain, kind):
    lock, other = (getattr(ours, kind)(plain, 'lock') for _ in range(2))
    assert lock.acquire() is True

    def elsewhere():
        begin = time.monotonic()
        results = [other.acquire(blocking=False), other.acquire(timeout=0), other.acquire(timeout=0.2)]
        return results, 0.19 < time.monotonic() - begin < 5

    assert in_thread(elsewhere) == ([False, False, False], True)
    lock.release()
    assert in_thread(lambda: other.acquire(timeout=5)) is True


@pytest.mark.parametrize('kind', KINDS)
def test_a_lease_that_has_ended(ours, plain, clock, kind):
    lock = getattr(ours, kind)(plain, 'lock', expire=10)
    lock.acquire()
    clock.advance(9)
    lock.renew()
    clock.advance(9)
    assert lock.owned()
    lock.renew(expire=100)
    clock.advance(99)
    assert lock.owned()
    clock.advance(2)
    assert not lock.owned()
    with pytest.raises(AssertionError):
        lock.renew()
    other = getattr(ours, kind)(plain, 'lock')
    assert in_thread(lambda: other.acquire(blocking=False)) is True
    for _ in range(2):
        with pytest.raises(AssertionError):
            lock.release()
    assert getattr(ours, kind)(plain, 'lock').acquire(blocking=False) is False


def test_the_end_of_a_lease_that_nobody_took_is_not_complained_about(package, tmp_path, clock):
    with package.Cache(tmp_path) as cache:
        with package.Lock(cache, 'lock', expire=1):
            clock.advance(2)


@pytest.mark.parametrize('kind', KINDS)
def test_a_lock_goes_by_pickle(package, cache, kind):
    lock = getattr(package, kind)(cache, 'lock', expire=100, tag='t')
    other = pickle.loads(pickle.dumps(lock))
    with other:
        if is_ours(package):
            assert other.owned() and not lock.acquire(blocking=False) or kind == 'RLock'
    lock.acquire()
    lock.release()


def test_the_cache_may_be_closed_while_a_lock_is_held(package, cache):
    lock = package.Lock(cache, 'lock')
    with lock:
        cache.close()
        assert lock.locked()
    assert not lock.locked()


@pytest.mark.parametrize('kind', KINDS)
def test_a_lock_inside_a_transaction_is_part_of_it(package, cache, kind):
    lock = getattr(package, kind)(cache, 'lock')
    with cache.transact():
        with lock:
            cache['k'] = 1
        lock.acquire()
    with pytest.raises(ZeroDivisionError), cache.transact():
        lock.release()
        1 / 0
    assert cache['k'] == 1 and 'lock' in cache
    lock.release()
    assert kind == 'RLock' or not getattr(lock, 'locked', lambda: False)()


def test_a_lock_that_is_undone_with_its_transaction_is_free(package, cache):
    lock, other = package.Lock(cache, 'lock'), package.Lock(cache, 'lock')
    with pytest.raises(ZeroDivisionError), cache.transact():
        lock.acquire()
        1 / 0
    assert not other.locked()
    with other:
        assert lock.locked()


def test_a_lock_of_another_inside_a_transaction(package, cache):
    """Its holder cannot release it before the transaction ends, which would wait for him: 5.6.3 waits until
    the lease ends."""
    package.Lock(cache, 'lock', expire=0.3).acquire()
    lock = package.Lock(cache, 'lock')
    with cache.transact():
        begin = time.monotonic()
        if is_ours(package):
            assert lock.acquire(blocking=False) is False
            assert lock.acquire(timeout=60) is False
            with pytest.raises(RuntimeError, match='transaction'):
                lock.acquire()
        else:
            lock.acquire()
        expect(package, time.monotonic() - begin < 0.25, True, False)


def test_the_record_of_a_lock_where_the_disk_has_hooks(package, tmp_path):
    with package.Cache(tmp_path, disk=package.JSONDisk) as cache:
        with package.Lock(cache, 'lock'):
            assert 'lock' in cache and list(cache) == ['lock']
            if is_ours(package):
                with pytest.raises(TypeError):
                    cache.get('lock')
            else:
                assert cache.get('lock') is None
        assert 'lock' not in cache
        with package.RLock(cache, 'lock'), package.BoundedSemaphore(cache, 'semaphore'):
            assert 'lock' in cache and 'semaphore' in cache


def test_what_is_no_cache_is_refused(ours):
    for bad in (None, {}, object()):
        for kind in KINDS:
            with pytest.raises(TypeError):
                getattr(ours, kind)(bad, 'lock')


def test_a_signal_reaches_who_waits(ours, plain):
    class Alarm(Exception):
        pass

    def ring(*args):
        raise Alarm

    ours.Lock(plain, 'lock').acquire()
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(Alarm):
            ours.Lock(plain, 'lock').acquire()
    finally:
        signal.signal(signal.SIGALRM, before)


def hold_and_die(lock, kind):
    lock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize('kind', KINDS)
def test_what_a_dead_process_held_is_free(ours, plain, kind):
    lock = getattr(ours, kind)(plain, 'lock')
    process = multiprocessing.get_context('fork').Process(target=hold_and_die, args=(lock, kind))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert lock.acquire(timeout=10) is True


def test_a_child_does_not_own_what_its_parent_holds(ours, plain):
    lock = ours.Lock(plain, 'lock')
    lock.acquire()
    pid = os.fork()
    if pid == 0:
        os._exit(10 * lock.owned() + lock.acquire(blocking=False))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert lock.owned()
    lock.release()


def count(directory, kind, times):
    import diskcache

    with diskcache.Cache(directory) as cache:
        for _ in range(times):
            with getattr(diskcache, kind)(cache, 'lock'):
                cache['count'] = cache['count'] + 1


@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_processes_exclude_each_other(ours, plain, method):
    plain['count'] = 0
    context = multiprocessing.get_context(method)
    workers = [
        context.Process(target=count, args=(plain.directory, kind, 50))
        for kind in ('Lock', 'Lock', 'Lock')
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert plain['count'] == 150


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('holder', ['ours', 'oracle'])
def test_both_packages_exclude_each_other(ours, oracle, tmp_path, holder, kind):
    one, other = (ours, oracle) if holder == 'ours' else (oracle, ours)
    with one.Cache(tmp_path) as first, other.Cache(tmp_path) as second:
        held, order = getattr(one, kind)(first, 'lock'), []
        held.acquire()

        def wait():
            with getattr(other, kind)(second, 'lock'):
                order.append('second')

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.1)
        order.append('first')
        held.release()
        thread.join(20)
        assert order == ['first', 'second']


@pytest.mark.parametrize('kind', KINDS)
def test_barrier_lets_one_in_at_a_time(package, cache, kind):
    inside, most = [0], [0]

    @package.barrier(cache, getattr(package, kind), name='barrier', expire=100, tag='t')
    def work(number, double=False):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.001)
        inside[0] -= 1
        return number * 2 if double else number

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] and work(5, double=True) == 10 and work.__name__ == 'work'


def test_barrier_is_named_after_the_function(package, cache):
    @package.barrier(cache, package.Lock)
    def work():
        return package.core.full_name(work) in cache

    assert work() is True
