"""How a conformance patch takes the place of a function of the emulator."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

Wrapper = Callable[..., Any]


def wraps(module: ModuleType, name: str) -> Callable[[Wrapper], Wrapper]:
    """Replace `module.name` by the decorated function, which gets the original as its first argument.

    Raises AttributeError when the emulator has no such function, so that a changed release is noticed at start.
    """
    original = getattr(module, name)

    def decorate(wrapper: Wrapper) -> Wrapper:
        @functools.wraps(original)
        def replacement(*arguments: Any, **keywords: Any) -> Any:
            return wrapper(original, *arguments, **keywords)

        setattr(module, name, replacement)
        return wrapper

    return decorate


def replaces(module: ModuleType, name: str, replacement: object) -> None:
    """Put a function or constant in the place of `module.name`, which must exist."""
    if not hasattr(module, name):
        raise AttributeError(f"{module.__name__} has no {name} to replace")
    setattr(module, name, replacement)
