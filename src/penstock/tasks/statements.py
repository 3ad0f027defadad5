"""The SQL of the store, by what it is for."""

from __future__ import annotations

COLUMNS = """seq, id, grp, task, state, priority, run_at, submitted_at, started_at, finished_at, failures,
  preemptions, fence, owner, progress, numbers, cancel, COALESCE(unique_key, ''), resume_uri, resume_step,
  cause, rules, submitted_by,
  (SELECT json_group_array(other.seq) FROM need JOIN job AS other ON other.id = need.needed
   WHERE need.job = job.id AND NOT need.met)"""

SUBMIT = """
INSERT INTO job(
  seq, id, grp, task, state, priority, run_at, submitted_at, args, args_path, rules, gpus, unique_key,
  submitted_by)
VALUES (
  1 + max((SELECT highest FROM store), (SELECT COALESCE(MAX(seq), 0) FROM job)),
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""

KNOWN = """
SELECT id FROM job WHERE id = ?
UNION ALL
SELECT id FROM job WHERE grp = ? AND unique_key = ? AND state IN ('scheduled', 'ready', 'running')"""

PROMOTE = "UPDATE job SET state = 'ready' WHERE state = 'scheduled' AND run_at <= ?"

CLAIM = """
UPDATE job
SET state = 'running', fence = fence + 1, owner = ?, started_at = ?, progress = NULL, numbers = '{}'
WHERE seq IN (
  SELECT seq FROM job WHERE state = 'ready' AND grp = ? AND gpus <= ? ORDER BY priority DESC, seq LIMIT ?)
  AND NOT EXISTS (SELECT 1 FROM grp WHERE name = ? AND paused)
RETURNING id, seq, grp, task, fence, args, args_path, rules, failures, preemptions, resume_uri,
  resume_step, priority"""

ENDING = "SELECT id FROM job WHERE state = 'running' AND owner = ? AND cancel"

NOTE = """
UPDATE job
SET progress = COALESCE(:progress, progress), numbers = COALESCE(:numbers, numbers),
  resume_uri = COALESCE(:uri, resume_uri), resume_step = COALESCE(:step, resume_step)
WHERE id = :id AND fence = :fence AND state = 'running' RETURNING cancel"""

STANDING = """
SELECT failures, preemptions, cancel, rules, started_at FROM job
WHERE id = ? AND fence = ? AND state = 'running'"""

FINISH = """
UPDATE job
SET state = :state, failures = :failures, finished_at = :now, result = :result, result_path = :path,
  cause = CASE WHEN :cause = '' THEN cause ELSE :cause END,
  progress = CASE WHEN :state = 'done' THEN 1.0 ELSE progress END
WHERE id = :id"""

AGAIN = """
UPDATE job
SET state = :state, failures = :failures, preemptions = :preemptions, run_at = :run_at,
  cause = CASE WHEN :cause = '' THEN cause ELSE :cause END
WHERE id = :id"""

CANCEL = """
UPDATE job SET state = 'cancelled', finished_at = ?, cancel = 1,
  cause = CASE WHEN ? = '' THEN cause ELSE ? END
WHERE id = ? AND state IN ('scheduled', 'ready')"""

END = """
UPDATE job SET cancel = 1, cause = CASE WHEN ? = '' THEN cause ELSE ? END
WHERE id = ? AND state IN ('running', 'cancelled')"""

PAUSE = """
INSERT INTO grp(name, paused, why) VALUES (?, 1, ?)
ON CONFLICT DO UPDATE SET paused = 1, why = excluded.why"""

ATTEMPT = "INSERT INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

ATTEMPTS = """
SELECT fence, worker, pid, started_at, ended_at, outcome, cause, error, traceback, log, tail, env
FROM attempt WHERE job = ? ORDER BY fence"""

FORGOTTEN = """
SELECT seq, id, args_path, result_path FROM job
WHERE finished_at < ? AND state IN ('done', 'cancelled')
  AND NOT (state = 'done' AND EXISTS (SELECT 1 FROM need WHERE needed = job.id))
ORDER BY finished_at LIMIT ?"""

OVER = """
SELECT seq, id, args_path, result_path FROM job WHERE id = ? AND state IN ('done', 'dead', 'cancelled')
  AND NOT (state = 'done' AND EXISTS (SELECT 1 FROM need WHERE needed = job.id))"""

BY_ID = f"SELECT {COLUMNS} FROM job WHERE id = ?"  # noqa: S608  our own words
BY_NUMBER = f"SELECT {COLUMNS} FROM job WHERE seq = ?"  # noqa: S608  as above

REQUEUE = """
UPDATE OR IGNORE job
SET state = 'ready', failures = 0, cancel = 0, run_at = ?, finished_at = NULL, progress = NULL, numbers = '{}'
WHERE id = ? AND state IN ('dead', 'cancelled')"""

AMEND = "UPDATE job SET args = ?, args_path = ? WHERE id = ?"

JOBS = f"SELECT {COLUMNS} FROM job WHERE {{}} ORDER BY seq DESC LIMIT ?"  # noqa: S608  as above

RESULT = "SELECT result, result_path FROM job WHERE id = ? AND state = 'done'"

ARGUMENTS = "SELECT args, args_path FROM job WHERE id = ?"

DEPTHS = """
SELECT grp, state, SUM(n) FROM (
  SELECT grp, state, n FROM depth
  UNION ALL SELECT grp, state, 1 FROM job WHERE seq > (SELECT counted FROM store))
GROUP BY grp, state"""

OLDEST = "SELECT MIN(run_at) FROM job WHERE grp = ? AND state = 'ready'"
