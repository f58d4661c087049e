#!/usr/bin/env python3
"""House rules that no compiler knows, over src/, tests/ and bench/.

    tidy.py [--self-check] ROOT

Functions of at most 70 lines, files of at most 800, `#pragma once` in headers, no sleeping for a result in tests,
nothing left over (TODO and its like), nothing that names one machine's folders.
--self-check first demands that each rule catches a planted breach.
"""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
import checks  # noqa: E402

MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 800

LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(home|root|work)/\w")
SLEEPS = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|absl::SleepFor)\b|(?<![\w.:>])sleep\(")
# Waiting in steps for a condition is done in one place, which may sleep between two looks.
SLEEPS_ALLOWED = re.compile(r"(^|/)wait_until\.(h|cc)$")

BLANKED = re.compile(
    r'R"(?P<tag>[^()\s]{0,16})\(.*?\)(?P=tag)"'  # raw string
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"  # a character, not a digit separator
    r"|//[^\n]*"
    r"|/\*.*?\*/",
    re.DOTALL,
)
SCOPE = re.compile(r"^\s*(?:export\s+)?(?:inline\s+)?(?:template\s*<.*>\s*)?(?:namespace|class|struct|union|enum|extern)\b", re.DOTALL)
PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)


def blank(match):
    """Same length and same line breaks, so that positions stay."""
    return re.sub(r"[^\n]", " ", match.group(0))


def opens_function(head):
    """Whether the text between the last `;`, `{` or `}` and a `{` at namespace or class scope begins a function."""
    head = re.sub(r"operator\s*[^\s\w(]+", "operator", head)
    parenthesis = head.find("(")
    if parenthesis < 0 or SCOPE.match(head) and ")" not in head:
        return False
    return "=" not in re.sub(r"<[^<>]*>", "", head[:parenthesis])


def functions(text):
    """Yields (first line, last line, head) of each function; what is inside one (lambdas, local types) counts to it."""
    text = PREPROCESSOR.sub(blank, BLANKED.sub(blank, text))
    stack = []  # (kind, position of the head)
    head_start = 0
    for match in re.finditer(r"[{};]", text):
        at = match.start()
        inside = any(kind == "function" for kind, _ in stack)
        if match.group() == "{":
            head = text[head_start:at]
            if inside or (stack and stack[-1][0] == "other"):
                kind = "other"
            elif opens_function(head):
                # `Name(...) : member_{value} {`: a brace right after a name in the initializer list is no body yet.
                kind = "other" if re.search(r"\)\s*(?:noexcept\s*)?:\s.*\w\s*$|,\s*\w+\s*$", head, re.DOTALL) else "function"
            elif SCOPE.match(head):
                kind = "scope"
            else:
                kind = "other"
            stack.append((kind, head_start + len(head) - len(head.lstrip())))
            if kind != "other":
                head_start = at + 1
        elif match.group() == "}":
            kind, start = stack.pop() if stack else ("other", at)
            if kind == "function":
                yield text.count("\n", 0, start) + 1, text.count("\n", 0, at) + 1, " ".join(text[start:at].split("{")[0].split())
            if kind != "other":
                head_start = at + 1
        elif not inside and not (stack and stack[-1][0] == "other"):
            head_start = at + 1


def check(name, text):
    """Yields the problems of one file; `name` is relative to the root."""
    lines = text.split("\n")
    if len(lines) - 1 > MAX_FILE_LINES:
        yield f"{name}: {len(lines) - 1} lines, at most {MAX_FILE_LINES}: one subject each"
    if name.endswith(".h") and not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield f"{name}: a header without #pragma once"
    for first, last, head in functions(text):
        if last - first + 1 > MAX_FUNCTION_LINES:
            yield f"{name}:{first}: {last - first + 1} lines in one function, at most {MAX_FUNCTION_LINES}: {head[:80]}"
    for number, line in enumerate(lines, 1):
        if LEFTOVERS.search(line):
            yield f"{name}:{number}: left over: {line.strip()[:80]}"
        if MACHINE_PATHS.search(line):
            yield f"{name}:{number}: names a folder of one machine: {line.strip()[:80]}"
        if name.startswith("tests/") and SLEEPS.search(line) and not SLEEPS_ALLOWED.search(name):
            yield f"{name}:{number}: sleeps; wait for a condition with a deadline: {line.strip()[:80]}"
        if line.rstrip() != line:
            yield f"{name}:{number}: white space at the end of the line"


def self_check():
    """Each breach must be found once, and the clean files must have no problem."""
    body = "  step();\n" * (MAX_FUNCTION_LINES + 1)
    short = "  step();\n" * (MAX_FUNCTION_LINES - 2)
    clean = {
        "src/a/a.h": "#pragma once\nnamespace a {\nclass A {\n public:\n  A() : x_{1}, y_(2) {}\n  int f() { return '\"'; }\n};\n}\n",
        "src/a/a.cc": f"namespace a {{\nint f(int a = 3) {{\n{short}}}\nint g() {{\n{short}}}\n}}\n",
        "src/a/table.cc": "namespace a {\nconst int kTable[] = {\n" + "  1,\n" * 100 + "};\n}\n",
        "tests/a/wait_until.h": "#pragma once\nvoid f() { std::this_thread::sleep_for(step); }\n",
    }
    breaches = {
        "src/a/b.cc": f"namespace a {{\nint f() {{\n{body}}}\n}}\n",
        "src/a/c.cc": f"namespace a {{\nstruct S {{\n  bool operator==(const S& o) const {{\n{body}  }}\n}};\n}}\n",
        "src/a/d.cc": f"A::A(int x) : x_{{x}}, y_{{x}} {{\n{body}}}\n",
        "src/a/e.cc": f"TEST(Suite, Name) {{\n  auto f = [] {{\n{body}  }};\n}}\n",
        "src/a/f.cc": "\n" * (MAX_FILE_LINES + 1),
        "src/a/g.h": "int f();\n",
        "src/a/h.cc": "// TO" + "DO: later\n",
        "tests/a/i.cc": "void f() { std::this_thread::sleep_for(100ms); }\n",
        "src/a/j.cc": "int x; \n",
    }
    for name, text in clean.items():
        for problem in check(name, text):
            yield f"self-check: clean, but: {problem}"
    for name, text in breaches.items():
        if len(list(check(name, text))) != 1:
            yield f"self-check: the breach in {name} gave {list(check(name, text))}"


def check_tree(root):
    files = list(checks.sources(root, "src", "tests", "bench"))
    return len(files), [problem for file in files for problem in check(*file)]


if __name__ == "__main__":
    sys.exit(checks.run("tidy", __doc__, self_check, check_tree))
