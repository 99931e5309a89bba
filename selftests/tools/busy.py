#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Peers that are busy for a while, for the test of many at once.

  busy.py connects SECONDS ADDR PORT SOURCE      twenty connections a second; prints their times
  busy.py exchanges SECONDS ADDR PORT SOURCE...  from each SOURCE one connection after the other, fifty
                                                 a second at most, with an exchange on it; prints
                                                 which failed
  busy.py queries SECONDS RATE ADDR SOURCE...    RATE datagrams a second to port 8080 that are to come
                                                 back, each from a port of its own; prints how many did

IPv4 only.  Each prints one line of JSON.
"""
import json
import socket
import sys
import threading
import time

PATIENCE_S = 10
ANSWER_S = 2
TICK_S = 0.01


def connects(end, addr, port, source):
    times, failed, begin = [], [], time.monotonic()
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            with socket.create_connection((addr, port), PATIENCE_S, (source, 0)):
                times.append(1000 * (time.monotonic() - began))
        except OSError as error:
            failed.append(f"after {began - begin:.1f} s: {error}")
        time.sleep(max(0, began + 0.05 - time.monotonic()))
    times.sort()
    again = sum(ms >= 1000 for ms in times)
    return {"connects": len(times), "failed": failed, "median_ms": times[len(times) // 2],
            "p99_ms": times[len(times) * 99 // 100], "worst_ms": times[-1],
            "second_syn": again}


def exchange(addr, port, source, data):
    """None, or the step that failed and how."""
    step = "connect"
    try:
        with socket.create_connection((addr, port), PATIENCE_S, (source, 0)) as sock:
            step = f"send from port {sock.getsockname()[1]}"
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            step = step.replace("send", "receive")
            while got := sock.recv(65536):
                data = data.removeprefix(got)
    except OSError as error:
        return f"{step}: {error}"
    return f"{step}: {len(data)} bytes are missing" if data else None


def exchange_until(end, addr, port, source, outcomes):
    begin = time.monotonic()
    while time.monotonic() < end:
        began = time.monotonic()
        failure = exchange(addr, port, source, source.encode() * 100)
        outcomes.append(failure and f"{source} after {began - begin:.1f} s: {failure}")
        time.sleep(max(0, began + 0.02 - time.monotonic()))


def exchanges(end, addr, port, sources):
    outcomes = []
    threads = [threading.Thread(target=exchange_until, args=(end, addr, port, source, outcomes))
               for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"exchanges": len(outcomes), "failed": [why for why in outcomes if why]}


def ask(addr, source, number):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((source, 0))
    sock.connect((addr, 8080))
    sock.send(b"%d" % number)
    return sock


def is_answered(sock, number):
    try:
        return sock.recv(100) == b"%d" % number
    except OSError:
        return False
    finally:
        sock.close()


def queries(end, rate, addr, sources):
    waiting, asked, answered, begin = [], 0, 0, time.monotonic()
    while waiting or time.monotonic() < end:
        now = time.monotonic()
        while now < end and asked < (now - begin) * rate:
            waiting.append((now, ask(addr, sources[asked % len(sources)], asked), asked))
            asked += 1
        while waiting and now - waiting[0][0] > ANSWER_S:
            answered += is_answered(*waiting.pop(0)[1:])
        time.sleep(TICK_S)
    return {"asked": asked, "answered": answered}


command, until = sys.argv[1], time.monotonic() + float(sys.argv[2])
args = sys.argv[3:]
if command == "connects":
    result = connects(until, args[0], int(args[1]), args[2])
elif command == "exchanges":
    result = exchanges(until, args[0], int(args[1]), args[2:])
else:
    result = queries(until, int(args[0]), args[1], args[2:])
print(json.dumps(result))
