from collections.abc import Callable, Collection
from typing import Any, NamedTuple, Protocol, TypeVar, overload

from typing_extensions import ParamSpec

from ._core import _Expire, _Tag

_P = ParamSpec('_P')
_R_co = TypeVar('_R_co', covariant=True)

class CacheInfo(NamedTuple):
    hits: int
    misses: int

class _Memoized(Protocol[_P, _R_co]):
    __wrapped__: Callable[..., Any]
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...
    def __cache_key__(self, *args: _P.args, **kwargs: _P.kwargs) -> tuple[Any, ...]: ...
    def cache_info(self) -> CacheInfo: ...
    def cache_clear(self) -> None: ...

class _Decorator(Protocol):
    def __call__(self, func: Callable[_P, _R_co], /) -> _Memoized[_P, _R_co]: ...

def full_name(func: Callable[..., Any]) -> str: ...
def args_to_key(
    base: tuple[Any, ...],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    typed: bool,
    ignore: Collection[int | str],
) -> tuple[Any, ...]: ...
def memoize(
    cache: Any,
    name: str | None = None,
    typed: bool = False,
    expire: _Expire = None,
    tag: _Tag = None,
    ignore: Collection[int | str] = (),
    *,
    key: Callable[..., Any] | None = None,
    bind: bool = False,
    single_flight: bool = False,
) -> _Decorator: ...
