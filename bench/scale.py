#!/usr/bin/env python3
"""Computes what a number of comments a day takes: cores, nodes, shards, memory of the past, disk, people, money. docs/scale.md holds the result.

Every input is a constant below with where it is from, and an argument of the same name: put your own figures in. `--measured target/bench/result.json` takes
what `scripts/bench` measured instead. Inputs that nobody measured say that they are assumptions, in the table, too.

  bench/scale.py
  bench/scale.py --comments-a-day 1000000 --kept-days 365
  bench/scale.py --measured target/bench/result.json --page docs/scale.md
"""

import argparse
import json
import math
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
sys.dont_write_bytecode = True

from bench import table  # noqa: E402

MEASURED, ASSUMED, SETTING = "measured", "assumption", "setting"
# Lines that need it are left out until somebody has measured it.
LATER = "measured where there is one"
# name: (value, unit, what it is, where it is from)
INPUTS = {
    "comments_a_day": (100_000_000, "", "comments a day, all sites together", ASSUMED),
    "largest_share": (0.05, "", "share of the largest site", ASSUMED),
    "peak_factor": (1.8, "", "busiest hour of the day over the mean (the curve of `bench/replay`)", ASSUMED),
    "wave_factor": (1.5, "", "a wave of spam on top of that hour", ASSUMED),
    "busy_at_most": (0.5, "", "of a core used in the busiest hour, so that one of two nodes can go", ASSUMED),
    "service_cpu_us": (0.0, "µs", "CPU of the service a comment, JSON to durable verdict", MEASURED),
    "index_cpu_us": (0.0, "µs", "CPU of entering a comment's words into the search's index", MEASURED),
    "postgres_cpu_us": (0.0, "µs", "CPU of PostgreSQL a comment", LATER),
    "comment_bytes": (0.0, "bytes", "disk a comment, verdict, words and all", MEASURED),
    "past_bytes": (0.0, "bytes", "memory a comment that the past remembers (links, texts, authors, campaigns)", MEASURED),
    "redis_bytes": (0.0, "bytes", "memory of Redis a comment that the past remembers, where nodes share it", LATER),
    "id_bytes": (14.0, "bytes", "memory of a stored comment's id (ADR 3)", MEASURED),
    "past_days": (1.0, "days", "for how long the past is remembered at this size", SETTING),
    "kept_days": (365.0, "days", "for how long comments are kept where they can be asked for", ASSUMED),
    "copies": (2.0, "", "of everything on disk: a primary and a standby", ASSUMED),
    "shard_tb": (4.0, "TB", "disk of one database server", ASSUMED),
    "held_share": (0.027, "", "of genuine comments held for a person (docs/measuring.md)", MEASURED),
    "spam_share": (0.1, "", "of all comments spam, half of which waits for a person", ASSUMED),
    "in_campaigns": (0.8, "", "of spam that waits decided about as a campaign, once for a hundred", ASSUMED),
    "decisions_an_hour": (400.0, "", "by one person", ASSUMED),
    "hours_a_shift": (6.0, "h", "that one person decides in a day", ASSUMED),
    "core_month": (22.0, "$", "a core with 4 GB of memory, a month", ASSUMED),
    "memory_gb_month": (3.5, "$", "a GB of memory more, a month", ASSUMED),
    "disk_gb_month": (0.08, "$", "a GB of fast disk, a month", ASSUMED),
    "cores_a_server": (8.0, "", "of a database server", ASSUMED),
}


def inputs():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, (value, unit, what, source) in INPUTS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, help=f"{what}{f', {unit}' if unit else ''} ({value:,g}; {source})")
    parser.add_argument("--measured", type=pathlib.Path, metavar="FILE", help="what scripts/bench measured")
    parser.add_argument("--page", type=pathlib.Path, metavar="FILE", help="write the tables between the marks there")
    given = parser.parse_args()
    values = {name: value for name, (value, *_) in INPUTS.items()}
    if given.measured:
        values |= of_bench(json.loads(given.measured.read_text()))
    values |= {name: value for name in INPUTS if (value := getattr(given, name)) is not None}
    return given, values


def of_bench(result):
    """Inputs from a result of scripts/bench."""
    found, facts = {}, result["facts"]
    runs = {name: saws for name, saws in result["runs"].items() if name.startswith("pipeline ") and name.endswith(" c128")}
    if runs:
        largest = max(runs, key=lambda name: int(name.split()[1]))
        found["service_cpu_us"] = statistics.median(saw["cpu_us"] for saw in runs[largest])
    if saws := result["runs"].get("postgres c128"):
        found["postgres_cpu_us"] = statistics.median(saw["database_cpu_us"] for saw in saws)
    if "index_us" in facts:
        found["index_cpu_us"] = facts["index_us"]
    if "bytes" in facts:
        found["comment_bytes"] = facts["bytes"] / facts["rows"]
    idle = {int(name.split()[1]): value for name, value in facts.items() if name.startswith("idle_mb ")}
    remembered = min(max(idle, default=0), 250_000)  # history.max_comments
    if 0 in idle and remembered:
        ids = max(idle) * INPUTS["id_bytes"][0]
        found["past_bytes"] = ((idle[max(idle)] - idle[0]) * 2**20 - ids) / remembered
    return found


