#include "rm-agent/runner.h"

#include "base/hash.h"
#include "base/log.h"
#include "rm-agent/handle.h"

#include <signal.h>

#define ERROR_MAX  4096          /* bytes of an error text */
#define DETAIL_MAX (1024 * 1024) /* of the difference of a dirty branch */

struct task {
	struct list link; /* on the queue, or unlinked while it runs */
	struct map_node node;
	struct arena arena; /* of the texts */
	uint64_t id;        /* the coordinator's newest for this command */
	bool running;
	struct bytes xid;
	struct agent_command command;
};

/* ---- finding ---- */

static uint64_t task_hash(struct bytes xid, uint64_t branch)
{
	return hash_bytes(0, xid) ^ hash_u64(0, branch);
}

static struct task *find_task(struct runner *r, struct bytes xid,
			      uint64_t branch)
{
	struct map_node *n = map_find(&r->tasks, task_hash(xid, branch));

	for (; n; n = map_find_next(n)) {
		struct task *k = CONTAINER_OF(n, struct task, node);

		if (k->command.branch == branch && bytes_equal(k->xid, xid))
			return k;
	}
	return NULL;
}

/* ---- answering ---- */

static void answer(struct treaty *t, struct msg m)
{
	m.type = MSG_BRANCH_DONE;
	/* If it is lost the coordinator asks again. */
	if (session_done(t->agent->session, &m) != OK)
		LOG_WARN("no room for an answer to the coordinator",
			 LOG_B("xid", m.xid), LOG_U("branch", m.branch));
	loop_flush(t);
}

static enum branch_status retryable(uint64_t command)
{
	return command == AGENT_ROLLBACK ? BRANCH_ROLLBACK_RETRYABLE
					 : BRANCH_COMMIT_RETRYABLE;
}

/* Not tried, so it is no failure of the branch. */
static void come_again(struct treaty *t, const struct msg *m, const char *why)
{
	answer(t, (struct msg){ .id = m->id,
				.command = m->command,
				.xid = m->xid,
				.branch = m->branch,
				.status = retryable(m->command),
				.in_progress = true,
				.text = bytes_of(why) });
}

/* ---- accepting ---- */

static void task_free(struct runner *r, struct task *k)
{
	list_remove(&k->link);
	map_remove(&r->tasks, &k->node);
	arena_fini(&k->arena);
	mem_free(&mem_heap, k);
}

/* A copy of the command, on no list; NULL: no memory. */
static struct task *task_new(const struct msg *m)
{
	struct task *k = mem_alloc(&mem_heap, sizeof *k);
	struct agent_command *c;

	if (!k)
		return NULL;
	list_init(&k->link);
	arena_init(&k->arena, &mem_heap, 1024);
	c = &k->command;
	k->id = m->id;
	k->xid = arena_bytes(&k->arena, m->xid);
	c->type = (enum agent_command_type)m->command;
	c->xid = (const char *)k->xid.data;
	c->branch = m->branch;
	c->mode = (enum branch_mode)m->mode;
	c->resource = arena_text(&k->arena, m->resource);
	c->application_data = arena_bytes(&k->arena, m->application_data);
	c->attempt = m->attempt;
	c->resolution = (enum agent_resolution)m->resolution;
	c->values = arena_bytes(&k->arena, m->values);
	c->participant = arena_bytes(&k->arena, m->participant);
	c->timeout_ms = m->timeout_ms;
	c->service = arena_text(&k->arena, m->service);
	c->method = arena_text(&k->arena, m->method);
	c->compensation = m->compensation;
	if (!k->xid.data || !c->resource || !c->application_data.data ||
	    !c->values.data || !c->participant.data || !c->service ||
	    !c->method) {
		arena_fini(&k->arena);
		mem_free(&mem_heap, k);
		return NULL;
	}
	return k;
}

static bool same(const struct task *k, const struct msg *m)
{
	return (uint64_t)k->command.type == m->command &&
	       (uint64_t)k->command.resolution == m->resolution &&
	       k->command.compensation == m->compensation &&
	       bytes_equal(k->command.values, m->values);
}

static bool sensible(const struct msg *m)
{
	return m->xid.len > 0 &&
	       (m->branch != 0 || m->command >= AGENT_CHECK) &&
	       m->command <= AGENT_CALL &&
	       m->resolution <= AGENT_RESOLVE_VALUES;
}

/* Commits and undoes on its own connections, and calls nobody. */
static bool is_own(const struct agent_command *c)
{
	return c->type <= AGENT_ROLLBACK &&
	       (c->mode == MODE_AT || c->mode == MODE_XA);
}

