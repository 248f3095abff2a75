"""Tells what a deployment is made of, and whether any of it is known to be vulnerable.

    python -m devtools.supply_chain sbom --uv UV build/sbom.cdx.json
    python -m devtools.supply_chain audit --uv UV [--required]

Both speak of functions/requirements.txt, which is what the cloud installs. The programs that they
start come in environments of their own: nothing of them is deployed or in uv.lock.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

ROOT = Path(__file__).parents[1]

Bom = dict[str, Any]
"""A CycloneDX 1.5 document."""

VALIDATOR = ("--from", "cyclonedx-python-lib==11.12.0", "--with", "jsonschema==4.26.0")
AUDITOR = ("--from", "pip-audit==2.10.1")

SERVICES: Mapping[str, Sequence[str]] = {
    "pypi": ("--vulnerability-service", "pypi"),
    "osv": ("--vulnerability-service", "osv"),
}
"""Asked in turn until one has checked every package; both tell the same advisories."""

SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "MIT License": "MIT",
    "OSI Approved :: Apache Software License": "Apache-2.0",
    "OSI Approved :: MIT License": "MIT",
    "OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    **{name: name for name in ("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "MPL-2.0")},
}
"""SPDX's identifiers of what older packages say in words. "BSD License" alone has none."""

_VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
fault = JsonStrictValidator(SchemaVersion.V1_5).validate_str(sys.stdin.read())
sys.exit(f"not CycloneDX 1.5: {fault}" if fault else 0)
"""


class _Vulnerability(BaseModel):
    id: str
    aliases: tuple[str, ...] = ()
    fix_versions: tuple[str, ...] = ()


class _Dependency(BaseModel):
    name: str
    version: str = ""
    skip_reason: str = ""
    vulns: tuple[_Vulnerability, ...] = ()


class _Report(BaseModel):
    """What pip-audit prints with `--format json`."""

    dependencies: tuple[_Dependency, ...]


class _NotCheckedError(Exception):
    """A service did not tell about every package; the text says why."""


def main(arguments: Sequence[str] | None = None, folder: Path = ROOT) -> int:
    """Do what the command line says for the project in `folder`; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devtools.supply_chain", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    sbom = commands.add_parser("sbom", help="write the bill of materials")
    sbom.add_argument("file", type=Path)
    audit = commands.add_parser("audit", help="fail where a package is known to be vulnerable")
    audit.add_argument("--required", action="store_true", help="fail where nothing could be asked")
    audit.add_argument("--osv-url", help="ask this OSV API alone")
    audit.add_argument("--ignore-vuln", action="append", default=[], metavar="ID")
    for command in (sbom, audit):
        command.add_argument("--uv", type=Path, required=True, help="the uv that the project pins")
    options = parser.parse_args(arguments)
    uv = str(options.uv.absolute())
    if options.command == "sbom":
        return write_bom(uv, options.file.absolute(), folder)
    services = {"osv": (*SERVICES["osv"], "--osv-url", options.osv_url)} if options.osv_url else {}
    ignored = [part for each in options.ignore_vuln for part in ("--ignore-vuln", each)]
    return check(uv, folder, services or SERVICES, ignored, is_required=options.required)


def write_bom(uv: str, file: Path, folder: Path) -> int:
    """Write the bill of materials to `file`, and return 1 where CycloneDX's schema refuses it."""
    exported = _run(
        (uv, "export", "--frozen", "--quiet", "--python", sys.executable),
        ("--no-dev",),
        ("--preview-features", "sbom-export", "--format", "cyclonedx1.5"),
        cwd=folder,
    )
    if exported.returncode:
        print(exported.stderr.strip(), file=sys.stderr)
        return 1
    text = json.dumps(completed(json.loads(exported.stdout)), indent=2, ensure_ascii=False) + "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return _validate(uv, file)


