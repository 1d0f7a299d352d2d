"""
Tests for `ingress.kube.file_report`; its lines and Problems are tested with `ingress.kube.files`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.file_report import FileReport
from ingress.kube.folder import Listing
from ingress.kube.manifest_file import ManifestFile
from ingress.problem import Problem

FAULTY = ManifestFile(problems=(Problem("bad"),))


class FileReportTests(SynchronousTestCase):
    """Problems of files, by file."""

    def test_identity(self) -> None:
        """The tuple of a file stays the same one, and subscribers are told of changes alone."""
        report, told = FileReport(), []
        report.subscribe(lambda: told.append(report.problems))
        report.note("a", ManifestFile(), FAULTY)
        report.publish(Listing(), [])
        report.publish(Listing(), [])
        self.assertIs(report.problems["a"], FAULTY.problems)
        self.assertEqual(len(told), 1)

    def test_losses(self) -> None:
        """Objects that another file has are added to those of the file, and of its path."""
        report, listing = FileReport(), Listing()
        listing.miss("a", "does not exist")
        report.note("a", ManifestFile(), FAULTY)
        report.publish(listing, [{"a": Problem("is ignored")}])
        self.assertEqual(
            [problem.message for problem in report.problems["a"]],
            ["bad", "does not exist", "is ignored"],
        )
