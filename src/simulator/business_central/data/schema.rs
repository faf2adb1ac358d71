//! The schema types: columns, tables, and their views on each surface. `tables` and `views` have the instances.

/// The type of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// A text of at most this many characters.
    Text(usize),
    Decimal,
    Integer,
    Boolean,
    Guid,
    Date,
    DateTime,
}

/// A column of a table.
#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: ColumnKind,
    /// Whether clients may set it.
    pub writable: bool,
}

/// A table. Every one has the columns `id` and `lastModifiedDateTime`.
#[derive(Debug)]
pub struct Table {
    /// The name in error messages: "Customer".
    pub name: &'static str,
    /// The column by which users identify a record. Texts are unique.
    pub number: &'static str,
    /// The prefix of assigned numbers.
    pub number_series: &'static str,
    pub columns: &'static [Column],
}

/// The key in the URL of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// The ID: `customers({guid})`.
    Id,
    /// The number: `Customer('10000')`.
    Number,
}

/// The view of a table on one surface.
#[derive(Debug)]
pub struct EntityView {
    /// The entity set or web service: `customers`, `Customer`.
    pub set: &'static str,
    /// The type of one record: `customer`, `Customer`.
    pub entity: &'static str,
    pub table: &'static Table,
    pub key: KeyKind,
    /// The name of each field on this surface, and its column.
    pub fields: &'static [(&'static str, &'static str)],
    pub navigations: &'static [Navigation],
    /// The bound actions, all of which set the status.
    pub actions: &'static [Action],
}

/// A bound action: its name without the namespace, and the new status of the record.
#[derive(Debug)]
pub struct Action {
    pub name: &'static str,
    pub status: &'static str,
}

/// A navigation from a record.
#[derive(Debug)]
pub enum Navigation {
    /// From a company to one of its entity sets.
    Set(&'static EntityView),
    /// From a record to those with its ID in a column, such as the lines of an order.
    Lines(&'static EntityView, &'static str),
    /// From a record to its file.
    Media(&'static Media),
}

/// A file of a record: an entity at `items({id})/picture` and its bytes at `items({id})/picture/pictureContent`.
#[derive(Debug)]
pub struct Media {
    pub name: &'static str,
    /// The property of the bytes.
    pub content: &'static str,
    /// The type of the describing entity.
    pub entity: &'static str,
    pub parent: &'static str,
    pub content_type: &'static str,
    pub writable: bool,
}

/// The contents of an OData service: an API, or the web services.
#[derive(Debug)]
pub struct ODataSurface {
    /// The path below the environment.
    pub path: &'static str,
    /// The namespace of its types and bound actions.
    pub namespace: &'static str,
    /// The companies. Their navigations are the entity sets of a company.
    pub companies: &'static EntityView,
    /// The other entity sets that belong to no company.
    pub root_sets: &'static [&'static EntityView],
    /// Whether the codeunit's methods can be called as unbound actions.
    pub has_unbound_actions: bool,
    /// The options before `$skiptoken` in a nextLink.
    pub link_options: &'static str,
}

impl Table {
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known.name == column)
    }

    /// Whether clients may create, change and delete records.
    pub fn is_writable(&self) -> bool {
        self.columns.iter().any(|column| column.writable)
    }
}

impl EntityView {
    /// The column of a field.
    pub fn column(&self, field: &str) -> Option<&'static Column> {
        let (_, column) = self.fields.iter().find(|(name, _)| *name == field)?;
        self.table.columns.iter().find(|known| known.name == *column)
    }

    pub fn navigation(&self, name: &str) -> Option<&'static Navigation> {
        self.navigations.iter().find(|navigation| navigation.name() == name)
    }

    /// The name of the key field.
    pub fn key_field(&self) -> &'static str {
        let column = match self.key {
            KeyKind::Id => "id",
            KeyKind::Number => self.table.number,
        };
        self.fields.iter().find(|(_, known)| *known == column).map_or(column, |(field, _)| field)
    }
}

impl Navigation {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Set(view) | Self::Lines(view, _) => view.set,
            Self::Media(media) => media.name,
        }
    }

    /// The view of the target records; `None` for a file.
    pub fn view(&self) -> Option<&'static EntityView> {
        match self {
            Self::Set(view) | Self::Lines(view, _) => Some(view),
            Self::Media(_) => None,
        }
    }
}

impl ODataSurface {
    /// The entity sets of a company.
    pub fn sets(&self) -> impl Iterator<Item = &'static EntityView> {
        self.companies.navigations.iter().filter_map(|navigation| match navigation {
            Navigation::Set(view) => Some(*view),
            _ => None,
        })
    }

    pub fn root_set(&self, name: &str) -> Option<&'static EntityView> {
        self.root_sets.iter().copied().find(|view| view.set == name)
    }
}
