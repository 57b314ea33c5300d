#include "rm-agent/xa/resource.h"

#include <mysql.h>

/*
 * Phase one of a branch: start, end, rollback. Registered before its first
 * statement, so that the coordinator knows of everything that could ever be
 * prepared.
 */

/* ---- small things ---- */

static void set_why(struct treaty_xa *xa, const char *why)
{
	size_t len = strnlen(why, sizeof xa->why - 1);

	memcpy(xa->why, why, len);
	xa->why[len] = '\0';
}

static bool state_is(struct treaty_xa *xa, enum xa_state state)
{
	bool yes;

	pthread_mutex_lock(&xa->r->lock);
	yes = xa->state == state;
	pthread_mutex_unlock(&xa->r->lock);
	return yes;
}

static void move(struct treaty_xa *xa, enum xa_state state)
{
	pthread_mutex_lock(&xa->r->lock);
	(void)xa_move(xa, state);
	pthread_mutex_unlock(&xa->r->lock);
}

static void count(struct treaty_xa *xa, uint64_t *what)
{
	pthread_mutex_lock(&xa->r->lock);
	(*what)++;
	pthread_mutex_unlock(&xa->r->lock);
}

/* The branch's transaction if it is still the thread's, else NULL. */
static struct treaty_tx *tx_of(struct treaty_xa *xa)
{
	struct treaty_tx *tx = treaty_current(xa->r->t);

	return tx && agent_tx_serial(tx) == xa->serial ? tx : NULL;
}

/* ---- waiting ---- */

bool treaty_xa_pinned(struct treaty_xa *xa)
{
	return xa && (state_is(xa, XA_PINNED) || state_is(xa, XA_FINISHING));
}

int treaty_xa_wait(struct treaty_xa *xa, uint32_t timeout_ms)
{
	const uint64_t until_ms = xa_now_ms() + timeout_ms;
	bool free;

	if (!xa)
		return agent_fail(E_INVALID, "an argument is NULL");
	pthread_mutex_lock(&xa->r->lock);
	do {
		free = xa->state != XA_PINNED && xa->state != XA_FINISHING;
	} while (!free && xa_wait_until(xa->r, until_ms));
	pthread_mutex_unlock(&xa->r->lock);
	if (free)
		return OK;
	return agent_fail(E_TIMEOUT,
			  "the connection still holds branch %llu of %s, which "
			  "waits for its second phase; use another connection",
			  (unsigned long long)xa->gid.branch, xa->gid.gtrid);
}

/* ---- start ---- */

static int ready(struct treaty_xa *xa)
{
	int rc = treaty_xa_wait(xa, xa->r->opt.pinned_wait_ms);

	if (rc != OK)
		return rc;
	if (!state_is(xa, XA_IDLE))
		return agent_fail(E_STATE,
				  "branch %llu of %s is open on this "
				  "connection; end it first",
				  (unsigned long long)xa->gid.branch,
				  xa->gid.gtrid);
	switch (db_state(xa->db)) {
	case DB_GONE:
		return agent_fail(E_CLOSED, "the database connection is lost; "
					    "open another");
	case DB_BUSY:
		return agent_fail(E_STATE, "results are pending on the "
					   "connection; read them first");
	case DB_IDLE:
		break;
	default:
		return agent_fail(E_STATE, "a local transaction is open on the "
					   "connection; end it first");
	}
	if (!db_autocommit(xa->db))
		return agent_fail(E_STATE, "autocommit is off on the "
					   "connection; SET autocommit = 1");
	return OK;
}

static int enlist(struct treaty_xa *xa, struct treaty_tx *tx, uint64_t *branch)
{
	struct agent_branch b = { .mode = MODE_XA,
				  .resource = bytes_of(xa->r->id) };
	struct buf data;
	int rc;

	buf_init(&data, &mem_heap);
	xa_data_put(&data, xa->session, "");
	rc = buf_error(&data);
	b.application_data = buf_bytes(&data);
	if (rc == OK)
		rc = agent_register(tx, &b, branch, NULL);
	else
		rc = agent_fail(rc, "out of memory");
	buf_fini(&data);
	return rc;
}

static void show_gid(struct treaty_xa *xa)
{
	struct buf text;

	buf_init(&text, &mem_heap);
	if (db_dialect(xa->db) == DIALECT_POSTGRES)
		xa_gid_put_text(&text, &xa->gid);
	else
		xa_gid_put_parts(&text, &xa->gid);
	memset(xa->text, 0, sizeof xa->text);
	if (buf_error(&text) == OK && text.len < sizeof xa->text)
		memcpy(xa->text, text.data, text.len);
	buf_fini(&text);
}

