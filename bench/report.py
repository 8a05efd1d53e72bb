"""The tables of docs/performance.md, made of what `scripts/bench` stored and of nothing else."""

from . import table

CONNECTIONS = [32, 128]
PEERS_AT = 32


def page(result, mark):
    """What stands between the marks of that name."""
    parts = [about(result), *(growth(result) if mark == "growth" else speed(result)), *[f"**{note}**" for note in result["notes"]]]
    return "\n\n".join(parts)


def about(result):
    """When, where, of what, how often."""
    warmed = ", ".join(f"{table.count(count)} to {short(name)}" for name, count in result["facts"].get("warmed", {}).items())
    said = (
        f"Written by `scripts/bench` on {result['date']}, at commit `{result['commit']}`: {result['machine']}; {', '.join(result['versions'])}. Load average "
        f"before {result['load_before']}, after {result['load_after']}. Medians of {result['repeats']} runs of {result['seconds']} s (lowest–highest), all in "
        f"turns; wrk with {result['threads']} threads on the same machine, {result['workers']} workers of each server. Sent before anything counted: {warmed}."
    )
    if result["build"]:
        said += f" The programs were built already, in `{result['build']}`."
    if result["busy"]:
        said += " **The machine did other work: shares and latencies are not to be trusted, CPU a request is too high.**"
    return said


def names(result):
    """What the runs are called in the tables."""
    found = {f"pipeline {rows}": f"comment to durable verdict, SQLite, {rows:,} stored" for rows in result["rows"]}
    return {"echo": "ceiling: bare actix-web, same requests", **found, "assess": "assess only (nothing stored)",
            "postgres": f"comment to durable verdict, PostgreSQL, one node, {max(result['rows']):,} stored",
            "rspamd": "Rspamd `/checkv2`", "spamd": "SpamAssassin (spamd)", "isso": "Isso `/new`"}


def short(name):
    """The same within a sentence."""
    known = {"echo": "the ceiling", "postgres": "PostgreSQL", "rspamd": "Rspamd", "spamd": "SpamAssassin", "isso": "Isso"}
    return known.get(name) or f"SQLite with {int(name.split()[1]):,} stored"


class Runs:
    """The runs, by what was measured and with how many connections."""

    def __init__(self, result):
        self.runs = result["runs"]

    def has(self, name, connections):
        return f"{name} c{connections}" in self.runs

    def of(self, name, connections, field):
        return [saw[field] for saw in self.runs.get(f"{name} c{connections}", [])]

    def shares(self, name, connections, field):
        """Of the ceiling, of runs that stood side by side."""
        return [ours / ceiling for ours, ceiling in zip(self.of(name, connections, field), self.of("echo", connections, field))]

    def each(self, name, field, form):
        """The medians, for each number of connections."""
        return " / ".join(form(table.middle(self.of(name, connections, field))) for connections in CONNECTIONS)


def bold(cell):
    """The median, not what it lay between."""
    middle, space, rest = cell.partition(" ")
    return f"**{middle}**{space}{rest}"


