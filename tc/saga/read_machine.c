#include "tc/saga/def.h"

/*
 * Seata's saga state language. Keys that only steer Seata's own persistence
 * and its Java types are known and have no effect here: a run is always
 * persistent, and JSON carries its types.
 */

static const char *const machine_keys[] = { "Name",
					    "Comment",
					    "Version",
					    "StartState",
					    "States",
					    "RecoverStrategy",
					    "IsPersist",
					    "IsRetryPersistModeUpdate",
					    "IsCompensatePersistModeUpdate",
					    "Type",
					    "DeadlineSeconds",
					    NULL };
static const char *const service_keys[] = { "Type",
					    "Comment",
					    "ServiceName",
					    "ServiceMethod",
					    "ServiceType",
					    "ParameterTypes",
					    "Input",
					    "Output",
					    "Status",
					    "Retry",
					    "Catch",
					    "Next",
					    "CompensateState",
					    "IsForUpdate",
					    "IsPersist",
					    "IsAsync",
					    "IsRetryPersistModeUpdate",
					    "IsCompensatePersistModeUpdate",
					    "Loop",
					    "TimeoutSeconds",
					    NULL };
static const char *const choice_keys[] = { "Type", "Comment", "Choices",
					   "Default", NULL };
static const char *const script_keys[] = {
	"Type",  "Comment", "ScriptType", "ScriptContent", "Input", "Output",
	"Catch", "Next",    NULL
};
static const char *const sub_keys[] = { "Type",
					"Comment",
					"StateMachineName",
					"Input",
					"Output",
					"Status",
					"Retry",
					"Catch",
					"Next",
					"CompensateState",
					"IsForUpdate",
					"IsPersist",
					"IsRetryPersistModeUpdate",
					"IsCompensatePersistModeUpdate",
					"Loop",
					NULL };
static const char *const plain_keys[] = { "Type", "Comment", "Input", "Next",
					  NULL };
static const char *const end_keys[] = { "Type", "Comment", NULL };
static const char *const fail_keys[] = { "Type", "Comment", "ErrorCode",
					 "Message", NULL };

static const struct {
	const char *name;
	enum state_type type;
	const char *const *keys;
} types[] = {
	{ "ServiceTask", STATE_SERVICE, service_keys },
	{ "Choice", STATE_CHOICE, choice_keys },
	{ "ScriptTask", STATE_SCRIPT, script_keys },
	{ "SubStateMachine", STATE_SUB, sub_keys },
	{ "CompensateSubMachine", STATE_COMPENSATE_SUB, plain_keys },
	{ "CompensationTrigger", STATE_TRIGGER, plain_keys },
	{ "Succeed", STATE_SUCCEED, end_keys },
	{ "Fail", STATE_FAIL, fail_keys },
};

/* ---- parts of a state ---- */

static void read_errors(struct reading *r, const struct path *at,
			const struct val *v, bool must, struct errors *out)
{
	const struct val *list =
		read_member(r, at, v, "Exceptions", JSON_ARRAY, must);
	struct path up = { at, BYTES("Exceptions"), 0 };
	struct bytes *names;

	if (!list)
		return;
	names = reading_array(r, list->n, sizeof *names);
	if (list->n == 0)
		reading_fail(r, &up, "this must not be empty");
	for (size_t i = 0; r->rc == OK && i < list->n; i++) {
		struct path here = { &up, { 0 }, i };

		if (list->items[i]->type != JSON_TEXT)
			reading_fail(r, &here, "this must be a text");
		names[i] = list->items[i]->text;
	}
	*out = (struct errors){ names, list->n };
}

