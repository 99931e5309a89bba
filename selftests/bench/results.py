# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Records of a benchmark run, the goals they are held against, and tables of both.

A record is a dictionary: part, case, what tells cases apart (path, l4, ip, flows, rules ...), unit,
and samples; "empty", where present, holds as many samples of what is to be subtracted.
"""

import statistics

# Which field of a record tells rows of a table apart, and how a heading calls it.
LABELS = (("case", "case"), ("path", "path"), ("l4", "l4"), ("ip", "IP"), ("flows", "flows"),
          ("rules", "rules"), ("fill", "fill"), ("cpus", "CPUs"), ("peer", "of"))

ESTABLISHED = {1: 120, 65536: 280, 1000000: 550}
NEW = {"new": 600, "new in a flood": 1200, "new among 1,000,000": 600,
       "new in a flood among 1,000,000": 1200, "default deny": 300}
CLASSIFY = {("mesh", 10): 150, ("mesh", 10000): 200, ("mesh", 100000): 400,
            ("firewall", 1000): 250, ("firewall", 10000): 700, ("firewall", 100000): 1500,
            ("hostile", 10000): 500}


def goal(record):
    """The most that a record's figure may be, or None where nothing was promised."""
    if record.get("peer", "shrike").split(",")[0] != "shrike":
        return None
    case = record["case"]
    if record["part"] == "packet":
        return ESTABLISHED.get(record["flows"]) if case == "established" else NEW.get(case)
    if record["part"] == "acl":
        hot = record.get("flows") == 1024
        return CLASSIFY.get((case, record["rules"])) if hot else record.get("goal")
    return record.get("goal")


def figures(record):
    """The samples of a record, net of what is to be subtracted, in ascending order."""
    samples = record["samples"]
    if "empty" in record:
        samples = [all - empty for all, empty in zip(samples, record["empty"])]
    return sorted(samples)


def number(value):
    """A figure with as many digits as mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def row(record, labels):
    net = figures(record)
    limit, median = goal(record), statistics.median(net)
    at_least = record.get("at_least", False)
    met = "" if limit is None else "yes" if (median >= limit) == at_least or median == limit \
        else "no"
    cells = [f"{record[field]:,}" if isinstance(record.get(field), int) and field != "ip"
             else str(record.get(field, "")) for field in labels]
    cells += ["" if limit is None else ("≥ " if at_least else "≤ ") + number(limit),
              number(median), f"{number(net[0])} - {number(net[-1])}", record["unit"], met]
    return cells


def table(records):
    """Rows of cells, headings first, of one part's records."""
    fields = [(field, heading) for field, heading in LABELS
              if any(field in record for record in records)]
    headings = [heading for _, heading in fields]
    headings += ["goal", "median", "range", "unit", "met"]
    return [headings] + [row(record, [field for field, _ in fields]) for record in records]


def text(rows):
    """A table for a terminal."""
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()
                     for cells in rows)


def markdown(rows):
    """A table for a document."""
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0])] + lines[1:])
