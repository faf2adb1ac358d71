//! How data is described: columns, tables, and the views under which each surface shows them. `catalogue` holds the descriptions.

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
pub(super) struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// Whether clients may set it.
    pub writable: bool,
}

/// A table. Every one has the columns `id` and `lastModifiedDateTime`.
#[derive(Debug)]
pub(super) struct Table {
    /// In the words of error messages: "Customer".
    pub name: &'static str,
    /// The column a person tells records apart by, unique where it is a text.
    pub number: &'static str,
    /// What a number given by the system begins with.
    pub number_series: &'static str,
    pub columns: &'static [Column],
}

/// How records are addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// `customers({guid})`
    Id,
    /// `Customer('10000')`
    Number,
}

/// A table as one surface shows it.
#[derive(Debug)]
pub(super) struct View {
    /// The entity set or web service: `customers`, `Customer`.
    pub set: &'static str,
    /// The type of one record: `customer`, `Customer`.
    pub entity: &'static str,
    pub table: &'static Table,
    pub key: Key,
    /// The field's name on this surface, and the column behind it.
    pub fields: &'static [(&'static str, &'static str)],
    pub navigations: &'static [Navigation],
    /// Bound actions, without their namespace. All of them set the status.
    pub actions: &'static [Action],
}

/// A bound action: its name, and the status it leaves the record in.
#[derive(Debug)]
pub(super) struct Action {
    pub name: &'static str,
    pub status: &'static str,
}

/// What a record leads to.
#[derive(Debug)]
pub(super) enum Navigation {
    /// From a company to one of its entity sets.
    Set(&'static View),
    /// To records that hold this one's id in a column: the lines of an order.
    Lines(&'static View, &'static str),
    Media(&'static Media),
}

/// A file that belongs to a record: described at `items({id})/picture`, its bytes at `items({id})/picture/pictureContent`.
#[derive(Debug)]
pub(super) struct Media {
    pub name: &'static str,
    /// The property that stands for the bytes.
    pub content: &'static str,
    /// The type of the describing entity.
    pub entity: &'static str,
    pub parent: &'static str,
    pub content_type: &'static str,
    pub writable: bool,
}

/// One OData service: an API, or the web services.
#[derive(Debug)]
pub(super) struct Surface {
    /// Its address below the environment.
    pub path: &'static str,
    /// The namespace of its types and bound actions.
    pub namespace: &'static str,
    /// The companies; their navigations are the entity sets that belong to a company.
    pub companies: &'static View,
    /// Entity sets that belong to no company, besides the companies.
    pub root_sets: &'static [&'static View],
    /// Whether the codeunit's methods can be called as unbound actions.
    pub has_unbound_actions: bool,
    /// What a nextLink says before `$skiptoken`.
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

impl View {
    /// The column behind a field.
    pub fn column(&self, field: &str) -> Option<&'static Column> {
        let (_, column) = self.fields.iter().find(|(name, _)| *name == field)?;
        self.table.columns.iter().find(|known| known.name == *column)
    }

    pub fn navigation(&self, name: &str) -> Option<&'static Navigation> {
        self.navigations.iter().find(|navigation| navigation.name() == name)
    }

    /// The field that is the key.
    pub fn key_field(&self) -> &'static str {
        let column = match self.key {
            Key::Id => "id",
            Key::Number => self.table.number,
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

    /// What the records at the other end look like, where it is records.
    pub fn view(&self) -> Option<&'static View> {
        match self {
            Self::Set(view) | Self::Lines(view, _) => Some(view),
            Self::Media(_) => None,
        }
    }
}

impl Surface {
    /// The entity sets that belong to a company.
    pub fn sets(&self) -> impl Iterator<Item = &'static View> {
        self.companies.navigations.iter().filter_map(|navigation| match navigation {
            Navigation::Set(view) => Some(*view),
            _ => None,
        })
    }

    pub fn root_set(&self, name: &str) -> Option<&'static View> {
        self.root_sets.iter().copied().find(|view| view.set == name)
    }
}
