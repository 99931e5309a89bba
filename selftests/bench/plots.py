# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Pictures of benchmark records, drawn by gnuplot as SVG.

A picture is made where its records are there.  Points are medians, bars reach from the smallest to
the largest sample.
"""

import statistics
import subprocess

import results

COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#8d6a9f", "#b8860b", "#555555")
STYLE = """set terminal svg size 760,440 dynamic font 'sans-serif,13' background '#ffffff'
set border 3 lc rgb '#444444'
set grid ytics lc rgb '#dddddd' lt 1
set xtics nomirror
set ytics nomirror
set bars 0.5
set key outside below Left reverse samplen 2
"""


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def gnuplot(output, script):
    done = subprocess.run(["gnuplot"], input=f"{STYLE}set output {quoted(str(output))}\n{script}",
                          text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"gnuplot: {done.stderr.strip()}")


def spread(record):
    """Median, smallest, largest."""
    net = results.figures(record)
    return statistics.median(net), net[0], net[-1]


def block(name, lines):
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def error_bars(data, colour):
    return (f"{data} using 1:3:(0):($4-$3) notitle with vectors heads size graph 0.006,90 "
            f"lc rgb '{colour}' lw 1")


def lines(output, title, x_label, y_label, series, y_from_zero=True, family=lambda name: name):
    """Curves over a logarithmic axis: series maps a name to {x: record}.  Those of one family share
    a colour and differ in their dashes."""
    data, plots, families = "", [], {}
    for i, (name, points) in enumerate(series.items()):
        members = families.setdefault(family(name), [])
        members.append(name)
        colour = COLOURS[list(families).index(family(name)) % len(COLOURS)]
        data += block(f"s{i}", [f"{x} {' '.join(map(str, spread(record)))}"
                                for x, record in sorted(points.items())])
        style = f"lc rgb '{colour}' lw 2"
        plots += [error_bars(f"$s{i}", colour),
                  f"$s{i} using 1:2 with points notitle {style} pt 7 ps 0.4",
                  f"$s{i} using 1:2 with lines title {quoted(name)} {style} dt {len(members)}"]
    gnuplot(output, f"{data}set title {quoted(title)}\nset xlabel {quoted(x_label)}\n"
            f"set ylabel {quoted(y_label)}\nset logscale x\nset format x '%.0s%c'\n"
            f"set offsets graph 0.03, graph 0.03, graph 0.05, 0\n"
            f"{'set yrange [0:*]' if y_from_zero else 'set logscale y'}\n"
            f"plot {', '.join(plots)}\n")


def bars(output, title, y_label, groups):
    """Bars in groups: groups maps a name to {member: record}."""
    members = list(dict.fromkeys(member for group in groups.values() for member in group))
    width = 0.8 / len(members)
    data, plots = "", []
    for i, member in enumerate(members):
        points = [(n + (i - (len(members) - 1) / 2) * width, *spread(group[member]))
                  for n, group in enumerate(groups.values()) if member in group]
        data += block(f"s{i}", [" ".join(map(str, point)) for point in points])
        plots += [f"$s{i} using 1:2:({width * 0.92}) with boxes fs solid 0.85 noborder "
                  f"lc rgb '{COLOURS[i % len(COLOURS)]}' title {quoted(member)}",
                  error_bars(f"$s{i}", "#222222")]
    tics = ", ".join(f"{quoted(name)} {n}" for n, name in enumerate(groups))
    gnuplot(output, f"{data}set title {quoted(title)}\nset ylabel {quoted(y_label)}\n"
            f"set yrange [0:*]\nset xrange [-0.6:{len(groups) - 0.4}]\nset xtics ({tics})\n"
            f"plot {', '.join(plots)}\n")


def by(records, key, value):
    """{key: {value: record}} in the order of the records."""
    found = {}
    for record in records:
        found.setdefault(key(record), {})[value(record)] = record
    return found


def flows(records, output):
    chosen = [record for record in records if record["ip"] == 4 and record["l4"] == "tcp" and
              (record["case"] == "established" or record["case"].startswith("one look-up"))]
    lines(output, "Established TCP over IPv4: cost of a packet by the flows that take turns",
          "flows", "ns per packet, net of an empty program",
          by(chosen, lambda r: f"shrike, {r['path']}" if r["case"] == "established"
             else r["case"], lambda r: r["flows"]))


def rules(records, output):
    """Verdicts on packets that come again and again, IPv4."""
    chosen = [record for record in records if record["unit"] == "ns" and record["ip"] == 4 and
              record.get("flows") == 1024]
    lines(output, "The verdict on a new flow: cost by the number of rules", "rules",
          "ns per packet, net of an empty program",
          by(chosen, lambda r: ", ".join(filter(None, (r["case"], r.get("peer")))),
             lambda r: r["rules"]), y_from_zero=False, family=lambda name: name.split(", ")[0])


def swap(records, output):
    chosen = [record for record in records if "rules" in record]
    lines(output, "A change of policy, the whole command", "rules", "seconds",
          by(chosen, lambda r: r["peer"], lambda r: r["rules"]), y_from_zero=False)


def veth(records, output):
    chosen = [record for record in records if record["unit"] != "times" and
              not record["peer"].startswith("XDP program")]
    bars(output, "Packets that arrive on a veth device", "million packets per second of CPU time",
         by(chosen, lambda r: r["case"], lambda r: r["peer"]))


def forwarder(records, output):
    chosen = [record for record in records if record["case"] in ("upload", "download")]
    bars(output, "TCP through the router", "Mbit/s",
         by(chosen, lambda r: f"{r['case']}, {r['flows']} at once", lambda r: r["peer"]))


PICTURES = (("packet", "flows", flows), ("acl", "rules", rules), ("swap", "swap", swap),
            ("veth", "veth", veth), ("forwarder", "forwarder", forwarder))


def draw(part, records, directory):
    """Draws what there is to draw of a part; returns the files' names."""
    names = []
    for of, name, picture in PICTURES:
        if of == part:
            picture(records, directory / f"performance-{name}.svg")
            names.append(f"performance-{name}.svg")
    return names
