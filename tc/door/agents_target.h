#ifndef TC_DOOR_AGENTS_TARGET_H
#define TC_DOOR_AGENTS_TARGET_H

/*
 * Are the URLs in an agent's request such as the coordinator may call, and is
 * what it registers with their origin?
 *
 * Pure.
 */

#include "tc/core/core.h"
#include "tc/door/allow_list.h"

/*
 * Look at .resource (of BEGIN: .check), .participant, and the services of a
 * definition (.text of SAGA_START, MACHINE_PUT). A request without URLs is OK.
 *
 * OK
 * E_INVALID, E_LIMIT   the document; a URL that the request's mode needs is
 *                      missing; the resource is not their origin; *why
 * E_DENIED             a URL is not allowed; *why says how to allow it
 * E_NOMEM
 */
MUST_CHECK int agents_target_check(const struct allow_list *list,
				   struct arena *arena,
				   const struct request *request,
				   struct buf *why);

#endif
