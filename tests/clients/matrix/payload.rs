//! What the programs of the matrix have to send.

use std::path::Path;

use serde_json::json;

pub struct Payload {
    /// The new customer's name.
    pub name: &'static str,
    /// The text of the SOAP call, larger than what a server reads unasked.
    pub text: String,
}

impl Default for Payload {
    fn default() -> Self {
        // No letter that JSON or XML would escape, since what comes back is looked for in whatever wraps it; no space
        // at the end, since some clients trim.
        let text = Self::SENTENCE.repeat(8_000).trim_end().to_owned();
        Self { name: "Größe 100% Åse € Łódź", text }
    }
}

impl Payload {
    /// What the text of the SOAP call begins with.
    pub const SENTENCE: &str = "Grüße aus Łódź, 12 € das Stück. ";

    /// The body of an OData create.
    pub fn customer(&self) -> String {
        json!({ "No": "NEW-1", "Name": self.name }).to_string()
    }

    /// The body of a SOAP call.
    pub fn echo(&self) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">\
             <soap:Body><Echo xmlns=\"urn:microsoft-dynamics-schemas/codeunit/Tools\"><text>{}</text></Echo></soap:Body></soap:Envelope>",
            self.text
        )
    }

    /// Writes the files a program finds in its folder.
    pub fn lay_out(&self, folder: &Path) {
        let (customer, echo) = (self.customer(), self.echo());
        for (file, content) in
            [("customer.json", customer.as_str()), ("echo.xml", &echo), ("name", self.name), ("text", &self.text)]
        {
            std::fs::write(folder.join(file), content).unwrap();
        }
    }
}
