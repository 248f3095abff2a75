"""What a check is, how checks wait for one another, and what comes out of them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import anyio

LONGEST_SECONDS = 120.0
"""For all checks of a run together; each request has its own, shorter limit."""

Outcome = Literal["ok", "fail", "not_checked"]

ValueT = TypeVar("ValueT")


class Failed(Exception):
    """What a check found does not hold: what was seen and expected, and what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


class NotChecked(Exception):
    """A check cannot be made here: why, as the rest of a sentence, and what would allow it."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class NotPermitted(NotChecked):
    """Whoever runs this may not look; `remedy` names the role that allows it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one check. `problem` and `remedy` are empty where it holds."""

    name: str
    outcome: Outcome
    problem: str = ""
    remedy: str = ""
    fact: str = ""
    """What a person may want to know of a check that holds."""


@dataclass(eq=False, slots=True)
class Check(Generic[ValueT]):
    """One thing that must hold.

    `look` returns what it found out, or raises Failed or NotChecked. It is called when every check
    of `after` and `once_ended` has ended, and not at all where one of `after` failed. `fact` words
    the value.
    """

    name: str
    look: Callable[[], Awaitable[ValueT]]
    after: Sequence["Check[Any]"] = ()
    fact: Callable[[ValueT], str] | None = None
    once_ended: Sequence["Check[Any]"] = ()
    _values: list[ValueT] = field(default_factory=list, init=False)
    _finding: Finding | None = field(default=None, init=False)
    _failed_first: str = field(default="", init=False)
    """The check that this one, or what it waits for, came to grief by."""
    _ended: anyio.Event = field(default_factory=anyio.Event, init=False)

    @property
    def value(self) -> ValueT:
        """What it found out. Raises NotChecked where it found nothing."""
        if not self._values:
            raise NotChecked(f"{self.name!r} gave no result")
        return self._values[0]

    @property
    def found(self) -> ValueT | None:
        """What it found out, or None."""
        return self._values[0] if self._values else None

    @property
    def finding(self) -> Finding:
        """What became of it."""
        return self._finding or Finding(
            self.name,
            "fail",
            f"no end within {LONGEST_SECONDS:.0f} s",
            "run doctor again; where it happens again, look into the log of what was asked",
        )

    async def run(self) -> None:
        """Wait for the checks before it, and look."""
        try:
            self._finding = await self._find()
        finally:
            self._ended.set()

    async def _find(self) -> Finding:
        for earlier in self.after:
            await earlier._ended.wait()  # noqa: SLF001 of this very class
            if earlier._failed_first:  # noqa: SLF001
                self._failed_first = earlier._failed_first  # noqa: SLF001
                return Finding(self.name, "not_checked", f"{self._failed_first!r} failed")
        for earlier in self.once_ended:
            await earlier._ended.wait()  # noqa: SLF001
        try:
            value = await self.look()
        except NotChecked as reason:
            return Finding(self.name, "not_checked", reason.reason, reason.remedy)
        except Failed as failed:
            return self._fail(failed.problem, failed.remedy)
        except Exception as error:  # noqa: BLE001 one check must not end the others
            # Not the error's own words: they may quote an address with a state in it.
            return self._fail(
                f"{type(error).__name__}, which doctor did not expect",
                "report it as a bug of doctor, with the version",
            )
        self._values.append(value)
        return Finding(self.name, "ok", fact=self.fact(value) if self.fact else "")

    def _fail(self, problem: str, remedy: str) -> Finding:
        self._failed_first = self.name
        return Finding(self.name, "fail", problem, remedy)


def required(look: Callable[[], Awaitable[ValueT]]) -> Callable[[], Awaitable[ValueT]]:
    """Return a look for which a missing permission is a failure: what runs here needs it."""

    async def look_or_fail() -> ValueT:
        try:
            return await look()
        except NotPermitted as refused:
            raise Failed(refused.reason, refused.remedy) from refused

    return look_or_fail


async def run(checks: Sequence[Check[Any]], seconds: float = LONGEST_SECONDS) -> list[Finding]:
    """Run the checks, those at once that wait for nothing; return findings in the same order."""
    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            for check in checks:
                tasks.start_soon(check.run)
    return [check.finding for check in checks]