static void read_retries(struct reading *r, const struct path *at,
			 const struct val *v, struct state *s)
{
	static const char *const keys[] = {
		"Exceptions",  "IntervalSeconds",    "BackoffRate",
		"MaxAttempts", "MaxIntervalSeconds", "Comment",
		NULL
	};
	const struct val *list =
		read_member(r, at, v, "Retry", JSON_ARRAY, false);
	struct path up = { at, BYTES("Retry"), 0 };
	struct retry *retries;

	s->has_retry = list != NULL;
	if (!list)
		return;
	retries = reading_array(r, list->n, sizeof *retries);
	for (size_t i = 0; r->rc == OK && i < list->n; i++) {
		const struct val *item = list->items[i];
		struct path here = { &up, { 0 }, i };
		struct saga_policy *p = &retries[i].policy;

		if (!read_keys(r, &here, item, keys))
			return;
		read_errors(r, &here, item, false, &retries[i].errors);
		p->interval_ms = read_number(r, &here, item, "IntervalSeconds",
					     1000, 1000);
		p->rate_permille = (uint32_t)read_number(
			r, &here, item, "BackoffRate", 1000, 1000);
		p->ceiling_ms = read_number(
			r, &here, item, "MaxIntervalSeconds", 1000, 3600000);
		p->attempts = (uint32_t)read_number(r, &here, item,
						    "MaxAttempts", 1, 5);
		if (p->rate_permille < 1000)
			reading_fail(r, &here, "BackoffRate is at least 1");
	}
	s->retries = retries;
	s->n_retries = list->n;
}

static void read_catches(struct reading *r, const struct path *at,
			 const struct val *v, struct state *s)
{
	static const char *const keys[] = { "Exceptions", "Next", "Comment",
					    NULL };
	const struct val *list =
		read_member(r, at, v, "Catch", JSON_ARRAY, false);
	struct path up = { at, BYTES("Catch"), 0 };
	struct catch *catches;

	if (!list)
		return;
	catches = reading_array(r, list->n, sizeof *catches);
	for (size_t i = 0; r->rc == OK && i < list->n; i++) {
		struct path here = { &up, { 0 }, i };

		if (!read_keys(r, &here, list->items[i], keys))
			return;
		read_errors(r, &here, list->items[i], true, &catches[i].errors);
		catches[i].next =
			read_state(r, &here, list->items[i], "Next", true);
	}
	s->catches = catches;
	s->n_catches = list->n;
	if (s->async && s->n_catches > 0)
		reading_fail(r, &up,
			     "an asynchronous state cannot catch: the "
			     "machine has gone on by then");
}

static void read_rules(struct reading *r, const struct path *at,
		       const struct val *v, struct state *s)
{
	const struct val *list =
		read_member(r, at, v, "Status", JSON_OBJECT, false);
	struct path up = { at, BYTES("Status"), 0 };
	struct status_rule *rules;

	if (!list)
		return;
	rules = reading_array(r, list->n, sizeof *rules);
	for (size_t i = 0; r->rc == OK && i < list->n; i++) {
		struct path here = { &up, list->keys[i], 0 };
		struct bytes to = list->items[i]->text;

		if (bytes_equal(to, BYTES("SU")))
			rules[i].outcome = OUTCOME_DONE;
		else if (bytes_equal(to, BYTES("FA")))
			rules[i].outcome = OUTCOME_FAILED;
		else if (bytes_equal(to, BYTES("UN")))
			rules[i].outcome = OUTCOME_UNKNOWN;
		else
			reading_fail(r, &here, "this must be SU, FA or UN");
		rules[i].when = read_expr(r, &here, list->keys[i]);
	}
	s->rules = rules;
	s->n_rules = list->n;
}

static void read_choices(struct reading *r, const struct path *at,
			 const struct val *v, struct state *s)
{
	static const char *const keys[] = { "Expression", "Next", "Comment",
					    NULL };
	const struct val *list =
		read_member(r, at, v, "Choices", JSON_ARRAY, true);
	struct path up = { at, BYTES("Choices"), 0 };
	struct choice *choices;

	if (!list)
		return;
	choices = reading_array(r, list->n, sizeof *choices);
	for (size_t i = 0; r->rc == OK && i < list->n; i++) {
		struct path here = { &up, { 0 }, i };

		if (!read_keys(r, &here, list->items[i], keys))
			return;
		choices[i].when = read_condition(r, &here, list->items[i],
						 "Expression", true);
		choices[i].next =
			read_state(r, &here, list->items[i], "Next", true);
	}
	s->choices = choices;
	s->n_choices = list->n;
	s->next = read_state(r, at, v, "Default", false);
}

