#include "base/hash.h"
#include "undo/json.h"
#include "undo/plan.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

enum choice { CHOICE_NONE, CHOICE_UNDO, CHOICE_KEEP, CHOICE_VALUES };

static const char *const choices[] = {
	[CHOICE_UNDO] = "undo",
	[CHOICE_KEEP] = "keep",
	[CHOICE_VALUES] = "values",
};

/* What is said about one row, ready to be taken over. */
struct decision {
	struct subject *subject;
	enum choice choice;
	bool stale; /* the operator saw another row than there is now */
	const struct row *target;
	const bool *given;
};

static int malformed(struct buf *why, const char *what, const char *name)
{
	if (why) {
		buf_put_text(why, "resolution: ");
		buf_put_text(why, what);
		buf_put_text(why, name);
	}
	return E_INVALID;
}

static const cJSON *member(const cJSON *node, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(node, name);
}

static int get_choice(const cJSON *node, enum choice *out, struct buf *why)
{
	const char *text = cJSON_GetStringValue(node);

	for (size_t i = CHOICE_UNDO; text && i < ARRAY_LEN(choices); i++) {
		if (strcmp(text, choices[i]) == 0) {
			*out = (enum choice)i;
			return OK;
		}
	}
	return malformed(why, "\"choice\" is \"undo\", \"keep\" or \"values\"",
			 "");
}

/* ---- which row ---- */

static bool is_named(const struct table *t, const char *name)
{
	struct bytes b = bytes_of(name);

	if (t->schema.len > 0) {
		if (b.len <= t->schema.len ||
		    memcmp(b.data, t->schema.data, t->schema.len) != 0 ||
		    b.data[t->schema.len] != '.')
			return false;
		b.data += t->schema.len + 1;
		b.len -= t->schema.len + 1;
	}
	return bytes_equal(b, t->name);
}

/* The member named like a column, or NULL. */
static const cJSON *column_member(const cJSON *node, const struct column *c)
{
	const cJSON *child;

	cJSON_ArrayForEach(child, node)
	{
		if (bytes_equal(bytes_of(child->string), c->name))
			return child;
	}
	return NULL;
}

static int get_key(const struct plan *p, const cJSON *key,
		   const struct table *t, struct row *out, struct buf *why)
{
	struct value *values =
		arena_array(p->arena, t->n_columns, sizeof *values);

	if (!values)
		return E_NOMEM;
	*out = (struct row){ values, NULL };
	for (size_t i = 0; i < t->n_key; i++) {
		const struct column *c = &t->columns[t->key[i]];
		const cJSON *node = column_member(key, c);
		int rc = node ? json_get_value(node, c->class, p->arena,
					       &values[t->key[i]])
			      : E_INVALID;

		if (rc == E_NOMEM)
			return rc;
		if (rc != OK)
			return malformed(why,
					 "\"key\" names every key column with "
					 "its value as a string",
					 "");
	}
	return OK;
}

static int get_subject(const struct plan *p, const cJSON *node,
		       struct subject **out, struct buf *why)
{
	const char *name = cJSON_GetStringValue(member(node, "table"));
	size_t i = 0;
	struct row key;
	int rc;

	if (!name)
		return malformed(why, "a row has no \"table\"", "");
	while (i < p->record->n_tables && !is_named(p->tables[i].was, name))
		i++;
	if (i == p->record->n_tables)
		return malformed(why, "the branch never touched table ", name);
	rc = get_key(p, member(node, "key"), p->tables[i].was, &key, why);
	if (rc != OK)
		return rc;
	*out = plan_find(p, i, &key);
	if (!*out)
		return malformed(why,
				 "the branch never touched a row with that "
				 "key in table ",
				 name);
	return OK;
}

/* ---- what it shall be ---- */

static int get_cell(const struct plan *p, const struct subject *s,
		    const cJSON *node, struct value *values, bool *given,
		    struct buf *why)
{
	const struct table *t = p->tables[s->table].was;
	size_t at = table_find_column(t, bytes_of(node->string));
	const struct column *c = &t->columns[at];
	struct value v;
	int rc;

	if (at == t->n_columns)
		return malformed(why, "there is no column ", node->string);
	rc = json_get_value(node, c->class, p->arena, &v);
	if (rc == E_NOMEM)
		return rc;
	if (rc != OK)
		return malformed(why,
				 "write the value as a string, null or "
				 "{\"base64\":\"…\"}: column ",
				 node->string);
	if (table_is_key(t, at) && !value_equal(v, s->key->values[at]))
		return malformed(why, "a key cannot be changed: column ",
				 node->string);
	if (c->generated && !table_is_key(t, at))
		return malformed(why, "a generated column cannot be written: ",
				 node->string);
	if (v.type == VALUE_NULL && !c->nullable)
		return malformed(why,
				 "null in a NOT NULL column: ", node->string);
	values[at] = v;
	given[at] = true;
	return OK;
}

/* Start from the present row, or from the bare key. */
static int get_values(const struct plan *p, const cJSON *node,
		      struct decision *d, struct buf *why)
{
	const struct subject *s = d->subject;
	const struct table *t = p->tables[s->table].was;
	struct value *values =
		arena_array(p->arena, t->n_columns, sizeof *values);
	bool *given = arena_array(p->arena, t->n_columns, sizeof *given);
	const cJSON *child;

