"""The page that tells what a deployment costs counts what the functions really use."""

import re
from pathlib import Path

from benchmarks.cost import count

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def told(sentence: str) -> list[int]:
    """Return the numbers of a sentence of the page; `#` stands for one."""
    found = re.search(sentence.replace("#", r"([\d,]+)"), PAGE.read_text(encoding="utf-8"))
    assert found, sentence
    return [int(number.replace(",", "")) for number in found.groups()]


async def test_the_page_of_costs_tells_what_a_call_and_a_sign_in_use(tmp_path: Path) -> None:
    uses, _ = await count(tmp_path)
    call, sign_in = uses["tool call"], uses["sign-in by an MCP client"]
    logged, answered = told("A call is 1 read, no write, # bytes of log, # bytes of answer")

    assert (call["reads"], call["writes"], call["deletes"]) == (1, 0, 0)
    assert abs(call["bytes logged"] - logged) < 0.1 * logged
    assert abs(call["bytes from functions"] - answered) < 0.1 * answered
    assert [sign_in[name] for name in ("requests to functions", "reads", "writes")] == told(
        "A sign-in is # requests, # reads and # writes"
    )
