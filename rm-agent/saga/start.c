#include "base/json.h"
#include "rm-agent/handle.h"

#include <treaty/saga.h>

#include <poll.h>

/* Machines and runs: what is asked of the coordinator. */

#define NAP_MS_FIRST 10
#define NAP_MS_MAX   250

/* ---- machines ---- */

static void put_name(char to[TREATY_SAGA_NAME_MAX + 1], const struct buf *from)
{
	const struct bytes b = buf_bytes(from);

	REQUIRE(b.len <= TREATY_SAGA_NAME_MAX);
	if (b.len > 0)
		memcpy(to, b.data, b.len);
	to[b.len] = '\0';
}

int treaty_saga_machine_put(struct treaty *t, const char *document,
			    struct treaty_saga_machine *out)
{
	struct buf name, version;
	bool existed;
	int rc;

	if (!document)
		return agent_fail(E_INVALID, "the machine's document is NULL");
	buf_init(&name, &mem_heap);
	buf_init(&version, &mem_heap);
	name.limit = version.limit = TREATY_SAGA_NAME_MAX;
	rc = agent_machine_put(t, bytes_of(document), &name, &version,
			       &existed);
	if (rc == OK && out) {
		put_name(out->name, &name);
		put_name(out->version, &version);
		out->existed = existed;
	}
	buf_fini(&name);
	buf_fini(&version);
	return rc;
}

int treaty_saga_machine_drop(struct treaty *t, const char *name,
			     const char *version)
{
	if (!name || !name[0])
		return agent_fail(E_INVALID, "the machine has no name");
	return agent_machine_drop(t, bytes_of(name), bytes_of(version));
}

/* ---- starting ---- */

/* "{…}" of an option, as a JSON object or NULL. */
static int check_object(const char *what, const char *json)
{
	const struct bytes b = bytes_of(json);

	if (!json || (json_valid(b) && json_type(b) == JSON_OBJECT))
		return OK;
	return agent_fail(E_INVALID,
			  "start of a saga: its %s must be a JSON object in "
			  "UTF-8, not \"%.40s\"",
			  what, json);
}

static int check_options(const struct treaty_saga_options *o)
{
	const bool machine = o && o->machine && o->machine[0];
	const bool document = o && o->document && o->document[0];
	int rc;

	if (!o || o->size < sizeof *o)
		return agent_fail(E_INVALID, "start of a saga: the size of its "
					     "options is not set");
	if (machine == document)
		return agent_fail(E_INVALID,
				  "start of a saga: give a machine's name or a "
				  "document%s",
				  machine ? ", not both" : "");
	if (document && o->version)
		return agent_fail(E_INVALID,
				  "start of a saga: the version of a document "
				  "is in the document");
	rc = check_object("input", o->input);
	return rc == OK ? check_object("headers", o->headers) : rc;
}

/* What the caller of URLs gets to know; empty for none. */
static void put_participant(struct buf *out, const char *headers)
{
	struct json j;

	if (!headers)
		return;
	json_init(&j, out);
	json_object(&j, NULL);
	json_raw(&j, "headers", bytes_of(headers));
	json_end(&j);
}

static int take_json(struct treaty_saga_run *out, const struct buf *detail)
{
	if (detail->len == 0)
		return OK;
	out->json = mem_text(&mem_heap, buf_bytes(detail));
	return out->json ? OK : E_NOMEM;
}

static int start(struct treaty *t, const struct agent_saga *s,
		 struct treaty_saga_run *out)
{
	struct agent_saga_run run;
	struct buf detail;
	int rc;

	buf_init(&detail, &mem_heap);
	rc = agent_saga_start(t, s, &run, &detail);
	if (rc == OK) {
		*out = (struct treaty_saga_run){ .existed = run.existed,
						 .status = run.status };
		memcpy(out->xid, run.xid, sizeof run.xid);
		rc = take_json(out, &detail);
		if (rc != OK)
			(void)agent_fail(rc,
					 "out of memory for the result of "
					 "saga %s; it runs",
					 run.xid);
	}
	buf_fini(&detail);
	return rc;
}

int treaty_saga_start(struct treaty *t,
		      const struct treaty_saga_options *options,
		      struct treaty_saga_run *out)
{
	struct buf participant;
	int rc = check_options(options);

