#!/usr/bin/env python3
"""third-party.py OUT: writes OUT/third-party-licences.txt and OUT/sbom.cdx.json (CycloneDX 1.5).

Both list what is compiled into the program: crates, without build scripts and procedural macros, and SQLite. The source
is `cargo metadata`, so the crates must be downloaded. The same Cargo.lock and SOURCE_DATE_EPOCH give the same bytes.
"""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import tomllib

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
LICENCE_FILE = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)([-._].*)?", re.IGNORECASE)
NOT_TEXT = {".html", ".rs", ".toml", ".py"}

PREFACE = """\
pagerduty-dora contains the software listed here. Its own licence is in the file LICENSE.

The Rust standard library is by the Rust Project contributors, under the MIT License or the Apache License 2.0, at your
option. SQLite is in the public domain: https://sqlite.org/copyright.html
"""


def output(*command):
    return subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True).stdout


def compiled_in():
    """The program's own package, its dependencies in order, and for each package the ids of those that it uses."""
    host = re.search(r"^host: (.*)$", output("rustc", "-vV"), re.MULTILINE)[1]
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version=1", f"--filter-platform={host}"]
    metadata = json.loads(output(*command))
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}

    def is_linked(dependency):
        is_normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
        targets = packages[dependency["pkg"]]["targets"]
        return is_normal and all("proc-macro" not in target["kind"] for target in targets)

    ours = metadata["resolve"]["root"]
    uses, todo = {}, [ours]
    while todo:
        package = todo.pop()
        if package not in uses:
            uses[package] = [dependency["pkg"] for dependency in nodes[package]["deps"] if is_linked(dependency)]
            todo += uses[package]
    dependencies = [packages[package] for package in uses if package != ours]
    dependencies.sort(key=lambda package: (package["name"], package["version"]))
    return packages[ours], dependencies, uses


def licence_texts(package):
    folder = pathlib.Path(package["manifest_path"]).parent
    for file in sorted(folder.rglob("*")):
        if file.is_file() and LICENCE_FILE.fullmatch(file.name) and file.suffix not in NOT_TEXT:
            yield file.read_text(errors="replace").replace("\r\n", "\n").strip()


def licences(dependencies):
    """Each text once, below the names of all crates that have it."""
    holders, without = collections.defaultdict(set), []
    for package in dependencies:
        name = f"{package['name']} {package['version']} ({package['license']})"
        texts = list(licence_texts(package))
        for text in texts:
            holders[text].add(name)
        if not texts:
            without.append(f"{name}, by {', '.join(package['authors']) or 'its contributors'}, comes without a text.")
    sections = sorted("\n".join([*sorted(names), "", text]) for text, names in holders.items())
    return f"\n{'=' * 80}\n\n".join([PREFACE, *(f"{section}\n" for section in without + sections)])


def sqlite(dependencies):
    """The library for the C library that one crate brings along."""
    crate = next(package for package in dependencies if package["name"] == "libsqlite3-sys")
    header = pathlib.Path(crate["manifest_path"]).parent / "sqlite3" / "sqlite3.h"
    version = re.search(r'#define SQLITE_VERSION +"([^"]+)"', header.read_text())[1]
    library = {
        "type": "library",
        "bom-ref": f"pkg:generic/sqlite@{version}",
        "name": "sqlite",
        "version": version,
        "purl": f"pkg:generic/sqlite@{version}",
        "cpe": f"cpe:2.3:a:sqlite:sqlite:{version}:*:*:*:*:*:*:*",
        "licenses": [{"license": {"id": "blessing"}}],
    }
    return crate, library


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, kind, checksums):
    described = {
        "type": kind,
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": purl(package),
        # Old crates write / for OR.
        "licenses": [{"expression": package["license"].replace("/", " OR ")}],
    }
    checksum = checksums.get((package["name"], package["version"]))
    return described | ({"hashes": [{"alg": "SHA-256", "content": checksum}]} if checksum else {})


def bill_of_materials(ours, dependencies, uses):
    with open(REPOSITORY / "Cargo.lock", "rb") as file:
        locked = tomllib.load(file)["package"]
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in locked}
    wrapper, bundled = sqlite(dependencies)
    refs = {package["id"]: purl(package) for package in [ours, *dependencies]}
    graph = {refs[package]: sorted({refs[used] for used in uses[package]}) for package in uses}
    graph[purl(wrapper)].append(bundled["bom-ref"])
    graph[bundled["bom-ref"]] = []
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
            "component": component(ours, "application", checksums),
        },
        "components": [bundled, *(component(package, "library", checksums) for package in dependencies)],
        "dependencies": [{"ref": ref, "dependsOn": graph[ref]} for ref in sorted(graph)],
    }


def main():
    out = pathlib.Path(sys.argv[1])
    ours, dependencies, uses = compiled_in()
    (out / "third-party-licences.txt").write_text(licences(dependencies))
    bill = bill_of_materials(ours, dependencies, uses)
    (out / "sbom.cdx.json").write_text(json.dumps(bill, indent=1) + "\n")


main()
