#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A daemon as NetBird's, as far as shrike talks to it, on a Unix socket.

	netbird.py SOCKET DIRECTORY

DIRECTORY/map.json is its network map, which it keeps for bundles unless there is DIRECTORY/off: that goes
when it is told to keep maps.  DIRECTORY/daemon.json, read with each call, may hold "delay"
(seconds that a bundle takes), "config" (fields of GetConfigResponse by number) and "fault", how it
goes wrong.  SIGUSR1 says that the map has changed; SIGUSR2 says so a thousand times within a second.
SIGHUP has it say goodbye: it takes no calls any more, but keeps those under way.
Each call is a line on standard output.  Messages are bytes here: few fields of them matter.
"""
import json
import os
import queue
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import zipfile
from concurrent import futures

import grpc

SOCKET, DIRECTORY = sys.argv[1:3]
QUEUE = 10  # events that wait for a subscriber; more are dropped in silence, as in NetBird
subscribers = []
mutex = threading.Lock()


def varint(value):
	out = b""
	while value > 0x7F:
		out += bytes([value & 0x7F | 0x80])
		value >>= 7
	return out + bytes([value])


def field(number, value):
	if isinstance(value, (bool, int)):
		return varint(number << 3) + varint(int(value))
	value = value.encode()
	return varint(number << 3 | 2) + varint(len(value)) + value


def settings():
	try:
		with open(DIRECTORY + "/daemon.json") as file:
			return json.load(file)
	except FileNotFoundError:
		return {}


def say(text):
	print("%.3f %s" % (time.monotonic(), text), flush=True)


def event(message):
	# id, severity, category SYSTEM, message, one entry of metadata
	return field(1, "1b4e28ba") + field(2, 0) + field(3, 4) + field(4, message) + \
		field(7, "\n\x04kind\x12\x03map")


def subscribe(_request, context):
	waiting = queue.Queue(QUEUE)
	subscribers.append(waiting)
	say("SubscribeEvents")
	yield event("Log level changed")
	while context.is_active():
		try:
			yield waiting.get(timeout=0.2)
		except queue.Empty:
			pass
	subscribers.remove(waiting)


class Stream:
	"""A file without seeking, so that the archive is written as Go's writer does."""

	def __init__(self, file):
		self.file = file

	def write(self, data):
		return self.file.write(data)

	def flush(self):
		self.file.flush()


def write_archive(file, fault):
	with zipfile.ZipFile(Stream(file), "w", zipfile.ZIP_DEFLATED) as archive:
		archive.writestr("README.txt", "x" * 20000)
		archive.writestr("heap.prof", os.urandom(100000))
		if fault == "bomb":
			archive.writestr("network_map.json", b"[" + b" " * (64 << 20) + b"]")
		elif fault != "no-map":
			archive.write(DIRECTORY + "/map.json", "network_map.json")
		archive.writestr("client.log", "line\n" * 10000)


def spoil(path, fault):
	"""What the file that a bundle has been written into becomes; its path."""
	if fault == "truncated":
		os.truncate(path, os.path.getsize(path) // 2)
	elif fault == "huge":  # the sizes in the central directory
		with open(path, "r+b") as file:
			data = bytearray(file.read())
			at = data.rindex(b"network_map.json") - 46
			data[at + 24:at + 28] = (2 << 30).to_bytes(4, "little")
			file.seek(0)
			file.write(data)
	elif fault == "owner":
		os.chown(path, 1000, 1000)
	elif fault == "writable":
		os.chmod(path, 0o666)
	elif fault == "link":
		os.rename(path, path + ".real")
		os.symlink(path + ".real", path)
	elif fault == "elsewhere":
		shutil.move(path, DIRECTORY + "/netbird.debug.1.zip")
		return DIRECTORY + "/netbird.debug.1.zip"
	elif fault == "dots":
		return "/tmp/../" + path
	elif fault == "other-name":
		os.rename(path, "/tmp/shrike-not-a-bundle")
		return "/tmp/shrike-not-a-bundle"
	elif fault == "garbage":
		with open(path, "wb") as file:
			file.write(os.urandom(50000))
	return path


def bundle(_request, _context):
	now = settings()
	fault = "no-map" if os.path.exists(DIRECTORY + "/off") else now.get("fault")
	say("DebugBundle")
	with mutex:
		time.sleep(now.get("delay", 0))
		fd, path = tempfile.mkstemp(prefix="netbird.debug.", suffix=".zip", dir="/tmp")
		with os.fdopen(fd, "wb") as file:
			write_archive(file, fault)
		path = spoil(path, fault)
	say("bundle " + path)
	if fault == "control":
		path = "/tmp/netbird.debug.\x1b[2J.zip"
	return field(1, path)


def config(_request, context):
	now = settings()
	if now.get("fault") == "no-config":
		context.abort(grpc.StatusCode.INTERNAL, "no configuration\x1b[31m here")
	fields = {"6": "wt0", "8": 1280}
	fields.update(now.get("config", {}))
	return b"".join(field(int(number), value) for number, value in fields.items())


def keep_maps(_request, _context):
	say("SetSyncResponsePersistence")
	try:
		os.unlink(DIRECTORY + "/off")
	except FileNotFoundError:
		pass
	return b""


def raw(handler):
	return grpc.unary_unary_rpc_method_handler(handler)


def publish(*_):
	for waiting in list(subscribers):
		try:
			waiting.put_nowait(event("Network map updated"))
		except queue.Full:
			pass


def flood(*_):
	def run():
		for _ in range(1000):
			publish()
			time.sleep(0.001)
		say("flooded")
	threading.Thread(target=run, daemon=True).start()


def listen_without_grpc(noise):
	"""Never answers, or answers what nobody understands."""
	listener = socket.socket(socket.AF_UNIX)
	listener.bind(SOCKET)
	listener.listen(16)
	listener.settimeout(600)
	say("ready")
	kept = []
	while True:
		connection, _ = listener.accept()
		if noise:
			try:
				connection.sendall(os.urandom(100000))
			except OSError:  # it has heard enough
				pass
		kept.append(connection)


def main():
	if os.path.exists(SOCKET):
		os.unlink(SOCKET)
	if settings().get("fault") in ("deaf", "noise"):
		listen_without_grpc(settings()["fault"] == "noise")
	server = grpc.server(futures.ThreadPoolExecutor(16))
	server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
		"daemon.DaemonService", {
			"SubscribeEvents": grpc.unary_stream_rpc_method_handler(subscribe),
			"DebugBundle": raw(bundle),
			"GetConfig": raw(config),
			"Status": raw(lambda *_: field(1, "Connected") + field(3, "0.77.1")),
			"GetActiveProfile": raw(lambda *_: field(1, "default") + field(2, "root")),
			"SetSyncResponsePersistence": raw(keep_maps),
		}),))
	signal.signal(signal.SIGUSR1, publish)
	signal.signal(signal.SIGUSR2, flood)
	signal.signal(signal.SIGHUP, lambda *_: server.stop(60))
	signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
	server.add_insecure_port("unix:" + SOCKET)
	server.start()
	os.chmod(SOCKET, 0o666)
	say("ready")
	end = time.monotonic() + 600  # however the test ends
	while time.monotonic() < end:
		time.sleep(0.05)


main()
