//! `$metadata`: the description of a service in CSDL. Its namespace names look like URLs, but must not be rewritten.

use bytes::Bytes;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use crate::simulator::business_central::data::schema::{ColumnKind, EntityView, Media, Navigation, ODataSurface};
use crate::simulator::business_central::tools::{METHODS, TOOLS};

/// The CSDL document of a surface.
pub(super) fn respond(surface: &'static ODataSurface) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(csdl(surface)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert("odata-version", HeaderValue::from_static("4.0"));
    response
}

fn csdl(surface: &'static ODataSurface) -> String {
    let namespace = surface.namespace;
    let sets: Vec<&EntityView> =
        std::iter::once(surface.companies).chain(surface.root_sets.iter().copied()).chain(surface.sets()).collect();
    let below: Vec<&Navigation> = surface.sets().flat_map(|view| view.navigations).collect();
    let lines = below.iter().filter_map(|navigation| navigation.view());
    let types: String = sets.iter().copied().chain(lines).map(|view| entity_type(view, namespace)).collect();
    let media: String = below
        .iter()
        .filter_map(|navigation| match navigation {
            Navigation::Media(media) => Some(media_type(media)),
            _ => None,
        })
        .collect();
    let bound: String = surface.sets().map(|view| bound_actions(view, namespace)).collect();
    let entity_sets: String = sets
        .iter()
        .map(|view| {
            let bindings: String = view
                .navigations
                .iter()
                .filter_map(|navigation| match navigation {
                    Navigation::Set(target) => {
                        Some(format!("<NavigationPropertyBinding Path=\"{0}\" Target=\"{0}\"/>", target.set))
                    }
                    _ => None,
                })
                .collect();
            format!(
                "<EntitySet Name=\"{}\" EntityType=\"{namespace}.{}\">{bindings}</EntitySet>",
                view.set, view.entity
            )
        })
        .collect();
    let (unbound, imports) = if surface.has_unbound_actions { unbound_actions(namespace) } else { Default::default() };
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\"><edmx:DataServices>\
         <Schema Namespace=\"{namespace}\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">{types}{media}{bound}{unbound}\
         <EntityContainer Name=\"NAV\">{entity_sets}{imports}</EntityContainer>\
         </Schema></edmx:DataServices></edmx:Edmx>"
    )
}

fn entity_type(view: &EntityView, namespace: &str) -> String {
    let properties: String = view
        .fields
        .iter()
        .map(|(field, _)| {
            let length = match view.column(field).map(|column| column.kind) {
                Some(ColumnKind::Text(length)) => format!(" MaxLength=\"{length}\""),
                _ => String::new(),
            };
            format!("<Property Name=\"{field}\" Type=\"{}\"{length}/>", edm_type(view, field))
        })
        .collect();
    let navigations: String = view
        .navigations
        .iter()
        .map(|navigation| {
            let name = navigation.name();
            let target = match navigation {
                Navigation::Set(target) | Navigation::Lines(target, _) => {
                    format!("Collection({namespace}.{})", target.entity)
                }
                Navigation::Media(media) => format!("{namespace}.{}", media.entity),
            };
            format!("<NavigationProperty Name=\"{name}\" Type=\"{target}\" ContainsTarget=\"true\"/>")
        })
        .collect();
    let key = view.key_field();
    format!(
        "<EntityType Name=\"{}\"><Key><PropertyRef Name=\"{key}\"/></Key>{properties}{navigations}</EntityType>",
        view.entity
    )
}

fn media_type(media: &Media) -> String {
    format!(
        "<EntityType Name=\"{}\"><Key><PropertyRef Name=\"id\"/></Key><Property Name=\"id\" Type=\"Edm.Guid\"/>\
         <Property Name=\"parentType\" Type=\"Edm.String\"/><Property Name=\"contentType\" Type=\"Edm.String\"/>\
         <Property Name=\"{}\" Type=\"Edm.Stream\"/></EntityType>",
        media.entity, media.content
    )
}

fn bound_actions(view: &EntityView, namespace: &str) -> String {
    let action = |name: &str| {
        format!(
            "<Action Name=\"{name}\" IsBound=\"true\"><Parameter Name=\"bindingParameter\" Type=\"{namespace}.{}\"/></Action>",
            view.entity
        )
    };
    view.actions.iter().map(|known| action(known.name)).collect()
}

/// The actions for the methods of the codeunit, and the imports that make them callable at the root of the service.
fn unbound_actions(namespace: &str) -> (String, String) {
    let text = "Type=\"Edm.String\" Nullable=\"false\"";
    METHODS
        .iter()
        .map(|method| {
            let (name, parameter) = (format!("{TOOLS}_{}", method.name), method.parameter);
            (
                format!(
                    "<Action Name=\"{name}\"><Parameter Name=\"{parameter}\" {text}/><ReturnType {text}/></Action>"
                ),
                format!("<ActionImport Name=\"{name}\" Action=\"{namespace}.{name}\"/>"),
            )
        })
        .unzip()
}

fn edm_type(view: &EntityView, field: &str) -> &'static str {
    match view.column(field).map(|column| column.kind) {
        Some(ColumnKind::Decimal) => "Edm.Decimal",
        Some(ColumnKind::Integer) => "Edm.Int64",
        Some(ColumnKind::Boolean) => "Edm.Boolean",
        Some(ColumnKind::Guid) => "Edm.Guid",
        Some(ColumnKind::Date) => "Edm.Date",
        Some(ColumnKind::DateTime) => "Edm.DateTimeOffset",
        Some(ColumnKind::Text(_)) | None => "Edm.String",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::business_central::data::views::STANDARD_API;
    use crate::simulator::business_central::data::views::WAREHOUSE_API;
    use crate::simulator::business_central::data::views::WEB_SERVICES;

    #[test]
    fn every_referenced_type_is_described_once() {
        for surface in [&STANDARD_API, &WAREHOUSE_API, &WEB_SERVICES] {
            let csdl = csdl(surface);
            let document = roxmltree::Document::parse(&csdl).unwrap();
            let types: Vec<&str> = document
                .descendants()
                .filter(|node| node.tag_name().name() == "EntityType")
                .filter_map(|node| node.attribute("Name"))
                .collect();
            let uses =
                document.descendants().filter_map(|node| node.attribute("EntityType").or(node.attribute("Type")));
            for used in uses.filter(|used| !used.starts_with("Edm.")) {
                let used = used.trim_start_matches("Collection(").trim_end_matches(')');
                let name = used.strip_prefix(surface.namespace).and_then(|name| name.strip_prefix('.')).unwrap();
                assert_eq!(types.iter().filter(|known| **known == name).count(), 1, "{used}");
            }
        }
    }
}