	if (!values || !given)
		return E_NOMEM;
	for (size_t i = 0; i < t->n_columns; i++) {
		given[i] = table_is_key(t, i);
		if (s->now)
			values[i] = s->now->values[i];
		else if (given[i])
			values[i] = s->key->values[i];
	}
	cJSON_ArrayForEach(child, node)
	{
		int rc = get_cell(p, s, child, values, given, why);

		if (rc != OK)
			return rc;
	}
	/* Texts are borrowed from the JSON until here; this copies them. */
	d->target = row_copy(p->arena, t, values);
	d->given = given;
	return d->target ? OK : E_NOMEM;
}

static void choose(struct decision *d)
{
	if (d->choice == CHOICE_KEEP)
		d->target = d->subject->now;
}

/* The fingerprint of the row as it is now, as the difference shows it. */
static int is_stale(const struct plan *p, const struct subject *s,
		    const char *seen, bool *out)
{
	struct buf b;

	buf_init(&b, &p->arena->as_mem);
	if (s->now)
		buf_printf(&b, "%016" PRIx64,
			   row_hash(p->tables[s->table].was, s->now));
	else
		buf_put_text(&b, "absent");
	*out = strcmp(buf_text(&b), seen) != 0;
	return buf_error(&b);
}

static int get_decision(const struct plan *p, const cJSON *node,
			struct decision *d, struct buf *why)
{
	const cJSON *seen = member(node, "seen");
	const cJSON *values = member(node, "values");
	int rc = get_subject(p, node, &d->subject, why);

	if (rc == OK)
		rc = get_choice(member(node, "choice"), &d->choice, why);
	if (rc == OK && seen && !cJSON_IsString(seen))
		rc = malformed(why, "\"seen\" is a string", "");
	if (rc == OK && seen)
		rc = is_stale(p, d->subject, seen->valuestring, &d->stale);
	if (rc != OK || d->choice != CHOICE_VALUES) {
		if (rc == OK)
			choose(d);
		return rc;
	}
	if (cJSON_IsNull(values))
		return OK; /* no target: it shall not be there */
	if (!cJSON_IsObject(values))
		return malformed(
			why, "\"values\" is an object of columns, or null", "");
	return get_values(p, values, d, why);
}

/* ---- taking it over: nothing here can fail ---- */

static void decide(const struct decision *d)
{
	struct subject *s = d->subject;

	if (s->verdict != VERDICT_DIRTY && s->verdict != VERDICT_REPAIR &&
	    s->verdict != VERDICT_SET)
		return;
	if (d->stale) {
		s->verdict = VERDICT_DIRTY;
		s->reason = "the row was changed again since the operator "
			    "looked at it";
		return;
	}
	s->verdict = d->choice == CHOICE_UNDO ? VERDICT_REPAIR : VERDICT_SET;
	s->target = d->target;
	s->given = d->given;
}

static void decide_all(struct plan *p, enum choice choice)
{
	for (size_t i = 0; i < p->record->n_tables; i++) {
		for (size_t k = 0; k < p->tables[i].n; k++) {
			struct decision d = { .subject =
						      p->tables[i].subjects[k],
					      .choice = choice };

			choose(&d);
			decide(&d);
		}
	}
}

static int resolve(struct plan *p, const cJSON *root, struct buf *why)
{
	const cJSON *choice = member(root, "choice");
	const cJSON *rows = member(root, "rows"), *node;
	enum choice all = CHOICE_NONE;
	struct decision *decisions;
	size_t n = 0;
	int rc = OK;

	if (choice)
		rc = get_choice(choice, &all, why);
	if (rc == OK && all == CHOICE_VALUES)
		rc = malformed(why, "\"values\" are for a row of \"rows\"", "");
	if (rc == OK && !choice && !rows)
		rc = malformed(why, "neither \"choice\" nor \"rows\"", "");
	if (rc == OK && rows && !cJSON_IsArray(rows))
		rc = malformed(why, "\"rows\" is an array", "");
	if (rc != OK)
		return rc;
	decisions = arena_array(p->arena, (size_t)cJSON_GetArraySize(rows),
				sizeof *decisions);
	if (!decisions)
		return E_NOMEM;
	cJSON_ArrayForEach(node, rows)
	{
		rc = get_decision(p, node, &decisions[n++], why);
		if (rc != OK)
			return rc;
	}
	if (all != CHOICE_NONE)
		decide_all(p, all);
	for (size_t i = 0; i < n; i++)
		decide(&decisions[i]);
	return OK;
}

int plan_resolve(struct plan *p, struct bytes json, struct buf *why)
{
	cJSON *root;
	int rc;

	if (p->state != PLAN_READ)
		return E_STATE;
	rc = json_parse(json, &root);
	if (rc != OK)
		return rc == E_INVALID ? malformed(why, "this is not JSON", "")
				       : rc;
	if (cJSON_IsObject(root))
		rc = resolve(p, root, why);
	else
		rc = malformed(why, "it is a JSON object", "");
	cJSON_Delete(root);
	return rc;
}
