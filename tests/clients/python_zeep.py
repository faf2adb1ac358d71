"""A program on zeep. Arguments: the addresses of two WSDLs, a page's and a codeunit's, and a text. Prints what it saw."""

import json
import sys

from zeep import Client, Settings, Transport


class Recording(Transport):
    """Notes every address zeep loads or calls."""

    addresses = []

    def _load_remote_data(self, url):
        self.addresses.append(url)
        return super()._load_remote_data(url)

    def post(self, address, message, headers):
        self.addresses.append(address)
        return super().post(address, message, headers)


def seen(customer):
    return [customer.No, customer.Name, customer.Home_Page, customer.Note]


page_wsdl, codeunit_wsdl, text = sys.argv[1:]
transport = Recording()
settings = Settings(strict=True)
page = Client(page_wsdl, transport=transport, settings=settings).service
tools = Client(codeunit_wsdl, transport=transport, settings=settings).service

customers, bookmark = [], None
while found := page.ReadMultiple(filter=[{"Field": "No", "Criteria": "10000..10240"}], bookmarkKey=bookmark, setSize=10):
    customers += found
    bookmark = found[-1].Key

created = page.Create(Customer={"No": "NEW-1", "Name": text, "Home_Page": customers[1].Home_Page, "Credit_Limit_LCY": 12.5})
read = page.Read(No="NEW-1")
updated = page.Update(Customer={"Key": created.Key, "Name": text + "!"})
json.dump(
    {
        "read": seen(page.Read(No="10020")),
        "customers": [seen(customer) for customer in customers],
        "created": seen(read),
        "updated": seen(updated),
        "deleted": page.Delete(Key=updated.Key),
        "gone": page.Read(No="NEW-1") is None,
        "echo": tools.Echo(text=text),
        "posted": tools.PostOrder(no="S-ORD101001"),
        "addresses": transport.addresses,
    },
    sys.stdout,
)
