"""Python's urllib, which waits to be asked for its password. Arguments: the addresses of a customer, of all customers and of the codeunit."""

import os
import ssl
import sys
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import HTTPBasicAuthHandler, HTTPPasswordMgrWithDefaultRealm, HTTPSHandler, ProxyHandler, Request, build_opener

customer, customers, tools = sys.argv[1:]
passwords = HTTPPasswordMgrWithDefaultRealm()
if "API_KEY" not in os.environ:
    passwords.add_password(None, urljoin(customers, "/"), "CONTOSO\\till", "secret")
trust = HTTPSHandler(context=ssl.create_default_context(cafile="ca.pem"))
opener = build_opener(ProxyHandler({}), HTTPBasicAuthHandler(passwords), trust)
if "API_KEY" in os.environ:
    opener.addheaders.append(("X-API-Key", os.environ["API_KEY"]))


def call(file, address, body=None, **headers):
    data = Path(body).read_bytes() if body else None
    with opener.open(Request(address, data, headers)) as answer:
        Path(file).write_bytes(answer.read())


call("read", customer)
call("create", customers, "customer.json", **{"Content-Type": "application/json"})
call("call", tools, "echo.xml", SOAPAction="Echo", **{"Content-Type": "text/xml; charset=utf-8"})
