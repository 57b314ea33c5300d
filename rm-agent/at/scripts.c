#include "rm-agent/at/scripts.h"

#include "base/hash.h"

struct entry {
	struct map_node node;
	struct sql_script *script;
};

int scripts_init(struct scripts *s, const struct mem *mem,
		 enum sql_dialect dialect, size_t limit)
{
	*s = (struct scripts){ .mem = mem, .dialect = dialect, .limit = limit };
	return map_init(&s->map, mem);
}

void scripts_clear(struct scripts *s)
{
	struct map_node *n = s->map.buckets ? map_next(&s->map, NULL) : NULL;

	while (n) {
		struct entry *e = CONTAINER_OF(n, struct entry, node);

		n = map_next(&s->map, n);
		map_remove(&s->map, &e->node);
		sql_script_free(e->script);
		mem_free(s->mem, e);
	}
}

void scripts_fini(struct scripts *s)
{
	scripts_clear(s);
	map_fini(&s->map);
}

static struct entry *find(struct scripts *s, struct bytes text, uint64_t hash)
{
	struct map_node *n = map_find(&s->map, hash);

	for (; n; n = map_find_next(n)) {
		struct entry *e = CONTAINER_OF(n, struct entry, node);

		if (bytes_equal(e->script->text, text))
			return e;
	}
	return NULL;
}

int scripts_get(struct scripts *s, struct bytes text,
		const struct sql_script **out, bool *again)
{
	uint64_t hash = hash_bytes(0, text);
	struct entry *e = find(s, text, hash);
	int rc;

	*again = e != NULL;
	if (!e) {
		if (s->map.count >= s->limit)
			scripts_clear(s);
		e = mem_alloc(s->mem, sizeof *e);
		if (!e)
			return E_NOMEM;
		rc = sql_parse(s->mem, s->dialect, &s->options, text,
			       &e->script);
		if (rc != OK) {
			mem_free(s->mem, e);
			return rc;
		}
		map_insert(&s->map, &e->node, hash);
	}
	*out = e->script;
	return OK;
}
