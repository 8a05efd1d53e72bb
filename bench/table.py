"""From runs to the table: medians, ratios of runs that stood side by side, and the machine that they were made on."""

import datetime
import os
import pathlib
import platform
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def middle(values):
    return statistics.median(values)


def spread(values, form):
    """The median, and between what it lay."""
    values = sorted(values)
    if len(values) == 1:
        return form(values[0])
    return f"{form(middle(values))} ({form(values[0])}–{form(values[-1])})"


def count(value):
    return f"{value:,.0f}"


def ratio(value):
    if value < 0.01:
        return f"{value:.2g}"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def load():
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def busy():
    """Whether the machine has other things to do."""
    return os.getloadavg()[0] > (os.cpu_count() or 1) / 2


def first_line(*line):
    try:
        return subprocess.run(line, cwd=ROOT, capture_output=True, text=True).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return "unknown"


def machine():
    """Cores, model, kernel, memory."""
    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return f"{os.cpu_count()} cores ({model}), {pages * size / 2**30:.0f} GB, {platform.system()} {platform.release()}"


def commit():
    mark = first_line("git", "rev-parse", "--short", "HEAD")
    changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return mark + (" with changes" if changed else "")


def today():
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")


def markdown(head, rows):
    """A table; numbers stand at the right."""
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def put(page, marker, text):
    """Writes `text` between the markers of that name in a page."""
    page = pathlib.Path(page)
    begin, end = f"<!-- {marker}: begin -->\n", f"<!-- {marker}: end -->"
    head, found, rest = page.read_text().partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{page} lacks the marks of {marker}")
    page.write_text(f"{head}{begin}\n{text.strip()}\n\n{end}{tail}")
