CREATE TABLE IF NOT EXISTS opening (
    event     TEXT NOT NULL,
    account   TEXT NOT NULL,
    opened    TEXT NOT NULL,
    motive    TEXT NOT NULL,
    words_key BLOB,
    words     BLOB,
    PRIMARY KEY (event, account, opened)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS viewed (
    event   TEXT NOT NULL,
    sha256  TEXT NOT NULL,
    account TEXT NOT NULL,
    opened  TEXT NOT NULL,
    time    TEXT NOT NULL,
    PRIMARY KEY (event, sha256, account, opened)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS opening_by_account ON opening (account, opened);
