-- One schema for SQLite and PostgreSQL: moments are microseconds since 1970 in
-- UTC, sealed values are BYTEA (which SQLite stores as the blob it is given).

-- +goose Up
CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    login         TEXT NOT NULL UNIQUE,
    name          BYTEA NOT NULL,           -- sealed
    roles         TEXT NOT NULL,            -- JSON list
    skills        TEXT NOT NULL,            -- JSON list of group ids
    capacity      BIGINT NOT NULL,
    password_hash TEXT NOT NULL,            -- argon2id, PHC form
    disabled      BOOLEAN NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE logins (
    token_hash TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    csrf       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX logins_user ON logins (user_id);
CREATE INDEX logins_expires ON logins (expires_at);

-- Append-only; hash covers the row and the hash before it.
CREATE TABLE audits (
    id      BIGINT PRIMARY KEY,             -- 1, 2, 3 … without gaps
    at      BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    ip      TEXT NOT NULL,
    hash    BYTEA NOT NULL
);
CREATE INDEX audits_object ON audits (object, id);
CREATE INDEX audits_user ON audits (user_id, id);

CREATE TABLE conversations (
    id           TEXT PRIMARY KEY,
    account      TEXT NOT NULL,
    channel      TEXT NOT NULL,
    address_hash TEXT NOT NULL,             -- HMAC of account and address
    state        TEXT NOT NULL,
    version      BIGINT NOT NULL,
    last_group   TEXT NOT NULL,
    last_agent   TEXT NOT NULL,
    score        BIGINT NOT NULL,
    opened_at    BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    archived_at  BIGINT NOT NULL,
    head         BYTEA NOT NULL             -- sealed, the whole conversation
);
CREATE INDEX conversations_address ON conversations (address_hash, changed_at);
CREATE INDEX conversations_changed ON conversations (changed_at, id);
CREATE INDEX conversations_group ON conversations (last_group, changed_at);
CREATE INDEX conversations_agent ON conversations (last_agent, changed_at);

CREATE TABLE messages (
    conv  TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    epoch TEXT NOT NULL,
    seq   BIGINT NOT NULL,
    id    TEXT NOT NULL,
    role  TEXT NOT NULL,
    kind  TEXT NOT NULL,
    at    BIGINT NOT NULL,
    body  BYTEA NOT NULL,                   -- sealed, the whole message
    PRIMARY KEY (conv, epoch, seq)
);

-- +goose Down
DROP TABLE messages;
DROP TABLE conversations;
DROP TABLE audits;
DROP TABLE logins;
DROP TABLE users;
