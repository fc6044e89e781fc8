-- Every event ever answered 2xx, in order of arrival. Ids stay for ever, bodies until store.retention.
CREATE TABLE event (
    id              INTEGER PRIMARY KEY,
    source          TEXT    NOT NULL,           -- the name of the source that sent it
    event_id        TEXT    NOT NULL,           -- the source's; most grow with time, so the index grows at few places
    event_type      TEXT    NOT NULL,
    occurred_at_ns  INTEGER NOT NULL,
    received_at_ns  INTEGER NOT NULL,
    delivery_id     TEXT,                       -- of the POST, for the record only: no index
    duplicates      INTEGER NOT NULL DEFAULT 0,
    body            BLOB,                       -- as received; last, because it is long
    UNIQUE (source, event_id)
) STRICT;

-- A failure: what its events (or the event API) said, and what that came to when it was last evaluated.
CREATE TABLE failure (
    id              INTEGER PRIMARY KEY,
    failure_id      TEXT    NOT NULL,           -- unique: the one writer looks before it inserts
    failure_key     INTEGER NOT NULL,           -- the first 8 bytes of its SHA-256
    state           TEXT,                       -- NULL: not (or no longer) a failure; never listed
    started_at_ns   INTEGER,
    finished_at_ns  INTEGER,
    created_at_ns   INTEGER,                    -- its creation in PagerDuty: the cause is looked for by it
    duration_log2   INTEGER,                    -- of an ended one: floor(log2) of its length in ns (see links.rs)
    revision        INTEGER NOT NULL DEFAULT 0, -- 0: never forwarded
    merged_into_key INTEGER,                    -- the failure_key of the incident it was merged into
    counts_for      TEXT,                       -- JSON: what figures need of it besides its times (see figures.rs)
    restore_ns      INTEGER,                    -- the time to restore; NULL: from its start to its end
    cause           INTEGER REFERENCES deployment, -- the deployment that caused it
    cause_how       TEXT,                       -- automatic; id, commit, version: named by it; forbidden, none: no cause
    remediation     INTEGER REFERENCES deployment, -- the deployment that mended it
    facts           TEXT    NOT NULL,           -- JSON: what it is evaluated from
    evaluated       TEXT,                       -- JSON: the failure
    details         TEXT                        -- JSON: the tags and the like that go along with it; NULL: none
) STRICT;

-- What failures name as their cause, in every way in which it may be meant: hardly any names one.
CREATE TABLE named_deployment (
    name            TEXT    NOT NULL,           -- in lower case; a version also without its leading v
    failure         INTEGER NOT NULL REFERENCES failure,
    PRIMARY KEY (name, failure)
) STRICT, WITHOUT ROWID;

CREATE INDEX named_deployment_by_failure ON named_deployment (failure);

-- Which events are about which failure.
CREATE TABLE failure_event (
    failure         INTEGER NOT NULL REFERENCES failure,
    event           INTEGER NOT NULL REFERENCES event,
    PRIMARY KEY (failure, event)
) STRICT, WITHOUT ROWID;

-- Incident ids have no order, so every new one touches a page of its own: short entries make few pages.
CREATE INDEX failure_by_key ON failure (failure_key);
CREATE INDEX failure_by_target ON failure (merged_into_key) WHERE merged_into_key IS NOT NULL;
CREATE INDEX failure_by_start ON failure (started_at_ns) WHERE state IS NOT NULL;
CREATE INDEX failure_by_creation ON failure (created_at_ns) WHERE created_at_ns IS NOT NULL;
-- Finds the failures that were open at a moment: in each class of lengths, only those that began shortly before.
CREATE INDEX failure_by_length ON failure (duration_log2, started_at_ns) WHERE duration_log2 IS NOT NULL;
-- Covers what figures need. Those without an end are few, and are looked up.
CREATE INDEX failure_by_end ON failure (finished_at_ns, started_at_ns, counts_for, restore_ns, cause, remediation)
    WHERE finished_at_ns IS NOT NULL;
