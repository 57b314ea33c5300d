#include "base/log.h"

#include "base/buf.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static atomic_int lowest = LOG_LEVEL_INFO;
static void (*line_sink)(void *ctx, struct bytes line);
static void *line_ctx;

static const char *const level_names[] = { "debug", "info", "warn", "error",
					   "off" };

void log_set_level(enum log_level level)
{
	atomic_store(&lowest, (int)level);
}

bool log_wanted(enum log_level level)
{
	return (int)level >= atomic_load(&lowest);
}

int log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return OK;
		}
	}
	return E_INVALID;
}

void log_set_sink(void (*sink)(void *ctx, struct bytes line), void *ctx)
{
	line_sink = sink;
	line_ctx = ctx;
}

static bool needs_quotes(struct bytes v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.data[i] <= ' ' || v.data[i] == '"' || v.data[i] == '=' ||
		    v.data[i] == '\\' || v.data[i] == 0x7f)
			return true;
	return v.len == 0;
}

static void put_quoted(struct buf *line, struct bytes v)
{
	buf_put_char(line, '"');
	for (size_t i = 0; i < v.len; i++) {
		uint8_t c = v.data[i];

		if (c == '"' || c == '\\')
			buf_printf(line, "\\%c", c);
		else if (c == '\n')
			buf_put_text(line, "\\n");
		else if (c < ' ' || c == 0x7f)
			buf_printf(line, "\\x%02x", c);
		else
			buf_put_u8(line, c);
	}
	buf_put_char(line, '"');
}

static void put_value(struct buf *line, struct bytes v)
{
	if (needs_quotes(v))
		put_quoted(line, v);
	else
		buf_put(line, v);
}

static void put_field(struct buf *line, const struct log_field *f)
{
	buf_printf(line, " %s=", f->key);
	switch (f->type) {
	case LOG_TEXT:
		put_value(line, f->text);
		break;
	case LOG_UNSIGNED:
		buf_printf(line, "%" PRIu64, f->u);
		break;
	case LOG_SIGNED:
		buf_printf(line, "%" PRId64, f->i);
		break;
	case LOG_HIDDEN:
		buf_put_text(line, "***");
		break;
	}
}

static void put_time(struct buf *line)
{
	struct timespec ts;
	struct tm tm;
	char text[32];

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	(void)gmtime_r(&ts.tv_sec, &tm);
	(void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(line, "time=%s.%03ldZ", text, ts.tv_nsec / 1000000);
}

void log_write(enum log_level level, const char *msg,
	       const struct log_field *fields, size_t n)
{
	struct buf line;

	if ((int)level < atomic_load(&lowest))
		return;
	buf_init(&line, &mem_heap);
	put_time(&line);
	buf_printf(&line, " level=%s msg=", level_names[level]);
	put_value(&line, bytes_of(msg));
	for (size_t i = 0; i < n; i++)
		if (fields[i].key)
			put_field(&line, &fields[i]);
	buf_put_char(&line, '\n');
	if (buf_error(&line) == OK) {
		if (line_sink)
			line_sink(line_ctx, buf_bytes(&line));
		else if (write(STDERR_FILENO, line.data, line.len) < 0)
			atomic_store(&lowest, atomic_load(&lowest));
	}
	buf_fini(&line);
}
