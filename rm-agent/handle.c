#include "rm-agent/handle.h"

#include "base/hash.h"
#include "base/log.h"
#include "rm-agent/options.h"

#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* How long treaty_close() waits for calls that it has ended to return. */
#define RETURN_MS 1000

/* Bytes that the session may keep, in messages of the greatest length. */
#define KEPT_MESSAGES 8

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct treaty *all; /* every handle that was ever opened */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_uint forks;     /* that led to this process */
static bool forked_from_user; /* a handle was open in the parent */
static bool log_chosen;       /* by treaty_set_log() */
static _Thread_local unsigned callbacks;

/* ---- fork ---- */

static void before_fork(void)
{
	(void)pthread_mutex_lock(&all_lock);
}

static void after_fork_in_parent(void)
{
	(void)pthread_mutex_unlock(&all_lock);
}

static void after_fork_in_child(void)
{
	for (struct treaty *t = all; t; t = t->next)
		if (t->state != HANDLE_CLOSED)
			forked_from_user = true;
	(void)atomic_fetch_add(&forks, 1);
	callbacks = 0;
	(void)pthread_mutex_unlock(&all_lock);
}

static void set_up_process(void)
{
	if (!log_chosen)
		log_set_level(LOG_LEVEL_WARN);
	(void)pthread_atfork(before_fork, after_fork_in_parent,
			     after_fork_in_child);
}

int handle_check_fork(const struct treaty *t)
{
	if (t->generation == atomic_load(&forks))
		return OK;
	return agent_fail(E_STATE, "this handle was opened before fork(); the "
				   "child must not use it. Fork first, then "
				   "treaty_open()");
}

/* ---- inside a call ---- */

void handle_lock(struct treaty *t)
{
	REQUIRE(pthread_mutex_lock(&t->lock) == 0);
}

void handle_unlock(struct treaty *t)
{
	REQUIRE(pthread_mutex_unlock(&t->lock) == 0);
}

int handle_enter(struct treaty *t)
{
	bool open;

	if (!t)
		return agent_fail(E_INVALID, "the handle is NULL");
	if (handle_check_fork(t) != OK)
		return E_STATE;
	handle_lock(t);
	open = t->state == HANDLE_OPEN;
	t->users += open;
	handle_unlock(t);
	if (!open)
		return agent_fail(E_CLOSED, "the handle is closed; use it no "
					    "more after treaty_close()");
	return OK;
}

void handle_leave(struct treaty *t)
{
	handle_lock(t);
	REQUIRE(t->users > 0);
	t->users--;
	if (t->state != HANDLE_OPEN)
		(void)pthread_cond_broadcast(&t->changed);
	handle_unlock(t);
}

void callback_enter(void)
{
	callbacks++;
}

void callback_leave(void)
{
	callbacks--;
}

bool callback_inside(void)
{
	return callbacks > 0;
}

uint64_t clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- opening ---- */

static void put_instance(struct buf *out, const struct treaty_options *o)
{
	char host[65] = "";
	uint64_t random = 0;

	if (o->instance) {
		buf_put_text(out, o->instance);
		return;
	}
	(void)gethostname(host, sizeof host - 1);
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		random = clock_ms();
	buf_printf(out, "%s-%ld-%016llx", host, (long)getpid(),
		   (unsigned long long)random);
}

static int new_session(struct agent *a)
{
	const struct treaty_options *o = &a->options;
	struct buf instance;
	int rc;

	buf_init(&instance, &mem_heap);
	put_instance(&instance, o);
	rc = buf_error(&instance);
	if (rc == OK) {
		const struct session_config c = {
			.application = bytes_of(o->application),
			.instance = buf_bytes(&instance),
			.requests_max = o->requests_max,
			.bytes_max = (size_t)o->message_max * KEPT_MESSAGES,
			.message_max = o->message_max,
			.dones_max = o->commands_max,
			.heartbeat_ms = o->heartbeat_ms,
			.resend_ms_first = 1000,
			.resend_ms_max = 5000,
		};

		rc = session_new(&a->session, &mem_heap, &c, clock_ms());
	}
	buf_fini(&instance);
	return rc;
}

/* The texts of the options belong to the program: none is looked at later. */
static void forget_texts(struct treaty_options *o)
{
	o->address = o->application = o->instance = NULL;
}

static int open_agent(struct treaty *t, const struct treaty_options *options)
{
	struct agent *a = t->agent;
	const char *why = "out of memory";
	int rc;

	a->options = *options;
	a->threaded = options->threads > 0;
	list_init(&a->waiting);
	rc = runner_init(&a->runner);
	if (rc == OK &&
	    getrandom(&a->random, sizeof a->random, 0) != sizeof a->random) {
		why = "the system gives no random numbers";
		rc = E_IO;
	}
	if (rc == OK)
		rc = new_session(a);
	if (rc == OK)
		rc = transport_open(&a->transport, options->address,
				    options->message_max, &why);
	forget_texts(&a->options);
	if (rc == OK && a->threaded) {
		why = "no thread: is the system's limit reached?";
		rc = loop_start(t);
		if (rc == OK)
			rc = runner_start(t, options->threads);
	}
	if (rc != OK)
		return agent_fail(rc, "treaty_open: %s (%s)", why,
				  options->address);
	return OK;
}