def at(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def seconds(values):
    return table.spread(values, lambda value: f"{value:.2f}") + " s"


def half_and_most(values):
    return f"{at(values, 0.5):.1f} / {at(values, 0.95):.1f}"


def speed(result):
    """The tables of the marks `speed`."""
    return [part for part in (ceiling(result), beside(result), service(result)) if part]


def ceiling(result):
    runs, called, rows = Runs(result), names(result), []
    for name in ["echo", *[f"pipeline {rows}" for rows in result["rows"]], "assess", "postgres"]:
        if not runs.has(name, CONNECTIONS[0]):
            continue
        cells = [called[name]]
        for connections in CONNECTIONS:
            if name == "echo":
                cells.append(table.spread(runs.of(name, connections, "per_s"), table.count) + "/s")
            else:
                cells.append(bold(table.spread(runs.shares(name, connections, "per_s"), table.ratio)))
        for connections in CONNECTIONS:
            cells.append(f"{table.middle(runs.of(name, connections, 'p50_ms')):.2f} / {table.middle(runs.of(name, connections, 'p99_ms')):.1f}")
        for connections in CONNECTIONS:
            cells.append("1" if name == "echo" else table.ratio(table.middle(runs.shares(name, connections, "p99_ms"))))
        cells.append(runs.each(name, "cpu_us", table.count))
        if name == "postgres":
            cells[-1] += "; PostgreSQL's own: " + runs.each(name, "database_cpu_us", table.count)
        rows.append(cells)
    heads = [f"c{connections}" for connections in CONNECTIONS]
    head = ["", *[f"share of the ceiling, {c}" for c in heads], *[f"p50 / p99 {c}, ms" for c in heads], *[f"p99 to the ceiling's, {c}" for c in heads]]
    return table.markdown([*head, "CPU of the server a request, " + " / ".join(heads) + ", µs"], rows)


def beside(result):
    """Ours and others'."""
    runs, called, peers = Runs(result), names(result), []
    ours = next((name for rows in (max(result["rows"]), min(result["rows"])) if runs.has(name := f"pipeline {rows}", PEERS_AT)), None)
    for peer in ("rspamd", "spamd", "isso"):
        if not runs.has(peer, PEERS_AT):
            continue
        of = lambda name, field: runs.of(name, PEERS_AT, field)
        cells = [called[peer], table.spread(of(peer, "per_s"), table.count), table.spread(of(peer, "cpu_us"), table.count)]
        if ours:
            cells.append(table.spread([mine / theirs for mine, theirs in zip(of(ours, "per_s"), of(peer, "per_s"))], table.ratio))
            cells += [table.ratio(table.middle(of(peer, field)) / table.middle(of(ours, field))) for field in ("cpu_us", "p99_ms")]
        else:
            cells += ["", "", ""]
        peers.append(cells)
    if not peers:
        return ""
    head = ["", "verdicts/s", "CPU each, µs", "ours / theirs, verdicts/s", "theirs / ours, CPU each", "theirs / ours, p99"]
    beside_what = f"Beside others, {PEERS_AT} connections (ours: {called[ours]}):" if ours else f"Others, {PEERS_AT} connections:"
    return f"{beside_what}\n\n{table.markdown(head, peers)}"


def service(result):
    """Memory, disk, start and reads of one service."""
    facts, rows = result["facts"], []
    for stored in result["rows"]:
        if f"idle_mb {stored}" in facts:
            rows.append([f"resident memory when idle, {stored:,} stored", f"{facts[f'idle_mb {stored}']:.0f} MB"])
    if "loaded_mb" in facts:
        rows.append([f"resident memory after the load (most so far), {facts['rows']:,} stored", f"{facts['loaded_mb']:.0f} MB ({facts['peak_mb']:.0f} MB)"])
        rows.append(["on disk a comment, search included as far as it is filled", f"{facts['bytes'] / facts['rows']:,.0f} bytes"])
        rows.append(["what became of the comments", ", ".join(f"{status} {share:,}" for status, share in facts["statuses"].items())])
    for stored in result["rows"]:
        if f"ready_s {stored}" in facts:
            rows.append([f"start to ready, {stored:,} stored", seconds(facts[f"ready_s {stored}"])])
    if "index_us" in facts:
        rows.append(["entering a comment's words into the search's index, behind the comments", f"{facts['index_us']:.0f} µs of CPU"])
    if "postgres_index_us" in facts:
        both = f"{facts['postgres_index_us']:.0f} µs of CPU, and {facts['postgres_index_database_us']:.0f} of PostgreSQL"
        rows.append(["the same, PostgreSQL", both])
    if "postgres_bytes" in facts:
        rows.append(["on disk a comment, PostgreSQL, its indexes included", f"{facts['postgres_bytes']:,.0f} bytes"])
        rows.append(["resident memory of a node over PostgreSQL, after the load", f"{facts['postgres_mb']:.0f} MB"])
    stored = max(result["rows"])
    for name, what in READS:
        if f"{name} {stored}" in facts:
            waiting = f", {facts[f'held {stored}']:,} of them waiting" if name == "queue_ms" else ""
            rows.append([f"{what}, {stored:,} stored{waiting}, p50 / p95", f"{half_and_most(facts[f'{name} {stored}'])} ms"])
    return table.markdown(["one service", ""], rows) if rows else ""


READS = [("queue_ms", "queue page of 50 with all counts"), ("author_ms", "an author's comments"), ("search_ms", "search of all comments by one word")]


def growth(result):
    """The table of the marks `growth`: a row for each number of comments stored before."""
    runs, facts, rows = Runs(result), result["facts"], []
    for stored in result["rows"]:
        name = f"pipeline {stored}"
        cells = [table.count(stored)]
        if runs.has(name, CONNECTIONS[0]):
            cells += [runs.each(name, "cpu_us", table.count), " / ".join(table.ratio(table.middle(runs.shares(name, c, "per_s"))) for c in CONNECTIONS)]
        else:
            cells += ["", ""]
        cells.append(f"{facts[f'idle_mb {stored}']:.0f} MB" if f"idle_mb {stored}" in facts else "")
        cells.append(seconds(facts[f"ready_s {stored}"]) if f"ready_s {stored}" in facts else "")
        cells.append(table.count(facts[f"held {stored}"]) if f"held {stored}" in facts else "")
        cells += [half_and_most(facts[f"{read} {stored}"]) if f"{read} {stored}" in facts else "" for read, _ in READS]
        rows.append(cells)
    both = " / ".join(f"c{connections}" for connections in CONNECTIONS)
    head = ["stored before", f"CPU a comment, {both}, µs", f"share of the ceiling, {both}", "memory when idle", "start to ready", "waiting"]
    text = table.markdown([*head, *[f"{what}, p50 / p95, ms" for _, what in READS]], rows)
    return [text.replace("| --- |", "| ---: |", 1), "Memory is a single reading; reads are asked for one at a time."]
