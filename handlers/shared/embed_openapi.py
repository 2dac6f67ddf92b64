"""Run by the build: writes openapi.yaml, as the JSON that clients get, into a C++ source. Usage: embed_openapi.py YAML
CPP"""

import json
import sys

import yaml


def main():
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        document = json.dumps(yaml.safe_load(file), separators=(",", ":"))
    # A list of characters: compilers may limit the length of a string literal.
    characters = ",".join(str(byte) for byte in document.encode("ascii"))
    with open(target, "w", encoding="utf-8") as file:
        file.write(f'#include "handlers/shared/openapi.h"\n\nstatic constexpr char document[] = {{{characters}}};\n\n'
                   'std::string_view clamscanner::openapi_document() noexcept {\n'
                   '    return {document, sizeof document};\n}\n')


if __name__ == "__main__":
    main()
