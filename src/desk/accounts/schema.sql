-- In clear: opaque ids, roles, states, times, counts, salts. All else is sealed or a slow digest.
CREATE TABLE IF NOT EXISTS login_salt (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    salt   BLOB NOT NULL CHECK (length(salt) = 16),
    memory INTEGER NOT NULL,
    passes INTEGER NOT NULL,
    lanes  INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS account (
    id      TEXT PRIMARY KEY,
    role    TEXT NOT NULL CHECK (role IN ('agent', 'chef', 'dpd', 'admin')),
    state   TEXT NOT NULL CHECK (state IN ('invited', 'active', 'closed')),
    login   BLOB UNIQUE CHECK (length(login) = 32),
    person  BLOB NOT NULL,
    sheet   BLOB,
    made    TEXT NOT NULL,
    entered TEXT,
    noticed TEXT,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS account_lock (
    account TEXT PRIMARY KEY REFERENCES account (id),
    salt    BLOB NOT NULL CHECK (length(salt) = 16),
    memory  INTEGER NOT NULL,
    passes  INTEGER NOT NULL,
    lanes   INTEGER NOT NULL,
    keyring BLOB NOT NULL,
    factor  BLOB NOT NULL,
    step    INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS account_recovery (
    account TEXT NOT NULL REFERENCES account (id),
    digest  BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (account, digest)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS account_invitation (
    account   TEXT PRIMARY KEY REFERENCES account (id),
    kind      TEXT NOT NULL CHECK (kind IN ('first', 'reset')),
    proposed  TEXT NOT NULL,
    confirmed TEXT,
    until     TEXT NOT NULL,
    salt      BLOB NOT NULL CHECK (length(salt) = 16),
    memory    INTEGER NOT NULL,
    passes    INTEGER NOT NULL,
    lanes     INTEGER NOT NULL,
    keyring   BLOB NOT NULL,
    half      BLOB
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry_failure (
    login BLOB PRIMARY KEY CHECK (length(login) = 32),
    count INTEGER NOT NULL,
    last  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- The keyring, sealed to keys of the safe (docs/formats.md §16).
CREATE TABLE IF NOT EXISTS escrow (
    fingerprint TEXT PRIMARY KEY,
    epoch       TEXT NOT NULL,
    sealed      BLOB NOT NULL,
    made        TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS office_key (
    fingerprint TEXT PRIMARY KEY,
    role        TEXT NOT NULL,
    epoch       TEXT NOT NULL,
    secret      BLOB NOT NULL,
    taken       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
