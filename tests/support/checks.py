"""The command line that the checks of this tree share: [--self-check] ROOT, problems one a line, exit code 1 if any."""
import sys
from pathlib import Path


def sources(root, *folders):
    """Our C++ files below these folders of the tree, sorted, as (path from root, text)."""
    for folder in folders:
        for path in sorted((Path(root) / folder).rglob("*")):
            if path.suffix in (".h", ".cc"):
                yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def run(name, usage, self_check, check):
    """check(root) returns (files looked at, problems); self_check() the breaches that the check missed."""
    arguments = sys.argv[1:]
    problems = []
    if arguments and arguments[0] == "--self-check":
        problems += self_check()
        arguments = arguments[1:]
    if len(arguments) != 1:
        sys.exit(usage)
    count, found = check(arguments[0])
    problems += found
    for problem in problems:
        print(problem)
    print(f"{name}: {count} files, {len(problems)} problems")
    return 1 if problems else 0