	if (rc != OK)
		return rc;
	buf_init(&participant, &mem_heap);
	put_participant(&participant, options->headers);
	rc = buf_error(&participant);
	if (rc != OK)
		(void)agent_fail(rc, "start of a saga: out of memory");
	else
		rc = start(
			t,
			&(struct agent_saga){
				.machine = bytes_of(options->machine),
				.version = bytes_of(options->version),
				.document = bytes_of(options->document),
				.business_key = bytes_of(options->business_key),
				.input = bytes_of(options->input),
				.participant = buf_bytes(&participant),
				.timeout_ms = options->deadline_ms,
				.wait_ms = options->wait_ms },
			out);
	buf_fini(&participant);
	return rc;
}

int treaty_saga_graph_start(struct treaty_saga_graph *g, struct treaty *t,
			    const struct treaty_saga_options *options,
			    struct treaty_saga_run *out)
{
	struct treaty_saga_options o = { .size = sizeof o };
	const char *json;
	int rc = treaty_saga_graph_json(g, &json);

	if (rc == OK && options && options->size < sizeof o)
		rc = agent_fail(E_INVALID, "start of a saga: the size of its "
					   "options is not set");
	if (rc == OK && options)
		o = *options;
	if (rc == OK && (o.machine || o.version || o.document))
		rc = agent_fail(E_INVALID, "start of a graph: machine, version "
					   "and document are those of the "
					   "graph");
	if (rc != OK)
		return rc;
	o.document = json;
	return treaty_saga_start(t, &o, out);
}

/* ---- looking ---- */

bool treaty_saga_ended(int status)
{
	return gtx_status_finished(status);
}

static bool has_threads(struct treaty *t)
{
	bool yes = true;

	if (handle_enter(t) == OK) {
		yes = t->agent->threaded;
		handle_leave(t);
	}
	return yes;
}

/* Services must go on meanwhile, where no thread runs them. */
static void nap(struct treaty *t, int ms)
{
	struct pollfd p = { .fd = -1, .events = POLLIN };
	int due;

	if (has_threads(t)) {
		(void)poll(NULL, 0, ms);
		return;
	}
	p.fd = treaty_fd(t);
	due = treaty_next_deadline(t);
	(void)poll(&p, 1, due >= 0 && due < ms ? due : ms);
	(void)treaty_process(t, 1);
}

int treaty_saga_status(struct treaty *t, const char *xid, uint32_t wait_ms,
		       int *out)
{
	const uint64_t end = clock_ms() + wait_ms;
	int ms = NAP_MS_FIRST;

	for (;;) {
		int rc = treaty_status(t, xid, out);
		uint64_t now = clock_ms();

		if (rc != OK || treaty_saga_ended(*out) ||
		    gtx_status_hung(*out) || now >= end)
			return rc;
		if (end - now < (uint64_t)ms)
			ms = (int)(end - now);
		nap(t, ms);
		ms = 2 * ms < NAP_MS_MAX ? 2 * ms : NAP_MS_MAX;
	}
}

int treaty_saga_show(struct treaty *t, const char *xid, char **json)
{
	struct buf b;
	char *copy;
	int rc;

	buf_init(&b, &mem_heap);
	rc = agent_saga_show(t, xid, &b, NULL);
	if (rc == OK && b.len == 0) /* only its outcome is known */
		rc = agent_fail(E_NOTFOUND,
				"saga %s has ended; the archive has its story",
				xid);
	if (rc == OK) {
		copy = mem_text(&mem_heap, buf_bytes(&b));
		if (copy)
			*json = copy;
		else
			rc = agent_fail(E_NOMEM, "show saga %s: out of memory",
					xid);
	}
	buf_fini(&b);
	return rc;
}

void treaty_saga_free(char *json)
{
	mem_free(&mem_heap, json);
}

/* ---- operations ---- */

int treaty_saga_forward(struct treaty *t, const char *xid, const char *reason)
{
	return agent_saga_move(t, xid, AGENT_SAGA_FORWARD, AGENT_TASK_ALL,
			       reason, NULL);
}

int treaty_saga_compensate(struct treaty *t, const char *xid,
			   const char *reason)
{
	return agent_saga_move(t, xid, AGENT_SAGA_COMPENSATE, AGENT_TASK_ALL,
			       reason, NULL);
}

int treaty_saga_skip(struct treaty *t, const char *xid, uint32_t task,
		     const char *reason)
{
	return agent_saga_move(t, xid, AGENT_SAGA_SKIP, task, reason, NULL);
}
