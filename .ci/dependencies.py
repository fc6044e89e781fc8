"""Checks the locked dependencies without cargo-deny: licences, banned crates and registries against deny.toml, and the
Rust version that each needs against Cargo.toml. Fails if Cargo.lock is out of date."""

import json
import re
import subprocess
import sys
import tomllib

with open("deny.toml", "rb") as file:
    rules = tomllib.load(file)
allowed = set(rules["licenses"]["allow"])
banned = {rule["crate"] for rule in rules["bans"]["deny"]}
registries = {f"registry+{url}" for url in rules["sources"]["allow-registry"]}

LICENSE = re.compile(r"\b(?!(?:AND|OR)\b)[\w.+-]+(?: WITH [\w.+-]+)?")


def is_allowed(expression):
    """True if the allowed licences satisfy an SPDX expression. AND and OR bind as `and` and `or` do in Python."""
    python = LICENSE.sub(lambda name: str(name[0] in allowed), expression)
    # Only True, False, and, or, and brackets are left.
    return eval(python.replace("AND", "and").replace("OR", "or"), {"__builtins__": {}})


def version(text):
    """Numbers of a version, for comparison. 1.91 and 1.91.0 are equal."""
    numbers = [int(number) for number in text.split(".")]
    return numbers + [0] * (3 - len(numbers))


# Dependencies of other platforms are neither built nor downloaded.
platforms = [f"--filter-platform={target}" for target in rules["graph"]["targets"]]
command = ["cargo", "metadata", "--locked", "--format-version=1", *platforms]
answer = subprocess.run(command, stdout=subprocess.PIPE)
if answer.returncode:
    sys.exit("cargo metadata failed: see above. Is Cargo.lock up to date?")
metadata = json.loads(answer.stdout)
ours = metadata["resolve"]["root"]
rust = next(package["rust_version"] for package in metadata["packages"] if package["id"] == ours)

wrong, used = [], set()
for package in metadata["packages"]:
    name = f"{package['name']} {package['version']}"
    # Old crates write / for OR.
    expression = (package["license"] or "none-is-named").replace("/", " OR ")
    used.update(LICENSE.findall(expression))
    if not is_allowed(expression):
        wrong.append(f"{name}: deny.toml does not allow its licence: {expression}")
    if package["name"] in banned:
        wrong.append(f"{name}: deny.toml bans this crate")
    if package["id"] != ours and package["source"] not in registries:
        wrong.append(f"{name}: deny.toml does not allow its source: {package['source'] or 'a folder'}")
    if version(package["rust_version"] or "0") > version(rust):
        wrong.append(f"{name}: needs Rust {package['rust_version']}, and Cargo.toml promises {rust}")
wrong += [f"{licence}: deny.toml allows this licence, but no dependency has it" for licence in sorted(allowed - used)]
sys.exit("\n".join(wrong) or None)
