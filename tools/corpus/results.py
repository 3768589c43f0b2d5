#!/usr/bin/env python3
"""Runs the kernel's selftests that say their result, without a kernel, and compares.

    tools/corpus/results.py [--least-right PERCENT] [--least-complete PERCENT] [--least-alone PERCENT] [-j N]
                            [--sources TREE] [--given FOLDER] BPF2NATIVE FOLDER...

A selftest says by `__retval(N)` what it returns when BPF_PROG_TEST_RUN runs it on 64 zero bytes: a tag of its function in
BTF. Each such program is run by `bpf2native run --entry` on the same packet. Printed are: programs whose result is right, wrong
ones, and those that do not run, by reason. Then, how many objects are complete, leaving nothing undefined: alone, with the
runtime; linked with those objects that their authors link them with; and with what these give them beside that:

- TREE (the kernel's sources) has the objects that its Makefiles link with each other, and the selftests' configuration;
- FOLDER of --given has tools/corpus/given, compiled: kfuncs of the selftests' own kernel module and the like (`given.a`), and what
  their loader puts into maps (`map_values.o`).

Exit status 1 if fewer are right, or complete, than asked for.
"""

import argparse
import collections
import concurrent.futures
import ctypes
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# What test_loader.c of the selftests gives to a program.
PACKET = bytes(64)
SECONDS = 20

# Verdicts that the tool shows by name.
VERDICTS = {
    "XDP_ABORTED": 0, "XDP_DROP": 1, "XDP_PASS": 2, "XDP_TX": 3, "XDP_REDIRECT": 4,
    "TC_ACT_UNSPEC": -1, "TC_ACT_OK": 0, "TC_ACT_RECLASSIFY": 1, "TC_ACT_SHOT": 2, "TC_ACT_PIPE": 3, "TC_ACT_STOLEN": 4,
    "TC_ACT_QUEUED": 5, "TC_ACT_REPEAT": 6, "TC_ACT_REDIRECT": 7, "TC_ACT_TRAP": 8,
    "TCX_NEXT": -1, "TCX_PASS": 0, "TCX_DROP": 2, "TCX_REDIRECT": 7, "SK_DROP": 0, "SK_PASS": 1,
    "BPF_OK": 0, "BPF_DROP": 2, "BPF_REDIRECT": 7, "BPF_LWT_REROUTE": 128, "BPF_FLOW_DISSECTOR_CONTINUE": 129,
    "NF_DROP": 0, "NF_ACCEPT": 1,
}

# Values that programs name instead of writing them.
NAMES = {"INT_MIN": -(1 << 31), "INT_MAX": (1 << 31) - 1, "TEST_DATA_LEN": 64}

# What a program is said to return of which only the kernel knows what it is: test_loader.c takes any result for it.
ANY = "POINTER_VALUE"

# Objects into whose maps prog_tests/verifier.c puts values before their programs run.
WITH_VALUES = ("verifier_array_access.o", "verifier_value_ptr_arith.o")

# Programs that are attached, and which the kernel runs by what they are attached to; given/functions.bpf.c has that.
ATTACHED = {"resolve_typedef": "bpf_fentry_test_sinfo"}


def number(text):
    """What `__retval(text)` is, as the 32 bits that the kernel reports, or ANY; none if it is no number."""
    text = text.strip().strip("()")
    if text == ANY:
        return ANY
    for name, value in NAMES.items():
        text = re.sub(rf"\b{name}\b", str(value), text)
    if not re.fullmatch(r"[-+*/|&~<>() 0-9a-fA-FxXuUlL]+", text):
        return None
    try:
        return eval(re.sub(r"(?<=[0-9a-fA-F])[uUlL]+\b", "", text), {"__builtins__": {}}) & 0xFFFFFFFF
    except (SyntaxError, NameError, TypeError, ValueError, ZeroDivisionError):
        return None


