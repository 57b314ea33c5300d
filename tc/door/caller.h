#ifndef TC_DOOR_CALLER_H
#define TC_DOOR_CALLER_H

/*
 * The door without a listener: it calls HTTP participants (commands for peers
 * that are URLs), by libcurl's multi interface in the loop's own epoll.
 *
 * Rules
 * -----
 *  - HTTP/1.1 over connections that are kept and used again. Nothing is
 *    followed or picked up on the way: no redirects, proxies, cookies,
 *    .netrc, compressed bodies. Certificates are checked.
 *  - Only what the allow-list (tc/door/allow_list.h, door_port.allow_list)
 *    names is called, and each connection's address is checked when it is made
 *    and when it is used again.
 *  - A target (an origin) has a limit of calls at once, and so has everything
 *    together; what waits for a place does so first-come within its target,
 *    targets in turn. So one that never answers holds up nobody else.
 *  - Each command ends in EV_BRANCH_DONE, at the latest when its time is over;
 *    but for one that finds no memory, which is lost (the core's own time-out
 *    takes it up again), and for those under way when the door is closed.
 *  - Names are resolved on libcurl's threads: resolving blocks nobody.
 *
 * Outcomes are in tc/door/caller_outcome.h, requests in caller_request.h.
 */

#include "base/buf.h"
#include "tc/door/door.h"

struct caller_config {
	const char *version; /* of the program, in User-Agent */
	const char *ca_file; /* certificates; "": the system's */
	/* Test seam: "name:port:address" lines for CURLOPT_RESOLVE, ended by
	 * NULL; NULL: none. */
	const char *const *resolve;
	size_t calls_max;            /* at once, in all */
	size_t calls_per_target_max; /* at once */
	size_t answer_max;           /* bytes of a body that are kept */
	uint64_t call_ms_max; /* the longest that a call may take, whatever
			       * the command says */
	uint64_t connect_ms;  /* of it, to connect */
};

/* Sensible values for everything. */
void caller_config_default(struct caller_config *config);

/*
 * Fill in *out (see door.h). `port` and `mem` must outlive it; the
 * configuration is copied, its texts are borrowed. out->close() frees
 * everything.
 *
 * OK
 * E_IO     libcurl or the kernel refuses; *error says what
 * E_NOMEM
 */
MUST_CHECK int caller_open(struct door *out, const struct mem *mem,
			   const struct caller_config *config,
			   const struct door_port *port, struct buf *error);

#endif
