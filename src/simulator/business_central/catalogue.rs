//! What a company's books can hold, and what each surface shows of it.

use super::schema::{Action, Column, Key, Kind, Media, Navigation, Surface, Table, View};

const fn text(name: &'static str, length: usize) -> Column {
    Column { name, kind: Kind::Text(length), writable: true }
}

const fn decimal(name: &'static str) -> Column {
    Column { name, kind: Kind::Decimal, writable: true }
}

const fn read_only(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, writable: false }
}

const ID: Column = read_only("id", Kind::Guid);
const MODIFIED: Column = read_only("lastModifiedDateTime", Kind::DateTime);

pub(super) static COMPANY: Table = Table {
    name: "Company",
    number: "name",
    number_series: "",
    columns: &[
        ID,
        read_only("systemVersion", Kind::Text(250)),
        read_only("timestamp", Kind::Integer),
        read_only("name", Kind::Text(30)),
        read_only("displayName", Kind::Text(250)),
        read_only("businessProfileId", Kind::Text(250)),
        read_only("evaluation", Kind::Boolean),
        read_only("systemCreatedAt", Kind::DateTime),
        read_only("systemCreatedBy", Kind::Guid),
        MODIFIED,
        read_only("systemModifiedBy", Kind::Guid),
    ],
};

pub(super) static SUBSCRIPTION: Table = Table {
    name: "Subscription",
    number: "subscriptionId",
    number_series: "webhook",
    columns: &[
        ID,
        read_only("subscriptionId", Kind::Text(150)),
        text("notificationUrl", 2048),
        text("resource", 2048),
        text("clientState", 2048),
        read_only("userId", Kind::Guid),
        read_only("expirationDateTime", Kind::DateTime),
        MODIFIED,
    ],
};

static EVENT_SUBSCRIPTION: Table = Table {
    name: "External Event Subscription",
    number: "id",
    number_series: "",
    columns: &[
        ID,
        text("companyName", 30),
        text("eventName", 250),
        text("notificationUrl", 2048),
        text("clientState", 2048),
        MODIFIED,
    ],
};

/// A table nobody can write to, so that it stays empty.
static NOTHING: Table = Table { name: "Definition", number: "id", number_series: "", columns: &[ID, MODIFIED] };

pub(super) static CUSTOMER: Table = Table {
    name: "Customer",
    number: "number",
    number_series: "C",
    columns: &[
        ID,
        text("number", 20),
        text("displayName", 100),
        text("addressLine1", 100),
        text("city", 30),
        text("postalCode", 20),
        text("country", 10),
        text("phoneNumber", 30),
        text("email", 80),
        text("website", 255),
        text("note", 2048),
        decimal("creditLimit"),
        read_only("balance", Kind::Decimal),
        Column { name: "taxLiable", kind: Kind::Boolean, writable: true },
        MODIFIED,
    ],
};

pub(super) static ITEM: Table = Table {
    name: "Item",
    number: "number",
    number_series: "I",
    columns: &[
        ID,
        text("number", 20),
        text("displayName", 100),
        decimal("unitPrice"),
        read_only("inventory", Kind::Decimal),
        MODIFIED,
    ],
};

pub(super) static VENDOR: Table = Table {
    name: "Vendor",
    number: "number",
    number_series: "V",
    columns: &[ID, text("number", 20), text("displayName", 100), text("city", 30), text("website", 255), MODIFIED],
};

pub(super) static SALES_ORDER: Table = Table {
    name: "Sales Header",
    number: "number",
    number_series: "S-ORD",
    columns: &[
        ID,
        text("number", 20),
        text("customerNumber", 20),
        Column { name: "orderDate", kind: Kind::Date, writable: true },
        read_only("status", Kind::Text(20)),
        MODIFIED,
    ],
};

pub(super) static SALES_LINE: Table = Table {
    name: "Sales Line",
    number: "sequence",
    number_series: "",
    columns: &[
        ID,
        read_only("documentId", Kind::Guid),
        read_only("sequence", Kind::Integer),
        text("lineObjectNumber", 20),
        text("description", 100),
        decimal("quantity"),
        decimal("unitPrice"),
        MODIFIED,
    ],
};

