"""An open loop: requests go out at the moments that are planned for them, whether those before are answered or not, and each is timed from its planned
moment. Whatever waits because the server (or this program) is slow is part of what is measured, and nothing is left out because it did not get its turn."""

import asyncio
import gc
import time


def percentile(sorted_times, share):
    return sorted_times[min(len(sorted_times) - 1, int(len(sorted_times) * share))]


class Steady:
    """Sends `requests`, whole requests as bytes, at `rate` a second over `connections` that stay open. `check(status, body)` says what is wrong with an
    answer, or nothing."""

    def __init__(self, port, requests, rate, connections, check):
        self.port, self.requests, self.rate, self.connections, self.check = port, requests, rate, connections, check
        self.times, self.lags, self.wrong, self.most = [], [], [], 0

    def run(self):
        """What came of it, in milliseconds."""
        gc.collect()
        gc.disable()  # a collection would count as the server's time
        try:
            asyncio.run(self.all())
        finally:
            gc.enable()
        if self.wrong or len(self.times) != len(self.requests):
            raise RuntimeError(f"{len(self.times)} of {len(self.requests)} were answered well; {self.wrong[:3]}")
        times, lags = sorted(self.times), sorted(self.lags)
        return {
            "answered": len(times), "rate": self.rate, "p50_ms": percentile(times, 0.5), "p99_ms": percentile(times, 0.99), "p999_ms": percentile(times, 0.999),
            "max_ms": times[-1], "late_p999_ms": percentile(lags, 0.999), "waited_most": self.most,
        }

    async def all(self):
        self.due = asyncio.Queue()
        workers = [asyncio.create_task(self.worker()) for _ in range(self.connections)]
        began = time.perf_counter() + 0.2
        for number, request in enumerate(self.requests):
            planned = began + number / self.rate
            while (ahead := planned - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            self.lags.append((time.perf_counter() - planned) * 1e3)
            self.due.put_nowait((planned, request))
            self.most = max(self.most, self.due.qsize())
        for _ in workers:
            self.due.put_nowait(None)
        await asyncio.gather(*workers)

    async def worker(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while (one := await self.due.get()) is not None:
            planned, request = one
            try:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                body = await reader.readexactly(length)
                done = time.perf_counter()
                if wrong := self.check(int(head[9:12]), body):
                    self.wrong.append(wrong)
                else:
                    self.times.append((done - planned) * 1e3)
            except (OSError, EOFError, StopIteration, ValueError, asyncio.IncompleteReadError) as error:
                self.wrong.append(repr(error))
                return
        writer.close()
