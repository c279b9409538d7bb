"""Every public name of 5.6.3 is there, with its parameters in their order and their defaults.

A walk over both packages with inspect. What we have beyond 5.6.3 is listed in docs/DIFFERENCES.md;
what is there and not listed fails too.

SPDX-License-Identifier: Apache-2.0
"""

import importlib
import inspect
import pickle
import subprocess
import sys

import pytest

import packages
from differences import additions, differs

MODULES = ['', 'core', 'fanout', 'persistent', 'recipes', 'djangocache']
CLASSES = [
    'core.Cache', 'core.Disk', 'core.JSONDisk', 'core.Constant', 'core.Timeout',
    'core.UnknownFileWarning', 'core.EmptyDirWarning', 'fanout.FanoutCache', 'persistent.Deque',
    'persistent.Index', 'recipes.Averager', 'recipes.Lock', 'recipes.RLock',
    'recipes.BoundedSemaphore', 'djangocache.DjangoCache',
]  # fmt: skip
NOT_SPECIAL = {
    '__module__', '__doc__', '__dict__', '__weakref__', '__qualname__', '__firstlineno__',
    '__static_attributes__', '__abstractmethods__', '__annotations__', '__parameters__',
    '__orig_bases__', '__slotnames__', '__slots__', '_abc_impl', '__new__', '__type_params__',
    '__getattr__',  # by which 5.6.3's FanoutCache has the settings of its shards as attributes
}  # fmt: skip


def module(package, name):
    if name == 'djangocache':
        pytest.importorskip('django')
    return importlib.import_module(package.__name__ + ('.' + name if name else ''))


def find(package, path):
    name, attribute = path.split('.')
    return getattr(module(package, name), attribute)


def public(holder):
    """Names without an underscore, but for modules and what is imported from other packages."""
    home = holder.__module__ if isinstance(holder, type) else holder.__name__
    if holder.__name__ == 'diskcache' and not isinstance(holder, type):
        hasattr(holder, 'DjangoCache')  # ours imports it when asked for
    return {
        name
        for name, value in vars(holder).items()
        if not name.startswith('_')
        and not inspect.ismodule(value)
        and getattr(value, '__module__', home).split('.')[0] == home.split('.')[0]
    }


def parameters(function):
    """Names, kinds and defaults of a function's parameters; defaults by their repr."""
    return [
        (parameter.name, parameter.kind.name, default(parameter.default))
        for parameter in inspect.signature(function).parameters.values()
    ]


def default(value):
    if isinstance(value, type):
        return value.__name__
    return getattr(value, '__name__', repr(value))


def differences_of(theirs, mine, path):
    """How a callable of ours differs from theirs: as texts, or None where it takes all of theirs."""
    theirs, mine = parameters(theirs), parameters(mine)
    if theirs and mine and theirs[0][0] == mine[0][0] == 'self':
        theirs, mine = theirs[1:], mine[1:]
    allowed = additions()
    extra = [p for p in mine if '%s(%s)' % (path, p[0]) in allowed]
    for name, kind, _ in extra:
        assert kind in ('KEYWORD_ONLY', 'VAR_KEYWORD'), '%s: %s by position' % (path, name)
    mine = [p for p in mine if p not in extra]
    return None if mine == theirs else '%s: 5.6.3 %r, ours %r' % (path, theirs, mine)


@pytest.mark.parametrize('name', MODULES)
def test_every_public_name_of_a_module(name, oracle, ours):
    theirs, mine = public(module(oracle, name)), public(module(ours, name))
    assert theirs - mine == set()
    allowed = {path for path in additions() if '.' not in path}
    assert mine - theirs - allowed == set()


def test_every_name_in_all(oracle, ours):
    pytest.importorskip('django')
    assert set(oracle.__all__) <= set(ours.__all__)
    assert set(ours.__all__) - set(oracle.__all__) <= additions()
    assert all(hasattr(ours, name) for name in ours.__all__)


@pytest.mark.parametrize('path', CLASSES)
def test_every_attribute_of_a_class(path, oracle, ours):
    theirs, mine = find(oracle, path), find(ours, path)
    kind = path.split('.')[1]
    wanted = {n for n in dir(theirs) if not n.startswith('_')}
    assert wanted - set(dir(mine)) == set()
    special = {n for n in vars(theirs) if n.startswith('__') and n not in NOT_SPECIAL}
    assert {n for n in special if not hasattr(mine, n)} == set()
    beyond = {n for n in dir(mine) if not n.startswith('_')} - wanted
    if kind == 'FanoutCache':
        beyond -= {'disk', 'timeout', *oracle.DEFAULT_SETTINGS}
    assert {n for n in beyond if '%s.%s' % (kind, n) not in additions()} == set()


@pytest.mark.parametrize('path', CLASSES)
def test_every_parameter_and_default_of_a_method(path, oracle, ours):
    theirs, mine = find(oracle, path), find(ours, path)
    found = []
    for name, value in sorted(inspect.getmembers(theirs)):
        special = name.startswith('_') and name not in vars(theirs)
        if special or name in NOT_SPECIAL or not callable(value) or isinstance(value, type):
            continue
        if name.startswith('_') and not name.startswith('__'):
            continue
        if not hasattr(value, '__code__'):
            continue  # inherited from C, where neither has a say
        if (
            name.startswith('__')
            and not hasattr(getattr(mine, name), '__code__')
            and differs('operators')
        ):
            continue
        dotted = '%s.%s' % (path.split('.')[1], name)
        found.append(differences_of(value, getattr(mine, name), dotted))
    assert [text for text in found if text] == []


