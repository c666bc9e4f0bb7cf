"""Finding one of GitHub's 1,222 operations: how well, how quickly, and what a model pays for it.

The questions were written from the operations' names before there was an engine. Weights and tables
were set with every other question in view (the odd half here); the even half was held out.
Tokens are those of o200k (`bpe-openai`), of the JSON that a client receives.
"""

from __future__ import annotations

import json
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

from figures import median, ratio

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "providers"))
from api_documents import github

from jupyter_valet.broker.apis import shows
from jupyter_valet.broker.mcp.results import listed
from jupyter_valet.broker.search import Index, search
from jupyter_valet.broker.search.entry import Entry
from jupyter_valet.broker.search.tools import FEW, TOOLS
from jupyter_valet.broker.search.wording import found_tool
from jupyter_valet.broker.toolsets import Tool
from jupyter_valet.broker.toolsets.documents import compile_document

QUESTIONS = Path(__file__).with_name("search_questions.txt")
HITS = 5
ROUNDS = 7

Question = tuple[str, frozenset[str]]


def questions() -> list[Question]:
    """Return the questions, each with the names of the tools that answer it."""
    lines = QUESTIONS.read_text().splitlines()
    pairs = [line.split("|") for line in lines if line.strip() and not line.startswith("#")]
    return [(text.strip(), frozenset(map(_name, names.split(",")))) for text, names in pairs]


def _name(operation: str) -> str:
    return f"github_{operation.strip().replace('/', '_').replace('-', '_')}"


def hits(index: Index, asked: list[Question]) -> float:
    """Return the share of questions whose answer is among the first five."""
    found = [{one.name for one in search([index], text, HITS)} & names for text, names in asked]
    return sum(map(bool, found)) / len(asked)


def measure() -> list[dict[str, Any]]:
    """Build, ask, count."""
    toolset = compile_document(github(), name="github").toolset
    tools = {tool.name: tool for tool in (Tool(toolset, one) for one in toolset.operations)}
    asked = questions()
    assert all(names & tools.keys() for _, names in asked)
    index, built, opened = _index(list(tools.values()))
    seconds = [
        _seconds(lambda: [search([index], text, FEW) for text, _ in asked]) for _ in range(ROUNDS)
    ]
    results = [
        {"tools": [found_tool(tools[one.name]) for one in search([index], text, FEW)]}
        for text, _ in asked
    ]
    assert not shows(toolset, few=40)
    return [
        _plain("search: hit@5 of the half in view", hits(index, asked[0::2]), ">= 0.85"),
        _plain("search: hit@5 of the half held out", hits(index, asked[1::2]), ">= 0.85"),
        _plain("search: hit@5 of all questions", hits(index, asked), ">= 0.85"),
        median("search: CPU of one", [s / len(asked) for s in seconds], "<= 2"),
        median("search: tokens of one result", [tokens(r) for r in results], "<= 800", "tokens"),
        _plain("  the largest of them", max(tokens(r) for r in results), "<= 800", "tokens"),
        _plain("default list with GitHub's whole API", _list_tokens(), "<= 1400", "tokens"),
        ratio("  an index from its file ÷ made anew, CPU", opened, built, "<= 0.1"),
    ]


def _index(tools: list[Tool]) -> tuple[Index, list[float], list[float]]:
    entries = [Entry.of(tool) for tool in tools]
    built = [_seconds(lambda: Index.of(entries)) for _ in range(3)]
    index = Index.of(entries)
    packed = index.packed()
    return index, built, [_seconds(lambda: Index.unpacked(packed)) for _ in range(3)]


def _list_tokens() -> int:
    """Count what `tools/list` has for it: of a toolset that large, the three tools that find."""
    shown = [one.model_dump(by_alias=True, mode="json", exclude_none=True) for one in listed(TOOLS)]
    return tokens({"tools": shown})


@cache
def _encoding() -> Any:
    # Imported where it is used: it reads its tables with a function that Python has deprecated.
    import bpe_openai

    return bpe_openai.get_encoding("o200k_base")


def tokens(data: Any) -> int:
    """Count the tokens of `data` as JSON."""
    return len(_encoding().encode(json.dumps(data, ensure_ascii=False, separators=(",", ":"))))


def _plain(name: str, value: float, goal: str, unit: str = "") -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit, "goal": goal}


def _seconds(work: Any) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
