//! OData clients: the description and every page through the proxy.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::rig::{Plan, Rig};
use crate::{NAME, assert_only_the_proxy_was_called, count, customers, report};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs curl"]
async fn curl_follows_next_links_to_the_end_of_fifty_thousand_customers() {
    let plan = Plan::default().settings(|settings| {
        settings.customers = 50_000;
        settings.page_size = 2_500;
        settings.companies.truncate(1);
        settings.default_company = None;
    });
    let rig = plan.start().await;
    let company = rig.simulator.settings().companies[0].name.clone();
    for (set, number) in [("/api/customers", "number"), ("/odata/Customer", "No"), ("/nav/BC/ODataV4/Customer", "No")] {
        let (mut numbers, mut addresses) = (Vec::new(), Vec::new());
        let mut next = Some(format!("http://{}{set}?$select={number}", rig.address()));
        while let Some(address) = next {
            let page = report("curl", &["--silent", "--show-error", "--fail", "--globoff", &address]).await;
            let values = page["value"].as_array().unwrap().iter();
            numbers.extend(values.map(|customer| customer[number].as_str().unwrap().parse::<usize>().unwrap()));
            addresses.push(address);
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
        }
        assert_eq!(addresses.len(), 20);
        assert_only_the_proxy_was_called(&rig, &json!(addresses));
        assert_eq!(rig.simulator.business_central().customers(&company), Some(numbers.len()));
        let distinct: BTreeSet<usize> = numbers.into_iter().collect();
        assert!(distinct == (0..50_000).map(|index| 10_000 + 10 * index).collect(), "{set}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python-odata"]
async fn python_odata_reads_and_writes_what_the_metadata_describes() {
    for (root, set, number, name) in [
        ("/api", "customers", "number", "displayName"),
        ("/odata", "Customer", "No", "Name"),
        ("/nav/BC/ODataV4", "Customer", "No", "Name"),
    ] {
        let rig = Rig::new().await;
        let address = format!("http://{}{root}", rig.address());
        let report = report("python3", &["python_odata.py", &address, set, number, name, NAME]).await;

        assert_only_the_proxy_was_called(&rig, &report["addresses"]);
        assert!(report["sets"].as_array().unwrap().contains(&json!(set)));
        assert_eq!(report["customers"], Value::from(customers(&rig, &["number", "displayName"]).await));
        let pages = count(&rig, |received| received.target.contains("$skiptoken="));
        assert_eq!(pages, 2, "fifty customers are three pages");
        assert_eq!((&report["created"], &report["updated"]), (&json!(NAME), &json!(format!("{NAME}!"))));
        assert_eq!((&report["too_late"], &report["gone"]), (&json!(409), &json!(true)));
        for (method, times) in [("POST", 1), ("PATCH", 2), ("DELETE", 1)] {
            assert_eq!(count(&rig, |received| received.method == method), times, "{method}");
        }
        assert_eq!(rig.simulator.business_central().writes(), 3, "created, updated and deleted");
    }
}
