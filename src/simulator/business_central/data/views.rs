//! The views of the tables on each surface: standard API, warehouse API and web services.

use super::schema::{Action, EntityView, KeyKind, Navigation, ODataSurface, Table};
use super::tables::{
    BIN, COMPANY, CUSTOMER, EVENT_SUBSCRIPTION, ITEM, NOTHING, PDF_DOCUMENT, PICTURE, SALES_LINE, SALES_ORDER,
    SUBSCRIPTION, VENDOR,
};

/// Fields with the names of their columns.
macro_rules! same {
    ($($field:literal)*) => { &[$(($field, $field)),*] };
}

/// A view in an API, whose records are addressed by ID.
const fn api_view(
    set: &'static str,
    entity: &'static str,
    table: &'static Table,
    fields: &'static [(&'static str, &'static str)],
) -> EntityView {
    EntityView { set, entity, table, key: KeyKind::Id, fields, navigations: &[], actions: &[] }
}

static CUSTOMERS: EntityView = api_view(
    "customers",
    "customer",
    &CUSTOMER,
    same!("id" "number" "displayName" "addressLine1" "city" "postalCode" "country" "phoneNumber" "email" "website"
        "note" "creditLimit" "balance" "taxLiable" "lastModifiedDateTime"),
);

static ITEMS: EntityView = EntityView {
    navigations: &[Navigation::Media(&PICTURE)],
    ..api_view(
        "items",
        "item",
        &ITEM,
        same!("id" "number" "displayName" "unitPrice" "inventory" "lastModifiedDateTime"),
    )
};

static VENDORS: EntityView =
    api_view("vendors", "vendor", &VENDOR, same!("id" "number" "displayName" "city" "website" "lastModifiedDateTime"));

static SALES_ORDERS: EntityView = EntityView {
    navigations: &[Navigation::Lines(&SALES_ORDER_LINES, "documentId"), Navigation::Media(&PDF_DOCUMENT)],
    actions: &[Action { name: "post", status: "Posted" }, Action { name: "shipAndInvoice", status: "Posted" }],
    ..api_view(
        "salesOrders",
        "salesOrder",
        &SALES_ORDER,
        same!("id" "number" "customerNumber" "orderDate" "status" "lastModifiedDateTime"),
    )
};

static SALES_ORDER_LINES: EntityView = api_view(
    "salesOrderLines",
    "salesOrderLine",
    &SALES_LINE,
    same!("id" "documentId" "sequence" "lineObjectNumber" "description" "quantity" "unitPrice" "lastModifiedDateTime"),
);

static BINS: EntityView =
    api_view("bins", "bin", &BIN, same!("id" "code" "description" "quantity" "lastModifiedDateTime"));

static SUBSCRIPTIONS: EntityView = EntityView {
    key: KeyKind::Number,
    ..api_view(
        "subscriptions",
        "subscription",
        &SUBSCRIPTION,
        same!("subscriptionId" "notificationUrl" "resource" "userId" "lastModifiedDateTime" "clientState"
            "expirationDateTime"),
    )
};

/// An empty set of the standard API that belongs to no company.
const fn empty_set(set: &'static str, entity: &'static str) -> EntityView {
    api_view(set, entity, &NOTHING, same!("id"))
}

static EVENT_SUBSCRIPTIONS: EntityView = api_view(
    "externaleventsubscriptions",
    "externalEventSubscription",
    &EVENT_SUBSCRIPTION,
    same!("id" "companyName" "eventName" "notificationUrl" "clientState" "lastModifiedDateTime"),
);

static EVENT_DEFINITIONS: EntityView = empty_set("externalbusinesseventdefinitions", "externalBusinessEventDefinition");
static ENTITY_DEFINITIONS: EntityView = empty_set("entityDefinitions", "entityDefinition");

static STANDARD_ROOT_SETS: [&EntityView; 4] =
    [&SUBSCRIPTIONS, &EVENT_SUBSCRIPTIONS, &EVENT_DEFINITIONS, &ENTITY_DEFINITIONS];
static WAREHOUSE_ROOT_SETS: [&EntityView; 1] = [&SUBSCRIPTIONS];

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

const fn api_companies(sets: &'static [Navigation]) -> EntityView {
    EntityView { navigations: sets, ..api_view("companies", "company", &COMPANY, API_COMPANY) }
}

static STANDARD_COMPANIES: EntityView = api_companies(&[
    Navigation::Set(&CUSTOMERS),
    Navigation::Set(&ITEMS),
    Navigation::Set(&VENDORS),
    Navigation::Set(&SALES_ORDERS),
]);

static WAREHOUSE_COMPANIES: EntityView = api_companies(&[Navigation::Set(&BINS)]);

const fn api(
    path: &'static str,
    companies: &'static EntityView,
    root_sets: &'static [&'static EntityView],
) -> ODataSurface {
    ODataSurface {
        path,
        namespace: "Microsoft.NAV",
        companies,
        root_sets,
        has_unbound_actions: false,
        link_options: "aid=FIN&",
    }
}

pub static STANDARD_API: ODataSurface = api("api/v2.0", &STANDARD_COMPANIES, &STANDARD_ROOT_SETS);

/// The API of a partner.
pub static WAREHOUSE_API: ODataSurface = api("api/cronus/warehouse/v1.0", &WAREHOUSE_COMPANIES, &WAREHOUSE_ROOT_SETS);

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

/// A page published as a web service, for OData V4 and SOAP.
const fn page(
    service: &'static str,
    table: &'static Table,
    fields: &'static [(&'static str, &'static str)],
    actions: &'static [Action],
) -> EntityView {
    EntityView { set: service, entity: service, table, key: KeyKind::Number, fields, navigations: &[], actions }
}

pub static PAGES: [EntityView; 4] = [
    page("Customer", &CUSTOMER, CUSTOMER_CARD, &[]),
    page("Customers", &CUSTOMER, CUSTOMER_CARD, &[]),
    page("Item", &ITEM, ITEM_CARD, &[]),
    page("SalesOrder", &SALES_ORDER, SALES_ORDER_CARD, &[Action { name: "Release", status: "Released" }]),
];

static WEB_SERVICE_COMPANIES: EntityView = EntityView {
    set: "Company",
    entity: "Company",
    table: &COMPANY,
    key: KeyKind::Number,
    fields: &[("Name", "name"), ("Evaluation_Company", "evaluation"), ("Display_Name", "displayName"), ("Id", "id")],
    navigations: &[
        Navigation::Set(&PAGES[0]),
        Navigation::Set(&PAGES[1]),
        Navigation::Set(&PAGES[2]),
        Navigation::Set(&PAGES[3]),
    ],
    actions: &[],
};

pub static WEB_SERVICES: ODataSurface = ODataSurface {
    path: "ODataV4",
    namespace: "NAV",
    companies: &WEB_SERVICE_COMPANIES,
    root_sets: &[],
    has_unbound_actions: true,
    link_options: "tenant=msft1a6720t84104913&aid=FIN&",
};
