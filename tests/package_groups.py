"""Which groups of tests/packages.sh the chosen tests need beside "build" and "test": package_groups.py BUILD [CTEST
OPTION…]. The labels of a test are its kind (unit, fuzz, integration, soak) and the groups of packages that it needs."""

import json
import subprocess
import sys

GROUPS_OF_KIND = {"unit": set(), "fuzz": set(), "integration": {"integration"}, "soak": {"integration"}}


def labels_of(test):
    return next((entry["value"] for entry in test["properties"] if entry["name"] == "LABELS"), [])


def package_groups(build, *options):
    shown = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1", *options], check=True,
                           capture_output=True, text=True).stdout
    labels = {label for test in json.loads(shown)["tests"] for label in labels_of(test)}
    return sorted(set().union(*(GROUPS_OF_KIND.get(label, {label}) for label in labels)))


if __name__ == "__main__":
    print(*package_groups(*sys.argv[1:]))
