"""Figures of the sources, for whoever reads them; no gate. Lines of code are those that are not empty and no comment."""

import glob
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOTS_OWN = ("auth/authd", "auth/commands", "auth/identity")
FUNCTION = re.compile(r"^(?!namespace|struct|class|enum|union|extern)\S.*\)[^;={]*\{$")


def sources(*folders):
    return sorted(path for folder in folders for kind in ("h", "cpp")
                  for path in glob.glob(os.path.join(ROOT, folder, "**", "*." + kind), recursive=True))


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def code_lines(paths):
    return sum(1 for path in paths for line in lines_of(path) if not re.match(r"\s*(//.*)?$", line))


def functions(path):
    """Those that begin in the first column: name and length in lines."""
    begun = None
    for number, line in enumerate(lines_of(path), 1):
        if begun is None and FUNCTION.match(line):
            begun = (number, line)
        elif begun is not None and line.startswith("}"):
            name = re.search(r"([\w:~]+)\(", begun[1])
            yield number - begun[0] + 1, f"{os.path.relpath(path, ROOT)}:{begun[0]} {name[1] if name else begun[1]}"
            begun = None


def main():
    everything = sources("auth", "fcgi", "handlers", "jobs")
    print(f"root's own code ({', '.join(ROOTS_OWN)}): {code_lines(sources(*ROOTS_OWN))} lines; what all programs share "
          f"(auth/base): {code_lines(sources('auth/base'))}; everything: {code_lines(everything)}")
    print("longest files:")
    for length, path in sorted(((len(lines_of(path)), path) for path in everything), reverse=True)[:10]:
        print(f"  {length:5} {os.path.relpath(path, ROOT)}")
    print("longest functions:")
    for length, name in sorted((each for path in everything for each in functions(path)), reverse=True)[:10]:
        print(f"  {length:5} {name}")


main()
