"""Writes docs/settings.md, docs/tools.md and .env.example from the code they describe.

`python -m devtools.reference` writes them; with `--check` it writes nothing and fails when one of
them is stale.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rally_mcp.identity_providers.registry import UPSTREAMS
from rally_mcp.settings import REQUIRED, Function, Settings, UpstreamSettings
from rally_mcp.tools.catalogue import ALL_TOOLS, REST_ALIASES
from rally_mcp.tools.toolset import Tool

ROOT = Path(__file__).parents[1]

_NOTE = "<!-- Made by `python -m devtools.reference`; not to be edited. -->"
_COMMAND = ".venv/bin/python -m devtools.reference"
_STORAGE_NEEDS = {
    "google_cloud_project": "all, with `STORAGE=firestore`",
    "sqlite_path": "all, with `STORAGE=sqlite`",
}


def main(arguments: Sequence[str] | None = None, folder: Path = ROOT) -> int:
    """Write or check the pages; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devtools.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when stale")
    is_check = parser.parse_args(arguments).check
    stale = stale_pages(folder)
    for name, text in stale.items():
        if is_check:
            print(f"{name} is stale: {_COMMAND}", file=sys.stderr)
        else:
            (folder / name).write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if is_check and stale else 0


def stale_pages(folder: Path) -> Mapping[str, str]:
    """Return the files that `folder` lacks or holds in another wording, by path."""
    pages = {
        "docs/settings.md": settings_page(),
        "docs/tools.md": tools_page(),
        ".env.example": environment_example(),
    }
    return {name: text for name, text in pages.items() if _read(folder / name) != text}


def settings_page() -> str:
    """Return the whole of docs/settings.md."""
    return _page(
        "Settings",
        "The functions read these environment variables at start and nothing else.\n"
        "A missing or wrong one stops the function with one line that names it and the remedy.\n"
        "An empty variable counts as absent.",
        "\n".join(_settings_table(Settings, "", REQUIRED)),
        f"`UPSTREAMS` knows {_listed(list(UPSTREAMS))}.\n"
        "The variables of an upstream are read where it is named, and then needed as told here.",
        *(
            f"## `{name}`\n\n" + "\n".join(_settings_table(kind, kind.PREFIX, kind.NEEDED))
            for name, kind in _upstream_settings()
        ),
        "## Not ours\n\n"
        "`FIRESTORE_EMULATOR_HOST` is Google's own variable;\n"
        "with `STORAGE=firestore` it directs the functions to an emulator.",
    )


def environment_example() -> str:
    """Return the whole of .env.example: every variable, its meaning, and its default."""
    parts = [
        f"# Made by `{_COMMAND}`; copy it to .env and fill in what your deployment needs.",
        "# What is commented out has the value that stands there, or is not needed.",
        *_example_lines(Settings, ""),
    ]
    for name, kind in _upstream_settings():
        parts += ["", f"# With {name} in UPSTREAMS", *_example_lines(kind, kind.PREFIX)]
    return "\n".join(parts) + "\n"


def _upstream_settings() -> Iterator[tuple[str, type[UpstreamSettings]]]:
    for name, upstream in UPSTREAMS.items():
        yield name, upstream.settings


def _example_lines(kind: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, setting in kind.model_fields.items():
        value = _written(setting.default).strip("`")
        yield f"\n# {(setting.description or '').replace('`', '')}"
        yield f"{'# ' if value else ''}{prefix}{name.upper()}={value}"


def tools_page() -> str:
    """Return the whole of docs/tools.md."""
    aliases = " and ".join(f"`{short}` for `{name}`" for short, name in REST_ALIASES.items())
    return _page(
        "Tools",
        "What `tools/list` tells a model, and what `POST /tools/{tool}` takes and answers.\n"
        "REST takes `-` for `_` in a name, and knows "
        f"{aliases}.",
        "`TOOLSETS` and `READ_ONLY` narrow what a deployment offers;\n"
        "the toolset `account` is always there, because it signs people in and out.",
        *(_tool(tool) for tool in ALL_TOOLS),
    )


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([_NOTE, f"# {title}", *parts]) + "\n"


def _listed(names: Iterator[str] | Sequence[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _settings_table(
    kind: type[BaseModel], prefix: str, needed: Mapping[Function, Sequence[str]]
) -> Iterator[str]:
    yield "| variable | default | needed by | meaning |"
    yield "|---|---|---|---|"
    for name, setting in kind.model_fields.items():
        default, needed_by = _written(setting.default), _needed_by(name, needed)
        meaning = _cell(setting.description)
        yield f"| `{prefix}{name.upper()}` | {default} | {needed_by} | {meaning} |"


def _written(default: object) -> str:
    """Write a default as an environment variable would have it; empty where there is none."""
    if default is None or default in {"", ()}:
        return ""
    if isinstance(default, tuple):
        return f"`{','.join(default)}`"
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`"


def _needed_by(setting: str, needed: Mapping[Function, Sequence[str]]) -> str:
    functions = [function for function in Function if setting in needed.get(function, ())]
    if len(functions) == len(Function):
        return "all"
    return ", ".join(f"`{function}`" for function in functions) or _STORAGE_NEEDS.get(setting, "")


def _tool(tool: Tool[Any]) -> str:
    arguments = tool.input_schema["properties"]
    required = tool.input_schema.get("required", ())
    rows = [_argument(name, schema, name in required) for name, schema in arguments.items()]
    table = ["| argument | type | default | meaning |", "|---|---|---|---|", *rows]
    return "\n\n".join(
        [
            f"## `{tool.name}`",
            f"{tool.description}",
            f"Toolset `{tool.toolset}`; {_hints(tool)}.",
            "\n".join(table) if rows else "It takes no arguments.",
            f"It answers with {_members(tool)}.",
        ]
    )


def _hints(tool: Tool[Any]) -> str:
    return ", ".join(
        [
            "only reads" if tool.read_only else "writes",
            "destructive" if tool.destructive else "not destructive",
            "idempotent" if tool.idempotent else "not idempotent",
        ]
    )


def _argument(name: str, schema: Mapping[str, Any], is_required: bool) -> str:  # noqa: FBT001 a fact to print
    (value,) = (part for part in schema.get("anyOf", [schema]) if part["type"] != "null")
    default = f"`{json.dumps(schema['default'])}`" if "default" in schema else ""
    default = "required" if is_required else default
    meaning = _cell(f"{schema['description'].rstrip('.')}.{_limits(value)}")
    return f"| `{name}` | {value['type']} | {default} | {meaning} |"


def _limits(value: Mapping[str, Any]) -> str:
    """Say which values are accepted, where the schema bounds them."""
    if "maxLength" in value:
        return f" {value.get('minLength', 0)} to {value['maxLength']} characters."
    return f" {value['minimum']} to {value['maximum']}." if "maximum" in value else ""


def _members(tool: Tool[Any]) -> str:
    facts = ", ".join(f"`{name}`" for name in tool.output_schema["properties"])
    texts = ", ".join(f"`{label}`" for label in tool.user_texts)
    return f"{facts}; and, as text that people wrote, {texts}" if texts else facts


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
