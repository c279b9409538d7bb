from collections.abc import Callable, Iterable
from typing import Any

from .disk import Disk

class SafeDisk(Disk):
    allow: frozenset[tuple[str, str]]
    def __init__(
        self,
        directory: str,
        allow: str | Iterable[str | tuple[str, str] | Callable[..., Any]] = (),
        **kwargs: Any,
    ) -> None: ...
