#include "sqlparse/word.h"

enum { P = 1 << SQL_POSTGRES, M = 1 << SQL_MYSQL, S = 1 << SQL_SQLITE };

static const struct {
	const char *name;
	size_t len;
	unsigned reserved;
} words[W_COUNT] = {
	[W_NONE] = { "", 0, 0 },
#define WORD(name, reserved) [W_##name] = { #name, sizeof #name - 1, reserved },
#include "sqlparse/words.def"
#undef WORD
};

static uint8_t upper(uint8_t c)
{
	return c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
}

/* memcmp order of the text in capitals against a word. */
static int compare(struct bytes text, enum word w)
{
	for (size_t i = 0; i < text.len && i < words[w].len; i++) {
		int order = upper(text.data[i]) - (uint8_t)words[w].name[i];

		if (order != 0)
			return order;
	}
	if (text.len == words[w].len)
		return 0;
	return text.len < words[w].len ? -1 : 1;
}

enum word word_find(struct bytes text)
{
	size_t low = W_NONE + 1, high = W_COUNT;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(text, (enum word)middle);

		if (order == 0)
			return (enum word)middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return W_NONE;
}

const char *word_name(enum word w)
{
	return words[w].name;
}

bool word_reserved(enum word w, enum sql_dialect dialect)
{
	return (words[w].reserved & (1u << dialect)) != 0;
}