static void enqueue(struct treaty *t, const struct msg *m)
{
	struct runner *r = &t->agent->runner;
	struct task *k = NULL;

	if (r->tasks.count >= t->agent->options.commands_max) {
		come_again(t, m,
			   "the agent's queue is full (its option "
			   "commands_max)");
		return;
	}
	k = task_new(m);
	if (!k) {
		come_again(t, m, "the agent is out of memory");
		return;
	}
	map_insert(&r->tasks, &k->node, task_hash(k->xid, k->command.branch));
	list_append(is_own(&k->command) ? &r->own : &r->queue, &k->link);
	(void)pthread_cond_signal(&r->work);
	if (is_own(&k->command))
		(void)pthread_cond_signal(&r->own_work);
}

void runner_accept(struct treaty *t, const struct msg *m)
{
	struct runner *r = &t->agent->runner;
	struct task *k;

	if (!sensible(m)) {
		LOG_WARN("a command that makes no sense was dropped",
			 LOG_B("xid", m->xid), LOG_U("branch", m->branch));
		return;
	}
	if (t->state != HANDLE_OPEN || r->stop) {
		come_again(t, m, "the agent is closing");
		return;
	}
	k = find_task(r, m->xid, m->branch);
	if (k && k->running && !same(k, m)) {
		come_again(t, m, "another command for this branch still runs");
		return;
	}
	if (k && k->running) {
		k->id = m->id; /* its result answers this one, too */
		return;
	}
	if (k)
		task_free(r, k);
	enqueue(t, m);
}

/* ---- running ---- */

bool runner_waiting(const struct treaty *t)
{
	const struct runner *r = &t->agent->runner;

	return !list_empty(&r->queue) || !list_empty(&r->own);
}

static struct task *first_task(struct runner *r)
{
	struct list *link = list_first(&r->own);

	link = link ? link : list_first(&r->queue);
	return link ? CONTAINER_OF(link, struct task, link) : NULL;
}

static void hook(struct treaty *t, const struct task *k, bool after,
		 enum branch_status status)
{
	static const enum treaty_step step_of[] = {
		[AGENT_COMMIT] = TREATY_STEP_PHASE_TWO_COMMIT,
		[AGENT_ROLLBACK] = TREATY_STEP_PHASE_TWO_ROLLBACK,
		[AGENT_CHECK] = TREATY_STEP_CHECK,
		[AGENT_CALL] = TREATY_STEP_CALL,
	};
	const struct treaty_hook_event e = {
		.step = step_of[k->command.type],
		.after = after,
		.xid = k->command.xid,
		.name = "",
		.resource = k->command.resource,
		.branch = k->command.branch,
		.status = (int)status,
	};

	(void)hooks_run(t, &e);
}

/* Not locked. */
static void execute(struct treaty *t, struct task *k, const struct resource *s,
		    struct agent_result *result)
{
	hook(t, k, false, BRANCH_UNKNOWN);
	callback_enter();
	s->handler.run(s->ctx, &k->command, result);
	callback_leave();
	hook(t, k, true, result->status);
}

static struct bytes whole(const struct buf *b)
{
	return buf_error(b) == OK ? buf_bytes(b) : (struct bytes){ 0 };
}

static struct msg done_msg(const struct task *k)
{
	return (struct msg){ .id = k->id,
			     .command = (uint64_t)k->command.type,
			     .xid = k->xid,
			     .branch = k->command.branch,
			     .status = retryable(k->command.type) };
}

/* An output that does not fit must not be called an empty one: what was done
 * is asked for again, and says so again. */
static bool output_lost(const struct task *k, const struct buf *detail)
{
	return k->command.type == AGENT_CALL && buf_error(detail) != OK;
}

static void answer_result(struct treaty *t, const struct task *k,
			  const struct agent_result *r)
{
	struct msg m = done_msg(k);

	m.status = (uint64_t)r->status;
	m.in_progress = r->in_progress;
	m.text = whole(r->error);
	m.detail = whole(r->detail);
	m.error_name = whole(r->error_name);
	if (output_lost(k, r->detail)) {
		m.status = retryable(k->command.type);
		m.text = BYTES("the output is longer than 1 MiB, or there is "
			       "no memory for it");
	}
	answer(t, m);
}

