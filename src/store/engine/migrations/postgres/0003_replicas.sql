-- What several replicas need that share a PostgreSQL. SQLite has one daemon, and none of these tables.

-- The right to decide. Whoever folds, links, or puts requests into the outbox updates this row first, and so waits until
-- the transaction of the one before has ended.
CREATE TABLE turn (
    id              BIGINT  PRIMARY KEY CHECK (id = 1),
    number          BIGINT  NOT NULL,   -- of turns so far
    schema          BIGINT  NOT NULL    -- number of the last migration; a replica of an older version gets no turn
);
INSERT INTO turn VALUES (1, 0, 3);

-- Replicas: one row for each start of a daemon, and for each change of its configuration.
CREATE TABLE replica (
    generation      BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            TEXT    COLLATE "C" NOT NULL,
    fingerprint     TEXT    COLLATE "C" NOT NULL,   -- of the version and the configuration: only those of the newest one decide
    alive_until     TIMESTAMPTZ NOT NULL
);

-- Events that are stored and not folded yet. A table, because ids do not become visible in their order: an event with a
-- lower id than the last folded one may still be committed.
CREATE TABLE unfolded (
    event           BIGINT  PRIMARY KEY REFERENCES event,
    subject_key     BIGINT  NOT NULL    -- of the failure, or of the source's deployment: those with the same one are folded together
);
CREATE INDEX unfolded_by_subject ON unfolded (subject_key, event);

-- The right to send to a backend, by the clock of the server.
CREATE TABLE lease (
    backend         TEXT    COLLATE "C" PRIMARY KEY,
    generation      BIGINT  NOT NULL,   -- of the replica that has it
    epoch           BIGINT  NOT NULL,   -- one more each time the lease is taken after it ended, also by the same replica;
                                        -- claims of earlier epochs are not valid
    until           TIMESTAMPTZ NOT NULL
);
