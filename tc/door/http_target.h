#ifndef TC_DOOR_HTTP_TARGET_H
#define TC_DOOR_HTTP_TARGET_H

/*
 * The target of an HTTP request, "/a/b%20c?x=1&y=2", taken apart. Done here and
 * not by the HTTP library because a segment that contains %2F must not become
 * two, and a broken escape must be an error and not a guess.
 *
 * Pure.
 */

#include "base/arena.h"

#define TARGET_SEGMENTS_MAX 10
#define TARGET_PARAMS_MAX   16

struct target_param {
	struct bytes name;
	struct bytes value;
};

struct target {
	struct bytes segments[TARGET_SEGMENTS_MAX];
	size_t n_segments;
	struct target_param params[TARGET_PARAMS_MAX];
	size_t n_params;
};

/*
 * Everything in *out lives in the arena.
 *
 * OK
 * E_INVALID   does not begin with '/', a wrong escape, a NUL, not UTF-8
 * E_LIMIT     too many segments or parameters
 * E_NOMEM
 */
MUST_CHECK int target_parse(struct target *out, struct arena *arena,
			    struct bytes text);

/*
 * Does the path have the form "/api/v1/transactions/{}/retry"? A "{}" stands
 * for any segment that is not empty; those are put into vars in their order.
 */
bool target_matches(const struct target *t, const char *pattern,
		    struct bytes *vars, size_t n_vars);

#endif
