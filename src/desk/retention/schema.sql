CREATE TABLE IF NOT EXISTS desk_mark (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    mark TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS hold (
    id            INTEGER PRIMARY KEY,
    stands_on     TEXT NOT NULL CHECK (stands_on IN ('event', 'case')),
    object        TEXT NOT NULL,
    authority     TEXT NOT NULL,
    from_day      TEXT NOT NULL,
    until_day     TEXT NOT NULL,
    lifted        TEXT,
    renews        INTEGER REFERENCES hold (id),
    placed        TEXT NOT NULL,
    placed_by     TEXT NOT NULL,
    told          TEXT,
    words_wrapped BLOB,
    words_body    BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS hold_by_object ON hold (object);
CREATE TABLE IF NOT EXISTS ruling (
    id            INTEGER PRIMARY KEY,
    file          TEXT NOT NULL,
    outcome       TEXT NOT NULL,
    decided       TEXT NOT NULL,
    final_day     TEXT NOT NULL,
    entered       TEXT NOT NULL,
    entered_by    TEXT NOT NULL,
    words_wrapped BLOB,
    words_body    BLOB
) STRICT;
CREATE TABLE IF NOT EXISTS agreement (
    id         INTEGER PRIMARY KEY,
    class      TEXT NOT NULL,
    reference  TEXT NOT NULL,
    archives   TEXT NOT NULL,
    from_day   TEXT NOT NULL,
    until_day  TEXT,
    entered    TEXT NOT NULL,
    entered_by TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS locked (
    class TEXT NOT NULL,
    id    TEXT NOT NULL,
    since TEXT NOT NULL,
    PRIMARY KEY (class, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erasure (
    n     INTEGER PRIMARY KEY,
    class TEXT NOT NULL,
    id    TEXT NOT NULL,
    UNIQUE (class, id)
) STRICT;
CREATE TRIGGER IF NOT EXISTS an_item_that_goes_is_listed AFTER DELETE ON item
BEGIN INSERT OR IGNORE INTO erasure (class, id) VALUES ('item', OLD.event || '-' || OLD.number); END;
CREATE TABLE IF NOT EXISTS uncertified (
    n    INTEGER PRIMARY KEY,
    lot  TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS task (
    kind    TEXT NOT NULL,
    period  TEXT NOT NULL,
    created TEXT NOT NULL,
    due     TEXT NOT NULL,
    done    TEXT,
    done_by TEXT,
    result  TEXT,
    PRIMARY KEY (kind, period)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS key_destruction (
    epoch       TEXT PRIMARY KEY,
    proposed_by TEXT NOT NULL,
    proposed    TEXT NOT NULL,
    done        TEXT,
    keys        TEXT
) STRICT, WITHOUT ROWID;