static void run_on(struct treaty *t, struct task *k, struct resource *s)
{
	struct runner *r = &t->agent->runner;
	struct buf error, detail, error_name;
	struct agent_result result = { .status = retryable(k->command.type),
				       .error = &error,
				       .detail = &detail,
				       .error_name = &error_name };

	buf_init(&error, &mem_heap);
	buf_init(&detail, &mem_heap);
	buf_init(&error_name, &mem_heap);
	error.limit = error_name.limit = ERROR_MAX;
	detail.limit = DETAIL_MAX;
	s->running++;
	r->n_running++;
	handle_unlock(t);
	execute(t, k, s, &result);
	handle_lock(t);
	s->running--;
	r->n_running--;
	answer_result(t, k, &result);
	buf_fini(&error);
	buf_fini(&detail);
	buf_fini(&error_name);
	(void)pthread_cond_broadcast(&t->changed);
}

/* Checks and calls have no mode of a branch, they go by what they are. */
static bool fits(const struct resource *s, const struct agent_command *c)
{
	switch (c->type) {
	case AGENT_CHECK:
		return s->mode == MODE_MSG;
	case AGENT_CALL:
		return s->mode == MODE_SAGA;
	default:
		return s->mode == c->mode;
	}
}

static void not_served(struct treaty *t, const struct task *k)
{
	struct msg m = done_msg(k);

	m.text = BYTES("this process does not serve the resource in this mode");
	answer(t, m);
}

void runner_run(struct treaty *t)
{
	struct runner *r = &t->agent->runner;
	struct task *k = first_task(r);
	struct resource *s;

	REQUIRE(k);
	list_remove(&k->link);
	k->running = true;
	s = resource_find(r, bytes_of(k->command.resource));
	if (s && fits(s, &k->command))
		run_on(t, k, s);
	else
		not_served(t, k);
	task_free(r, k);
}

static void *work(void *arg)
{
	struct treaty *t = arg;
	struct runner *r = &t->agent->runner;

	handle_lock(t);
	while (!r->stop) {
		if (runner_waiting(t))
			runner_run(t);
		else
			(void)pthread_cond_wait(&r->work, &t->lock);
	}
	handle_unlock(t);
	return NULL;
}

static void *work_own(void *arg)
{
	struct treaty *t = arg;
	struct runner *r = &t->agent->runner;

	handle_lock(t);
	while (!r->stop) {
		if (!list_empty(&r->own))
			runner_run(t);
		else
			(void)pthread_cond_wait(&r->own_work, &t->lock);
	}
	handle_unlock(t);
	return NULL;
}

/* ---- life ---- */

int runner_init(struct runner *r)
{
	int rc;

	list_init(&r->queue);
	list_init(&r->own);
	REQUIRE(pthread_cond_init(&r->work, NULL) == 0);
	REQUIRE(pthread_cond_init(&r->own_work, NULL) == 0);
	rc = map_init(&r->tasks, &mem_heap);
	if (rc == OK)
		rc = map_init(&r->resources, &mem_heap);
	return rc;
}

int runner_start(struct treaty *t, unsigned threads)
{
	struct runner *r = &t->agent->runner;
	sigset_t every, old;
	int rc = 0;

	REQUIRE(threads < ARRAY_LEN(r->workers));
	(void)sigfillset(&every);
	(void)pthread_sigmask(SIG_SETMASK, &every, &old);
	for (unsigned i = 0; threads > 0 && i <= threads && rc == 0; i++) {
		rc = pthread_create(&r->workers[i], NULL,
				    i == threads ? work_own : work, t);
		r->n_workers += rc == 0;
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc == 0 ? OK : E_IO;
}

void runner_drain(struct treaty *t)
{
	struct runner *r = &t->agent->runner;

	struct task *k;

	while ((k = first_task(r))) {
		struct msg m = done_msg(k);

		m.in_progress = true;
		m.text = BYTES("the agent is closing");
		answer(t, m);
		task_free(r, k);
	}
}

void runner_stop(struct treaty *t)
{
	struct runner *r = &t->agent->runner;

	handle_lock(t);
	r->stop = true;
	(void)pthread_cond_broadcast(&r->work);
	(void)pthread_cond_broadcast(&r->own_work);
	handle_unlock(t);
	for (unsigned i = 0; i < r->n_workers; i++)
		(void)pthread_join(r->workers[i], NULL);
	r->n_workers = 0;
}

void runner_fini(struct runner *r)
{
	struct task *k;

	while ((k = first_task(r)))
		task_free(r, k);
	REQUIRE(r->tasks.count == 0);
	resources_free(r);
	map_fini(&r->tasks);
	(void)pthread_cond_destroy(&r->work);
	(void)pthread_cond_destroy(&r->own_work);
}
