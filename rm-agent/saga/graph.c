#include "rm-agent/saga/graph.h"

#include "base/json.h"
#include "base/url.h"
#include "base/utf8.h"
#include "rm-agent/agent.h"

/* ---- errors ---- */

static void fail(struct treaty_saga_graph *g, int err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void fail(struct treaty_saga_graph *g, int err, const char *fmt, ...)
{
	va_list args;

	if (g->err != OK)
		return;
	g->err = err;
	va_start(args, fmt);
	buf_vprintf(&g->why, fmt, args);
	va_end(args);
}

static void no_memory(struct treaty_saga_graph *g)
{
	if (g->err == OK)
		g->err = E_NOMEM;
}

static int told(struct treaty_saga_graph *g)
{
	if (g->err == OK)
		return OK;
	if (g->err == E_NOMEM || buf_error(&g->why) != OK)
		return agent_fail(E_NOMEM, "out of memory for a graph");
	return agent_fail(g->err, "graph %.*s: %s", (int)g->name.len,
			  (const char *)g->name.data, buf_text(&g->why));
}

/* ---- texts ---- */

static struct bytes copy(struct treaty_saga_graph *g, const char *text)
{
	struct bytes b = arena_bytes(&g->arena, bytes_of(text));

	if (!b.data)
		no_memory(g);
	return b;
}

/* What is wrong with it, or NULL. */
static const char *text_fault(const char *text)
{
	struct bytes b = bytes_of(text);

	if (b.len == 0)
		return "is missing";
	return utf8_valid(b) ? NULL : "is not UTF-8";
}

static const char *name_fault(const char *text)
{
	if (bytes_of(text).len > TREATY_SAGA_NAME_MAX)
		return "is longer than 255 bytes";
	return text_fault(text);
}

static bool check_service(struct treaty_saga_graph *g, const char *step,
			  const char *what, const char *text)
{
	const char *fault = text_fault(text);

	if (bytes_of(text).len > URL_LEN_MAX)
		fault = "is longer than 2048 bytes";

	if (fault)
		fail(g, E_INVALID, "step %s: %s %s", step, what, fault);
	return !fault;
}

static bool check_json(struct treaty_saga_graph *g, const char *step,
		       const char *what, const char *json)
{
	if (!json || json_valid(bytes_of(json)))
		return true;
	fail(g, E_INVALID, "step %s: %s is not one JSON value in UTF-8: %.40s",
	     step, what, json);
	return false;
}

/* ---- retry policies ---- */

static bool check_retry(struct treaty_saga_graph *g,
			const struct treaty_saga_retry *r)
{
	if (r->rate_permille == 0 || r->rate_permille >= 1000)
		return true;
	fail(g, E_INVALID,
	     "a retry policy's rate_permille is at least 1000, not %u",
	     r->rate_permille);
	return false;
}

static void put_number(struct json *j, const char *key, uint32_t n)
{
	if (n > 0)
		json_number(j, key, n);
}

static void put_retry(struct buf *out, const struct treaty_saga_retry *r)
{
	struct bytes rate;
	struct buf digits;
	struct json j;

	buf_init(&digits, out->mem);
	buf_printf(&digits, "%u.%03u", r->rate_permille / 1000,
		   r->rate_permille % 1000);
	rate = buf_bytes(&digits);
	json_init(&j, out);
	json_object(&j, NULL);
	put_number(&j, "interval_ms", r->interval_ms);
	if (r->rate_permille > 0)
		json_raw(&j, "rate", rate);
	put_number(&j, "ceiling_ms", r->ceiling_ms);
	if (r->attempts == TREATY_SAGA_FOREVER)
		json_number(&j, "attempts", 0);
	else
		put_number(&j, "attempts", r->attempts);
	json_end(&j);
	if (buf_error(&digits) != OK)
		out->error = E_NOMEM;
	buf_fini(&digits);
}

/* ---- the head ---- */

struct treaty_saga_graph *graph_new(const struct mem *mem, const char *name,
				    const char *version)
{
	struct treaty_saga_graph *g = mem_alloc(mem, sizeof *g);
	const char *fault = name_fault(name);

	if (!g)
		return NULL;
	g->mem = mem;
	arena_init(&g->arena, mem, 0);
	list_init(&g->steps);
	buf_init(&g->document, mem);
	buf_init(&g->why, mem);
	g->name = copy(g, name);
	g->version = copy(g, version);
	if (fault)
		fail(g, E_INVALID, "its name %s", fault);
	fault = version && version[0] ? name_fault(version) : NULL;
	if (fault)
		fail(g, E_INVALID, "its version %s", fault);
	return g;
}

struct treaty_saga_graph *treaty_saga_graph_new(const char *name,
						const char *version)
{
	return graph_new(&mem_heap, name, version);
}

void treaty_saga_graph_free(struct treaty_saga_graph *g)
{
	if (!g)
		return;
	buf_fini(&g->why);
	buf_fini(&g->document);
	arena_fini(&g->arena);
	mem_free(g->mem, g);
}

void treaty_saga_graph_recover_forward(struct treaty_saga_graph *g)
{
	if (g)
		g->forward = true;
}

void treaty_saga_graph_deadline(struct treaty_saga_graph *g,
				uint32_t deadline_ms)
{
	if (g)
		g->deadline_ms = deadline_ms;
}

void treaty_saga_graph_retry(struct treaty_saga_graph *g,
			     const struct treaty_saga_retry *retry)
{
	struct buf b;

	if (!g || !check_retry(g, retry))
		return;
	buf_init(&b, &g->arena.as_mem);
	put_retry(&b, retry);
	if (buf_error(&b) != OK)
		no_memory(g);
	else
		g->retry = buf_bytes(&b);
}

/* ---- steps ---- */

static struct graph_step *find(const struct treaty_saga_graph *g,
			       struct bytes name)
{
	LIST_EACH(node, &g->steps) {
		struct graph_step *s =
			CONTAINER_OF(node, struct graph_step, link);

		if (bytes_equal(s->name, name))
			return s;
	}
	return NULL;
}

static bool check_step(struct treaty_saga_graph *g,
		       const struct treaty_saga_step *s)
{
	const char *name = s->name ? s->name : "";
	const char *fault;

	if (s->size < sizeof *s) {
		fail(g, E_INVALID, "a step's size is not set");
		return false;
	}
	fault = name_fault(name);
	if (fault) {
		fail(g, E_INVALID, "the name of a step %s", fault);
		return false;
	}
	if (find(g, bytes_of(name))) {
		fail(g, E_INVALID, "there are two steps %s", name);
		return false;
	}
	if (s->compensation_input && !s->compensation) {
		fail(g, E_INVALID,
		     "step %s: there is no compensation for its "
		     "compensation_input",
		     name);
		return false;
	}
	return check_service(g, name, "its action", s->action) &&
	       (!s->compensation ||
		check_service(g, name, "its compensation", s->compensation)) &&
	       check_json(g, name, "its input", s->input) &&
	       check_json(g, name, "its compensation_input",
			  s->compensation_input) &&
	       (!s->retry || check_retry(g, s->retry));
}

static void put_after(struct json *j, const struct treaty_saga_step *s)
{
	if (!s->after)
		return;
	json_array(j, "after");
	for (size_t i = 0; i < s->n_after; i++)
		json_text(j, NULL, bytes_of(s->after[i]));
	json_end(j);
}

static void put_step(struct buf *out, const struct treaty_saga_step *s)
{
	struct buf retry;
	struct json j;

	buf_init(&retry, out->mem);
	if (s->retry)
		put_retry(&retry, s->retry);
	json_init(&j, out);
	json_object(&j, NULL);
	json_text(&j, "name", bytes_of(s->name));
	json_text(&j, "action", bytes_of(s->action));
	if (s->compensation)
		json_text(&j, "compensation", bytes_of(s->compensation));
	put_after(&j, s);
	if (s->input)
		json_raw(&j, "input", bytes_of(s->input));
	if (s->compensation_input)
		json_raw(&j, "compensation_input",
			 bytes_of(s->compensation_input));
	put_number(&j, "timeout_ms", s->timeout_ms);
	if (s->retry)
		json_raw(&j, "retry", buf_bytes(&retry));
	json_end(&j);
	if (buf_error(&retry) != OK)
		out->error = E_NOMEM;
	buf_fini(&retry);
}

static struct graph_step *step_new(struct treaty_saga_graph *g,
				   const struct treaty_saga_step *from)
{
	struct graph_step *s = arena_alloc(&g->arena, sizeof *s);
	struct bytes *after =
		arena_array(&g->arena, from->n_after + 1, sizeof *after);
	struct buf json;

	if (!s || !after)
		return NULL;
	list_init(&s->link);
	buf_init(&json, &g->arena.as_mem);
	put_step(&json, from);
	s->name = arena_bytes(&g->arena, bytes_of(from->name));
	s->json = buf_bytes(&json);
	s->after = after;
	s->n_after = from->after ? from->n_after : 0;
	for (size_t i = 0; i < s->n_after; i++) {
		after[i] = arena_bytes(&g->arena, bytes_of(from->after[i]));
		if (!after[i].data)
			return NULL;
	}
	return s->name.data && buf_error(&json) == OK ? s : NULL;
}

void treaty_saga_graph_step(struct treaty_saga_graph *g,
			    const struct treaty_saga_step *step)
{
	struct graph_step *s;

	if (!g || g->err != OK || !check_step(g, step))
		return;
	s = step_new(g, step);
	if (s)
		list_append(&g->steps, &s->link);
	else
		no_memory(g);
}

/* ---- the document ---- */

static void check_after(struct treaty_saga_graph *g, const struct graph_step *s)
{
	for (size_t i = 0; i < s->n_after; i++)
		if (!find(g, s->after[i]))
			fail(g, E_INVALID, "step %.*s: no step is called %.*s",
			     (int)s->name.len, (const char *)s->name.data,
			     (int)s->after[i].len,
			     (const char *)s->after[i].data);
}

static void check_whole(struct treaty_saga_graph *g)
{
	if (g->err == OK && list_empty(&g->steps))
		fail(g, E_INVALID, "it has no step");
	if (g->forward && g->deadline_ms > 0)
		fail(g, E_INVALID, "recovery forward has no deadline");
	LIST_EACH(node, &g->steps)
		check_after(g, CONTAINER_OF(node, struct graph_step, link));
}

static void put_document(struct treaty_saga_graph *g, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j, NULL);
	json_text(&j, "name", g->name);
	if (g->version.len > 0)
		json_text(&j, "version", g->version);
	if (g->forward)
		json_text(&j, "recovery", BYTES("forward"));
	put_number(&j, "deadline_ms", g->deadline_ms);
	if (g->retry.len > 0)
		json_raw(&j, "retry", g->retry);
	json_array(&j, "steps");
	LIST_EACH(node, &g->steps)
		json_raw(&j, NULL,
			 CONTAINER_OF(node, struct graph_step, link)->json);
	json_end(&j);
	json_end(&j);
}

/* A failed document is no error of the graph: it may be mended. */
static int graph_document(struct treaty_saga_graph *g)
{
	int rc;

	if (!g)
		return agent_fail(E_NOMEM, "out of memory for a graph");
	rc = told(g);
	if (rc != OK)
		return rc;
	check_whole(g);
	rc = told(g);
	g->err = OK;
	buf_clear(&g->why);
	if (rc != OK)
		return rc;
	buf_clear(&g->document);
	put_document(g, &g->document);
	(void)buf_text(&g->document);
	if (buf_error(&g->document) != OK)
		return agent_fail(E_NOMEM, "out of memory for a graph");
	if (!json_valid(buf_bytes(&g->document)))
		return agent_fail(E_INVALID,
				  "graph %.*s: an input is nested too deeply",
				  (int)g->name.len, (const char *)g->name.data);
	return OK;
}

int treaty_saga_graph_json(struct treaty_saga_graph *g, const char **json)
{
	int rc = graph_document(g);

	if (rc == OK)
		*json = buf_text(&g->document);
	return rc;
}
