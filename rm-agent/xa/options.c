#include "rm-agent/xa/resource.h"

static char *text_of(const char *given, const char *otherwise)
{
	const char *text = given ? given : otherwise;

	return text ? mem_text(&mem_heap, bytes_of(text)) : NULL;
}

static uint32_t or_default(uint32_t given, uint32_t otherwise)
{
	return given ? given : otherwise;
}

int xa_options_init(struct xa_options *out,
		    const struct treaty_xa_options *options, const char *dsn)
{
	static const struct treaty_xa_options none;
	const struct treaty_xa_options *o = options ? options : &none;

	*out = (struct xa_options){
		.resource = text_of(o->resource, NULL),
		.dsn = text_of(o->dsn, dsn),
		.table = text_of(o->table, "treaty_xa"),
		.may_create = !o->no_create_table,
		.weak_durability = o->weak_durability,
		.no_thread = o->no_thread,
		.pinned_wait_ms = or_default(o->pinned_wait_ms, 10000),
		.recover_every_ms = or_default(o->recover_every_ms, 10000),
		.recover_after_ms = or_default(o->recover_after_ms, 30000),
		.keep_days = or_default(o->keep_days, 7),
	};
	if (out->table && out->dsn && (!o->resource || out->resource))
		return OK;
	xa_options_fini(out);
	return E_NOMEM;
}

void xa_options_fini(struct xa_options *o)
{
	mem_free(&mem_heap, o->resource);
	mem_free(&mem_heap, o->dsn);
	mem_free(&mem_heap, o->table);
	*o = (struct xa_options){ 0 };
}
