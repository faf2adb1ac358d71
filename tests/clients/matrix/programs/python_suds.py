"""suds. Arguments: the addresses of two WSDLs, a page's and a codeunit's, and whether its password goes along `at-once` or `when-asked`."""

import ssl
import sys
from pathlib import Path
from urllib.request import HTTPSHandler

from suds.client import Client
from suds.transport.http import HttpAuthenticated as AtOnce
from suds.transport.https import HttpAuthenticated as WhenAsked


def trusting(transport):
    class Trusting(transport):
        def u2handlers(self):
            return [*super().u2handlers(), HTTPSHandler(context=ssl.create_default_context(cafile="ca.pem"))]

    return Trusting(username="CONTOSO\\till", password="secret")


page_wsdl, tools_wsdl, moment = sys.argv[1:]
transport = {"at-once": AtOnce, "when-asked": WhenAsked}[moment]

page = Client(page_wsdl, transport=trusting(transport), cache=None)
Path("read").write_text(page.service.Read("10000").Name)
new = page.factory.create("Customer")
new.No, new.Name = "NEW-1", Path("name").read_text()
Path("create").write_text(page.service.Create(new).Name)
tools = Client(tools_wsdl, transport=trusting(transport), cache=None)
Path("call").write_text(tools.service.Echo(Path("text").read_text()))