/* Registered; begin it in the database. */
static int begin(struct treaty_xa *xa, struct treaty_tx *tx,
		 const struct xa_gid *gid, bool read_only)
{
	int rc = xa->r->server->begin(xa->db, gid, read_only);

	if (rc != OK) {
		rc = xa_fail_db(xa->db, rc == E_UNKNOWN ? E_CLOSED : rc,
				"beginning the branch");
		(void)!xa->r->server->undo(xa->db, gid);
		agent_report_later(tx, gid->branch, BRANCH_PHASE_ONE_FAILED);
		return rc;
	}
	pthread_mutex_lock(&xa->r->lock);
	xa->gid = *gid;
	xa->serial = agent_tx_serial(tx);
	xa->read_only = read_only;
	xa->doomed = xa->struck = false;
	xa->mark = (struct xa_mark){ .table = xa->r->table };
	(void)xa_move(xa, XA_ACTIVE);
	pthread_mutex_unlock(&xa->r->lock);
	show_gid(xa);
	agent_tx_open(tx);
	return OK;
}

static int start(struct treaty_xa *xa, bool read_only)
{
	struct treaty_tx *tx;
	struct xa_gid gid;
	uint64_t branch;
	int rc;

	if (!xa)
		return agent_fail(E_INVALID, "an argument is NULL");
	tx = treaty_current(xa->r->t);
	if (!tx)
		return agent_fail(E_STATE, "this thread has no global "
					   "transaction (treaty_begin, "
					   "treaty_join)");
	rc = agent_tx_check(tx);
	if (rc == OK)
		rc = ready(xa);
	if (rc != OK)
		return rc;
	if (xa_gid_make(&gid, bytes_of(treaty_xid(tx)), 1, 0) == E_LIMIT)
		return agent_fail(E_LIMIT,
				  "the xid %s is longer than XA's 64 bytes; "
				  "give the coordinator a shorter name",
				  treaty_xid(tx));
	rc = enlist(xa, tx, &branch);
	if (rc != OK)
		return rc;
	rc = xa_gid_make(&gid, bytes_of(treaty_xid(tx)), branch, xa->session);
	if (rc != OK)
		return agent_fail(rc, "naming the branch: %s", err_name(rc));
	return begin(xa, tx, &gid, read_only);
}

int treaty_xa_start(struct treaty_xa *xa)
{
	return start(xa, false);
}

int treaty_xa_start_read_only(struct treaty_xa *xa)
{
	return start(xa, true);
}

/* ---- voting no ---- */

/* Roll back what is there and say no. `rc` has its text. */
static int vote_no(struct treaty_xa *xa, int rc)
{
	struct treaty_tx *tx = tx_of(xa);

	(void)!xa->r->server->undo(xa->db, &xa->gid);
	if (tx) {
		/* When in doubt the coordinator shall have it rolled back. */
		if (rc != E_UNKNOWN)
			agent_report_later(tx, xa->gid.branch,
					   BRANCH_PHASE_ONE_FAILED);
		agent_tx_ended(tx, true);
	}
	move(xa, XA_IDLE);
	return rc;
}

static int vote_no_db(struct treaty_xa *xa, int rc, const char *what)
{
	rc = xa_fail_db(xa->db, rc, what);
	if (rc == E_UNKNOWN)
		rc = agent_fail(rc,
				"the connection was lost while ending branch "
				"%llu of %s; if it was prepared it is rolled "
				"back with its transaction: roll that back",
				(unsigned long long)xa->gid.branch,
				xa->gid.gtrid);
	return vote_no(xa, rc);
}

/* May it be prepared at all? OK; else it has voted no, or (E_STATE with the
 * state back at ACTIVE) must be asked again. */
static int fit(struct treaty_xa *xa)
{
	const bool is_pg = db_dialect(xa->db) == DIALECT_POSTGRES;

	switch (db_state(xa->db)) {
	case DB_BUSY:
		move(xa, XA_ACTIVE);
		return agent_fail(E_STATE, "results are pending on the "
					   "connection; read them and end the "
					   "branch again");
	case DB_GONE:
		return vote_no(xa, agent_fail(E_CLOSED,
					      "the connection was lost before "
					      "the branch was prepared; it is "
					      "rolled back"));
	case DB_FAILED:
		return vote_no(xa, agent_fail(E_STATE,
					      "a statement of the branch has "
					      "failed; it is rolled back"));
	case DB_IDLE:
		if (is_pg)
			return vote_no(
				xa,
				agent_fail(E_STATE,
					   "the program has ended the branch's "
					   "transaction itself (COMMIT or "
					   "ROLLBACK): what it did is not part "
					   "of the global transaction"));
		return OK;
	default:
		return OK;
	}
}

