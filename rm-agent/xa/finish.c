#include "rm-agent/xa/resource.h"

#include <poll.h>
#include <stdlib.h>

/*
 * Phase two of one branch. Where the preparing session must finish it (MySQL)
 * and is in this process, it does; else a connection of our own does, when
 * that session is certainly gone. See verdict.h for what is made of it.
 */

#define GONE_WAIT_MS  50
#define GONE_WAITS    20
#define GRACE_MS      200 /* the list of sessions may be 100 ms old */
#define EVICT_ATTEMPT 3

struct finishing {
	struct xa_resource *r;
	const struct xa_gid *gid;
	struct xa_mark mark;
	bool commit;
	uint64_t attempt;
	struct buf *why;
};

static enum branch_status later(const struct finishing *f)
{
	return f->commit ? BRANCH_COMMIT_RETRYABLE : BRANCH_ROLLBACK_RETRYABLE;
}

static enum branch_status later_because(const struct finishing *f,
					const char *text)
{
	buf_put_text(f->why, text);
	return later(f);
}

static enum branch_status later_db(const struct finishing *f, struct db *db,
				   int rc)
{
	buf_printf(f->why, "%s: %s",
		   rc == E_UNKNOWN ? "the connection was lost meanwhile; "
				     "whether it is done will be looked up"
				   : "the database could not do it",
		   rc == E_NOMEM ? "out of memory" : db_error(db)->message);
	return later(f);
}

static enum branch_status judged(const struct finishing *f,
				 enum xa_answer answer, bool is_listed,
				 enum xa_trace trace)
{
	struct xa_verdict v = xa_judge(f->commit, answer, is_listed, trace);

	buf_put_text(f->why, v.text);
	/* Recovery may come second, and then finds nothing: no wonder. */
	if (v.alarm && (f->attempt > 0 || answer == XA_ANSWER_DONE)) {
		LOG_ERROR("an XA branch needs attention",
			  LOG_S("xid", f->gid->gtrid),
			  LOG_U("branch", f->gid->branch),
			  LOG_S("resource", f->r->id), LOG_S("why", v.text));
		pthread_mutex_lock(&f->r->lock);
		f->r->stats.alarms++;
		pthread_mutex_unlock(&f->r->lock);
	}
	return v.status;
}

/* The facts behind an answer, and what they mean. */
static enum branch_status judge(const struct finishing *f, struct db *db,
				enum xa_answer answer)
{
	const struct xa_server *s = f->r->server;
	enum xa_trace trace = f->commit ? XA_TRACE_COMMITTED : XA_TRACE_ABORTED;
	bool is_listed = false;
	int rc = OK;

	if (answer == XA_ANSWER_NOTA)
		rc = s->listed(db, f->gid, &is_listed);
	if (rc == OK && !is_listed && (answer == XA_ANSWER_NOTA || s->verify))
		rc = s->trace(db, f->gid, &f->mark, &trace);
	return rc == OK ? judged(f, answer, is_listed, trace)
			: later_db(f, db, rc);
}

/* ---- on a session of our own ---- */

static int wait_gone(const struct finishing *f, struct db *db, bool *gone)
{
	int rc = f->r->server->session_gone(db, f->gid->session, gone);

	for (int i = 0; rc == OK && !*gone && i < GONE_WAITS; i++) {
		(void)poll(NULL, 0, GONE_WAIT_MS);
		rc = f->r->server->session_gone(db, f->gid->session, gone);
	}
	return rc;
}

/* The session lives, and is not in this process: only it can finish what it
 * has prepared. Its agent would have been asked if it could be reached. */
static enum branch_status of_a_living(const struct finishing *f, struct db *db)
{
	const struct xa_server *s = f->r->server;
	bool is_listed = false;
	int rc = s->listed(db, f->gid, &is_listed);

