"""Where things are, and how a check tells what it found."""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = ROOT / ".services"
CHART = ROOT / "deploy/helm/dakghar"
UPDATES = os.environ.get("UPDATE_GOLDEN") == "1"


class Findings:
    """What is wrong, all of it, before the check fails."""

    def __init__(self):
        self.problems = []
        self.checks = 0

    def check(self, holds, problem):
        self.checks += 1
        if not holds:
            self.problems.append(problem)

    def golden(self, path, text):
        """Compares a file that is generated, or writes it where UPDATE_GOLDEN=1."""
        if UPDATES:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        is_same = path.is_file() and path.read_text() == text
        self.check(is_same, f"{path.relative_to(ROOT)} is not what is generated now: UPDATE_GOLDEN=1 writes it, then read the diff")

    def end(self, what):
        for problem in self.problems:
            print(f"{what}: {problem}", file=sys.stderr)
        if self.problems:
            sys.exit(1)
        print(f"{what}: {self.checks} checks hold")
