#!/usr/bin/env python3
"""A check that notices nothing is worse than none: each rule is shown a
breach, and something innocent that looks like one."""
import unittest

import tidy


def what(found):
    return [w for _, w in found]


class Notices(unittest.TestCase):
    def test_an_include_against_the_arrow(self):
        self.assertTrue(what(tidy.check_includes(
            "tc/core/core.c", '#include "tc/store/store.h"\n')))
        self.assertTrue(what(tidy.check_includes(
            "rm-agent/session/session.c", '#include "undo/image.h"\n')))
        self.assertTrue(what(tidy.check_includes(
            "tc/core/core.c", "#include <time.h>\n")))
        self.assertTrue(what(tidy.check_includes(
            "samples/checkout/order.c", '#include "base/buf.h"\n')))
        self.assertFalse(what(tidy.check_includes(
            "tc/host/loop.c", '#include "tc/store/store.h"\n')))

    def test_a_banned_call_but_not_a_word_in_a_string(self):
        self.assertEqual(what(tidy.check_banned(
            "undo/a.c", tidy.strip("\tp = malloc(3);\n"))),
            ["malloc() is banned here"])
        self.assertFalse(what(tidy.check_banned(
            "undo/a.c", tidy.strip('\t/* malloc() */ f("time()");\n'))))
        self.assertFalse(what(tidy.check_banned(
            "undo/a.c", "\tm->free(p);\n\tmem_free(p);\n")))

    def test_a_long_function(self):
        body = "int f(void)\n{\n" + "\tx();\n" * 71 + "}\n"
        self.assertTrue(what(tidy.check_length("base/a.c", body)))
        self.assertFalse(what(tidy.check_length("tests/a.c", body)))

    def test_a_note_to_self(self):
        self.assertTrue(what(tidy.check_text("base/a.c", "/* TODO */\n")))
        self.assertTrue(what(tidy.check_text("base/A.c", "")))


if __name__ == "__main__":
    unittest.main()
