# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The session of selftests/compare, made of what one tree has."""

import pathlib
import re
import shutil
import subprocess

COMMANDS = pathlib.Path(__file__).resolve().parent / "compare.session"
WRONG = ("", "''", "nonsense", "-1", "99999999999999999999", "1-")  # values of an option


def help_of(binary, command):
    return subprocess.run([binary, *command, "--help"], capture_output=True, text=True).stdout


def usage_errors(binary, command=()):
    """Lines for a command and all below it: its help, and each option with wrong values."""
    text, name = help_of(binary, command), " ".join(("shrike", *command))
    yield from (f"{name} --help", f"{name} --nonsense", f"{name} none0 a b c d e f", f"{name} ''")
    if " COMMAND ..." in text:
        yield from (name, f"{name} nonsense")
        for word in re.findall(r"^  (\w+) {2,}", text, re.M):
            yield from usage_errors(binary, (*command, word))
        return
    yield from (f"{name} none0", f"{name} none0 -j", f"{name} a-name-that-is-too-long", f"{name} -j")
    for option, value in re.findall(r"^  +(?:-\w, )?(-[\w-]+)( [A-Za-z])?", text, re.M):
        for wrong in WRONG if value else ("nonsense", "-j"):
            yield f"{name} none0 {option} {wrong}".rstrip()


def examples(text):
    """Lines of literal blocks that run the command; a line may go on after | or a backslash."""
    blocks = [block for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
              if language in ("", "sh")]
    blocks += re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", text, re.M | re.S)
    blocks += re.findall(r"^\.Dl (.*\n)", text, re.M)
    for block in blocks:
        for line in re.sub(r"(\||\\)\n\s*", r"\1 ", block).splitlines():
            line = re.sub(r"^([$#] )?(sudo )?", "", line)
            if re.match(r"(shrike|bpftool map) ", line):
                yield line.replace("/etc/shrike/", "etc/").replace(
                    "/sys/fs/bpf/shrike/wt0", "/sys/fs/bpf/shrike/netns-*/wt0")


def write_blocks(text, stem, work):
    """Blocks of YAML as files, under the name that the line before them gives."""
    block = r"(?:^`([\w.-]+)`.*:\n\n)?^```yaml\n(.*?)^```"
    for n, found in enumerate(re.finditer(block, text, re.M | re.S)):
        (work / (found[1] or f"{stem}-{n}.yaml")).write_text(found[2])


def copy_files(tree, work):
    """Policies, scenarios and what else the session reads."""
    for folder in ("selftests/scenarios", "tests/corpus/policy", "tests/corpus/scenario"):
        for path in (tree / folder).glob("*.yaml"):
            shutil.copy(path, work / f"{path.parent.name}-{path.name}")
    shutil.copy(next((tree / "tests").rglob("network_map.json")), work)
    (work / "etc").mkdir()
    shutil.copy(tree / "dist/example.yaml", work / "etc/wt0.yaml")


def read_commands(work):
    """The lines of compare.session; its files are written."""
    name = None
    for line in COMMANDS.read_text().splitlines():
        if line.startswith("|"):
            with open(work / name, "a") as file:
                file.write(line[1:] + "\n")
        elif line.startswith("file "):
            name = line.split()[1]
        elif line and not line.startswith("#"):
            yield line


def make_session(tree, work):
    """Put the files of a built tree into the folder work; return the lines of the session."""
    pages = [tree / "README.md", *(tree / "docs").glob("*.md"), *(tree / "docs/man").iterdir()]
    texts = {page.stem: page.read_text() for page in sorted(pages)}
    for stem, text in texts.items():
        write_blocks(text, stem, work)
    copy_files(tree, work)
    lines = list(dict.fromkeys(usage_errors(tree / "build/shrike")))
    commands = list(read_commands(work))
    for path in sorted(work.glob("*.yaml")):
        lines += [f"shrike policy check {path.name}", f"shrike policy check -j {path.name}"]
        if "\npackets:" in path.read_text():
            lines += [f"shrike simulate -v {path.name}", f"shrike simulate -j {path.name}"]
    lines += commands
    for line in dict.fromkeys(line for text in texts.values() for line in examples(text)):
        clear = "shrike detach wt0" if re.search(r"shrike (run|attach)", line) else "true"
        lines += [f"! {clear}; shrike conntrack count wt0 || shrike attach wt0 -c base.yaml", line]
    return lines
