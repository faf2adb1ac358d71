"""zeep. Arguments: the addresses of two WSDLs, a page's and a codeunit's, and how it signs in: `basic` or `ntlm`."""

import os
import sys
from pathlib import Path

from requests import Session
from requests_ntlm import HttpNtlmAuth
from zeep import Client, Transport

page_wsdl, tools_wsdl, scheme = sys.argv[1:]
session = Session()
user = ("CONTOSO\\till", "secret")
if "API_KEY" in os.environ:
    session.headers["X-API-Key"] = os.environ["API_KEY"]
else:
    session.auth = HttpNtlmAuth(*user) if scheme == "ntlm" else user
transport = Transport(session=session)

page = Client(page_wsdl, transport=transport).service
Path("read").write_text(page.Read(No="10000").Name)
created = page.Create(Customer={"No": "NEW-1", "Name": Path("name").read_text()})
Path("create").write_text(created.Name)
tools = Client(tools_wsdl, transport=transport).service
Path("call").write_text(tools.Echo(text=Path("text").read_text()))
