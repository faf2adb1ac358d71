//! The SOAP service that lists all companies of an environment.
//!
//! Source: Business Central, "Using a system service to find companies".

use std::sync::Arc;

use roxmltree::Document;

use super::Company;

/// The response to `Companies` with only the names of these companies, otherwise unchanged; `None` for any other
/// response.
pub fn filter_companies(response: &[u8], companies: &[Arc<Company>]) -> Option<String> {
    let text = std::str::from_utf8(response).ok()?;
    let document = Document::parse(text).ok()?;
    let body = document.root_element().children().find(|child| child.tag_name().name() == "Body")?;
    let result = body.children().find(roxmltree::Node::is_element)?;
    if result.tag_name().name() != "Companies_Result" {
        return None;
    }
    let is_listed = |name: Option<&str>| companies.iter().any(|company| Some(company.name.as_str()) == name);
    let is_other = |node: &roxmltree::Node<'_, '_>| node.is_element() && !is_listed(node.text());
    let mut filtered = String::with_capacity(text.len());
    let mut position = 0;
    for other in result.children().filter(is_other) {
        filtered.push_str(text.get(position..other.range().start)?);
        position = other.range().end;
    }
    filtered.push_str(text.get(position..)?);
    Some(filtered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn companies(names: &[&str]) -> Vec<Arc<Company>> {
        let company = |name: &&str| Company {
            id: uuid::Uuid::nil().into(),
            name: name.parse().unwrap(),
            display_name: String::new(),
        };
        names.iter().map(company).map(Arc::new).collect()
    }

    fn response(names: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\n \
             <Companies_Result xmlns=\"urn:microsoft-dynamics-schemas/nav/system/\">{names}</Companies_Result></s:Body></s:Envelope>"
        )
    }

    #[test]
    fn only_the_routes_companies_are_left() {
        let company = companies(&["A & Söhne"]);
        let own = "<return_value>A &amp; Söhne</return_value>";
        let others = ["<return_value>B</return_value>", "<return_value/>", "<v:x xmlns:v='v'>A</v:x>"];
        for names in [format!("{own}{}", others.concat()), format!("{} {own} ", others.concat()), own.to_owned()] {
            let left = others.iter().fold(names.clone(), |names, other| names.replace(other, ""));
            assert_eq!(filter_companies(response(&names).as_bytes(), &company), Some(response(&left)));
        }
        assert_eq!(filter_companies(response(others[0]).as_bytes(), &company), Some(response("")));
        let both = [own, others[0]].concat();
        let all = response(&[&both, others[1]].concat());
        assert_eq!(filter_companies(all.as_bytes(), &companies(&["B", "A & Söhne"])), Some(response(&both)));
    }

    #[test]
    fn other_documents_are_none() {
        let company = companies(&["A"]);
        let other = response("").replace("Companies_Result", "Other_Result");
        for text in ["", "{}", "<a/>", other.as_str(), "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"] {
            assert_eq!(filter_companies(text.as_bytes(), &company), None, "{text}");
        }
        assert_eq!(filter_companies(b"\xff", &company), None);
    }
}
