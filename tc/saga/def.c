#include "tc/saga/def.h"

#include "base/hash.h"

static void read_document(struct reading *r, struct bytes json)
{
	const struct val *v = NULL;
	int rc = val_parse(r->a, json, &v);

	if (rc == E_INVALID)
		reading_fail(r, NULL, "this is not JSON");
	else
		r->rc = rc;
	if (r->rc != OK)
		return;
	if (v->type != JSON_OBJECT)
		reading_fail(r, NULL, "an object is expected here");
	else if (val_find(v, BYTES("steps")))
		read_graph(r, v);
	else
		read_machine(r, v);
}

static uint64_t fingerprint(const struct saga_def *def, struct bytes json)
{
	uint64_t h = hash_bytes(0, json);

	for (size_t i = 0; i < def->n_states; i++)
		if (def->states[i].sub)
			h = hash_u64(h, def->states[i].sub->fingerprint);
	return h;
}

int saga_def_new(struct saga_def **out, const struct mem *mem,
		 struct bytes json, const struct saga_lookup *lookup,
		 struct buf *why)
{
	struct saga_def *def = mem_alloc(mem, sizeof *def);
	struct reading r = { .def = def, .lookup = lookup, .why = why };

	if (!def)
		return E_NOMEM;
	def->mem = mem;
	arena_init(&def->arena, mem, 0);
	r.a = &def->arena;
	read_document(&r, json);
	if (r.rc != OK) {
		saga_def_free(def);
		return r.rc;
	}
	def->fingerprint = fingerprint(def, json);
	*out = def;
	return OK;
}

void saga_def_free(struct saga_def *def)
{
	if (!def)
		return;
	arena_fini(&def->arena);
	mem_free(def->mem, def);
}

struct bytes saga_def_name(const struct saga_def *def)
{
	return def->name;
}

struct bytes saga_def_version(const struct saga_def *def)
{
	return def->version;
}

uint64_t saga_def_fingerprint(const struct saga_def *def)
{
	return def->fingerprint;
}

bool saga_def_services(const struct saga_def *def,
		       bool (*each)(void *ctx, struct bytes state,
				    struct bytes service, struct bytes method),
		       void *ctx)
{
	for (size_t i = 0; i < def->n_states; i++) {
		const struct state *s = &def->states[i];

		if (s->type == STATE_SERVICE &&
		    !each(ctx, s->name, s->service, s->method))
			return false;
	}
	return true;
}
