"""requests with requests_ntlm. Arguments: the addresses of a customer, of all customers and of the codeunit."""

import os
import sys
from pathlib import Path

import requests
from requests_ntlm import HttpNtlmAuth

customer, customers, tools = sys.argv[1:]
session = requests.Session()
if "API_KEY" in os.environ:
    session.headers["X-API-Key"] = os.environ["API_KEY"]
else:
    session.auth = HttpNtlmAuth("CONTOSO\\till", "secret")


def keep(file, answer):
    answer.raise_for_status()
    Path(file).write_bytes(answer.content)


keep("read", session.get(customer))
json = {"Content-Type": "application/json"}
keep("create", session.post(customers, data=Path("customer.json").read_bytes(), headers=json))
xml = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": "urn:microsoft-dynamics-schemas/codeunit/Tools:Echo"}
keep("call", session.post(tools, data=Path("echo.xml").read_bytes(), headers=xml))