def completed(bom: Bom) -> Bom:
    """Return uv's export with licences, and the same bytes for the same packages.

    A licence is known where the package is installed beside this program. uv stamps each export
    with the time and a random number; ours has no time, and a number made from what it says.
    """
    project = bom["metadata"]["component"]
    project = project | {"type": "application"} | _licences(project["name"])
    about = {name: value for name, value in bom["metadata"].items() if name != "timestamp"}
    said = {name: value for name, value in bom.items() if name != "serialNumber"} | {
        "metadata": about | {"component": project},
        "components": [each | _licences(each["name"]) for each in bom["components"]],
    }
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return said | {"serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, digest).urn}


def licence(package: str) -> str:
    """Return the licence that an installed package states, in SPDX's terms where that is certain.

    Otherwise it is in the package's own words, or empty where it says nothing. Raises
    PackageNotFoundError.
    """
    if expressions := _stated(package, "License-Expression"):
        return expressions[0]
    classifiers = [
        text.removeprefix("License :: ")
        for text in _stated(package, "Classifier")
        if text.startswith("License :: ")
    ]
    words = [*_stated(package, "License"), *classifiers]
    known = [SPDX[text] for text in words if text in SPDX]
    own = [text.rpartition(" :: ")[2] for text in reversed(words)]
    return next(iter(known + own), "")


def check(
    uv: str,
    folder: Path,
    services: Mapping[str, Sequence[str]],
    ignored: Sequence[str] = (),
    *,
    is_required: bool,
) -> int:
    """Ask the services, and return 1 for a known vulnerability.

    Where none could tell about every package, that is said, and is a failure if `is_required`.
    """
    reasons = []
    for name, choice in services.items():
        try:
            report = _report(uv, folder, (*choice, *ignored))
        except _NotCheckedError as why:
            reasons.append(f"  {name}: {why}")
            continue
        return _verdict(report, name)
    print("NOT CHECKED: no vulnerability service can be reached from here.", *reasons, sep="\n")
    if is_required:
        print("This run has to check, so it fails.")
    return 1 if is_required else 0


def _licences(package: str) -> Bom:
    """Return the member of a component that tells its licence, or nothing where it is unknown."""
    try:
        text = licence(package)
    except metadata.PackageNotFoundError:
        return {}
    if text and text in _stated(package, "License-Expression"):
        return {"licenses": [{"expression": text}]}
    kind = "id" if text in SPDX.values() else "name"
    return {"licenses": [{"license": {kind: text}}]} if text else {}


def _stated(package: str, field: str) -> list[str]:
    return metadata.metadata(package).get_all(field) or []


def _validate(uv: str, file: Path) -> int:
    validated = _run(
        (uv, "tool", "run", "--quiet", "--python", sys.executable, *VALIDATOR),
        ("python", "-c", _VALIDATE),
        cwd=file.parent,
        stdin=file.read_text(encoding="utf-8"),
    )
    if validated.returncode:
        print(f"{file}: {validated.stderr.strip()}", file=sys.stderr)
        return 1
    print(f"wrote {file}, valid CycloneDX 1.5")
    return 0


def _report(uv: str, folder: Path, options: Sequence[str]) -> _Report:
    """Return what pip-audit found. Raises _NotCheckedError."""
    asked = _run(
        (uv, "tool", "run", "--quiet", "--python", sys.executable, *AUDITOR, "pip-audit"),
        ("--requirement", "functions/requirements.txt", "--require-hashes", "--disable-pip"),
        ("--format", "json", "--progress-spinner", "off", "--timeout", "10", *options),
        cwd=folder,
    )
    try:
        report = _Report.model_validate_json(asked.stdout)
    except ValidationError:
        problem = asked.stderr.strip().rpartition("\n")[2]
        raise _NotCheckedError(problem or "pip-audit said nothing") from None
    # A package that the service does not know counts as good for pip-audit; not here.
    skipped = [each.skip_reason for each in report.dependencies if each.skip_reason]
    if skipped and not any(each.vulns for each in report.dependencies):
        raise _NotCheckedError(f"{len(skipped)} packages not checked; the first: {skipped[0]}")
    return report


def _verdict(report: _Report, service: str) -> int:
    found = [(each, fault) for each in report.dependencies for fault in each.vulns]
    for package, fault in found:
        names = ", ".join((fault.id, *fault.aliases))
        remedy = ", ".join(fault.fix_versions) or "no version"
        print(f"{package.name} {package.version}: {names}; fixed in {remedy}")
    total = len(report.dependencies)
    print(f"known vulnerabilities: {len(found)} in {total} packages ({service})")
    return 1 if found else 0


def _run(*command: Sequence[str], cwd: Path, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    words = [word for part in command for word in part]
    return subprocess.run(words, cwd=cwd, input=stdin, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
