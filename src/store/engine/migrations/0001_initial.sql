-- Every event that was kept, in order of arrival. Ids stay for ever, bodies for store.retention.
CREATE TABLE event (
    id              INTEGER PRIMARY KEY,
    source          TEXT    NOT NULL,           -- the name of the source that sent it
    event_id        TEXT    NOT NULL,           -- id at the source; most grow with time: few index pages change
    event_type      TEXT    NOT NULL,
    occurred_at_ns  INTEGER NOT NULL,
    received_at_ns  INTEGER NOT NULL,
    delivery_id     TEXT,                       -- id of the POST, for information only: no index
    duplicates      INTEGER NOT NULL DEFAULT 0,
    body            BLOB,                       -- as received; last, because it is long
    UNIQUE (source, event_id)
) STRICT;

-- Failures: the facts from events (or the event API), and the result of the last evaluation.
CREATE TABLE failure (
    id              INTEGER PRIMARY KEY,
    failure_id      TEXT    NOT NULL,           -- unique: the one writer looks before it inserts
    failure_key     INTEGER NOT NULL,           -- the first 8 bytes of its SHA-256
    state           TEXT,                       -- NULL: not (or no longer) a failure; never listed
    started_at_ns   INTEGER,
    finished_at_ns  INTEGER,
    created_at_ns   INTEGER,                    -- creation at PagerDuty, by which the cause is found
    duration_log2   INTEGER,                    -- if ended: floor(log2) of its length in ns (see reach.rs)
    revision        INTEGER NOT NULL DEFAULT 0, -- 0: never forwarded
    merged_into_key INTEGER,                    -- the failure_key of the incident it was merged into
    counts_for      TEXT,                       -- JSON: input of figures besides the times (see figure_columns.rs)
    restore_ns      INTEGER,                    -- the time to restore; NULL: from its start to its end
    cause           INTEGER REFERENCES deployment, -- the deployment that caused it
    cause_how       TEXT,                       -- automatic; id, commit, version: named so; forbidden, none: no cause
    remediation     INTEGER REFERENCES deployment, -- the deployment that fixed it
    facts           TEXT    NOT NULL,           -- JSON: the input of its evaluation
    evaluated       TEXT,                       -- JSON: the failure
    details         TEXT                        -- JSON: tags and other details for backends; NULL: none
) STRICT;

-- Names that failures give for their cause, in each form in which a name can be read. Few failures have any.
CREATE TABLE named_deployment (
    name            TEXT    NOT NULL,           -- in lower case; a version also without its leading v
    failure         INTEGER NOT NULL REFERENCES failure,
    PRIMARY KEY (name, failure)
) STRICT, WITHOUT ROWID;

CREATE INDEX named_deployment_by_failure ON named_deployment (failure);

-- The events of each failure.
CREATE TABLE failure_event (
    failure         INTEGER NOT NULL REFERENCES failure,
    event           INTEGER NOT NULL REFERENCES event,
    PRIMARY KEY (failure, event)
) STRICT, WITHOUT ROWID;

-- The changes that the source of an incident relates to it, as evidence. A failure with a row is not asked for again.
CREATE TABLE related_changes (
    failure         INTEGER PRIMARY KEY REFERENCES failure,
    changes         TEXT                        -- JSON: a list; NULL: the source does not tell
) STRICT;

-- Incident ids are random, so each new one changes another page. Short entries make fewer pages.
CREATE INDEX failure_by_key ON failure (failure_key);
CREATE INDEX failure_by_target ON failure (merged_into_key) WHERE merged_into_key IS NOT NULL;
CREATE INDEX failure_by_start ON failure (started_at_ns) WHERE state IS NOT NULL;
CREATE INDEX failure_by_creation ON failure (created_at_ns) WHERE created_at_ns IS NOT NULL;
-- Finds the failures that were open at a moment: of each class of lengths, only those that began shortly before.
CREATE INDEX failure_by_length ON failure (duration_log2, started_at_ns) WHERE duration_log2 IS NOT NULL;
-- Covers the input of figures. Failures without an end are few, and are looked up in the table.
CREATE INDEX failure_by_end ON failure (finished_at_ns, started_at_ns, counts_for, restore_ns, cause, remediation)
    WHERE finished_at_ns IS NOT NULL;
CREATE INDEX failure_without_end ON failure (state, finished_at_ns, started_at_ns)
    WHERE finished_at_ns IS NULL AND state IS NOT NULL;
CREATE INDEX failure_by_cause ON failure (cause, started_at_ns) WHERE cause IS NOT NULL;
CREATE INDEX failure_by_remediation ON failure (remediation) WHERE remediation IS NOT NULL;
-- For failures that began after a period and were caused by a deployment of the period.
CREATE INDEX failure_with_cause ON failure (started_at_ns, cause) WHERE cause IS NOT NULL;

-- Deployments sent to the event API. Of several with the same id, the last one committed counts.
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
    facts           TEXT    NOT NULL            -- JSON: the whole deployment
) STRICT;

-- Each covers the columns that decide a link, so that deployments outside the window are skipped in the index.
CREATE INDEX deployment_by_service ON deployment (service, env, started_at_ns, finished_at_ns);
CREATE INDEX deployment_by_team ON deployment (team, env, started_at_ns, finished_at_ns) WHERE team IS NOT NULL;
CREATE INDEX deployment_by_end ON deployment (finished_at_ns, started_at_ns);
-- Covers the input of figures, in the order in which they read it.
CREATE INDEX deployment_by_start ON deployment
    (started_at_ns, deployment_id, finished_at_ns, service, team, env);
