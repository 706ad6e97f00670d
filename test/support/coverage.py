"""coverage.py BUILD SOURCE PERCENT [FOLDER=PERCENT ...]: sums up what gcov says of a build
folder. Prints each source folder's share of lines that were run, and the lines that were not;
exit 1 when a share is below its percentage."""

import collections
import json
import os
import subprocess
import sys


def read_lines(build, source):
    """{file: {line: how often it was run}}"""
    notes = [
        os.path.join(folder, name)
        for folder, _, names in os.walk(build)
        for name in names
        if name.endswith(".gcno")
    ]
    command = ["gcov", "--json-format", "--stdout", *notes]
    out = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, cwd=source
    ).stdout
    lines = collections.defaultdict(collections.Counter)
    for document in map(json.loads, out.splitlines()):
        for file in document["files"]:
            path = os.path.join(document["current_working_directory"], file["file"])
            name = os.path.relpath(path, source)
            for line in file["lines"]:
                lines[name][line["line_number"]] += line["count"]
    return lines


def ranges(numbers):
    """[1, 2, 3, 7] -> "1-3,7" """
    out = []
    for number in numbers:
        if out and out[-1][1] == number - 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


def main(build, source, percent, *exceptions):
    wanted = dict(word.split("=") for word in exceptions)
    sums = {}
    for name, lines in sorted(read_lines(build, source).items()):
        folder = name.split("/")[0]
        if name.startswith("..") or folder in ("test", "build"):
            continue
        missed = sorted(number for number, count in lines.items() if not count)
        total, run = sums.get(folder, (0, 0))
        sums[folder] = total + len(lines), run + len(lines) - len(missed)
        if missed:
            share = 100 - 100 * len(missed) / len(lines)
            print(f"{name:32} {share:5.1f} %  {ranges(missed)}")
    print()
    low = False
    for folder, (total, run) in sums.items():
        least = float(wanted.get(folder, percent))
        low = low or 100 * run < least * total
        mark = "" if 100 * run >= least * total else f"  BELOW {least:g} %"
        print(f"{folder:12} {run:6} of {total:6} lines  {100 * run / total:5.1f} %{mark}")
    return 1 if low or not sums else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