def compute(v):
    """(what, how much, by which computation) for each line of the result."""
    day, year = v["comments_a_day"], 365
    mean = day / 86_400
    peak = mean * v["peak_factor"] * v["wave_factor"]
    cpu_us = v["service_cpu_us"] + v["index_cpu_us"]
    cores = peak * cpu_us / 1e6 / v["busy_at_most"]
    gb_day = day * v["comment_bytes"] / 1e9
    kept_tb = gb_day * v["kept_days"] / 1e3
    shards = max(2, math.ceil(kept_tb / v["shard_tb"]))
    past_gb = day * v["past_days"] * v["past_bytes"] / 1e9
    ids_gb = day * v["kept_days"] * v["id_bytes"] / 1e9
    largest_a_s = peak * v["largest_share"]
    genuine, spam = day * (1 - v["spam_share"]), day * v["spam_share"]
    one_by_one = genuine * v["held_share"] + spam / 2 * (1 - v["in_campaigns"])
    as_campaigns = spam / 2 * v["in_campaigns"] / 100
    people = (one_by_one + as_campaigns) / v["decisions_an_hour"] / v["hours_a_shift"]
    servers = shards * v["copies"]
    money_cores = (max(2, math.ceil(cores)) + servers * v["cores_a_server"]) * v["core_month"]
    money_memory = (past_gb + ids_gb) * v["memory_gb_month"]
    money_disk = kept_tb * 1e3 * v["copies"] * v["disk_gb_month"]
    number = table.count
    postgres_cores = peak * v["postgres_cpu_us"] / 1e6 / v["busy_at_most"]
    lines = [
        ("comments a second, mean and busiest hour", f"{number(mean)} and {number(peak)}", "comments ÷ 86,400; × `peak_factor` × `wave_factor`"),
        ("cores for the service", f"{cores:.1f}", "busiest hour × (`service_cpu_us` + `index_cpu_us`) ÷ `busy_at_most`"),
        ("nodes", f"{max(2, math.ceil(cores / 4))} of 4 cores", "at least two, so that one can go"),
        ("the largest site's comments a second, busiest hour", number(largest_a_s), "× `largest_share`: what one shard must take"),
        ("disk a day", f"{gb_day:,.0f} GB", "comments × `comment_bytes`"),
        ("disk a year", f"{gb_day * year / 1e3:,.1f} TB", "× 365, one copy"),
        ("disk of what is kept", f"{kept_tb:,.1f} TB", "× `kept_days`, one copy"),
        ("shards, by site", number(shards), "what is kept ÷ `shard_tb`, at least two"),
        ("memory of the past", f"{past_gb:,.0f} GB", "comments × `past_days` × `past_bytes`"),
        ("memory of ids", f"{ids_gb:,.0f} GB", "comments × `kept_days` × `id_bytes`, all shards together"),
        ("decisions by people a day, one by one", number(one_by_one), "genuine × `held_share` + spam that waits outside campaigns"),
        ("decisions about campaigns a day", number(as_campaigns), "spam that waits in campaigns ÷ 100"),
        ("people", number(people), "decisions ÷ `decisions_an_hour` ÷ `hours_a_shift`"),
        ("money a month: cores", f"${number(money_cores)}", "nodes and database servers"),
        ("money a month: memory", f"${number(money_memory)}", "past and ids"),
        ("money a month: disk", f"${number(money_disk)}", "what is kept × `copies`"),
        ("money a million comments", f"${(money_cores + money_memory + money_disk) / 30.4 / day * 1e6:.2f}", "without people"),
        ("cores for PostgreSQL, all shards", postgres_cores and f"{postgres_cores:.1f}", "busiest hour × `postgres_cpu_us` ÷ `busy_at_most`"),
        ("memory of Redis", v["redis_bytes"] and f"{day * v['past_days'] * v['redis_bytes'] / 1e9:,.0f} GB", "comments × `past_days` × `redis_bytes`"),
    ]
    return [line for line in lines if line[1]]


def main():
    given, values = inputs()
    missing = [name for name, (_, _, _, source) in INPUTS.items() if source == MEASURED and not values[name]]
    if missing:
        sys.exit(f"not measured yet: {', '.join(missing)}; give them, or --measured target/bench/result.json")
    shown = lambda value, unit: f"{value:,.0f} {unit}".strip() if value >= 100 else f"{value:,.3g} {unit}".strip()
    text = "\n\n".join([
        table.markdown(["what it takes", "", "computed by"], [[f"{what}", amount, by] for what, amount, by in compute(values)]).replace("| --- | ---: | ---: |", "| --- | ---: | --- |"),
        table.markdown(["input", "", "what it is", "from"], [[f"`{name}`", shown(values[name], unit), what, source] for name, (_, unit, what, source) in INPUTS.items() if values[name]]).replace("| --- | ---: | ---: | ---: |", "| --- | ---: | --- | --- |"),
    ])
    print(text)
    if given.page:
        table.put(given.page, "scale", text)


if __name__ == "__main__":
    main()
