#include "tc/cli/cli.h"

static const struct {
	const char *command;
	const char *text;
} pages[] = {
	{ "",
	  "usage: treaty COMMAND …\n"
	  "\n"
	  "Operate a Treaty coordinator (treatyd) over its HTTP door.\n"
	  "\n"
	  "  treaty tx list      list transactions, those that hang first\n"
	  "  treaty tx show      one transaction: branches, errors, dirty "
	  "rows,\n"
	  "                      and what to do about it\n"
	  "  treaty tx retry     try again now\n"
	  "  treaty tx resolve   decide about a dirty branch\n"
	  "  treaty status       counters, and how many need you\n"
	  "  treaty ping         is it there and ready?\n"
	  "  treaty completion   completions for a shell\n"
	  "\n"
	  "Everywhere:\n"
	  "  -s, --server URL    the coordinator; else TREATY_SERVER, else\n"
	  "                      " SERVER_DEFAULT "\n"
	  "  --json              the coordinator's JSON as it is\n"
	  "  --no-color          no colours (also: NO_COLOR; never on pipes)\n"
	  "  -h, --help          about one command\n"
	  "\n"
	  "Exit codes: 0 done, 1 failed or outcome unknown, 2 wrong usage,\n"
	  "3 not found, 4 not reachable, 5 refused. See treaty(1).\n" },
	{ "tx list",
	  "usage: treaty tx list [OPTION …]\n"
	  "\n"
	  "List unfinished transactions: those that wait for an operator, "
	  "then\n"
	  "the others, oldest first.\n"
	  "\n"
	  "  --hung              only those that wait for an operator\n"
	  "  --status STATUS     a name such as RollbackRetrying, or a number\n"
	  "  --text TEXT         part of the name or application\n"
	  "  --resource ID       with a branch on this resource\n"
	  "  --min-age SPAN      at least so old: 500ms, 30s, 5m, 2h, 1d\n"
	  "  --finished          finished ones, newest first\n"
	  "  -n, --limit N       at most so many, up to 1000 (50)\n"
	  "  --after CURSOR      the next page\n"
	  "  -q, --quiet         xids only, one a line\n" },
	{ "tx show",
	  "usage: treaty tx show XID\n"
	  "\n"
	  "Show a transaction with its branches, attempts, last errors, the\n"
	  "difference of dirty rows, its history, and the commands that help.\n"
	  "XID may be the number alone.\n" },
	{ "tx retry",
	  "usage: treaty tx retry XID [--branch ID] [--reason TEXT]\n"
	  "\n"
	  "Phase two of all branches, or of one, is tried again at once. One\n"
	  "that hangs is taken up again.\n"
	  "\n"
	  "  -b, --branch ID     only this branch\n"
	  "  -r, --reason TEXT   for the history\n" },
	{ "tx resolve",
	  "usage: treaty tx resolve XID BRANCH WAY --reason TEXT [--yes]\n"
	  "\n"
	  "Decide about a branch whose undo found rows that somebody else has\n"
	  "changed. Shows them and asks, unless --yes is given.\n"
	  "\n"
	  "WAY is one of\n"
	  "  --use-undo          put the values from before the branch back\n"
	  "  --keep-current      leave the rows as they are\n"
	  "  --values FILE       as this JSON says (- reads standard input)\n"
	  "\n"
	  "  -r, --reason TEXT   for the history; needed\n"
	  "  -y, --yes           do not ask\n" },
	{ "status", "usage: treaty status\n"
		    "\n"
		    "Show the coordinator's state and counters, and how many "
		    "transactions\n"
		    "wait for an operator.\n" },
	{ "ping",
	  "usage: treaty ping\n"
	  "\n"
	  "Exit 0 if the coordinator takes work, 1 if it is starting or\n"
	  "stopping, 4 if it cannot be reached.\n" },
	{ "completion", "usage: treaty completion bash\n"
			"\n"
			"Print completions for the shell. In ~/.bashrc:\n"
			"  source <(treaty completion bash)\n" },
};

void print_help(struct cli *c, const char *command)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (strcmp(pages[i].command, command) == 0)
			buf_put_text(&c->out, pages[i].text);
}
