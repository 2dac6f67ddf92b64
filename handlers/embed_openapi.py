"""Run by the build: openapi.yaml, as the JSON that clients get, in a C++ source. Usage: embed_openapi.py YAML CPP"""

import json
import sys

import yaml

DELIMITER = "openapi"


def main():
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        document = json.dumps(yaml.safe_load(file), separators=(",", ":"))
    assert f'){DELIMITER}"' not in document
    with open(target, "w", encoding="utf-8") as file:
        file.write(f'#include "handlers/openapi.h"\n\nstd::string_view clamscanner::openapi_document() noexcept {{\n'
                   f'    return R"{DELIMITER}({document}){DELIMITER}";\n}}\n')


if __name__ == "__main__":
    main()
