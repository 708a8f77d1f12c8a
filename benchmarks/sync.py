"""
What `ampcommit sync` takes, against a bare httpx loop for the same requests with the same concurrency.

    python benchmarks/sync.py [--threads N] [--rounds N] [--concurrency N] [--json]

A server on loopback, in a process of its own, answers at once: a token, pages of 100 threads, the cost of each.
Every round runs both as whole processes, one after the other, on an empty store; the loop reads answers and follows
the cursor, and keeps nothing. Then `sync` runs once more with nothing new. What is reported are medians.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, cast

PAGE = 100
_LINK = re.compile(rb"GET /api/v2/threads/(T-[0-9a-f-]+)/usage ")
_CURSOR = re.compile(rb"[?&]cursor=(\d+)")


def thread(number: int) -> str:
    """Return the id of one of the server's threads."""
    return f"T-019bf111-{number >> 16:04x}-7000-8000-{number:012x}"


class Amp(asyncio.Protocol):
    """The server: what it will answer is made beforehand, so that it costs next to nothing."""

    pages: "list[bytes]"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._out, self._heard = cast("asyncio.Transport", transport), b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole; a body, which only the one for a token has, is passed over."""
        self._heard += data
        while b"\r\n\r\n" in self._heard:
            head, _, self._heard = self._heard.partition(b"\r\n\r\n")
            if head.startswith(b"POST "):
                self._heard = b""
                self._out.write(_reply({"access_token": "token", "token_type": "Bearer", "expires_in": 3600}))
            elif asked := _LINK.match(head):
                self._out.write(_reply(_usage(asked[1].decode())))
            else:
                cursor = _CURSOR.search(head)
                self._out.write(self.pages[int(cursor[1]) if cursor else 0])


def _usage(name: str) -> dict[str, object]:
    model = {"provider": "p", "model": "m", "requests": 12, "inputTokens": 34567, "outputTokens": 8901, "usage": 1.25}
    return {"threadID": name, "subThreadIDs": [], "usage": 1.25, "models": [model]}


def _reply(fields: dict[str, object]) -> bytes:
    body = json.dumps(fields).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _page(start: int, threads: int) -> bytes:
    entries = [
        {
            "id": thread(number),
            "creatorUserID": f"user_{number % 40}",
            "title": f"Work on part {number} of the whole",
            "createdAt": "2026-11-01T08:00:00.000Z",
            "updatedAt": "2026-11-02T08:00:00.000Z",
            "firstSyncedAt": "2026-11-01T08:00:01.000Z",
            "repositories": [{"url": f"https://github.com/example/demo{number % 30}"}],
        }
        for number in range(start, min(start + PAGE, threads))
    ]
    more = {"nextCursor": str(start // PAGE + 1)} if start + PAGE < threads else {}
    return _reply({"threads": entries, **more})


async def serve(threads: int) -> None:
    """Serve, and print the port."""
    Amp.pages = [_page(start, threads) for start in range(0, threads, PAGE)]
    server = await asyncio.get_running_loop().create_server(Amp, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def loop(base: str, threads: int, concurrent: int) -> None:
    """Make the requests of a first `sync` with httpx alone."""
    import httpx

    async with httpx.AsyncClient() as client:
        token = (await client.post(f"{base}/token", auth=("id", "secret"), data={})).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        asked: dict[str, str | int] = {"limit": PAGE}
        while True:
            page = (await client.get(f"{base}/api/v2/threads", params=asked, headers=headers)).json()
            if not page.get("nextCursor"):
                break
            asked["cursor"] = page["nextCursor"]
        numbers = iter(range(threads))

        async def worker() -> None:
            for number in numbers:
                (await client.get(f"{base}/api/v2/threads/{thread(number)}/usage", headers=headers)).raise_for_status()

        await asyncio.gather(*(worker() for _ in range(concurrent)))


def run(argv: list[str], env: dict[str, str]) -> tuple[float, int, str]:
    """Return the seconds that *argv* took, the most memory it had in KiB, and what it printed."""
    start = time.perf_counter()
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) as process:
        printed = cast("IO[str]", process.stdout).read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{argv} ended with {process.returncode}")
    return time.perf_counter() - start, used.ru_maxrss >> 10 * (sys.platform == "darwin"), printed


def measure(base: str, threads: int, concurrent: int, rounds: int, folder: Path) -> dict[str, float]:
    """Run both in turn, and return the medians."""
    bare, ours, again, memory, requests = [], [], [], [], 0
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
    for number in range(rounds):
        env = {name: os.environ[name] for name in kept if name in os.environ}
        env |= {"XDG_DATA_HOME": str(folder / str(number)), "AMP_URL": base, "AMPCOMMIT_TOKEN_URL": f"{base}/token"}
        env |= {"AMPCOMMIT_CLIENT_ID": "id", "AMPCOMMIT_CLIENT_SECRET": "secret"}
        bare.append(run([sys.executable, __file__, "--loop", base, str(threads), str(concurrent)], env)[0])
        sync = [sys.executable, "-m", "ampcommit", "sync", "--json", "--concurrency", str(concurrent)]
        seconds, most, printed = run(sync, env)
        if json.loads(printed)["usage"]["filled"] != threads:
            sys.exit(f"sync did not fetch everything: {printed}")
        ours.append(seconds)
        memory.append(most)
        seconds, _, printed = run(sync, env)
        again.append(seconds)
        requests = json.loads(printed)["requests"]
    pairs = [mine / theirs for mine, theirs in zip(ours, bare, strict=True)]
    return {
        "threads": threads,
        "bare_s": statistics.median(bare),
        "sync_s": statistics.median(ours),
        "ratio": statistics.median(pairs),
        "worst_ratio": max(pairs),
        "memory_mib": max(memory) / 1024,
        "again_s": statistics.median(again),
        "again_requests": requests,
    }


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(int(sys.argv[2])))
    elif sys.argv[1:2] == ["--loop"]:
        asyncio.run(loop(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
    else:
        _compare()


def _compare() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--threads", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    found = []
    for threads in sorted({max(options.threads // 10, 1), options.threads}):
        argv = [sys.executable, __file__, "--serve", str(threads)]
        with tempfile.TemporaryDirectory() as room, subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
            base = f"http://127.0.0.1:{cast('IO[str]', server.stdout).readline().strip()}"
            found.append(measure(base, threads, options.concurrency, options.rounds, Path(room)))
            server.terminate()
    if options.as_json:
        print(json.dumps(found))
        return
    for one in found:
        print(f"{one['threads']:,} threads: loop {one['bare_s']:.2f} s, sync {one['sync_s']:.2f} s, ", end="")
        print(f"ratio {one['ratio']:.2f} (at most {one['worst_ratio']:.2f}), {one['memory_mib']:.0f} MiB")
        print(f"    again, with nothing new: {one['again_s']:.2f} s, {one['again_requests']} requests")


if __name__ == "__main__":
    main()
