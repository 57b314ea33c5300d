#include "tc/saga/def.h"

/* The own form: steps, and what each waits for. */

static const char *const graph_keys[] = { "name",        "version",  "comment",
					  "deadline_ms", "recovery", "retry",
					  "steps",       NULL };
static const char *const step_keys[] = {
	"name",       "comment", "action", "compensation",       "after",
	"timeout_ms", "retry",   "input",  "compensation_input", NULL
};
static const char *const retry_keys[] = { "interval_ms", "rate", "ceiling_ms",
					  "attempts", NULL };

/* NULL if there is none; `missing` says what a key that isn't there means. */
static struct retry *read_retry(struct reading *r, const struct path *at,
				const struct val *v)
{
	const struct val *p =
		read_member(r, at, v, "retry", JSON_OBJECT, false);
	struct path here = { at, BYTES("retry"), 0 };
	struct retry *retry;

	if (!p || !read_keys(r, &here, p, retry_keys))
		return NULL;
	retry = reading_array(r, 1, sizeof *retry);
	if (!retry)
		return NULL;
	retry->policy.interval_ms =
		read_number(r, &here, p, "interval_ms", 1, 1000);
	retry->policy.rate_permille =
		(uint32_t)read_number(r, &here, p, "rate", 1000, 2000);
	retry->policy.ceiling_ms =
		read_number(r, &here, p, "ceiling_ms", 1, 60000);
	retry->policy.attempts =
		(uint32_t)read_number(r, &here, p, "attempts", 1, 5);
	if (retry->policy.rate_permille < 1000)
		reading_fail(r, &here, "rate is at least 1");
	return retry;
}

static void read_after(struct reading *r, const struct path *at,
		       const struct val *v, struct state *s)
{
	struct path up = { at, BYTES("after"), 0 };
	const struct val *list =
		read_member(r, at, v, "after", JSON_ARRAY, false);
	uint32_t own = (uint32_t)(s - r->def->states);
	uint32_t *after = reading_array(r, list ? list->n : 1, sizeof *after);

	if (!after)
		return;
	s->after = after;
	s->n_after = list ? list->n : own > 0;
	if (!list && own > 0)
		after[0] = own - 1; /* the order of the document */
	for (size_t i = 0; list && r->rc == OK && i < list->n; i++) {
		struct path here = { &up, { 0 }, i };
		struct bytes name = list->items[i]->text;

		after[i] = def_find(r->def, name);
		if (list->items[i]->type != JSON_TEXT)
			reading_fail(r, &here, "this must be a text");
		else if (after[i] == NO_STATE)
			reading_fail(r, &here, "no step is called '%.*s'",
				     (int)name.len, (const char *)name.data);
	}
}

/* The compensation is a state of its own, behind those of the steps. */
static void read_compensation(struct reading *r, const struct path *at,
			      const struct val *v, struct state *s)
{
	struct bytes name = read_service(r, at, v, "compensation", false);
	struct path here = { at, BYTES("compensation_input"), 0 };
	const struct form *input = read_form(r, at, v, "compensation_input");
	size_t own = (size_t)(s - r->def->states);
	struct state *c = s + r->def->n_states;

	if (name.len == 0 && input)
		reading_fail(r, &here, "there is no compensation");
	c->name = s->name;
	c->type = STATE_SERVICE;
	c->next = c->compensate = NO_STATE;
	c->compensates = true;
	c->service = name;
	c->input = input ? input : s->input;
	c->timeout_ms = s->timeout_ms;
	c->retries = s->retries;
	c->n_retries = s->n_retries;
	c->has_retry = s->has_retry;
	if (name.len > 0)
		s->compensate = (uint32_t)(own + r->def->n_states);
}

static void read_step(struct reading *r, const struct path *at,
		      const struct val *v, struct retry *common,
		      struct state *s)
{
	struct retry *retry;

	s->service = read_service(r, at, v, "action", true);
	s->input = read_form(r, at, v, "input");
	s->timeout_ms = read_number(r, at, v, "timeout_ms", 1, 0);
	retry = read_retry(r, at, v);
	if (!retry)
		retry = common;
	s->retries = retry;
	s->n_retries = retry != NULL;
	s->has_retry = retry != NULL;
	read_after(r, at, v, s);
	read_compensation(r, at, v, s);
}

static void read_names(struct reading *r, const struct path *up,
		       const struct val *steps)
{
	struct saga_def *def = r->def;

	for (size_t i = 0; r->rc == OK && i < steps->n; i++) {
		struct path here = { up, { 0 }, i };
		struct state *s = &def->states[i];
		struct bytes name;

		if (!read_keys(r, &here, steps->items[i], step_keys))
			return;
		name = read_name(r, &here, steps->items[i], "name", true);
		if (def_find(def, name) != NO_STATE)
			reading_fail(r, &here, "there are two steps '%.*s'",
				     (int)name.len, (const char *)name.data);
		def->n_states = i + 1;
		*s = (struct state){ .name = name,
				     .type = STATE_SERVICE,
				     .graph_step = true,
				     .next = NO_STATE,
				     .compensate = NO_STATE };
	}
}

static void read_head(struct reading *r, const struct val *v)
{
	struct path here = { NULL, BYTES("recovery"), 0 };
	struct bytes word = read_name(r, NULL, v, "recovery", false);

	r->def->name = read_name(r, NULL, v, "name", true);
	r->def->version = read_name(r, NULL, v, "version", false);
	r->def->forward = bytes_equal(word, BYTES("forward"));
	if (word.len > 0 && !r->def->forward &&
	    !bytes_equal(word, BYTES("backward")))
		reading_fail(r, &here, "this must be forward or backward");
	r->def->deadline_ms = read_number(r, NULL, v, "deadline_ms", 1, 0);
	here.key = BYTES("deadline_ms");
	if (r->def->forward && r->def->deadline_ms > 0)
		reading_fail(r, &here, "recovery forward has no deadline");
}

void read_graph(struct reading *r, const struct val *v)
{
	struct path up = { NULL, BYTES("steps"), 0 };
	struct saga_def *def = r->def;
	const struct val *steps;
	struct retry *common;

	def->graph = true;
	if (!read_keys(r, NULL, v, graph_keys))
		return;
	read_head(r, v);
	common = read_retry(r, NULL, v);
	steps = read_member(r, NULL, v, "steps", JSON_ARRAY, true);
	if (!steps || r->rc != OK)
		return;
	if (steps->n == 0)
		reading_fail(r, &up, "there must be a step");
	def->states = reading_array(r, 2 * steps->n, sizeof *def->states);
	if (!def->states)
		return;
	read_names(r, &up, steps);
	for (size_t i = 0; r->rc == OK && i < steps->n; i++) {
		struct path here = { &up, { 0 }, i };

		read_step(r, &here, steps->items[i], common, &def->states[i]);
	}
	if (r->rc == OK)
		check_graph(r);
	def->n_states = 2 * steps->n;
}
