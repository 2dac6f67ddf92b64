"""The keys of the sample configuration as a part of its manual page: config_page.py SAMPLE PAGE OUTPUT puts them in place
of @CONFIG_KEYS@. So a key is described once, beside its default."""

import sys


def escaped(text):
    return text.replace("\\", "\\\\").replace("*", "\\*")


def page_of(sample):
    comment = []
    for line in sample.splitlines()[first_section(sample):]:
        if line.startswith("#"):
            comment.append(escaped(line[1:].strip()))
            continue
        if comment:
            yield from [*comment, ""]
            comment = []
        if line.startswith("["):
            yield from [f"# {line.strip('[]').upper()}", ""]
            section = line.strip("[]")
        elif " = " in line:
            key, _, value = line.partition(" = ")
            yield from [f"*{section}.{key}* = {escaped(value)}", ""]


def first_section(sample):
    return next(number for number, line in enumerate(sample.splitlines()) if line.startswith("["))


def main(sample, page, output):
    with open(sample, encoding="utf-8") as file:
        keys = "\n".join(page_of(file.read()))
    with open(page, encoding="utf-8") as file:
        text = file.read().replace("@CONFIG_KEYS@", keys.strip())
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)


main(*sys.argv[1:])
