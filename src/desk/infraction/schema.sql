CREATE TABLE IF NOT EXISTS infraction (
    number     TEXT PRIMARY KEY NOT NULL,
    event      TEXT,
    camera     TEXT,
    opened     TEXT NOT NULL,
    opened_by  TEXT NOT NULL,
    facts      TEXT NOT NULL,
    state      TEXT NOT NULL,
    outcome    TEXT,
    outcome_on TEXT,
    former     BLOB UNIQUE,
    version    INTEGER NOT NULL,
    record_key BLOB NOT NULL,
    record     BLOB NOT NULL
) STRICT;
-- All that lists show and filter by: they read no record's pages.
CREATE INDEX IF NOT EXISTS infraction_by_facts ON infraction (facts, number, state, camera, opened_by);
CREATE INDEX IF NOT EXISTS infraction_by_event ON infraction (event);
CREATE TABLE IF NOT EXISTS infraction_counter (
    year INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS infraction_plate (
    number TEXT NOT NULL REFERENCES infraction (number),
    blind  BLOB NOT NULL,
    PRIMARY KEY (number, blind)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS infraction_by_plate ON infraction_plate (blind);
CREATE TABLE IF NOT EXISTS infraction_holder (
    number     TEXT PRIMARY KEY REFERENCES infraction (number),
    holder_key BLOB NOT NULL,
    holder     BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS infraction_former (
    number     TEXT NOT NULL REFERENCES infraction (number),
    version    INTEGER NOT NULL,
    at         TEXT NOT NULL,
    by         TEXT NOT NULL,
    former_key BLOB NOT NULL,
    former     BLOB NOT NULL,
    PRIMARY KEY (number, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS infraction_look (
    number TEXT NOT NULL REFERENCES infraction (number),
    by     TEXT NOT NULL,
    since  TEXT NOT NULL,
    motive TEXT NOT NULL,
    PRIMARY KEY (number, by)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS infraction_export (
    id        TEXT PRIMARY KEY,
    at        TEXT NOT NULL,
    by        TEXT NOT NULL,
    form      TEXT NOT NULL,
    sha256    TEXT NOT NULL,
    count     INTEGER NOT NULL,
    words_key BLOB NOT NULL,
    words     BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS infraction_exported (
    export TEXT NOT NULL REFERENCES infraction_export (id),
    number TEXT NOT NULL,
    PRIMARY KEY (export, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS infraction_exported_by_number ON infraction_exported (number);
CREATE TABLE IF NOT EXISTS infraction_import (
    by        TEXT PRIMARY KEY,
    at        TEXT NOT NULL,
    table_key BLOB NOT NULL,
    "table"   BLOB NOT NULL
) STRICT, WITHOUT ROWID;
