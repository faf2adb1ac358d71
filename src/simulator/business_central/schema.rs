//! What a company's books can hold, and under which names each surface shows it.

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text of at most this many characters.
    Text(usize),
    Decimal,
    Boolean,
    Guid,
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// Whether clients may set it.
    pub writable: bool,
}

/// A table. Every one has the columns `id` and `lastModifiedDateTime`.
#[derive(Debug)]
pub(super) struct Table {
    /// In the words of error messages: "Customer".
    pub name: &'static str,
    /// The column a person tells records apart by, unique where it is a text.
    pub number: &'static str,
    /// What a number given by the system begins with.
    pub number_series: &'static str,
    pub columns: &'static [Column],
}

/// How records are addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// `customers({guid})`
    Id,
    /// `Customer('10000')`
    Number,
}

/// A table as one surface shows it.
#[derive(Debug)]
pub(super) struct View {
    /// The entity set or web service: `customers`, `Customer`.
    pub set: &'static str,
    pub table: &'static Table,
    pub key: Key,
    /// The field's name on this surface, and the column behind it.
    pub fields: &'static [(&'static str, &'static str)],
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl View {
    /// The column behind a field.
    pub fn column(&self, field: &str) -> Option<&'static Column> {
        let (_, column) = self.fields.iter().find(|(name, _)| *name == field)?;
        self.table.column(column)
    }
}

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
const MODIFIED: Column = read_only("lastModifiedDateTime", Kind::Text(30));

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
        text("orderDate", 10),
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
        read_only("sequence", Kind::Decimal),
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

/// A view of the standard kind: addressed by id, fields named as the columns.
macro_rules! api_view {
    ($set:literal, $table:ident: $($field:literal)*) => {
        View { set: $set, table: &$table, key: Key::Id, fields: &[$(($field, $field)),*] }
    };
}

/// `api/v2.0`.
pub(super) static STANDARD_API: [View; 4] = [
    api_view!("customers", CUSTOMER:
        "id" "number" "displayName" "addressLine1" "city" "postalCode" "country" "phoneNumber" "email" "website" "note"
        "creditLimit" "balance" "taxLiable" "lastModifiedDateTime"),
    api_view!("items", ITEM: "id" "number" "displayName" "unitPrice" "inventory" "lastModifiedDateTime"),
    api_view!("vendors", VENDOR: "id" "number" "displayName" "city" "website" "lastModifiedDateTime"),
    api_view!("salesOrders", SALES_ORDER: "id" "number" "customerNumber" "orderDate" "status" "lastModifiedDateTime"),
];

/// What `salesOrders({id})/` leads to.
pub(super) static SALES_ORDER_LINES: View = api_view!("salesOrderLines", SALES_LINE:
    "id" "documentId" "sequence" "lineObjectNumber" "description" "quantity" "unitPrice" "lastModifiedDateTime");

/// `api/cronus/warehouse/v1.0`.
pub(super) static WAREHOUSE_API: [View; 1] =
    [api_view!("bins", BIN: "id" "code" "description" "quantity" "lastModifiedDateTime")];

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

/// Pages published as web services, for OData V4 and SOAP alike.
pub(super) static PAGES: [View; 3] = [
    View { set: "Customer", table: &CUSTOMER, key: Key::Number, fields: CUSTOMER_CARD },
    View { set: "Customers", table: &CUSTOMER, key: Key::Number, fields: CUSTOMER_CARD },
    View { set: "Item", table: &ITEM, key: Key::Number, fields: ITEM_CARD },
];