	if (rc == OK && is_listed && f->attempt >= EVICT_ATTEMPT)
		rc = s->evict(db, f->gid->session);
	if (rc != OK)
		return later_db(f, db, rc);
	if (is_listed && f->attempt >= EVICT_ATTEMPT)
		LOG_WARN("ended a session that held a decided XA branch",
			 LOG_S("xid", f->gid->gtrid),
			 LOG_U("branch", f->gid->branch),
			 LOG_U("session", f->gid->session & 0xffffffffu));
	return judge(f, db, XA_ANSWER_NOTA);
}

static enum branch_status on_own(const struct finishing *f, struct db *db)
{
	const struct xa_server *s = f->r->server;
	enum xa_answer answer = XA_ANSWER_NOTA;
	bool gone = true;
	int rc = OK;

	if (s->pinned)
		rc = wait_gone(f, db, &gone);
	if (rc == OK && !gone)
		return of_a_living(f, db);
	if (rc == OK && s->pinned)
		(void)poll(NULL, 0, GRACE_MS);
	if (rc == OK)
		rc = s->finish(db, f->gid, f->commit, &answer);
	return rc == OK ? judge(f, db, answer) : later_db(f, db, rc);
}

static enum branch_status elsewhere(const struct finishing *f)
{
	enum branch_status status;
	struct db_error error;
	int rc;
	struct db *db = xa_take(f->r, &error, &rc);

	if (!db) {
		buf_printf(f->why, "the agent cannot connect: %s",
			   error.message);
		return later(f);
	}
	status = on_own(f, db);
	xa_give(f->r, db);
	return status;
}

/* ---- on the session that prepared ---- */

/* It was reset behind our back, which MariaDB does not forgive: the session
 * must end before another can finish the branch. */
static enum branch_status disowned(const struct finishing *f)
{
	struct db_error error;
	int rc;
	struct db *db = xa_take(f->r, &error, &rc);

	if (db) {
		(void)!f->r->server->evict(db, f->gid->session);
		xa_give(f->r, db);
	}
	return later_because(f, "the session that prepared the branch does not "
				"know it any more (was it reset?); it is ended "
				"and the branch looked up");
}

static enum branch_status on_session(const struct finishing *f,
				     struct treaty_xa *xa)
{
	struct xa_resource *r = f->r;
	enum xa_answer answer = XA_ANSWER_NOTA;
	enum branch_status status;
	bool lost;
	int rc = r->server->finish(xa->db, f->gid, f->commit, &answer);

	if (rc != OK)
		status = later_db(f, xa->db, rc);
	else if (answer == XA_ANSWER_NOTA)
		status = disowned(f);
	else
		status = judge(f, xa->db, answer);
	lost = rc == E_UNKNOWN || db_state(xa->db) == DB_GONE;
	pthread_mutex_lock(&r->lock);
	/* An error that leaves the branch prepared leaves it pinned. */
	(void)xa_move(xa, rc != OK && !lost ? XA_PINNED : XA_IDLE);
	pthread_mutex_unlock(&r->lock);
	return status;
}

static struct treaty_xa *find_locked(struct xa_resource *r,
				     const struct xa_gid *gid)
{
	LIST_EACH(link, &r->all) {
		struct treaty_xa *xa =
			CONTAINER_OF(link, struct treaty_xa, link);

		if (xa->state != XA_IDLE && xa_gid_equal(&xa->gid, gid))
			return xa;
	}
	return NULL;
}

/* Locked; *out is the session to finish it on, in FINISHING. */
static enum branch_status here(const struct finishing *f, struct treaty_xa *xa,
			       struct treaty_xa **out)
{
	*out = NULL;
	switch (xa->state) {
	case XA_PINNED:
		(void)xa_move(xa, XA_FINISHING);
		*out = xa;
		return later(f);
	case XA_ACTIVE:
		if (f->commit)
			return later_because(f, "the program has not ended the "
						"branch (treaty_xa_end)");
		/* It cannot be prepared any more, so it is as good as gone. */
		xa->struck = true;
		return BRANCH_ROLLBACKED;
	default:
		return later_because(f, "the branch is just being prepared or "
					"finished");
	}
}

