#include "tc/saga/def.h"

/*
 * Checks of the whole. Marks spread along edges until nothing changes; the
 * work is states x edges, and definitions are small.
 */

#define REACHED   1u /* from the start */
#define CAN_END   2u /* reaches an end */
#define GETS_AWAY 4u /* leaves the choices: to a state that does something */

static void mark(uint8_t *marks, uint32_t s, unsigned bit, bool *changed)
{
	if (s != NO_STATE && !(marks[s] & bit)) {
		marks[s] |= (uint8_t)bit;
		*changed = true;
	}
}

/* Every state that may follow s gets the bit. */
static void spread(const struct state *s, uint8_t *marks, bool *changed)
{
	mark(marks, s->next, REACHED, changed);
	mark(marks, s->compensate, REACHED, changed);
	for (size_t i = 0; i < s->n_catches; i++)
		mark(marks, s->catches[i].next, REACHED, changed);
	for (size_t i = 0; i < s->n_choices; i++)
		mark(marks, s->choices[i].next, REACHED, changed);
}

static bool is_end(const struct state *s)
{
	return s->type == STATE_SUCCEED || s->type == STATE_FAIL ||
	       (s->next == NO_STATE && s->type != STATE_CHOICE);
}

static bool leads_to(const struct state *s, const uint8_t *marks, unsigned bit)
{
	if (s->next != NO_STATE && (marks[s->next] & bit))
		return true;
	for (size_t i = 0; i < s->n_catches; i++)
		if (marks[s->catches[i].next] & bit)
			return true;
	for (size_t i = 0; i < s->n_choices; i++)
		if (marks[s->choices[i].next] & bit)
			return true;
	return false;
}

static void spread_back(const struct saga_def *def, uint8_t *marks,
			bool *changed)
{
	for (uint32_t i = 0; i < def->n_states; i++) {
		const struct state *s = &def->states[i];

		if (is_end(s) || leads_to(s, marks, CAN_END))
			mark(marks, i, CAN_END, changed);
		if (s->type != STATE_CHOICE)
			mark(marks, i, GETS_AWAY, changed);
		else if (leads_to(s, marks, GETS_AWAY))
			mark(marks, i, GETS_AWAY, changed);
	}
}

static void check_compensation(struct reading *r, const struct path *at,
			       const struct state *s)
{
	struct path here = { at, BYTES("CompensateState"), 0 };
	const struct state *c;

	if (s->compensate == NO_STATE)
		return;
	c = &r->def->states[s->compensate];
	if (c->type == STATE_COMPENSATE_SUB && s->type != STATE_SUB)
		reading_fail(r, &here,
			     "only a SubStateMachine is undone by "
			     "a CompensateSubMachine");
	else if (c->type != STATE_SERVICE && c->type != STATE_COMPENSATE_SUB)
		reading_fail(r, &here,
			     "this must be a ServiceTask or a "
			     "CompensateSubMachine");
	else if (c->next != NO_STATE || c->n_catches || c->loop || c->async ||
		 c->compensate != NO_STATE)
		reading_fail(r, &here,
			     "a compensation has no Next, Catch, "
			     "Loop, IsAsync or CompensateState");
}

static void check_followed(struct reading *r, const struct path *up)
{
	struct saga_def *def = r->def;

	for (uint32_t i = 0; i < def->n_states; i++)
		if (def->states[i].compensate != NO_STATE)
			def->states[def->states[i].compensate].compensates =
				true;
	for (uint32_t i = 0; i < def->n_states; i++) {
		const struct state *s = &def->states[i];
		struct path here = { up, s->name, 0 };

		check_compensation(r, &here, s);
		if (s->type == STATE_COMPENSATE_SUB && !s->compensates)
			reading_fail(r, &here, "no state is undone by this");
		if ((s->next != NO_STATE && def->states[s->next].compensates) ||
		    (s->compensates && i == def->start))
			reading_fail(r, &here,
				     "a compensation cannot be "
				     "entered from here");
		for (size_t k = 0; k < s->n_choices + s->n_catches; k++) {
			uint32_t to =
				k < s->n_choices
					? s->choices[k].next
					: s->catches[k - s->n_choices].next;

			if (def->states[to].compensates)
				reading_fail(r, &here,
					     "a compensation cannot "
					     "be entered from here");
		}
	}
}

void check_machine(struct reading *r)
{
	struct path up = { NULL, BYTES("States"), 0 };
	const struct saga_def *def = r->def;
	uint8_t *marks = reading_array(r, def->n_states, 1);
	bool changed = marks != NULL;

	if (!marks)
		return;
	check_followed(r, &up);
	marks[def->start] = REACHED;
	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < def->n_states; i++)
			if (marks[i] & REACHED)
				spread(&def->states[i], marks, &changed);
		spread_back(def, marks, &changed);
	}
	for (uint32_t i = 0; i < def->n_states; i++) {
		struct path here = { &up, def->states[i].name, 0 };

		if (!(marks[i] & REACHED))
			reading_fail(r, &here, "nothing leads here");
		if (!(marks[i] & CAN_END))
			reading_fail(r, &here,
				     "an endless loop: no end can "
				     "be reached from here");
		if (!(marks[i] & GETS_AWAY) &&
		    leads_to(&def->states[i], marks, REACHED))
			reading_fail(r, &here, "an endless loop of choices");
	}
}

/* Steps whose `after` are all in order are in order; what remains waits for
 * itself. */
void check_graph(struct reading *r)
{
	const struct saga_def *def = r->def;
	struct path up = { NULL, BYTES("steps"), 0 };
	uint8_t *ordered = reading_array(r, def->n_states, 1);
	bool changed = ordered != NULL;

	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < def->n_states; i++) {
			const struct state *s = &def->states[i];
			size_t n = 0;

			while (n < s->n_after && ordered[s->after[n]])
				n++;
			if (n == s->n_after)
				mark(ordered, i, REACHED, &changed);
		}
	}
	for (uint32_t i = 0; ordered && i < def->n_states; i++) {
		struct path here = { &up, { 0 }, i };

		if (!ordered[i])
			reading_fail(r, &here, "this step waits for itself");
	}
}
