//! The SOAP web services.

use hyper::StatusCode;

use crate::World;

const CUSTOMER_NAMESPACE: &str = "urn:microsoft-dynamics-schemas/page/customer";

/// The text of the first element with this name.
fn xml_text(xml: &str, name: &str) -> String {
    let document = roxmltree::Document::parse(xml).unwrap();
    let element = document.descendants().find(|node| node.tag_name().name() == name);
    element.and_then(|node| node.text()).unwrap_or_default().to_owned()
}

fn count(xml: &str, element: &str) -> usize {
    xml.matches(&format!("<{element}>")).count()
}

#[tokio::test]
async fn a_page_can_be_read_and_written_over_soap() {
    let world = World::new().await;
    let page =
        |operation: &str, inner: &str| format!("<{operation} xmlns='{CUSTOMER_NAMESPACE}'>{inner}</{operation}>");
    let call = async |operation: &str, inner: &str| world.soap_result("Page/Customer", &page(operation, inner)).await;

    let found = call("Read", "<No>10020</No>").await;
    assert_eq!(xml_text(&found, "Name"), "Größe <M> & \"Söhne\" Åse's");
    assert_eq!(count(&call("Read", "<No>none</No>").await, "Customer"), 0);

    let filter = "<filter><Field>No</Field><Criteria>10100..10190</Criteria></filter>";
    let first = call("ReadMultiple", &format!("{filter}<bookmarkKey/><setSize>7</setSize>")).await;
    assert_eq!(count(&first, "Customer"), 7);
    let key = first.rsplit("<Key>").next().unwrap().split('<').next().unwrap();
    let rest = call("ReadMultiple", &format!("{filter}<bookmarkKey>{key}</bookmarkKey><setSize>7</setSize>")).await;
    assert_eq!(count(&rest, "Customer"), 3);
    assert_eq!(count(&call("ReadMultiple", "<setSize>0</setSize>").await, "Customer"), 50);

    let created =
        call("Create", "<Customer><Name>A &amp; B</Name><Credit_Limit_LCY>12.5</Credit_Limit_LCY></Customer>").await;
    let key = xml_text(&created, "Key");
    let update = format!("<Customer><Key>{key}</Key><City>Graz</City></Customer>");
    let updated = call("Update", &update).await;
    assert_eq!((xml_text(&updated, "Name"), xml_text(&updated, "City")), ("A & B".into(), "Graz".into()));
    assert!(call("IsUpdated", &format!("<Key>{key}</Key>")).await.contains(">true<"));

    let stale = world.soap("Page/Customer", &page("Update", &update)).await;
    assert_eq!(stale.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(stale.headers()["content-type"], "text/xml; charset=utf-8");
    assert_eq!(xml_text(&stale.text().await.unwrap(), "faultstring"), "Another user has already changed the record.");

    let key = xml_text(&updated, "Key");
    assert!(call("Delete", &format!("<Key>{key}</Key>")).await.contains(">true<"));
    assert_eq!(world.simulator.business_central().customers("CRONUS International Ltd."), Some(50));
    assert_eq!(world.simulator.business_central().writes(), 3);
}

#[tokio::test]
async fn several_records_are_written_as_one_transaction() {
    let world = World::new().await;
    let page = |operation: &str, records: &str| {
        format!("<{operation} xmlns='{CUSTOMER_NAMESPACE}'><Customer_List>{records}</Customer_List></{operation}>")
    };
    let two = "<Customer><Name>A</Name></Customer><Customer><Name>B</Name></Customer>";
    let created = world.soap_result("Page/Customer", &page("CreateMultiple", two)).await;
    assert_eq!(count(&created, "Customer"), 2);
    assert_eq!(count(&created, "Customer_List"), 1);
    let mut keys = created.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap());
    let (first, second) = (keys.next().unwrap(), keys.next().unwrap());
    let change = |key: &str, city: &str| format!("<Customer><Key>{key}</Key><City>{city}</City></Customer>");
    let changes = change(first, "Graz") + &change(second, "Wien");
    let updated = world.soap_result("Page/Customer", &page("UpdateMultiple", &changes)).await;
    assert!(updated.contains("Graz") && updated.contains("Wien"), "{updated}");
    let writes = world.simulator.business_central().writes();
    let half = "<Customer><Name>C</Name></Customer><Customer><No>10000</No></Customer>";
    let rejected = world.soap("Page/Customer", &page("CreateMultiple", half)).await;
    assert_eq!(rejected.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(world.simulator.business_central().writes(), writes);
    assert_eq!(world.simulator.business_central().customers("CRONUS International Ltd."), Some(52));
}

#[tokio::test]
async fn malformed_calls_get_a_fault() {
    let world = World::new().await;
    let unknown = world.soap("Page/Customer", &format!("<Explode xmlns='{CUSTOMER_NAMESPACE}'/>")).await;
    assert_eq!(unknown.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let url = format!("{}/WS/CRONUS%20International%20Ltd./Page/Customer", world.root());
    let empty = world.client.post(url).bearer_auth(world.token().await).send().await.unwrap();
    assert_eq!(empty.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(empty.text().await.unwrap().contains("<faultcode"));
    let nested = format!("<Read xmlns='{CUSTOMER_NAMESPACE}'>{}", "<a>".repeat(200_000));
    assert_eq!(world.soap("Page/Customer", &nested).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let misspelt = world.get(&format!("{}/WS/CRONUS/Page/Customer", world.root())).await;
    assert_eq!(misspelt.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn codeunit_methods_are_counted() {
    let world = World::new().await;
    let tools = "xmlns='urn:microsoft-dynamics-schemas/codeunit/Tools'";
    let echo = format!("<Echo {tools}><text>ä &lt; &#x1F600;</text></Echo>");
    assert_eq!(xml_text(&world.soap_result("Codeunit/Tools", &echo).await, "return_value"), "ä < 😀");
    let post = format!("<PostOrder {tools}><no>S-ORD101001</no></PostOrder>");
    for _ in 0..2 {
        world.soap_result("Codeunit/Tools", &post).await;
    }
    let unknown = format!("<PostOrder {tools}><no>none</no></PostOrder>");
    assert_eq!(world.soap("Codeunit/Tools", &unknown).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(world.simulator.business_central().codeunit_calls("PostOrder"), 2);
}

#[tokio::test]
async fn descriptions_contain_absolute_urls() {
    let world = World::new().await;
    let root = world.root();
    let service = format!("{root}/WS/M%C3%BCller%20%26%20S%C3%B6hne%27s%20Gro%C3%9Fhandel/Page/Customer");
    let wsdl = world.get(&format!("{service}?wsdl")).await.text().await.unwrap();
    assert!(wsdl.contains(&format!("<address location=\"{service}\" xmlns=")), "{wsdl}");
    let codeunit = format!("{root}/WS/CRONUS%20International%20Ltd./Codeunit/Tools");
    for (description, mark) in [
        ("", format!("<soap:address location=\"{codeunit}\"/>")),
        ("?wsdl", format!("schemaLocation=\"{codeunit}?xsd=xsd0\"")),
        ("?xsd=xsd0", format!("<xsd:include schemaLocation=\"{codeunit}?xsd=xsd1\"/>")),
        ("?xsd=xsd1", "name=\"PostOrder_Result\"".to_owned()),
    ] {
        let description = world.get(&format!("{codeunit}{description}")).await.text().await.unwrap();
        assert!(description.contains(&mark), "{description}");
    }
    assert_eq!(world.get(&format!("{codeunit}?xsd=xsd2")).await.status(), StatusCode::NOT_FOUND);
    let discovery = world.get(&format!("{root}/WS/CRONUS%20International%20Ltd./Services")).await.text().await.unwrap();
    assert!(discovery.contains(&format!("ref=\"{root}/WS/CRONUS International Ltd./Codeunit/Tools\"")), "{discovery}");
    let url = format!("{root}/WS/SystemService");
    let body = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body>\
                <Companies xmlns='urn:microsoft-dynamics-schemas/nav/system/'/></e:Body></e:Envelope>";
    let request = world.client.post(url).bearer_auth(world.token().await).header("content-type", "text/xml").body(body);
    let companies = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(count(&companies, "return_value"), 3);
}
