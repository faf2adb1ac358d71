//! The surfaces of Business Central that a route can lead to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The target of a route, its `to:`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Surface {
    /// Microsoft's standard API or a custom one: `api/v2.0`, `api/{publisher}/{group}/{version}`.
    Api(ApiPath),
    /// Pages and queries published as OData V4 web services.
    OData,
    /// Pages and codeunits published as SOAP web services.
    Soap,
    /// The addresses of an on-premises server, for legacy programs.
    Nav,
    /// Any path below the environment, not confined to a company.
    Environment,
}

/// The path of an API below the environment, without slashes at its ends: `api/v2.0` or
/// `api/{publisher}/{group}/{version}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApiPath(Arc<str>);

/// The error for a text that is not a surface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a route leads to one of: api/v2.0, api/{{publisher}}/{{group}}/{{version}}, odata, soap, nav, environment")]
pub struct SurfaceError;

impl ApiPath {
    /// The API at these segments below `api`: a version, or publisher, group and version.
    pub fn below_api(segments: &[&str]) -> Option<Self> {
        let is_plain = |segment: &&str| {
            segment.starts_with(|first: char| first.is_ascii_alphanumeric())
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let path = match segments {
            [version] => ["api", version].join("/"),
            [publisher, group, version] => ["api", publisher, group, version].join("/"),
            _ => return None,
        };
        segments.iter().all(is_plain).then(|| Self(path.into()))
    }

    /// The path: `api/v2.0`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment, such as `v2.0`, which some clients repeat.
    pub fn version(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl FromStr for Surface {
    type Err = SurfaceError;

    fn from_str(text: &str) -> Result<Self, SurfaceError> {
        match text.split('/').collect::<Vec<_>>().as_slice() {
            ["odata"] => Ok(Self::OData),
            ["soap"] => Ok(Self::Soap),
            ["nav"] => Ok(Self::Nav),
            ["environment"] => Ok(Self::Environment),
            ["api", below @ ..] => ApiPath::below_api(below).map(Self::Api).ok_or(SurfaceError),
            _ => Err(SurfaceError),
        }
    }
}

impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api(path) => path.as_str(),
            Self::OData => "odata",
            Self::Soap => "soap",
            Self::Nav => "nav",
            Self::Environment => "environment",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surfaces_round_trip() {
        for text in ["api/v2.0", "api/contoso/warehouse/v1.0", "odata", "soap", "nav", "environment"] {
            assert_eq!(text.parse::<Surface>().unwrap().to_string(), text);
        }
        for text in ["", "api", "api/", "api/a/b", "api/../x/y", "OData", "api/v2.0/"] {
            assert_eq!(text.parse::<Surface>(), Err(SurfaceError), "{text}");
        }
    }
}
