//! Cells of this module's tables: both parts in one column.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use crate::desk::cell::{self, Cell, CellKey, Place, WRAPPED};

pub(super) fn join(cell: &Cell) -> Vec<u8> {
    [&cell.wrapped[..], &cell.body].concat()
}

pub(super) fn split(bytes: &[u8]) -> Result<Cell, Error> {
    let (wrapped, body) = bytes.split_at_checked(WRAPPED).ok_or(Error::Damaged("cell"))?;
    Ok(Cell {
        wrapped: wrapped.to_vec(),
        body: body.to_vec(),
    })
}

pub(super) fn seal(key: &CellKey, place: Place<'_>, value: &impl Serialize) -> Result<Vec<u8>, Error> {
    Ok(join(&cell::seal(key, place, value)?))
}

pub(super) fn open<T: DeserializeOwned>(key: &CellKey, place: Place<'_>, bytes: &[u8]) -> Result<T, Error> {
    Ok(cell::open(key, place, &split(bytes)?)?)
}