@pytest.mark.parametrize('name', MODULES)
def test_every_parameter_and_default_of_a_function(name, oracle, ours):
    theirs, mine = module(oracle, name), module(ours, name)
    found = [
        differences_of(getattr(theirs, function), getattr(mine, function), function)
        for function in public(theirs)
        if inspect.isfunction(getattr(theirs, function))
    ]
    assert [text for text in found if text] == []


@pytest.mark.parametrize('path', CLASSES)
def test_the_kind_of_each_attribute(path, oracle, ours):
    """Properties stay properties, class methods class methods: `Cache.directory` is read, not called."""
    theirs, mine = find(oracle, path), find(ours, path)
    for name in public(theirs):
        value = inspect.getattr_static(theirs, name)
        other = inspect.getattr_static(mine, name)
        if isinstance(value, property):
            assert not callable(other), name
        elif isinstance(value, classmethod):
            assert inspect.ismethod(getattr(mine, name)), name
        else:
            assert callable(getattr(mine, name)) == callable(getattr(theirs, name)), name


@pytest.mark.parametrize('path', CLASSES)
def test_the_bases_of_a_class(path, oracle, ours):
    """What `except` and isinstance() rely on."""
    theirs, mine = find(oracle, path), find(ours, path)
    names = [base.__name__ for base in theirs.__mro__]
    assert [name for name in names if name not in [base.__name__ for base in mine.__mro__]] == []
    assert mine.__name__ == theirs.__name__
    assert mine.__module__ == theirs.__module__.replace(packages.ORACLE_NAME, 'diskcache')


def test_constants(oracle, ours):
    for name in (
        'DBNAME',
        'MODE_NONE',
        'MODE_RAW',
        'MODE_BINARY',
        'MODE_TEXT',
        'MODE_PICKLE',
        'METADATA',
    ):
        assert getattr(ours.core, name) == getattr(oracle.core, name), name
    for name in ('ENOVAL', 'UNKNOWN'):
        mine = getattr(ours, name)
        assert (repr(mine), tuple(mine)) == (name, (name,))
        assert isinstance(mine, ours.core.Constant) and mine is getattr(ours.core, name)
    theirs, mine = dict(oracle.DEFAULT_SETTINGS), dict(ours.DEFAULT_SETTINGS)
    assert differs('more-settings')
    assert {key: mine[key] for key in theirs} == theirs
    assert list(ours.EVICTION_POLICY) == list(oracle.EVICTION_POLICY)
    for name, policy in oracle.EVICTION_POLICY.items():
        assert set(policy) <= set(ours.EVICTION_POLICY[name])
        assert {k for k, v in policy.items() if v is None} == {
            k for k, v in ours.EVICTION_POLICY[name].items() if v is None and k in policy
        }


def test_metadata_of_the_package(ours):
    assert ours.__title__ == 'diskcache'
    assert ours.__version__ == '6.0.0'
    assert isinstance(ours.__build__, int)
    assert all(isinstance(getattr(ours, n), str) for n in ('__author__', '__license__', '__copyright__'))


def test_private_names_that_programs_use(package, tmp_path):
    with package.Cache(tmp_path / 'cache') as cache:
        assert cache._sql('SELECT 1').fetchall() == [(1,)]
        assert cache._con.execute('SELECT COUNT(*) FROM Cache').fetchone() == (0,)
        assert cache._local is not None
        assert cache._directory == str(tmp_path / 'cache') and cache._timeout == 60
        assert isinstance(cache._disk, package.Disk)
        assert cache._txn_id is None
        with cache.transact():
            assert cache._txn_id is not None
    with package.FanoutCache(tmp_path / 'fanout', shards=3) as fanout:
        assert len(fanout._shards) == fanout._count == 3
        shard = fanout._shards[fanout._hash('key') % fanout._count]
        fanout['key'] = 'value'
        assert shard['key'] == 'value' and isinstance(shard, package.Cache)
    assert isinstance(package.Deque(directory=tmp_path / 'deque')._cache, package.Cache)
    assert isinstance(package.Index(str(tmp_path / 'index'))._cache, package.Cache)


def test_every_exception_can_be_pickled(ours):
    for error in (ours.Timeout(3), ours.UnknownFileWarning('x'), ours.EmptyDirWarning('y')):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), copy.args) == (type(error), error.args)


def test_what_has_heavy_imports_is_imported_when_asked_for(ours):
    program = """if 1:
        import sys
        import diskcache
        heavy = {'django', 'asyncio', 'inspect', 'tempfile', 'json', 'hashlib', 'decimal', 'uuid'}
        assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
        assert 'SafeDisk' in dir(diskcache) and 'SafeDisk' in diskcache.__all__
        assert diskcache.SafeDisk is diskcache.safe.SafeDisk
        assert not hasattr(diskcache, 'NoSuchDisk')
        names = {}
        exec('from diskcache import *', names)
        assert set(diskcache.__all__) <= set(names)
        """
    subprocess.run([sys.executable, '-c', program], check=True)


def test_without_django_there_is_no_django_cache(ours):
    program = """if 1:
        import sys
        sys.modules['django'] = None
        from diskcache import *
        import diskcache
        assert 'Cache' in globals() and 'DjangoCache' not in globals()
        assert not hasattr(diskcache, 'DjangoCache') and 'DjangoCache' not in dir(diskcache)
        """
    subprocess.run([sys.executable, '-c', program], check=True)
