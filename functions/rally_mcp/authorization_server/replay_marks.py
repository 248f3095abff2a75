"""Remembers, across instances, what may be used only once."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from rally_mcp.storage.collection import Collection, Record

REPLAY_MARKS = "replay_marks"


class ReplayMark(Record):
    """That something was used: the record's being there says it all."""


@dataclass(frozen=True, slots=True)
class ReplayMarks:
    """Lets one caller among all instances be the first."""

    records: Collection[ReplayMark]

    async def first_use(self, purpose: str, value: str, until: datetime) -> bool:
        """Tell whether nobody used `value` for this purpose before; from now on somebody has.

        It stays used until `until`. Whoever gets False must refuse. Raises UpstreamUnavailable,
        after which the value may or may not count as used.
        """
        return await self.records.create(_key(purpose, value), ReplayMark(expire_at=until))


def _key(purpose: str, value: str) -> str:
    # A JSON list, because concatenation would make ("a", "bc") and ("ab", "c") one mark.
    return hashlib.sha256(json.dumps([purpose, value]).encode()).hexdigest()