/* ---- end ---- */

static int report(struct treaty_xa *xa, struct treaty_tx *tx)
{
	struct buf data;
	int rc;

	buf_init(&data, &mem_heap);
	xa_data_put(&data, xa->session, xa->mark.xact);
	rc = buf_error(&data) == OK
		     ? agent_report(tx, xa->gid.branch, BRANCH_PHASE_ONE_DONE,
				    buf_bytes(&data))
		     : agent_fail(E_NOMEM, "out of memory");
	buf_fini(&data);
	return rc;
}

/* Prepared, but the coordinator did not take it: nobody was promised anything
 * yet, so take it back at once. What fails here is done by recovery. */
static int take_back(struct treaty_xa *xa, struct treaty_tx *tx, int rc)
{
	enum xa_answer answer;
	int undone = xa->r->server->finish(xa->db, &xa->gid, false, &answer);

	if (undone != OK)
		LOG_WARN("a prepared branch is left for recovery",
			 LOG_S("xid", xa->gid.gtrid),
			 LOG_U("branch", xa->gid.branch));
	agent_tx_ended(tx, true);
	if (undone != OK && xa->r->server->pinned &&
	    db_state(xa->db) != DB_GONE)
		move(xa, XA_PINNED);
	else
		move(xa, XA_IDLE);
	return rc == E_STATE || rc == E_NOTFOUND ? E_ROLLED_BACK : rc;
}

static int prepare(struct treaty_xa *xa, struct treaty_tx *tx)
{
	int rc = xa->r->server->prepare(xa->db, &xa->gid);

	if (rc == E_ROLLED_BACK)
		return vote_no(xa, agent_fail(E_STATE,
					      "the branch's transaction had "
					      "failed or was ended by the "
					      "program; it is rolled back"));
	if (rc != OK)
		return vote_no_db(xa, rc, "preparing the branch");
	rc = report(xa, tx);
	if (rc != OK)
		return take_back(xa, tx, rc);
	count(xa, &xa->r->stats.prepared);
	agent_tx_ended(tx, false);
	move(xa, xa->r->server->pinned ? XA_PINNED : XA_IDLE);
	return OK;
}

/* Nothing was written: no promise to keep, so no second phase. */
static int end_read_only(struct treaty_xa *xa, struct treaty_tx *tx)
{
	int rc = xa->r->server->commit(xa->db, &xa->gid);

	if (rc == E_ROLLED_BACK)
		return vote_no(xa, agent_fail(E_STATE,
					      "the branch's transaction had "
					      "failed; it is rolled back"));
	if (rc != OK)
		return vote_no_db(xa, rc, "ending the read-only branch");
	rc = agent_report(tx, xa->gid.branch, BRANCH_RDONLY,
			  (struct bytes){ 0 });
	agent_tx_ended(tx, rc != OK);
	count(xa, &xa->r->stats.read_only);
	move(xa, XA_IDLE);
	return rc == E_STATE || rc == E_NOTFOUND ? E_ROLLED_BACK : rc;
}

/* Told first, so that the second phase can look what became of it. */
static int one_phase(struct treaty_xa *xa, struct treaty_tx *tx)
{
	int rc = report(xa, tx);

	if (rc != OK)
		return vote_no(xa, rc == E_STATE || rc == E_NOTFOUND
					   ? E_ROLLED_BACK
					   : rc);
	rc = xa->r->server->commit(xa->db, &xa->gid);
	if (rc == E_UNKNOWN) {
		/* The decision itself is in doubt: the commit may be asked
		 * for, the second phase looks. */
		agent_tx_ended(tx, false);
		move(xa, XA_IDLE);
		return agent_fail(E_UNKNOWN,
				  "the connection was lost while committing "
				  "branch %llu of %s in one phase",
				  (unsigned long long)xa->gid.branch,
				  xa->gid.gtrid);
	}
	if (rc == E_ROLLED_BACK)
		return vote_no(xa, agent_fail(E_STATE,
					      "the branch's transaction had "
					      "failed; it is rolled back"));
	if (rc != OK)
		return vote_no_db(xa, rc, "committing the branch");
	agent_tx_ended(tx, false);
	move(xa, XA_IDLE);
	return OK;
}

static bool server_error(struct treaty_xa *xa)
{
	MYSQL *conn = db_mysql(xa->db);

	if (!conn || mysql_errno(conn) == 0)
		return false;
	set_why(xa, mysql_error(conn));
	return true;
}

