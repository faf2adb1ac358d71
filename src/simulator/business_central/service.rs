//! One OData service, API or web services: its documents, and the way from its root to a company's data.

use bytes::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::address::{self, Segment};
use super::batch;
use super::books::{Books, Owner};
use super::catalogue::{STANDARD_API, SUBSCRIPTION, WAREHOUSE_API, WEB_SERVICES};
use super::collection::Collection;
use super::errors::Failure;
use super::metadata;
use super::records::Record;
use super::representation::json_response;
use super::request::{Level, Place, Request};
use super::schema::{Key, Surface, View};
use super::tools::{TOOLS, ToolsMethod};
use super::webhooks;
use crate::simulator::breakage::Breakage;

/// A service at the address one request used.
pub(super) struct Service<'a> {
    pub surface: &'static Surface,
    pub place: &'a Place<'a>,
    /// How much the answer says about itself.
    pub level: Level,
}

/// The service an address below the environment leads to, and what follows it.
pub(super) fn route<'a, 'b>(
    place: &'a Place<'a>,
    segments: &'b [&'b str],
    level: Level,
) -> Option<(Service<'a>, &'b [&'b str])> {
    let (surface, rest) = match segments {
        [api, "v2.0", rest @ ..] if api.eq_ignore_ascii_case("api") => (&STANDARD_API, rest),
        [api, "cronus", "warehouse", "v1.0", rest @ ..]
            if api.eq_ignore_ascii_case("api") && place.settings.broken != Some(Breakage::Route) =>
        {
            (&WAREHOUSE_API, rest)
        }
        [odata, rest @ ..] if odata.eq_ignore_ascii_case("ODataV4") => (&WEB_SERVICES, rest),
        _ => return None,
    };
    Some((Service { surface, place, level }, rest))
}

impl Service<'_> {
    /// Answers what stands below the service's root.
    pub fn answer(&self, books: &mut Books, segments: &[&str], request: &Request) -> Result<Response<Bytes>, Failure> {
        let [first, rest @ ..] = segments else {
            request.expect_read()?;
            return Ok(self.document());
        };
        match segments {
            ["$metadata"] => {
                request.expect_read()?;
                return Ok(metadata::answer(self.surface));
            }
            ["$batch"] => return batch::answer(self, books, request),
            _ => {}
        }
        let companies = self.root_set(self.surface.companies);
        let Segment { name, key } = Segment::parse(first);
        if name == companies.view.set {
            return match key {
                None => companies.answer(books, None, rest, request),
                Some(key) => {
                    let company = self.company(books, key)?;
                    let record = self.company_record(books, company)?;
                    match rest {
                        [] => companies.answer_record(books, &record, request),
                        [next, rest @ ..] => {
                            self.place.expect_permission()?;
                            companies.answer_below(books, &record, next, rest, request)
                        }
                    }
                }
            };
        }
        if let Some(view) = self.surface.root_set(name) {
            let set = self.root_set(view);
            return if std::ptr::eq(view.table, &SUBSCRIPTION) {
                webhooks::answer(&set, books, key, rest, request)
            } else {
                set.answer(books, key, rest, request)
            };
        }
        let company = self.company_named(books, request)?;
        self.place.expect_permission()?;
        if let Some(method) = self.unbound_action(first).filter(|_| rest.is_empty()) {
            return method.answer(self, books, Owner::Company(company), request);
        }
        let record = self.company_record(books, company)?;
        companies.answer_below(books, &record, first, rest, request)
    }

    /// The absolute address of what stands below the service.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}/{}/{path}", self.place.root, self.surface.path)
    }

    /// The annotation that tells what an answer is, unless nothing is to be told.
    pub fn context(&self, fragment: &str) -> Map<String, Value> {
        let context = json!(format!("{}{fragment}", self.absolute("$metadata")));
        let member = (self.level != Level::None).then(|| ("@odata.context".to_owned(), context));
        member.into_iter().collect()
    }

    fn document(&self) -> Response<Bytes> {
        let roots = std::iter::once(self.surface.companies).chain(self.surface.root_sets.iter().copied());
        let sets = roots.chain(self.surface.sets()).map(|view| view.set);
        let sets: Vec<Value> = sets.map(|set| json!({"name": set, "kind": "EntitySet", "url": set})).collect();
        let mut body = self.context("");
        body.insert("value".to_owned(), Value::Array(sets));
        json_response(StatusCode::OK, self.level, &Value::Object(body))
    }

    /// An entity set that belongs to no company.
    fn root_set(&self, view: &'static View) -> Collection<'_> {
        Collection { service: self, view, owner: Owner::Environment, within: None, path: view.set.to_owned() }
    }

    /// The company a path names: by id on an API, by name in the web services, by the other one when that is said.
    fn company(&self, books: &Books, key: &str) -> Result<usize, Failure> {
        let guid = |text: &str| uuid::Uuid::try_parse(text).ok().map(|id| id.to_string());
        let name_or_id = match self.surface.companies.key {
            Key::Id => match key.strip_prefix("name=") {
                Some(name) => address::unquote(name),
                None => guid(key.trim_start_matches("id=")),
            },
            Key::Number => match key.strip_prefix("Id=") {
                Some(id) => guid(id),
                None => address::unquote(key.trim_start_matches("Name=")),
            },
        };
        books.find_company(&name_or_id.ok_or_else(|| Failure::Key(key.to_owned()))?)
    }

    /// The company a request names beside its path: in the query, in a header, or not at all.
    fn company_named(&self, books: &Books, request: &Request) -> Result<usize, Failure> {
        if let Some(company) = request.option("company") {
            // Page services take a quoted name, codeunit actions a bare one.
            return books.find_company(&address::unquote(&company).unwrap_or(company));
        }
        match request.headers.get("company") {
            Some(name) => books.find_company(&String::from_utf8_lossy(name.as_bytes())),
            None => self.place.default_company(books),
        }
    }

    fn unbound_action(&self, name: &str) -> Option<&'static ToolsMethod> {
        let method = name.strip_prefix(TOOLS)?.strip_prefix('_')?;
        ToolsMethod::named(method).filter(|_| self.surface.has_unbound_actions)
    }

    fn company_record(&self, books: &Books, company: usize) -> Result<Record, Failure> {
        let table = self.surface.companies.table;
        let id = books.company(company)?.id;
        books.records(Owner::Environment, table)?.get(id).cloned().ok_or(Failure::NoCompany)
    }
}
