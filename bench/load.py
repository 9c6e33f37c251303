"""Asks some addresses in turns as often as it can for some seconds, over several connections; prints the answers a second.

    python bench/load.py <socket> <path[,path...]> <cookie> <seconds> <connections>

A process of its own without Django, and no library: a client that is slow would measure itself.
"""

import itertools
import socket
import sys
import threading
import time


def ask(place: str, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(60)
        line.connect(place)
        line.sendall(request)
        parts = []
        while part := line.recv(262144):
            parts.append(part)
    return b"".join(parts)


def main(place: str, paths: str, cookie: str, seconds: str, connections: str) -> None:
    head = f"HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
    requests = [f"GET {path} {head}".encode() for path in paths.split(",")]
    for request in requests:
        answer = ask(place, request)
        if not answer.startswith(b"HTTP/1.1 200"):
            sys.exit(f"{request[:80]!r} is answered {answer[:200]!r}")
    turns = itertools.cycle(requests)
    until, done, begun = time.perf_counter() + float(seconds), [], time.perf_counter()

    def work() -> None:
        while time.perf_counter() < until:
            done.append(len(ask(place, next(turns))))

    threads = [threading.Thread(target=work) for _ in range(int(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(len(done) / (time.perf_counter() - begun), min(done))


main(*sys.argv[1:])
