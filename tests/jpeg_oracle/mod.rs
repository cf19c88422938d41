//! A second opinion on JPEGs: [`decoder`] reads coefficients straight from the standard, [`maker`] writes files of any
//! coefficients. Neither shares anything with `vigie::jpeg`.

#![allow(dead_code)]

mod decoder;
pub mod maker;

pub use decoder::*;