pub(super) static BIN: Table = Table {
    name: "Bin",
    number: "code",
    number_series: "W-",
    columns: &[ID, text("code", 20), text("description", 100), decimal("quantity"), MODIFIED],
};

pub(super) static PICTURE: Media = Media {
    name: "picture",
    content: "pictureContent",
    entity: "picture",
    parent: "Item",
    content_type: "image/png",
    writable: true,
};

pub(super) static PDF_DOCUMENT: Media = Media {
    name: "pdfDocument",
    content: "pdfDocumentContent",
    entity: "pdfDocument",
    parent: "Sales Order",
    content_type: "application/pdf",
    writable: false,
};

/// Fields named as the columns.
macro_rules! same {
    ($($field:literal)*) => { &[$(($field, $field)),*] };
}

/// A view of the API's kind, addressed by id.
const fn api_view(
    set: &'static str,
    entity: &'static str,
    table: &'static Table,
    fields: &'static [(&'static str, &'static str)],
) -> View {
    View { set, entity, table, key: Key::Id, fields, navigations: &[], actions: &[] }
}

static CUSTOMERS: View = api_view(
    "customers",
    "customer",
    &CUSTOMER,
    same!("id" "number" "displayName" "addressLine1" "city" "postalCode" "country" "phoneNumber" "email" "website"
        "note" "creditLimit" "balance" "taxLiable" "lastModifiedDateTime"),
);

static ITEMS: View = View {
    navigations: &[Navigation::Media(&PICTURE)],
    ..api_view(
        "items",
        "item",
        &ITEM,
        same!("id" "number" "displayName" "unitPrice" "inventory" "lastModifiedDateTime"),
    )
};

static VENDORS: View =
    api_view("vendors", "vendor", &VENDOR, same!("id" "number" "displayName" "city" "website" "lastModifiedDateTime"));

static SALES_ORDERS: View = View {
    navigations: &[Navigation::Lines(&SALES_ORDER_LINES, "documentId"), Navigation::Media(&PDF_DOCUMENT)],
    actions: &[Action { name: "post", status: "Posted" }, Action { name: "shipAndInvoice", status: "Posted" }],
    ..api_view(
        "salesOrders",
        "salesOrder",
        &SALES_ORDER,
        same!("id" "number" "customerNumber" "orderDate" "status" "lastModifiedDateTime"),
    )
};

static SALES_ORDER_LINES: View = api_view(
    "salesOrderLines",
    "salesOrderLine",
    &SALES_LINE,
    same!("id" "documentId" "sequence" "lineObjectNumber" "description" "quantity" "unitPrice" "lastModifiedDateTime"),
);

static BINS: View = api_view("bins", "bin", &BIN, same!("id" "code" "description" "quantity" "lastModifiedDateTime"));

static SUBSCRIPTIONS: View = View {
    key: Key::Number,
    ..api_view(
        "subscriptions",
        "subscription",
        &SUBSCRIPTION,
        same!("subscriptionId" "notificationUrl" "resource" "userId" "lastModifiedDateTime" "clientState"
            "expirationDateTime"),
    )
};

/// A set of the standard API that belongs to no company and is empty here.
const fn empty_set(set: &'static str, entity: &'static str) -> View {
    api_view(set, entity, &NOTHING, same!("id"))
}

static EVENT_SUBSCRIPTIONS: View = api_view(
    "externaleventsubscriptions",
    "externalEventSubscription",
    &EVENT_SUBSCRIPTION,
    same!("id" "companyName" "eventName" "notificationUrl" "clientState" "lastModifiedDateTime"),
);

static EVENT_DEFINITIONS: View = empty_set("externalbusinesseventdefinitions", "externalBusinessEventDefinition");
static ENTITY_DEFINITIONS: View = empty_set("entityDefinitions", "entityDefinition");

static STANDARD_ROOT_SETS: [&View; 4] = [&SUBSCRIPTIONS, &EVENT_SUBSCRIPTIONS, &EVENT_DEFINITIONS, &ENTITY_DEFINITIONS];
static WAREHOUSE_ROOT_SETS: [&View; 1] = [&SUBSCRIPTIONS];

