from collections.abc import Callable, Collection
from typing import Any, Protocol, TypeVar

from typing_extensions import ParamSpec

from ._core import _Expire, _Tag
from .core import Cache
from .fanout import FanoutCache

_P = ParamSpec('_P')
_R_co = TypeVar('_R_co', covariant=True)
_F = TypeVar('_F', bound=Callable[..., Any])

class _Wraps(Protocol):
    def __call__(self, func: _F, /) -> _F: ...

class _Kept(Protocol[_P, _R_co]):
    __wrapped__: Callable[..., Any]
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...
    def __cache_key__(self, *args: _P.args, **kwargs: _P.kwargs) -> tuple[Any, ...]: ...

class _Keeps(Protocol):
    def __call__(self, func: Callable[_P, _R_co], /) -> _Kept[_P, _R_co]: ...

class Averager:
    def __init__(
        self, cache: Cache | FanoutCache, key: Any, expire: _Expire = None, tag: _Tag = None
    ) -> None: ...
    def add(self, value: float) -> None: ...
    def get(self) -> float | None: ...
    def pop(self) -> float | None: ...

class _Held:
    def __init__(
        self, cache: Cache | FanoutCache, key: Any, expire: _Expire = None, tag: _Tag = None
    ) -> None: ...
    def acquire(self, *, blocking: bool = True, timeout: float | None = None) -> bool: ...
    def release(self) -> None: ...
    def renew(self, expire: _Expire = None) -> None: ...
    def owned(self) -> bool: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *exc_info: object) -> None: ...

class Lock(_Held):
    def locked(self) -> bool: ...

class RLock(_Held): ...

class BoundedSemaphore(_Held):
    def __init__(
        self,
        cache: Cache | FanoutCache,
        key: Any,
        value: int = 1,
        expire: _Expire = None,
        tag: _Tag = None,
    ) -> None: ...

def throttle(
    cache: Cache | FanoutCache,
    count: float,
    seconds: float,
    name: str | None = None,
    expire: _Expire = None,
    tag: _Tag = None,
    time_func: Callable[[], float] = ...,
    sleep_func: Callable[[float], object] = ...,
) -> _Wraps: ...
def barrier(
    cache: Cache | FanoutCache,
    lock_factory: Callable[..., Any],
    name: str | None = None,
    expire: _Expire = None,
    tag: _Tag = None,
) -> _Wraps: ...
def memoize_stampede(
    cache: Cache | FanoutCache,
    expire: _Expire,
    name: str | None = None,
    typed: bool = False,
    tag: _Tag = None,
    beta: float = 1,
    ignore: Collection[int | str] = (),
) -> _Keeps: ...
