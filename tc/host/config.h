#ifndef TC_HOST_CONFIG_H
#define TC_HOST_CONFIG_H

/*
 * What can be set, and where it comes from: flag > environment (TREATY_NAME) >
 * file > default.
 *
 * Rules
 * -----
 *  - A name that isn't known and a value that isn't allowed are errors, and
 *    the text names the place, the key and what is allowed.
 *  - Nothing of it is a secret.
 */

#include "base/arena.h"
#include "base/log.h"
#include "tc/core/core.h"
#include "tc/door/agents.h"
#include "tc/door/caller.h"
#include "tc/door/http.h"
#include "tc/store/store_sqlite.h"

#define CONFIG_ADDRESSES_MAX 8

struct config {
	struct arena arena; /* of the texts */

	const char *data_dir;
	const char *coordinator; /* empty: found out at the first start */
	const char *agents_listen;
	const char *http_listen;  /* or "off" */
	uint32_t log_level;       /* enum log_level */
	const char *http_targets; /* tc/door/allow_list.h */

	uint64_t lazy_ms;  /* rows that nobody waits for wait that long */
	uint64_t drain_ms; /* how long SIGTERM lets work go on */
	uint64_t rows_max; /* of one batch; more are written at once */

	struct core_config core;
	struct store_sqlite_options store;
	struct agents_config agents;
	struct http_config http;
	struct caller_config caller;

	const char *addresses[CONFIG_ADDRESSES_MAX]; /* of agents_listen */
};

/* The defaults. OK or E_NOMEM. */
MUST_CHECK int config_new(struct config **out, const struct mem *mem);
void config_free(struct config *c); /* NULL is fine */

/* What a command line asks for. */
enum config_action {
	CONFIG_RUN,
	CONFIG_CHECK,
	CONFIG_PRINT,
	CONFIG_HELP,
	CONFIG_VERSION,
};

/*
 * Read everything in order of precedence, then check what depends on each
 * other. `environ` ends with NULL, as environ(7).
 * E_INVALID: *error says where, which key, and what is allowed.
 * E_IO: the file can't be read. E_NOMEM.
 */
MUST_CHECK int config_read(struct config *c, int argc, char *const argv[],
			   char *const env[], enum config_action *action,
			   struct buf *error);

/*
 * Take from `from` what may change while running. *out gets a line for each
 * value that changed: what it is now, or that it needs a restart.
 */
MUST_CHECK int config_reload(struct config *c, const struct config *from,
			     struct buf *out);

/* The commented file; and the text of --help. */
void config_print(struct buf *out, const struct config *c);
void config_print_help(struct buf *out, const struct config *c);

#endif
