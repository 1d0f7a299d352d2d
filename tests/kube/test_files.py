"""
Tests for `ingress.kube.files`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock, deferLater
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import provider

from ingress.config import TLS, Config
from ingress.kube.change import Change, ChangeCallback
from ingress.kube.files import RENAME_DELAY, FilesSource
from ingress.kube.objects import Secret
from ingress.kube.store import ObjectStore
from ingress.kube.watch import FolderWatcher
from ingress.problem import Problem
from tests.support.disk import Disk

reactor: Any = _reactor


def config_map(name: str, value: str = "x") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: {value}}}\n"


def values(store: ObjectStore) -> dict[str, str]:
    """The value of each ConfigMap of the store, by its name."""
    return {name: item.data["a"] for (_, name), item in store.view().config_maps.items()}


class FilesTestCase(SynchronousTestCase):
    """A source that polls, as a Clock has no file descriptors; threads do their work at once."""

    def setUp(self) -> None:
        self.disk = Disk(self.mktemp())
        self.clock = Clock()
        self.store = ObjectStore()
        self.disk.write("m/a.yaml", config_map("a"))

    config_map: str | None = None
    """The name of what the configuration names."""

    def start(self, *names: str) -> FilesSource:
        """A source of some paths of the disk that has loaded everything."""
        paths = [self.disk.path(name) for name in names or ("m",)]
        awaited = None if self.config_map is None else ("default", self.config_map)
        source = FilesSource(
            self.clock, self.store, paths, self.disk.path("s"), execute, config_map=awaited
        )
        started = source.start()
        self.clock.pump([0] * 100)
        self.successResultOf(started)
        self.addCleanup(source.stop)
        return source

    def wait(self, seconds: float = 2.0) -> None:
        """Let some time pass, in small steps."""
        self.clock.pump([0.025] * int(seconds / 0.025))

    def problems(self, source: FilesSource) -> list[str]:
        """Every Problem, with paths as below the disk."""
        found = [str(problem) for problems in source.problems.values() for problem in problems]
        return [problem.replace(f"{self.disk}/", "") for problem in found]


class PassingClock(Clock):
    """Time passes with each look at it: a millisecond."""

    def seconds(self) -> float:
        self.rightNow += 0.001
        return super().seconds()


class LoadTests(FilesTestCase):
    """The first load."""

    def test_everything(self) -> None:
        """Everything is in the store at once when the source has started."""
        self.disk.write(
            "m/b.json",
            '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"a": "y"}}',
        )
        self.disk.write("s/ns/name/tls.crt", "c")
        self.disk.write("s/ns/name/tls.key", "k")
        self.start()
        self.assertEqual(values(self.store), {"a": "x", "b": "y"})
        self.assertEqual(list(self.store.view().secrets), [("ns", "name")])
        self.assertEqual(self.store.generation, 1)

    def test_not_before(self) -> None:
        """The source has not started before everything is read."""
        gate: list[Callable[[], None]] = []

        def run_later(function: Callable[..., Any], *args: Any) -> Deferred[Any]:
            done: Deferred[Any] = Deferred()
            gate.append(lambda: done.callback(function(*args)))
            return done

        source = FilesSource(self.clock, self.store, [self.disk.path("m")], None, run_later)
        started = source.start()
        gate.pop()()
        self.clock.pump([0] * 10)
        self.assertNoResult(started)
        gate.pop()()
        self.clock.pump([0] * 10)
        self.successResultOf(started)
        self.assertEqual(values(self.store), {"a": "x"})
        self.successResultOf(source.stop())

    def test_nothing(self) -> None:
        """A folder with nothing in it is loaded as well; one that is missing is a Problem."""
        os.mkdir(self.disk.path("empty"))
        source = self.start("empty", "missing")
        self.assertEqual(self.problems(source), ["missing: does not exist"])

    def test_skipped(self) -> None:
        """Objects of other kinds are counted by kind, and the log says so whenever that changes."""
        told: list[str] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            told.append(str(event.get("skipped", "")))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        pod, gateway = "apiVersion: v1\nkind: Pod\n", "apiVersion: a.io/v1\nkind: Gateway\n"
        self.disk.write("m/pod.yaml", f"{pod}---\n{gateway}---\n{pod}")
        source = self.start()
        self.assertEqual(source.skipped, {"Pod": 2, "Gateway": 1})
        self.wait()
        os.remove(self.disk.path("m/pod.yaml"))
        self.wait()
        self.assertEqual(
            list(filter(None, told)),
            [
                "Objects of other kinds have no effect, here as in ingress-nginx: Pod 2, Gateway 1",
                "Objects of other kinds are gone",
            ],
        )

    def test_settled(self) -> None:
        """A load that takes many slices thinks of the garbage collector, a small one does not."""
        self.clock = PassingClock()
        settled: list[int] = []
        for count, times in ((1, 0), (1000, 1)):
            self.disk.write("m/a.yaml", "---\n".join(config_map(f"a{n}") for n in range(count)))
            source = FilesSource(
                self.clock,
                ObjectStore(),
                [self.disk.path("m")],
                None,
                execute,
                settle=lambda: settled.append(1),
            )
            started = source.start()
            self.clock.pump([0] * 2000)
            self.successResultOf(started)
            self.successResultOf(source.stop())
            self.assertEqual(bool(settled), bool(times))

    def test_stopped(self) -> None:
        """A source that is stopped while it loads puts nothing into the store any more."""
        source = FilesSource(self.clock, self.store, [self.disk.path("m")], None, execute)
        started = source.start()
        stopped = source.stop()
        self.clock.pump([0] * 100)
        self.successResultOf(started)
        self.successResultOf(stopped)
        self.assertEqual(values(self.store), {})
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ChangeTests(FilesTestCase):
    """Files that change while the source is running."""

    def setUp(self) -> None:
        super().setUp()
        self.disk.write("m/b.yaml", config_map("b"))
        self.source = self.start()

    def test_edited(self) -> None:
        """An edited file changes its objects, all at once, and no others."""
        untouched = self.store.view().config_maps["default", "b"]
        self.disk.write("m/a.yaml", f"{config_map('a', 'y')}---\n{config_map('c')}")
        self.wait()
        self.assertEqual(values(self.store), {"a": "y", "b": "x", "c": "x"})
        self.assertIs(self.store.view().config_maps["default", "b"], untouched)
        self.assertEqual(self.store.generation, 2)

    def test_within_a_second(self) -> None:
        """Without anything that tells of changes, one takes effect within a second."""
        self.disk.write("m/a.yaml", config_map("a", "y"))
        self.wait(1)
        self.assertEqual(values(self.store)["a"], "y")

    def test_added(self) -> None:
        """A file that is added, in a new folder too, adds its objects."""
        self.disk.write("m/c.yaml", config_map("c"))
        self.disk.write("m/new/deep/d.yml", config_map("d"))
        self.wait()
        self.assertEqual(set(values(self.store)), {"a", "b", "c", "d"})

    def test_removed(self) -> None:
        """A file that is gone takes its objects away."""
        os.unlink(self.disk.path("m/a.yaml"))
        self.wait()
        self.assertEqual(set(values(self.store)), {"b"})
        shutil.rmtree(self.disk.path("m"))
        self.wait()
        self.assertEqual(values(self.store), {})
        self.assertEqual(self.problems(self.source), ["m: does not exist"])
        self.disk.write("m/a.yaml", config_map("a"))
        self.wait()
        self.assertEqual((set(values(self.store)), self.problems(self.source)), ({"a"}, []))

    def test_renamed(self) -> None:
        """A file that is renamed keeps its objects in the store all the time."""
        seen: list[set[str]] = []
        self.store.subscribe(lambda: seen.append(set(values(self.store))))
        os.rename(self.disk.path("m/a.yaml"), self.disk.path("m/z.yaml"))
        self.wait()
        self.assertEqual(seen, [{"a", "b"}])
        self.assertEqual(
            self.store.view().config_maps["default", "a"].origin.file, self.disk.path("m/z.yaml")
        )

    def test_renamed_over(self) -> None:
        """A file that is renamed over another one is read."""
        self.disk.replace("m/a.yaml", config_map("a", "y"))
        self.wait()
        self.assertEqual(values(self.store), {"a": "y", "b": "x"})

    def test_relinked(self) -> None:
        """A link that leads elsewhere is read where it leads."""
        self.disk.write("v1/c.yaml", config_map("c", "one"))
        self.disk.write("v2/c.yaml", config_map("c", "two"))
        self.disk.link("m/c.yaml", "../v1/c.yaml")
        self.disk.link("m/folder", "../v1")
        self.wait()
        self.assertEqual(values(self.store)["c"], "one")
        self.disk.link("m/c.yaml", "../v2/c.yaml")
        self.wait()
        self.assertEqual(values(self.store)["c"], "two")

    def test_mounted(self) -> None:
        """What Kubernetes mounts changes all at once."""
        self.disk.mount(
            "m/config", "1", c_yaml=config_map("c", "one"), d_yaml=config_map("d", "one")
        )
        self.wait()
        generation = self.store.generation
        self.disk.mount(
            "m/config", "2", c_yaml=config_map("c", "two"), d_yaml=config_map("d", "two")
        )
        self.wait()
        found = values(self.store)
        self.assertEqual(
            (found["c"], found["d"], self.store.generation), ("two", "two", generation + 1)
        )

    def test_halves(self) -> None:
        """A file that is still growing is not read."""
        for length in range(10, 60, 10):
            self.disk.write("m/a.yaml", config_map("a", "y")[:length])
            self.clock.pump([0.05, 0.04])
        self.assertEqual(values(self.store)["a"], "x")
        self.disk.write("m/a.yaml", config_map("a", "y"))
        self.wait()
        self.assertEqual(values(self.store)["a"], "y")
        self.assertEqual(self.store.generation, 2)

    def test_touched(self) -> None:
        """A file that is written again as it was changes nothing."""
        self.disk.write("m/a.yaml", config_map("a"))
        self.wait()
        self.assertEqual(self.store.generation, 1)

    def test_emptied(self) -> None:
        """A file without objects gives none."""
        self.disk.write("m/a.yaml", "")
        self.wait()
        self.assertEqual(set(values(self.store)), {"b"})

    def test_stop(self) -> None:
        """After `stop` nothing changes and nothing is left to do."""
        self.successResultOf(self.source.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.disk.write("m/a.yaml", config_map("a", "y"))
        self.wait()
        self.assertEqual(values(self.store)["a"], "x")


class ProblemTests(FilesTestCase):
    """What is wrong is told, and harms nothing else."""

    def test_broken(self) -> None:
        """A file that does not parse keeps what it gave; its Problem goes when it is repaired."""
        self.disk.write("m/b.yaml", config_map("b"))
        source = self.start()
        self.disk.write("m/a.yaml", "a: [\n")
        self.disk.write("m/b.yaml", config_map("b", "y"))
        self.wait()
        self.assertEqual(values(self.store), {"a": "x", "b": "y"})
        [problem] = self.problems(source)
        self.assertTrue(problem.startswith("m/a.yaml, line 2: is not YAML"), problem)
        self.disk.write("m/a.yaml", config_map("a", "z"))
        self.wait()
        self.assertEqual((values(self.store), self.problems(source)), ({"a": "z", "b": "y"}, []))

    def test_unreadable(self) -> None:
        """A pipe, a folder with the name of a file, and what is no text keep nothing from the others."""
        self.disk.write("m/x.yaml", b"\xff")
        os.mkfifo(self.disk.path("m/pipe.yaml"))
        os.mkdir(self.disk.path("m/folder.yaml"))
        source = self.start()
        self.assertEqual(values(self.store), {"a": "x"})
        self.assertEqual(
            sorted(self.problems(source)),
            [
                "m/pipe.yaml: is neither a file nor a folder",
                "m/x.yaml, line 1: is not UTF-8 text; the file is not used",
            ],
        )

    def test_unknown_config_map(self) -> None:
        """
        The ConfigMap of the configuration is unknown while something cannot be read, and no file
        has it; then it is known, or absent.
        """
        self.disk.write("m/locked.yaml", b"\xff")
        self.config_map = "z"
        source = self.start()
        unknown = self.store.view().config_maps["default", "z"]
        self.assertEqual(unknown.unreadable, ("",))
        self.assertEqual(unknown.origin.file, self.disk.path("m/locked.yaml"))
        generation = self.store.generation
        self.disk.write("m/a.yaml", config_map("a", "y"))
        self.wait()
        self.assertIs(self.store.view().config_maps["default", "z"], unknown)
        self.assertEqual(self.store.generation, generation + 1)
        self.disk.write("m/z.yaml", config_map("z"))
        self.wait()
        self.assertEqual(values(self.store), {"a": "y", "z": "x"})
        known = source.reconfigure(Config(config_map=("default", "other")))
        self.wait()
        self.successResultOf(known)
        self.assertEqual(self.store.view().config_maps["default", "other"].unreadable, ("",))
        self.disk.write("m/locked.yaml", config_map("b"))
        self.wait()
        self.assertEqual(values(self.store), {"a": "y", "z": "x", "b": "x"})

    def test_missing_paths(self) -> None:
        """It may be at a path that does not exist; a folder of PEM files has none."""
        os.mkfifo(self.disk.path("s"))
        self.config_map = "z"
        self.start()
        self.assertEqual(set(values(self.store)), {"a"})
        self.start("m", "gone")
        self.assertEqual(self.store.view().config_maps["default", "z"].unreadable, ("",))
        self.disk.write("gone/b.yaml", config_map("b"))
        self.wait()
        self.assertEqual(set(values(self.store)), {"a", "b"})

    def test_hidden(self) -> None:
        """What cannot be looked at any more keeps what it gave."""
        source = self.start()
        os.unlink(self.disk.path("m/a.yaml"))
        os.mkfifo(self.disk.path("m/a.yaml"))
        self.wait()
        self.assertEqual(values(self.store), {"a": "x"})
        self.assertEqual(self.problems(source), ["m/a.yaml: is neither a file nor a folder"])

    def test_twice(self) -> None:
        """Of two files with one object the first in order has it; the other tells of both."""
        self.disk.write("n/a.yaml", f"# other\n{config_map('a', 'y')}")
        source = self.start("n", "m")
        self.assertEqual(values(self.store), {"a": "y"})
        self.assertEqual(
            self.problems(source),
            [
                "m/a.yaml, line 1: ConfigMap default/a: is ignored: the same object is in n/a.yaml, line 2"
            ],
        )
        self.disk.write("n/a.yaml", f"# other\n# and more\n{config_map('a', 'y')}")
        self.wait()
        self.assertIn("n/a.yaml, line 3", self.problems(source)[0])
        os.unlink(self.disk.path("n/a.yaml"))
        self.wait()
        self.assertEqual((values(self.store), self.problems(source)), ({"a": "x"}, []))

    def test_told(self) -> None:
        """Subscribers are told when the Problems are others, and only then."""
        source = self.start()
        told: list[int] = []
        source.subscribe(lambda: told.append(len(source.problems)))
        self.disk.write("m/a.yaml", config_map("a", "y"))
        self.wait()
        self.disk.write("m/b.yaml", "a: [\n")
        self.wait()
        same = source.problems[self.disk.path("m/b.yaml")]
        self.disk.write("m/c.yaml", "kind: [\n")
        self.wait()
        self.assertEqual(told, [1, 2])
        self.assertIs(source.problems[self.disk.path("m/b.yaml")], same)

    def test_relocate(self) -> None:
        """The Problem of an object that moved in its file is told with the line of now."""
        source = self.start()
        item = self.store.view().config_maps["default", "a"]
        self.disk.write("m/a.yaml", f"# one\n# two\n---\n{config_map('a')}")
        self.wait()
        self.disk.write("m/a.yaml", f"# one\n# two\n# three\n---\n{config_map('a')}")
        self.wait()
        self.assertIs(self.store.view().config_maps["default", "a"], item)
        problem = Problem("is bad", "ConfigMap", "default", "a", origin=item.origin)
        self.assertEqual(source.relocate(problem).origin.line, 5)
        other = Problem("is bad", "ConfigMap", "default", "b", origin=item.origin)
        self.assertIs(source.relocate(other), other)

    def test_locate(self) -> None:
        """Down to its field, a Problem is told with the line of now; others stay as they are."""
        self.disk.write("m/a.yaml", f"# one\n# two\n# three\n---\n{config_map('a')}")
        source = self.start()
        item = self.store.view().config_maps["default", "a"]
        self.disk.write("m/a.yaml", f"# one\n# two\n---\n{config_map('a')}")
        self.wait()
        problem = Problem("is bad", "ConfigMap", "default", "a", "data.a", origin=item.origin)
        other = Problem("is bad", field="tls.default")
        located, untouched = self.successResultOf(source.locate([problem, other]))
        self.assertEqual((item.origin.line, located.origin.line), (5, 7))
        self.assertIs(untouched, other)


class SecretTests(FilesTestCase):
    """Pairs of PEM files."""

    def data(self) -> dict[str, bytes] | None:
        found = self.store.view().secrets.get(("ns", "name"))
        return found.data if isinstance(found, Secret) else None

    def write(self, certificate: str, key: str) -> None:
        self.disk.write("s/ns/name/tls.crt", certificate)
        self.disk.write("s/ns/name/tls.key", key)

    def test_appear(self) -> None:
        """The folder may be missing and appear later, and go again."""
        self.start()
        self.assertIsNone(self.data())
        self.write("c", "k")
        self.wait()
        self.assertEqual(self.data(), {"tls.crt": b"c", "tls.key": b"k"})
        shutil.rmtree(self.disk.path("s"))
        self.wait()
        self.assertIsNone(self.data())

    def test_one_after_the_other(self) -> None:
        """Files that change one after the other are read once, when both have changed."""
        self.write("c1", "k1")
        self.start()
        seen: list[dict[str, bytes] | None] = []
        self.store.subscribe(lambda: seen.append(self.data()))
        self.disk.write("s/ns/name/tls.crt", "c2")
        self.wait(0.2)
        self.disk.write("s/ns/name/tls.key", "k2")
        self.wait()
        self.assertEqual(seen, [{"tls.crt": b"c2", "tls.key": b"k2"}])

    def test_lost_file(self) -> None:
        """A pair that loses a file keeps its last good version, with a Problem."""
        self.write("c", "k")
        source = self.start()
        os.unlink(self.disk.path("s/ns/name/tls.key"))
        self.wait()
        self.assertEqual(self.data(), {"tls.crt": b"c", "tls.key": b"k"})
        [problem] = self.problems(source)
        told = "s/ns/name: Secret ns/name: tls.key cannot be read: No such file or directory; "
        self.assertTrue(problem.startswith(f"{told}its last good version, of "), problem)

    def test_swapped(self) -> None:
        """What Kubernetes mounts is read after its swap, as one version."""
        self.disk.mount("s/ns/name", "1", tls_crt="c1", tls_key="k1")
        self.start()
        self.disk.mount("s/ns/name", "2", tls_crt="c2", tls_key="k2")
        self.wait()
        self.assertEqual(self.data(), {"tls.crt": b"c2", "tls.key": b"k2"})

    def test_manifest_first(self) -> None:
        """A Secret among the manifests comes before the pair of the same name."""
        self.write("c", "k")
        self.disk.write(
            "m/s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: name, namespace: ns}\n"
        )
        source = self.start()
        self.assertEqual(self.data(), {})
        [problem] = self.problems(source)
        self.assertEqual(
            problem, "s/ns/name: Secret ns/name: is ignored: the same object is in m/s.yaml, line 1"
        )

    def test_other_folder(self) -> None:
        """Another folder can be named while the source is running."""
        self.write("c", "k")
        source = self.start()
        self.disk.write("t/ns/name/tls.crt", "c2")
        self.disk.write("t/ns/name/tls.key", "k2")
        source.reconfigure(Config(tls=TLS(secrets=Path(self.disk.path("t")))))
        self.wait()
        self.assertEqual(self.data(), {"tls.crt": b"c2", "tls.key": b"k2"})
        self.assertEqual(self.problems(source), [])
        source.reconfigure(Config())
        self.wait()
        self.assertIsNone(self.data())


class HandWatcher(FolderWatcher):
    """Reports the changes that a test makes up."""

    def watch(self, folders: Iterable[str]) -> bool:
        return True


class RenameTests(FilesTestCase):
    """Files that are renamed into place, with a watcher that reports them."""

    def start(self, *names: str) -> FilesSource:
        paths = [self.disk.path(name) for name in names or ("m",)]
        source = FilesSource(
            self.clock,
            self.store,
            paths,
            run_in_thread=self.run_in_thread,
            make_watcher=self.make_watcher,
        )
        started = source.start()
        self.clock.pump([0] * 100)
        self.successResultOf(started)
        self.addCleanup(source.stop)
        return source

    def run_in_thread(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        self.called.append(function.__name__)
        if self.held is not None:
            return self.held.addCallback(lambda _: function(*arguments))
        return execute(function, *arguments)

    def make_watcher(self, reactor: Any, changed: ChangeCallback) -> FolderWatcher:
        self.called: list[str] = []
        self.held: Deferred[Any] | None = None
        self.changed = changed
        return HandWatcher(reactor, changed)

    def rename(self, name: str, content: str, change: Change = Change.RENAMED) -> None:
        """Write a file, and report what happened."""
        self.disk.write(name, content)
        self.changed(self.disk.path(name), change)

    def turn(self) -> None:
        """The time after which renamed files are read, and the turns that this takes."""
        self.clock.pump([RENAME_DELAY] + [0] * 20)

    def test_at_once(self) -> None:
        """They are read at once, those that are new as well, and without a scan."""
        self.start()
        self.called.clear()
        self.rename("m/a.yaml", config_map("a", "y"))
        self.rename("m/b.yaml", config_map("b", "z"))
        self.turn()
        self.assertEqual(values(self.store), {"a": "y", "b": "z"})
        self.assertNotIn("_scan", self.called)

    def test_written(self) -> None:
        """One that is written in place has to settle."""
        self.start()
        self.rename("m/a.yaml", config_map("a", "y"), Change.WRITTEN)
        self.turn()
        self.assertEqual(values(self.store), {"a": "x"})
        self.wait(0.5)
        self.assertEqual(values(self.store), {"a": "y"})

    def test_during_cycle(self) -> None:
        """One that is renamed while a cycle is under way is read at the end of it."""
        self.start()
        held: Deferred[None] = Deferred()
        self.held = held
        self.rename("m/b.yaml", config_map("b"), Change.OTHER)
        self.wait(0.1)
        self.assertIn("_scan", self.called)
        self.rename("m/a.yaml", config_map("a", "y"))
        self.turn()
        self.assertEqual(values(self.store), {"a": "x"})
        self.held = None
        held.callback(None)
        self.clock.pump([0] * 20)
        self.assertEqual(values(self.store), {"a": "y"})

    def test_several_paths(self) -> None:
        """A file of two paths has its place in the order of both."""
        self.disk.link("n", "m")
        self.start("m", "n")
        self.rename("m/a.yaml", config_map("a", "y"))
        self.turn()
        self.assertEqual(values(self.store), {"a": "y"})

    def test_single_file(self) -> None:
        """A file that is a path of its own is found, whatever its name."""
        self.disk.write("web.conf", config_map("b"))
        self.start("web.conf")
        self.rename("web.conf", config_map("b", "y"))
        self.turn()
        self.assertEqual(values(self.store), {"b": "y"})

    def test_other_names(self) -> None:
        """Hidden files, other suffixes and links are left to the scan."""
        self.start()
        for name in ("m/.a.yaml", "m/a.txt", "elsewhere/a.yaml"):
            self.rename(name, config_map("z"))
        self.disk.write("target.yaml", config_map("c"))
        self.disk.link("m/c.yaml", "../target.yaml")
        self.changed(self.disk.path("m/c.yaml"), Change.RENAMED)
        self.turn()
        self.assertEqual(values(self.store), {"a": "x"})
        self.wait(0.5)
        self.assertEqual(values(self.store), {"a": "x", "c": "x"})


class RealReactorTests(TestCase):
    """With the reactor, its threads and inotify."""

    timeout = 20

    async def start(self) -> None:
        self.disk = Disk(self.mktemp())
        self.disk.write("m/a.yaml", config_map("a"))
        self.store = ObjectStore()
        self.source = FilesSource(reactor, self.store, [self.disk.path("m")], self.disk.path("s"))
        self.addCleanup(self.source.stop)
        await self.source.start()

    async def until(self, is_true: Callable[[], bool], within: float = 5.0) -> None:
        """Wait for the store to become as it should be."""
        end = reactor.seconds() + within
        while not is_true():
            self.assertLess(reactor.seconds(), end, values(self.store))
            await deferLater(reactor, 0.01)

    async def test_changes(self) -> None:
        """Edits, additions in new folders, renames and removals arrive within a second."""
        await self.start()
        self.disk.write("m/a.yaml", config_map("a", "y"))
        await self.until(lambda: values(self.store) == {"a": "y"}, 1)
        self.disk.write("m/new/deep/b.yaml", config_map("b"))
        await self.until(lambda: values(self.store) == {"a": "y", "b": "x"}, 1)
        self.disk.write("m/new/deep/b.yaml", config_map("b", "y"))
        await self.until(lambda: values(self.store) == {"a": "y", "b": "y"}, 1)
        self.disk.replace("m/a.yaml", config_map("a", "z"))
        await self.until(lambda: values(self.store) == {"a": "z", "b": "y"}, 1)
        shutil.rmtree(self.disk.path("m/new"))
        await self.until(lambda: values(self.store) == {"a": "z"}, 1)
        self.disk.write("m/new/deep/b.yaml", config_map("b"))
        await self.until(lambda: values(self.store) == {"a": "z", "b": "x"}, 1)

    async def test_moved_folder(self) -> None:
        """A folder that is moved away and made again is watched again."""
        await self.start()
        self.disk.write("m/sub/b.yaml", config_map("b"))
        await self.until(lambda: "b" in values(self.store), 1)
        os.rename(self.disk.path("m/sub"), self.disk.path("old"))
        self.disk.write("m/sub/c.yaml", config_map("c"))
        await self.until(lambda: set(values(self.store)) == {"a", "c"}, 1)
        self.disk.write("m/sub/c.yaml", config_map("c", "y"))
        await self.until(lambda: values(self.store) == {"a": "x", "c": "y"}, 1)

    async def test_link_target(self) -> None:
        """A change where a link leads arrives as well."""
        await self.start()
        self.disk.write("elsewhere/c.yaml", config_map("c"))
        self.disk.link("m/c.yaml", "../elsewhere/c.yaml")
        await self.until(lambda: "c" in values(self.store), 1)
        self.disk.write("elsewhere/c.yaml", config_map("c", "y"))
        await self.until(lambda: values(self.store)["c"] == "y", 1)

    async def test_mounted_secret(self) -> None:
        """A mounted Secret appears, and changes with its swap."""
        await self.start()
        self.disk.mount("s/ns/name", "1", tls_crt="c1", tls_key="k1")

        def keys() -> set[bytes]:
            return {item.data["tls.key"] for item in self.store.view().secrets.values()}

        await self.until(lambda: keys() == {b"k1"}, 1.5)
        self.disk.mount("s/ns/name", "2", tls_crt="c2", tls_key="k2")
        await self.until(lambda: keys() == {b"k2"}, 1.5)

    async def test_halves(self) -> None:
        """A file is not read while its writer pauses in the middle, but soon after it is closed."""
        await self.start()
        text = f"{config_map('a', 'y')}---\n{config_map('b')}"
        with self.disk.open("m/a.yaml") as file:
            file.write(config_map("b"))
            file.flush()
            await deferLater(reactor, 0.6)
            self.assertEqual(values(self.store), {"a": "x"})
            file.seek(0)
            file.write(text)
        await self.until(lambda: values(self.store) == {"a": "y", "b": "x"}, 1)
        self.assertEqual(self.store.generation, 2)

    async def test_slices(self) -> None:
        """While a long list is read, the reactor gets its turn again and again."""
        await self.start()
        items = "".join(
            f"- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{n}}}, data: {{a: x}}}}\n"
            for n in range(500)
        )
        self.disk.replace("m/list.yaml", f"apiVersion: v1\nkind: List\nitems:\n{items}")
        turns = 0

        def count() -> None:
            nonlocal turns
            turns += 1
            if len(values(self.store)) < 501:
                reactor.callLater(0, count)

        count()
        await self.until(lambda: len(values(self.store)) == 501)
        self.assertGreater(turns, 10)