def expected(path):
    """The programs of an object that say their result, with that."""
    dump = subprocess.run(["bpftool", "--json", "btf", "dump", "file", path], capture_output=True, check=False)
    if dump.returncode:
        return {}
    types = {entry["id"]: entry for entry in json.loads(dump.stdout)["types"]}
    programs = {}
    for entry in types.values():
        match = entry["kind"] == "DECL_TAG" and re.match(r"comment:test_retval=(.*)", entry["name"])
        if match and types[entry["type_id"]]["kind"] == "FUNC":
            programs[types[entry["type_id"]]["name"]] = number(match.group(1))
    return programs


def run(tool, path, arguments, packet=b""):
    """Exit status, output and errors of the tool; none if it takes too long."""
    command = [tool, "run", str(path), *arguments]
    try:
        done = subprocess.run(command, input=packet, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None, "", "takes too long"
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def shown(output):
    """The result that the tool shows, as 32 bits."""
    words = re.findall(r"[A-Z]+_[A-Z_]+|-?\d+", output.splitlines()[-1]) if output.strip() else []
    value = next((VERDICTS.get(word, word) for word in words), None)
    return int(value) & 0xFFFFFFFF if re.fullmatch(r"-?\d+", str(value)) else None


def reason(status, errors):
    """One line for what went wrong, without the names of objects and programs."""
    if status is None:
        return errors
    if status < 0:
        return f"signal {-status}"
    lines = [line for line in errors.splitlines() if line.startswith("error")] or errors.splitlines() or ["?"]
    names = sorted(set(re.findall(r"`(bpf_\w+)`", errors)))
    return f"undefined: {', '.join(names[:3])}" if names else re.sub(r"`[^`]*`|0x[0-9a-f]+|\d+", "_", lines[0])[:100]


class Given:
    """What objects are given beside the runtime, by the kernel's sources and by tools/corpus/given."""

    def __init__(self, sources, folder, objects):
        self.kconfig = self.configuration(sources) if sources else None
        self.archive = folder and folder / "given.a"
        self.values = folder and folder / "map_values.o"
        self.linked = self.groups(sources, objects) if sources else {}

    @staticmethod
    def configuration(sources):
        """The selftests' configuration; the number of ticks is not in it, but the choice that it follows from."""
        folder = sources / "tools/testing/selftests/bpf"
        texts = [(folder / name).read_text() for name in ("config", "config.x86_64")]
        texts += [f"CONFIG_HZ={ticks}" for ticks in re.findall(r"^CONFIG_HZ_(\d+)=y", texts[1], re.MULTILINE)]
        with tempfile.NamedTemporaryFile("w", suffix=".config", delete=False) as file:
            file.write("\n".join(texts) + "\n")
        return pathlib.Path(file.name)

    @staticmethod
    def groups(sources, objects):
        """The objects that the Makefiles link with an object."""
        by_name = {path.name: path for path in objects}
        linked = {}
        for folder, suffix in (("tools/testing/selftests/bpf", ""), ("samples/bpf", ".bpf")):
            prefix = f"{folder}/progs/" if not suffix else f"{folder}/"
            text = (sources / folder / "Makefile").read_text().replace("\\\n", " ")
            for line in re.findall(r"^\S+-deps\s*:?=\s*(.*)$", text, re.MULTILINE):
                names = [prefix.replace("/", "-") + name + suffix + ".o" for name in re.findall(r"(\w+)\.bpf\.o", line)]
                group = [by_name[name] for name in names if name in by_name]
                for path in group if len(group) > 1 else []:
                    linked.setdefault(path, [other for other in group if other != path])
        return linked

    def options(self):
        return ["--kconfig", str(self.kconfig)] if self.kconfig else []

    def objects(self, path):
        """The objects beside this one."""
        return [str(other) for other in self.linked.get(path, [])]

    def inputs(self, path):
        """The objects and archives beside this one."""
        inputs = self.objects(path)
        if self.values and path.name.endswith(WITH_VALUES):
            inputs.append(str(self.values))
        return inputs + ([str(self.archive)] if self.archive else [])


def check(tool, path, given):
    """For each program of an object: its name, and what became of it."""
    results = []
    for name, value in expected(path).items():
        entry = ATTACHED.get(name, name) if given.archive else name
        caller = [] if entry == name else [str(given.archive.parent / "functions.o")]
        arguments = [*caller, *given.inputs(path), *given.options(), "--entry", entry]
        status, output, errors = run(tool, path, arguments, PACKET)
        if status != 0:
            results.append((name, reason(status, errors)))
        elif value is None:
            results.append((name, "the result is no number"))
        else:
            right = value == ANY or shown(output) == value
            results.append((name, "right" if right else f"wrong: {output.strip()[:40]} and not {value}"))
    return path, results


def undefined(tool, path, inputs):
    """The names that an object leaves undefined when it is translated with these, but for those of the C library."""
    process = ctypes.CDLL(None)
    with tempfile.TemporaryDirectory() as folder:
        native = pathlib.Path(folder) / "native.o"
        command = [tool, "-c", str(path), *inputs, "-o", str(native)]
        subprocess.run(command, capture_output=True, timeout=SECONDS * 6, check=False)
        if not native.exists():
            return ["(not translated)"]
        listed = subprocess.run(["nm", "-u", str(native)], capture_output=True, check=True).stdout.decode()
    # Weak ones may stay undefined.
    names = [line.split()[1] for line in listed.splitlines() if line.split()[0] == "U"]
    return [name for name in names if not hasattr(process, name)]


def complete(tool, objects, given, pool):
    """The shares of objects that leave nothing undefined, alone and with what they are given, which are printed, with the names
    that objects lack."""
    steps = [("alone", lambda path: []), ("linked", given.objects), ("given", given.inputs)]
    left, shares = objects, []
    for step, inputs in steps:
        lacking = list(pool.map(lambda path: undefined(tool, path, [*inputs(path), *given.options()]), left))
        names_of = [(path, names) for path, names in zip(left, lacking) if names]
        left = [path for path, _ in names_of]
        shares.append(100 * (len(objects) - len(left)) / len(objects) if objects else 0)
        print(f"{len(objects)} objects, {len(objects) - len(left)} of them complete, {step} ({shares[-1]:.1f} %)")
    for path, names in names_of:
        print(f"       {path.name} lacks {', '.join(names[:8])}{' and more' if names[8:] else ''}")
    return shares[0], shares[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--least-right", type=float, default=0, metavar="PERCENT")
    parser.add_argument("--least-complete", type=float, default=0, metavar="PERCENT")
    parser.add_argument("--least-alone", type=float, default=0, metavar="PERCENT")
    parser.add_argument("--sources", type=pathlib.Path, metavar="TREE")
    parser.add_argument("--given", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    parser.add_argument("tool")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    objects = sorted(path for folder in arguments.folders for path in folder.glob("*.o"))
    given = Given(arguments.sources, arguments.given, objects)
    outcomes, where = collections.Counter(), collections.defaultdict(list)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for path, results in pool.map(lambda path: check(arguments.tool, path, given), objects):
            for name, outcome in results:
                kind = "wrong" if outcome.startswith("wrong") else outcome
                outcomes[kind] += 1
                where[kind].append(f"{path.name}: {name}{outcome[5:] if kind == 'wrong' else ''}")
    for outcome, count in outcomes.most_common():
        print(f"{count:6} {outcome}")
        if outcome != "right":
            print("".join(f"           {place}\n" for place in where[outcome][:40]), end="")
    total = sum(outcomes.values())
    right = 100 * outcomes["right"] / total if total else 0
    print(f"{total} programs say their result, {outcomes['right']} return it ({right:.1f} %)")
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        alone, share = complete(arguments.tool, objects, given, pool)
    if right < arguments.least_right:
        sys.exit(f"fewer than {arguments.least_right} % are right")
    if alone < arguments.least_alone:
        sys.exit(f"fewer than {arguments.least_alone} % are complete alone")
    if share < arguments.least_complete:
        sys.exit(f"fewer than {arguments.least_complete} % are complete")


if __name__ == "__main__":
    main()