const API_COMPANY: &[(&str, &str)] = &[
    ("id", "id"),
    ("systemVersion", "systemVersion"),
    ("timestamp", "timestamp"),
    ("name", "name"),
    ("displayName", "displayName"),
    ("businessProfileId", "businessProfileId"),
    ("systemCreatedAt", "systemCreatedAt"),
    ("systemCreatedBy", "systemCreatedBy"),
    ("systemModifiedAt", "lastModifiedDateTime"),
    ("systemModifiedBy", "systemModifiedBy"),
];

const fn api_companies(sets: &'static [Navigation]) -> View {
    View { navigations: sets, ..api_view("companies", "company", &COMPANY, API_COMPANY) }
}

static STANDARD_COMPANIES: View = api_companies(&[
    Navigation::Set(&CUSTOMERS),
    Navigation::Set(&ITEMS),
    Navigation::Set(&VENDORS),
    Navigation::Set(&SALES_ORDERS),
]);

static WAREHOUSE_COMPANIES: View = api_companies(&[Navigation::Set(&BINS)]);

const fn api(path: &'static str, companies: &'static View, root_sets: &'static [&'static View]) -> Surface {
    Surface {
        path,
        namespace: "Microsoft.NAV",
        companies,
        root_sets,
        has_unbound_actions: false,
        link_options: "aid=FIN&",
    }
}

pub(super) static STANDARD_API: Surface = api("api/v2.0", &STANDARD_COMPANIES, &STANDARD_ROOT_SETS);

/// A partner's own API.
pub(super) static WAREHOUSE_API: Surface = api("api/cronus/warehouse/v1.0", &WAREHOUSE_COMPANIES, &WAREHOUSE_ROOT_SETS);

const CUSTOMER_CARD: &[(&str, &str)] = &[
    ("No", "number"),
    ("Name", "displayName"),
    ("Address", "addressLine1"),
    ("City", "city"),
    ("Post_Code", "postalCode"),
    ("Country_Region_Code", "country"),
    ("Phone_No", "phoneNumber"),
    ("E_Mail", "email"),
    ("Home_Page", "website"),
    ("Note", "note"),
    ("Credit_Limit_LCY", "creditLimit"),
    ("Balance_LCY", "balance"),
    ("Tax_Liable", "taxLiable"),
];

const ITEM_CARD: &[(&str, &str)] =
    &[("No", "number"), ("Description", "displayName"), ("Unit_Price", "unitPrice"), ("Inventory", "inventory")];

const SALES_ORDER_CARD: &[(&str, &str)] =
    &[("No", "number"), ("Sell_to_Customer_No", "customerNumber"), ("Order_Date", "orderDate"), ("Status", "status")];

/// A page published as a web service, for OData V4 and SOAP alike.
const fn page(
    service: &'static str,
    table: &'static Table,
    fields: &'static [(&'static str, &'static str)],
    actions: &'static [Action],
) -> View {
    View { set: service, entity: service, table, key: Key::Number, fields, navigations: &[], actions }
}

pub(super) static PAGES: [View; 4] = [
    page("Customer", &CUSTOMER, CUSTOMER_CARD, &[]),
    page("Customers", &CUSTOMER, CUSTOMER_CARD, &[]),
    page("Item", &ITEM, ITEM_CARD, &[]),
    page("SalesOrder", &SALES_ORDER, SALES_ORDER_CARD, &[Action { name: "Release", status: "Released" }]),
];

static WEB_SERVICE_COMPANIES: View = View {
    set: "Company",
    entity: "Company",
    table: &COMPANY,
    key: Key::Number,
    fields: &[("Name", "name"), ("Evaluation_Company", "evaluation"), ("Display_Name", "displayName"), ("Id", "id")],
    navigations: &[
        Navigation::Set(&PAGES[0]),
        Navigation::Set(&PAGES[1]),
        Navigation::Set(&PAGES[2]),
        Navigation::Set(&PAGES[3]),
    ],
    actions: &[],
};

pub(super) static WEB_SERVICES: Surface = Surface {
    path: "ODataV4",
    namespace: "NAV",
    companies: &WEB_SERVICE_COMPANIES,
    root_sets: &[],
    has_unbound_actions: true,
    link_options: "tenant=msft1a6720t84104913&aid=FIN&",
};