static void read_loop(struct reading *r, const struct path *at,
		      const struct val *v, struct state *s)
{
	static const char *const keys[] = { "Parallel",
					    "Collection",
					    "ElementVariableName",
					    "ElementIndexName",
					    "CompletionCondition",
					    NULL };
	const struct val *l = read_member(r, at, v, "Loop", JSON_OBJECT, false);
	struct path here = { at, BYTES("Loop"), 0 };
	struct loop *loop;

	if (!l || !read_keys(r, &here, l, keys))
		return;
	loop = reading_array(r, 1, sizeof *loop);
	if (!loop)
		return;
	loop->parallel = (uint32_t)read_number(r, &here, l, "Parallel", 1, 1);
	if (loop->parallel == 0)
		reading_fail(r, &here, "Parallel is at least 1");
	loop->collection = read_condition(r, &here, l, "Collection", true);
	loop->element = read_name(r, &here, l, "ElementVariableName", false);
	loop->index = read_name(r, &here, l, "ElementIndexName", false);
	loop->until = read_condition(r, &here, l, "CompletionCondition", false);
	s->loop = loop;
	if (s->async)
		reading_fail(r, &here, "an asynchronous state cannot loop");
}

static void read_script(struct reading *r, const struct path *at,
			const struct val *v, struct state *s)
{
	struct path here = { at, BYTES("ScriptType"), 0 };
	struct bytes type = read_name(r, at, v, "ScriptType", false);

	if (type.len > 0 && !bytes_equal(type, BYTES("treaty")))
		reading_fail(r, &here,
			     "scripts are expressions of this "
			     "program's own language ('treaty')");
	s->script = read_condition(r, at, v, "ScriptContent", true);
}

static bool contains(const struct saga_def *def, struct bytes name)
{
	if (bytes_equal(def->name, name))
		return true;
	for (size_t i = 0; i < def->n_states; i++)
		if (def->states[i].sub && contains(def->states[i].sub, name))
			return true;
	return false;
}

static void read_sub(struct reading *r, const struct path *at,
		     const struct val *v, struct state *s)
{
	struct path here = { at, BYTES("StateMachineName"), 0 };
	struct bytes name = read_name(r, at, v, "StateMachineName", true);

	if (r->rc != OK)
		return;
	if (bytes_equal(name, r->def->name))
		reading_fail(r, &here, "a machine cannot contain itself");
	else if (r->lookup)
		s->sub = r->lookup->find(r->lookup->ctx, name);
	if (!s->sub)
		reading_fail(r, &here, "no machine is called '%.*s'",
			     (int)name.len, (const char *)name.data);
	else if (contains(s->sub, r->def->name))
		reading_fail(r, &here, "'%.*s' contains this machine",
			     (int)name.len, (const char *)name.data);
}

static void read_output(struct reading *r, const struct path *at,
			const struct val *v, struct state *s)
{
	(void)read_member(r, at, v, "Output", JSON_OBJECT, false);
	s->output = read_form(r, at, v, "Output");
}

static void read_task(struct reading *r, const struct path *at,
		      const struct val *v, struct state *s)
{
	(void)read_member(r, at, v, "Input", JSON_ARRAY, false);
	s->input = read_form(r, at, v, "Input");
	s->async = read_flag(r, at, v, "IsAsync", false);
	(void)read_flag(r, at, v, "IsForUpdate", false);
	(void)read_flag(r, at, v, "IsPersist", true);
	read_output(r, at, v, s);
	read_rules(r, at, v, s);
	read_retries(r, at, v, s);
	read_catches(r, at, v, s);
	read_loop(r, at, v, s);
	s->compensate = read_state(r, at, v, "CompensateState", false);
	s->timeout_ms = read_number(r, at, v, "TimeoutSeconds", 1000, 0);
}

/* ---- states ---- */

