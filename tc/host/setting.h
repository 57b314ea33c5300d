#ifndef TC_HOST_SETTING_H
#define TC_HOST_SETTING_H

/*
 * The table of settings: each is one row, and flags, environment, file, help,
 * the shipped treaty.conf and the checks all come out of it.
 */

#include "tc/host/config.h"

enum setting_type {
	SET_TEXT,
	SET_WORDS, /* a text of words; several lines of the file add up */
	SET_NUMBER,
	SET_BYTES, /* 4096, 64KiB, 16MiB, 1GiB */
	SET_TIME,  /* milliseconds; 500ms, 5s, 10min, 2h, 7d */
	SET_YES_NO,
	SET_LEVEL, /* debug, info, warn, error, off */
};

struct setting {
	const char *name;  /* as in the file: retry_first */
	const char *group; /* a heading in the file; NULL: as the one before */
	enum setting_type type;
	size_t offset; /* within struct config */
	size_t size;   /* of the number there: 1 (bool), 4 or 8 */
	uint64_t min;
	uint64_t max;
	bool reload; /* SIGHUP takes it; the others need a restart */
	const char *help;
};

extern const struct setting settings[];
extern const size_t n_settings;

/* '-' and '_' are the same in a name. NULL if there's none. */
const struct setting *setting_find(struct bytes name);

/* Set from text. E_INVALID: *error says what is allowed. E_NOMEM. */
MUST_CHECK int setting_parse(struct config *c, const struct setting *s,
			     const char *value, struct buf *error);
/* Put the words of another line behind those that are there. E_NOMEM. */
MUST_CHECK int setting_add(struct config *c, const struct setting *s,
			   const char *value);
/* The value as text that setting_parse() takes. */
void setting_print(struct buf *out, const struct config *c,
		   const struct setting *s);
/* As lines of the file, "name = value"; words get a line each. */
void setting_print_lines(struct buf *out, const struct config *c,
			 const struct setting *s);
/* "a number from 1 to 1000", … */
void setting_print_allowed(struct buf *out, const struct setting *s);
bool setting_equal(const struct setting *s, const struct config *a,
		   const struct config *b);
/* Copy one value. E_NOMEM. */
MUST_CHECK int setting_copy(const struct setting *s, struct config *to,
			    const struct config *from);

#endif