enum branch_status xa_finish(struct xa_resource *r, const struct xa_gid *gid,
			     const struct xa_mark *mark, bool commit,
			     uint64_t attempt, struct buf *why)
{
	struct finishing f = { .r = r,
			       .gid = gid,
			       .mark = *mark,
			       .commit = commit,
			       .attempt = attempt,
			       .why = why };
	struct treaty_xa *xa, *session = NULL;
	enum branch_status status = BRANCH_UNKNOWN;

	f.mark.table = r->table;
	pthread_mutex_lock(&r->lock);
	xa = find_locked(r, gid);
	if (xa)
		status = here(&f, xa, &session);
	pthread_mutex_unlock(&r->lock);
	if (xa && !session)
		return status;
	return session ? on_session(&f, session) : elsewhere(&f);
}

/* ---- the coordinator's command ---- */

void xa_data_put(struct buf *out, uint64_t session, const char *xact)
{
	buf_printf(out, "xa1 %llu %s", (unsigned long long)session,
		   xact[0] ? xact : "-");
}

int xa_data_get(struct bytes data, uint64_t *session, struct xa_mark *mark)
{
	char text[64] = "", *end;
	size_t len;

	*mark = (struct xa_mark){ 0 };
	if (data.len < 5 || data.len >= sizeof text ||
	    memcmp(data.data, "xa1 ", 4) != 0)
		return E_CORRUPT;
	memcpy(text, data.data, data.len);
	*session = strtoull(text + 4, &end, 10);
	if (end == text + 4 || *end != ' ')
		return E_CORRUPT;
	end++;
	len = strlen(end);
	if (strcmp(end, "-") == 0)
		return OK;
	if (len == 0 || len >= sizeof mark->xact ||
	    strspn(end, "0123456789") != len)
		return E_CORRUPT;
	memcpy(mark->xact, end, len);
	return OK;
}

/* A person has seen what hangs, and says that it is settled. What is not at an
 * end by itself, e.g. prepared still, is none of it. */
static void acknowledge(const struct xa_resource *r,
			const struct agent_command *command,
			struct agent_result *result)
{
	if (command->resolution != AGENT_RESOLVE_KEEP_CURRENT ||
	    (result->status != BRANCH_COMMIT_UNRETRYABLE &&
	     result->status != BRANCH_ROLLBACK_UNRETRYABLE))
		return;
	LOG_WARN("an XA branch counts as finished by an operator's word",
		 LOG_S("xid", command->xid), LOG_U("branch", command->branch),
		 LOG_S("resource", r->id));
	result->status = command->type == AGENT_COMMIT ? BRANCH_COMMITTED
						       : BRANCH_ROLLBACKED;
}

static void finish_command(struct xa_resource *r,
			   const struct agent_command *command,
			   struct agent_result *result)
{
	const bool commit = command->type == AGENT_COMMIT;
	struct xa_mark mark;
	struct xa_gid gid;
	uint64_t session;
	int rc = xa_data_get(command->application_data, &session, &mark);

	if (rc == OK)
		rc = xa_gid_make(&gid, bytes_of(command->xid), command->branch,
				 session);
	if (rc == E_NOMEM)
		return;
	if (rc != OK) {
		buf_put_text(result->error, "the branch's data cannot be read; "
					    "look for it in the database by "
					    "its xid and branch id");
		result->status = commit ? BRANCH_COMMIT_UNRETRYABLE
					: BRANCH_ROLLBACK_UNRETRYABLE;
		return;
	}
	result->status = xa_finish(r, &gid, &mark, commit, command->attempt,
				   result->error);
}

void xa_phase_two(void *ctx, const struct agent_command *command,
		  struct agent_result *result)
{
	struct xa_resource *r = ctx;

	finish_command(r, command, result);
	acknowledge(r, command, result);
	if (result->status != BRANCH_COMMITTED &&
	    result->status != BRANCH_ROLLBACKED)
		return;
	pthread_mutex_lock(&r->lock);
	r->stats.finished++;
	pthread_mutex_unlock(&r->lock);
}
