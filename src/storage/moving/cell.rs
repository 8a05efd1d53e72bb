//! Values on their way from one database to another.

use std::error::Error;

use bytes::BytesMut;
use rusqlite::types::ValueRef;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::domain::store::{Result, StoreError};

/// What a column holds at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Small,
    Int,
    Big,
    Real,
    Text,
    Bytes,
    Uid,
    /// A comment: a row number and a moment at the source, a uid at the destination.
    Comment,
}

impl Kind {
    pub(super) const fn at_destination(self) -> Type {
        match self {
            Self::Bool => Type::BOOL,
            Self::Small => Type::INT2,
            Self::Int => Type::INT4,
            Self::Big => Type::INT8,
            Self::Real => Type::FLOAT8,
            Self::Text => Type::TEXT,
            Self::Bytes => Type::BYTEA,
            Self::Uid | Self::Comment => Type::UUID,
        }
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Small(i16),
    Int(i32),
    Big(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
    Uid(Uuid),
}

impl Cell {
    /// What SQLite holds, as what it is to be; `place` names it when it does not fit.
    pub(super) fn of_sqlite(kind: Kind, value: ValueRef<'_>, place: &dyn Fn() -> String) -> Result<Self> {
        let damaged = || StoreError::Corrupt(format!("{}: {value:?} is no {kind:?}", place()));
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| damaged());
        Ok(match (kind, value) {
            (_, ValueRef::Null) => Self::Null,
            (Kind::Bool, ValueRef::Integer(value)) => Self::Bool(value != 0),
            (Kind::Small, ValueRef::Integer(value)) => Self::Small(value.try_into().map_err(|_| damaged())?),
            (Kind::Int, ValueRef::Integer(value)) => Self::Int(value.try_into().map_err(|_| damaged())?),
            (Kind::Big, ValueRef::Integer(value)) => Self::Big(value),
            (Kind::Real, ValueRef::Real(value)) => Self::Real(value),
            // PostgreSQL has no text with a NUL in it.
            (Kind::Text, ValueRef::Text(value)) => Self::Text(text(value)?.replace('\0', "\u{fffd}")),
            (Kind::Bytes, ValueRef::Blob(value)) => Self::Bytes(value.to_vec()),
            (Kind::Uid, ValueRef::Blob(value)) => Self::Uid(Uuid::from_slice(value).map_err(|_| damaged())?),
            (
                Kind::Bool
                | Kind::Small
                | Kind::Int
                | Kind::Big
                | Kind::Real
                | Kind::Text
                | Kind::Bytes
                | Kind::Uid
                | Kind::Comment,
                _,
            ) => return Err(damaged()),
        })
    }

    /// What PostgreSQL holds.
    pub(super) fn of_postgres(kind: Kind, row: &tokio_postgres::Row, at: usize) -> Result<Self> {
        macro_rules! read {
            ($as:ident) => {
                row.try_get::<_, Option<_>>(at).map(|value| value.map_or(Self::Null, Self::$as))
            };
        }
        let read = match kind {
            Kind::Bool => read!(Bool),
            Kind::Small => read!(Small),
            Kind::Int => read!(Int),
            Kind::Big => read!(Big),
            Kind::Real => read!(Real),
            Kind::Text => read!(Text),
            Kind::Bytes => read!(Bytes),
            Kind::Uid | Kind::Comment => read!(Uid),
        };
        read.map_err(|error| StoreError::Corrupt(error.to_string()))
    }

    /// Roughly how many bytes it takes on its way.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Small(_) | Self::Int(_) | Self::Big(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Uid(_) => 16,
        }
    }

    /// The same bytes for the same value, and for no other one.
    fn write(&self, out: &mut Vec<u8>) {
        let mut sized = |tag: u8, bytes: &[u8]| {
            out.push(tag);
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(bytes);
        };
        match self {
            Self::Null => sized(0, &[]),
            Self::Bool(value) => sized(1, &[u8::from(*value)]),
            Self::Small(value) => sized(2, &value.to_le_bytes()),
            Self::Int(value) => sized(3, &value.to_le_bytes()),
            Self::Big(value) => sized(4, &value.to_le_bytes()),
            Self::Real(value) => sized(5, &value.to_bits().to_le_bytes()),
            Self::Text(text) => sized(6, text.as_bytes()),
            Self::Bytes(bytes) => sized(7, bytes),
            Self::Uid(uid) => sized(8, uid.as_bytes()),
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(value) => value.to_sql(kind, out),
            Self::Small(value) => value.to_sql(kind, out),
            Self::Int(value) => value.to_sql(kind, out),
            Self::Big(value) => value.to_sql(kind, out),
            Self::Real(value) => value.to_sql(kind, out),
            Self::Text(value) => value.to_sql(kind, out),
            Self::Bytes(value) => value.to_sql(kind, out),
            Self::Uid(value) => value.to_sql(kind, out),
        }
    }

    /// Columns are compared with what is to be written into them before anything is.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// How many rows, and a checksum over them that does not depend on their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    pub rows: u64,
    pub checksum: u64,
}

impl Sum {
    /// Adds a row of that table.
    pub(super) fn add(&mut self, table: &str, row: &[Cell], buffer: &mut Vec<u8>) {
        buffer.clear();
        for cell in row {
            cell.write(buffer);
        }
        self.rows += 1;
        self.checksum = self.checksum.wrapping_add(xxh3_64_with_seed(buffer, xxh3_64(table.as_bytes())));
    }

    /// Both together.
    pub(super) const fn and(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, checksum: self.checksum.wrapping_add(other.checksum) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[&[Cell]]) -> Sum {
        let (mut sum, mut buffer) = (Sum::default(), Vec::new());
        for row in rows {
            sum.add("t", row, &mut buffer);
        }
        sum
    }

    #[test]
    fn a_checksum_depends_on_every_value_and_on_no_order() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let (one, other) = ([Cell::Int(1), text("a")], [Cell::Int(2), text("b")]);
        assert_eq!(sum(&[&one, &other]), sum(&[&other, &one]));
        for changed in [
            [Cell::Int(1), text("c")],
            [Cell::Big(1), text("a")],
            [Cell::Int(1), Cell::Null],
            [Cell::Null, text("a")],
            [text("a"), Cell::Int(1)],
        ] {
            assert_ne!(sum(&[&one, &other]), sum(&[&changed, &other]), "{changed:?}");
        }
        assert_ne!(sum(&[&[text("ab"), text("c")]]), sum(&[&[text("a"), text("bc")]]));
        assert_ne!(sum(&[&one]), sum(&[&one, &one]));
    }

    #[test]
    fn what_does_not_fit_is_damage() {
        let read = |kind, value| Cell::of_sqlite(kind, value, &|| "t.c".to_owned());
        assert!(read(Kind::Small, ValueRef::Integer(70_000)).is_err());
        assert!(read(Kind::Uid, ValueRef::Blob(b"short")).is_err());
        assert!(read(Kind::Text, ValueRef::Integer(1)).is_err());
        assert_eq!(read(Kind::Bool, ValueRef::Integer(1)).unwrap(), Cell::Bool(true));
        assert_eq!(read(Kind::Text, ValueRef::Null).unwrap(), Cell::Null);
    }
}
