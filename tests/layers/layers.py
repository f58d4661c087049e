#!/usr/bin/env python3
"""Who may include whom: reads every #include under src/ and fails where a layer reaches where it may not.

    layers.py [--self-check] ROOT

--self-check first plants bad includes in a copy of a small tree and demands that each is found.
"""
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
import checks  # noqa: E402

# A layer may include the layers named here, and its own files.
ALLOWED = {
    "base": set(),
    "raft": {"base"},
    "wal": {"base", "raft"},
    "chat": {"base"},
    "node": {"base", "raft", "wal", "chat"},
    "service": {"base", "raft", "wal", "chat", "node"},
    "rpc": {"base", "raft", "wal", "chat", "node", "service"},
    "gateway": {"base", "raft", "wal", "chat", "node", "service"},
    "client": {"base"},
    "sim": {"base", "raft", "wal", "chat", "node"},
    "parleyd": {"base", "raft", "wal", "chat", "node", "service", "rpc", "gateway"},
    "parley": {"base", "client"},
}

SQLITE = r"sqlite3\.h|sqlite3ext\.h|SQLiteCpp/.*"
GRPC = r"grpc/.*|grpcpp/.*|.*\.grpc\.pb\.h"
PROTOBUF = r"google/protobuf/.*|.*\.pb\.h"
NETWORK = GRPC + r"|sys/socket\.h|netinet/.*|arpa/inet\.h|boost/(asio|beast).*"
THREADS = r"thread|mutex|shared_mutex|condition_variable|future|stop_token|semaphore|latch|barrier|pthread\.h"
CLOCKS = r"chrono|ctime|time\.h|sys/time\.h"
FILES = r"fstream|filesystem|cstdio|fcntl\.h|unistd\.h|sys/stat\.h"

# Headers from outside that a layer may not see, not even through another header of ours.
FORBIDDEN = {
    "base": "|".join([SQLITE, GRPC, PROTOBUF]),
    "raft": "|".join([SQLITE, NETWORK, PROTOBUF, THREADS, CLOCKS, FILES]),
    "wal": "|".join([SQLITE, NETWORK, PROTOBUF]),
    "chat": NETWORK,
    "rpc": SQLITE,
    "gateway": SQLITE,
    "client": SQLITE,
    "parley": SQLITE,
}

GENERATED = r"parley/(internal/)?v1/.*\.pb\.h"
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


class Tree:
    """The sources under one root, with their includes read once."""

    def __init__(self, root):
        self.src = Path(root) / "src"
        self.includes = {
            file.removeprefix("src/"): INCLUDE.findall(text) for file, text in checks.sources(root, "src")
        }

    def outside_headers(self, file, seen):
        """Yields (header from outside, file that names it) for everything that `file` sees."""
        if file in seen:
            return
        seen.add(file)
        for _, name in self.includes[file]:
            if name in self.includes:
                yield from self.outside_headers(name, seen)
            else:
                yield name, file

    def problems(self):
        for file, includes in self.includes.items():
            layer = file.split("/")[0]
            if layer not in ALLOWED:
                yield f"src/{file}: layer '{layer}' has no place in tests/layers/layers.py"
                continue
            for kind, name in includes:
                yield from self.own_problems(file, layer, kind, name)
            yield from self.outside_problems(file, layer)

    def own_problems(self, file, layer, kind, name):
        if re.fullmatch(GENERATED, name):
            return  # of proto/parley, not of src/parley
        target = name.split("/")[0]
        if target in ALLOWED and (self.src / target).is_dir() and "/" in name:
            if target != layer and target not in ALLOWED[layer]:
                yield f"src/{file}: {layer} may not include {name}"
            elif name not in self.includes:
                yield f"src/{file}: there is no src/{name}"
        elif kind == '"':
            yield f'src/{file}: "{name}" is not rooted at src/'

    def outside_problems(self, file, layer):
        pattern = FORBIDDEN.get(layer)
        if not pattern:
            return
        for name, by in self.outside_headers(file, set()):
            if re.fullmatch(pattern, name):
                way = "" if by == file else f" (through src/{by})"
                yield f"src/{file}: {layer} may not see <{name}>{way}"


def self_check():
    """Each planted include must be found, and the clean tree must have no problem."""
    clean = {
        "base/ids.h": "#pragma once\n#include <cstdint>\n",
        "raft/core.h": '#include "base/ids.h"\n',
        "chat/state.h": '#include "base/ids.h"\n',
        "chat/state.cc": '#include "chat/state.h"\n#include <SQLiteCpp/Database.h>\n',
        "node/node.h": '#include "chat/state.h"\n#include "raft/core.h"\n',
        "rpc/server.cc": '#include "node/node.h"\n#include <grpcpp/grpcpp.h>\n#include "parley/v1/api.pb.h"\n',
        "client/client.h": '#include "base/ids.h"\n#include "parley/v1/api.pb.h"\n',
        "parley/main.cc": '#include "client/client.h"\n#include "parley/v1/api.pb.h"\n',
    }
    planted = [
        ("base/bad.h", '#include "raft/core.h"'),
        ("raft/bad.cc", "#include <thread>"),
        ("raft/bad.cc", "#  include <chrono>"),
        ("raft/bad.cc", "#include <sqlite3.h>"),
        ("chat/bad.cc", '#include "raft/core.h"'),
        ("chat/bad.cc", "#include <grpcpp/server.h>"),
        ("client/bad.cc", '#include "node/node.h"'),
        ("client/bad.cc", '#include "parley/main.h"'),
        ("rpc/bad.cc", "#include <SQLiteCpp/Database.h>"),
        ("rpc/bad.cc", '#include "core.h"'),
        ("raft/bad.cc", '#include "raft/absent.h"'),
        ("attic/bad.cc", "#include <vector>"),
        ("chat/state.h", "#include <SQLiteCpp/Database.h>"),  # seen by rpc through node
    ]
    failures = []
    for file, line in [(None, None), *planted]:
        with tempfile.TemporaryDirectory() as root:
            for name, text in {**clean, **({file: line + "\n"} if file else {})}.items():
                path = Path(root) / "src" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            found = list(Tree(root).problems())
        if file is None and found:
            failures.append(f"self-check: the clean tree has problems: {found}")
        if file is not None and not found:
            failures.append(f"self-check: '{line}' in src/{file} was not found")
    return failures


def check(root):
    tree = Tree(root)
    return len(tree.includes), tree.problems()


if __name__ == "__main__":
    sys.exit(checks.run("layers", __doc__, self_check, check))
