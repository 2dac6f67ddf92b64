"""What was measured, as a table for people and as JSON for programs."""

import json
import statistics
from dataclasses import dataclass, field


@dataclass
class Row:
    what: str
    values: list  # one of each round; seconds, or what `unit` says
    unit: str = "s"
    tree: tuple = None  # files and bytes that were scanned in that time
    ratio: float = None
    against: str = ""
    target: str = ""  # such as ">= 1.25"

    @property
    def median(self):
        return statistics.median(self.values) if self.values else None

    def is_met(self):
        if self.ratio is None or not self.target:
            return None
        relation, number = self.target.split()
        return self.ratio >= float(number) if relation == ">=" else self.ratio <= float(number)

    def compared(self, other, target="", inverted=False):
        """How many times faster than the other this is; `inverted`, how many times its value."""
        if self.values and other.values:
            self.ratio = self.median / other.median if inverted else other.median / self.median
        self.against, self.target = other.what, target
        return self


@dataclass
class Report:
    conditions: dict
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    differences: list = field(default_factory=list)

    def table(self):
        lines = [f"{name}: {value}" for name, value in self.conditions.items()]
        lines += ["", f"{'':<50}{'median':>11}{'files/s':>10}{'MB/s':>8}{'ratio':>8}  against [target]"]
        lines += [_line(row) for row in self.rows]
        lines += ["", *(f"Note: {note}" for note in self.notes)]
        if self.differences:
            lines += ["Detections DIFFER from clamscan's:", *(f"  {difference}" for difference in self.differences)]
        else:
            lines.append("Detections: the same by path and name, of all and in every round.")
        return "\n".join(lines)

    def write(self, path):
        rows = [{"what": row.what, "median": row.median, "unit": row.unit, "values": row.values, "ratio": row.ratio,
                 "against": row.against, "target": row.target, "met": row.is_met()} for row in self.rows]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"conditions": self.conditions, "rows": rows, "notes": self.notes,
                       "differences": self.differences}, file, indent=2)
            file.write("\n")


def _line(row):
    if not row.values:
        return f"{row.what:<50}{'n/a':>11}"
    line = f"{row.what:<50}{row.median:>{10 - len(row.unit)}.{_digits(row)}f} {row.unit}"
    if row.tree:
        files, size = row.tree
        line += f"{files / row.median:>10.0f}{size / row.median / 1e6:>8.1f}"
    else:
        line += " " * 18
    if row.ratio is not None:
        line += f"{row.ratio:>8.2f}  {row.against}"
    if row.is_met() is not None:
        line += f" [{row.target}{'' if row.is_met() else ', MISSED'}]"
    return line.rstrip()


def _digits(row):
    return 3 if row.unit == "s" and row.median < 10 else 1 if row.unit == "MiB" else 2