CREATE INDEX deployment_by_commit ON deployment (commit_sha) WHERE commit_sha IS NOT NULL;
-- For finding an earlier deployment of a version, or of the commit of a deployment without a version.
CREATE INDEX deployment_by_version ON deployment (service, env, version, started_at_ns, deployment_id)
    WHERE version IS NOT NULL;
CREATE INDEX deployment_by_own_commit ON deployment (service, env, commit_sha, started_at_ns, deployment_id)
    WHERE version IS NULL AND commit_sha IS NOT NULL;
-- For names given by people, which may differ in case and in a leading v.
CREATE INDEX deployment_by_name ON deployment (deployment_id COLLATE NOCASE);
CREATE INDEX deployment_by_version_key ON deployment (service, version_key) WHERE version_key IS NOT NULL;
CREATE INDEX deployment_by_teams_version_key ON deployment (team, version_key)
    WHERE team IS NOT NULL AND version_key IS NOT NULL;

-- One revision of one failure, of one deployment, or of one deployment's mark, for one backend, with the exact bytes to
-- send. A deployment and its mark share one series of revisions, and their rows are sent in that order.
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
    attempts        INTEGER NOT NULL DEFAULT 0, -- number begun, without those refused for bad credentials
    refusals        INTEGER NOT NULL DEFAULT 0, -- attempts that were refused for bad credentials
    in_doubt        INTEGER NOT NULL DEFAULT 0, -- attempts not clearly rejected: the backend may have the row
    unknown         INTEGER NOT NULL DEFAULT 0, -- attempts without a clear answer: their requests may arrive late
    taken           INTEGER NOT NULL DEFAULT 0, -- number of its requests that the backend accepted, if it has several
    missing_since_ns INTEGER,                   -- first of its latest answers, all 404 or 405; NULL: there are none
    missing         INTEGER NOT NULL DEFAULT 0, -- number of those answers
    failing_since_ns INTEGER,                   -- first of its present run of failed attempts; NULL: none
    suspect         INTEGER NOT NULL DEFAULT 0, -- 1: it fails again and again while other rows are accepted
    last_status     INTEGER,
    last_error      TEXT,
    lane            TEXT    NOT NULL,           -- the credential that it needs: main, application_key
    action          TEXT    NOT NULL,           -- replace, delete, leave_open; of a mark: mark, unmark
    body            BLOB    NOT NULL,
    CHECK ((failure IS NULL) <> (deployment IS NULL)),
    CHECK ((failure IS NULL) = (topic <> 'failure'))
) STRICT;

-- The last attempts of a row, numbered from 1. The number of an attempt with refused credentials is used again.
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

-- Health of each backend, for each of its credentials. Kept over restarts, so that a restart does not send the next
-- probe sooner.
CREATE TABLE lane (
    backend         TEXT    NOT NULL,
    lane            TEXT    NOT NULL,           -- main, application_key
    condition       TEXT    NOT NULL,           -- delivering, unreachable, refusing, rate_limited
    since_ns        INTEGER,                    -- start of that condition; NULL: it never changed
    not_before_ns   INTEGER,                    -- when the next probe may go out; NULL: rows go out as they are due
    failed_probes   INTEGER NOT NULL,           -- in a row
    answered_at_ns  INTEGER,                    -- end of the last attempt; NULL: there was none
    status          INTEGER,                    -- its answer; NULL: there was none
    error           TEXT,                       -- what was wrong with it; NULL: nothing
    succeeded_at_ns INTEGER,                    -- when a request was last accepted; NULL: never
    PRIMARY KEY (backend, lane)
) STRICT, WITHOUT ROWID;

-- Backends with marks whose past marks were reconciled after marks were switched on.
CREATE TABLE marked_backend (
    backend         TEXT    PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Signed bodies that could not be understood, or that contradict an event with the same id.
CREATE TABLE quarantine (
    id              INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused, because people and logs name it
    source          TEXT    NOT NULL,           -- the name of the source that sent it, and that can read it
    received_at_ns  INTEGER NOT NULL,
    delivery_id     TEXT,
    reason          TEXT    NOT NULL,
    body            BLOB    NOT NULL
) STRICT;

-- Incidents that the last look at their source's API could not read. The next look reads them.
CREATE TABLE unread_incident (
    failure_id      TEXT    PRIMARY KEY         -- the id that the failure of the incident has
) STRICT, WITHOUT ROWID;

-- Numbers of the store itself:
-- epoch: number of processes that have opened the store for writing. Claims of earlier epochs are void.
-- folded_up_to: events up to this one are folded into their failures; later ones wait to be folded (see fold.rs).
-- forgotten_up_to: events up to this one are past store.retention and have no body any more.
-- written_at_ns: written now and then to prove that the store can be written.
-- reconciled_up_to_ns: up to this time, everything is stored that the API of the source tells, except about the unread
-- incidents.
-- backfilled_since_ns, backfilled_up_to_ns: the incidents that a backfill, which has not ended, has read were created
-- between these times. The second is 0 if there is no such backfill.
CREATE TABLE progress (
    name            TEXT    PRIMARY KEY,
    value           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
