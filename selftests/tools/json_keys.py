#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Does shrike-json(5) document what commands print?

	json_keys.py [--all] MANUAL DIR    files of the output of commands, named after them

A file is called COMMAND-ANYTHING, where words of the command are joined by "-": conntrack-list-x.
Every key has to be in the command's section of the manual, every object has to name its form, points
in time and fractions have to be written as the manual says.  With --all each key of the manual has to
be in some file, too.
"""

import decimal
import json
import pathlib
import re
import sys

TIMES = {"time", "since", "started", "applied", "last_hit"}
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
COUNTS = {"packets", "bytes"}
LEAVES = {"packets", "bytes", "packets_per_s", "bytes_per_s", "old", "new", "added", "removed"}
NO_ANSWERS = {"policy-import"}


def manual_keys(path):
    """{command: {key as a tuple}}"""
    commands, current = {}, []
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(".Ss "):
            names = line[4:].replace(" --", "-").split(", ")
            current = [name.replace(" ", "-") for name in names]
            keys = set()
            for name in current:
                commands[name] = keys
        elif line.startswith(".It Va ") and current:
            keys |= {key_of(key) for key in line[7:].split(" , ")}
        elif line.startswith(".Sh "):
            current = []
    return commands


def key_of(text):
    return tuple(text.replace("[]", ".[]").split("."))


def flatten(value, path=()):
    """Each key that a value has, as a tuple; that of an empty object or list, too."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, (*path, key))
    if isinstance(value, list):
        for inner in value:
            yield from flatten(inner, (*path, "[]"))


def matches(pattern, key):
    return len(pattern) == len(key) and all(p in ("*", k) for p, k in zip(pattern, key))


def find(keys, key):
    """The documented keys that cover one: its own, one that holds it, or one that it leads to."""
    exact = {pattern for pattern in keys if matches(pattern, key)}
    if exact:
        return exact
    above = {p for p in keys if len(p) < len(key) and matches(p, key[: len(p)])}
    if above and (key[-1] in LEAVES | {"[]"} or any(p[-1] == "[]" for p in above)):
        return above
    return {p for p in keys if len(p) > len(key) and matches(p[: len(key)], key)} and {None}


class Fraction:
    """A number that is written as no integer."""

    def __init__(self, text):
        self.text = text


def values(text):
    decoder, at = json.JSONDecoder(parse_float=Fraction), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        yield from value if isinstance(value, list) else [value]


def check_value(key, value):
    if isinstance(value, str) and key[-1] in TIMES and not TIME.match(value):
        return f"is no time: {value}"
    if isinstance(value, Fraction) and decimal.Decimal(value.text).as_tuple().exponent < -6:
        return f"has more than six decimals: {value.text}"
    if isinstance(value, Fraction) and key[-1] in COUNTS:
        return f"is no integer: {value.text}"
    return None


def command_of(name, commands):
    fitting = [c for c in commands if name == c or name.startswith(c + "-")]
    return max(fitting, key=len, default=None)


def check_object(one, name, commands, found_in):
    """The mistakes of an object; what the manual has of its keys is added to found_in."""
    if name == "status" and "healthy" in one:
        name = "status-check"
    if one.pop("schema", None) != 2:
        yield f"{name}: an object without schema"
    for key, value in flatten(one):
        found = find(commands[name], key)
        found_in[name] |= found
        if not found:
            yield f"{name}: the manual lacks {'.'.join(key)}"
        what = check_value(key, value)
        if what:
            yield f"{name}: {'.'.join(key)} {what}"


def check_file(path, commands, found_in):
    name = command_of(path.name, commands)
    if any(path.name.startswith(other) for other in NO_ANSWERS):
        return
    if not name:
        yield f"the manual lacks the command of {path.name}"
        return
    try:
        objects = list(values(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError:  # its reader went, or it was killed
        return
    for one in objects:
        yield from check_object(one, name, commands, found_in)


def unprinted(commands, found_in):
    """Keys of the manual that no output has; some commands share a section."""
    sections = {}
    for name, keys in commands.items():
        sections.setdefault(id(keys), []).append(name)
    for names in sections.values():
        printed = set().union(*(found_in[name] for name in names))
        for key in commands[names[0]] - printed:
            yield f"{names[0]}: nothing has {'.'.join(key)}"


def main():
    wants_all = sys.argv[1] == "--all"
    manual, folder = sys.argv[1 + wants_all :]
    commands = manual_keys(manual)
    found_in = {name: set() for name in commands}
    mistakes = set()
    for path in pathlib.Path(folder).iterdir():
        mistakes |= set(check_file(path, commands, found_in))
    if wants_all:
        mistakes |= set(unprinted(commands, found_in))
    if mistakes:
        sys.exit("\n".join(sorted(mistakes)))
    print(sum(len(keys) for keys in found_in.values()), "keys are as documented")


main()