static bool read_type(struct reading *r, const struct path *at,
		      const struct val *v, struct state *s)
{
	struct path here = { at, BYTES("Type"), 0 };
	const struct val *type;

	if (v->type != JSON_OBJECT) {
		reading_fail(r, at, "an object is expected here");
		return false;
	}
	type = read_member(r, at, v, "Type", JSON_TEXT, true);
	for (size_t i = 0; type && i < ARRAY_LEN(types); i++) {
		if (!bytes_equal(type->text, bytes_of(types[i].name)))
			continue;
		s->type = types[i].type;
		return read_keys(r, at, v, types[i].keys);
	}
	reading_fail(r, &here, "there is no such type of state");
	return false;
}

void read_machine_state(struct reading *r, const struct path *at,
			const struct val *v, struct state *s)
{
	if (!read_type(r, at, v, s))
		return;
	if (s->type != STATE_CHOICE)
		s->next = read_state(r, at, v, "Next", false);
	switch (s->type) {
	case STATE_SERVICE:
		s->service = read_service(r, at, v, "ServiceName", true);
		s->method = read_name(r, at, v, "ServiceMethod", true);
		read_task(r, at, v, s);
		break;
	case STATE_SUB:
		read_sub(r, at, v, s);
		read_task(r, at, v, s);
		break;
	case STATE_CHOICE:
		read_choices(r, at, v, s);
		break;
	case STATE_SCRIPT:
		(void)read_member(r, at, v, "Input", JSON_ARRAY, false);
		s->input = read_form(r, at, v, "Input");
		read_script(r, at, v, s);
		read_output(r, at, v, s);
		read_catches(r, at, v, s);
		break;
	case STATE_FAIL:
		s->error = read_name(r, at, v, "ErrorCode", false);
		s->message = read_name(r, at, v, "Message", false);
		break;
	default:
		break;
	}
}

static void read_strategy(struct reading *r, const struct val *v)
{
	struct path here = { NULL, BYTES("RecoverStrategy"), 0 };
	struct bytes word = read_name(r, NULL, v, "RecoverStrategy", false);

	r->def->forward = bytes_equal(word, BYTES("Forward"));
	if (word.len > 0 && !r->def->forward &&
	    !bytes_equal(word, BYTES("Compensate")))
		reading_fail(r, &here, "this must be Compensate or Forward");
	here.key = BYTES("DeadlineSeconds");
	r->def->deadline_ms =
		read_number(r, NULL, v, "DeadlineSeconds", 1000, 0);
	if (r->def->forward && r->def->deadline_ms > 0)
		reading_fail(r, &here, "recovery forward has no deadline");
}

void read_machine(struct reading *r, const struct val *v)
{
	struct saga_def *def = r->def;
	struct path up = { NULL, BYTES("States"), 0 };
	const struct val *states;

	if (!read_keys(r, NULL, v, machine_keys))
		return;
	def->name = read_name(r, NULL, v, "Name", true);
	def->version = read_name(r, NULL, v, "Version", false);
	read_strategy(r, v);
	states = read_member(r, NULL, v, "States", JSON_OBJECT, true);
	if (!states || r->rc != OK)
		return;
	def->states = reading_array(r, states->n, sizeof *def->states);
	if (!def->states)
		return;
	def->n_states = states->n;
	for (size_t i = 0; i < states->n; i++) {
		struct path here = { &up, states->keys[i], 0 };

		if (states->keys[i].len == 0 || states->keys[i].len > 255)
			reading_fail(r, &up, "a name of 1 to 255 bytes");
		if (def_find(def, states->keys[i]) != NO_STATE)
			reading_fail(r, &here, "this key stands twice");
		def->states[i].name = states->keys[i];
		def->states[i].next = NO_STATE;
		def->states[i].compensate = NO_STATE;
	}
	for (size_t i = 0; r->rc == OK && i < states->n; i++) {
		struct path here = { &up, states->keys[i], 0 };

		read_machine_state(r, &here, states->items[i], &def->states[i]);
	}
	def->start = read_state(r, NULL, v, "StartState", true);
	if (r->rc == OK)
		check_machine(r);
}
