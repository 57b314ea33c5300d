#include "tc/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <curl/curl.h>
#include <sys/ioctl.h>

#ifndef TREATY_VERSION
#define TREATY_VERSION "unknown"
#endif

static const struct {
	const char *first, *second; /* the words; no second: NULL */
	int (*run)(struct cli *c, int argc, char **argv);
} commands[] = {
	{ "tx", "list", command_list },
	{ "tx", "show", command_show },
	{ "tx", "retry", command_retry },
	{ "tx", "resolve", command_resolve },
	{ "saga", "list", command_saga_list },
	{ "saga", "show", command_saga_show },
	{ "saga", "start", command_saga_start },
	{ "saga", "forward", command_saga_forward },
	{ "saga", "compensate", command_saga_compensate },
	{ "saga", "skip", command_saga_skip },
	{ "machine", "list", command_machine_list },
	{ "machine", "show", command_machine_show },
	{ "machine", "put", command_machine_put },
	{ "machine", "drop", command_machine_drop },
	{ "message", "list", command_message_list },
	{ "message", "show", command_message_show },
	{ "message", "dead", command_message_dead },
	{ "message", "replay", command_message_replay },
	{ "topic", "list", command_topic_list },
	{ "topic", "subscribe", command_topic_subscribe },
	{ "topic", "unsubscribe", command_topic_unsubscribe },
	{ "status", NULL, command_status },
	{ "ping", NULL, command_ping },
	{ "completion", NULL, command_completion },
};

static bool is_word(int argc, char **argv, int i, const char *word)
{
	return i < argc && strcmp(argv[i], word) == 0;
}

/* The first of two words. */
static bool is_group(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].second && strcmp(word, commands[i].first) == 0)
			return true;
	return false;
}

/* "treaty help tx list" */
static int run_help(struct cli *c, int argc, char **argv)
{
	struct buf name;

	buf_init(&name, &c->arena.as_mem);
	for (int i = 0; i < argc; i++) {
		buf_put_text(&name, i > 0 ? " " : "");
		buf_put_text(&name, argv[i]);
	}
	print_help(c, buf_text(&name));
	if (c->out.len > 0)
		return EXIT_OK;
	complain("there is no command \"%s\"; see treaty --help",
		 buf_text(&name));
	return EXIT_USAGE;
}

static int run(struct cli *c, int argc, char **argv)
{
	if (argc == 0) {
		print_help(c, "");
		return EXIT_USAGE;
	}
	if (is_word(argc, argv, 0, "help"))
		return run_help(c, argc - 1, argv + 1);
	if (is_word(argc, argv, 0, "--help") || is_word(argc, argv, 0, "-h"))
		return run_help(c, 0, argv);
	if (is_word(argc, argv, 0, "--version")) {
		buf_put_text(&c->out, "treaty " TREATY_VERSION "\n");
		return EXIT_OK;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		int words = commands[i].second ? 2 : 1;

		if (is_word(argc, argv, 0, commands[i].first) &&
		    (words == 1 || is_word(argc, argv, 1, commands[i].second)))
			return commands[i].run(c, argc - words, argv + words);
	}
	if (is_group(argv[0]) &&
	    (argc == 1 || is_word(argc, argv, 1, "--help"))) {
		print_help(c, "");
		return argc == 1 ? EXIT_USAGE : EXIT_OK;
	}
	complain("there is no command \"%s%s%s\"; see treaty --help", argv[0],
		 argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
	return EXIT_USAGE;
}

/* Global options may stand in front of the command, too: they are moved behind
 * it, where each command finds them. */
static int rotate(int argc, char **argv, char **out)
{
	int n = 0, front = 0;

	while (front < argc && argv[front][0] == '-') {
		bool takes_value = strcmp(argv[front], "--server") == 0 ||
				   strcmp(argv[front], "-s") == 0;

		front += takes_value && front + 1 < argc ? 2 : 1;
	}
	if (front == argc)
		front = 0;
	for (int i = front; i < argc; i++)
		out[n++] = argv[i];
	for (int i = 0; i < front; i++)
		out[n++] = argv[i];
	return n;
}

static void look_around(struct cli *c)
{
	const char *server = getenv("TREATY_SERVER");
	struct winsize size;

	cli_server(c, server && *server ? server : SERVER_DEFAULT);
	if (!isatty(STDOUT_FILENO))
		return;
	c->color = !getenv("NO_COLOR");
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		c->width = size.ws_col;
}

static int write_out(struct cli *c, int rc)
{
	struct bytes text = buf_bytes(&c->out);

	if (buf_error(&c->out) != OK) {
		complain("out of memory; what was shown is not all");
		rc = EXIT_FAILED;
	}
	if (text.len > 0 &&
	    (fwrite(text.data, 1, text.len, stdout) != text.len ||
	     fflush(stdout) != 0)) {
		complain("cannot write the result");
		rc = EXIT_FAILED;
	}
	return rc;
}

int cli_main(int argc, char **argv)
{
	struct cli c = { .server = NULL };
	char **words;
	int rc = EXIT_FAILED;

	arena_init(&c.arena, &mem_heap, 0);
	buf_init(&c.out, &mem_heap);
	look_around(&c);
	words = arena_array(&c.arena, (size_t)argc + 1, sizeof *words);
	if (words && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
		rc = run(&c, rotate(argc - 1, argv + 1, words), words);
		rc = write_out(&c, rc);
		curl_global_cleanup();
	}
	buf_fini(&c.out);
	arena_fini(&c.arena);
	return rc;
}
