#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * One line of logfmt (key=value …) to standard error for each event.
 *
 *   LOG_WARN("branch undo failed", LOG_B("xid", xid), LOG_U("branch", id),
 *            LOG_S("error", text));
 *
 * Rules
 * -----
 *  - Adapters and loops log; pure code never does.
 *  - xid and branch stand on every line that is about one.
 *  - A secret is logged by LOG_SECRET only, which prints ***.
 *  - Thread-safe: a line is one write().
 */

#include "base/base.h"

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_OFF
};

enum log_type { LOG_TEXT, LOG_UNSIGNED, LOG_SIGNED, LOG_HIDDEN };

struct log_field {
	const char *key;
	enum log_type type;
	struct bytes text;
	uint64_t u;
	int64_t i;
};

#define LOG_S(k, v)   ((struct log_field){ k, LOG_TEXT, bytes_of(v), 0, 0 })
#define LOG_B(k, v)   ((struct log_field){ k, LOG_TEXT, (v), 0, 0 })
#define LOG_U(k, v)   ((struct log_field){ k, LOG_UNSIGNED, { 0 }, (v), 0 })
#define LOG_I(k, v)   ((struct log_field){ k, LOG_SIGNED, { 0 }, 0, (v) })
#define LOG_SECRET(k) ((struct log_field){ k, LOG_HIDDEN, { 0 }, 0, 0 })

#define LOG_AT(level, msg, ...)                                                \
	log_write(level, msg, (const struct log_field[]){ __VA_ARGS__ },       \
		  sizeof((const struct log_field[]){ __VA_ARGS__ }) /          \
			  sizeof(struct log_field))
#define LOG_DEBUG(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define LOG_INFO(...)  LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define LOG_WARN(...)  LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define LOG_ERROR(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)

/* Lines below this level are not written. Default LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
/* Whether a line of this level would be written; to save making it. */
bool log_wanted(enum log_level level);
/* "debug", "info", "warn", "error", "off"; E_INVALID for anything else. */
MUST_CHECK int log_level_parse(const char *text, enum log_level *level);

/* Where lines go instead of standard error; NULL puts standard error back.
 * The line ends in a newline and is borrowed for the call. */
void log_set_sink(void (*sink)(void *ctx, struct bytes line), void *ctx);

void log_write(enum log_level level, const char *msg,
	       const struct log_field *fields, size_t n);

#endif
