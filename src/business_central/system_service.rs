//! The SOAP service that names all companies of an environment.
//!
//! Source: Business Central, "Using a system service to find companies".

use std::sync::Arc;

use roxmltree::Document;

use super::Company;

/// The answer to its operation `Companies` with the names of these only, everything else byte for byte; `None` for what is no such answer.
pub fn narrowed(answer: &[u8], companies: &[Arc<Company>]) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?;
    let document = Document::parse(text).ok()?;
    let body = document.root_element().children().find(|child| child.tag_name().name() == "Body")?;
    let result = body.children().find(roxmltree::Node::is_element)?;
    if result.tag_name().name() != "Companies_Result" {
        return None;
    }
    let is_one = |name: Option<&str>| companies.iter().any(|company| Some(company.name.as_str()) == name);
    let is_others = |node: &roxmltree::Node<'_, '_>| node.is_element() && !is_one(node.text());
    let mut narrowed = String::with_capacity(text.len());
    let mut position = 0;
    for other in result.children().filter(is_others) {
        narrowed.push_str(text.get(position..other.range().start)?);
        position = other.range().end;
    }
    narrowed.push_str(text.get(position..)?);
    Some(narrowed)
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

    fn answer(names: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\n \
             <Companies_Result xmlns=\"urn:microsoft-dynamics-schemas/nav/system/\">{names}</Companies_Result></s:Body></s:Envelope>"
        )
    }

    #[test]
    fn one_name_is_left() {
        let company = companies(&["A & Söhne"]);
        let own = "<return_value>A &amp; Söhne</return_value>";
        let others = ["<return_value>B</return_value>", "<return_value/>", "<v:x xmlns:v='v'>A</v:x>"];
        for names in [format!("{own}{}", others.concat()), format!("{} {own} ", others.concat()), own.to_owned()] {
            let kept = others.iter().fold(names.clone(), |names, other| names.replace(other, ""));
            assert_eq!(narrowed(answer(&names).as_bytes(), &company), Some(answer(&kept)));
        }
        assert_eq!(narrowed(answer(others[0]).as_bytes(), &company), Some(answer("")));
        let both = [own, others[0]].concat();
        let all = answer(&[&both, others[1]].concat());
        assert_eq!(narrowed(all.as_bytes(), &companies(&["B", "A & Söhne"])), Some(answer(&both)));
    }

    #[test]
    fn what_is_no_such_answer_is_none() {
        let company = companies(&["A"]);
        let other = answer("").replace("Companies_Result", "Other_Result");
        for text in ["", "{}", "<a/>", other.as_str(), "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"] {
            assert_eq!(narrowed(text.as_bytes(), &company), None, "{text}");
        }
        assert_eq!(narrowed(b"\xff", &company), None);
    }
}
