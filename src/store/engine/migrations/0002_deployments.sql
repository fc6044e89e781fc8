-- Listings of deployments, and the time at which a deployment became known.

-- NULL: stored before this migration. Otherwise when its present values were first received.
ALTER TABLE deployment ADD COLUMN received_at_ns INTEGER;
-- 1: it caused at least one failure that counts (see failed_deployments.rs).
ALTER TABLE deployment ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;

UPDATE deployment SET failed = 1
    WHERE id IN (SELECT cause FROM failure WHERE cause IS NOT NULL AND state IN ('open', 'completed'));

-- Each index below has the deployments in the order of listings, and the columns by which a listing may be filtered
-- further. The id stands behind the end because the listing breaks ties by it.
DROP INDEX deployment_by_end;
CREATE INDEX deployment_by_end ON deployment (finished_at_ns, id, started_at_ns);
CREATE INDEX deployment_by_services_end ON deployment (service, finished_at_ns, id, env, team);
CREATE INDEX deployment_by_teams_end ON deployment (team, finished_at_ns, id, env) WHERE team IS NOT NULL;
CREATE INDEX deployment_by_envs_end ON deployment (env, finished_at_ns, id);
CREATE INDEX deployment_by_failed_end ON deployment (finished_at_ns, id, service, env, team) WHERE failed = 1;
