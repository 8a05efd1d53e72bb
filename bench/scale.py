#!/usr/bin/env python3
"""Computes what a number of comments a day takes: cores, nodes, shards, memory of the past, disk, people, money. docs/scale.md holds the result.

Every input is a constant below with where it is from, and an argument of the same name: put your own figures in. `--measured target/bench/result.json` takes
what `scripts/bench` measured instead. Inputs that nobody measured say that they are assumptions, in the table, too. With SQLite a shard has one node, which
keeps the database and the ids of all comments; with PostgreSQL it has several, each of which remembers the whole past, and a database server.

  bench/scale.py --measured target/bench/result.json                           every engine that was measured
  bench/scale.py --measured target/bench/result.json --page docs/scale.md
  bench/scale.py --engine sqlite --service-cpu-us 548 --index-cpu-us 43 --comment-bytes 2100 --past-bytes 1112 --comments-a-day 1000000
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
ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
# Inputs that say nothing of the other engine.
ONLY = {"id_bytes": "sqlite", "nodes_a_shard": "postgres", "postgres_cpu_us": "postgres", "redis_bytes": "postgres", "cores_a_server": "postgres"}
# name: (value, unit, what it is, where it is from)
INPUTS = {
    "comments_a_day": (100_000_000, "", "comments a day, all sites together", ASSUMED),
    "largest_share": (0.05, "", "share of the largest site", ASSUMED),
    "peak_factor": (1.8, "", "busiest hour of the day over the mean (the curve of `bench/replay`)", ASSUMED),
    "wave_factor": (1.5, "", "a wave of spam on top of that hour", ASSUMED),
    "busy_at_most": (0.5, "", "of a core used in the busiest hour, so that a node can go, or more come than expected", ASSUMED),
    "service_cpu_us": (0.0, "µs", "CPU of the service a comment, JSON to durable verdict", MEASURED),
    "index_cpu_us": (0.0, "µs", "CPU of entering a comment's words into the search's index", MEASURED),
    "postgres_cpu_us": (0.0, "µs", "CPU of PostgreSQL a comment, its words entered into the index", MEASURED),
    "comment_bytes": (0.0, "bytes", "disk a comment, verdict, words and all", MEASURED),
    "past_bytes": (0.0, "bytes", "memory a comment that the past remembers (links, texts, authors, campaigns)", MEASURED),
    "redis_bytes": (320.0, "bytes", "memory of Redis a comment of the last day, two entries (docs/redis.md)", MEASURED),
    "id_bytes": (14.0, "bytes", "memory of a stored comment's id (ADR 3)", MEASURED),
    "nodes_a_shard": (2.0, "", "so that one can go", ASSUMED),
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
    parser.add_argument("--engine", choices=[*ENGINES], help="one alone (default: every one of which all inputs are known)")
    given = parser.parse_args()
    result = json.loads(given.measured.read_text()) if given.measured else None
    values = {}
    for engine in [given.engine] if given.engine else ENGINES:
        values[engine] = {name: value for name, (value, *_) in INPUTS.items() if ONLY.get(name, engine) == engine}
        measured = of_bench(result)[engine] if result else {}
        by_hand = {name: value for name in values[engine] if (value := getattr(given, name)) is not None}
        values[engine] |= measured | by_hand
    return given, result, values


def of_bench(result):
    """Inputs from a result of scripts/bench, for each engine."""
    facts, runs = result["facts"], result["runs"]
    sqlite, postgres = {}, {}
    median = lambda saws, field: statistics.median(saw[field] for saw in saws)
    stored = [name for name in runs if name.startswith("pipeline ") and name.endswith(" c128")]
    if stored:
        sqlite["service_cpu_us"] = median(runs[max(stored, key=lambda name: int(name.split()[1]))], "cpu_us")
    if "index_us" in facts:
        sqlite["index_cpu_us"] = facts["index_us"]
    if "bytes" in facts:
        sqlite["comment_bytes"] = facts["bytes"] / facts["rows"]
    idle = {int(name.split()[1]): value for name, value in facts.items() if name.startswith("idle_mb ")}
    remembered = min(max(idle, default=0), 250_000)  # history.max_comments
    if 0 in idle and remembered:
        ids = max(idle) * INPUTS["id_bytes"][0]
        past = ((idle[max(idle)] - idle[0]) * 2**20 - ids) / remembered
        sqlite["past_bytes"] = postgres["past_bytes"] = past  # every node of either has the same memory of it
    if (saws := runs.get("postgres c128")) and "postgres_index_us" in facts:
        postgres["service_cpu_us"], postgres["index_cpu_us"] = median(saws, "cpu_us"), facts["postgres_index_us"]
        postgres["postgres_cpu_us"] = median(saws, "database_cpu_us") + facts["postgres_index_database_us"]
    if "postgres_bytes" in facts:
        postgres["comment_bytes"] = facts["postgres_bytes"]
    return {"sqlite": sqlite, "postgres": postgres}


def compute(v, engine):
    """(what, how much, by which computation) for each line of the result; nothing where the engine has no such thing."""
    own = engine == "postgres"  # a database server of its own, and nodes beside it
    day, year = v["comments_a_day"], 365
    mean = day / 86_400
    peak = mean * v["peak_factor"] * v["wave_factor"]
    cores = peak * (v["service_cpu_us"] + v["index_cpu_us"]) / 1e6 / v["busy_at_most"]
    gb_day = day * v["comment_bytes"] / 1e9
    kept_tb = gb_day * v["kept_days"] / 1e3
    shards = max(2, math.ceil(kept_tb / v["shard_tb"]))
    a_shard = v["nodes_a_shard"] if own else 1
    nodes, of_cores = shards * a_shard, max(1, math.ceil(cores / shards / a_shard))
    past_gb = day * v["past_days"] * v["past_bytes"] * a_shard / 1e9
    ids_gb = 0 if own else day * v["kept_days"] * v["id_bytes"] / 1e9
    redis_gb = day * min(1, v["past_days"]) * v["redis_bytes"] / 1e9 if own else 0
    genuine, spam = day * (1 - v["spam_share"]), day * v["spam_share"]
    one_by_one = genuine * v["held_share"] + spam / 2 * (1 - v["in_campaigns"])
    as_campaigns = spam / 2 * v["in_campaigns"] / 100
    people = (one_by_one + as_campaigns) / v["decisions_an_hour"] / v["hours_a_shift"]
    servers = shards * v["copies"]
    of_money = nodes * of_cores + servers * v["cores_a_server"] if own else servers * of_cores
    money_cores = of_money * v["core_month"]
    money_memory = (past_gb + ids_gb + redis_gb) * v["memory_gb_month"]
    money_disk = kept_tb * 1e3 * v["copies"] * v["disk_gb_month"]
    postgres_cores = peak * v["postgres_cpu_us"] / 1e6 / v["busy_at_most"] if own else 0
    number = table.count
    gb = lambda amount: f"{amount:,.0f} GB"
    return [
        ("comments a second, mean and busiest hour", f"{number(mean)} and {number(peak)}", "comments ÷ 86,400; × `peak_factor` × `wave_factor`"),
        ("cores for the service, all shards", f"{cores:.1f}", "busiest hour × (`service_cpu_us` + `index_cpu_us`) ÷ `busy_at_most`"),
        ("cores for PostgreSQL, all shards", f"{postgres_cores:.1f}" if own else "", "busiest hour × `postgres_cpu_us` ÷ `busy_at_most`"),
        ("the largest site's comments a second, busiest hour", number(peak * v["largest_share"]), "× `largest_share`: what one shard must take"),
        ("disk a day", gb(gb_day), "comments × `comment_bytes`"),
        ("disk a year", f"{gb_day * year / 1e3:,.1f} TB", "× 365, one copy"),
        ("disk of what is kept", f"{kept_tb:,.1f} TB", "× `kept_days`, one copy"),
        ("shards, by site", number(shards), "what is kept ÷ `shard_tb`, at least two"),
        ("nodes, each of one shard", f"{nodes:,.0f} of {of_cores} core{'s' * (of_cores > 1)}", "with SQLite one a shard, with PostgreSQL `nodes_a_shard`"),
        ("memory of the past, all nodes", gb(past_gb), "comments × `past_days` × `past_bytes`, in each node of a shard"),
        ("memory of Redis, a day kept", gb(redis_gb) if own else "", "comments of a day at most × `redis_bytes`"),
        ("memory of ids", "" if own else gb(ids_gb), "comments × `kept_days` × `id_bytes`; with PostgreSQL no node keeps any"),
        ("decisions by people a day, one by one", number(one_by_one), "genuine × `held_share` + spam that waits outside campaigns"),
        ("decisions about campaigns a day", number(as_campaigns), "spam that waits in campaigns ÷ 100"),
        ("people", number(people), "decisions ÷ `decisions_an_hour` ÷ `hours_a_shift`"),
        ("money a month: cores", f"${number(money_cores)}", "with SQLite `copies` of each node; with PostgreSQL nodes, and `copies` of each shard with `cores_a_server`"),
        ("money a month: memory", f"${number(money_memory)}", "past, ids, Redis"),
        ("money a month: disk", f"${number(money_disk)}", "what is kept × `copies`"),
        ("money a million comments", f"${(money_cores + money_memory + money_disk) / 30.4 / day * 1e6:.2f}", "without people"),
    ]


def in_columns(head, rows):
    """A table whose first and last columns are words."""
    text = table.markdown(head, rows)
    words = 1 if head[-1] == "computed by" else 2
    old = "| --- |" + " ---: |" * (len(head) - 1)
    return text.replace(old, "| --- |" + " ---: |" * (len(head) - 1 - words) + " --- |" * words, 1)


def page(result, values):
    """What stands between the marks."""
    engines = [*values]
    heads = [ENGINES[engine] for engine in engines]
    source = "Inputs that count as measured were given by hand."
    if result:
        source = (
            f"Inputs that count as measured are from `scripts/bench` on {result['date']}, at commit `{result['commit']}`, with {max(result['rows']):,} stored: "
            f"{result['machine']}; load average before {result['load_before']}, after {result['load_after']}."
        )
        if result["busy"]:
            source += " **The machine did other work: CPU is too high.**"
    lines = zip(*(compute(of, engine) for engine, of in values.items()))
    rows = [[each[0][0], *[amount for _, amount, _ in each], each[0][2]] for each in lines]
    rows = [row for row in rows if any(row[1:-1])]
    shown = lambda value, unit: "" if value is None else f"{value:,.0f} {unit}".strip() if value >= 100 else f"{value:,.3g} {unit}".strip()
    inputs = [[f"`{name}`", *[shown(values[engine].get(name), unit) for engine in engines], what, source_of] for name, (_, unit, what, source_of) in INPUTS.items()
              if any(name in values[engine] for engine in engines)]
    return "\n\n".join([
        f"Computed by `bench/scale.py` on {table.today()}. {source}",
        in_columns(["what it takes", *heads, "computed by"], rows), in_columns(["input", *heads, "what it is", "from"], inputs),
    ])


def main():
    given, result, values = inputs()
    missing = {engine: [name for name, (_, _, _, source) in INPUTS.items() if source == MEASURED and not of.get(name, 1)] for engine, of in values.items()}
    complete = {engine: of for engine, of in values.items() if not missing[engine]}
    if not complete or (given.engine and missing[given.engine]):
        sys.exit("not measured yet: " + "; ".join(f"{ENGINES[engine]}: {', '.join(names)}" for engine, names in missing.items()) + "; give them, or --measured FILE")
    text = page(result, complete)
    print(text)
    if given.page:
        table.put(given.page, "scale", text)


if __name__ == "__main__":
    main()
