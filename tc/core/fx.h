#ifndef TC_CORE_FX_H
#define TC_CORE_FX_H

/*
 * The effects of one step while they are collected.
 *
 * Rules
 * -----
 *  - Failure is sticky: after a call that found no memory fx_ok() is false;
 *    fx_undo() takes back what was added since a mark and forgets the failure.
 *    So work is done in units: mark, add effects, ask fx_ok(), and only then
 *    change the state; or undo and leave no trace.
 *  - What effects point at comes from the arena (or from objects that outlive
 *    the step) and is valid until fx_reset().
 */

#include "base/arena.h"
#include "base/buf.h"
#include "tc/core/core.h"

struct fx {
	const struct mem *mem;
	struct arena arena;
	struct effect *items;
	size_t n;
	size_t cap;
	bool failed;
	struct effect nowhere; /* what fx_add() gives on no memory */
};

/* The fx must not move afterwards. */
void fx_init(struct fx *fx, const struct mem *mem);
void fx_fini(struct fx *fx);
void fx_reset(struct fx *fx);

bool fx_ok(const struct fx *fx);
void fx_undo(struct fx *fx, size_t mark);

/* A zeroed effect of this type to be filled in; on no memory one that goes
 * nowhere. Never NULL; valid until the next fx_add(). */
struct effect *fx_add(struct fx *fx, enum effect_type type);

struct bytes fx_copy(struct fx *fx, struct bytes b);
struct bytes fx_printf(struct fx *fx, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "host:port:number". */
struct bytes fx_xid(struct fx *fx, struct bytes coordinator, uint64_t number);
/* What is in the buffer, or a sticky failure if it has one. */
struct bytes fx_take(struct fx *fx, struct buf *b);

#endif