CREATE INDEX failure_without_end ON failure (state, finished_at_ns, started_at_ns)
    WHERE finished_at_ns IS NULL AND state IS NOT NULL;
CREATE INDEX failure_by_cause ON failure (cause, started_at_ns) WHERE cause IS NOT NULL;
CREATE INDEX failure_by_remediation ON failure (remediation) WHERE remediation IS NOT NULL;
-- Failures that began after a period may have been caused by a deployment of it.
CREATE INDEX failure_with_cause ON failure (started_at_ns, cause) WHERE cause IS NOT NULL;

-- A deployment that came by the event API; the last one committed under an id counts.
CREATE TABLE deployment (
    id              INTEGER PRIMARY KEY,
    deployment_id   TEXT    NOT NULL UNIQUE,
    service         TEXT    NOT NULL,
    team            TEXT,
    env             TEXT    NOT NULL,
    started_at_ns   INTEGER NOT NULL,
    finished_at_ns  INTEGER NOT NULL,
    version         TEXT,
    commit_sha      TEXT,                       -- in lower case
    version_key     TEXT,                       -- the version in lower case, without a leading v
    facts           TEXT    NOT NULL            -- JSON: all of it
) STRICT;

-- Each covers what decides a link, so that deployments outside the window are passed over in the index.
CREATE INDEX deployment_by_service ON deployment (service, env, started_at_ns, finished_at_ns);
CREATE INDEX deployment_by_team ON deployment (team, env, started_at_ns, finished_at_ns) WHERE team IS NOT NULL;
CREATE INDEX deployment_by_end ON deployment (finished_at_ns, started_at_ns);
-- Covers what figures need, in the order in which they need it.
CREATE INDEX deployment_by_start ON deployment
    (started_at_ns, deployment_id, finished_at_ns, service, team, env);
CREATE INDEX deployment_by_commit ON deployment (commit_sha) WHERE commit_sha IS NOT NULL;
-- Tell if a version (or the commit of a deployment without one) was deployed before.
CREATE INDEX deployment_by_version ON deployment (service, env, version, started_at_ns, deployment_id)
    WHERE version IS NOT NULL;
CREATE INDEX deployment_by_own_commit ON deployment (service, env, commit_sha, started_at_ns, deployment_id)
    WHERE version IS NULL AND commit_sha IS NOT NULL;
-- What people name they do not always write to the letter.
CREATE INDEX deployment_by_name ON deployment (deployment_id COLLATE NOCASE);
CREATE INDEX deployment_by_version_key ON deployment (service, version_key) WHERE version_key IS NOT NULL;
CREATE INDEX deployment_by_teams_version_key ON deployment (team, version_key)
    WHERE team IS NOT NULL AND version_key IS NOT NULL;

-- One revision of one failure, of one deployment, or of one deployment's mark, for one backend, with the exact bytes to
-- send. The rows of a deployment and of its mark are sent in one order, that of their ids.
CREATE TABLE outbox (
    id              INTEGER PRIMARY KEY,
    backend         TEXT    NOT NULL,
    topic           TEXT    NOT NULL,           -- failure, deployment, mark
    failure         INTEGER REFERENCES failure,
    deployment      INTEGER REFERENCES deployment,
    revision        INTEGER NOT NULL,
    state           TEXT    NOT NULL DEFAULT 'pending',  -- pending, sent, dead, superseded, discarded
    due_at_ns       INTEGER,                    -- when to send it next; NULL unless pending
    created_at_ns   INTEGER NOT NULL,
    claimed_by      INTEGER,                    -- epoch of the process that is sending it; NULL: no process is
    repeats         INTEGER NOT NULL DEFAULT 0, -- 1: sends its revision once more, because an older one may arrive late
    attempts        INTEGER NOT NULL DEFAULT 0, -- begun ones; one that was refused for bad credentials is none
    refusals        INTEGER NOT NULL DEFAULT 0, -- those that were refused for bad credentials
    in_doubt        INTEGER NOT NULL DEFAULT 0, -- attempts that were not clearly refused: the backend may have it
    unknown         INTEGER NOT NULL DEFAULT 0, -- attempts without a clear answer: their requests may arrive late
    taken           INTEGER NOT NULL DEFAULT 0, -- how many of its requests the backend has, where it is several
    missing_since_ns INTEGER,                   -- first of its last answers, all 404 or 405; NULL: the last is another
    missing         INTEGER NOT NULL DEFAULT 0, -- how many those are
    failing_since_ns INTEGER,                   -- when the first of its present run of failures was; NULL: none
    suspect         INTEGER NOT NULL DEFAULT 0, -- 1: it fails again and again while other rows are accepted
    last_status     INTEGER,
    last_error      TEXT,
    lane            TEXT    NOT NULL,           -- the credential that it needs: main, application_key
    action          TEXT    NOT NULL,           -- replace, delete, leave_open; of a mark: mark, unmark
    body            BLOB    NOT NULL,
    CHECK ((failure IS NULL) <> (deployment IS NULL)),
    CHECK ((failure IS NULL) = (topic <> 'failure'))
) STRICT;

