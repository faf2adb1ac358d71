"""A program on python-odata. Arguments: a service root, an entity set, the names of its number and name fields, and a text.

Prints what it saw.
"""

import json
import sys

import requests
from odata import ODataService
from odata.flags import ODataServerFlags

root, entity_set, number, name, text = sys.argv[1:]
session, addresses = requests.Session(), []
session.hooks["response"].append(lambda response, **_: addresses.append(response.url))

flags = ODataServerFlags(skip_null_properties=True, provide_odata_type_annotation=False)
service = ODataService(root, reflect_entities=True, session=session, server_flags=flags, quiet_progress=True)
Customer = service.entities[entity_set]
customers = service.query(Customer).all()

new = Customer()
setattr(new, number, "NEW-1")
setattr(new, name, text)
service.save(new)
created, first_tag = getattr(new, name), new.__odata__["@odata.etag"]

setattr(new, name, text + "!")
service.default_context.save(new, extra_headers={"If-Match": first_tag})
updated, tag = getattr(new, name), new.__odata__["@odata.etag"]

address = new.__odata__.instance_url
too_late = session.patch(address, json={name: "lost"}, headers={"If-Match": first_tag})
service.default_context.connection.execute_delete(address, extra_headers={"If-Match": tag})
gone = not service.query(Customer).filter(getattr(Customer, number) == "NEW-1").all()

json.dump(
    {
        "sets": sorted(service.entities),
        "customers": [[getattr(customer, number), getattr(customer, name)] for customer in customers],
        "created": created,
        "updated": updated,
        "too_late": too_late.status_code,
        "gone": gone,
        "addresses": addresses,
    },
    sys.stdout,
)
