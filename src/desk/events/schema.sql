CREATE TABLE IF NOT EXISTS event (
    id         TEXT PRIMARY KEY,
    device     TEXT NOT NULL,
    camera     TEXT NOT NULL,
    site       TEXT NOT NULL,
    regime     TEXT NOT NULL,
    reference  TEXT NOT NULL,
    first      TEXT,
    last       TEXT,
    correction INTEGER NOT NULL,
    arrived    TEXT NOT NULL,
    facts      TEXT NOT NULL,
    facts_by   TEXT NOT NULL,
    light      TEXT NOT NULL,
    frames     INTEGER NOT NULL,
    due        TEXT NOT NULL,
    state      TEXT NOT NULL,
    version    INTEGER NOT NULL,
    next_item  INTEGER NOT NULL,
    decided_by TEXT,
    decided    TEXT,
    motive     TEXT,
    file       TEXT,
    open_by    TEXT,
    open_since TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS event_by_facts ON event (facts, id, state, camera, light, due);
CREATE INDEX IF NOT EXISTS event_aside ON event (decided, id) WHERE state = 'aside';
CREATE INDEX IF NOT EXISTS event_by_agent ON event (decided_by, decided);
CREATE INDEX IF NOT EXISTS event_by_file ON event (file) WHERE file IS NOT NULL;
CREATE TABLE IF NOT EXISTS event_frame (
    event        TEXT NOT NULL REFERENCES event (id),
    place        INTEGER NOT NULL,
    frame        INTEGER NOT NULL,
    manifest     INTEGER NOT NULL,
    sha256       TEXT NOT NULL,
    taken        TEXT,
    confirmed_by TEXT,
    confirmed    TEXT,
    PRIMARY KEY (event, place)
) STRICT, WITHOUT ROWID;
