//! The tables of the database, and the files of their records.

use super::schema::{Column, ColumnKind, Media, Table};

const fn text(name: &'static str, length: usize) -> Column {
    Column { name, kind: ColumnKind::Text(length), writable: true }
}

const fn decimal(name: &'static str) -> Column {
    Column { name, kind: ColumnKind::Decimal, writable: true }
}

const fn read_only(name: &'static str, kind: ColumnKind) -> Column {
    Column { name, kind, writable: false }
}

const ID: Column = read_only("id", ColumnKind::Guid);
const MODIFIED: Column = read_only("lastModifiedDateTime", ColumnKind::DateTime);

pub static COMPANY: Table = Table {
    name: "Company",
    number: "name",
    number_series: "",
    columns: &[
        ID,
        read_only("systemVersion", ColumnKind::Text(250)),
        read_only("timestamp", ColumnKind::Integer),
        read_only("name", ColumnKind::Text(30)),
        read_only("displayName", ColumnKind::Text(250)),
        read_only("businessProfileId", ColumnKind::Text(250)),
        read_only("evaluation", ColumnKind::Boolean),
        read_only("systemCreatedAt", ColumnKind::DateTime),
        read_only("systemCreatedBy", ColumnKind::Guid),
        MODIFIED,
        read_only("systemModifiedBy", ColumnKind::Guid),
    ],
};

pub static SUBSCRIPTION: Table = Table {
    name: "Subscription",
    number: "subscriptionId",
    number_series: "webhook",
    columns: &[
        ID,
        read_only("subscriptionId", ColumnKind::Text(150)),
        text("notificationUrl", 2048),
        text("resource", 2048),
        text("clientState", 2048),
        read_only("userId", ColumnKind::Guid),
        read_only("expirationDateTime", ColumnKind::DateTime),
        MODIFIED,
    ],
};

pub static EVENT_SUBSCRIPTION: Table = Table {
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

/// A read-only table, which therefore stays empty.
pub static NOTHING: Table = Table { name: "Definition", number: "id", number_series: "", columns: &[ID, MODIFIED] };

pub static CUSTOMER: Table = Table {
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
        read_only("balance", ColumnKind::Decimal),
        Column { name: "taxLiable", kind: ColumnKind::Boolean, writable: true },
        MODIFIED,
    ],
};

pub static ITEM: Table = Table {
    name: "Item",
    number: "number",
    number_series: "I",
    columns: &[
        ID,
        text("number", 20),
        text("displayName", 100),
        decimal("unitPrice"),
        read_only("inventory", ColumnKind::Decimal),
        MODIFIED,
    ],
};

pub static VENDOR: Table = Table {
    name: "Vendor",
    number: "number",
    number_series: "V",
    columns: &[ID, text("number", 20), text("displayName", 100), text("city", 30), text("website", 255), MODIFIED],
};

pub static SALES_ORDER: Table = Table {
    name: "Sales Header",
    number: "number",
    number_series: "S-ORD",
    columns: &[
        ID,
        text("number", 20),
        text("customerNumber", 20),
        Column { name: "orderDate", kind: ColumnKind::Date, writable: true },
        read_only("status", ColumnKind::Text(20)),
        MODIFIED,
    ],
};

pub static SALES_LINE: Table = Table {
    name: "Sales Line",
    number: "sequence",
    number_series: "",
    columns: &[
        ID,
        read_only("documentId", ColumnKind::Guid),
        read_only("sequence", ColumnKind::Integer),
        text("lineObjectNumber", 20),
        text("description", 100),
        decimal("quantity"),
        decimal("unitPrice"),
        MODIFIED,
    ],
};

pub static BIN: Table = Table {
    name: "Bin",
    number: "code",
    number_series: "W-",
    columns: &[ID, text("code", 20), text("description", 100), decimal("quantity"), MODIFIED],
};

pub static PICTURE: Media = Media {
    name: "picture",
    content: "pictureContent",
    entity: "picture",
    parent: "Item",
    content_type: "image/png",
    writable: true,
};

pub static PDF_DOCUMENT: Media = Media {
    name: "pdfDocument",
    content: "pdfDocumentContent",
    entity: "pdfDocument",
    parent: "Sales Order",
    content_type: "application/pdf",
    writable: false,
};
