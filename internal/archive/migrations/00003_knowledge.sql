-- The knowledge editors' record: versions of the knowledge base, the pointer to
-- the one in force, test sets, runs, and what is learned from use.

-- +goose Up
CREATE TABLE kb_versions (
    id         TEXT PRIMARY KEY,
    state      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revision   BIGINT NOT NULL,
    head       TEXT NOT NULL,               -- JSON, the whole version but its files
    files      BYTEA NOT NULL               -- a zip of the knowledge directory
);
CREATE INDEX kb_versions_created ON kb_versions (created_at, id);

-- One row; every replica reads it twice a second.
CREATE TABLE kb_pointer (
    id        BIGINT PRIMARY KEY,
    published TEXT NOT NULL,                -- the version in force; '' is none
    next      TEXT NOT NULL,                -- the version to have ready; '' is none
    serial    BIGINT NOT NULL
);
INSERT INTO kb_pointer (id, published, next, serial) VALUES (1, '', '', 0);

CREATE TABLE kb_sets (
    id    TEXT PRIMARY KEY,
    at    BIGINT NOT NULL,
    body  BYTEA NOT NULL                    -- sealed, the whole test set
);

CREATE TABLE kb_runs (
    id      TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    state   TEXT NOT NULL,
    set_id  TEXT NOT NULL,                  -- of a batch; '' otherwise
    at      BIGINT NOT NULL,
    beat    BIGINT NOT NULL,                -- the last sign of life
    passed  BIGINT NOT NULL,
    cases   BIGINT NOT NULL,
    body    BYTEA NOT NULL                  -- sealed, the whole run with its report
);
CREATE INDEX kb_runs_set ON kb_runs (set_id, at);
CREATE INDEX kb_runs_at ON kb_runs (at);

CREATE TABLE kb_learn (
    id       TEXT PRIMARY KEY,              -- of message and source
    text_key TEXT NOT NULL,                 -- HMAC of the masked, squashed text
    state    TEXT NOT NULL,
    source   TEXT NOT NULL,
    at       BIGINT NOT NULL,
    version  TEXT NOT NULL,                 -- the draft it stands in; '' is none
    body     BYTEA NOT NULL                 -- sealed, the whole item, its text masked
);
CREATE INDEX kb_learn_state ON kb_learn (state, at);
CREATE INDEX kb_learn_text ON kb_learn (text_key);
CREATE INDEX kb_learn_version ON kb_learn (version);
CREATE INDEX kb_learn_at ON kb_learn (at);

-- +goose Down
DROP TABLE kb_learn;
DROP TABLE kb_runs;
DROP TABLE kb_sets;
DROP TABLE kb_pointer;
DROP TABLE kb_versions;