/* ACTIVE to ENDING; else voted no, or misuse. */
static int begin_end(struct treaty_xa *xa, struct treaty_tx **tx)
{
	bool struck;

	if (!xa)
		return agent_fail(E_INVALID, "an argument is NULL");
	if (!state_is(xa, XA_ACTIVE))
		return agent_fail(E_STATE, "no branch is open on this "
					   "connection (treaty_xa_start)");
	*tx = tx_of(xa);
	pthread_mutex_lock(&xa->r->lock);
	(void)xa_move(xa, XA_ENDING);
	struck = xa->struck;
	pthread_mutex_unlock(&xa->r->lock);
	if (!*tx)
		return vote_no(xa,
			       agent_fail(E_STATE,
					  "the global transaction %s is not "
					  "bound to this thread any more; "
					  "the branch is rolled back",
					  xa->gid.gtrid));
	if (struck)
		return vote_no(xa, agent_fail(E_ROLLED_BACK,
					      "the global transaction %s was "
					      "rolled back meanwhile",
					      xa->gid.gtrid));
	if (server_error(xa))
		xa->doomed = true;
	if (xa->doomed)
		return vote_no(xa, agent_fail(E_STATE,
					      "the branch is rollback-only: %s",
					      xa->why));
	return fit(xa);
}

static int mark(struct treaty_xa *xa, bool *wrote)
{
	int rc;

	*wrote = !xa->read_only;
	if (xa->read_only)
		return OK;
	rc = xa->r->server->mark(xa->db, &xa->gid, &xa->mark, wrote);
	if (rc == E_UNKNOWN) /* long before the prepare */
		rc = E_CLOSED;
	return rc == OK ? OK : vote_no_db(xa, rc, "ending the branch");
}

int treaty_xa_end(struct treaty_xa *xa)
{
	struct treaty_tx *tx;
	bool wrote;
	int rc = begin_end(xa, &tx);

	if (rc == OK)
		rc = mark(xa, &wrote);
	if (rc != OK)
		return rc;
	return wrote ? prepare(xa, tx) : end_read_only(xa, tx);
}

int treaty_xa_end_one_phase(struct treaty_xa *xa)
{
	struct treaty_tx *tx;
	bool wrote;
	int rc = begin_end(xa, &tx);

	if (rc == OK)
		rc = mark(xa, &wrote);
	if (rc != OK)
		return rc;
	return wrote ? one_phase(xa, tx) : end_read_only(xa, tx);
}

int treaty_xa_rollback(struct treaty_xa *xa)
{
	if (!xa)
		return agent_fail(E_INVALID, "an argument is NULL");
	if (!state_is(xa, XA_ACTIVE))
		return agent_fail(E_STATE, "no branch is open on this "
					   "connection");
	if (db_state(xa->db) == DB_BUSY)
		return agent_fail(E_STATE, "results are pending on the "
					   "connection; read them first");
	move(xa, XA_ENDING);
	return vote_no(xa, OK);
}

/* ---- errors of statements ---- */

int treaty_xa_run(struct treaty_xa *xa, const char *sql)
{
	int rc;

	if (!xa || !sql)
		return agent_fail(E_INVALID, "an argument is NULL");
	if (!state_is(xa, XA_ACTIVE))
		return agent_fail(E_STATE, "no branch is open on this "
					   "connection (treaty_xa_start)");
	rc = db_command(xa->db, sql);
	if (rc == OK)
		return OK;
	treaty_xa_doom(xa, db_error(xa->db)->message);
	return xa_fail_db(xa->db, rc, "the branch is rollback-only");
}

int treaty_xa_check(struct treaty_xa *xa)
{
	if (!xa)
		return agent_fail(E_INVALID, "an argument is NULL");
	if (server_error(xa))
		xa->doomed = true;
	if (db_state(xa->db) == DB_FAILED)
		treaty_xa_doom(xa, "a statement has failed");
	if (!xa->doomed)
		return OK;
	return agent_fail(E_STATE, "the branch is rollback-only: %s", xa->why);
}

void treaty_xa_doom(struct treaty_xa *xa, const char *reason)
{
	if (!xa)
		return;
	set_why(xa, reason ? reason : "by the program");
	xa->doomed = true;
}

int treaty_xa_forgive(struct treaty_xa *xa)
{
	if (!xa || !state_is(xa, XA_ACTIVE))
		return agent_fail(E_STATE, "no branch is open on this "
					   "connection");
	xa->doomed = false;
	/* The client library remembers the error until the next call. */
	if (server_error(xa) && mysql_query(db_mysql(xa->db), "DO 0"))
		return agent_fail(E_STATE, "the connection does not work: %s",
				  mysql_error(db_mysql(xa->db)));
	return OK;
}
