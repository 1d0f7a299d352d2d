"""
Tests for `ingress.log_template`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.log_template import (
    DEFAULT_TEMPLATE,
    MAX_SIZE,
    VARIABLES,
    WITHOUT_VALUE,
    LogTemplate,
    TemplatePart,
    TemplateRefused,
)


class LogTemplateTests(SynchronousTestCase):
    def parts(self, written: str) -> list[str]:
        return [
            f"${part.variable}" if part.variable else part.text
            for part in LogTemplate.read(written).parts
        ]

    def test_parts(self) -> None:
        """Text and variables alternate; names are read in lower case, with braces or without."""
        self.assertEqual(
            self.parts("a $status ${Request}b$http_x_y"),
            ["a ", "$status", " ", "$request", "b", "$http_x_y"],
        )
        self.assertEqual(LogTemplate.read("$status").parts, (TemplatePart("status"),))

    def test_quotes(self) -> None:
        """Escapes are those of a quoted text of nginx."""
        self.assertEqual(self.parts(r"\"\'\\ \t|\x \$status"), ["\"'\\ \t|\\x \\", "$status"])

    def test_one_line(self) -> None:
        """The ends of lines of a block of YAML become blanks."""
        self.assertEqual(self.parts('{"a": 1,\n  "b":\r\n "c"}\n'), ['{"a": 1, "b": "c"}'])
        self.assertEqual(self.parts(r"a\nb"), ["a b"])

    def test_refused(self) -> None:
        """A variable that nginx does not have is refused, with a near spelling."""
        for written, message in (
            ("$statsu", "there is no variable $statsu; did you mean $status?"),
            ("$qqq", "there is no variable $qqq"),
            ("$http_", "there is no variable $http_"),
            ("5 $", "text and variables of nginx are accepted; $ begins a variable"),
            ("${status", "text and variables of nginx are accepted; $ begins a variable"),
            ("x" * (MAX_SIZE + 1), f"a format of at most {MAX_SIZE} characters is accepted"),
            ("$status" * 257, "a format of at most 256 variables is accepted"),
        ):
            error = self.assertRaises(TemplateRefused, LogTemplate.read, written)
            self.assertTrue(str(error).startswith(message), str(error))

    def test_without_value(self) -> None:
        """Variables of nginx that have no value here are named."""
        template = LogTemplate.read("$status $ssl_cipher $sent_http_x $ssl_cipher")
        self.assertEqual(template.without_value, ("sent_http_x", "ssl_cipher"))

    def test_default(self) -> None:
        """The default of ingress-nginx has values for all."""
        self.assertTrue(DEFAULT_TEMPLATE.is_default)
        self.assertEqual(DEFAULT_TEMPLATE.without_value, ())
        self.assertEqual(VARIABLES & WITHOUT_VALUE, frozenset())
