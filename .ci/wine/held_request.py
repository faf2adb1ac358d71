"""Begins a request, waits until bcproxy drains, finishes the request, and prints the status: held_request.py PORT ADMIN_PORT"""

import socket
import sys
import time
import urllib.error
import urllib.request

PATIENCE = 60

port, admin = (int(argument) for argument in sys.argv[1:])
body = b'{ "displayName": "Adatum" }'


def is_draining() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=PATIENCE):
            return False
    except urllib.error.HTTPError as error:
        return error.code == 503


with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
    head = f"POST /api/customers HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    client.sendall(head.encode() + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body[:10])
    print("half of the request is sent", flush=True)
    deadline = time.monotonic() + PATIENCE
    while not is_draining():
        if time.monotonic() > deadline:
            sys.exit("bcproxy does not drain")
        time.sleep(0.1)
    print("bcproxy is stopping: the other half is sent", flush=True)
    client.sendall(body[10:])
    response = client.makefile("rb").readline().decode().strip()
    print(response)
    sys.exit(0 if response.startswith("HTTP/1.1 201 ") else "the request was cut off")
