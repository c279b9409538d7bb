from collections.abc import Callable, Iterable
from typing import Any

from .compress import CompressingDisk

class SafeDisk(CompressingDisk):
    allow: frozenset[tuple[str, str]]
    def __init__(
        self,
        directory: str,
        allow: str | Iterable[str | tuple[str, str] | Callable[..., Any]] = (),
        **kwargs: Any,
    ) -> None: ...
