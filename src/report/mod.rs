//! What goes before the prosecutor.
