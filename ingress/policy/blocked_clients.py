"""
Clients that nobody wants: ``block-cidrs``, ``block-user-agents`` and ``block-referers`` of the
ConfigMap.

Source of the rules: docs/compatibility.md, sections 2.6 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, Final

from ingress.address_ranges import AddressRanges, parse_range
from ingress.answer import Answer
from ingress.config import Config
from ingress.errors import Outcome
from ingress.frozen import dataclass
from ingress.linear_pattern import TextTooLong
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.inputs import Input, Inputs
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext
from ingress.value_map import ValueMap

_ADDRESS: Final = Answer(403, Outcome.ACCESS_REFUSED, "The address of the client is blocked.")
_USER_AGENT: Final = Answer(403, Outcome.ACCESS_REFUSED, "The client's User-Agent is blocked.")
_REFERER: Final = Answer(403, Outcome.ACCESS_REFUSED, "The request's Referer is blocked.")


@dataclass(frozen=True, slots=True)
class BlockedClients(Policy):
    """Answers requests with 403 by the client's address, User-Agent or Referer, on every host."""

    name: ClassVar[str] = "blocked-clients"

    addresses: AddressRanges = AddressRanges()
    user_agents: ValueMap = ValueMap()
    referers: ValueMap = ValueMap()

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> BlockedClients | None:
        """Feature: the ConfigMap alone decides, whose lists have been checked."""
        return cls.of(context.config)

    @classmethod
    def of(cls, config: Config) -> BlockedClients | None:
        """:return: who is blocked; None if nobody is."""
        block = config.nginx.block
        if not (block.cidrs or block.user_agents or block.referers):
            return None
        return cls(
            _addresses(block.cidrs), ValueMap.of(block.user_agents), ValueMap.of(block.referers)
        )

    def access(self, context: PolicyContext) -> Decision:
        """Policy."""
        return self.refusal(context.client.address, context.request)

    def refusal(self, address: bytes, request: Request) -> Answer | None:
        """
        A field that is too long to be searched is blocked as well.

        :param address: of the client, as `BelievedClient` has it.
        :return: None for a client that nobody blocks.
        """
        if self.addresses.has(address):
            return _ADDRESS
        if _is_listed(self.user_agents, request.field(b"user-agent")):
            return _USER_AGENT
        if _is_listed(self.referers, request.field(b"referer")):
            return _REFERER
        return None

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        found = {Input.CLIENT} if self.addresses else set()
        if self.user_agents or self.referers:
            found.add(Input.DESCRIPTION)
        return frozenset(found)

    def explain(self) -> str:
        """Feature."""
        return "Clients with a blocked address, User-Agent or Referer get 403."

    def shown(self) -> Mapping[str, object]:
        """Feature: how many there are; what a field must be like is nobody's business."""
        return {
            "blocked": {
                "addresses": bool(self.addresses),
                "userAgents": len(self.user_agents.values) + len(self.user_agents.patterns),
                "referers": len(self.referers.values) + len(self.referers.patterns),
            }
        }


@lru_cache(maxsize=8)
def _addresses(cidrs: tuple[str, ...]) -> AddressRanges:
    """Keep the ranges of the ConfigMap, which the reading of each Ingress needs."""
    return AddressRanges.of(map(parse_range, cidrs))


def _is_listed(members: ValueMap, value: bytes | None) -> bool:
    if not members:
        return False
    try:
        return members.has(value or b"")
    except TextTooLong:
        return True
