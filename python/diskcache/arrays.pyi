from collections.abc import Callable
from typing import Any

def names() -> dict[tuple[str, str], tuple[Any, Any]]: ...

BUILDERS: dict[type, Callable[[Any, Any], Any]]
