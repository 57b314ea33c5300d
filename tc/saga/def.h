#ifndef TC_SAGA_DEF_H
#define TC_SAGA_DEF_H

/*
 * A checked definition, as the interpreter reads it. Both languages end here:
 * a machine moves along `next`, a graph starts what has all its `after` done.
 */

#include "tc/saga/expr.h"
#include "tc/saga/saga.h"

#define NO_STATE UINT32_MAX

enum state_type {
	STATE_SERVICE,
	STATE_CHOICE,
	STATE_SCRIPT,
	STATE_SUB,
	STATE_COMPENSATE_SUB,
	STATE_TRIGGER,
	STATE_SUCCEED,
	STATE_FAIL,
	STATE_TYPES, /* how many */
};

/* JSON in which texts "$.…" are expressions. */
struct form {
	const struct val *value; /* if it is as it stands, else … */
	const struct expr *expr; /* … this, or an array or object: */
	bool object;
	size_t n;
	const struct form **items;
	const struct bytes *keys;
};

struct errors { /* names; none stands for any */
	const struct bytes *names;
	size_t n;
};

struct retry {
	struct errors errors;
	struct saga_policy policy;
};

struct catch
{
	struct errors errors;
	uint32_t next;
};

enum outcome { OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_UNKNOWN };

struct status_rule {
	const struct expr *when;
	enum outcome outcome;
};

struct choice {
	const struct expr *when;
	uint32_t next;
};

struct loop {
	uint32_t parallel;
	const struct expr *collection;
	struct bytes element; /* name of the variable; empty for none */
	struct bytes index;
	const struct expr *until; /* NULL: all of them */
};

struct state {
	struct bytes name;
	enum state_type type;
	uint32_t next;       /* also Default of a Choice */
	uint32_t compensate; /* state that undoes this one */
	bool compensates;    /* is one */
	bool async;
	struct bytes service;
	struct bytes method;
	const struct form *input;  /* NULL: none */
	const struct form *output; /* NULL: none */
	bool graph_step;           /* its result is [name] of the data */
	uint64_t timeout_ms;
	const struct retry *retries;
	size_t n_retries;
	bool has_retry; /* even if it is empty */
	const struct catch *catches;
	size_t n_catches;
	const struct status_rule *rules;
	size_t n_rules;
	const struct choice *choices;
	size_t n_choices;
	const struct loop *loop;
	const struct expr *script;
	const struct saga_def *sub;
	struct bytes error; /* Fail */
	struct bytes message;
	const uint32_t *after; /* graph */
	size_t n_after;
};

struct saga_def {
	const struct mem *mem;
	struct arena arena;
	struct bytes name;
	struct bytes version;
	uint64_t fingerprint;
	bool graph;
	bool forward;         /* recovery */
	uint64_t deadline_ms; /* after the start; 0: none */
	uint32_t start;
	struct state *states;
	size_t n_states;
};

/* ---- reading, shared by both languages ---- */

struct path { /* where we are in the document, innermost first */
	const struct path *up;
	struct bytes key; /* empty: [index] */
	size_t index;
};

/* The first error stands in rc, and its text in *why; later ones are silent. */
struct reading {
	struct saga_def *def;
	struct arena *a;
	const struct saga_lookup *lookup;
	struct buf *why;
	int rc;
};

void reading_fail(struct reading *r, const struct path *at, const char *fmt,
		  ...) PRINTF_LIKE(3, 4);
/* Zeroed; on no memory r->rc is set and it is NULL. */
void *reading_array(struct reading *r, size_t n, size_t size);

/* Is an object with no other keys than these (NULL behind the last), each at
 * most once. */
bool read_keys(struct reading *r, const struct path *at, const struct val *v,
	       const char *const known[]);
/* A member of a type; NULL if it isn't there (an error if it must). */
const struct val *read_member(struct reading *r, const struct path *at,
			      const struct val *v, const char *key,
			      enum json_type type, bool must);
struct bytes read_name(struct reading *r, const struct path *at,
		       const struct val *v, const char *key, bool must);
/* The same for what may be a URL, and so is longer. */
struct bytes read_service(struct reading *r, const struct path *at,
			  const struct val *v, const char *key, bool must);
bool read_flag(struct reading *r, const struct path *at, const struct val *v,
	       const char *key, bool missing);
/* A number times `by`, rounded down, less than 2^32. */
uint64_t read_number(struct reading *r, const struct path *at,
		     const struct val *v, const char *key, uint32_t by,
		     uint64_t missing);
const struct expr *read_expr(struct reading *r, const struct path *at,
			     struct bytes source);
/* An expression with or without "$." in front; NULL if it isn't there. */
const struct expr *read_condition(struct reading *r, const struct path *at,
				  const struct val *v, const char *key,
				  bool must);
/* NULL if there is no such member. */
const struct form *read_form(struct reading *r, const struct path *at,
			     const struct val *v, const char *key);
/* NO_STATE if it isn't there (an error if it must, or names none). */
uint32_t read_state(struct reading *r, const struct path *at,
		    const struct val *v, const char *key, bool must);
uint32_t def_find(const struct saga_def *def, struct bytes name);

/* ---- the languages ---- */

void read_machine(struct reading *r, const struct val *v);
void read_machine_state(struct reading *r, const struct path *at,
			const struct val *v, struct state *s);
void read_graph(struct reading *r, const struct val *v);
/* What is only visible in the whole: unreachable, endless. */
void check_machine(struct reading *r);
void check_graph(struct reading *r);

#endif
