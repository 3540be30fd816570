"""The fields that log lines of the program may have, read from its sources."""

import re

from common import ROOT

CALL = re.compile(r"(?:tracing::)?\b(?:info|warn|error|debug|trace)!\s*\(|\btracing::event!\s*\(")
FIELD = re.compile(r'^(?:"(?P<quoted>[^"]+)"|(?P<name>[a-z_][\w.]*))\s*=|^[%?](?P<path>[\w.]+)$|^(?P<plain>[a-z_][\w.]*)$')


def arguments(text, begin):
    """The arguments of a call whose parenthesis was just opened, as texts."""
    depth, start, found, at = 1, begin, [], begin
    while depth:
        sign = text[at]
        if sign == '"':
            at += 1
            while text[at] != '"':
                at += 2 if text[at] == "\\" else 1
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        if (sign == "," and depth == 1) or depth == 0:
            found.append(text[start:at].strip())
            start = at + 1
        at += 1
    return [one for one in found if one]


def of_sources():
    """Field → the files that log it. Tests and the simulated Meta are left out."""
    fields = {}
    for path in sorted((ROOT / "crates").glob("*/src/**/*.rs")):
        crate = path.relative_to(ROOT / "crates").parts[0]
        if crate in {"dakghar-testkit", "dakghar-graph-sim"} or path.name.startswith("tests"):
            continue
        text = path.read_text().split("#[cfg(test)]\nmod tests {")[0]
        text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
        for call in CALL.finditer(text):
            for argument in arguments(text, call.end()):
                if argument.startswith('"'):
                    if "=" not in argument.split('"')[2][:3]:
                        break
                matched = FIELD.match(argument)
                if not matched:
                    continue
                name = matched["quoted"] or matched["name"] or matched["path"] or matched["plain"]
                if name not in {"target", "parent", "name"} or "=" in argument:
                    fields.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return fields
