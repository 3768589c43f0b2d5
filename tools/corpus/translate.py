#!/usr/bin/env python3
"""Translates a corpus of BPF objects with `bpf2native -c` and says how many fail, and why.

    tools/corpus/translate.py [--target NAME[:N]]... [--check] BPF2NATIVE FOLDER...

Each FOLDER holds objects (*.o). A target is one that `bpf2native --target` takes; `:N` takes every N-th object of each
folder. Objects of big-endian BPF go to s390x, whatever the targets. With --check, GNU binutils and a linker read each
native object of this machine. Exit status 1 if anything fails.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time

# A translation that takes longer, or more memory, has failed.
SECONDS = 120
BYTES = 1 << 30

# Objects that no loader takes, and what is to be said of them.
REFUSED = {"samples-bpf-tcp_dumpstats_kern.o": "its definition's `type` is not made by `__uint`"}


def sections(elf):
    """The executable sections' sizes, and whether the object is big-endian."""
    order = ">" if elf[5] == 2 else "<"
    (offset,) = struct.unpack_from(order + "Q", elf, 0x28)
    entry, count = struct.unpack_from(order + "HH", elf, 0x3A)
    sizes = []
    for index in range(count):
        _, kind, flags, _, _, size = struct.unpack_from(order + "IIQQQQ", elf, offset + index * entry)
        if kind == 1 and flags & 4:
            sizes.append(size)
    return sizes, order == ">"


class Result:
    """What became of one object for one target."""

    def __init__(self, path, target):
        self.path, self.target = path, target
        self.instructions, self.bytes = 0, 0
        # The peak counts this script's own memory too, until the tool is started in its place: some 60 MiB.
        self.seconds, self.peak = 0.0, 0
        self.is_refused = False
        self.reason = None


def translate(tool, path, target, check):
    result = Result(path, target)
    sizes, _ = sections(path.read_bytes())
    result.instructions = sum(sizes) // 8
    with tempfile.TemporaryDirectory() as folder:
        native = pathlib.Path(folder) / "native.o"
        command = [tool, "-c", str(path), "-o", str(native), "--target", target, "-j", "1"]
        start = time.monotonic()
        with open(os.path.join(folder, "words"), "w+b") as words:
            process = subprocess.Popen(command, stderr=words, stdout=words, preexec_fn=limit)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            result.seconds = time.monotonic() - start
            result.peak = usage.ru_maxrss * 1024
            words.seek(0)
            text = words.read().decode(errors="replace").strip()
        refusal = REFUSED.get(path.name)
        if process.returncode > 0 and refusal and refusal in text:
            result.is_refused = True
        elif process.returncode != 0:
            result.reason = text.splitlines()[-1] if text else f"exit status {process.returncode}"
        elif refusal:
            result.reason = "it is translated, and is one that no loader takes"
        elif result.peak > BYTES:
            result.reason = f"takes {result.peak >> 20} MiB"
        else:
            result.bytes = native.stat().st_size
            if check:
                result.reason = complaint(native, target)
    return result


def limit():
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def complaint(native, target):
    """What the system's own tools say against the object."""
    checks = [["readelf", "-aW", native], ["readelf", "--debug-dump=frames", native]]
    if target == "x86_64":
        checks += [["objdump", "-d", native], ["ld", "-r", native, "-o", f"{native}.linked"]]
    for command in checks:
        ran = subprocess.run(command, capture_output=True, check=False)
        if ran.returncode != 0 or ran.stderr.strip():
            words = ran.stderr.decode(errors="replace").strip().splitlines() or ["no words"]
            return f"{command[0]} {command[1]}: {words[0].replace(str(native), '')}"
    return duplicate_symbols(native)


def duplicate_symbols(native):
    """A global name that is defined twice, or defined and undefined."""
    table = subprocess.run(["nm", "-g", native], capture_output=True, check=True).stdout.decode()
    names = collections.Counter(line.split()[-1] for line in table.splitlines())
    twice = [name for name, count in names.items() if count > 1]
    return f"nm: {len(twice)} names twice, first {twice[0]}" if twice else None


def shape(reason):
    """The message without names and numbers, so that equal causes are one line."""
    reason = re.sub(r"^.*?\.o: ", "", reason)
    reason = re.sub(r"`[^`]*`", "`..`", reason)
    return re.sub(r"0x[0-9a-f]+|\d+", "N", reason)


def report(results):
    by_target = collections.defaultdict(list)
    for result in results:
        by_target[result.target].append(result)
    for target, group in by_target.items():
        failed = sum(1 for result in group if result.reason)
        slowest = max(group, key=lambda result: result.seconds)
        largest = max(group, key=lambda result: result.peak)
        refused = sum(result.is_refused for result in group)
        print(
            f"{target}: {len(group)} objects, {sum(r.instructions for r in group)} instructions, "
            f"{failed} fail, {refused} refused as by libbpf"
        )
        print(f"    {sum(r.bytes for r in group) >> 10} KiB of objects, {sum(r.seconds for r in group):.1f} s in all")
        for what, one in [("slowest", slowest), ("most memory", largest)]:
            print(
                f"    {what}: {one.path.parent.name}/{one.path.name}, {one.instructions} instructions, "
                f"{one.seconds:.2f} s, {one.peak >> 20} MiB"
            )
    failures = collections.defaultdict(list)
    for result in results:
        if result.reason:
            failures[shape(result.reason)].append(result)
    for reason, group in sorted(failures.items(), key=lambda item: -len(item[1])):
        print(f"FAIL {len(group)}x {reason}")
        for result in group[:3]:
            print(f"    {result.path} ({result.target}): {result.reason}")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description="translate a corpus of BPF objects")
    parser.add_argument("--target", action="append", help="NAME or NAME:N (every N-th object); x86_64 by default")
    parser.add_argument("--check", action="store_true", help="let binutils read what comes out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("tool")
    parser.add_argument("folder", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    work = []
    for folder in arguments.folder:
        for number, path in enumerate(sorted(folder.glob("*.o"))):
            _, is_big = sections(path.read_bytes())
            for target in ["s390x"] if is_big else arguments.target or ["x86_64"]:
                name, _, share = target.partition(":")
                if number % int(share or 1) == 0:
                    work.append((path, name))
    if not work:
        sys.exit("corpus: no objects; build them first")
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = [pool.submit(translate, arguments.tool, path, target, arguments.check) for path, target in work]
        results = [job.result() for job in jobs]
    sys.exit(report(results))


if __name__ == "__main__":
    main()
