//! The entry point of an OData service.

use bytes::Bytes;
use hyper::Response;

use super::batch;
use super::service::ODataService;
use crate::simulator::business_central::data::database::Database;
use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::business_central::request::ServiceRequest;

/// Answers a request to `segments` below the root of a service.
pub fn respond(
    service: &ODataService,
    database: &mut Database,
    segments: &[&str],
    request: &ServiceRequest,
) -> Result<Response<Bytes>, BusinessCentralError> {
    match segments {
        ["$batch"] => batch::respond(service, database, request),
        _ => service.respond(database, segments, request),
    }
}