-- The last attempts of a row, numbered as they were begun. A probe with refused credentials keeps its number.
CREATE TABLE attempt (
    outbox          INTEGER NOT NULL REFERENCES outbox,
    number          INTEGER NOT NULL,
    ended_at_ns     INTEGER NOT NULL,
    status          INTEGER,
    error           TEXT,
    PRIMARY KEY (outbox, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_by_failure ON outbox (failure) WHERE failure IS NOT NULL;
CREATE INDEX outbox_by_deployment ON outbox (deployment) WHERE deployment IS NOT NULL;
CREATE INDEX outbox_due ON outbox (backend, lane, due_at_ns, created_at_ns) WHERE due_at_ns IS NOT NULL;
CREATE INDEX outbox_dead ON outbox (backend) WHERE state = 'dead';
CREATE INDEX outbox_suspect ON outbox (backend) WHERE suspect = 1;

-- How each backend answers, for each credential that it is asked with. Kept over restarts: a restart is no reason to
-- ask a backend sooner.
CREATE TABLE lane (
    backend         TEXT    NOT NULL,
    lane            TEXT    NOT NULL,           -- main, application_key
    condition       TEXT    NOT NULL,           -- delivering, unreachable, refusing, rate_limited
    since_ns        INTEGER,                    -- when that condition began; NULL: it was always so
    not_before_ns   INTEGER,                    -- when the next probe may go out; NULL: rows go out as they are due
    failed_probes   INTEGER NOT NULL,           -- in a row
    answered_at_ns  INTEGER,                    -- when the last attempt ended; NULL: there was none
    status          INTEGER,                    -- its answer; NULL: there was none
    error           TEXT,                       -- what was wrong with it; NULL: nothing
    succeeded_at_ns INTEGER,                    -- when a request was last accepted; NULL: never
    PRIMARY KEY (backend, lane)
) STRICT, WITHOUT ROWID;

-- The backends whose deployments' marks are up to date: those that take marks, since they do.
CREATE TABLE marked_backend (
    backend         TEXT    PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Signed bodies that could not be understood, or that contradict an event with the same id.
CREATE TABLE quarantine (
    id              INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: people and logs name it
    source          TEXT    NOT NULL,           -- the name of the source that sent it, and that can read it
    received_at_ns  INTEGER NOT NULL,
    delivery_id     TEXT,
    reason          TEXT    NOT NULL,
    body            BLOB    NOT NULL
) STRICT;

-- Numbers of the store itself:
-- epoch: how many processes have opened the store to write. Claims of an earlier one count for nothing.
-- folded_up_to: events up to this one are folded into their failures; later ones wait for it (see fold.rs).
-- forgotten_up_to: events up to this one are past store.retention and have no body any more.
-- written_at_ns: written now and then to prove that the store can be.
CREATE TABLE progress (
    name            TEXT    PRIMARY KEY,
    value           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