static void free_agent(struct treaty *t)
{
	struct agent *a = t->agent;

	runner_stop(t);
	loop_stop(t);
	runner_fini(&a->runner);
	transport_close(a->transport);
	session_free(a->session);
	mem_free(&mem_heap, a);
	handle_lock(t);
	t->agent = NULL;
	t->state = HANDLE_CLOSED;
	handle_unlock(t);
}

static int new_handle(struct treaty **out)
{
	struct treaty *t = mem_alloc(&mem_heap, sizeof *t);
	pthread_condattr_t attr;

	if (!t)
		return E_NOMEM;
	t->agent = mem_alloc(&mem_heap, sizeof *t->agent);
	if (!t->agent) {
		mem_free(&mem_heap, t);
		return E_NOMEM;
	}
	REQUIRE(pthread_mutex_init(&t->lock, NULL) == 0);
	REQUIRE(pthread_condattr_init(&attr) == 0);
	REQUIRE(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	REQUIRE(pthread_cond_init(&t->changed, &attr) == 0);
	(void)pthread_condattr_destroy(&attr);
	t->generation = atomic_load(&forks);
	*out = t;
	return OK;
}

int treaty_open(struct treaty **out, const struct treaty_options *options)
{
	struct treaty_options o;
	struct treaty *t;
	int rc = options_take(&o, options);

	if (rc != OK)
		return rc;
	(void)pthread_once(&once, set_up_process);
	if (forked_from_user)
		return agent_fail(E_STATE,
				  "treaty_open: this process was forked from "
				  "one that had a handle open, which the "
				  "network library does not survive. Fork "
				  "before the first treaty_open(), or exec");
	rc = new_handle(&t);
	if (rc != OK)
		return agent_fail(rc, "treaty_open: out of memory");
	rc = open_agent(t, &o);
	(void)pthread_mutex_lock(&all_lock);
	t->next = all;
	all = t;
	(void)pthread_mutex_unlock(&all_lock);
	if (rc == OK)
		*out = t;
	else
		free_agent(t);
	return rc;
}

/* ---- closing ---- */

static bool idle(const struct treaty *t)
{
	return t->users == 0 && t->agent->runner.n_running == 0;
}

/* Until then, or until it is idle (and nothing is asked any more). Locked. */
static void wait_idle(struct treaty *t, uint64_t until_ms, bool drained)
{
	const struct timespec until = {
		.tv_sec = (time_t)(until_ms / 1000),
		.tv_nsec = (long)(until_ms % 1000) * 1000000,
	};

	while (!idle(t) || (drained && session_pending(t->agent->session))) {
		int rc = 0;

		if (clock_ms() >= until_ms)
			break;
		if (t->agent->threaded) {
			rc = pthread_cond_timedwait(&t->changed, &t->lock,
						    &until);
			if (rc != 0)
				break;
			continue;
		}
		loop_turn(t);
		handle_unlock(t);
		loop_wait(t, until_ms < clock_ms() + 5 ? until_ms
						       : clock_ms() + 5);
		handle_lock(t);
	}
}

/* E_TIMEOUT if somebody does not come out. Locked. */
static int shut(struct treaty *t)
{
	uint64_t now = clock_ms();

	t->state = HANDLE_CLOSING;
	runner_drain(t);
	loop_flush(t);
	wait_idle(t, now + t->agent->options.close_wait_ms, true);
	session_end(t->agent->session);
	loop_outputs(t);
	wait_idle(t, clock_ms() + RETURN_MS, false);
	if (idle(t))
		return OK;
	return agent_fail(E_TIMEOUT,
			  "treaty_close: %u calls and %zu phase-two handlers "
			  "still run; nothing was freed, close again later",
			  t->users, t->agent->runner.n_running);
}

int treaty_close(struct treaty *t)
{
	int rc = OK;

	if (!t)
		return OK;
	if (handle_check_fork(t) != OK)
		return E_STATE;
	if (callback_inside())
		return agent_fail(E_STATE, "treaty_close: called from a hook "
					   "or a phase-two handler");
	handle_lock(t);
	if (t->state == HANDLE_CLOSED)
		rc = agent_fail(E_CLOSED, "treaty_close: closed before");
	else if (t->in_close)
		rc = agent_fail(E_STATE, "treaty_close: another thread is "
					 "closing it");
	else
		t->in_close = true;
	if (rc == OK) {
		rc = shut(t);
		t->in_close = rc == OK;
	}
	handle_unlock(t);
	if (rc == OK)
		free_agent(t);
	return rc;
}

bool treaty_connected(struct treaty *t)
{
	bool ready;

	if (handle_enter(t) != OK)
		return false;
	handle_lock(t);
	ready = session_state(t->agent->session) == SESSION_READY;
	handle_unlock(t);
	handle_leave(t);
	return ready;
}

/* ---- log ---- */

static void (*user_log)(void *ctx, const char *line, size_t len);

static void to_user(void *ctx, struct bytes line)
{
	user_log(ctx, (const char *)line.data, line.len);
}

void treaty_set_log(void (*log)(void *ctx, const char *line, size_t len),
		    void *ctx, enum treaty_log_level from)
{
	log_chosen = true;
	user_log = log;
	log_set_sink(log ? to_user : NULL, ctx);
	log_set_level((enum log_level)from);
}
