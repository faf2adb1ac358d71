//! The initial data of every company, the same in every run.

use serde_json::{Value, json};

use super::column_value::ColumnValue;
use super::database::{Database, Owner};
use super::files;
use super::tables::{BIN, CUSTOMER, ITEM, PDF_DOCUMENT, PICTURE, SALES_LINE, SALES_ORDER, VENDOR};
use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::settings::Settings;

const CITIES: [(&str, &str, &str); 4] =
    [("Birmingham", "B27 4KT", "GB"), ("Köln", "50667", "DE"), ("Orléans", "45000", "FR"), ("Århus", "8000", "DK")];

/// A database with the initial data. With [`Settings::addresses_in_data`], some of it holds addresses below `base_url`.
pub fn database(settings: &Settings, base_url: &str) -> Database {
    let mut database = Database::new(&settings.companies);
    for index in 0..settings.companies.len() {
        // Numbers are unique by construction, so that filling can't fail.
        let filled = fill(&mut database, index, settings, base_url);
        debug_assert!(filled.is_ok());
    }
    database.writes = 0;
    database
}

fn fill(
    database: &mut Database,
    company: usize,
    settings: &Settings,
    base_url: &str,
) -> Result<(), BusinessCentralError> {
    let (company_id, company_name) = database.company(company).map(|company| (company.id, company.name.clone()))?;
    let company = Owner::Company(company);
    let collection = format!(
        "{base_url}/v2.0/{}/{}/api/v2.0/companies({company_id})/customers",
        settings.tenant_id, settings.environment
    );
    // Short enough for the display name.
    let short = format!("{base_url}/v2.0/{}/api/v2.0/customers", settings.environment);
    for index in 0..settings.customers {
        let number = 10_000 + 10 * index;
        let (city, postal_code, country) = CITIES.get(index % CITIES.len()).copied().unwrap_or_default();
        let name = match index {
            2 => "Größe <M> & \"Söhne\" Åse's".to_owned(),
            3 if settings.addresses_in_data => format!("\"@odata.nextLink\":\"{short}\""),
            _ => format!("{company_name} customer {number}"),
        };
        let (website, note) = match index {
            1 if settings.addresses_in_data => (
                collection.clone(),
                format!(
                    "Synchronized from {collection} and https://api.businesscentral.dynamics.com/v2.0/Production/ODataV4/"
                ),
            ),
            3 if settings.addresses_in_data => (
                collection.clone(),
                format!(
                    "{{\"@odata.nextLink\":\"{collection}\"}} <soap:address location=\"{collection}\"/> \
                     &lt;soap:address location=&quot;{collection}&quot;/&gt;"
                ),
            ),
            _ => (format!("https://www.example.com/{number}"), String::new()),
        };
        let changes = row([
            ("number", json!(number.to_string())),
            ("displayName", json!(name)),
            ("addressLine1", json!(format!("{} High Street", index + 1))),
            ("city", json!(city)),
            ("postalCode", json!(postal_code)),
            ("country", json!(country)),
            ("email", json!(format!("{number}@example.com"))),
            ("website", json!(website)),
            ("note", json!(note)),
            ("creditLimit", json!(1000 * (index % 7))),
            ("balance", json!(index as f64 * 12.5)),
            ("taxLiable", json!(index % 2 == 0)),
        ]);
        database.create(company, &CUSTOMER, changes)?;
    }
    // With a link, these are bytes that a proxy must not rewrite.
    let text = if settings.addresses_in_data { format!("\"@odata.nextLink\":\"{collection}\"") } else { company_name };
    let (picture, document) = (files::png(&text), files::pdf(&text));
    for index in 0..25 {
        let number = format!("{}-S", 1896 + index * 4);
        let price = json!(f64::from(index) * 10.0 + 0.9);
        let changes = row([
            ("number", json!(number)),
            ("displayName", json!(format!("Item {number}"))),
            ("unitPrice", price),
            ("inventory", json!(index * 3)),
        ]);
        let item = database.create(company, &ITEM, changes)?;
        database.store_file(company, item.id, &PICTURE, picture.clone())?;
    }
    for index in 0..5 {
        let number = 40_000 + 10 * index;
        let changes = row([
            ("number", json!(number.to_string())),
            ("displayName", json!(format!("Vendor {number}"))),
            ("city", json!("London")),
        ]);
        database.create(company, &VENDOR, changes)?;
    }
    for index in 1..=3 {
        let changes = row([
            ("number", json!(format!("S-ORD10100{index}"))),
            ("customerNumber", json!((9_990 + 10 * index).to_string())),
            ("orderDate", json!("2026-01-15")),
            ("status", json!("Draft")),
        ]);
        let order = database.create(company, &SALES_ORDER, changes)?;
        database.store_file(company, order.id, &PDF_DOCUMENT, document.clone())?;
        for line in 1..=2 {
            let changes = row([
                ("documentId", json!(order.id)),
                ("sequence", json!(line * 10_000)),
                ("lineObjectNumber", json!("1896-S")),
                ("description", json!(format!("Line {line}"))),
                ("quantity", json!(line)),
                ("unitPrice", json!(0.9)),
            ]);
            database.create(company, &SALES_LINE, changes)?;
        }
    }
    for index in 1..=4 {
        let code = format!("W-01-{index:04}");
        let changes = row([("code", json!(code)), ("description", json!("Rack")), ("quantity", json!(index * 10))]);
        database.create(company, &BIN, changes)?;
    }
    Ok(())
}

fn row<const N: usize>(values: [(&'static str, Value); N]) -> Vec<ColumnValue> {
    values.into()
}
