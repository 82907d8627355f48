"""Cases of a test that share what it has started: a service takes longer to start than to refuse them all."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

Test = Callable[..., Awaitable[None]]


def together(names: str | tuple[str, ...], cases: Sequence[Any]) -> Callable[[Test], Test]:
    """Run each case as a subtest of one test: like `parametrize`, but its fixtures are made once for all of them.

    For cases of which none leaves anything that another one could see, such as refusals.
    """
    wanted = (names,) if isinstance(names, str) else names
    given = [dict(zip(wanted, (case,) if isinstance(names, str) else case, strict=True)) for case in cases]
    assert given

    def of(test: Test) -> Test:
        @functools.wraps(test)
        async def every(*instance: object, subtests: pytest.Subtests, **fixtures: Any) -> None:
            for values in given:
                with subtests.test(**values):
                    await test(*instance, **fixtures, **values)

        signature = inspect.signature(test)
        others = [parameter for name, parameter in signature.parameters.items() if name not in wanted]
        asked = inspect.Parameter("subtests", inspect.Parameter.KEYWORD_ONLY)
        every.__signature__ = signature.replace(parameters=[*others, asked])  # type: ignore[attr-defined]
        return every

    return of
