"""
What a `ingress.kube.files.FilesSource` has of a reactor: threads, and reports of inotify.

Both are imported when they are used. Commands, which read files once and have no reactor, must
begin at once, and Twisted looks for a library of the system when it gets ready for inotify.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ingress.kube.change import ChangeCallback

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ingress.kube.watch import FolderWatcher

MakeWatcher = Callable[[Any, ChangeCallback], "FolderWatcher"]
"""Makes what reports changes in folders; it takes the reactor and what is called."""


def watch_folders(reactor: Any, changed: ChangeCallback) -> FolderWatcher:
    """
    :param reactor: without file descriptors (a Clock), no change is reported.
    :return: what reports changes in folders.
    """
    from ingress.kube.watch import FolderWatcher

    return FolderWatcher(reactor, changed)


def run_in_reactor_thread(reactor: Any, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
    """
    Call a function in a thread of the reactor.

    :return: its result.
    """
    from twisted.internet.threads import deferToThreadPool

    return deferToThreadPool(reactor, reactor.getThreadPool(), function, *args)
