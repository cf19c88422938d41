CREATE TABLE IF NOT EXISTS report_draft (
    infraction TEXT PRIMARY KEY,
    version    INTEGER NOT NULL,
    draft_key  BLOB NOT NULL,
    draft      BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sealed_report (
    infraction TEXT NOT NULL,
    number     INTEGER NOT NULL,
    act        TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    signed_by  TEXT NOT NULL,
    signed     TEXT NOT NULL,
    facts_key  BLOB NOT NULL,
    facts      BLOB NOT NULL,
    body_key   BLOB NOT NULL,
    body       BLOB NOT NULL,
    PRIMARY KEY (infraction, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS transmission (
    number     TEXT PRIMARY KEY,
    infraction TEXT NOT NULL,
    state      TEXT NOT NULL,
    version    INTEGER NOT NULL,
    asked_by   TEXT NOT NULL,
    asked      TEXT NOT NULL,
    decided_by TEXT,
    decided    TEXT,
    made       TEXT,
    sha256     TEXT,
    encrypted  INTEGER,
    sent       TEXT,
    received   TEXT,
    words_key  BLOB NOT NULL,
    words      BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS transmission_by_infraction ON transmission (infraction, number);
CREATE INDEX IF NOT EXISTS transmission_in_order ON transmission (state = 'asked', asked, number);
CREATE TABLE IF NOT EXISTS transmission_counter (
    year INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS package (
    transmission TEXT PRIMARY KEY REFERENCES transmission (number),
    contents_key BLOB NOT NULL,
    contents     BLOB NOT NULL,
    body_key     BLOB NOT NULL,
    body         BLOB NOT NULL
) STRICT, WITHOUT ROWID;
